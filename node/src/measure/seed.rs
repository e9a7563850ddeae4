//! The experiments of the Xen node of 2012 on a node in this process: three streams at once, rates rising, size after
//! size; at each rate throughput, latency, and what each guest and the workers needed for it.
//!
//! One isolation a run: the node is booted by whoever calls. Must never read CPU time while frames are under way, nor
//! put a point into a line that is not of one whole trial.

use std::time::Duration;

use pinode_measure::method::{Finished, Observer, Progress, Timing, Traffic, WarmUp};
use pinode_measure::results::{CpuCheck, CpuPoint, SizeLabel, Test};
use pinode_measure::seed::{LEAST_POINTS, TRIAL_S, frames_per_second, rates_bps};
use pinode_measure::trial::{Device, DeviceError, Load, Trial};
use thiserror::Error;

use super::cpu::{CpuError, CpuReading, HOST, PointOf};

/// How the experiments are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Rates of each stream on the wire, bits per second.
    pub rates_bps: Vec<f64>,
    /// Of trials.
    pub timing: Timing,
}

impl Settings {
    /// As the paper has it: 110 s a trial.
    #[must_use]
    pub fn full() -> Self {
        Self {
            rates_bps: rates_bps(false),
            timing: Timing {
                trial: Duration::from_secs(TRIAL_S),
                ..Timing::rfc2544()
            },
        }
    }

    /// Both isolations in about a minute: 96 trials.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            rates_bps: rates_bps(true),
            timing: Timing {
                trial: Duration::from_millis(450),
                drain: Duration::from_millis(200),
                restabilise: Duration::ZERO,
                warm_up: Some(WarmUp {
                    duration: Duration::from_millis(100),
                    load: 0.5,
                }),
                attempts: 3,
            },
        }
    }

    /// Longest time that one isolation takes with so many sizes.
    #[must_use]
    pub fn estimate(&self, sizes: usize) -> Duration {
        let trials = u32::try_from(self.rates_bps.len() * sizes).unwrap_or(u32::MAX);
        self.timing.cost(self.timing.trial) * trials
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Found {
    /// A point for each trial and PI, and one for the host.
    pub cpu: Vec<CpuPoint>,
    /// The accounting beside the kernel's, for the same.
    pub checks: Vec<CpuCheck>,
    /// What should be known, one sentence each.
    pub notes: Vec<String>,
    /// The observer ended it.
    pub is_partial: bool,
}

/// Why it cannot go on.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The device made no trial.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Nobody says what was needed.
    #[error(transparent)]
    Cpu(#[from] CpuError),
}

/// Makes the experiments with each of `sizes`, whose streams are offered all rates, one after another. `read` says what
/// the node did so far. `found` keeps what was found, whatever ends it.
///
/// # Errors
///
/// The device makes no trial, or a guest does not say what it does.
pub fn run(
    device: &mut dyn Device,
    sizes: &[Traffic],
    settings: &Settings,
    read: &mut dyn FnMut() -> Result<CpuReading, CpuError>,
    observer: &mut dyn Observer,
    found: &mut Found,
) -> Result<(), SeedError> {
    let mut bench = Bench {
        device,
        settings,
        read,
        observer,
        made: 0,
        trials: sizes.len() * settings.rates_bps.len(),
    };
    if let (Some(traffic), Some(warm_up)) = (sizes.first(), settings.timing.warm_up) {
        let rates = [warm_up.load * settings.rates_bps.last().copied().unwrap_or(0.0)];
        let load = load(traffic, rates[0], warm_up.duration, settings.timing.drain);
        found.is_partial |= bench.offer(traffic, &load, true)?.is_none();
    }
    for traffic in sizes {
        for &rate_bps in &settings.rates_bps {
            if found.is_partial {
                return Ok(());
            }
            bench.point(traffic, rate_bps, found)?;
        }
        note_thin(traffic, found);
    }
    Ok(())
}

/// Each stream at `wire_bps`.
fn load(traffic: &Traffic, wire_bps: f64, duration: Duration, drain: Duration) -> Load {
    let rate = |size: f64| frames_per_second(wire_bps, size);
    let streams = traffic.streams.iter();
    let rates: Vec<f64> = streams.map(|s| rate(s.stream.spec.sizes.mean())).collect();
    traffic.load_at(&rates, duration, drain)
}

/// Says of which lines there will be none.
fn note_thin(traffic: &Traffic, found: &mut Found) {
    for stream in &traffic.streams {
        let of = |point: &&CpuPoint| {
            point.lossless
                && point.pi == stream.pi
                && point.size == traffic.size
                && Some(&point.isolation) == traffic.isolation.as_ref()
        };
        let points = found.cpu.iter().filter(of).count();
        if points < LEAST_POINTS {
            found.notes.push(format!(
                "CPU use of {} with frames of {} octets ({}): {points} points without loss, too few for a line.",
                stream.pi,
                traffic.size,
                traffic.isolation.as_deref().unwrap_or("?")
            ));
        }
    }
}

struct Bench<'a> {
    device: &'a mut dyn Device,
    settings: &'a Settings,
    read: &'a mut dyn FnMut() -> Result<CpuReading, CpuError>,
    observer: &'a mut dyn Observer,
    made: u32,
    /// That are planned.
    trials: usize,
}

impl Bench<'_> {
    /// One rate: trials until the tester did its part, as often as is allowed.
    fn point(
        &mut self,
        traffic: &Traffic,
        rate_bps: f64,
        found: &mut Found,
    ) -> Result<(), SeedError> {
        let timing = self.settings.timing;
        let load = load(traffic, rate_bps, timing.trial, timing.drain);
        let place = |of: &str| {
            format!(
                "{of}, frames of {} octets at {:.0} Mb/s a stream",
                traffic.size,
                rate_bps / 1e6
            )
        };
        for _ in 0..timing.attempts.max(1) {
            let before = (self.read)()?;
            let Some(trial) = self.offer(traffic, &load, false)? else {
                found.is_partial = true;
                break;
            };
            let after = (self.read)()?;
            self.observer.finished(&Finished {
                test: Test::Loss,
                traffic,
                load: &load,
                trial: &trial,
            });
            found.is_partial |= trial.is_partial;
            if trial.is_partial {
                break;
            }
            if !trial.is_valid() {
                continue;
            }
            match after.since(&before, trial.own_ns) {
                Ok(spent) => keep(traffic, &trial, spent, found),
                // Its figures would be of two guests; those of the others would have a guest less beside them.
                Err(error) => found.notes.push(format!(
                    "{}: {error}; that point is left out.",
                    place("CPU use")
                )),
            }
            self.made += 1;
            return Ok(());
        }
        if !found.is_partial {
            self.made += 1;
            found.notes.push(format!(
                "{}: the tester could not send it; that point is left out.",
                place("The seed's experiments")
            ));
        }
        Ok(())
    }

    /// `None`: the observer ended it before it began.
    fn offer(
        &mut self,
        traffic: &Traffic,
        load: &Load,
        is_warm_up: bool,
    ) -> Result<Option<Trial>, SeedError> {
        let Self {
            device,
            settings,
            observer,
            ..
        } = self;
        if !observer.goes_on(None) {
            return Ok(None);
        }
        if self.made > 0 && !settings.timing.restabilise.is_zero() {
            observer.pause(settings.timing.restabilise);
        }
        let left = u32::try_from(self.trials)
            .unwrap_or(u32::MAX)
            .saturating_sub(self.made);
        observer.begins(&Progress {
            test: Test::Loss,
            traffic,
            what: "CPU use, all streams",
            load,
            is_warm_up,
            made: self.made,
            bounds: &[],
            left: settings.timing.cost(settings.timing.trial) * left,
        });
        let trial = device.offer(load, &mut |glimpse| observer.goes_on(Some(glimpse)))?;
        Ok(Some(trial))
    }
}

/// Points and checks of a trial.
fn keep(traffic: &Traffic, trial: &Trial, spent: Vec<super::cpu::Spent>, found: &mut Found) {
    let size: &SizeLabel = &traffic.size;
    let isolation = traffic.isolation.as_deref().unwrap_or("");
    let streams: Vec<_> = traffic.streams.iter().zip(&trial.streams).collect();
    let l2_bps = |stream: &(
        &pinode_measure::method::TrafficStream,
        &pinode_measure::trial::StreamTrial,
    )| { 8.0 * stream.1.offered_fps * stream.0.stream.spec.sizes.mean() };
    for spent in spent {
        let own: Vec<_> = streams
            .iter()
            .filter(|(of, _)| spent.name == HOST || of.pi == spent.name)
            .collect();
        let Some(first) = own.first() else { continue };
        let of = PointOf {
            isolation,
            size,
            offered_l2_bps: l2_bps(first),
            lossless: own.iter().all(|(_, stream)| stream.lost() == 0),
        };
        found.cpu.push(spent.point(&of, trial.duration_s));
        found.checks.push(spent.check(&of));
    }
}

#[cfg(test)]
#[path = "seed_tests.rs"]
mod tests;
