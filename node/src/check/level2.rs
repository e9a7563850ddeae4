//! What the discipline of a PI guarantees its classes or connections at a port.
//!
//! A frame of a class that comes when another is on its way waits for that one: up to the gate's
//! lookahead before it has begun, and a largest frame. Must never tell a bound that a schedule was not
//! judged by: what is not held was refused before.

use pinode_scheduler::LinkRate;
use pinode_scheduler::bounds::{Flow, PiBounds};
use serde::Serialize;

use crate::assemble::LOOKAHEAD_NS;
use crate::config::{
    DiffservConfig, Level2Config, PiConfig, PolicedBounds, PortConfig, StreamConfig,
    sure_tolerance_ns,
};

/// By discipline; FIFO and content guarantee nothing beyond what the PI has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "discipline", rename_all = "snake_case")]
pub enum Level2Report {
    /// By DSCP.
    Diffserv {
        /// The smallest frame reckoned with, octets with FCS.
        size: u32,
        /// By which frames are started ahead, whatever comes after.
        lookahead_ns: u64,
        /// Before all else.
        nc: StrictReport,
        /// Before AS and BE.
        rt: StrictReport,
        /// Shares what is left.
        #[serde(rename = "as")]
        assured: WeightedReport,
        /// Likewise.
        be: WeightedReport,
    },
    /// By connection.
    Streams {
        /// As above.
        lookahead_ns: u64,
        /// The sum of the peak rates; at most R.
        needs_bps: u64,
        /// In the order of the configuration.
        connections: Vec<ConnectionReport>,
    },
}

/// A class that is policed and goes before others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StrictReport {
    /// Bits per second of frames with FCS that the policer lets pass.
    pub rate_bps: u64,
    /// Octets that it lets pass at once.
    pub burst_bytes: u32,
    /// What that takes of the wire in the smallest frames.
    pub needs_bps: f64,
    /// Bound of the time from arrival to end.
    pub delay_ns: f64,
}

/// A class with a share of what the strict ones leave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WeightedReport {
    /// To that of the other.
    pub weight: u8,
    /// Rate on the wire, whatever the others send.
    pub guaranteed_bps: f64,
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ConnectionReport {
    /// Its virtual network.
    pub vn: u8,
    /// Its label.
    pub label: u32,
    /// Peak rate on the wire.
    pub rate_bps: u64,
    /// tau.
    pub tolerance_ns: u64,
    /// T of a largest frame: they conform at this distance.
    pub interval_ns: f64,
    /// Bound of the time to its end from when a frame is the first of the connection and conforms.
    pub delay_ns: f64,
}

impl Level2Report {
    /// At `port`, where `pi` has the bounds `own`.
    pub(super) fn of(pi: &PiConfig, port: &PortConfig, own: &PiBounds) -> Option<Self> {
        match &pi.level2 {
            Level2Config::Diffserv(classes) => {
                diffserv(classes, own, pi.needs.smallest_frame(own.largest_frame))
            }
            Level2Config::Streams(_) => streams(pi, port, own),
            Level2Config::Fifo | Level2Config::Content(_) => None,
        }
    }
}

fn diffserv(classes: &DiffservConfig, own: &PiBounds, size: u32) -> Option<Level2Report> {
    let strict = classes.strict(own, size);
    let [nc, rt] = strict.flows;
    let report = |policed: PolicedBounds, flow: Flow, before: &[Flow]| {
        Some(StrictReport {
            rate_bps: policed.rate_bps,
            burst_bytes: policed.burst,
            needs_bps: flow.rho_bps,
            delay_ns: own.strict_delay_ns(before, flow, LOOKAHEAD_NS)?,
        })
    };
    let left_bps = own.left_bps(&strict.flows)?;
    let [assured, be] = classes.weights().map(u8::from);
    let all = f64::from(assured) + f64::from(be);
    let share = |weight: u8| WeightedReport {
        weight,
        guaranteed_bps: left_bps * f64::from(weight) / all,
    };
    Some(Level2Report::Diffserv {
        size,
        lookahead_ns: LOOKAHEAD_NS,
        nc: report(strict.policed[0], nc, &[])?,
        rt: report(strict.policed[1], rt, &[nc])?,
        assured: share(assured),
        be: share(be),
    })
}

fn streams(pi: &PiConfig, port: &PortConfig, own: &PiBounds) -> Option<Level2Report> {
    let count = pi.level2.streams(&port.name).count();
    let delay_ns = own.turn_delay_ns(count, LOOKAHEAD_NS)?;
    let sure_ns = sure_tolerance_ns(own, count);
    let report = |stream: &StreamConfig| {
        let peak = LinkRate::new(stream.rate_bps).ok()?;
        Some(ConnectionReport {
            vn: stream.vn.get(),
            label: stream.label,
            rate_bps: stream.rate_bps,
            tolerance_ns: stream.tolerance_ns.unwrap_or(sure_ns),
            interval_ns: peak.wire_time_ps(own.largest_frame) as f64 / 1e3,
            delay_ns,
        })
    };
    let all = pi.level2.streams(&port.name);
    (count > 0).then(|| Level2Report::Streams {
        lookahead_ns: LOOKAHEAD_NS,
        needs_bps: pi.level2.streams(&port.name).map(|s| s.rate_bps).sum(),
        connections: all.filter_map(report).collect(),
    })
}
