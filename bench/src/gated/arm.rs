//! A running node of a plan, its two sides and probes, and when its cycles begin.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pinode_measure::stream::{Stream, StreamSpec};
use pinode_measure::wire::{Probe, TesterWire};
use pinode_node::control::Control;
use pinode_node::dataplane::clock::{Clock, Monotonic, tai_ns};
use pinode_node::running::RunningNode;
use pinode_node::status::PiStatus;
use pinode_ports::Port;
use pinode_scheduler::bounds::SizeBounds;
use serde::Serialize;

use super::wires::{Hand, Order, Side, SidePort};
use super::{PIS, Plan, Span, Watch, Windows};

const READY: Duration = Duration::from_secs(60);

/// A beginning of the cycle on the worker's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Base {
    /// Nanoseconds of the worker's clock.
    pub at_ns: u64,
    /// How far the two clocks' readings leave it open, to either side.
    pub uncertain_ns: u64,
}

impl Base {
    /// The last beginning of a cycle before now, where one began at `base_tai_ns` of CLOCK_TAI.
    fn of(base_tai_ns: u64, cycle_ns: u64) -> Self {
        // The shortest of many readings says most.
        let reading = |_| {
            let before = Monotonic.now_ns();
            let tai = tai_ns();
            let took = Monotonic.now_ns() - before;
            (
                took,
                i128::from(tai) - i128::from(before) - i128::from(took / 2),
            )
        };
        let (took_ns, offset_ns) = (0..1_000).map(reading).min().unwrap_or_default();
        let base_ns = i128::from(base_tai_ns) - offset_ns;
        let now_ns = i128::from(Monotonic.now_ns());
        let into_ns = (now_ns - base_ns).rem_euclid(i128::from(cycle_ns.max(1)));
        Self {
            at_ns: u64::try_from(now_ns - into_ns).unwrap_or(0),
            uncertain_ns: took_ns.div_ceil(2),
        }
    }
}

/// What the node says of a PI's gate, over some time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct GateStatus {
    /// Windows that closed.
    pub windows: u64,
    /// Of those, overrun.
    pub window_overruns: u64,
    /// Time lost to the guard rule.
    pub guard_idle_ns: u64,
    /// Time without a frame to send.
    pub empty_idle_ns: u64,
    /// Frames that the port took.
    pub sent: u64,
    /// Of the guest's, dropped.
    pub tx_dropped: u64,
}

impl GateStatus {
    pub(super) fn of(status: &PiStatus) -> Self {
        Self {
            windows: status.windows,
            window_overruns: status.window_overruns,
            guard_idle_ns: status.guard_idle_ns,
            empty_idle_ns: status.empty_idle_ns,
            sent: status.sent,
            tx_dropped: status.tx_drops.total(),
        }
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            windows: self.windows - before.windows,
            window_overruns: self.window_overruns - before.window_overruns,
            guard_idle_ns: self.guard_idle_ns - before.guard_idle_ns,
            empty_idle_ns: self.empty_idle_ns - before.empty_idle_ns,
            sent: self.sent - before.sent,
            tx_dropped: self.tx_dropped - before.tx_dropped,
        }
    }
}

/// A node that runs a plan.
pub struct Arm {
    node: Option<RunningNode>,
    /// What the schedule promises.
    pub bounds: SizeBounds,
    /// When cycles begin.
    pub base: Base,
    windows: Windows,
    hands: [Hand; 2],
    probes: Option<[Probe; 2]>,
}

/// Port names by side.
pub(super) const SIDES: [&str; 2] = ["west", "east"];

impl Arm {
    /// Boots a node of `plan`. `signed`: frames per second of each PI's signed stream from west to east; 0 is none.
    ///
    /// # Errors
    ///
    /// Whatever keeps the node from running.
    pub fn start(plan: &Plan, signed: [f64; PIS]) -> anyhow::Result<Self> {
        let (bounds, config) = (plan.bounds()?, plan.config()?);
        let spec =
            |(pi, fps): (usize, f64)| StreamSpec::new(pi as u16 + 1, pi as u8 + 1, plan.size, fps);
        let streams = signed.into_iter().enumerate().filter(|(_, fps)| *fps > 0.0);
        let streams = Stream::all(streams.map(spec))?;
        let own = streams
            .iter()
            .fold(0, |own, stream| own | 1u8 << stream.spec().pi_code);
        let (mut testers, mut probes) = ([None, None], None);
        if !streams.is_empty() {
            let (source, from) = TesterWire::new(&streams, &[], plan.capacity_bps());
            let (sink, to) = TesterWire::new(&[], &streams, plan.capacity_bps());
            testers = [Some((source, 0)), Some((sink, own))];
            probes = Some([from, to]);
        }
        let sides =
            testers.map(|tester| Side::new(plan.size, plan.capacity_bps(), plan.ports, tester));
        let mut ports: Vec<Vec<Box<dyn Port>>> = Vec::new();
        let hands = sides.map(|(side, hand)| {
            ports.push(vec![Box::new(SidePort::new(side, plan.ports))]);
            hand
        });
        let node = RunningNode::start(config, ports)?;
        let ready = node.wait_ready(READY, || false);
        let phases = node.operator().phases(SIDES[1]);
        let mut arm = Self {
            node: Some(node),
            bounds,
            base: Base {
                at_ns: 0,
                uncertain_ns: 0,
            },
            windows: Windows {
                base_ns: 0,
                cycle_ns: plan.cycle_ns(),
                spans: [Span {
                    opens_ns: 0,
                    usable_ns: 0,
                }; PIS],
            },
            hands,
            probes,
        };
        ready?;
        let oper = phases.context("the node does not say its schedule")?.oper;
        ensure!(
            oper.cycle_ns == plan.cycle_ns(),
            "the node's cycle is {} ns, the plan's {} ns",
            oper.cycle_ns,
            plan.cycle_ns()
        );
        arm.base = Base::of(oper.base_tai_ns, oper.cycle_ns);
        let usable_ns = u64::from(plan.phase_us) * 1_000 - oper.guard_ns;
        arm.windows.base_ns = arm.base.at_ns;
        arm.windows.spans = std::array::from_fn(|pi| Span {
            opens_ns: pi as u64 * u64::from(plan.phase_us) * 1_000,
            usable_ns,
        });
        Ok(arm)
    }

    /// Offers `fps` of each PI on `side` from now on, unsigned.
    ///
    /// # Errors
    ///
    /// The node is gone.
    pub fn flood(&self, side: usize, fps: [f64; PIS]) -> anyhow::Result<()> {
        self.order(side, Order::Flood(fps))
    }

    fn order(&self, side: usize, order: Order) -> anyhow::Result<()> {
        let hand = self.hands.get(side).context("a node has two sides")?;
        ensure!(hand.order(order), "the node's worker is gone");
        Ok(())
    }

    /// Frames of the flood that `side` has put in.
    #[must_use]
    pub fn offered(&self, side: usize) -> [u64; PIS] {
        self.hands.get(side).map_or([0; PIS], Hand::offered)
    }

    /// Watches what leaves on `sides` for as many whole cycles as `span` holds, from a little later than now on.
    /// Returns the watches, in the order of `sides`.
    ///
    /// # Errors
    ///
    /// The node does not call its ports.
    pub fn watch(&self, sides: &[usize], span: Duration) -> anyhow::Result<Vec<Watch>> {
        /// As often it is tried again when this thread was held up between looking at the clock and asking.
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            let watches = self.watch_once(sides, span)?;
            if watches.iter().all(|watch| !watch.is_late) {
                return Ok(watches);
            }
        }
        bail!("the machine is too busy: {TRIES} times a watch began too late")
    }

    fn watch_once(&self, sides: &[usize], span: Duration) -> anyhow::Result<Vec<Watch>> {
        const SOON_NS: u64 = 5_000_000;
        const PATIENCE: Duration = Duration::from_secs(2);
        let cycle_ns = self.windows.cycle_ns;
        let from_ns = self.windows.cycle_from(Monotonic.now_ns() + SOON_NS);
        let cycles = (span.as_nanos() as u64 / cycle_ns).max(1);
        let until_ns = from_ns + cycles * cycle_ns;
        for &side in sides {
            let watch = Watch::new(self.windows, from_ns, until_ns);
            self.order(side, Order::Watch(Box::new(watch)))?;
        }
        let mut watches = Vec::new();
        for &side in sides {
            let hand = self.hands.get(side).context("a node has two sides")?;
            let watch = hand.watched().recv_timeout(span + PATIENCE);
            watches.push(*watch.context("the node's worker does not call its port")?);
        }
        Ok(watches)
    }

    /// The probes of the signed streams: of their source, of their sink.
    ///
    /// # Errors
    ///
    /// There are no streams.
    pub fn probes(&mut self) -> anyhow::Result<&mut [Probe; 2]> {
        self.probes
            .as_mut()
            .context("no signed stream was asked for")
    }

    /// Stops the floods and waits until nothing of them is under way any more.
    ///
    /// # Errors
    ///
    /// The node does not say, or frames do not cease.
    pub fn quiet(&self) -> anyhow::Result<()> {
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        /// Full rings of the largest frames last for a third of a second in a third of 1 Gb/s.
        const PATIENCE: usize = 250;
        for side in 0..SIDES.len() {
            self.flood(side, [0.0; PIS])?;
        }
        let mut known = None;
        for _ in 0..PATIENCE {
            std::thread::sleep(LOOK_EVERY);
            let pis = (self.status(0)?, self.status(1)?);
            let moved = [&pis.0, &pis.1].map(|of| {
                let sum = of.iter().map(|pi| pi.to_guest + pi.sent);
                (sum.sum::<u64>(), of.iter().map(|pi| pi.queued).sum::<u64>())
            });
            if known == Some(moved) && moved.iter().all(|(_, queued)| *queued == 0) {
                return Ok(());
            }
            known = Some(moved);
        }
        bail!("frames of a flood that has ended go on coming")
    }

    /// What the node says of each PI on `side`.
    ///
    /// # Errors
    ///
    /// It does not say.
    pub fn status(&self, side: usize) -> anyhow::Result<[PiStatus; PIS]> {
        let node = self.node.as_ref().context("the node has ended")?;
        let status = node.operator().status()?;
        let port = status.ports.get(side).context("a node has two sides")?;
        let of = |pi| port.pi.get(&Plan::pi(pi)).cloned();
        let pis: Option<Vec<PiStatus>> = (0..PIS).map(of).collect();
        let pis = pis.and_then(|pis| <[PiStatus; PIS]>::try_from(pis).ok());
        pis.context("the node says nothing of a PI")
    }
}

impl Drop for Arm {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_begin_where_tai_says() {
        let cycle_ns = 300_000;
        let base = Base::of(0, cycle_ns);
        let now_ns = Monotonic.now_ns();
        assert!(base.at_ns <= now_ns);
        // The same instant on both clocks, one after the other: read within a millisecond or tried again.
        let near = (0..100).any(|_| {
            let (tai, mono) = (tai_ns(), Monotonic.now_ns());
            let into = |ns: u64, base: u64| ns.wrapping_sub(base) % cycle_ns;
            into(tai, 0).abs_diff(into(mono, base.at_ns)) < 5_000
        });
        assert!(near, "{base:?}");
    }
}
