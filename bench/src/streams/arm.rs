//! The node: its connections are set up as its signalling daemon does it, and asked for their bounds.
//!
//! Labels and reservations go the way of the daemon's operations (`pinode_node::dss`); only the daemon itself is not
//! there, as it is a process of the node's own program. Must never set anything up by another way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pinode_guest_dss::control::{Answer, Held, MOST_LISTED, Request};
use pinode_node::control::{Control, STREAMS_MOST, StreamPage, StreamStatus, Streams};
use pinode_node::dss::{GUEST, Signalling};
use pinode_node::running::RunningNode;
use pinode_node::status::Status;
use pinode_ports::{InlinePort, Port, slot_octets_for};
use pinode_signaling::daemon::Configuration;
use pinode_signaling::daemon::switch::packet::OPS;
use pinode_signaling::daemon::switch::{Op, OpId, Place, Refusal, Way, What};
use pinode_signaling::{Peak, Traffic};
use serde::Serialize;

use super::plan::{Connection, DSS, NAMES, PORTS, Plan};
use super::source::{FCS, HEAD, HEADER};
use super::{sink, source};

const READY: Duration = Duration::from_secs(60);
/// The numbers of the ports that frames come in by and leave by.
const WEST: u16 = 0;
const EAST: u16 = 1;

/// A node that runs a plan, with all its connections set up.
pub struct Arm {
    node: Option<RunningNode>,
    signalling: Signalling,
    /// What it runs.
    pub plan: Plan,
    /// Its connections.
    pub connections: Vec<Connection>,
    /// What the schedule guarantees the PI, bits per second on the wire.
    pub guaranteed_bps: u64,
    /// Of it, what signalling has.
    pub signalling_bps: u64,
    /// Bound of the delay of each connection by the schedule and all connections, nanoseconds.
    pub granted_ns: Vec<u64>,
    pub(super) source: source::Hand,
    pub(super) sink: sink::Hand,
}

/// A connection that was not to be had.
#[derive(Debug, Clone, Serialize)]
pub struct OneMore {
    /// What is left, bits per second.
    pub spare_bps: u64,
    /// What was asked for.
    pub asked_bps: u64,
    /// Cause of the refusal (ITU-T Q.850); none: it was not refused.
    pub cause: Option<u8>,
    /// The same in words.
    pub why: String,
}

impl Arm {
    /// Boots a node of `plan` and sets its connections up.
    ///
    /// # Errors
    ///
    /// Whatever keeps the node from running, a connection that is refused, or one that nothing bounds.
    pub fn start(plan: Plan) -> anyhow::Result<Self> {
        let config = plan.config()?;
        let (west, source) = source::Source::new();
        let (east, sink) = sink::Sink::new(plan.capacity_bps());
        let octets = slot_octets_for(1500);
        let ports: Vec<Vec<Box<dyn Port>>> = vec![
            vec![Box::new(InlinePort::new(west, octets))],
            vec![Box::new(InlinePort::new(east, octets))],
        ];
        let node = RunningNode::start(config, ports)?;
        let operator = Arc::downgrade(node.operator());
        let ports = PORTS.map(str::to_owned).to_vec();
        let configuration = Configuration::default();
        let signalling = Signalling::new(operator, GUEST, configuration, ports, plan.jitter_ns, 64);
        let mut arm = Self {
            node: Some(node),
            signalling,
            connections: Vec::new(),
            guaranteed_bps: 0,
            signalling_bps: 0,
            granted_ns: Vec::new(),
            plan,
            source,
            sink,
        };
        arm.node()?
            .wait_ready(READY, || false)
            .context("the node is not ready")?;
        let there = arm.streams(0)?;
        arm.guaranteed_bps = there.guaranteed_bps;
        arm.signalling_bps = there.signalling_bps;
        arm.connections = arm.plan.connect(there.guaranteed_bps);
        arm.set_up()?;
        arm.granted_ns = arm.bounds()?;
        Ok(arm)
    }

    fn node(&self) -> anyhow::Result<&RunningNode> {
        self.node.as_ref().context("the node has ended")
    }

    fn set_up(&self) -> anyhow::Result<()> {
        let mut ways: Vec<Way> = self.connections.iter().map(way).collect();
        if self.plan.best_effort > 0.0 {
            ways.push(best_effort());
        }
        let op = |(id, way)| Op {
            id: OpId(id),
            what: What::Set,
            ways: vec![way],
        };
        let ops: Vec<Op> = (0..).zip(ways).map(op).collect();
        for ops in ops.chunks(OPS) {
            for (id, outcome) in self.signalling.switch(ops) {
                outcome.with_context(|| format!("connection {} is refused", id.0))?;
            }
        }
        Ok(())
    }

    /// A page of the connections at the port where they leave.
    fn streams(&self, from: u32) -> anyhow::Result<Streams> {
        let page = StreamPage {
            from,
            most: STREAMS_MOST,
        };
        let operator = self.node()?.operator();
        Ok(operator.streams(PORTS[usize::from(EAST)], NAMES[DSS], page)?)
    }

    /// All connections at the port where they leave, in the order of the plan.
    pub(super) fn level2(&self) -> anyhow::Result<Vec<StreamStatus>> {
        let mut all = Vec::new();
        let mut from = Some(0);
        while let Some(at) = from {
            let page = self.streams(at)?;
            all.extend(page.connections);
            from = page.next;
        }
        all.sort_by_key(|one| one.granted.label);
        let of = |own: &Connection| {
            let at = all.binary_search_by_key(&own.to_label(), |one| one.granted.label);
            at.ok().and_then(|at| all.get(at)).copied()
        };
        let all: Option<Vec<_>> = self.connections.iter().map(of).collect();
        all.context("a connection that was set up is not there")
    }

    fn bounds(&self) -> anyhow::Result<Vec<u64>> {
        let all = self.level2()?;
        let bound = |one: &StreamStatus| {
            let granted = one.granted;
            let unbounded = || format!("nothing bounds the delay of label {}", granted.label);
            granted.delay_ns.with_context(unbounded)
        };
        all.iter().map(bound).collect()
    }

    /// What the machine may add to a bound: a frame waits as long as its worker and its guest are away, and all wait
    /// as long as what was not sent meanwhile takes.
    #[must_use]
    pub fn allowed_ns(&self) -> u64 {
        let left_bps = self
            .guaranteed_bps
            .saturating_sub(self.signalling_bps)
            .max(1);
        let by = self.guaranteed_bps as f64 / left_bps as f64;
        (self.plan.jitter_ns as f64 * by).ceil() as u64
    }

    /// What the guest has counted of each connection, in the order of the plan.
    pub(super) fn switched(&self) -> anyhow::Result<Vec<Held>> {
        let mut all: Vec<Held> = Vec::new();
        let mut after = None;
        loop {
            let most = MOST_LISTED;
            let request = serde_json::to_value(Request::List { after, most })?;
            let answer = self.node()?.operator().guest_request(GUEST, request)?;
            let Answer::Page { connections, next } = serde_json::from_value(answer)? else {
                bail!("the guest answers something else");
            };
            all.extend(connections);
            after = next;
            if after.is_none() {
                break;
            }
        }
        // In the order of their keys, and so of their labels; best effort is the last.
        all.truncate(self.connections.len());
        let alike = all.iter().zip(&self.connections);
        ensure!(
            all.len() == self.connections.len()
                && alike
                    .into_iter()
                    .all(|(held, own)| held.connection.label == own.label),
            "the guest has other connections"
        );
        Ok(all)
    }

    /// Asks for a connection of one bit a second more than there is left, as the daemon would for a call.
    ///
    /// # Errors
    ///
    /// The node does not say what is left, or the refusal has changed it.
    pub fn one_more(&self) -> anyhow::Result<OneMore> {
        let before = self.streams(0)?;
        let last = self
            .connections
            .last()
            .context("there are no connections")?;
        let asked = Connection {
            label: last.label + 1,
            rate_bps: before.spare_bps + 1,
            ..*last
        };
        let ways = vec![way(&asked)];
        let ask = |what| {
            let ways = ways.clone();
            let id = OpId(u64::MAX);
            self.signalling.switch(&[Op { id, what, ways }])
        };
        let done = ask(What::Set);
        let outcome = done.into_iter().next().map(|(_, outcome)| outcome);
        let refusal: Option<Refusal> = outcome.context("the node has ended")?.err();
        if refusal.is_none() {
            ask(What::Unset);
        }
        let after = self.streams(0)?;
        ensure!(
            (after.count, after.reserved_bps, after.buffer)
                == (before.count, before.reserved_bps, before.buffer),
            "a connection that was refused has left something behind"
        );
        Ok(OneMore {
            spare_bps: before.spare_bps,
            asked_bps: asked.rate_bps,
            cause: refusal.as_ref().map(|refusal| refusal.cause().number()),
            why: refusal.map_or_else(String::new, |refusal| refusal.to_string()),
        })
    }

    /// Ends the node; what was said of it stays.
    pub fn end(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop();
        }
    }

    /// What the node says of itself.
    pub(super) fn status(&self) -> anyhow::Result<Status> {
        Ok(self.node()?.operator().status()?)
    }
}

impl Drop for Arm {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a switch is asked for a connection from where the network begins.
fn way(connection: &Connection) -> Way {
    let payload = usize::from(connection.size) - HEAD - HEADER - FCS;
    let place = |port, label| Place { port, vn: 0, label };
    Way {
        from: Some(place(WEST, connection.label)),
        to: place(EAST, connection.to_label()),
        traffic: Traffic {
            // Its source is never early.
            cdvt_ns: 0,
            ..Traffic::cbr(Peak::Bits(connection.rate_bps), payload as u16)
        },
        police: true,
    }
}

fn best_effort() -> Way {
    let label = Plan::best_effort_label();
    let place = |port| Place { port, vn: 0, label };
    Way {
        from: Some(place(WEST)),
        to: place(EAST),
        traffic: Traffic::ubr(1_400),
        police: false,
    }
}
