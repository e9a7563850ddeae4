//! The report of a demonstration: what the host is, what ran, what came of it, before and after the
//! phases were changed.

use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::page::{self, ReportError};
use super::{picture, plot};
use crate::meter::{FlowFigures, RatePoint};

/// Everything in the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DemoReport {
    /// Heading.
    pub title: String,
    /// When the run ended, as people read it, with the time zone.
    pub finished: String,
    /// Version of the program.
    pub version: String,
    /// Command that repeats the run.
    pub command: String,
    /// The machine.
    pub host: HostFacts,
    /// The node.
    pub node: NodeFacts,
    /// Parts of the run, in order of time; each has the same flows in the same order.
    pub sections: Vec<Section>,
    /// Rates over time of each flow, in the order of the flows.
    pub rates: Vec<Vec<RatePoint>>,
    /// Drop counters of the node that are not 0, and those a reader would ask for.
    pub drops: Vec<DropCount>,
    /// What should be known when reading the figures, one sentence each.
    pub notes: Vec<String>,
    /// What to do next.
    pub next_steps: Vec<NextStep>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Model of the CPU.
    pub cpu: String,
    /// CPUs the process may run on.
    pub cores: u32,
    /// Flavour of KVM, such as `kvm_intel`; why there is none otherwise.
    pub kvm: String,
    /// Release of the kernel.
    pub kernel: String,
}

/// The node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// `kvm` or `thread`.
    pub isolation: String,
    /// From the start of the process until all guests forwarded, milliseconds.
    pub ready_ms: f64,
    /// Ports in the order of the configuration.
    pub ports: Vec<PortFacts>,
    /// Guests in the order of their slots.
    pub guests: Vec<GuestFacts>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortFacts {
    /// Name.
    pub name: String,
    /// What carries the frames.
    pub backend: String,
    /// Capacity that gates and pacing reckon with, bits per second.
    pub capacity_bps: u64,
}

/// A guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuestFacts {
    /// Its Parallel Internet.
    pub pi: String,
    /// PI code of that.
    pub code: u8,
    /// Image it runs.
    pub image: String,
    /// Memory, octets.
    pub memory_bytes: u64,
    /// From the start of the machine until it forwarded, microseconds.
    pub boot_us: u64,
}

/// A part of the run under one schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Heading, such as `before the phase change`.
    pub name: String,
    /// Beginning, seconds since the run's.
    pub from_s: f64,
    /// End.
    pub to_s: f64,
    /// Guard of the schedule, nanoseconds.
    pub guard_ns: u64,
    /// The cycle, in order.
    pub phases: Vec<PhaseFacts>,
    /// The flows.
    pub flows: Vec<Flow>,
}

/// A phase of the cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseFacts {
    /// Whose it is; none: nobody's.
    pub pi: Option<String>,
    /// Duration, nanoseconds.
    pub duration_ns: u64,
}

/// A stream on its way through the node, in one section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its Parallel Internet.
    pub pi: String,
    /// Port it enters at.
    pub from: String,
    /// Port it leaves at.
    pub to: String,
    /// Octets of a frame with FCS.
    pub size: u16,
    /// Rate asked of the source, frames per second.
    pub offered_fps: f64,
    /// Most that the schedule lets out at this size, frames per second.
    pub ceiling_fps: f64,
    /// Computed mean wait of a lone frame for its phase, nanoseconds.
    pub mean_wait_ns: f64,
    /// Computed longest wait of a lone frame.
    pub longest_wait_ns: f64,
    /// What was measured.
    #[serde(flatten)]
    pub figures: FlowFigures,
}

impl Flow {
    /// Received rate as a share of the ceiling, 1.0 is all; 0 without a ceiling.
    #[must_use]
    pub fn share_of_ceiling(&self) -> f64 {
        if self.ceiling_fps > 0.0 {
            self.figures.received_fps / self.ceiling_fps
        } else {
            0.0
        }
    }
}

/// A drop counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DropCount {
    /// Port it was counted at.
    pub port: String,
    /// Parallel Internet, where the counter has one.
    pub pi: Option<String>,
    /// Name of the counter, as in `pinode status`.
    pub counter: String,
    /// Frames.
    pub frames: u64,
    /// What it means.
    pub meaning: String,
}

/// A suggestion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextStep {
    /// What for.
    pub what: String,
    /// Command that does it.
    pub command: String,
}

/// The report as one HTML document, UTF-8.
pub fn render_demo(report: &DemoReport) -> Result<String, ReportError> {
    let mut env = page::environment()?;
    env.add_template("demo.html", include_str!("demo.html"))?;

    let flows = || report.sections.iter().flat_map(|s| &s.flows);
    let sum = |of: fn(&FlowFigures) -> u64| flows().map(|f| of(&f.figures)).sum::<u64>();
    let shares: Vec<Vec<f64>> = report
        .sections
        .iter()
        .map(|s| s.flows.iter().map(Flow::share_of_ceiling).collect())
        .collect();
    let safe = |svg: String| Value::from_safe_string(svg);
    let html = env.get_template("demo.html")?.render(context! {
        r => Value::from(Serde(report)),
        shares,
        sent => sum(|f| f.sent),
        received => sum(|f| f.received),
        lost => sum(|f| f.lost),
        unsent => sum(|f| f.unsent),
        unclean => sum(|f| f.reordered + f.duplicated + f.corrupted),
        picture => safe(picture::way_of_a_frame(report)),
        cycles => report.sections.iter().map(|s| safe(picture::cycle(report, s))).collect::<Vec<_>>(),
        rate_plots => plot::rates(report).into_iter().map(safe).collect::<Vec<_>>(),
        latency_plots => plot::latencies(report).into_iter().map(safe).collect::<Vec<_>>(),
    })?;
    Ok(html)
}

/// Index of a PI among the guests: which colour is its own.
pub(super) fn colour(report: &DemoReport, pi: &str) -> usize {
    const COLOURS: usize = 7;
    report
        .node
        .guests
        .iter()
        .position(|g| g.pi == pi)
        .unwrap_or(0)
        % COLOURS
}

#[cfg(test)]
#[path = "demo_tests.rs"]
mod tests;
