//! Who watches a test: sees every trial, waits between them, and says whether to go on.

use std::time::Duration;

use crate::results::Test;
use crate::trial::{Glimpse, Load, Trial};

use super::Traffic;

/// Watches tests. The only one who knows a clock.
pub trait Observer {
    /// Whether to go on: asked before each trial, and in it about ten times a second with what it shows so far.
    /// With `false` the test ends at once; what is known is kept and marked partial.
    fn goes_on(&mut self, glimpse: Option<Glimpse>) -> bool;

    /// Waits, so that the device comes to rest. May return early when the test is to end.
    fn pause(&mut self, time: Duration);

    /// A trial begins.
    fn begins(&mut self, progress: &Progress<'_>);

    /// A trial has ended, one that is refused or partial as well. Not called for traffic that warms up.
    fn finished(&mut self, finished: &Finished<'_>);
}

/// What is running.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The test.
    pub test: Test,
    /// Its traffic, with the size's label.
    pub traffic: &'a Traffic,
    /// What of the test is running: a search goal, a stream, a repetition.
    pub what: &'a str,
    /// The load of this trial.
    pub load: &'a Load,
    /// Traffic that warms up: its counts are thrown away.
    pub is_warm_up: bool,
    /// Trials of this test that were made.
    pub made: u32,
    /// The best bounds so far; empty for tests that search nothing.
    pub bounds: &'a [Bounds],
    /// Estimated time until the test ends, this trial and the waits included.
    pub left: Duration,
}

/// Between which rates a search still looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// A stream's PI, with the goal where there are several.
    pub of: String,
    /// Highest rate that is known to hold (back-to-back: longest burst); none so far.
    pub lower: Option<f64>,
    /// Lowest rate that is known not to; none so far.
    pub upper: Option<f64>,
}

/// A trial that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// The test.
    pub test: Test,
    /// Its traffic; [`record`](super::record) makes a line of the results file of this.
    pub traffic: &'a Traffic,
    /// What was offered.
    pub load: &'a Load,
    /// What came of it.
    pub trial: &'a Trial,
}
