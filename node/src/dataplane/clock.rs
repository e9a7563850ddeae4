//! The clock of the data plane: monotonic nanoseconds, and how they relate to CLOCK_TAI.
//!
//! Gates run on CLOCK_MONOTONIC, which never steps. Base times are given in CLOCK_TAI
//! (IEEE 802.1Q-2018 8.6.9); they are converted once, at the control edge, never per frame.

use std::sync::atomic::{AtomicI64, Ordering};

use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime, clock_gettime_dynamic};

/// Where the worker reads the time. Injected, so that the data plane runs in virtual time in
/// tests.
pub trait Clock: Send {
    /// Nanoseconds of one monotonic clock. Never enters the kernel.
    fn now_ns(&self) -> u64;

    /// Looks at nothing but the clock until `at_ns`, and gives the instant at which it was over. Never
    /// enters the kernel: for microseconds.
    fn watch_until(&self, at_ns: u64) -> u64 {
        loop {
            let now_ns = self.now_ns();
            if now_ns >= at_ns {
                return now_ns;
            }
            std::hint::spin_loop();
        }
    }
}

/// CLOCK_MONOTONIC, read through the vDSO.
#[derive(Debug, Clone, Copy, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now_ns(&self) -> u64 {
        monotonic_ns()
    }
}

/// How far CLOCK_TAI is ahead of CLOCK_MONOTONIC, in nanoseconds, now.
#[must_use]
pub fn tai_offset_ns() -> i128 {
    // The middle of two monotonic readings around the TAI one halves the error of the reading.
    let before = monotonic_ns();
    let tai = tai_ns();
    let after = monotonic_ns();
    i128::from(tai) - (i128::from(before) + i128::from(after)) / 2
}

/// The conversion between the worker's clock and CLOCK_TAI.
///
/// Both advance alike, so the distance is measured once; a reading each time would differ by what
/// the reading takes. It is measured anew when CLOCK_TAI was stepped.
#[derive(Debug)]
pub struct Tai {
    offset_ns: AtomicI64,
}

/// A distance that differs by so much is a step and not the time between two readings.
const STEP_NS: i128 = 1_000_000;

impl Tai {
    /// With the distance `offset_ns`, as [`tai_offset_ns`] gave it.
    #[must_use]
    pub fn new(offset_ns: i128) -> Self {
        Self {
            offset_ns: AtomicI64::new(i64::try_from(offset_ns).unwrap_or(0)),
        }
    }

    /// How far CLOCK_TAI is ahead, in nanoseconds.
    #[must_use]
    pub fn offset_ns(&self) -> i128 {
        let known = i128::from(self.offset_ns.load(Ordering::Relaxed));
        let now = tai_offset_ns();
        if (now - known).abs() < STEP_NS {
            return known;
        }
        self.offset_ns
            .store(i64::try_from(now).unwrap_or(0), Ordering::Relaxed);
        now
    }

    /// The CLOCK_TAI instant of the worker's instant `monotonic_ns`.
    #[must_use]
    pub fn at(&self, monotonic_ns: u64) -> u64 {
        u64::try_from(i128::from(monotonic_ns) + self.offset_ns()).unwrap_or(0)
    }
}

fn monotonic_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// CLOCK_TAI now.
#[must_use]
pub fn tai_ns() -> u64 {
    // Every Linux since 3.10 has CLOCK_TAI; without it the epoch is that of CLOCK_REALTIME.
    let tai = clock_gettime_dynamic(DynamicClockId::Tai);
    nanoseconds(tai.unwrap_or_else(|_| clock_gettime(ClockId::Realtime)))
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_does_not_run_backwards() {
        let clock = Monotonic;
        let mut last = clock.now_ns();
        for _ in 0..10_000 {
            let now = clock.now_ns();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn tai_is_a_shift_of_the_monotonic_clock() {
        let tai = Tai::new(tai_offset_ns());
        let before = tai_ns();
        let converted = tai.at(Monotonic.now_ns());
        let after = tai_ns();
        // The two clocks are read apart; a millisecond is far more than the readings take.
        assert!(converted + 1_000_000 > before && converted < after + 1_000_000);
        assert_eq!(
            tai.at(1_000) - tai.at(0),
            1_000,
            "readings do not add jitter"
        );
    }

    #[test]
    fn a_step_of_tai_is_followed() {
        let tai = Tai::new(tai_offset_ns() + 10 * STEP_NS);
        assert!((tai.offset_ns() - tai_offset_ns()).abs() < STEP_NS);
    }
}
