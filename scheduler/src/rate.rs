//! The rate of a link and the time that a frame holds it.

use std::num::NonZeroU64;

use thiserror::Error;

/// Octets that a frame holds the wire beyond its own: preamble, start delimiter and interframe gap
/// (IEEE Std 802.3-2018 3.1.1, 4.4.2).
pub const OVERHEAD_OCTETS: u64 = 20;

/// Picoseconds in a second times bits in an octet.
const PS_BITS: u64 = 8_000_000_000_000;

/// A link without a rate carries nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("link rate is 0 bit/s: allowed is 1 bit/s and more")]
pub struct RateError;

/// Rate of a link, bits/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkRate(NonZeroU64);

impl LinkRate {
    /// A rate in bits/s.
    ///
    /// # Errors
    /// [`RateError`] if it is 0.
    pub const fn new(bits_per_s: u64) -> Result<Self, RateError> {
        match NonZeroU64::new(bits_per_s) {
            Some(rate) => Ok(Self(rate)),
            None => Err(RateError),
        }
    }

    /// The rate in bits/s.
    #[must_use]
    pub const fn bits_per_s(self) -> u64 {
        self.0.get()
    }

    /// How long a frame of `octets_with_fcs` holds the link, in picoseconds: 8 (L + 20) / C.
    ///
    /// Exact where it is a whole number of picoseconds (any frame at 1, 2.5, 10, 25, 40, 100,
    /// 200 and 400 Gbit/s), else rounded up: the link is never charged less than a frame takes.
    #[inline]
    #[must_use]
    pub const fn wire_time_ps(self, octets_with_fcs: u32) -> u64 {
        let octets = octets_with_fcs as u64 + OVERHEAD_OCTETS;
        match octets.checked_mul(PS_BITS) {
            Some(ps_bits) => ps_bits.div_ceil(self.0.get()),
            None => {
                let ps = (octets as u128 * PS_BITS as u128).div_ceil(self.0.get() as u128);
                if ps > u64::MAX as u128 {
                    u64::MAX
                } else {
                    ps as u64
                }
            }
        }
    }
}
