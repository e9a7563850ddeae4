//! `pinode check`: what a configuration guarantees, before anything runs.
//!
//! The figures come from the same arithmetic as the gate's decisions ([`pinode_scheduler::bounds`]);
//! nothing is measured here and no interface, image or KVM is looked at.

mod level2;
mod table;

use indexmap::IndexMap;
use pinode_scheduler::Cycle;
use pinode_scheduler::bounds::{self, Flow, PiBounds, SizeBounds};
use serde::Serialize;

use crate::config::{Demand, NodeConfig, PiConfig, PortConfig, Problem, ScheduleError};

pub use level2::{ConnectionReport, Level2Report, StrictReport, WeightedReport};
pub use table::report_table;

/// Frame sizes in octets with FCS: those of RFC 2544 9.1 from the smallest that a tester can sign
/// on (79 octets) up.
pub const SIZES: [u32; 7] = [79, 128, 256, 512, 1024, 1280, 1518];

/// Octets that a frame holds the wire beyond its own (IEEE 802.3-2018 3.1.1, 4.4.2).
const OVERHEAD: u32 = 20;

/// The document of `pinode check --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the configuration holds.
    pub ok: bool,
    /// In the order of the configuration.
    pub ports: Vec<PortReport>,
    /// Why it does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// What holds and may not be meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Problem>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PortReport {
    /// Its name.
    pub name: String,
    /// C.
    pub capacity_bps: u64,
    /// T_c.
    pub cycle_ns: u64,
    /// g.
    pub guard_ns: u64,
    /// In nanoseconds of CLOCK_TAI.
    pub base_tai_ns: u64,
    /// Most by which the last cycle before a new schedule is extended.
    pub extension_ns: u64,
    /// By name of the PI; those that can send here.
    pub pi: IndexMap<String, PiReport>,
}

/// A PI on a port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PiReport {
    /// T_p, summed over its phases.
    pub phase_ns: u64,
    /// R of the rate-latency service curve, on the wire.
    pub guaranteed_bps: f64,
    /// The curve's latency.
    pub latency_ns: f64,
    /// Octets with FCS.
    pub largest_frame: u32,
    /// The flow that `sizes[].delay_ns` is of, if one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowReport>,
    /// What the PI demands, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand: Option<DemandReport>,
    /// What its discipline guarantees its classes, if it has such with guarantees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level2: Option<Level2Report>,
    /// For frames all of one size.
    pub sizes: Vec<SizeReport>,
}

/// A flow: never more than `burst` octets and `rate_bps`, with FCS.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FlowReport {
    /// Whose it is.
    pub of: FlowOf,
    /// Bits per second.
    pub rate_bps: u64,
    /// Octets.
    pub burst_bytes: u64,
}

/// Where a flow is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowOf {
    /// `pi.NAME.demand`.
    Demand,
    /// `pi.NAME.police`.
    Police,
}

/// A demand and what the schedule holds of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DemandReport {
    /// The smallest frame reckoned with, octets with FCS.
    pub size: u32,
    /// What its rate takes of the wire in such frames.
    pub needs_bps: f64,
    /// The bound of its delay: T + sigma / R.
    pub delay_ns: f64,
    /// The longest delay that it allows, if it bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_ns: Option<u64>,
    /// Most frames of that size that wait: (sigma + rho T) / frame.
    pub backlog_frames: u64,
}

/// What a PI gets if all its frames have one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeReport {
    /// Octets with FCS.
    pub size: u32,
    /// n, summed over the PI's phases.
    pub frames_per_phase: u64,
    /// Most frames in a second.
    pub ceiling_fps: f64,
    /// Goodput of those.
    pub ceiling_bps: f64,
    /// Of a lone frame, from its arrival to its start.
    pub longest_wait_ns: f64,
    /// Over all instants of the cycle.
    pub mean_wait_ns: f64,
    /// Goodput in frames of this size that is guaranteed whatever others the PI sends.
    pub guaranteed_bps: f64,
    /// Bound of the time from arrival to end: of the PI's flow in frames of this size, T + sigma / R,
    /// or of a lone frame. None if the flow is more than is guaranteed.
    pub delay_ns: Option<f64>,
    /// Most frames that wait when they come evenly at the ceiling's rate: what `pi.queue` has to hold.
    pub backlog_frames: u64,
}

impl Report {
    /// What `config` guarantees, or why it cannot hold.
    #[must_use]
    pub fn of(config: &NodeConfig) -> Self {
        let (mut ports, mut problems, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for port in &config.ports {
            match port_report(config, port) {
                Ok(report) => {
                    notes.extend(small_queues(config, &report));
                    ports.push(report);
                }
                Err(error) => {
                    let at = format!("port.{}.cycle", port.name);
                    problems.push(Problem {
                        line: None,
                        at,
                        what: error.to_string(),
                    });
                }
            }
        }
        Self {
            ok: problems.is_empty(),
            ports,
            problems,
            notes,
        }
    }

    /// A configuration that cannot hold.
    #[must_use]
    pub fn refused(problems: Vec<Problem>) -> Self {
        Self {
            ok: false,
            ports: Vec::new(),
            problems,
            notes: Vec::new(),
        }
    }
}

fn size_report(
    cycle: &Cycle,
    own: &PiBounds,
    size: SizeBounds,
    flow: Option<FlowReport>,
) -> SizeReport {
    let frame = f64::from(size.size) / f64::from(size.size + OVERHEAD);
    let delay_ns = match flow {
        Some(flow) => own.delay_ns(Flow::of_frames(flow.rate_bps, flow.burst_bytes, size.size)),
        None => Some(size.longest_wait_ns + cycle.link().wire_time_ps(size.size) as f64 / 1e3),
    };
    SizeReport {
        size: size.size,
        frames_per_phase: size.frames_per_phase,
        ceiling_fps: size.ceiling_fps,
        ceiling_bps: size.ceiling_bps,
        longest_wait_ns: size.longest_wait_ns,
        mean_wait_ns: size.mean_wait_ns,
        guaranteed_bps: own.guaranteed_bps * frame,
        delay_ns,
        backlog_frames: size.backlog_frames,
    }
}

/// The flow that delays are told of: what is demanded, or else what a policer lets in.
fn flow_of(pi: &PiConfig) -> Option<FlowReport> {
    let demand = pi.needs.demand.map(|demand| FlowReport {
        of: FlowOf::Demand,
        rate_bps: demand.rate_bps,
        burst_bytes: demand.burst,
    });
    demand.or_else(|| {
        pi.police.map(|police| FlowReport {
            of: FlowOf::Police,
            rate_bps: police.rate_bps,
            burst_bytes: police.burst,
        })
    })
}

/// What a schedule that was not refused holds of a demand.
fn demand_report(own: &PiBounds, demand: &Demand) -> Option<DemandReport> {
    let flow = demand.flow();
    let frame_bits = 8.0 * f64::from(demand.size + OVERHEAD);
    Some(DemandReport {
        size: demand.size,
        needs_bps: flow.rho_bps,
        delay_ns: own.delay_ns(flow)?,
        allowed_ns: demand.delay_ns,
        backlog_frames: (own.backlog_bits(flow)? / frame_bits).ceil() as u64,
    })
}

/// Rings that cannot hold what comes at the ceiling's rate while the window is closed.
fn small_queues(config: &NodeConfig, port: &PortReport) -> Vec<Problem> {
    let small = |pi: &PiConfig| {
        let sizes = &port.pi.get(&pi.name)?.sizes;
        let lost: Vec<&SizeReport> = sizes
            .iter()
            .filter(|size| size.backlog_frames > u64::from(pi.queue))
            .collect();
        let worst = lost.iter().map(|size| size.backlog_frames).max()?;
        let sizes: Vec<String> = lost.iter().map(|size| size.size.to_string()).collect();
        Some(Problem {
            line: None,
            at: format!("port.{}.pi.{}", port.name, pi.name),
            what: format!(
                "a queue of {} loses frames that come at the ceiling's rate, in frames of {} octets; up \
                 to {worst} wait",
                pi.queue,
                sizes.join(", ")
            ),
        })
    };
    config.pis.iter().filter_map(small).collect()
}

fn port_report(config: &NodeConfig, port: &PortConfig) -> Result<PortReport, ScheduleError> {
    let cycle = port.schedule(&config.needs())?;
    let mut pi = IndexMap::new();
    let workers = config.workers;
    for (slot, config) in (0u8..).zip(&config.pis) {
        if !port.carries(slot) {
            continue;
        }
        let largest = port.largest_frame_of(config.needs);
        let Some(all) = bounds::of_pi(&cycle, slot, largest) else {
            continue;
        };
        let mut sizes: Vec<u32> = SIZES.into_iter().filter(|&size| size <= largest).collect();
        if sizes.last() != Some(&largest) {
            sizes.push(largest);
        }
        let flow = flow_of(config);
        let of_size = |size: &u32| {
            let of_size = bounds::of_size(&cycle, slot, *size)?;
            Some(size_report(&cycle, &all, of_size, flow))
        };
        let report = PiReport {
            phase_ns: all.phase_ns,
            guaranteed_bps: all.guaranteed_bps,
            latency_ns: all.latency_ns,
            largest_frame: all.largest_frame,
            flow,
            demand: (config.needs.demand).and_then(|demand| demand_report(&all, &demand)),
            level2: Level2Report::of(config, port, &all, workers),
            sizes: sizes.iter().filter_map(of_size).collect(),
        };
        pi.insert(config.name.clone(), report);
    }
    Ok(PortReport {
        name: port.name.clone(),
        capacity_bps: port.capacity_bps,
        cycle_ns: cycle.length_ns(),
        guard_ns: port.guard_ns,
        base_tai_ns: port.base_tai_ns,
        extension_ns: port.extension_ns,
        pi,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
