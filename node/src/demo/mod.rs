//! `pinode demo`: the whole node at work in twenty seconds, on memory ports.
//!
//! Three guests boot, streams of all three PIs cross the node both ways, one of them above its
//! ceiling; half-way the phases are changed so that it fits. What is shown is measured by the same
//! tester that `measure` uses; nothing of the node is replaced but the cables.

mod live;
mod notes;
mod outcome;
mod table;
mod traffic;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use pinode_measure::report::{DemoReport, render_demo};
use pinode_ports::{InlinePort, Port, slot_octets_for};
use pinode_vmm::{KvmError, KvmHost};

use crate::config::{self, Isolation, NodeConfig};
use crate::control::{Control, SetPhases};
use crate::facts;
use crate::running::RunningNode;
use crate::status::{PhaseEntry, Status};
use crate::words;

use live::Live;
use traffic::Traffic;

const READY_LIMIT: Duration = Duration::from_secs(30);
/// For how long traffic may run: the least in which both halves show something, to an hour.
pub const SECONDS: RangeInclusive<f64> = 2.0..=3600.0;
/// Where the report goes unless told otherwise.
pub const DEFAULT_OUT: &str = "pinode-demo";
/// How often the tester is read.
const READ_EVERY: Duration = Duration::from_millis(100);
/// The phases of the second half, nanoseconds: what was too much for `can` fits now.
const SECOND_HALF: [(&str, u64); 3] = [("ipv6qos", 80_000), ("can", 140_000), ("dss", 80_000)];

/// How to run the demo.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Seconds of traffic, one of [`SECONDS`].
    pub seconds: f64,
    /// Where the report goes.
    pub out: PathBuf,
    /// One JSON document on stdout and nothing else.
    pub json: bool,
    /// How the guests run.
    pub isolation: Isolation,
    /// How the program was started, for the commands that it advises.
    pub program: String,
}

/// Runs the demo.
///
/// # Errors
///
/// What kept it from running, in one line that says what to do.
pub fn run(options: &DemoOptions) -> anyhow::Result<()> {
    let began = Instant::now();
    if !SECONDS.contains(&options.seconds) {
        bail!(
            "--seconds {}: allowed: {} to {}",
            options.seconds,
            SECONDS.start(),
            SECONDS.end()
        );
    }
    if options.isolation == Isolation::Kvm {
        KvmHost::open().map_err(|error| without_kvm(&error, &options.program))?;
    }
    // Found out now and not after twenty seconds.
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("--out {}: cannot be made", options.out.display()))?;

    let config = node_config(options.isolation)?;
    let (mut traffic, wires) = Traffic::plan(&config)?;
    let ports = wires.map(|wire| -> Vec<Box<dyn Port>> {
        let slot_octets = slot_octets_for(config.ports[0].mtu);
        vec![Box::new(InlinePort::new(wire, slot_octets))]
    });
    let node = RunningNode::start(config.clone(), ports.into())?;
    let shown = Live::new(options.json, &config);
    let outcome = node
        .wait_ready(READY_LIMIT, || false)
        .and_then(|()| cross(&node, &config, &mut traffic, &shown, options, began));
    shown.finish();
    node.stop();
    let report = outcome?;
    deliver(&report, options)
}

/// The run proper: first half, change of phases, second half, drain.
fn cross(
    node: &RunningNode,
    config: &NodeConfig,
    traffic: &mut Traffic,
    shown: &Live,
    options: &DemoOptions,
    began: Instant,
) -> anyhow::Result<DemoReport> {
    let ready_ms = began.elapsed().as_secs_f64() * 1e3;
    shown.ready(ready_ms);
    let operator = node.operator();
    let interrupted = crate::run::end_on_signals()?;
    let half = Duration::from_secs_f64(options.seconds / 2.0);

    let mut meters = traffic.start();
    let first_ends = Instant::now() + half;
    traffic.read_until(first_ends, &mut meters, READ_EVERY, |m| {
        shown.rates(m, &interrupted)
    })?;
    let mut at_change = None;
    if !told_to_end(&interrupted) {
        set_phases(operator.as_ref(), config)?;
        shown.changed(&SECOND_HALF);
        at_change = Some(operator.status().map_err(|error| anyhow!("{error}"))?);
        traffic.end_section(&mut meters)?;
        let second_ends = Instant::now() + half;
        traffic.read_until(second_ends, &mut meters, READ_EVERY, |m| {
            shown.rates(m, &interrupted)
        })?;
    }
    let was_interrupted = told_to_end(&interrupted);
    if was_interrupted {
        shown.say("interrupted: the report shows what was measured until now");
    }
    traffic.stop_and_drain(&mut meters)?;

    let status = operator.status().map_err(|error| anyhow!("{error}"))?;
    let ended = Ended {
        at_change,
        status,
        was_interrupted,
        ready_ms,
    };
    outcome::report(config, &SECOND_HALF, &ended, meters.finish(), options)
}

/// What is known of the node when the traffic has ended.
struct Ended {
    /// Its counters when the phases were changed, if they were.
    at_change: Option<Status>,
    /// Its counters now.
    status: Status,
    /// The traffic was ended by a signal.
    was_interrupted: bool,
    /// From the start of the process until all guests forwarded, milliseconds.
    ready_ms: f64,
}

fn set_phases(operator: &dyn Control, config: &NodeConfig) -> anyhow::Result<()> {
    for port in &config.ports {
        let phases = SECOND_HALF.map(|(pi, ns)| PhaseEntry {
            pi: pi.into(),
            duration_ns: ns,
        });
        let request = SetPhases {
            phases: phases.into(),
            base_tai_ns: None,
            extension_ns: None,
        };
        operator
            .set_phases(&port.name, request)
            .map_err(|error| anyhow!("{error}"))?;
    }
    Ok(())
}

/// Why there is no KVM, and what to do about it on this command line.
fn without_kvm(error: &KvmError, program: &str) -> anyhow::Error {
    let program = words::quoted(program);
    match error {
        KvmError::Missing => anyhow!(
            "/dev/kvm does not exist: load the KVM module (modprobe kvm_intel or kvm_amd), or run \
             `{program} demo --isolation thread`, which needs none"
        ),
        other => anyhow!("{other}; `{program} demo --isolation thread` needs no KVM"),
    }
}

fn node_config(isolation: Isolation) -> anyhow::Result<NodeConfig> {
    let text = include_str!("demo.toml");
    let mut config = config::parse(
        "demo.toml",
        Path::new(""),
        text,
        pinode_images::BUILTIN_NAMES,
    )?;
    config.isolation = isolation;
    facts::spread(&mut config.cpus);
    Ok(config)
}

fn deliver(report: &DemoReport, options: &DemoOptions) -> anyhow::Result<()> {
    let write = |name: &str, content: &[u8]| -> anyhow::Result<PathBuf> {
        let path = options.out.join(name);
        std::fs::write(&path, content)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(path)
    };
    let html = write("report.html", render_demo(report)?.as_bytes())?;
    let json = serde_json::to_string_pretty(report)?;
    write("results.json", json.as_bytes())?;
    if options.json {
        println!("{json}");
    } else {
        print!("{}", table::closing(report, &html));
    }
    Ok(())
}

/// Whether the demo was told to end early.
fn told_to_end(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}
