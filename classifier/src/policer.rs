//! The ingress policer of a PI on a port: GCRA (ITU-T I.371) over octets, time injected.
//!
//! `governor` keeps the theoretical arrival time and counts whole "nanoseconds" per cell, which is
//! too coarse for an octet at line rate (0.02 ns at 400 Gbit/s). So its clock is made to count
//! octets instead: it reads `now * rate`, the octets that the rate has earned, and one octet costs
//! one tick. The rate then carries no rounding error, whatever it is; a reading is rounded down to
//! whole octets, which can lend at most one octet and never adds up.
//!
//! One decision is a multiplication and a compare-and-swap; it must never allocate, lock or read
//! a clock of its own.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use thiserror::Error;

/// Lowest rate, bits/s.
pub const MIN_RATE_BPS: u64 = 1_000;

/// Highest rate, bits/s.
pub const MAX_RATE_BPS: u64 = 400_000_000_000;

/// One tick of the scaled clock, which is one octet earned.
const TICK: Duration = Duration::from_nanos(1);

/// Last reading, with room for any burst above it. At 400 Gbit/s it is reached after 11 years, at
/// 8 Gbit/s or less never; then the policer lets nothing pass.
const LAST_READING: u128 = (u64::MAX - (1 << 33)) as u128;

/// Bits in an octet times nanoseconds in a second.
const BIT_NS_PER_OCTET_S: u128 = 8_000_000_000;

/// What a policer cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PolicerError {
    /// The rate is out of range.
    #[error(
        "police rate {rate_bps} bit/s is out of range: allowed are {MIN_RATE_BPS} to {MAX_RATE_BPS} bit/s"
    )]
    Rate {
        /// The refused rate, bits/s.
        rate_bps: u64,
    },
    /// Nothing would ever conform.
    #[error(
        "police burst of 0 octets lets no frame pass: allowed are 1 to {} octets",
        u32::MAX
    )]
    Burst,
}

/// A clock that counts the octets a rate has earned.
#[derive(Debug)]
struct OctetClock {
    /// Octets per nanosecond times 2^shift, rounded up in its 63rd bit.
    octets_per_ns: u64,
    shift: u32,
    reading: AtomicU64,
}

impl OctetClock {
    fn new(rate_bps: u64) -> Self {
        let mut shift = 0;
        let scaled = |shift: u32| (u128::from(rate_bps) << shift).div_ceil(BIT_NS_PER_OCTET_S);
        while shift < 88 && scaled(shift + 1) < 1 << 63 {
            shift += 1;
        }
        Self {
            octets_per_ns: scaled(shift) as u64,
            shift,
            reading: AtomicU64::new(0),
        }
    }

    fn set(&self, now_ns: u64) {
        let octets = (u128::from(now_ns) * u128::from(self.octets_per_ns)) >> self.shift;
        self.reading
            .store(octets.min(LAST_READING) as u64, Ordering::Relaxed);
    }
}

impl Clock for OctetClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.reading.load(Ordering::Relaxed))
    }
}

/// A policer: octets at `rate_bps`, with a tolerance of `burst_octets`.
#[derive(Debug)]
pub struct Policer {
    limiter: RateLimiter<NotKeyed, InMemoryState, OctetClock, NoOpMiddleware<Nanos>>,
}

impl Policer {
    /// A policer of `rate_bps` bits/s whose bucket of `burst_octets` octets is full at instant 0.
    ///
    /// A frame longer than the burst never conforms.
    ///
    /// # Errors
    /// [`PolicerError`] if the rate is out of range or the burst is 0.
    pub fn new(rate_bps: u64, burst_octets: u32) -> Result<Self, PolicerError> {
        if !(MIN_RATE_BPS..=MAX_RATE_BPS).contains(&rate_bps) {
            return Err(PolicerError::Rate { rate_bps });
        }
        let burst = NonZeroU32::new(burst_octets).ok_or(PolicerError::Burst)?;
        let quota = Quota::with_period(TICK)
            .ok_or(PolicerError::Burst)?
            .allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(quota, OctetClock::new(rate_bps));
        Ok(Self { limiter })
    }

    /// Whether a frame of `octets` at `now_ns` conforms; if so, its octets are taken from the
    /// bucket. Frames of one instant may be asked for together, by their sum: they conform if each
    /// does, one after the other.
    ///
    /// Instants must not go back, but for what the clocks of several workers that share a policer
    /// are apart: each may be judged by the instant of another.
    #[inline]
    #[must_use]
    pub fn conforms(&self, now_ns: u64, octets: u32) -> bool {
        let Some(octets) = NonZeroU32::new(octets) else {
            return true;
        };
        self.limiter.clock().set(now_ns);
        matches!(self.limiter.check_n(octets), Ok(Ok(())))
    }
}
