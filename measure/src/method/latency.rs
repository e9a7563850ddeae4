//! Latency (RFC 2544 26.2): what frames take at the throughput that was found.
//!
//! RFC 2544 tags one frame in the middle of a trial of 120 s and repeats that 20 times; here every frame is
//! measured, so a trial says more than those twenty, and repetitions show what changes from trial to trial.

use std::time::Duration;

use crate::results::Test;
use crate::stats::Summary;
use crate::trial::Trial;

use super::{MethodError, Outcome, Plan, Sounding, TestBed, Traffic, end, require};

/// How latency is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Length of a trial; RFC 2544: at least 120 s.
    pub duration: Duration,
    /// Trials; RFC 2544: at least 20.
    pub repetitions: u32,
}

impl Settings {
    /// As RFC 2544 26.2 has it.
    #[must_use]
    pub const fn rfc2544() -> Self {
        Self {
            duration: Duration::from_secs(120),
            repetitions: 20,
        }
    }

    /// One trial of 2 s.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            duration: Duration::from_secs(2),
            repetitions: 1,
        }
    }
}

/// Latency of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// Its PI.
    pub pi: String,
    /// The rate that was offered, frames per second.
    pub offered_fps: f64,
    /// Figures of each repetition.
    pub repetitions: Vec<Summary>,
    /// Mean of the repetitions' means, nanoseconds: what RFC 2544 reports.
    pub mean_ns: f64,
    /// Frames lost in all repetitions: at the throughput there should be none.
    pub lost: u64,
}

/// Measures at `rates`, frames per second for each stream: the throughput found before.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn measure(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    rates: &[f64],
    settings: &Settings,
) -> Result<Outcome<Latency>, MethodError> {
    traffic.check("rates", rates)?;
    require(
        settings.repetitions > 0,
        "repetitions of the latency test",
        settings.repetitions,
        "1 and more",
    )?;
    let stream = |(stream, rate): (&super::TrafficStream, &f64)| Latency {
        pi: stream.pi.clone(),
        offered_fps: *rate,
        repetitions: Vec::new(),
        mean_ns: 0.0,
        lost: 0,
    };
    let mut results: Vec<_> = traffic.streams.iter().zip(rates).map(stream).collect();
    let (mut made, mut notes) = (0, Vec::new());
    let load = traffic.load_at(rates, settings.duration, bed.timing().drain);
    let cost = bed.timing().cost(settings.duration);
    let halt = (|| {
        for repetition in 0..settings.repetitions {
            let plan = Plan {
                test: Test::Latency,
                traffic,
                what: "all streams",
                made,
                bounds: &[],
                left: cost * (settings.repetitions - repetition),
            };
            if repetition == 0 {
                bed.warm_up(&plan)?;
            }
            match bed.sound(&plan, &load, &mut made, Trial::is_valid)? {
                Sounding::Refused => notes.push(format!(
                    "latency, {} octets: the tester could not send repetition {} as it was asked to; it is left out",
                    traffic.size,
                    repetition + 1
                )),
                Sounding::Sound(trial) => {
                    for (result, stream) in results.iter_mut().zip(&trial.streams) {
                        result.repetitions.push(stream.latency_ns());
                        result.lost += stream.lost();
                    }
                }
            }
        }
        Ok(())
    })();
    results.retain(|r| !r.repetitions.is_empty());
    for result in &mut results {
        let sum: f64 = result.repetitions.iter().map(|s| s.mean).sum();
        result.mean_ns = sum / result.repetitions.len() as f64;
        if result.lost > 0 {
            notes.push(format!(
                "latency, {} octets, {}: {} frames were lost at {:.0} frames/s",
                traffic.size, result.pi, result.lost, result.offered_fps
            ));
        }
    }
    end(halt, results, notes)
}
