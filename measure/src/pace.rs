//! When the frames of a stream are due, to the frame, from an injected clock.
//!
//! Due instants are reckoned from the start, never from the last sending, so that a late call shifts
//! nothing. Frames that could not go in time are given up and counted beyond a bound: a stall of the
//! machine must not become a burst that no link could have carried.

use crate::stream::Pattern;

/// Fraction bits of a fixed-point nanosecond.
const FRACTION: u32 = 32;

/// The due instants of one stream.
#[derive(Debug, Clone)]
pub struct Pacer {
    /// Between bursts, nanoseconds with 32 fraction bits.
    step: u128,
    /// Of the frames being sent, the same unit.
    due: u128,
    /// No frame is due at or after this.
    end_ns: u64,
    /// Frames of a burst; 1 when even.
    burst: u32,
    /// Frames of the current burst not yet sent.
    left: u32,
    /// A frame this late is given up.
    patience_ns: u64,
}

impl Pacer {
    /// `rate_fps` is a checked stream's; at most `backlog` frames are caught up after a stall.
    #[must_use]
    pub fn new(rate_fps: f64, pattern: Pattern, backlog: u32) -> Self {
        let burst = match pattern {
            Pattern::Even => 1,
            Pattern::Bursts(frames) => frames.max(1),
        };
        let period = 1e9 / rate_fps;
        let step = ((period * (1u64 << FRACTION) as f64) as u128 * u128::from(burst)).max(1);
        let bursts = u128::from(backlog.div_ceil(burst));
        let patience = step.saturating_mul(bursts) >> FRACTION;
        Self {
            step,
            due: u128::MAX,
            end_ns: u64::MAX,
            burst,
            left: burst,
            patience_ns: u64::try_from(patience).unwrap_or(u64::MAX),
        }
    }

    /// The first frame is due at `start_ns` plus `part` (0.0 up to 1.0) of the time between bursts.
    pub fn start(&mut self, start_ns: u64, part: f64) {
        let shift = (self.step as f64 * part.clamp(0.0, 1.0)) as u128;
        self.due = (u128::from(start_ns) << FRACTION) + shift;
        self.end_ns = u64::MAX;
        self.left = self.burst;
    }

    /// No frame is due at `end_ns` or later.
    pub fn stop(&mut self, end_ns: u64) {
        self.end_ns = end_ns;
    }

    /// When the next frame is due; `u64::MAX` when none will be.
    #[inline]
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        let due = u64::try_from(self.due >> FRACTION).unwrap_or(u64::MAX);
        if due < self.end_ns { due } else { u64::MAX }
    }

    /// The next frame was taken.
    #[inline]
    pub fn advance(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.left = self.burst;
            self.due = self.due.saturating_add(self.step);
        }
    }

    /// Gives up the frames that are later than the bound and returns how many. Cheap when none is.
    #[inline]
    pub fn give_up(&mut self, now_ns: u64) -> u64 {
        let oldest_ns = now_ns.saturating_sub(self.patience_ns);
        if self.due_ns() >= oldest_ns {
            return 0;
        }
        self.give_up_before(oldest_ns.min(self.end_ns))
    }

    #[cold]
    fn give_up_before(&mut self, oldest_ns: u64) -> u64 {
        let late = (u128::from(oldest_ns) << FRACTION).saturating_sub(self.due);
        let bursts = late.div_ceil(self.step);
        if bursts == 0 {
            return 0;
        }
        self.due = self.due.saturating_add(bursts * self.step);
        let left = std::mem::replace(&mut self.left, self.burst);
        let whole = u64::try_from(bursts - 1).unwrap_or(u64::MAX);
        whole
            .saturating_mul(u64::from(self.burst))
            .saturating_add(u64::from(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Calls at the given instants, without a bound on frames a call; sent at, given up.
    fn run(pacer: &mut Pacer, calls: impl IntoIterator<Item = u64>) -> (Vec<u64>, u64) {
        let (mut sent, mut given_up) = (Vec::new(), 0);
        for now in calls {
            given_up += pacer.give_up(now);
            while pacer.due_ns() <= now {
                sent.push(pacer.due_ns());
                pacer.advance();
            }
        }
        (sent, given_up)
    }

    #[test]
    fn due_instants_do_not_drift() {
        let mut p = Pacer::new(3.0, Pattern::Even, 10);
        p.start(1_000, 0.0);
        for frame in 0..3_000_000u64 {
            let exact = 1_000 + (u128::from(frame) * 1_000_000_000 / 3) as u64;
            assert!(p.due_ns().abs_diff(exact) <= 1, "frame {frame}");
            p.advance();
        }
    }

    #[test]
    fn nothing_is_due_before_the_start_and_from_the_end_on() {
        let mut p = Pacer::new(1e6, Pattern::Even, 1_000);
        assert_eq!(p.due_ns(), u64::MAX);
        p.start(5_000, 0.0);
        p.stop(8_000);
        let (sent, given_up) = run(&mut p, [0, 4_999, 100_000]);
        assert_eq!((sent, given_up), (vec![5_000, 6_000, 7_000], 0));
    }

    #[test]
    fn a_stall_beyond_the_bound_is_not_caught_up() {
        let mut p = Pacer::new(1e6, Pattern::Even, 4);
        p.start(0, 0.0);
        // Due by 100 us: 101 frames. Those of the last 4 us may still go.
        let (sent, given_up) = run(&mut p, [100_000]);
        assert_eq!(sent, [96_000, 97_000, 98_000, 99_000, 100_000]);
        assert_eq!(given_up, 96);
    }

    #[test]
    fn bursts_come_at_once_and_have_the_mean_rate() {
        let mut p = Pacer::new(1e6, Pattern::Bursts(3), 64);
        p.start(0, 0.0);
        let (sent, _) = run(&mut p, (0..=6_000).step_by(10));
        assert_eq!(sent, [0, 0, 0, 3_000, 3_000, 3_000, 6_000, 6_000, 6_000]);
    }

    #[test]
    fn a_part_of_the_step_shifts_the_stream() {
        let mut p = Pacer::new(1e6, Pattern::Even, 64);
        p.start(0, 0.25);
        assert_eq!(p.due_ns(), 250);
    }

    proptest! {
        #[test]
        fn every_frame_due_is_sent_or_given_up(
            rate in 1_000.0f64..2e8,
            burst in 1u32..100,
            backlog in 0u32..5_000,
            gaps in proptest::collection::vec(0u64..3_000_000, 1..40),
        ) {
            let pattern = if burst == 1 { Pattern::Even } else { Pattern::Bursts(burst) };
            let mut p = Pacer::new(rate, pattern, backlog);
            p.start(0, 0.0);
            let end: u64 = gaps.iter().sum();
            let calls = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) });
            // Frames are only counted here: at 200 M frames/s a list would be long.
            let (mut sent, mut given_up) = (0u64, 0u64);
            for now in calls {
                given_up += p.give_up(now);
                let mut caught_up = 0;
                while p.due_ns() <= now {
                    p.advance();
                    caught_up += 1;
                }
                prop_assert!(caught_up <= u64::from(backlog) + 3 * u64::from(burst) + 1);
                sent += caught_up;
            }
            let bursts = (end as f64 * rate / 1e9 / f64::from(burst)).floor() as u64 + 1;
            prop_assert!((sent + given_up).abs_diff(bursts * u64::from(burst)) <= u64::from(burst));
        }
    }
}
