//! CPU time of the trials in which demands are offered: who spent how much on frames.
//!
//! Must never ask a node in the middle of a trial, nor about trials of other tests: asking wakes its guests.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pinode_measure::stream::Pattern;
use pinode_measure::trial::{Device, DeviceError, Glimpse, Load, Path, Reset, Trial};

use super::cpu::{CpuError, CpuReading};

/// What was spent since it was last taken.
#[derive(Debug, Default)]
pub struct Ledger(RefCell<Entry>);

#[derive(Debug, Default)]
struct Entry {
    /// In which frames were due.
    seconds: f64,
    /// By PI, and of the workers.
    on_frames_ns: BTreeMap<String, f64>,
}

impl Ledger {
    /// Percent of a CPU, by PI and of the [workers](super::cpu::HOST); nothing where nobody said.
    pub fn take(&self) -> BTreeMap<String, f64> {
        let Entry {
            seconds,
            on_frames_ns,
        } = self.0.take();
        let percent = |(name, ns): (String, f64)| (name, ns / seconds / 1e7);
        on_frames_ns
            .into_iter()
            .filter(|_| seconds > 0.0)
            .map(percent)
            .collect()
    }
}

/// A node whose time is put down.
pub struct Accounted<'a> {
    device: &'a mut dyn Device,
    read: &'a mut dyn FnMut() -> Result<CpuReading, CpuError>,
    ledger: &'a Ledger,
}

impl<'a> Accounted<'a> {
    /// Puts down in `ledger` what is `read` around trials of demands.
    pub fn new(
        device: &'a mut dyn Device,
        read: &'a mut dyn FnMut() -> Result<CpuReading, CpuError>,
        ledger: &'a Ledger,
    ) -> Self {
        Self {
            device,
            read,
            ledger,
        }
    }
}

impl Device for Accounted<'_> {
    fn offer(
        &mut self,
        load: &Load,
        watch: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        let is_demand = |pattern| matches!(pattern, Pattern::Opening(_));
        if !load.streams.iter().any(|s| is_demand(s.spec.pattern)) {
            return self.device.offer(load, watch);
        }
        // A guest that does not say what it does costs the figure and not the test.
        let before = (self.read)();
        let trial = self.device.offer(load, watch)?;
        let after = (self.read)();
        if let (Ok(before), Ok(after)) = (before, after)
            && let Ok(spent) = after.since(&before, trial.own_ns)
        {
            let mut entry = self.ledger.0.borrow_mut();
            entry.seconds += trial.duration_s;
            for spent in spent {
                *entry.on_frames_ns.entry(spent.name).or_default() += spent.on_frames_ns;
            }
        }
        Ok(trial)
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        self.device.resetter(what)
    }

    fn path(&self) -> &Path {
        self.device.path()
    }
}
