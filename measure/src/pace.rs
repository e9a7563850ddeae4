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
    /// Of the frames being sent, whole nanoseconds; `u64::MAX` when none will be: what is asked for each frame.
    due_ns: u64,
    /// The same, nanoseconds with 32 fraction bits, whether there is an end before it or not.
    due: u128,
    /// Between bursts, the same unit.
    step: u128,
    /// No frame is due at or after this.
    end_ns: u64,
    /// Frames of a burst; 1 when even.
    burst: u32,
    /// Frames of the first burst.
    opening: u32,
    /// Frames of the current burst, the opening or another.
    whole: u32,
    /// Frames of the current burst not yet sent.
    left: u32,
    /// A frame this late is given up.
    patience_ns: u64,
    /// Frames that are caught up after a stall.
    backlog: u32,
    /// From this instant on the time between bursts is another.
    change: Option<Change>,
    /// The start.
    began: u128,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    at: u128,
    factor: f64,
}

impl Change {
    fn not_before(self, began: u128) -> Self {
        Self {
            at: self.at.max(began),
            ..self
        }
    }
}

impl Pacer {
    /// `rate_fps` is a checked stream's; at most `backlog` frames are caught up after a stall.
    #[must_use]
    pub fn new(rate_fps: f64, pattern: Pattern, backlog: u32) -> Self {
        let burst = match pattern {
            Pattern::Even | Pattern::Opening(_) => 1,
            Pattern::Bursts(frames) => frames.max(1),
        };
        let opening = match pattern {
            Pattern::Even => 1,
            Pattern::Bursts(frames) | Pattern::Opening(frames) => frames.max(1),
        };
        let period = 1e9 / rate_fps;
        // Rounded up: no frame is due before its time, so that a time of whole periods has none too many.
        let step = ((period * (1u64 << FRACTION) as f64) as u128 + 1) * u128::from(burst);
        Self {
            due_ns: u64::MAX,
            due: u128::MAX,
            step,
            end_ns: u64::MAX,
            burst,
            opening,
            whole: opening,
            left: opening,
            patience_ns: patience_ns(step, burst, backlog),
            backlog,
            change: None,
            began: 0,
        }
    }

    /// The first frame is due at `start_ns` plus `part` (0.0 up to 1.0) of the time between bursts.
    pub fn start(&mut self, start_ns: u64, part: f64) {
        let shift = (self.step as f64 * part.clamp(0.0, 1.0)) as u128;
        self.end_ns = u64::MAX;
        (self.whole, self.left) = (self.opening, self.opening);
        self.began = u128::from(start_ns) << FRACTION;
        self.change = self.change.map(|change| change.not_before(self.began));
        self.set(self.began + shift);
    }

    /// No frame is due at `end_ns` or later.
    pub fn stop(&mut self, end_ns: u64) {
        self.end_ns = end_ns;
        self.set(self.due);
    }

    /// From `at_ns` on the rate is multiplied by `factor` (above 0), once: of the time between two bursts, the
    /// part behind that instant, and behind the start, is divided by it. Given before `at_ns`.
    pub fn change(&mut self, at_ns: u64, factor: f64) {
        let at = u128::from(at_ns) << FRACTION;
        self.change = Some(Change { at, factor }.not_before(self.began));
        self.set(self.due);
    }

    /// When the next frame is due; `u64::MAX` when none will be.
    #[inline]
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// The next frame was taken.
    #[inline]
    pub fn advance(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            (self.whole, self.left) = (self.burst, self.burst);
            self.set(self.due.saturating_add(self.step));
        }
    }

    /// Gives up the frames that are later than the bound and returns how many. Cheap when none is.
    #[inline]
    pub fn give_up(&mut self, now_ns: u64) -> u64 {
        let oldest_ns = now_ns.saturating_sub(self.patience_ns);
        if self.due_ns >= oldest_ns {
            return 0;
        }
        self.give_up_before(oldest_ns.min(self.end_ns))
    }

    /// Gives up the frames that were due before `oldest_ns` and before the end, and returns how many.
    pub fn give_up_older(&mut self, oldest_ns: u64) -> u64 {
        self.give_up_before(oldest_ns.min(self.end_ns))
    }

    /// All that is to come is due later by this, the end and a change of rate too: as many frames, at the same
    /// distances.
    pub fn delay(&mut self, by_ns: u64) {
        let by = u128::from(by_ns) << FRACTION;
        self.end_ns = self.end_ns.saturating_add(by_ns);
        self.began = self.began.saturating_add(by);
        if let Some(change) = &mut self.change {
            change.at = change.at.saturating_add(by);
        }
        self.set(self.due.saturating_add(by));
    }

    /// The next frame is the first of a burst; always so where frames are even.
    #[inline]
    #[must_use]
    pub fn begins_burst(&self) -> bool {
        self.left == self.whole
    }

    /// Gives up all frames that are due before the end and returns how many; 0 where there is no end.
    pub fn give_up_rest(&mut self) -> u64 {
        match self.end_ns {
            u64::MAX => 0,
            end_ns => self.give_up_before(end_ns),
        }
    }

    #[inline]
    fn set(&mut self, due: u128) {
        self.due = due;
        if self.change.is_some_and(|change| due >= change.at) {
            self.pass_change();
        }
        let due_ns = u64::try_from(self.due >> FRACTION).unwrap_or(u64::MAX);
        self.due_ns = if due_ns < self.end_ns {
            due_ns
        } else {
            u64::MAX
        };
    }

    #[cold]
    fn pass_change(&mut self) {
        if self.due == u128::MAX {
            return; // Not started.
        }
        if let Some(Change { at, factor }) = self.change.take() {
            let scaled = |time: u128| (time as f64 / factor) as u128;
            self.due = at.saturating_add(scaled(self.due - at));
            self.step = scaled(self.step) + 1;
            self.patience_ns = patience_ns(self.step, self.burst, self.backlog);
        }
    }

    #[cold]
    fn give_up_before(&mut self, oldest_ns: u64) -> u64 {
        let oldest = u128::from(oldest_ns) << FRACTION;
        let mut frames: u64 = 0;
        // In two parts where the rate changes in between.
        while self.due < oldest {
            let until = self.change.map_or(oldest, |change| oldest.min(change.at));
            let bursts = (until - self.due).div_ceil(self.step);
            let left = std::mem::replace(&mut self.left, self.burst);
            self.whole = self.burst;
            let whole = u64::try_from(bursts - 1).unwrap_or(u64::MAX);
            frames = frames
                .saturating_add(whole.saturating_mul(u64::from(self.burst)))
                .saturating_add(u64::from(left));
            self.set(self.due.saturating_add(bursts * self.step));
        }
        frames
    }
}

fn patience_ns(step: u128, burst: u32, backlog: u32) -> u64 {
    let bursts = u128::from(backlog.div_ceil(burst));
    let patience = step.saturating_mul(bursts) >> FRACTION;
    u64::try_from(patience).unwrap_or(u64::MAX)
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
    fn an_opening_burst_comes_once_and_then_the_rate() {
        let mut p = Pacer::new(1e6, Pattern::Opening(3), 64);
        p.start(0, 0.0);
        p.stop(4_000);
        let (sent, _) = run(&mut p, (0..=6_000).step_by(10));
        assert_eq!(sent, [0, 0, 0, 1_000, 2_000, 3_000]);
        // Given up as a whole, and again with the next start.
        p.start(0, 0.0);
        p.stop(3_000);
        p.advance();
        assert_eq!(p.give_up_rest(), 4);
    }

    #[test]
    fn a_part_of_the_step_shifts_the_stream() {
        let mut p = Pacer::new(1e6, Pattern::Even, 64);
        p.start(0, 0.25);
        assert_eq!(p.due_ns(), 250);
    }

    #[test]
    fn the_rate_changes_at_the_instant() {
        let mut p = Pacer::new(1e6, Pattern::Even, 64);
        p.start(0, 0.5);
        p.change(3_000, 0.5);
        p.stop(9_000);
        // Due at 3.5 us by the old rate: half a microsecond behind the change, which takes twice as long now.
        let (sent, given_up) = run(&mut p, [20_000]);
        assert_eq!(
            (sent, given_up),
            (vec![500, 1_500, 2_500, 4_000, 6_000, 8_000], 0)
        );
    }

    #[test]
    fn a_change_may_lie_at_the_start_or_before_it() {
        for at in [0, 1_000] {
            let mut p = Pacer::new(1e6, Pattern::Even, 64);
            p.change(at, 10.0);
            p.start(1_000, 0.0);
            p.stop(2_000);
            assert_eq!(run(&mut p, [5_000]).0.len(), 10, "{at}");
        }
    }

    #[test]
    fn the_rest_is_given_up_up_to_the_end() {
        let mut p = Pacer::new(1e6, Pattern::Bursts(4), 64);
        p.start(0, 0.0);
        assert_eq!(p.give_up_rest(), 0, "no end");
        p.stop(10_000);
        p.advance();
        // Bursts at 0, 4 and 8 us, of which one frame was taken.
        assert_eq!((p.give_up_rest(), p.due_ns()), (11, u64::MAX));
        assert_eq!(p.give_up_rest(), 0);
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

        /// Against a count from the two rates.
        #[test]
        fn a_change_of_rate_loses_no_frame(
            rate in 1_000.0f64..1e7,
            factor in 0.01f64..20.0,
            change_ns in 0u64..2_000_000,
            end_ns in 1u64..4_000_000,
            backlog in 0u32..100,
            gaps in proptest::collection::vec(0u64..300_000, 1..40),
        ) {
            let mut p = Pacer::new(rate, Pattern::Even, backlog);
            p.start(0, 0.0);
            p.change(change_ns, factor);
            p.stop(end_ns);
            let calls = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) });
            let (sent, given_up) = run(&mut p, calls);
            prop_assert!(sent.is_sorted());
            let total = (sent.len() as u64 + given_up + p.give_up_rest()) as f64;
            let before = change_ns.min(end_ns) as f64;
            let behind = end_ns.saturating_sub(change_ns) as f64;
            // The first is due at once.
            let due = (before + behind * factor) * rate / 1e9;
            prop_assert!((total - due).abs() <= 1.0 + due * 1e-6, "{total} of {due}");
            prop_assert_eq!(p.due_ns(), u64::MAX);
        }
    }
}
