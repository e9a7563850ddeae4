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
    DiffservConfig, Level2Config, PiConfig, PolicedBounds, PortConfig, StreamConfig, StreamsConfig,
    admitted, only_signalling, promised, signalling_of,
};

/// Octets of the shortest frame, with FCS.
const FRAME_LEAST: u32 = 64;

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
        /// The sum of the peak rates; with signalling at most R.
        needs_bps: u64,
        /// What frames with label 1 may take.
        signalling_bps: u64,
        /// What is left for connections at run time.
        spare_bps: u64,
        /// Connections that there may be.
        most: u32,
        /// Bound of the delay of a connection without any frame of connections: with it, and
        /// `octet_ns` for each octet of wire of the largest frames of all, its own among them, it can be
        /// told for any set of connections.
        base_ns: f64,
        /// See `base_ns`.
        octet_ns: f64,
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
    /// Bound of the time from arrival to end of every frame of it, if they come `interval_ns` apart or
    /// farther. None: its tolerance is less than that.
    pub bound_ns: Option<f64>,
    /// By how much that time may differ from frame to frame.
    pub variation_ns: Option<f64>,
}

impl Level2Report {
    /// At `port`, where `pi` has the bounds `own`.
    pub(super) fn of(
        pi: &PiConfig,
        port: &PortConfig,
        own: &PiBounds,
        workers: u16,
    ) -> Option<Self> {
        match &pi.level2 {
            Level2Config::Diffserv(classes) => {
                diffserv(classes, own, pi.needs.smallest_frame(own.largest_frame))
            }
            Level2Config::Streams(config) => streams(pi, config, port, own, workers),
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

fn streams(
    pi: &PiConfig,
    config: &StreamsConfig,
    port: &PortConfig,
    own: &PiBounds,
    workers: u16,
) -> Option<Level2Report> {
    let (all, untold_ns) = admitted(pi, pi.level2.streams(&port.name), own, None);
    let none = only_signalling(pi, own);
    let base_ns = own.turn_delay_ns(&none, LOOKAHEAD_NS)?;
    let delay_ns = own.turn_delay_ns(&all, LOOKAHEAD_NS)?;
    let left_bps = own.left_bps(&[none.signalling])?;
    let (signalling_bps, _) = signalling_of(pi, own);
    let report = |stream: &StreamConfig| {
        let promised = promised(stream, own, untold_ns);
        let bound_ns = own.connection_delay_ns(&all, &promised, LOOKAHEAD_NS);
        ConnectionReport {
            vn: stream.vn.get(),
            label: stream.label,
            rate_bps: stream.rate_bps,
            tolerance_ns: stream.tolerance_ns.unwrap_or(untold_ns),
            interval_ns: promised.interval_ns(),
            delay_ns,
            bound_ns,
            variation_ns: bound_ns.map(|bound_ns| bound_ns - shortest_ns(port)),
        }
    };
    let needs_bps = pi.level2.streams(&port.name).map(|s| s.rate_bps).sum();
    Some(Level2Report::Streams {
        lookahead_ns: LOOKAHEAD_NS,
        needs_bps,
        signalling_bps,
        spare_bps: (own.guaranteed_bps as u64).saturating_sub(signalling_bps + needs_bps),
        most: config.most_of(pi.ring_frames(workers)),
        base_ns,
        octet_ns: 8e9 / left_bps,
        connections: pi.level2.streams(&port.name).map(report).collect(),
    })
}

/// How long the shortest frame holds the wire: none takes less.
fn shortest_ns(port: &PortConfig) -> f64 {
    let link = LinkRate::new(port.capacity_bps).ok();
    link.map_or(0.0, |link| link.wire_time_ps(FRAME_LEAST) as f64 / 1e3)
}
