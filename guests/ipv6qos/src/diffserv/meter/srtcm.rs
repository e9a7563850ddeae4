//! The single rate three color marker (RFC 2697): one rate that fills first the committed, then the excess bucket.
//!
//! Must never let more green packets pass in any time t than the committed burst and what the rate brings in t.

use super::bucket::{Bucket, earned, price};
use super::{Colour, Filled};

/// A single rate meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrTcm {
    cir_bps: u64,
    committed: Bucket,
    excess: Bucket,
    filled: Filled,
}

impl SrTcm {
    /// A meter of CIR in bits per second, CBS and EBS in octets, [`super::DEEPEST`] at most.
    pub const fn new(cir_bps: u64, cbs: u64, ebs: u64) -> Self {
        SrTcm {
            cir_bps,
            committed: Bucket::full(cbs),
            excess: Bucket::full(ebs),
            filled: Filled { at_ns: 0 },
        }
    }

    /// The colour of a packet of `octets` that comes at `now_ns` as `came` (RFC 2697 3).
    #[inline]
    pub fn colour(&mut self, now_ns: u64, octets: u16, came: Colour) -> Colour {
        let passed_ns = self.filled.passed_ns(now_ns);
        // Nothing takes tokens in between: filling one bucket up and then the other is what filling both bit by bit is.
        let over = self.committed.fill(earned(self.cir_bps, passed_ns));
        self.excess.fill(over);
        let price = price(octets);
        if came == Colour::Green && self.committed.take(price) {
            Colour::Green
        } else if came != Colour::Red && self.excess.take(price) {
            Colour::Yellow
        } else {
            Colour::Red
        }
    }
}
