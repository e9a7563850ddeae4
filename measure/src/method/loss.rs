//! Frame loss rate (RFC 2544 26.3): from the full load down in steps, until two loads in a row lose nothing.

use crate::results::Test;
use crate::trial::Trial;

use super::{MethodError, Outcome, Plan, Sounding, TestBed, Traffic, end, require};

/// How the curve is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The first load, a part of the traffic's rates.
    pub from: f64,
    /// By so much of the traffic's rates each load is less than the one before, from a thousandth of the
    /// first on; RFC 2544: 0.1 at most.
    pub step: f64,
}

impl Settings {
    /// As RFC 2544 26.3 has it: from 100 % by 10 %.
    #[must_use]
    pub const fn rfc2544() -> Self {
        Self {
            from: 1.0,
            step: 0.1,
        }
    }
}

/// Smallest step, as a part of the first load: a device that always loses is offered all of them.
const FINEST_STEP: f64 = 0.001;

/// A point of the curve of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its PI.
    pub pi: String,
    /// Part of the traffic's rates.
    pub load: f64,
    /// Frames per second, with the tester's pauses.
    pub offered_fps: f64,
    /// Lost of what was sent, 0.0 to 1.0.
    pub loss_ratio: f64,
}

/// Measures the curve; points come by falling load, within it in the order of the streams.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn measure(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    settings: &Settings,
) -> Result<Outcome<Point>, MethodError> {
    traffic.check("rates", &traffic.rates())?;
    let Settings { from, step } = *settings;
    require(
        from > 0.0 && from.is_finite(),
        "first load of the loss test",
        from,
        "above 0",
    )?;
    require(
        step >= from * FINEST_STEP && step <= from,
        "step of the loss test",
        step,
        "a thousandth of the first load, up to all of it",
    )?;
    let timing = bed.timing();
    // Down to what is still a load: what rounding leaves of ten steps of a tenth is none.
    let loads: Vec<f64> = (0..)
        .map(|n| from - f64::from(n) * step)
        .take_while(|load| *load > from * 1e-9)
        .collect();
    let (mut made, mut results, mut notes) = (0, Vec::new(), Vec::new());
    let halt = (|| {
        let mut clean = 0;
        for (n, &share) in loads.iter().enumerate() {
            let plan = Plan {
                test: Test::Loss,
                traffic,
                what: "all streams",
                made,
                bounds: &[],
                left: timing.cost(timing.trial) * (loads.len() - n) as u32,
            };
            if n == 0 {
                bed.warm_up(&plan)?;
            }
            let load = traffic.load(share, timing.trial, timing.drain);
            let trial = match bed.sound(&plan, &load, &mut made, Trial::is_valid)? {
                Sounding::Sound(trial) => trial,
                Sounding::Refused => {
                    notes.push(format!(
                        "loss, {} octets: the tester could not send {:.0} % of the load; that point is left out",
                        traffic.size,
                        share * 100.0
                    ));
                    continue;
                }
            };
            let streams = traffic.streams.iter().zip(&trial.streams);
            results.extend(streams.map(|(stream, of)| Point {
                pi: stream.pi.clone(),
                load: share,
                offered_fps: of.offered_fps * trial.offered_part(stream.stream.from),
                loss_ratio: of.loss_ratio(),
            }));
            clean = if trial.lost() == 0 { clean + 1 } else { 0 };
            if clean == 2 {
                break;
            }
        }
        Ok(())
    })();
    end(halt, results, notes)
}
