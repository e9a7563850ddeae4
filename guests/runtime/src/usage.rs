//! How a guest spends its time: on frames, or polling for them.
//!
//! One reading of the tick counter a round of the main loop; must never be needed per frame.

use crate::control::Usage;

/// Ticks by what they were spent on.
#[derive(Debug)]
pub struct Meter {
    last: u64,
    busy: u64,
    poll: u64,
    frames: u64,
    discarded: u64,
    wakeups: u64,
}

impl Meter {
    /// Starts at `now`, in the platform's ticks.
    pub fn new(now: u64) -> Self {
        Meter {
            last: now,
            busy: 0,
            poll: 0,
            frames: 0,
            discarded: 0,
            wakeups: 0,
        }
    }

    /// A round ended: it moved `frames`, of which `discarded` went no further; `worked` also when
    /// it only returned buffers.
    #[inline]
    pub fn round(&mut self, now: u64, worked: bool, frames: usize, discarded: usize) {
        let spent = now.wrapping_sub(self.last);
        self.last = now;
        if worked {
            self.busy += spent;
            self.frames += frames as u64;
            self.discarded += discarded as u64;
        } else {
            self.poll += spent;
        }
    }

    /// The guest slept until `now`: that time is not counted.
    #[inline]
    pub fn slept(&mut self, now: u64) {
        self.last = now;
        self.wakeups += 1;
    }

    /// The totals, with ticks turned to nanoseconds by `nanoseconds`.
    pub fn usage(&self, nanoseconds: impl Fn(u64) -> u64) -> Usage {
        Usage {
            busy_ns: nanoseconds(self.busy),
            poll_ns: nanoseconds(self.poll),
            frames: self.frames,
            discarded: self.discarded,
            wakeups: self.wakeups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_where_it_was_spent() {
        let mut meter = Meter::new(100);
        meter.round(150, true, 3, 1);
        meter.round(170, false, 0, 0);
        meter.slept(1170);
        meter.round(1180, true, 1, 0);
        assert_eq!(
            meter.usage(|ticks| 2 * ticks),
            Usage {
                busy_ns: 120,
                poll_ns: 40,
                frames: 4,
                discarded: 1,
                wakeups: 1
            }
        );
    }
}
