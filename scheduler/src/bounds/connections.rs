//! How long frames of connections take through a PI, from what all of them were promised together.
//!
//! docs/guarantees.md derives it. Sums, so that a bound costs the same for one connection and for a
//! million. Must never reckon with what connections send: only with what they may.

use super::{Flow, PiBounds};
use crate::level2::streams::Reserved;
use crate::rate::OVERHEAD_OCTETS;

/// What was promised to all connections of constant rate of a PI at a port, and to signalling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Admitted {
    /// Sum of the largest frames, bits of wire.
    pub turn_bits: f64,
    /// Sum of the peak rates, bits/s.
    pub rate_bps: f64,
    /// Sum of peak rate times tau, bits.
    pub burst_bits: f64,
    /// What goes before all of them.
    pub signalling: Flow,
}

/// What one connection was promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promised {
    /// Peak rate on the wire, bits/s.
    pub rate_bps: f64,
    /// tau, ns.
    pub tolerance_ns: f64,
    /// Its largest frame, octets with FCS.
    pub largest: u32,
}

impl Admitted {
    /// Nothing but signalling, which is shaped to GCRA(`rate_bps`, `tolerance_ns`) with frames up to
    /// `largest` octets.
    #[must_use]
    pub fn signalling(rate_bps: u64, tolerance_ns: u64, largest: u32) -> Self {
        let rho_bps = rate_bps as f64;
        let sigma_bits = match rate_bps {
            0 => 0.0,
            _ => wire_bits(largest) + rho_bps * tolerance_ns as f64 / 1e9,
        };
        Self {
            turn_bits: 0.0,
            rate_bps: 0.0,
            burst_bits: 0.0,
            signalling: Flow {
                sigma_bits,
                rho_bps,
            },
        }
    }

    /// With one connection more.
    #[must_use]
    pub fn and(self, one: &Promised) -> Self {
        Self {
            turn_bits: self.turn_bits + wire_bits(one.largest),
            rate_bps: self.rate_bps + one.rate_bps,
            burst_bits: self.burst_bits + one.burst_bits(),
            ..self
        }
    }

    /// With those of a running discipline, where `untold_ns` is tau of those without one of their own.
    #[must_use]
    pub fn with(self, reserved: &Reserved, untold_ns: u64) -> Self {
        let untold = reserved.untold_bps as f64 * untold_ns as f64;
        Self {
            turn_bits: self.turn_bits + 8.0 * reserved.turn_octets as f64,
            rate_bps: self.rate_bps + reserved.rate_bps as f64,
            burst_bits: self.burst_bits + (untold + reserved.told_bps_ns as f64) / 1e9,
            ..self
        }
    }
}

impl Promised {
    fn burst_bits(&self) -> f64 {
        self.rate_bps * self.tolerance_ns / 1e9
    }

    /// T: how far apart its largest frames come at its peak rate, ns.
    #[must_use]
    pub fn interval_ns(&self) -> f64 {
        wire_bits(self.largest) / self.rate_bps * 1e9
    }
}

impl PiBounds {
    /// The longest time to its end on the wire, ns, from when a frame is the first of its connection
    /// and conforms: every other connection goes at most once before it, whatever it sends. `None` if R
    /// is not above the rate of signalling.
    ///
    /// (R (T + lookahead) + l_max + sigma_s + sum of l) / (R - rho_s)
    #[must_use]
    pub fn turn_delay_ns(&self, all: &Admitted, lookahead_ns: u64) -> Option<f64> {
        let left_bps = self.left_bps(&[all.signalling])?;
        let bits = self.before_turns_bits(all, lookahead_ns) + all.turn_bits;
        (left_bps > 0.0).then(|| bits / left_bps * 1e9)
    }

    /// The longest time from its arrival to its end on the wire, ns, of any frame of the connection `own`,
    /// one of `all`, whose frames come its interval apart or farther, whatever the others send. Frames
    /// that come up to v closer take up to v longer, if tau is as much above the bound.
    ///
    /// [`turn_delay_ns`](Self::turn_delay_ns) if a turn of all takes no longer than the interval; else, by
    /// the rates of the others, (R (T + lookahead) + l_max + sigma_s + sum of l + sum of r tau of the
    /// others) / (R - rho_s - sum of r of the others). `None` if tau is less than that: the shaper
    /// would hold back what the schedule made late.
    #[must_use]
    pub fn connection_delay_ns(
        &self,
        all: &Admitted,
        own: &Promised,
        lookahead_ns: u64,
    ) -> Option<f64> {
        let left_bps = self.left_bps(&[all.signalling])?;
        let turn_ns = self.turn_delay_ns(all, lookahead_ns)?;
        let by_turns = (all.turn_bits <= own.interval_ns() / 1e9 * left_bps).then_some(turn_ns);
        let others_bps = (all.rate_bps - own.rate_bps).max(0.0);
        let bursts = (all.burst_bits - own.burst_bits()).max(0.0);
        let bits = self.before_turns_bits(all, lookahead_ns) + all.turn_bits + bursts;
        let own_bps = left_bps - others_bps;
        let by_rates = (own_bps >= own.rate_bps).then(|| bits / own_bps * 1e9);
        let delay_ns = by_turns.into_iter().chain(by_rates).reduce(f64::min)?;
        (own.tolerance_ns >= delay_ns).then_some(delay_ns)
    }

    /// What is served before and beside the turns of connections: time without service, a frame that is
    /// on its way, signalling.
    fn before_turns_bits(&self, all: &Admitted, lookahead_ns: u64) -> f64 {
        let latency_ns = self.latency_ns + lookahead_ns as f64;
        self.guaranteed_bps * latency_ns / 1e9 + self.largest_bits() + all.signalling.sigma_bits
    }
}

/// Bits of wire of a frame.
fn wire_bits(octets_with_fcs: u32) -> f64 {
    8.0 * (u64::from(octets_with_fcs) + OVERHEAD_OCTETS) as f64
}
