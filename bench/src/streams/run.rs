//! One run: the overload begins, then all sources do; what came is held against what was said before.

use std::time::Duration;

use anyhow::{Context, ensure};
use pinode_measure::stats::Summary;
use pinode_node::dataplane::clock::{Clock, Monotonic};
use pinode_node::status::{Status, violations};
use serde::Serialize;

use super::plan::{DSS, NAMES, PORTS};
use super::{Arm, Away, sink, source};
use crate::gated::PIS;
use crate::stolen::stolen_ns;

/// From the order on until the first frame is due.
const SOON_NS: u64 = 20_000_000;
/// Beyond the bound, until the last frame has left or is lost.
const DRAIN: Duration = Duration::from_millis(200);
/// How long the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One that sends faster than it may.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Excess {
    /// Which connection.
    pub connection: usize,
    /// So many times its peak rate.
    pub times: f64,
}

/// What came of a connection.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Measured {
    /// Frames that were sent.
    pub sent: u64,
    /// Of these, dropped by the guest as above the peak rate.
    pub policed: u64,
    /// Of these, came.
    pub received: u64,
    /// Of these, not in order, or twice.
    pub disordered: u64,
    /// From the instant a frame was due to its last bit: the least and the most of all, nanoseconds.
    pub delay_ns: (u64, u64),
    /// The bound of it, that was said before.
    pub bound_ns: u64,
    /// What a frame takes on an empty link: no delay is less, and the bound of the variation is what is left.
    pub wire_ns: u64,
}

impl Measured {
    /// Frames that are missing and were not policed.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.policed + self.received)
    }

    /// Variation of the delay.
    #[must_use]
    pub fn variation_ns(&self) -> u64 {
        self.delay_ns.1.saturating_sub(self.delay_ns.0)
    }

    /// Bound of the variation.
    #[must_use]
    pub fn variation_bound_ns(&self) -> u64 {
        self.bound_ns - self.wire_ns
    }

    /// Whether there was anything, and each frame came or was policed, one or the other, within the bound.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.sent > 0
            && self.policed.checked_add(self.received) == Some(self.sent)
            && self.disordered == 0
            && self.delay_ns.1 <= self.bound_ns
            && self.variation_ns() <= self.variation_bound_ns()
    }
}

/// Another PI, or best effort in the same.
#[derive(Debug, Clone, Serialize)]
pub struct Other {
    /// Its name.
    pub name: &'static str,
    /// Frames put in, by its ceiling.
    pub offered: f64,
    /// Frames that left, by its ceiling.
    pub left: f64,
}

/// Where frames of the PI with connections were dropped, best effort among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stages {
    /// The guest had no room for them.
    pub ring_full: u64,
    /// Level 2 had no room: in buffers of connections of constant rate.
    pub level2_full: u64,
    /// Level 2 took none as long or of such a label.
    pub level2_refused: u64,
    /// Best effort found no room.
    pub best_effort_full: u64,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// One that was too fast.
    pub excess: Option<Excess>,
    /// Seconds in which frames were due.
    pub seconds: f64,
    /// In the order of the plan.
    pub connections: Vec<Measured>,
    /// From the instant a frame was due to its last bit, all frames, nanoseconds.
    pub delay_ns: Summary,
    /// From when it was put in to the end that was computed for it.
    pub node_ns: Summary,
    /// The latest that a frame was put in after it was due: the worker was away.
    pub put_late_ns: u64,
    /// The latest that a frame left after its computed start: the worker was away, or handed it over too late.
    pub left_late_ns: u64,
    /// When the worker was away.
    pub away: Away,
    /// What the hypervisor took of the worker's core and of the guests' meanwhile, nanoseconds; to 10 ms.
    pub stolen_ns: [u64; 2],
    /// The others.
    pub others: Vec<Other>,
    /// Where frames were dropped.
    pub stages: Stages,
}

impl Run {
    /// Frames that were lost, of all connections.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.connections.iter().map(Measured::lost).sum()
    }

    /// Frames that were sent, by all connections.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.connections.iter().map(|one| one.sent).sum()
    }

    /// Frames that were policed, of all connections.
    #[must_use]
    pub fn policed(&self) -> u64 {
        self.connections.iter().map(|one| one.policed).sum()
    }

    /// Frames not in order, of all connections.
    #[must_use]
    pub fn disordered(&self) -> u64 {
        self.connections.iter().map(|one| one.disordered).sum()
    }

    /// The connection that has come closest to its bound, or farthest beyond it.
    #[must_use]
    pub fn worst(&self) -> Option<&Measured> {
        let beyond =
            |one: &&Measured| i128::from(one.variation_ns()) - i128::from(one.variation_bound_ns());
        self.connections.iter().max_by_key(beyond)
    }

    /// Whether all came within their bounds, nobody was policed but who was too fast, and the node has counted no
    /// other drop of theirs.
    #[must_use]
    pub fn holds(&self) -> bool {
        let too_fast = self.excess.map(|excess| excess.connection);
        let own = &self.connections;
        !own.is_empty()
            && self.stages.level2_full == 0
            && own
                .iter()
                .enumerate()
                .all(|(at, one)| one.holds() && (one.policed > 0) == (too_fast == Some(at)))
    }
}

/// All counters that a run changes.
struct Reading {
    status: Status,
    policed: Vec<u64>,
    full: u64,
    load: [u64; PIS],
}

impl Arm {
    fn read(&self) -> anyhow::Result<Reading> {
        let status = self.status()?;
        let wrong = violations(&status);
        ensure!(wrong.is_empty(), "counters do not add up: {wrong:?}");
        let held = self.switched()?;
        let level2 = self.level2()?;
        Ok(Reading {
            status,
            policed: held.iter().map(|held| held.counts.policed).collect(),
            full: level2.iter().map(|one| one.counters.drops.full).sum(),
            load: self.source.load(),
        })
    }

    /// Run `number`: all sources send for `span`, beside the overload; `meanwhile` is done in the middle.
    ///
    /// # Errors
    ///
    /// The node does not answer, or its counters do not add up.
    pub fn run<T>(
        &self,
        number: u64,
        span: Duration,
        excess: Option<Excess>,
        meanwhile: impl FnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Run, T)> {
        let ceiling_fps = self.plan.ceiling_fps()?;
        self.load(
            [self.plan.others, self.plan.others, self.plan.best_effort].map(|of| of * ceiling_fps),
        )?;
        // Rings and queues of the others are full.
        std::thread::sleep(Duration::from_millis(100));
        let before = self.read()?;
        let gone = "the node's worker is gone";
        let record = sink::Record::new(self.connections.len());
        ensure!(self.sink.order(sink::Order::Keep(Box::new(record))), gone);
        let from_ns = Monotonic.now_ns() + SOON_NS;
        let until_ns = from_ns + span.as_nanos() as u64;
        let begin = self.plan.begin(&self.connections, number);
        let stolen_before = self.stolen_ns();
        let too_fast = excess.map(|excess| (excess.connection, excess.times));
        let flow = source::Flow::new(&self.connections, &begin, (from_ns, until_ns), too_fast);
        ensure!(self.source.order(source::Order::Send(Box::new(flow))), gone);
        std::thread::sleep(span / 2);
        let meant = meanwhile(self)?;
        let sent = self
            .source
            .sent
            .recv_timeout(span + PATIENCE)
            .context(gone)?;
        let longest = self.granted_ns.iter().max().copied().unwrap_or(0) + self.allowed_ns();
        std::thread::sleep(Duration::from_nanos(longest) + DRAIN);
        ensure!(self.sink.order(sink::Order::Give), gone);
        let kept = self.sink.kept.recv_timeout(PATIENCE).context(gone)?;
        let stolen = self.stolen_ns();
        let after = self.read()?;
        let took = (Monotonic.now_ns() - from_ns + SOON_NS) as f64 / 1e9;
        self.load([0.0; PIS])?;
        let run = Run {
            excess,
            seconds: span.as_secs_f64(),
            connections: self.measured(&sent, &kept, (&before, &after)),
            delay_ns: Summary::of(&kept.delay),
            node_ns: Summary::of(&kept.node),
            put_late_ns: sent.latest_ns,
            left_late_ns: kept.latest_ns,
            away: sent.away,
            stolen_ns: std::array::from_fn(|at| stolen[at] - stolen_before[at]),
            others: others(ceiling_fps * took, (&before, &after), &kept),
            stages: stages(&before, &after),
        };
        Ok((run, meant))
    }

    /// Of worker's and guests' core.
    fn stolen_ns(&self) -> [u64; 2] {
        let cpus = self
            .plan
            .cpus
            .map_or([0, 1], |(worker, guests)| [worker, guests]);
        cpus.map(stolen_ns)
    }

    fn load(&self, fps: [f64; PIS]) -> anyhow::Result<()> {
        let given = self.source.order(source::Order::Load(fps));
        ensure!(given, "the node's worker is gone");
        Ok(())
    }

    fn measured(
        &self,
        sent: &source::Flow,
        kept: &sink::Record,
        (before, after): (&Reading, &Reading),
    ) -> Vec<Measured> {
        let policed = before.policed.iter().zip(&after.policed);
        let policed = policed.map(|(before, after)| after - before);
        let came = sent.senders.iter().zip(&kept.connections).zip(policed);
        let own = self.connections.iter().zip(&self.granted_ns);
        let measured = |((one, granted_ns), ((sent, came), policed)): (_, _)| {
            let one: &super::Connection = one;
            let sent: &source::Sender = sent;
            let came: &sink::Received = came;
            Measured {
                sent: sent.sent.into(),
                policed,
                received: came.frames.into(),
                disordered: came.disordered.into(),
                delay_ns: (came.least_ns.min(came.most_ns), came.most_ns),
                bound_ns: granted_ns + self.allowed_ns(),
                wire_ns: one.wire_bits() * 1_000_000_000 / self.plan.capacity_bps(),
            }
        };
        own.zip(came).map(measured).collect()
    }
}

fn others(ceiling: f64, (before, after): (&Reading, &Reading), kept: &sink::Record) -> Vec<Other> {
    let other = |pi: usize| Other {
        name: if pi == DSS { "best effort" } else { NAMES[pi] },
        offered: (after.load[pi] - before.load[pi]) as f64 / ceiling,
        left: kept.others[pi] as f64 / ceiling,
    };
    (0..PIS).map(other).collect()
}

/// What was dropped between two readings.
fn stages(before: &Reading, after: &Reading) -> Stages {
    let (earlier, later) = (dropped(&before.status), dropped(&after.status));
    let [ring_full, level2_refused, full] = std::array::from_fn(|at| later[at] - earlier[at]);
    let level2_full = after.full - before.full;
    Stages {
        ring_full,
        level2_full,
        level2_refused,
        best_effort_full: full.saturating_sub(level2_full),
    }
}

/// Of the PI with connections: before its guest, refused behind it, and behind it without room.
fn dropped(status: &Status) -> [u64; 3] {
    let of = |port: &str| {
        let port = status.ports.iter().find(|own| own.name == port)?;
        port.pi.get(NAMES[DSS])
    };
    let [west, east] = PORTS.map(of);
    let drops = east.map(|east| (east.tx_drops.total(), east.tx_drops.class_full));
    let (all, full) = drops.unwrap_or_default();
    let before = west.map_or(0, |west| west.drops.total());
    [before, all - full, full]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAME: Measured = Measured {
        sent: 10,
        policed: 0,
        received: 10,
        disordered: 0,
        delay_ns: (20, 90),
        bound_ns: 100,
        wire_ns: 20,
    };

    fn run(connections: Vec<Measured>, excess: Option<Excess>) -> Run {
        Run {
            excess,
            seconds: 1.0,
            connections,
            delay_ns: Summary::default(),
            node_ns: Summary::default(),
            put_late_ns: 0,
            left_late_ns: 0,
            away: Away::default(),
            stolen_ns: [0; 2],
            others: Vec::new(),
            stages: Stages::default(),
        }
    }

    #[test]
    fn a_connection_holds_if_each_frame_of_some_came_or_was_policed() {
        let of = |sent, policed, received| Measured {
            sent,
            policed,
            received,
            ..CAME
        };
        for (measured, holds) in [
            (of(10, 0, 10), true),
            (of(10, 4, 6), true),
            (of(0, 0, 0), false),
            (of(10, 0, 9), false),
            // One is counted as both, which would hide one that is missing.
            (of(10, 1, 10), false),
            (of(10, u64::MAX, 11), false),
            (
                Measured {
                    disordered: 1,
                    ..CAME
                },
                false,
            ),
            (
                Measured {
                    delay_ns: (20, 101),
                    ..CAME
                },
                false,
            ),
        ] {
            assert_eq!(measured.holds(), holds, "{measured:?}");
        }
    }

    #[test]
    fn a_run_holds_if_only_who_is_too_fast_is_policed_and_nothing_else_is_dropped() {
        let policed = Measured {
            policed: 4,
            received: 6,
            ..CAME
        };
        let excess = Some(Excess {
            connection: 1,
            times: 3.0,
        });
        assert!(run(vec![CAME, CAME], None).holds());
        assert!(run(vec![CAME, policed], excess).holds());
        assert!(!run(Vec::new(), None).holds());
        assert!(!run(vec![CAME, policed], None).holds());
        assert!(!run(vec![policed, CAME], excess).holds());
        assert!(!run(vec![CAME, CAME], excess).holds());
        let mut dropped = run(vec![CAME], None);
        dropped.stages.level2_full = 1;
        assert!(!dropped.holds());
    }
}
