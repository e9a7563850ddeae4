//! What the strict, policed classes of DiffServ take of a PI's guaranteed rate, and whether a schedule
//! holds it.
//!
//! NC and RT go before all else: policed to more than the phases guarantee, nothing would bound their
//! delay and nothing would be left. Must never judge rates that are not those of the policers.

use pinode_scheduler::Cycle;
use pinode_scheduler::bounds::{Flow, PiBounds};

use super::level2::{DiffservConfig, PolicedBounds, PolicedConfig};
use super::schedule::more_phase;
use super::unit::BitRate;

/// Shares of the guaranteed rate that NC and RT are policed to, unless they say otherwise.
const NC_SHARE: f64 = 0.05;
const RT_SHARE: f64 = 0.30;
/// How long a class may send ahead at its rate in one burst, unless it says otherwise.
const BURST_S: f64 = 0.002;

/// NC and RT at a port where the PI has these bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrictFlows {
    /// As they are policed.
    pub policed: [PolicedBounds; 2],
    /// What that lets pass at most, on the wire.
    pub flows: [Flow; 2],
}

impl DiffservConfig {
    /// NC and RT where `guaranteed_bps` are guaranteed to the PI and a frame has up to `largest`
    /// octets.
    #[must_use]
    pub fn policed(&self, frames: u32, guaranteed_bps: f64, largest: u32) -> [PolicedBounds; 2] {
        let [nc, rt, ..] = self.limits(frames);
        let bounds = |class: &PolicedConfig, share: f64, limit| {
            // A rate of 0 is none.
            let own_bps = (guaranteed_bps * share).max(1.0) as u64;
            let rate_bps = class.rate_bps.unwrap_or(own_bps);
            let ahead = (rate_bps as f64 / 8.0 * BURST_S) as u32;
            PolicedBounds {
                rate_bps,
                burst: class.burst.unwrap_or(ahead.max(2 * largest)),
                limit,
            }
        };
        [
            bounds(&self.nc, NC_SHARE, nc),
            bounds(&self.rt, RT_SHARE, rt),
        ]
    }

    /// NC and RT of a PI with bounds `own`, in frames of `size` octets and more.
    #[must_use]
    pub fn strict(&self, own: &PiBounds, size: u32) -> StrictFlows {
        // Limits, which depend on the rings, bound no rate.
        let policed = self.policed(0, own.guaranteed_bps, own.largest_frame);
        StrictFlows {
            policed,
            flows: policed
                .map(|class| Flow::of_frames(class.rate_bps, u64::from(class.burst), size)),
        }
    }

    /// The rates and bursts with which it runs where it was started with bounds `own`.
    #[must_use]
    pub fn in_force(mut self, own: &PiBounds) -> Self {
        let policed = self.policed(0, own.guaranteed_bps, own.largest_frame);
        for (class, bounds) in [&mut self.nc, &mut self.rt].into_iter().zip(policed) {
            class.rate_bps = Some(bounds.rate_bps);
            class.burst = Some(bounds.burst);
        }
        self
    }
}

/// What of NC and RT of the PI in `slot` the cycle does not hold.
pub(super) fn unmet(
    cycle: &Cycle,
    slot: u8,
    name: &str,
    own: &PiBounds,
    (classes, size): (&DiffservConfig, u32),
) -> Option<String> {
    // Shares of what is guaranteed are held, and of nothing they are nothing.
    classes.nc.rate_bps.or(classes.rt.rate_bps)?;
    let strict = classes.strict(own, size);
    if own.left_bps(&strict.flows).is_some() {
        return None;
    }
    let needs_bps: f64 = strict.flows.iter().map(|flow| flow.rho_bps).sum();
    let [nc, rt] = strict.policed.map(|class| BitRate(class.rate_bps));
    let more = more_phase(cycle, slot, own, served_ns(cycle, classes, size));
    Some(format!(
        "guarantees PI {name:?} {:.1} Mb/s of wire, and its classes nc and rt, policed to {nc} and {rt}, \
         may need {:.1} Mb/s in frames of {size} octets: short by {:.1} Mb/s{more}",
        own.guaranteed_bps / 1e6,
        needs_bps / 1e6,
        (needs_bps - own.guaranteed_bps) / 1e6,
    ))
}

/// S for which R is what NC and RT may need, ns: a rate that is not configured is a share of R and
/// grows with it.
fn served_ns(cycle: &Cycle, classes: &DiffservConfig, size: u32) -> f64 {
    let (mut fixed_bps, mut share) = (0.0, 0.0);
    for (class, own) in [(classes.nc, NC_SHARE), (classes.rt, RT_SHARE)] {
        match class.rate_bps {
            Some(rate_bps) => fixed_bps += Flow::of_frames(rate_bps, 0, size).rho_bps,
            None => share += own * Flow::of_frames(1_000_000, 0, size).rho_bps / 1e6,
        }
    }
    let rate_bps = fixed_bps / (1.0 - share);
    rate_bps / cycle.link().bits_per_s() as f64 * cycle.length_ns() as f64
}
