//! How a guest spends its time: on frames, polling for them, or kept off its CPU in the middle of either.
//!
//! One reading of the tick counter a round of the main loop. What the host gave to others while the guest
//! was at work is no time spent on frames: it is looked up when a round took suspiciously long, and taken out.
//! Must never be needed per frame, nor ask the platform for more than ticks in an ordinary round.

use crate::control::Usage;

/// Where a guest's time comes from.
pub trait Clock {
    /// A counter that always goes forward, cheap to read.
    fn ticks(&self) -> u64;
    /// Length of a number of ticks, nanoseconds.
    fn nanoseconds(&self, ticks: u64) -> u64;
    /// Time that passed while the guest did not run, nanoseconds since any instant: at least that in which it
    /// was ready and something else had its CPU. May count sleep too. Zero where it is not known.
    fn away_ns(&self) -> u64;
}

/// A round that takes so long may have been interrupted: ten times a full burst of a plain function.
const SUSPECT_NS: u64 = 20_000;

/// Ticks by what they were spent on.
#[derive(Debug)]
pub struct Meter {
    began: u64,
    last: u64,
    suspect: u64,
    /// What [`Clock::away_ns`] said last.
    away_last_ns: u64,
    busy: Spent,
    poll: Spent,
    frames: u64,
    discarded: u64,
    wakeups: u64,
}

/// Ticks that passed, and how much of that others had.
#[derive(Debug, Default)]
struct Spent {
    ticks: u64,
    away_ns: u64,
}

impl Spent {
    fn own_ns(&self, clock: &impl Clock) -> u64 {
        clock.nanoseconds(self.ticks).saturating_sub(self.away_ns)
    }
}

impl Meter {
    /// Starts now.
    pub fn new(clock: &impl Clock) -> Self {
        let now = clock.ticks();
        let long = |power: &u32| clock.nanoseconds(1 << power) >= SUSPECT_NS;
        Meter {
            began: now,
            last: now,
            // Without a known length of ticks no round is suspicious.
            suspect: (0..u64::BITS).find(long).map_or(u64::MAX, |p| 1 << p),
            away_last_ns: clock.away_ns(),
            busy: Spent::default(),
            poll: Spent::default(),
            frames: 0,
            discarded: 0,
            wakeups: 0,
        }
    }

    /// A round ended: it moved `frames`, of which `discarded` went no further; `worked` also when
    /// it only returned buffers.
    #[inline]
    pub fn round(&mut self, clock: &impl Clock, worked: bool, frames: usize, discarded: usize) {
        let now = clock.ticks();
        let spent = now.wrapping_sub(self.last);
        self.last = now;
        let away_ns = if spent < self.suspect {
            0
        } else {
            self.away_in(clock, spent)
        };
        let to = if worked {
            &mut self.busy
        } else {
            &mut self.poll
        };
        to.ticks += spent;
        to.away_ns += away_ns;
        self.frames += frames as u64;
        self.discarded += discarded as u64;
    }

    /// How much of the `spent` ticks others had. What they had in rounds before that were too short to be
    /// suspicious is in it, too.
    #[cold]
    fn away_in(&mut self, clock: &impl Clock, spent: u64) -> u64 {
        let away_ns = clock.away_ns();
        let since = away_ns.saturating_sub(self.away_last_ns);
        self.away_last_ns = away_ns;
        since.min(clock.nanoseconds(spent))
    }

    /// The time since the last round went to the host (a line of the control channel): it is not counted.
    pub fn talked(&mut self, clock: &impl Clock) {
        // In this order: the first may be a system call, which is not the next round's.
        self.away_last_ns = clock.away_ns();
        self.last = clock.ticks();
    }

    /// The guest slept until now: that time is not counted.
    pub fn slept(&mut self, clock: &impl Clock) {
        self.talked(clock);
        self.wakeups += 1;
    }

    /// The time since it began, at the end of the last round or sleep; nanoseconds.
    #[inline]
    pub fn now_ns(&self, clock: &impl Clock) -> u64 {
        clock.nanoseconds(self.last.wrapping_sub(self.began))
    }

    /// The totals at the end of the last round.
    pub fn usage(&self, clock: &impl Clock) -> Usage {
        Usage {
            up_ns: clock.nanoseconds(self.last.wrapping_sub(self.began)),
            busy_ns: self.busy.own_ns(clock),
            poll_ns: self.poll.own_ns(clock),
            away_ns: self.busy.away_ns + self.poll.away_ns,
            frames: self.frames,
            discarded: self.discarded,
            wakeups: self.wakeups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// Ticks of 2 ns.
    #[derive(Default)]
    struct Fake {
        ticks: Cell<u64>,
        away_ns: Cell<u64>,
        asked: Cell<u32>,
    }

    impl Fake {
        fn pass(&self, ticks: u64, away_ns: u64) -> &Self {
            self.ticks.set(self.ticks.get() + ticks);
            self.away_ns.set(self.away_ns.get() + away_ns);
            self
        }
    }

    impl Clock for Fake {
        fn ticks(&self) -> u64 {
            self.ticks.get()
        }
        fn nanoseconds(&self, ticks: u64) -> u64 {
            ticks.saturating_mul(2)
        }
        fn away_ns(&self) -> u64 {
            self.asked.set(self.asked.get() + 1);
            self.away_ns.get()
        }
    }

    #[test]
    fn time_goes_where_it_was_spent() {
        let clock = Fake::default();
        let mut meter = Meter::new(clock.pass(100, 0));
        meter.round(clock.pass(50, 0), true, 3, 1);
        meter.round(clock.pass(20, 0), false, 0, 0);
        meter.talked(clock.pass(400, 0));
        meter.slept(clock.pass(1000, 2000));
        meter.round(clock.pass(10, 0), true, 1, 0);
        assert_eq!(
            meter.usage(&clock),
            Usage {
                up_ns: 2960,
                busy_ns: 120,
                poll_ns: 40,
                away_ns: 0,
                frames: 4,
                discarded: 1,
                wakeups: 1
            }
        );
    }

    #[test]
    fn what_others_had_is_taken_out() {
        let clock = Fake::default();
        let mut meter = Meter::new(&clock);
        meter.slept(clock.pass(1_000_000, 2_000_000));
        // 4 ms of which others had all but 3 us.
        meter.round(clock.pass(2_000_000, 3_997_000), true, 64, 0);
        meter.round(clock.pass(1_000_000, 1_999_000), false, 0, 0);
        let usage = meter.usage(&clock);
        assert_eq!((usage.busy_ns, usage.poll_ns), (3_000, 1_000));
        assert_eq!(usage.away_ns, 5_996_000);
        assert_eq!(usage.up_ns, 8_000_000);
    }

    #[test]
    fn ordinary_rounds_ask_for_ticks_alone_and_no_round_is_negative() {
        let clock = Fake::default();
        let mut meter = Meter::new(&clock);
        let asked = clock.asked.get();
        for _ in 0..1000 {
            meter.round(clock.pass(5000, 7), true, 64, 0);
        }
        assert_eq!(clock.asked.get(), asked);
        // Others had more than the suspicious round in all: what came before was theirs, too.
        meter.round(clock.pass(20_000, 100_000), true, 0, 0);
        let usage = meter.usage(&clock);
        assert_eq!((usage.busy_ns, usage.away_ns), (10_000_000, 40_000));
    }

    #[test]
    fn ticks_of_unknown_length_are_never_suspicious() {
        struct Unknown;
        impl Clock for Unknown {
            fn ticks(&self) -> u64 {
                1 << 62
            }
            fn nanoseconds(&self, _: u64) -> u64 {
                0
            }
            fn away_ns(&self) -> u64 {
                0
            }
        }
        assert_eq!(Meter::new(&Unknown).suspect, u64::MAX);
    }
}
