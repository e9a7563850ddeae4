//! Start-up figures of a node with three guests (`builtin:patch`, 32 MiB each):
//!
//! ```text
//! cargo run --release -p pinode-tests --bin bench-boot -- [RUNS]
//! ```
//!
//! prints the median (and smallest, largest) of RUNS runs, 20 if not said, of
//! - process start to `ready`: from just before the process is made to its line on stdout;
//! - guest launch to forwarding: `boot_us` of `status`, after a restart by command;
//! - outage of a restarted guest (as root): the longest gap between its frames on a real interface while
//!   `pinode guest restart` runs, frames 100 us apart;
//! - resident memory beyond guest memory.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail, ensure};
use pinode_tests::PacketSocket;
use pinode_tests::config::NodeToml;
use pinode_tests::frame::{intact, number_of, numbered};
use pinode_tests::lab::Lab;
use pinode_tests::need::Need;
use pinode_tests::node::Node;
use pinode_tests::program::pinode;
use pinode_tests::resident::beyond_guest_memory;

const FRAME_GAP: Duration = Duration::from_micros(100);

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-boot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    let runs = match env::args().nth(1) {
        None => 20,
        Some(text) => text
            .parse()
            .ok()
            .filter(|&n| n > 0)
            .context("RUNS is a number from 1 on")?,
    };
    println!(
        "{}, {runs} runs; median (smallest to largest)",
        pinode()?.display()
    );
    let config = NodeToml::patch("kvm", "memory:w", "memory:e").text();

    let starts = (0..runs)
        .map(|_| start_to_ready(&config))
        .collect::<Result<Vec<_>>>()?;
    show("process start to ready", "ms", starts);

    let node = Node::start(&config, None)?;
    let boots = (1..=runs)
        .map(|round| {
            node.succeed(&["guest", "restart", "can"])?;
            let guest = node.wait_guest("can", "running", round)?;
            Ok(guest["boot_us"].as_f64().context("boot_us")? / 1e3)
        })
        .collect::<Result<Vec<_>>>()?;
    show("guest launch to forwarding", "ms", boots);
    let beyond = beyond_guest_memory(node.pid(), &node.status()?)?;
    show(
        "resident beyond guest memory",
        "MiB",
        vec![beyond as f64 / f64::from(1 << 20)],
    );
    drop(node);

    if let Some(why) = Need::Root.missing() {
        println!("outage of a restarted guest: not measured: {why}");
        return Ok(());
    }
    show("outage of a restarted guest", "ms", outages(runs)?);
    Ok(())
}

fn show(what: &str, unit: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    let median = figures[figures.len() / 2];
    println!("{what:32} {median:8.2} {unit} ({least:.2} to {most:.2})");
}

/// Milliseconds from just before the process is made to its `ready`.
fn start_to_ready(config: &str) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.toml");
    fs::write(&file, config)?;
    let start = Instant::now();
    let mut child = Command::new(pinode()?)
        .args(["run", "-c"])
        .arg(&file)
        .env("PINODE_SOCKET", folder.path().join("node.sock"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("stdout")?).lines();
    let took = loop {
        match lines.next().transpose()? {
            Some(line) if line.contains("ready") => break Ok(start.elapsed().as_secs_f64() * 1e3),
            Some(_) => {}
            None => break Err(anyhow::anyhow!("the node ended before it was ready")),
        }
    };
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    let ended = child.wait()?;
    let took = took?;
    ensure!(ended.success(), "the node ended with {ended}");
    Ok(took)
}

/// Milliseconds without frames of `can` around each of `runs` restarts. A frame's number is the microsecond in which it
/// was sent, so that a late reader changes nothing.
fn outages(runs: u64) -> Result<Vec<f64>> {
    let lab = Lab::start("kvm", "af_packet")?;
    let (west, east) = (lab.west()?, lab.east()?);
    let clock = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let stop = stop.clone();
        thread::spawn(move || -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                west.send(&numbered(2, 0, microseconds(clock)?, 79))?;
                thread::sleep(FRAME_GAP);
            }
            Ok(())
        })
    };
    let outages = (1..=runs)
        .map(|round| outage(&lab, &east, clock, round))
        .collect();
    stop.store(true, Ordering::Relaxed);
    if sender.join().is_err() {
        bail!("the sender panicked");
    }
    outages
}

fn microseconds(clock: Instant) -> Result<u64> {
    Ok(u64::try_from(clock.elapsed().as_micros())?)
}

/// The longest time between the sending of two frames that came one after the other while the guest is restarted.
fn outage(lab: &Lab, east: &PacketSocket, clock: Instant, round: u64) -> Result<f64> {
    let begin = microseconds(clock)?;
    thread::scope(|scope| {
        let restart = scope.spawn(|| -> Result<u64> {
            lab.node.succeed(&["guest", "restart", "can"])?;
            lab.node.wait_guest("can", "running", round)?;
            microseconds(clock)
        });
        let mut buffer = [0; 2048];
        let mut last = begin;
        let mut longest = 0;
        let mut end = None;
        let mut restart = Some(restart);
        while end.is_none_or(|end| last <= end) {
            let Some(frame) = east.receive(&mut buffer, Duration::from_secs(20))? else {
                bail!("no frame of the restarted guest for 20 s");
            };
            let Some((_, sent)) = number_of(frame).filter(|_| intact(frame)) else {
                continue;
            };
            if sent > last {
                longest = longest.max(sent - last);
                last = sent;
            }
            if let Some(thread) = restart.take_if(|thread| thread.is_finished()) {
                match thread.join() {
                    Ok(done) => end = Some(done?),
                    Err(_) => bail!("the restart panicked"),
                }
            }
        }
        Ok(longest as f64 / 1e3)
    })
}
