//! Reset (RFC 6201, for RFC 2544 26.6): the device is reset under load, and how long it forwards nothing.
//!
//! Both methods of RFC 6201 are applied to the same trial. Timestamp: the longest silence between two
//! arrivals, exact for a device that stops and starts again at once. Frame loss: frames lost over the rate
//! offered, which also counts losses around the silence, and not what a buffer kept through the reset.

use std::time::Duration;

use crate::results::{Recovery, Test};
use crate::trial::Reset;

use super::recovery::{averaged, unmeasured};
use super::{MethodError, Outcome, Plan, TestBed, Traffic, end, require};

/// How a reset is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// What is reset.
    pub what: Reset,
    /// Traffic before the reset.
    pub before: Duration,
    /// Traffic from the reset on: longer than the device can take.
    pub after: Duration,
    /// Resets whose mean is reported.
    pub repetitions: u32,
}

impl Settings {
    /// A minute of traffic behind the reset, three times.
    #[must_use]
    pub const fn rfc6201(what: Reset) -> Self {
        Self {
            what,
            before: Duration::from_secs(10),
            after: Duration::from_secs(60),
            repetitions: 3,
        }
    }

    /// Once, 3 s of traffic behind the reset.
    #[must_use]
    pub const fn quick(what: Reset) -> Self {
        Self {
            what,
            before: Duration::from_secs(1),
            after: Duration::from_secs(3),
            repetitions: 1,
        }
    }
}

/// Resets the device under `rates`, frames per second for each stream: the throughput, or less, so that every lost
/// frame is lost by the reset.
///
/// # Errors
///
/// Settings out of range, the device cannot be reset so, or it made no trial.
pub fn measure(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    rates: &[f64],
    settings: &Settings,
) -> Result<Outcome<Recovery>, MethodError> {
    traffic.check("rates", rates)?;
    require(
        settings.repetitions > 0,
        "repetitions of the reset test",
        settings.repetitions,
        "1 and more",
    )?;
    let duration = settings.before + settings.after;
    let load = traffic.load_at(rates, duration, bed.timing().drain);
    let mut resetter = bed.resetter(settings.what)?;
    let mut results = unmeasured(Test::Reset, traffic, rates.iter().map(|rate| [*rate; 2]));
    let (mut made, mut notes) = (0, Vec::new());
    let (before_s, cost) = (settings.before.as_secs_f64(), bed.timing().cost(duration));
    let halt = (|| {
        for repetition in 0..settings.repetitions {
            let plan = Plan {
                test: Test::Reset,
                traffic,
                what: "all streams",
                made,
                bounds: &[],
                left: cost * (settings.repetitions - repetition),
            };
            if repetition == 0 {
                bed.warm_up(&plan)?;
            }
            // A reset is not repeated for a sender that fell short a little: the device was reset all the same.
            let mut reset_at_s = None;
            let trial = bed.offer(&plan, &load, &mut |glimpse| {
                if reset_at_s.is_none() && glimpse.elapsed_s >= before_s {
                    reset_at_s = Some(glimpse.elapsed_s);
                    resetter()?;
                }
                Ok(())
            })?;
            made += 1;
            let Some(_) = reset_at_s else {
                notes.push(format!(
                    "reset, {} octets: the trial ended before the device was to be reset; repetition {} is left out",
                    traffic.size,
                    repetition + 1
                ));
                continue;
            };
            if !trial.is_valid() {
                notes.push(format!(
                    "reset, {} octets: {}; repetition {} is left out",
                    traffic.size,
                    trial.why_refused().unwrap_or_default(),
                    repetition + 1
                ));
                continue;
            }
            let asked = traffic.streams.iter().zip(rates);
            for (result, (of, (asked, rate))) in
                results.iter_mut().zip(trial.streams.iter().zip(asked))
            {
                let end_ns = trial.ended_ns(asked.stream.from);
                // The silence that has not ended yet, of a device that never came back.
                let last_ns = of.received.last_ns.max(trial.began_ns);
                let open_ns = end_ns.saturating_sub(last_ns);
                result.is_at_least |= open_ns > of.received.silence_ns;
                let silence_ns = of.received.silence_ns.max(open_ns);
                result.seconds.push(silence_ns as f64 / 1e9);
                result.loss_seconds.push(of.lost() as f64 / rate);
                result.lost.push(of.lost());
            }
        }
        Ok(())
    })();
    results.retain_mut(averaged);
    end(halt, results, notes)
}
