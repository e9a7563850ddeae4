//! A new schedule under load.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use pinode_tests::frame::PIS;
use pinode_tests::lab::Lab;
use pinode_tests::load::{Load, Stream};
use pinode_tests::need::Need;
use pinode_tests::program::pinode;

use crate::Case;
use crate::frames::port_of;

const NEEDS: [Need; 3] = [Need::Kvm, Need::Root, Need::Command("ip", "iproute2")];

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "phases::set_under_load_at_a_cycle_boundary_loses_nothing",
            &NEEDS,
            set_under_load,
        ),
        Case::new(
            "phases::tc_takes_what_is_exported_up_to_the_kernel",
            &[Need::Command("tc", "iproute2")],
            tc_takes_export,
        ),
    ]
}

/// tc says what it does not understand before it asks the kernel, which may have no taprio.
fn tc_takes_export() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("node.toml");
    std::fs::write(&file, SCHEDULE)?;
    let exported = Command::new(pinode()?)
        .args(["phases", "export", "west", "-c"])
        .arg(&file)
        .output()?;
    ensure!(exported.status.success(), "{exported:?}");
    let text = String::from_utf8(exported.stdout)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let options: Vec<&str> = lines
        .flat_map(|line| line.trim_end_matches('\\').split_whitespace())
        .collect();
    let tc = |options: &[&str]| {
        let before =
            "qdisc add dev lo parent root handle 100: taprio num_tc 3 map 0 1 2 queues 1@0 1@1 1@2";
        let command = Command::new("tc")
            .args(before.split(' '))
            .args(options)
            .env("LC_ALL", "C")
            .output()?;
        anyhow::Ok(String::from_utf8_lossy(&command.stderr).into_owned())
    };
    // The loopback has one queue, so where there is a taprio it refuses too; nothing is left behind.
    let asked = |said: &str| said.starts_with("Error: ") || said.starts_with("RTNETLINK answers: ");
    let said = tc(&options)?;
    ensure!(asked(&said), "{said}");
    // The same with a mistake never gets that far.
    for wrong in ["sched-entry S zz 100000", "base-tyme 0"] {
        let wrong: Vec<&str> = options.iter().copied().chain(wrong.split(' ')).collect();
        let said = tc(&wrong)?;
        ensure!(!asked(&said), "{said}");
    }
    Ok(())
}

const SCHEDULE: &str = r#"
[node]
name = "n"
[[port]]
name = "west"
backend = "memory:w"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
base_time = "1700000000s"
extension = "20us"
phases = [
  { pi = "a", for = "100us" }, { pi = "b", for = "100us" }, { pi = "none", for = "20us" },
  { pi = "c", for = "5s" },
]
[pi.a]
code = 1
guest = "x.elf"
[pi.b]
code = 2
guest = "x.elf"
[pi.c]
code = 3
guest = "x.elf"
"#;

/// Three schedules after another on both ports while all PIs send both ways.
fn set_under_load() -> Result<()> {
    let lab = Lab::start("kvm", "af_packet")?;
    let streams = PIS.map(|(_, code)| Stream {
        code,
        size: 79,
        rate: 1000,
    });
    let there = Load::start(lab.west()?, lab.east()?, &streams);
    let back = Load::start(lab.east()?, lab.west()?, &streams);
    let schedules = [
        ["ipv6qos=120us", "can=80us", "dss=100us"],
        ["ipv6qos=50us", "can=200us", "dss=50us"],
        ["ipv6qos=100us", "can=100us", "dss=100us"],
    ];
    for phases in schedules {
        for port in ["west", "east"] {
            there.flows(1, 100)?;
            let before = lab.node.json(&["phases", "show", port, "--json"])?;
            let mut command = vec!["phases", "set", port];
            command.extend(phases);
            command.push("--json");
            let set = lab.node.json(&command)?;
            let at = set["takes_effect_tai_ns"]
                .as_u64()
                .context("takes_effect_tai_ns")?;
            let (base, cycle) = base_and_cycle(&before)?;
            let past = at
                .checked_sub(base)
                .context("takes effect before the base time")?
                % cycle;
            ensure!(
                past == 0,
                "takes effect {past} ns after a boundary of the cycle of {cycle} ns"
            );
            there.flows(1, 100)?;
            back.flows(3, 100)?;
            let status = lab.node.status()?;
            for (pi, wanted) in PIS.iter().zip(phases) {
                let account = &port_of(&status, port)?["pi"][pi.0];
                let wanted: u64 = wanted
                    .split('=')
                    .next_back()
                    .and_then(|d| d.trim_end_matches("us").parse().ok())
                    .context("duration")?;
                ensure!(
                    account["phase_ns"] == wanted * 1000,
                    "{} on {port}: {account}",
                    pi.0
                );
            }
        }
    }
    for account in there.finish()?.into_iter().chain(back.finish()?) {
        ensure!(account.sent > 100 && account.whole(), "{account:?}");
    }
    let status = lab.node.status()?;
    for port in ["west", "east"] {
        for (pi, _) in PIS {
            let account = &port_of(&status, port)?["pi"][pi];
            ensure!(account["window_overruns"] == 0, "{port}/{pi}: {account}");
        }
    }
    // A schedule that cannot hold changes nothing.
    let refused = lab.node.command(&[
        "phases",
        "set",
        "west",
        "ipv6qos=1us",
        "can=80us",
        "dss=100us",
    ])?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        !refused.status.success() && why.contains("ipv6qos"),
        "{}: {why}",
        refused.status
    );
    ensure!(port_of(&lab.node.status()?, "west")?["pi"]["ipv6qos"]["phase_ns"] == 100_000);
    Ok(())
}

/// Base time and cycle of the schedule in force that `phases show PORT --json` gives.
fn base_and_cycle(shown: &serde_json::Value) -> Result<(u64, u64)> {
    let oper = if shown.is_array() {
        &shown[0]["oper"]
    } else {
        &shown["oper"]
    };
    let base = oper["base_tai_ns"]
        .as_u64()
        .with_context(|| format!("base_tai_ns in {shown}"))?;
    let cycle = oper["cycle_ns"]
        .as_u64()
        .with_context(|| format!("cycle_ns in {shown}"))?;
    Ok((base, cycle))
}
