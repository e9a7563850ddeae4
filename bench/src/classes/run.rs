//! A case on a node of its own, and what became of it.

use std::time::Duration;

use anyhow::{Context, bail};
use pinode_measure::path::Wires;
use pinode_measure::stats::Summary;
use pinode_measure::trial::{Device as _, Side, StreamTrial};
use pinode_node::check::{Level2Report, Report};
use pinode_node::config::NodeConfig;
use pinode_node::control::Control as _;
use pinode_node::running::RunningNode;
use pinode_ports::{InlinePort, Port, slot_octets_for};
use serde::Serialize;
use serde_json::{Value, json};

use super::case::{Case, Machinery};

const PI: &str = "ipv6qos";
const EAST: usize = 1;
const READY: Duration = Duration::from_secs(60);
/// Part of the time after which shares are looked at: queues are as full as they get.
const SETTLED: f64 = 0.2;
/// Octets that a frame takes of the wire beside those that statuses count: FCS, preamble and gap.
const BESIDE: u64 = 4 + 20;
const CAPACITY_BPS: u64 = 1_000_000_000;

/// What `pinode check` tells of the classes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Bounds {
    /// The longest delay of RT, nanoseconds.
    pub rt_delay_ns: f64,
    /// What AS and BE get at least, bits per second of wire.
    pub guaranteed_bps: [f64; 2],
}

/// What became of a stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamFound {
    /// Its name.
    pub name: &'static str,
    /// Bits per second of frames with FCS.
    pub offered_bps: f64,
    /// Frames that were sent.
    pub sent: u64,
    /// Frames that did not come out, or not as they were.
    pub lost: u64,
    /// From when a frame was due to its end on the wire.
    pub latency_ns: Summary,
    /// Frames for which that took longer than the bound of RT.
    pub above_bound: u64,
}

/// What a policer counted.
#[derive(Debug, Clone, Serialize)]
pub struct Policer {
    /// Its name.
    pub name: String,
    /// Green, yellow and red packets.
    pub packets: [u64; 3],
}

/// What became of a case.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// The case.
    pub case: Case,
    /// What was promised.
    pub bounds: Bounds,
    /// By stream.
    pub streams: Vec<StreamFound>,
    /// What AS and BE took of the wire, bits per second.
    pub shared_bps: [f64; 2],
    /// By policer.
    pub policers: Vec<Policer>,
    /// How late frames were handed to the node: how long its worker was away.
    pub late_ns: Summary,
    /// What is against the tester's own part in it.
    pub refused: Option<String>,
}

impl Found {
    /// AS and BE as parts of what they got together.
    #[must_use]
    pub fn shares(&self) -> [f64; 2] {
        let all: f64 = self.shared_bps.iter().sum();
        self.shared_bps.map(|bps| bps / all)
    }
}

/// What the node of `case` promises.
///
/// # Errors
///
/// It cannot be.
pub fn bounds(config: &NodeConfig) -> anyhow::Result<Bounds> {
    let report = Report::of(config);
    let port = report.ports.get(EAST).context("a node has two ports")?;
    let level2 = port.pi.get(PI).and_then(|pi| pi.level2.as_ref());
    let Some(Level2Report::Diffserv {
        rt, assured, be, ..
    }) = level2
    else {
        bail!("nothing is promised to classes");
    };
    Ok(Bounds {
        rt_delay_ns: rt.delay_ns,
        guaranteed_bps: [assured.guaranteed_bps, be.guaranteed_bps],
    })
}

/// Boots a node for `case` and offers it the load for `span`.
///
/// # Errors
///
/// Whatever keeps it from running.
pub fn run(case: Case, on: Machinery, span: Duration) -> anyhow::Result<Found> {
    let config = on.config(case)?;
    let promised = bounds(&config)?;
    let largest = config.ports.iter().map(|port| port.largest_frame()).min();
    let largest = u16::try_from(largest.unwrap_or(0))?;
    let (mut wires, ends) = Wires::new([CAPACITY_BPS; 2], largest, "classes");
    let ports = config.ports.iter().zip(ends);
    let ports = ports.map(|(port, wire)| -> Vec<Box<dyn Port>> {
        vec![Box::new(InlinePort::new(wire, slot_octets_for(port.mtu)))]
    });
    let node = RunningNode::start(config.clone(), ports.collect())?;
    let outcome = node
        .wait_ready(READY, || false)
        .and_then(|()| offer(case, promised, &mut wires, &node, span));
    node.stop();
    outcome
}

fn offer(
    case: Case,
    bounds: Bounds,
    wires: &mut Wires,
    node: &RunningNode,
    span: Duration,
) -> anyhow::Result<Found> {
    let load = case.load(span);
    let mut looks = Vec::new();
    let trial = wires.offer(&load, &mut |glimpse| {
        if glimpse.elapsed_s >= span.as_secs_f64() * SETTLED {
            looks.push((glimpse.elapsed_s, shared_octets(node)));
        }
        true
    })?;
    let looked = looks.into_iter().map(|(at_s, octets)| Ok((at_s, octets?)));
    let looked = looked.collect::<anyhow::Result<Vec<_>>>()?;
    let (Some(first), Some(last)) = (looked.first(), looked.last()) else {
        bail!("too short a time");
    };
    let seconds = last.0 - first.0;
    let bps = |class: usize| 8.0 * (last.1[class] - first.1[class]) as f64 / seconds;
    let streams = case.names().iter().zip(&trial.streams).zip(&load.streams);
    let streams = streams.map(|((name, found), stream)| {
        debug_assert_eq!(stream.from, Side::West);
        let offered_bps = 8.0 * stream.spec.sizes.mean() * stream.spec.rate_fps;
        stream_found(name, found, offered_bps, bounds.rt_delay_ns)
    });
    Ok(Found {
        case,
        bounds,
        streams: streams.collect(),
        shared_bps: [bps(0), bps(1)],
        policers: policers(node)?,
        late_ns: Summary::of(&trial.pacing),
        refused: trial.why_refused(),
    })
}

fn stream_found(
    name: &'static str,
    found: &StreamTrial,
    offered_bps: f64,
    bound_ns: f64,
) -> StreamFound {
    let above = found.latency.iter_recorded();
    let above = above.filter(|value| value.value_iterated_to() as f64 > bound_ns);
    StreamFound {
        name,
        offered_bps,
        sent: found.sent.frames,
        lost: found.lost(),
        latency_ns: found.latency_ns(),
        above_bound: above.map(|value| value.count_at_value()).sum(),
    }
}

/// Octets of wire that AS and BE have taken so far.
fn shared_octets(node: &RunningNode) -> anyhow::Result<[u64; 2]> {
    let status = node.operator().status()?;
    let port = status.ports.get(EAST).context("a node has two ports")?;
    let level2 = &port.pi.get(PI).context("the PI is there")?.level2;
    let of = |name: &str| {
        let class = level2.classes.iter().find(|class| class.name == name);
        class
            .map(|class| class.dequeued_bytes + BESIDE * class.dequeued)
            .with_context(|| format!("there is no class {name}"))
    };
    Ok([of("as")?, of("be")?])
}

/// What the router's policers counted.
fn policers(node: &RunningNode) -> anyhow::Result<Vec<Policer>> {
    let list = json!({ "list": { "what": "policer", "most": 100 } });
    let answer = node.operator().guest_request(PI, list)?;
    let entries = answer["page"]["entries"].as_array();
    let entries = entries.context("the router lists no policers")?;
    let packets = |entry: &Value, colour: &str| entry[colour]["packets"].as_u64().unwrap_or(0);
    let policer = |entry: &Value| Policer {
        name: entry["name"].as_str().unwrap_or_default().to_owned(),
        packets: ["green_count", "yellow_count", "red_count"].map(|colour| packets(entry, colour)),
    };
    Ok(entries.iter().map(policer).collect())
}
