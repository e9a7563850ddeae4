//! Saturation: all streams above their ceilings at once, and what still gets through (RFC 2285 3.6.1: the forwarding
//! rate at an offered load). A node that gates its links must give each stream its ceiling then, whatever the others do.

use crate::results::Test;
use crate::trial::Trial;

use super::{MethodError, Outcome, Plan, Sounding, TestBed, Traffic, end, require};

/// How far above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Each stream is offered at so many times its ceiling.
    pub above: f64,
}

impl Default for Settings {
    /// A tenth above: more than any ceiling, and still within a link of which each PI has its share.
    fn default() -> Self {
        Self { above: 1.1 }
    }
}

/// What got through of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardingRate {
    /// Its PI.
    pub pi: String,
    /// Offered, frames per second.
    pub offered_fps: f64,
    /// Forwarded, frames per second: between the first arrival and the last, so that what a full buffer gives out
    /// behind the last frame due counts in the time in which it came.
    pub fps: f64,
    /// The ceiling.
    pub ceiling_fps: f64,
    /// `fps / ceiling_fps`.
    pub share_of_ceiling: f64,
    /// Lost of what was sent.
    pub loss_ratio: f64,
}

/// Offers one trial above all ceilings.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn measure(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    settings: &Settings,
) -> Result<Outcome<ForwardingRate>, MethodError> {
    let rates: Vec<f64> = traffic
        .streams
        .iter()
        .map(|s| s.ceiling_fps * settings.above)
        .collect();
    traffic.check("ceilings", &rates)?;
    require(
        settings.above > 0.0 && settings.above.is_finite(),
        "load of the saturation test",
        settings.above,
        "above 0 times the ceilings",
    )?;
    let timing = bed.timing();
    let load = traffic.load_at(&rates, timing.trial, timing.drain);
    let (mut made, mut results, mut notes) = (0, Vec::new(), Vec::new());
    let halt = (|| {
        let plan = Plan {
            test: Test::Saturation,
            traffic,
            what: "all streams",
            made,
            bounds: &[],
            left: timing.cost(timing.trial),
        };
        bed.warm_up(&plan)?;
        match bed.sound(&plan, &load, &mut made, Trial::is_valid)? {
            Sounding::Refused => notes.push(format!(
                "saturation, {} octets: the tester could not send {} times the ceilings; no result",
                traffic.size, settings.above
            )),
            Sounding::Sound(trial) => {
                let streams = traffic.streams.iter().zip(&trial.streams);
                results.extend(streams.map(|(stream, of)| {
                    let fps = of.received.rate_fps();
                    ForwardingRate {
                        pi: stream.pi.clone(),
                        offered_fps: of.offered_fps,
                        fps,
                        ceiling_fps: stream.ceiling_fps,
                        share_of_ceiling: fps / stream.ceiling_fps,
                        loss_ratio: of.loss_ratio(),
                    }
                }));
            }
        }
        Ok(())
    })();
    end(halt, results, notes)
}
