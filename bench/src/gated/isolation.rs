//! What the load of other PIs does to one that keeps to its share: the same node, others idle and loaded in turn.

use std::time::Duration;

use pinode_measure::stats::Summary;
use pinode_node::dataplane::clock::{Clock, Monotonic};
use serde::Serialize;

use super::{Arm, PIS, Plan};
use crate::compare::order;

/// What the other PIs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// Nothing is offered to them.
    Idle,
    /// Many times their ceiling is.
    Loaded,
}

/// The PI that keeps to its share, for a while.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Round, from 0.
    pub round: usize,
    /// What the others did.
    pub others: Others,
    /// Frames that were put in.
    pub sent: u64,
    /// Frames that were due and could not be put in: the worker came for them when a ring had passed.
    pub unsent: u64,
    /// Of those put in, frames that did not come out.
    pub lost: u64,
    /// Of those, refused by the guest's full ring.
    pub ring_full: u64,
    /// Of the frames that came.
    pub latency_ns: Summary,
    /// What was offered to each of the others, by the ceiling.
    pub offered: f64,
}

/// Boots a node of `plan` and offers its first PI half of its ceiling in phases of `span`, while the others are
/// offered nothing and `load` times their ceiling in turn.
///
/// # Errors
///
/// Whatever keeps the node from running.
pub fn isolation(
    plan: &Plan,
    load: f64,
    rounds: usize,
    span: Duration,
) -> anyhow::Result<Vec<Phase>> {
    const SETTLE: Duration = Duration::from_millis(100);
    /// Longer than any frame is under way.
    const DRAIN: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_secs(1);
    // A little off the half, so that frames come at other instants of each cycle.
    const HALF: f64 = 0.5 * (1.0 - 1.0 / 1618.0);
    let ceiling_fps = plan.bounds()?.ceiling_fps;
    let mut signed = [0.0; PIS];
    signed[0] = ceiling_fps * HALF;
    let mut arm = Arm::start(plan, signed)?;
    let mut loaded = [ceiling_fps * load; PIS];
    loaded[0] = 0.0;
    let mut phases = Vec::new();
    for round in 0..rounds {
        for others in order(2, round).map(|at| [Others::Idle, Others::Loaded][at]) {
            let flood = match others {
                Others::Idle => [0.0; PIS],
                Others::Loaded => loaded,
            };
            arm.quiet()?;
            arm.flood(0, flood)?;
            std::thread::sleep(SETTLE);
            let full = arm.status(0)?[0].drops.ring_full;
            let offered = arm.offered(0);
            let [source, sink] = arm.probes()?;
            let before = (
                source.snapshot(PATIENCE)?.sent[0],
                sink.snapshot(PATIENCE)?.received[0],
            );
            let start_ns = Monotonic.now_ns() + 1_000_000;
            source.start(start_ns);
            source.stop(start_ns + span.as_nanos() as u64);
            std::thread::sleep(span + DRAIN);
            let after = source.snapshot(PATIENCE)?.sent[0];
            let got = sink.snapshot(PATIENCE)?;
            let (received, latency_ns) = (got.received[0], Summary::of(&got.latency[0]));
            let sent = after.frames - before.0.frames;
            let put: u64 = arm
                .offered(0)
                .iter()
                .zip(&offered)
                .map(|(a, b)| a - b)
                .sum();
            let others_s = (span + DRAIN).as_secs_f64() * (PIS - 1) as f64;
            phases.push(Phase {
                round,
                others,
                sent,
                unsent: after.unsent - before.0.unsent,
                lost: sent.saturating_sub(received.frames - before.1.frames),
                ring_full: arm.status(0)?[0].drops.ring_full - full,
                latency_ns,
                offered: put as f64 / others_s / ceiling_fps,
            });
        }
    }
    Ok(phases)
}
