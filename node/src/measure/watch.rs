//! Who watches the tests: shows them, keeps their trials, waits between them, and ends them when the user says so.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pinode_measure::method::{Finished, Observer, Progress, record};
use pinode_measure::results::{SizeLabel, Test, TrialRecord};
use pinode_measure::trial::Glimpse;

use super::progress::Shown;

/// How often a wait looks at signals.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The watcher of all tests of a measurement.
pub struct Watch<'a> {
    interrupted: &'a AtomicBool,
    /// What people see.
    pub shown: Shown,
    /// Every trial so far, refused ones as well.
    pub trials: Vec<TrialRecord>,
    /// Of which trials it was said that they are refused: the first of each test and size.
    refusals: HashSet<(Test, SizeLabel)>,
}

impl<'a> Watch<'a> {
    /// Ends tests when `interrupted` is set.
    pub fn new(interrupted: &'a AtomicBool, shown: Shown) -> Self {
        Self {
            interrupted,
            shown,
            trials: Vec::new(),
            refusals: HashSet::new(),
        }
    }

    /// Set when it is to end.
    #[must_use]
    pub fn flag(&self) -> &'a AtomicBool {
        self.interrupted
    }

    /// The user wants it to end.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

impl Observer for Watch<'_> {
    fn goes_on(&mut self, glimpse: Option<Glimpse>) -> bool {
        self.shown.goes_on(glimpse);
        !self.is_interrupted()
    }

    fn pause(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now())
            && !self.is_interrupted()
        {
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }

    fn begins(&mut self, progress: &Progress<'_>) {
        self.shown.begins(progress);
    }

    fn finished(&mut self, finished: &Finished<'_>) {
        let record = record(finished);
        if let Some(why) = finished.trial.why_refused()
            && self.refusals.insert((record.test, record.size.clone()))
        {
            self.shown.say(&refusal(&record, &why));
        }
        self.trials.push(record);
    }
}

/// Why a trial says nothing about the device.
fn refusal(record: &TrialRecord, why: &str) -> String {
    format!(
        "{}, {} octets: a trial is refused: {why}; it says nothing about the device and is made again",
        super::progress::name(record.test),
        record.size
    )
}
