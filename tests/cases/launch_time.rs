//! Launch time of AF_PACKET ports, on a stock kernel that has the queueing disciplines fq and etf (tc-fq(8),
//! tc-etf(8)): frames handed over ahead of their start leave at it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::machine::{self, NEEDS};
use pinode_tests::need::{Need, find_command};
use pinode_tests::stock_kernel::StockKernel;

use crate::Case;

/// Far above what it takes (15 s on two cores).
const DEADLINE: Duration = Duration::from_secs(240);

pub fn cases() -> Vec<Case> {
    let mut needs = NEEDS.to_vec();
    needs.push(Need::Command("ip", "iproute2"));
    needs.push(Need::Command("tc", "iproute2"));
    vec![Case::new(
        "launch_time::frames_leave_at_their_start_through_fq_and_etf",
        &needs,
        af_packet,
    )]
}

/// A run of launch-check: the queueing disciplines it finds, what it is asked, the mark of success.
const RUNS: [(&str, &str, &str); 8] = [
    ("", "passed", "NONE-PASSES"),
    (
        "/sbin/tc qdisc replace dev near root fq",
        "held",
        "FQ-HOLDS",
    ),
    ("", "unplugged", "FQ-WITHOUT-CARRIER"),
    (
        "/sbin/tc qdisc replace dev near root fq_codel",
        "passed",
        "FQ-CODEL-PASSES",
    ),
    (
        "/sbin/tc qdisc replace dev near root etf clockid CLOCK_TAI delta 50000000",
        "late",
        "ETF-HOLDS-AND-DROPS",
    ),
    ("", "stepped", "ETF-AFTER-A-STEP"),
    (
        "/sbin/tc qdisc del dev near root; \
         /sbin/tc qdisc add dev near root etf clockid CLOCK_TAI delta 50000000 deadline_mode",
        "passed",
        "DEADLINES-PASS",
    ),
    (
        "/sbin/tc qdisc replace dev near root handle 8001: mq; \
         /sbin/tc qdisc replace dev near parent 8001:1 fq; /sbin/tc qdisc replace dev near parent 8001:2 fq",
        "held",
        "FQ-OF-EACH-QUEUE-HOLDS",
    ),
];

fn af_packet() -> Result<()> {
    let kernel = StockKernel::find()?;
    let modules = ["veth", "sch_fq", "sch_etf"];
    let (mut archive, mut script) = machine::prepare(&kernel, &modules)?;
    let check = Path::new(env!("CARGO_BIN_EXE_launch-check"));
    archive.program_with_libraries("/bin/launch-check", check)?;
    for name in ["ip", "tc"] {
        let command = find_command(name).with_context(|| format!("no command {name}"))?;
        archive.program_with_libraries(&format!("/sbin/{name}"), &command)?;
    }
    script.push_str(
        // busybox's own ip makes no veth pairs.
        "/sbin/ip link add near numtxqueues 2 type veth peer name far\n\
         for end in near far; do\n\
         \x20 echo 1 > /proc/sys/net/ipv6/conf/$end/disable_ipv6\n\
         \x20 /sbin/ip link set $end up\n\
         done\n",
    );
    for (queueing, mode, mark) in RUNS {
        script.push_str(&format!(
            "{queueing}\n/sbin/tc qdisc show dev near\nlaunch-check near far {mode} && echo {mark}\n"
        ));
    }
    let console = machine::run(&kernel, archive, &script, DEADLINE)?;
    for (_, _, mark) in RUNS {
        let found = console.lines().any(|line| line == mark);
        ensure!(found, "no {mark} in:\n{console}");
    }
    Ok(())
}
