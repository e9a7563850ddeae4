//! The tests of RFC 2544, RFC 9004, RFC 6201 and RFC 9971: which loads are offered, and what the trials say.
//!
//! One file a test, each a function over a [`TestBed`]: a device that makes trials, and an [`Observer`] that sees
//! each of them, waits between them and may end the test at any time. Must never know a clock, a port or a node:
//! all time here is time that is asked for.
//!
//! | test | standard | where |
//! |---|---|---|
//! | throughput, binary search | RFC 2544 26.1 | [`throughput::binary`] |
//! | throughput, MLRsearch | RFC 9971 | [`throughput::mlr`] |
//! | latency | RFC 2544 26.2 | [`latency`] |
//! | frame loss rate | RFC 2544 26.3 | [`loss`] |
//! | back-to-back frames | RFC 9004 (for RFC 2544 26.4) | [`back_to_back`] |
//! | system recovery | RFC 2544 26.5 | [`recovery`] |
//! | reset | RFC 6201 (for RFC 2544 26.6) | [`reset`] |
//! | saturation: forwarding rate at an offered load above the ceiling | RFC 2285 3.6.1 | [`saturation`] |
//! | demand: a flow that was agreed on, exactly that | ITU-T Y.1564 | [`demand`] |
//!
//! A trial whose sender fell short of what was due says nothing about the device ([`Trial::is_valid`]): it is shown
//! to the observer, repeated, and if it stays so the tester is named as the limit, never the device.
//!
//! [`Trial::is_valid`]: crate::trial::Trial::is_valid

use std::time::Duration;

use thiserror::Error;

use crate::trial::DeviceError;

pub mod back_to_back;
mod bed;
pub mod demand;
pub mod latency;
pub mod loss;
mod observer;
mod record;
pub mod recovery;
pub mod reset;
pub mod saturation;
pub mod sizes;
pub mod throughput;
mod traffic;

pub use bed::TestBed;
pub use observer::{Bounds, Finished, Observer, Progress};
pub use record::record;
pub use traffic::{Traffic, TrafficStream, Wait};

use bed::{Halt, Plan, Sounding};

/// How long trials take, and what is waited around them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Time in which the frames of a trial are due (RFC 2544 24: at least 60 s for a final determination).
    pub trial: Duration,
    /// Wait for residual frames behind the last one due (RFC 2544 23: 2 s).
    pub drain: Duration,
    /// Wait for the device to restabilise, between trials (RFC 2544 23: at least 5 s).
    pub restabilise: Duration,
    /// Traffic before the first trial of each test, whose counts are thrown away: tables are learnt and caches
    /// warmed (RFC 2544 23: learning frames).
    pub warm_up: Option<WarmUp>,
    /// Trials of one load that are made at most for one whose sender did not fall short; 1 and more.
    pub attempts: u32,
}

/// Traffic that is not measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    /// For so long.
    pub duration: Duration,
    /// At this part of the traffic's rates.
    pub load: f64,
}

impl Timing {
    /// As RFC 2544 23 and 24 have it.
    #[must_use]
    pub const fn rfc2544() -> Self {
        Self {
            trial: Duration::from_secs(60),
            drain: Duration::from_secs(2),
            restabilise: Duration::from_secs(5),
            warm_up: Some(WarmUp {
                duration: Duration::from_secs(2),
                load: 0.1,
            }),
            attempts: 3,
        }
    }

    /// For a minute's work: shorter than RFC 2544 allows, and a report must say so.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            trial: Duration::from_secs(1),
            drain: Duration::from_millis(500),
            restabilise: Duration::from_millis(100),
            warm_up: Some(WarmUp {
                duration: Duration::from_millis(200),
                load: 0.1,
            }),
            attempts: 3,
        }
    }

    /// Longest time that a trial of `duration` takes with what is waited around it.
    #[must_use]
    pub fn cost(&self, duration: Duration) -> Duration {
        duration + self.drain + self.restabilise
    }
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<T> {
    /// The results; of a test that was ended early, what was known by then.
    pub results: Vec<T>,
    /// The observer ended it before it was through.
    pub is_partial: bool,
    /// What should be known when reading the results, one sentence each.
    pub notes: Vec<String>,
}

/// Why there is no result.
#[derive(Debug, Error)]
pub enum MethodError {
    /// The device made no trial.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A test needs traffic.
    #[error("no stream to measure with")]
    NoStream,
    /// A list that must go with the streams.
    #[error("{what}: {found} values for {streams} streams, one for each is needed")]
    PerStream {
        /// Of what.
        what: &'static str,
        /// Values given.
        found: usize,
        /// Streams.
        streams: usize,
    },
    /// A setting out of its range.
    #[error("{what}: {found}, allowed is {allowed}")]
    Setting {
        /// Which.
        what: &'static str,
        /// What was given.
        found: String,
        /// What may be.
        allowed: &'static str,
    },
}

/// Refuses a setting that is not allowed.
fn require(
    holds: bool,
    what: &'static str,
    found: impl std::fmt::Display,
    allowed: &'static str,
) -> Result<(), MethodError> {
    if holds {
        return Ok(());
    }
    let found = found.to_string();
    Err(MethodError::Setting {
        what,
        found,
        allowed,
    })
}

/// `Stopped` becomes a partial outcome of what is known, a failure stays one.
fn end<T>(
    halt: Result<(), Halt>,
    results: Vec<T>,
    notes: Vec<String>,
) -> Result<Outcome<T>, MethodError> {
    let is_partial = match halt {
        Ok(()) => false,
        Err(Halt::Stopped) => true,
        Err(Halt::Failed(error)) => return Err(error),
    };
    Ok(Outcome {
        results,
        is_partial,
        notes,
    })
}
