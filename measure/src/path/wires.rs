//! A node in this process: source and sink run inside the bursts of its ports, on its worker's core.
//!
//! Its clock is the worker's, CLOCK_MONOTONIC. A frame is stamped with the instant at which it was due.

use std::sync::Arc;
use std::time::Duration;

use super::{Course, LEAD, Late, Look, Offer, Resets, clock, nanoseconds, watch};
use crate::plan::Plan;
use crate::stream::Stream;
use crate::trial::{Device, DeviceError, Glimpse, Load, Path, PathKind, Reset, Trial};
use crate::wire::{Probe, ProbeError, TesterWire};

/// A worker that has not polled its ports for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// A node in this process, between two [`TesterWire`]s.
pub struct Wires {
    probes: [Probe; 2],
    path: Path,
    may_exceed_line: bool,
    trials: u64,
    resets: Resets,
}

impl Wires {
    /// A path over memory with links of `capacity_bps` (west, east) and frames of up to `largest` octets with
    /// FCS. The wires are to be put behind [`InlinePort`](pinode_ports::InlinePort)s of the node, west and east.
    #[must_use]
    pub fn new(
        capacity_bps: [u64; 2],
        largest: u16,
        description: impl Into<String>,
    ) -> (Self, [TesterWire; 2]) {
        let none: &[Stream] = &[];
        let [west, east] = capacity_bps.map(|capacity| TesterWire::new(none, none, capacity));
        let path = Path {
            kind: PathKind::Memory,
            capacity_bps,
            largest,
            description: description.into(),
        };
        let wires = Self {
            probes: [west.1, east.1],
            path,
            may_exceed_line: false,
            trials: 0,
            resets: Resets::default(),
        };
        (wires, [west.0, east.0])
    }

    /// Whether a load may be more than the links carry: memory has no line, so that a node can be offered more
    /// than its ports' capacity.
    pub fn may_exceed_line(&mut self, may: bool) {
        self.may_exceed_line = may;
    }

    /// How the node is reset.
    pub fn reset_by(
        &mut self,
        what: Reset,
        reset: impl Fn() -> Result<(), DeviceError> + Send + Sync + 'static,
    ) {
        self.resets.0.insert(what, Arc::new(reset));
    }

    fn exchange(&mut self, plans: [Box<Plan>; 2]) -> Result<[Box<Plan>; 2], DeviceError> {
        let [west, east] = &mut self.probes;
        let [west_plan, east_plan] = plans;
        let west = west.exchange(west_plan, PATIENCE).map_err(gone)?;
        let east = east.exchange(east_plan, PATIENCE).map_err(gone)?;
        Ok([west, east])
    }
}

fn gone(error: ProbeError) -> DeviceError {
    DeviceError::Path(error.to_string())
}

impl Course for [Probe; 2] {
    fn look(&mut self) -> Result<Look, DeviceError> {
        let mut look = Look {
            at_ns: u64::MAX,
            sent: 0,
            received: 0,
            last_ns: 0,
            is_sent: true,
            moved_ns: 0,
            own_ns: 0,
        };
        for probe in self {
            let side = probe.snapshot(PATIENCE).map_err(gone)?;
            look.at_ns = look.at_ns.min(side.at_ns);
            look.sent += side.sent.iter().map(|sent| sent.frames).sum::<u64>();
            look.received += side.received.iter().map(|r| r.frames).sum::<u64>();
            look.last_ns = look.last_ns.max(side.last_ns);
            look.is_sent &= side.due_ns == u64::MAX;
            look.own_ns += side.own_ns;
        }
        Ok(look)
    }

    fn stop(&mut self, end_ns: u64) {
        self.iter().for_each(|probe| probe.stop(end_ns));
    }
}

impl Device for Wires {
    fn offer(
        &mut self,
        load: &Load,
        watcher: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        let offer = Offer::new(load, &self.path, self.may_exceed_line, self.trials)?;
        self.trials += 1;
        let start_ns = clock::now_ns() + nanoseconds(LEAD);
        // The worker is the device: what it is late for waits for it, as in the ring of a network card.
        self.exchange(offer.plans(start_ns, Late::CaughtUp))?;
        let watched = watch(&mut self.probes, load, start_ns, watcher);
        let idle = || Box::new(Plan::idle());
        let plans = self.exchange([idle(), idle()])?;
        let (end_ns, is_partial) = watched?;
        Ok(offer.trial(plans, start_ns, end_ns, is_partial))
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        self.resets.resetter(what)
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
