//! A token bucket: never more than burst + rate * t octets in any time t (RFC 2697 2, one bucket).
//!
//! Exact: tokens are counted in billionths of a bit, of which a rate of r bit/s brings r in a
//! nanosecond. Must never let a frame pass on tokens that it does not have whole.

use crate::rate::LinkRate;

/// Billionths of a bit in an octet.
const PARTS: u64 = 8_000_000_000;

/// A policer that knows no clock.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: LinkRate,
    depth: u64,
    tokens: u64,
    at_ns: u64,
}

impl Bucket {
    /// A full bucket. A burst above 2.3 GB counts as that.
    pub(super) fn new(rate: LinkRate, burst_octets: u32) -> Self {
        let depth = u64::from(burst_octets).saturating_mul(PARTS);
        Self {
            rate,
            depth,
            tokens: depth,
            at_ns: 0,
        }
    }

    /// Whether a frame of `octets` conforms; then it has paid.
    #[inline]
    pub(super) fn takes(&mut self, now_ns: u64, octets: u32) -> bool {
        let passed_ns = now_ns.saturating_sub(self.at_ns);
        self.at_ns = self.at_ns.max(now_ns);
        let earned = passed_ns.saturating_mul(self.rate.bits_per_s());
        self.tokens = self.tokens.saturating_add(earned).min(self.depth);
        let price = u64::from(octets).saturating_mul(PARTS);
        match self.tokens.checked_sub(price) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}
