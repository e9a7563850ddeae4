//! What connections are reckoned with: the schedule in force, and those that are to follow.
//!
//! The least rate and the longest waits of all of them, so that a promise holds whichever it is.

use pinode_scheduler::LinkRate;
use pinode_scheduler::bounds::{Admitted, PiBounds, Promised};
use pinode_scheduler::level2::streams::{Connection, Reserved, Service, Terms, Tolerance};

use super::{Operator, Place};
use crate::assemble::LOOKAHEAD_NS;
use crate::config::{
    Level2Config, PiConfig, PortConfig, bounds_at, only_signalling, signalling_of,
    sure_tolerance_ns,
};
use crate::control::{ControlError, StreamClass, StreamGranted};
use crate::dataplane::streams::{StreamOrder, StreamSum};
use crate::operator::schedules::{Installed, Schedules};

/// What is reckoned with for a PI at a port.
pub(super) struct InForce {
    /// Of each schedule; empty if there is one in which the PI has no phase.
    bounds: Vec<(PiBounds, Admitted)>,
    /// The least of all, bits per second.
    pub(super) guaranteed_bps: u64,
    /// Rate and tolerance of signalling: the least and the most.
    signalling: (u64, u64),
    /// Tolerance of connections that were given none, nanoseconds.
    pub(super) untold_ns: u64,
    /// The longest wait for the phase, nanoseconds.
    pub(super) least_tolerance_ns: u64,
    /// The longest cycle, nanoseconds.
    cycle_ns: u64,
    /// The PI's largest frame at the port.
    largest: u32,
}

impl InForce {
    pub(super) fn terms(&self) -> Terms {
        let (rate_bps, tolerance_ns) = self.signalling;
        let peak = LinkRate::new(rate_bps).ok();
        Terms {
            rate_bps: self.guaranteed_bps,
            tolerance_ns: self.untold_ns,
            signalling: peak.map(|peak| (peak, tolerance_ns)),
        }
    }

    /// Frames that may wait at once: what comes at the peak rate, and early, while one waits for as long as its
    /// tolerance says, and in a cycle, as buffers come back later than frames go. A tolerance that grows with the other
    /// connections grows up to the interval: beyond, there is no bound by turns. They are frames of `largest`: shorter
    /// ones at the whole rate are more.
    pub(super) fn buffer(
        &self,
        peak: LinkRate,
        tolerance: Tolerance,
        comes_early_ns: u64,
        largest: u32,
    ) -> u32 {
        let frame_ns = (peak.wire_time_ps(largest) / 1_000).max(1);
        let waits_ns = match tolerance {
            Tolerance::Own(own_ns) => own_ns,
            Tolerance::Shared(_) => tolerance.ns(self.untold_ns.max(frame_ns)),
        };
        let all_ns = { self.cycle_ns }
            .saturating_add(waits_ns)
            .saturating_add(comes_early_ns);
        let frames = all_ns.div_ceil(frame_ns).saturating_add(1);
        u32::try_from(frames).unwrap_or(u32::MAX)
    }

    /// What a connection got. `sum`: all connections of now.
    pub(super) fn granted(&self, contract: &Connection, sum: Option<&StreamSum>) -> StreamGranted {
        let rate_bps = contract.peak.map(LinkRate::bits_per_s);
        let (class, tolerance_ns, delay_ns) = match contract.service {
            Service::Ubr => (StreamClass::Ubr, 0, None),
            Service::Cbr => {
                let tolerance_ns = contract.tolerance.ns(self.untold_ns);
                let own = Promised {
                    rate_bps: rate_bps.unwrap_or(0) as f64,
                    tolerance_ns: tolerance_ns as f64,
                    largest: contract.largest.min(self.largest),
                };
                let delay_ns = sum.and_then(|sum| self.delay_ns(&own, &sum.reserved));
                (StreamClass::Cbr, tolerance_ns, delay_ns)
            }
        };
        StreamGranted {
            vn: contract.vn,
            label: contract.label,
            class,
            rate_bps,
            tolerance_ns,
            buffer: contract.buffer,
            max_frame: contract.largest,
            delay_ns,
        }
    }

    /// The most of all schedules; none if one of them bounds nothing.
    fn delay_ns(&self, own: &Promised, reserved: &Reserved) -> Option<u64> {
        let all = self.bounds.iter().map(|(bounds, signalling)| {
            let all = signalling.with(reserved, self.untold_ns);
            bounds.connection_delay_ns(&all, own, LOOKAHEAD_NS)
        });
        let delays: Option<Vec<f64>> = all.collect();
        let delay_ns = delays?.into_iter().reduce(f64::max)?;
        Some(delay_ns.ceil() as u64)
    }

    /// The tolerance with which each of these gets its rate.
    fn sure_tolerance_ns(&self, reserved: &Reserved) -> u64 {
        let all = self
            .bounds
            .iter()
            .map(|(bounds, signalling)| sure_tolerance_ns(bounds, &signalling.with(reserved, 0)));
        all.max().unwrap_or(0)
    }
}

impl Operator {
    pub(super) fn in_force(&self, at: Place, schedules: &Schedules) -> InForce {
        let Place { port, slot } = at;
        let (pi, port) = (&self.config.pis[slot], &self.config.ports[port]);
        let needs = self.config.needs();
        let number = u8::try_from(slot).unwrap_or(u8::MAX);
        let all = || schedules.coming.iter().chain([&schedules.oper]);
        let bounds_of = |installed: &Installed| {
            let planned = PortConfig {
                phases: installed.phases.clone(),
                ..port.clone()
            };
            bounds_at(&planned, &needs, number)
        };
        let bounds: Option<Vec<PiBounds>> = all().map(bounds_of).collect();
        let bounds = bounds.unwrap_or_default();
        let rates = bounds.iter().map(|own| own.guaranteed_bps as u64);
        let cycle_ns = |installed: &Installed| installed.phases.iter().map(|p| p.duration_ns).sum();
        InForce {
            guaranteed_bps: rates.min().unwrap_or(0),
            signalling: signalling(pi, &bounds),
            untold_ns: schedules.tolerances_ns.get(slot).copied().unwrap_or(0),
            least_tolerance_ns: longest_ns(&bounds, |own| own.latency_ns.ceil() as u64),
            cycle_ns: all().map(cycle_ns).max().unwrap_or(0),
            largest: port.largest_frame_of(pi.needs),
            bounds: bounds
                .into_iter()
                .map(|own| (own, only_signalling(pi, &own)))
                .collect(),
        }
    }

    /// More connections, or another schedule, may need more tolerance. It never shrinks: what was
    /// promised with it stays true.
    pub(super) fn grow(
        &self,
        at: Place,
        schedules: &mut Schedules,
        mut in_force: InForce,
        sum: &StreamSum,
    ) -> Result<InForce, ControlError> {
        let sure_ns = in_force.sure_tolerance_ns(&sum.reserved);
        if sure_ns > in_force.untold_ns {
            in_force.untold_ns = sure_ns;
            if let Some(own) = schedules.tolerances_ns.get_mut(at.slot) {
                *own = sure_ns;
            }
            let terms = Some(in_force.terms());
            self.order(
                at,
                StreamOrder {
                    terms,
                    ..StreamOrder::default()
                },
            )?;
        }
        Ok(in_force)
    }

    /// After a change of the schedules of `port`: all its connections are told.
    pub(in super::super) fn renew_terms(
        &self,
        port: usize,
        schedules: &mut Schedules,
    ) -> Result<(), ControlError> {
        for (slot, pi) in self.config.pis.iter().enumerate() {
            if !matches!(pi.level2, Level2Config::Streams(_)) {
                continue;
            }
            let at = Place { port, slot };
            let in_force = self.in_force(at, schedules);
            let order = self.order(
                at,
                StreamOrder {
                    terms: Some(in_force.terms()),
                    ..StreamOrder::default()
                },
            )?;
            if let Some(sum) = order.sum {
                self.grow(at, schedules, in_force, &sum)?;
            }
        }
        Ok(())
    }
}

fn longest_ns(all: &[PiBounds], of: impl Fn(&PiBounds) -> u64) -> u64 {
    all.iter().map(of).max().unwrap_or(0)
}

fn signalling(pi: &PiConfig, all: &[PiBounds]) -> (u64, u64) {
    let each = || all.iter().map(|own| signalling_of(pi, own));
    let rates = each().map(|(rate_bps, _)| rate_bps);
    let waits = each().map(|(_, tolerance_ns)| tolerance_ns);
    (rates.min().unwrap_or(0), waits.max().unwrap_or(0))
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
