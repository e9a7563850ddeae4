//! The two rate three color marker (RFC 2698): a peak rate and a committed rate, each with a bucket of its own.
//!
//! Must never let more green packets pass in any time t than the committed burst and what the committed rate brings in
//! t, nor more of green and yellow together than the peak burst and what the peak rate brings.

use super::bucket::{Bucket, earned, price};
use super::{Colour, Filled};

/// A two rate meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrTcm {
    cir_bps: u64,
    pir_bps: u64,
    committed: Bucket,
    peak: Bucket,
    filled: Filled,
}

impl TrTcm {
    /// A meter of CIR and PIR in bits per second, CBS and PBS in octets, [`super::DEEPEST`] at most.
    pub const fn new(cir_bps: u64, cbs: u64, pir_bps: u64, pbs: u64) -> Self {
        TrTcm {
            cir_bps,
            pir_bps,
            committed: Bucket::full(cbs),
            peak: Bucket::full(pbs),
            filled: Filled { at_ns: 0 },
        }
    }

    /// The colour of a packet of `octets` that comes at `now_ns` as `came` (RFC 2698 3).
    #[inline]
    pub fn colour(&mut self, now_ns: u64, octets: u16, came: Colour) -> Colour {
        let passed_ns = self.filled.passed_ns(now_ns);
        self.committed.fill(earned(self.cir_bps, passed_ns));
        self.peak.fill(earned(self.pir_bps, passed_ns));
        let price = price(octets);
        if came == Colour::Red || !self.peak.take(price) {
            Colour::Red
        } else if came == Colour::Green && self.committed.take(price) {
            Colour::Green
        } else {
            Colour::Yellow
        }
    }
}
