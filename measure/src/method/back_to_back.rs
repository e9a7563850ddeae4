//! Back-to-back frames (RFC 9004, for RFC 2544 26.4): the longest burst at the line rate of which nothing is lost, and
//! the buffer that this tells of.
//!
//! A burst of N frames is a trial of N / rate. What the device forwards while the burst comes makes the implied buffer
//! time too long; the corrected one takes it off with the measured throughput (RFC 9004 6.4).

use std::time::Duration;

use crate::results::{BackToBack, Test};
use crate::stream::Pattern;
use crate::trial::Trial;

use super::{Bounds, Halt, MethodError, Outcome, Plan, Sounding, TestBed, Traffic, end, require};

/// How bursts are searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Length of the first burst, frames.
    pub first: u64,
    /// Longest burst, frames. RFC 2544 asks for 2 s and more at the line rate.
    pub longest: u64,
    /// The search ends when bounds are at most so many frames apart; 1 finds the buffer to the frame.
    pub resolution: u64,
    /// Searches, of whose results the mean is reported; RFC 9004 6.3, RFC 2544: at least 50.
    pub repetitions: u32,
}

impl Settings {
    /// As RFC 9004 has it, with bursts up to 2 s of the line rate `fps`.
    #[must_use]
    pub fn rfc9004(fps: f64) -> Self {
        Self {
            first: 1024,
            longest: (2.0 * fps).ceil().max(1.0) as u64,
            resolution: 1,
            repetitions: 50,
        }
    }

    /// Three searches of bursts up to 0.2 s of the line rate `fps`, to 1 % of a large buffer.
    #[must_use]
    pub fn quick(fps: f64) -> Self {
        let longest = (0.2 * fps).ceil().max(1.0) as u64;
        Self {
            first: 1024.min(longest),
            longest,
            resolution: 16,
            repetitions: 3,
        }
    }

    fn check(&self) -> Result<(), MethodError> {
        require(
            self.longest > 0,
            "longest burst",
            self.longest,
            "1 frame and more",
        )?;
        require(
            (1..=self.longest).contains(&self.first),
            "first burst",
            self.first,
            "1 frame up to the longest burst",
        )?;
        require(
            self.resolution > 0,
            "resolution of bursts",
            self.resolution,
            "1 frame and more",
        )?;
        require(
            self.repetitions > 0,
            "repetitions of the back-to-back test",
            self.repetitions,
            "1 and more",
        )
    }
}

/// The time in which exactly `frames` frames are due at `fps`, the first at once.
///
/// The end lies half a frame behind the last one due, so that no rounding of either changes the count.
#[must_use]
pub fn burst_duration(frames: u64, fps: f64) -> Duration {
    let ns = (frames as f64 - 0.5) * 1e9 / fps;
    Duration::from_nanos(ns.max(1.0).ceil() as u64)
}

/// Searches for each stream, which then has the link to itself: bursts at `burst_fps`, the line rate of its frames;
/// `throughput_fps` is the measured throughput, for the corrected buffer time.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn measure(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    burst_fps: &[f64],
    throughput_fps: Option<&[f64]>,
    settings: &Settings,
) -> Result<Outcome<BackToBack>, MethodError> {
    traffic.check("rates of bursts", burst_fps)?;
    if let Some(throughput) = throughput_fps {
        traffic.check("throughput", throughput)?;
    }
    settings.check()?;
    let (mut made, mut results, mut notes) = (0, Vec::new(), Vec::new());
    let halt = (|| {
        for (index, fps) in burst_fps.iter().enumerate() {
            let mut alone = traffic.only(index);
            alone.streams[0].stream.spec.pattern = Pattern::Even;
            let search = Search {
                traffic: &alone,
                fps: *fps,
                settings,
                streams_left: (burst_fps.len() - index) as u32,
            };
            let mut bursts = Vec::new();
            let mut found = Found::default();
            let halt = search.all(bed, &mut made, &mut bursts, &mut found);
            if found.refused > 0 {
                notes.push(format!(
                    "back-to-back, {} octets, {}: the tester could not send {} bursts as they were asked for; they count as too long",
                    traffic.size, alone.streams[0].pi, found.refused
                ));
            }
            let throughput = throughput_fps.and_then(|t| t.get(index)).copied();
            results.extend(summary(&alone, *fps, throughput, bursts, found.is_at_least));
            halt?;
        }
        Ok(())
    })();
    // Both are reported with the results (RFC 9004 7).
    notes.push(format!(
        "back-to-back, {} octets: {} searches for each stream, to a step of {} frames",
        traffic.size, settings.repetitions, settings.resolution
    ));
    end(halt, results, notes)
}

#[derive(Default)]
struct Found {
    refused: u32,
    is_at_least: bool,
}

struct Search<'a> {
    traffic: &'a Traffic,
    fps: f64,
    settings: &'a Settings,
    streams_left: u32,
}

impl Search<'_> {
    fn all(
        &self,
        bed: &mut TestBed<'_>,
        made: &mut u32,
        bursts: &mut Vec<u64>,
        found: &mut Found,
    ) -> Result<(), Halt> {
        let mut near = self.settings.first;
        for repetition in 0..self.settings.repetitions {
            near = self.once(bed, repetition, near, made, found)?;
            bursts.push(near);
            near = near.max(1);
        }
        Ok(())
    }

    /// The longest burst that holds, searched outwards from `near` by doubling steps, then by halving. The first
    /// search doubles the burst itself, the later ones the distance from where the one before ended.
    fn once(
        &self,
        bed: &mut TestBed<'_>,
        repetition: u32,
        near: u64,
        made: &mut u32,
        found: &mut Found,
    ) -> Result<u64, Halt> {
        let longest = self.settings.longest;
        let (mut lower, mut upper) = (0, None);
        let mut step = if repetition == 0 {
            near
        } else {
            self.settings.resolution
        };
        let mut next = near.min(longest);
        loop {
            match self.holds(bed, repetition, next, (lower, upper), made, found)? {
                true => lower = next,
                false => upper = Some(next),
            }
            next = match upper {
                None if lower == longest => {
                    found.is_at_least = true;
                    return Ok(lower);
                }
                None => lower.saturating_add(step).min(longest),
                Some(upper) if upper - lower <= self.settings.resolution => return Ok(lower),
                Some(upper) if lower == 0 && repetition > 0 => {
                    upper.saturating_sub(step).max(1).min(upper - 1)
                }
                Some(upper) => lower + (upper - lower) / 2,
            };
            step = step.saturating_mul(2);
        }
    }

    fn holds(
        &self,
        bed: &mut TestBed<'_>,
        repetition: u32,
        frames: u64,
        (lower, upper): (u64, Option<u64>),
        made: &mut u32,
        found: &mut Found,
    ) -> Result<bool, Halt> {
        let timing = bed.timing();
        let load =
            self.traffic
                .load_at(&[self.fps], burst_duration(frames, self.fps), timing.drain);
        let bounds = [Bounds {
            of: self.traffic.streams[0].pi.clone(),
            lower: (lower > 0).then_some(lower as f64),
            upper: upper.map(|u| u as f64),
        }];
        // Half of the longest burst in the mean, in as many trials as the search halves.
        let halvings = (self.settings.longest / self.settings.resolution)
            .max(2)
            .ilog2()
            + 1;
        let searches = self.streams_left * self.settings.repetitions - repetition;
        let longest = burst_duration(self.settings.longest, self.fps);
        let plan = Plan {
            test: Test::BackToBack,
            traffic: self.traffic,
            what: &self.traffic.streams[0].pi,
            made: *made,
            bounds: &bounds,
            left: (timing.cost(longest / 4) * halvings).saturating_mul(searches),
        };
        if *made == 0 {
            bed.warm_up(&plan)?;
        }
        // A burst with a hole in it is another burst: here the sender must not fall short by one frame, nor pause once.
        let whole = |trial: &Trial| {
            let is_torn = trial.pauses.iter().any(|pauses| pauses.count > 0);
            let is_short = trial.streams.iter().any(|s| s.sent.unsent > 0);
            trial.is_valid() && !is_torn && !is_short
        };
        Ok(match bed.sound(&plan, &load, made, whole)? {
            Sounding::Sound(trial) => trial.lost() == 0,
            Sounding::Refused => {
                found.refused += 1;
                false
            }
        })
    }
}

fn summary(
    traffic: &Traffic,
    fps: f64,
    throughput_fps: Option<f64>,
    bursts: Vec<u64>,
    is_at_least: bool,
) -> Option<BackToBack> {
    let (min_frames, max_frames) = (*bursts.iter().min()?, *bursts.iter().max()?);
    let n = bursts.len() as f64;
    let mean = bursts.iter().map(|b| *b as f64).sum::<f64>() / n;
    let squares: f64 = bursts.iter().map(|b| (*b as f64 - mean).powi(2)).sum();
    let implied = mean / fps;
    let stream = traffic.streams.first()?;
    Some(BackToBack {
        size: traffic.size.clone(),
        pi: stream.pi.clone(),
        mean_frames: mean,
        min_frames,
        max_frames,
        stddev_frames: if n > 1.0 {
            (squares / (n - 1.0)).sqrt()
        } else {
            0.0
        },
        burst_fps: fps,
        implied_buffer_s: implied,
        corrected_buffer_s: throughput_fps.map(|t| implied * (1.0 - t / fps).max(0.0)),
        is_at_least,
        bursts,
    })
}
