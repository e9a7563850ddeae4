//! What a sender over interfaces does when it comes late: it pauses its streams, and owns up to it.
//!
//! Whoever catches up what a stall held back sends it at the speed of the interface, above the load of the trial; what
//! small buffers of the device then lose, the tester's own stall has lost. So a sender that is late by more than its
//! patience moves the whole schedule by its lateness: all streams of a side together, their order and distances stay,
//! every frame is sent, and the trial lasts that much longer. What was offered is then less than what was asked for, by
//! exactly what is counted here. Must never know a clock, nor forget a nanosecond of a pause.

/// The part of a trial's time for which a sender may pause before the trial is refused. What was found counts as found
/// at the load that was offered with the pauses, so that they understate it by no more than this.
pub const MOST_PAUSED: f64 = 0.02;

/// What is caught up all the same, nanoseconds: lateness of timers and of a look at the other direction.
pub const PATIENCE_NS: u64 = 100_000;

/// So many frames are caught up where they take longer than [`PATIENCE_NS`].
const FEW_FRAMES: f64 = 4.0;

/// A sender may begin so late before that is a pause, too, nanoseconds: before the first frame nothing is torn.
const MOST_LATE_START_NS: u64 = 100_000_000;

/// How a sender was late in a trial, at one side; nanoseconds. All 0 where it was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pauses {
    /// Pauses.
    pub count: u64,
    /// Their sum.
    pub paused_ns: u64,
    /// The longest.
    pub longest_ns: u64,
    /// Its first frame went so much later than at the start; no pause, as nothing was under way.
    pub late_start_ns: u64,
    /// By so much the rates changed later than at their time (a load's step): all of the above before it.
    pub before_step_ns: u64,
}

impl Pauses {
    /// By so much the schedule of the side moved in all: its last frame was due so much later.
    #[must_use]
    pub fn shift_ns(&self) -> u64 {
        self.late_start_ns + self.paused_ns
    }
}

/// When a source pauses, and its account.
#[derive(Debug)]
pub(crate) struct Pausing {
    pub(crate) patience_ns: u64,
    /// Beyond so much it gives up what is late: the trial is refused anyway, and must have an end.
    most_ns: u64,
    /// The rates change at this instant; `u64::MAX`: they do not.
    pub(crate) change_at_ns: u64,
    pub(crate) account: Pauses,
}

impl Pausing {
    /// For streams of `fps` frames per second together, which are due for `duration_ns`.
    pub(crate) fn new(fps: f64, duration_ns: u64) -> Self {
        let few_ns = FEW_FRAMES * 1e9 / fps;
        Self {
            patience_ns: PATIENCE_NS.max(few_ns as u64),
            most_ns: (duration_ns as f64 * MOST_PAUSED) as u64,
            change_at_ns: u64::MAX,
            account: Pauses::default(),
        }
    }

    /// The frame due at `due_ns` is late by `late_ns`, above the patience. `begun`: others went before it. Says whether
    /// the schedule moves by that.
    pub(crate) fn book(&mut self, due_ns: u64, late_ns: u64, begun: bool) -> bool {
        let account = &mut self.account;
        let late_start_ns = account.late_start_ns.saturating_add(late_ns);
        if !begun && late_start_ns <= MOST_LATE_START_NS {
            account.late_start_ns = late_start_ns;
        } else if account.paused_ns <= self.most_ns {
            account.count += 1;
            account.paused_ns += late_ns;
            account.longest_ns = account.longest_ns.max(late_ns);
        } else {
            return false;
        }
        if due_ns < self.change_at_ns && self.change_at_ns != u64::MAX {
            self.change_at_ns = self.change_at_ns.saturating_add(late_ns);
            account.before_step_ns += late_ns;
        }
        true
    }
}

#[cfg(test)]
#[path = "pause_tests.rs"]
mod tests;
