//! From what was measured and counted to the demo's report.

use std::collections::BTreeMap;
use std::path::Path;

use pinode_measure::report::{
    DemoReport, DropCount, Flow, GuestFacts, NextStep, NodeFacts, PhaseFacts, PortFacts, Section,
};
use pinode_scheduler::bounds;

use super::traffic::{Measured, Run, planned};
use super::{DEFAULT_OUT, DemoOptions, Ended, notes};
use crate::assemble;
use crate::config::{NodeConfig, PhaseConfig};
use crate::facts;
use crate::status::{Status, violations};
use crate::words::quoted;

/// Everything that the report shows.
pub fn report(
    config: &NodeConfig,
    second_half: &[(&str, u64)],
    ended: &Ended,
    run: Run,
    options: &DemoOptions,
) -> anyhow::Result<DemoReport> {
    let status = &ended.status;
    let second: Vec<PhaseConfig> = second_half
        .iter()
        .map(|(pi, duration_ns)| PhaseConfig {
            owner: (0u8..)
                .zip(&config.pis)
                .find(|(_, c)| c.name == *pi)
                .map(|(slot, _)| slot),
            duration_ns: *duration_ns,
        })
        .collect();
    let schedules = [
        ("equal phases", &config.ports[0].phases),
        ("after `phases set`", &second),
    ];
    let sections = schedules
        .into_iter()
        .zip(&run.times_s)
        .enumerate()
        .map(|(index, ((name, phases), &(from_s, to_s)))| {
            Ok(Section {
                name: name.to_owned(),
                from_s,
                to_s,
                guard_ns: config.ports[0].guard_ns,
                phases: phases
                    .iter()
                    .map(|phase| phase_facts(config, phase))
                    .collect(),
                flows: flows(config, phases, &run.flows, index)?,
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(DemoReport {
        title: "pinode demo".to_owned(),
        finished: facts::now_utc(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command(options),
        host: facts::host(status.kvm.as_deref()),
        node: node_facts(config, status, ended.ready_ms),
        notes: notes(ended, &sections),
        sections,
        rates: run.flows.into_iter().map(|(_, rates)| rates).collect(),
        drops: drops(status),
        next_steps: next_steps(&quoted(&options.program)),
    })
}

/// The command that repeats the run.
fn command(options: &DemoOptions) -> String {
    let mut command = format!(
        "{} demo --seconds {} --isolation {}",
        quoted(&options.program),
        options.seconds,
        options.isolation.as_str()
    );
    if options.out != Path::new(DEFAULT_OUT) {
        command += " --out ";
        command += &quoted(&options.out.to_string_lossy());
    }
    command
}

fn phase_facts(config: &NodeConfig, phase: &PhaseConfig) -> PhaseFacts {
    let pi = phase
        .owner
        .and_then(|slot| config.pis.get(usize::from(slot)));
    PhaseFacts {
        pi: pi.map(|pi| pi.name.clone()),
        duration_ns: phase.duration_ns,
    }
}

fn flows(
    config: &NodeConfig,
    phases: &[PhaseConfig],
    measured: &[Measured],
    section: usize,
) -> anyhow::Result<Vec<Flow>> {
    let cycle = assemble::cycle(config, &config.ports[0], phases)?;
    let plan = planned(config)?;
    let names = [("west", "east"), ("east", "west")];
    let directions = names
        .iter()
        .flat_map(|names| plan.iter().map(move |plan| (names, plan)));
    let flow = |((&(from, to), plan), (figures, _)): ((&(&str, &str), _), &Measured)| {
        let plan: &super::traffic::Planned = plan;
        let bounds = bounds::of_size(&cycle, plan.slot, u32::from(plan.size));
        Flow {
            pi: config.pis[usize::from(plan.slot)].name.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            size: plan.size,
            offered_fps: plan.offered_fps,
            ceiling_fps: bounds.map_or(0.0, |b| b.ceiling_fps),
            mean_wait_ns: bounds.map_or(0.0, |b| b.mean_wait_ns),
            longest_wait_ns: bounds.map_or(0.0, |b| b.longest_wait_ns),
            figures: figures.get(section).cloned().unwrap_or_default(),
        }
    };
    Ok(directions.zip(measured).map(flow).collect())
}

fn node_facts(config: &NodeConfig, status: &Status, ready_ms: f64) -> NodeFacts {
    let ports = config
        .ports
        .iter()
        .zip(&status.ports)
        .map(|(port, counted)| PortFacts {
            name: port.name.clone(),
            backend: counted.backend.clone(),
            capacity_bps: port.capacity_bps,
        });
    let guests = config
        .pis
        .iter()
        .zip(&status.guests)
        .map(|(pi, guest)| GuestFacts {
            pi: pi.name.clone(),
            code: pi.code.get(),
            image: guest.image.clone(),
            memory_bytes: guest.memory_bytes,
            boot_us: guest.boot_us,
        });
    NodeFacts {
        isolation: config.isolation.as_str().to_owned(),
        ready_ms,
        ports: ports.collect(),
        guests: guests.collect(),
    }
}

fn drops(status: &Status) -> Vec<DropCount> {
    let mut counts = Vec::new();
    for port in &status.ports {
        let mut count = |pi: Option<&str>, counter: &str, frames: u64, meaning: &str| {
            counts.push(DropCount {
                port: port.name.clone(),
                pi: pi.map(str::to_owned),
                counter: counter.to_owned(),
                frames,
                meaning: meaning.to_owned(),
            });
        };
        count(
            None,
            "drops",
            port.drops.total(),
            "belonged to no PI of this node",
        );
        for (name, pi) in &port.pi {
            let pi_name = Some(name.as_str());
            count(
                pi_name,
                "ring_full",
                pi.drops.ring_full,
                "found the guest's receive ring full: the guest is slower than the load, or its phase is",
            );
            count(
                pi_name,
                "guest_down",
                pi.drops.guest_down,
                "came while the guest was not running",
            );
            count(
                pi_name,
                "tx_drops",
                pi.tx_drops.total(),
                "taken from the guest and not sent",
            );
            count(
                pi_name,
                "window_overruns",
                pi.window_overruns,
                "ended behind their window",
            );
        }
    }
    counts.retain(|count| count.frames > 0 || count.counter == "ring_full");
    counts
}

fn notes(ended: &Ended, sections: &[Section]) -> Vec<String> {
    let mut notes = Vec::new();
    let end_s = sections.last().map_or(0.0, |section| section.to_s);
    match (ended.was_interrupted, &ended.at_change) {
        (false, _) => {}
        (true, None) => notes.push(format!(
            "Interrupted after {end_s:.1} s, before the phases were to be changed: there is no \
             second half."
        )),
        (true, Some(_)) => notes.push(format!("Interrupted after {end_s:.1} s.")),
    }
    let broken = violations(&ended.status);
    notes.push(if broken.is_empty() {
        "Every frame is accounted for: the sums of the counters hold exactly on every port."
            .to_owned()
    } else {
        format!(
            "{} sums of the counters do not hold; this is a mistake of pinode.",
            broken.len()
        )
    });
    let mut dropped_before: BTreeMap<String, u64> = BTreeMap::new();
    for port in ended.at_change.iter().flat_map(|status| &status.ports) {
        for (name, pi) in &port.pi {
            *dropped_before.entry(name.clone()).or_default() += pi.drops.ring_full;
        }
    }
    notes.extend(notes::of_flows(sections, &dropped_before));
    notes.extend([
        "Links are in memory; source and sink run on the worker's core, inside its bursts."
            .to_owned(),
        "Latency is from the instant at which a frame was due to its last bit on the far link; \
         it holds the wait for the PI's phase, which is computed beside it."
            .to_owned(),
        "Rates are of the time in which frames were sent; what was still queued then counts as \
         received, and in no rate."
            .to_owned(),
    ]);
    notes
}

fn next_steps(program: &str) -> Vec<NextStep> {
    let step = |what: &str, command: &str| NextStep {
        what: what.into(),
        command: format!("{program} {command}"),
    };
    vec![
        step(
            "See what a configuration guarantees before it runs (in a clone of the repository)",
            "check -c examples/two-links.toml",
        ),
        step(
            "Run a node between two interfaces, as root; README.md, \"A node between two links, \
             step by step\", makes veth-w and veth-e first",
            "run -c examples/two-links.toml",
        ),
        step(
            "Look at its counters, from another terminal while it runs",
            "status",
        ),
    ]
}
