//! A token bucket, exact: tokens are billionths of a bit, of which a rate of r bit/s brings r in a nanosecond.
//!
//! So nothing is ever rounded, and nothing drifts. Must never let a packet take tokens that are not there whole.

/// Tokens in an octet.
const OCTET: u64 = 8_000_000_000;

/// Octets of the deepest bucket, 1 GiB: two of them hold no more tokens than 64 bits count.
pub const DEEPEST: u64 = 1 << 30;

/// Tokens that `rate_bps` brings in `passed_ns`; no fewer than two of the deepest buckets hold, if it is more than can be
/// counted.
#[inline]
pub const fn earned(rate_bps: u64, passed_ns: u64) -> u64 {
    rate_bps.saturating_mul(passed_ns)
}

/// Tokens that a packet of `octets` takes.
#[inline]
pub const fn price(octets: u16) -> u64 {
    octets as u64 * OCTET
}

/// A bucket; it begins full (RFC 2697 3, RFC 2698 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    depth: u64,
    tokens: u64,
}

impl Bucket {
    /// A bucket for `octets`, [`DEEPEST`] at most.
    pub const fn full(octets: u64) -> Self {
        let octets = if octets < DEEPEST { octets } else { DEEPEST };
        let depth = octets * OCTET;
        Bucket {
            depth,
            tokens: depth,
        }
    }

    /// Puts tokens in; gives those that there is no room for.
    #[inline]
    pub fn fill(&mut self, tokens: u64) -> u64 {
        let room = self.depth - self.tokens;
        let taken = if tokens < room { tokens } else { room };
        self.tokens += taken;
        tokens - taken
    }

    /// Takes `price` out, if it is there whole.
    #[inline]
    pub fn take(&mut self, price: u64) -> bool {
        match self.tokens.checked_sub(price) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}
