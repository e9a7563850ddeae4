//! System recovery (RFC 2544 26.5): overload, then half of it, and how long frames are still lost after that.
//!
//! The last lost frame shows by the arrival of the one behind it, so the time that is given contains what that frame
//! took through the device: it errs against the device, never in its favour.

use std::time::Duration;

use crate::results::{Recovery, Test};
use crate::trial::Trial;

use super::{MethodError, Outcome, Plan, Sounding, TestBed, Traffic, end, require};

/// How recovery is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Overload, as a part of the throughput (RFC 2544: 110 %, or the line rate if that is less).
    pub overload: f64,
    /// The most of the traffic's rates that may be offered: what the line carries.
    pub most: f64,
    /// Length of the overload; RFC 2544: at least 60 s.
    pub overloaded: Duration,
    /// What the overload is multiplied by then; RFC 2544: 0.5.
    pub drop_to: f64,
    /// How long that is watched.
    pub watched: Duration,
    /// Trials whose mean is reported.
    pub repetitions: u32,
}

impl Settings {
    /// As RFC 2544 26.5 has it.
    #[must_use]
    pub const fn rfc2544() -> Self {
        Self {
            overload: 1.1,
            most: 1.0,
            overloaded: Duration::from_secs(60),
            drop_to: 0.5,
            watched: Duration::from_secs(60),
            repetitions: 5,
        }
    }

    /// A trial of 4 s.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            overloaded: Duration::from_secs(2),
            watched: Duration::from_secs(2),
            repetitions: 1,
            ..Self::rfc2544()
        }
    }
}

/// Measures recovery from an overload of the throughput `rates`, frames per second for each stream.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn measure(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    rates: &[f64],
    settings: &Settings,
) -> Result<Outcome<Recovery>, MethodError> {
    traffic.check("rates", rates)?;
    require(
        settings.overload >= 1.0 && settings.overload.is_finite(),
        "overload of the recovery test",
        settings.overload,
        "1.0 times the throughput and more",
    )?;
    require(
        settings.drop_to > 0.0 && settings.drop_to < 1.0,
        "load behind the overload",
        settings.drop_to,
        "above 0.0 and below 1.0 times the overload",
    )?;
    require(
        settings.repetitions > 0,
        "repetitions of the recovery test",
        settings.repetitions,
        "1 and more",
    )?;
    let most = traffic.rates().into_iter().map(|rate| rate * settings.most);
    let over: Vec<f64> = rates
        .iter()
        .zip(most)
        .map(|(rate, most)| (rate * settings.overload).min(most))
        .collect();
    let duration = settings.overloaded + settings.watched;
    let mut load = traffic.load_at(&over, duration, bed.timing().drain);
    load.step = Some((settings.overloaded, settings.drop_to));
    let offered = |over: &f64| [*over, over * settings.drop_to];
    let mut results = unmeasured(Test::Recovery, traffic, over.iter().map(offered));
    let (mut made, mut notes) = (0, Vec::new());
    let step_ns = settings.overloaded.as_nanos() as u64;
    let cost = bed.timing().cost(duration);
    let halt = (|| {
        for repetition in 0..settings.repetitions {
            let plan = Plan {
                test: Test::Recovery,
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
                    "recovery, {} octets: the tester could not send repetition {} as it was asked to; it is left out",
                    traffic.size,
                    repetition + 1
                )),
                Sounding::Sound(trial) => {
                    let streams = trial.streams.iter().zip(&traffic.streams);
                    for (result, (of, asked)) in results.iter_mut().zip(streams) {
                        let pauses = &trial.pauses[asked.stream.from as usize];
                        let stepped_ns = trial.began_ns + step_ns + pauses.before_step_ns;
                        let late_ns = of.received.last_gap_ns.saturating_sub(stepped_ns);
                        // Losses behind the last arrival leave no gap: the device was not itself again by the end.
                        let unfinished = of.lost() > of.received.missing;
                        let watched_s = settings.watched.as_secs_f64();
                        let seconds = late_ns as f64 / 1e9;
                        result.is_at_least |= unfinished;
                        result.seconds.push(if unfinished { watched_s.max(seconds) } else { seconds });
                        result.lost.push(of.lost());
                    }
                }
            }
        }
        Ok(())
    })();
    results.retain_mut(averaged);
    for result in &results {
        if result.lost.contains(&0) {
            notes.push(format!(
                "recovery, {} octets, {}: {:.0} frames/s overloaded nothing in some repetition, so there was nothing to recover from",
                traffic.size, result.pi, result.offered_fps[0]
            ));
        }
    }
    end(halt, results, notes)
}

/// A result for each stream, of no repetition yet.
pub(super) fn unmeasured(
    test: Test,
    traffic: &Traffic,
    offered: impl Iterator<Item = [f64; 2]>,
) -> Vec<Recovery> {
    let streams = traffic.streams.iter().zip(offered);
    let result = |(stream, offered_fps): (&super::TrafficStream, _)| Recovery {
        test,
        size: traffic.size.clone(),
        pi: stream.pi.clone(),
        offered_fps,
        seconds: Vec::new(),
        mean_s: 0.0,
        lost: Vec::new(),
        loss_seconds: Vec::new(),
        is_at_least: false,
    };
    streams.map(result).collect()
}

/// Sets the mean; whether there is any repetition to be the mean of.
pub(super) fn averaged(result: &mut Recovery) -> bool {
    let repetitions = result.seconds.len();
    result.mean_s = result.seconds.iter().sum::<f64>() / repetitions.max(1) as f64;
    repetitions > 0
}
