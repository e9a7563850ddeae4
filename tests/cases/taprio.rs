//! The same schedule and the same frames for three that keep to it: Linux taprio, the pure gate in virtual time, and a
//! running node. The same frames go in the same windows (docs/taprio.md).
//!
//! Linux and node run in an emulated machine whose clocks count its instructions, so that nothing that happens on the
//! machine of the test disturbs an instant.

mod oracle;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::cpio::Cpio;
use pinode_tests::frame::PIS;
use pinode_tests::gate_trace::{CAPACITY, CYCLE_NS, PHASES_NS, Planned, Traced, plan, read};
use pinode_tests::machine::{self, NEEDS, Pace};
use pinode_tests::need::{Need, find_command};
use pinode_tests::program::pinode;
use pinode_tests::stock_kernel::StockKernel;

use self::oracle::{Lateness, Start};
use crate::Case;

/// Far above what either machine takes (a quarter of a minute).
const DEADLINE: Duration = Duration::from_secs(240);
const SEED: u64 = 802;
const ROUNDS: u64 = 15;
/// A quarter of the shortest phase: what comes later than this is not jitter.
const MOST_JITTER_NS: u64 = 2_000_000;
/// Share of the frames whose window the lateness of the run may decide. One of ten frames comes evenly over 3.5 ms
/// around a close: at 0.3 ms in transit that is 1 %. Two of a hundred are at the cut of one of the bursts.
const MOST_UNDECIDED: f64 = 0.04;
/// Frames that come while their gate is open and wait for its next window all the same: fewer would not test the guard.
const LEAST_KEPT_BACK: usize = 60;

pub fn cases() -> Vec<Case> {
    let mut needs = NEEDS.to_vec();
    needs.push(Need::Command("ip", "iproute2"));
    needs.push(Need::Command("tc", "iproute2"));
    needs.push(Need::Command("chrt", "util-linux"));
    vec![Case::new(
        "taprio::linux_gate_and_node_put_the_same_frames_in_the_same_windows",
        &needs,
        same_windows,
    )]
}

fn same_windows() -> Result<()> {
    let kernel = StockKernel::find()?;
    let plan = plan(SEED, ROUNDS);
    let linux = linux(&kernel)?;
    let taprio = windows("Linux taprio", &linux, &plan)?;
    let node = node(&kernel)?;
    let node = windows("pinode run", &node, &plan)?;
    let both = taprio
        .iter()
        .filter_map(|(number, window)| Some((window, node.get(number)?)));
    let (same, apart): (Vec<_>, Vec<_>) = both.partition(|(taprio, node)| taprio == node);
    let frames = same.len() + apart.len();
    println!(
        "Linux taprio and pinode run: {} of {frames} frames in the same window of their run",
        same.len()
    );
    // Those apart were sent a little earlier or later, on the other side of a deadline: each agrees with the gate.
    ensure!(apart.len() as f64 <= MOST_UNDECIDED * frames as f64);
    Ok(())
}

/// Compares a trace with the gate; gives the window of each frame by number, ns from the start of the run.
fn windows(who: &str, frames: &[Traced], plan: &[Planned]) -> Result<BTreeMap<u64, u64>> {
    ensure!(
        frames.len() * 100 >= plan.len() * 99,
        "{who}: {} of {} planned frames were sent",
        frames.len(),
        plan.len()
    );
    let early = oracle::starts(frames, &Lateness::default())?;
    let lateness = lateness(frames, &early);
    let late = oracle::starts(frames, &lateness)?;
    let opening_ns = lateness.opening_ns.values().max().copied().unwrap_or(0);
    let jitter_ns = lateness.transit_ns.max(opening_ns);
    let mut found = BTreeMap::new();
    let (mut undecided, mut kept_back) = (0, 0);
    let mut ahead_ns = 0;
    let mut wrong = String::new();
    for ((frame, early), late) in frames.iter().zip(&early).zip(&late) {
        let left_in_ns = window_ns(frame.left_ns);
        if !(early.window_ns..=late.window_ns).contains(&left_in_ns) {
            writeln!(
                wrong,
                "{frame:?}: left {} ns after the opening of the window of {early:?}",
                frame.left_ns.wrapping_sub(early.window_ns).cast_signed()
            )?;
        }
        if early.window_ns != late.window_ns {
            undecided += 1;
        } else if window_ns(frame.sent_ns) < early.window_ns
            && class_at(frame.sent_ns) == frame.class
        {
            kept_back += 1;
        }
        ahead_ns = ahead_ns.max(early.at_ns.saturating_sub(frame.left_ns));
        let planned = usize::try_from(frame.number)?;
        let planned = plan
            .get(planned)
            .context("a frame that is not in the plan")?;
        ensure!(
            (planned.class, planned.octets) == (frame.class, frame.octets),
            "not the planned frame: {frame:?}"
        );
        let start_ns = (frame.sent_ns - planned.at_ns) / CYCLE_NS * CYCLE_NS;
        ensure!(
            found.insert(frame.number, left_in_ns - start_ns).is_none(),
            "twice in the trace: {frame:?}"
        );
    }
    let all = frames.len();
    println!(
        "{who} and the gate: {all} frames compared, {} in the same window, {undecided} decided by lateness (in \
         transit at most {} us, in a window {} us); {kept_back} came in their window and were kept for the next; up to \
         {} us ahead of a link of 10 Mb/s",
        all - undecided - wrong.lines().count(),
        lateness.transit_ns.div_ceil(1000),
        opening_ns.div_ceil(1000),
        ahead_ns / 1000,
    );
    ensure!(
        wrong.is_empty(),
        "{who}: in another window than the gate:\n{wrong}"
    );
    ensure!(jitter_ns <= MOST_JITTER_NS, "{who}: {jitter_ns} ns late");
    ensure!(
        undecided as f64 <= MOST_UNDECIDED * all as f64,
        "{who}: jitter decides too often"
    );
    ensure!(
        kept_back >= LEAST_KEPT_BACK,
        "{who}: {kept_back} frames were kept back, too few to tell"
    );
    Ok(found)
}

/// How late the frames left that left in the window of the gate: those that nothing held up, and by window the others.
fn lateness(frames: &[Traced], starts: &[Start]) -> Lateness {
    let mut lateness = Lateness::default();
    for (frame, start) in frames.iter().zip(starts) {
        if window_ns(frame.left_ns) != start.window_ns {
            continue;
        }
        let late = if start.at_ns == frame.sent_ns {
            &mut lateness.transit_ns
        } else {
            lateness.opening_ns.entry(start.window_ns).or_default()
        };
        *late = (*late).max(frame.left_ns.saturating_sub(start.at_ns));
    }
    lateness
}

/// The opening of the window that an instant lies in.
fn window_ns(at_ns: u64) -> u64 {
    let before: u64 = PHASES_NS[..usize::from(class_at(at_ns))].iter().sum();
    at_ns / CYCLE_NS * CYCLE_NS + before
}

/// Whose gate is open at an instant.
fn class_at(at_ns: u64) -> u8 {
    let mut rest_ns = at_ns % CYCLE_NS;
    let mut class = 0;
    for phase_ns in PHASES_NS {
        if rest_ns < phase_ns {
            break;
        }
        rest_ns -= phase_ns;
        class += 1;
    }
    class
}

/// A machine with these commands, gate-trace, and the head of its script.
fn prepare(kernel: &StockKernel, modules: &[&str], commands: &[&str]) -> Result<(Cpio, String)> {
    let (mut archive, script) = machine::prepare(kernel, modules)?;
    let trace = Path::new(env!("CARGO_BIN_EXE_gate-trace"));
    archive.program_with_libraries("/bin/gate-trace", trace)?;
    for name in commands {
        let command = find_command(name).with_context(|| format!("no command {name}"))?;
        archive.program_with_libraries(&format!("/sbin/{name}"), &command)?;
    }
    Ok((archive, script))
}

/// Runs a machine to its end; gives the trace.
fn trace(kernel: &StockKernel, archive: Cpio, script: &str) -> Result<Vec<Traced>> {
    let console = machine::run_at(Pace::Instructions, kernel, archive, script, DEADLINE)?;
    let frames = read(&console).with_context(|| console.clone())?;
    ensure!(
        console.contains(&format!("gate-trace ended: {} frames", frames.len())),
        "the trace is not whole:\n{console}"
    );
    Ok(frames)
}

/// The plan through taprio in software, on an interface that reckons with 10 Mb/s. `stab overhead 24` has it count FCS,
/// preamble and gap as a wire does.
fn linux(kernel: &StockKernel) -> Result<Vec<Traced>> {
    let (archive, mut script) = prepare(kernel, &["sch_taprio", "dummy"], &["ip", "tc"])?;
    let mut entries = String::new();
    for (class, phase_ns) in PHASES_NS.iter().enumerate() {
        write!(entries, " sched-entry S {:02x} {phase_ns}", 1 << class)?;
    }
    write!(
        script,
        "/sbin/ip link add gated numtxqueues 3 type dummy\n\
         echo 1 > /proc/sys/net/ipv6/conf/gated/disable_ipv6\n\
         /sbin/ip link set gated up\n\
         /sbin/tc qdisc replace dev gated parent root handle 100 stab overhead 24 taprio \
         num_tc 3 map 0 1 2 0 0 0 0 0 0 0 0 0 0 0 0 0 queues 1@0 1@1 1@2 \
         base-time 0{entries} flags 0x0 clockid CLOCK_TAI\n\
         gate-trace gated gated {SEED} {ROUNDS}\n\
         /sbin/tc -s qdisc show dev gated\n"
    )?;
    trace(kernel, archive, &script)
}

/// The plan through a node: in by one port, through the guest functions, out by the gate of the other. The machine has
/// one processor, so that priorities stand for cores of their own: the sender before the worker before the guests.
fn node(kernel: &StockKernel) -> Result<Vec<Traced>> {
    let (mut archive, mut script) = prepare(kernel, &["veth"], &["ip", "chrt"])?;
    archive.program_with_libraries("/bin/pinode", pinode()?)?;
    archive.program("/etc/node.toml", node_toml()?.as_bytes());
    write!(
        script,
        "for cable in w e; do\n\
         \x20 /sbin/ip link add near-$cable type veth peer name far-$cable\n\
         \x20 for end in near far; do\n\
         \x20   echo 1 > /proc/sys/net/ipv6/conf/$end-$cable/disable_ipv6\n\
         \x20   /sbin/ip link set $end-$cable up\n\
         \x20 done\n\
         done\n\
         pinode run -c /etc/node.toml --socket /run/node.sock > /tmp/node.out 2> /tmp/node.err &\n\
         node=$!\n\
         tries=0\n\
         until grep -qs ready /tmp/node.out; do\n\
         \x20 tries=$((tries + 1))\n\
         \x20 if [ $tries -gt 300 ] || ! kill -0 $node; then echo 'the node is not ready'; break; fi\n\
         \x20 usleep 100000\n\
         done\n\
         for task in /proc/$node/task/*; do\n\
         \x20 case $(cat $task/comm) in worker*) /sbin/chrt -f -p 1 ${{task##*/}} && echo WORKER-FIRST ;; esac\n\
         done\n\
         /sbin/chrt -f 2 gate-trace far-w far-e {SEED} {ROUNDS}\n\
         kill $node; wait $node\n\
         cat /tmp/node.out /tmp/node.err\n"
    )?;
    trace(kernel, archive, &script)
}

fn node_toml() -> Result<String> {
    let mut phases = String::new();
    let mut text = "[node]\nname = \"n1\"\nisolation = \"thread\"\n".to_owned();
    for ((name, code), phase_ns) in PIS.iter().zip(PHASES_NS) {
        write!(phases, "{{ pi = \"{name}\", for = \"{phase_ns}ns\" }}, ")?;
        write!(
            text,
            "[pi.{name}]\ncode = {code}\nguest = \"builtin:patch\"\n"
        )?;
    }
    for (name, interface) in [("west", "near-w"), ("east", "near-e")] {
        write!(
            text,
            "[[port]]\nname = \"{name}\"\nbackend = \"af_packet:{interface}\"\nmode = \"trunk\"\n\
             capacity = \"{CAPACITY}bps\"\ncycle = {{ phases = [{phases}] }}\n"
        )?;
    }
    Ok(text)
}
