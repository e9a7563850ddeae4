//! What the node costs the machine: resident memory, and system calls of the data plane.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::config::NodeToml;
use pinode_tests::frame::{PIS, numbered};
use pinode_tests::need::{Need, find_command};
use pinode_tests::node::Node;
use pinode_tests::pcap;
use pinode_tests::poll::until;
use pinode_tests::resident::beyond_guest_memory;
use rustix::process::{Pid, Signal, kill_process};

use crate::Case;
use crate::frames::port_of;

pub fn cases() -> Vec<Case> {
    let strace = Need::Command("strace", "strace");
    vec![
        Case::new(
            "resources::resident_memory_beyond_guest_memory",
            &[Need::Kvm],
            resident_memory,
        ),
        Case::new(
            "resources::no_system_call_per_frame_kvm",
            &[Need::Kvm, strace],
            || no_system_call_per_frame("kvm"),
        ),
        Case::new(
            "resources::no_system_call_per_frame_thread",
            &[strace],
            || no_system_call_per_frame("thread"),
        ),
    ]
}

/// Three guests run; what the process has resident beyond their memory is at most 16 MiB.
fn resident_memory() -> Result<()> {
    let node = Node::start(&NodeToml::patch("kvm", "memory:w", "memory:e").text(), None)?;
    let status = node.status()?;
    let beyond = beyond_guest_memory(node.pid(), &status)?;
    println!(
        "resident beyond guest memory: {:.1} MiB",
        beyond as f64 / f64::from(1 << 20)
    );
    ensure!(
        beyond <= 16 << 20,
        "{beyond} octets resident beyond guest memory"
    );
    Ok(())
}

/// Frames stream from one trace file to another while strace counts the worker's system calls. A guest that has nothing to
/// do sleeps and is woken by a system call, so the load must be one under which batches form: 500,000 frames/s.
fn no_system_call_per_frame(isolation: &'static str) -> Result<()> {
    const FRAMES: u64 = 1_500_000;
    const GAP_US: u32 = 2;
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let frames = (0..FRAMES).map(|i| numbered(PIS[(i % 3) as usize].1, 0, i, 79));
    pcap::write(&folder.path().join("w.pcap"), frames, GAP_US)?;
    pcap::write(&folder.path().join("e.pcap"), [], 0)?;
    let port = |name: &str| {
        format!(
            "pcap:{},{}",
            at(&format!("{name}.pcap")),
            at(&format!("{name}-out.pcap"))
        )
    };
    let node = Node::start(
        &NodeToml::patch(isolation, port("w"), port("e")).text(),
        None,
    )?;
    let worker = thread_named(node.pid(), "worker")?;
    let sent = || -> Result<u64, String> {
        let status = node.status().map_err(|e| format!("{e:#}"))?;
        let port = port_of(&status, "east").map_err(|e| format!("{e:#}"))?;
        port["tx_frames"].as_u64().ok_or_else(|| port.to_string())
    };
    let mut strace = Command::new(find_command("strace").context("no strace")?)
        .args(["-c", "-o", &at("calls"), "-p", &worker.to_string()])
        .stdin(Stdio::null())
        .stderr(fs::File::create(folder.path().join("strace"))?)
        .spawn()
        .context("start strace")?;
    until("strace to attach", Duration::from_secs(5), || {
        let printed = fs::read_to_string(folder.path().join("strace")).unwrap_or_default();
        if printed.contains("attached") {
            Ok(())
        } else {
            Err(printed)
        }
    })?;
    let before = sent().map_err(anyhow::Error::msg)?;
    let end = until(
        "100,000 frames under strace",
        Duration::from_secs(20),
        || {
            let now = sent()?;
            if now >= before + 100_000 {
                Ok(now)
            } else {
                Err(format!("{before} then {now}"))
            }
        },
    );
    kill_process(Pid::from_child(&strace), Signal::INT)?;
    strace.wait()?;
    let frames = end? - before;
    let table = fs::read_to_string(folder.path().join("calls")).unwrap_or_default();
    let calls = total_calls(&table);
    println!("{calls} system calls of the worker for {frames} frames\n{table}");
    // Control, wake-ups and file blocks are few; a call a frame, or a call a burst of one, would be thousands.
    ensure!(
        calls * 10 < frames,
        "{calls} system calls for {frames} frames\n{table}"
    );
    Ok(())
}

/// Thread id of the process's thread whose name begins so.
fn thread_named(pid: u32, name: &str) -> Result<u32> {
    let mut names = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let thread = fs::read_to_string(entry.path().join("comm"))?;
        if thread.starts_with(name) {
            return entry
                .file_name()
                .to_string_lossy()
                .parse()
                .context("thread id");
        }
        names.push(thread.trim().to_owned());
    }
    anyhow::bail!("no thread {name}; there are {}", names.join(", "))
}

/// Calls in the last line of strace's table; 0 if it is empty.
fn total_calls(table: &str) -> u64 {
    table
        .lines()
        .find(|line| line.trim_end().ends_with("total"))
        .and_then(|line| line.split_whitespace().nth(3)?.parse().ok())
        .unwrap_or(0)
}
