//! Demands (as ITU-T Y.1564 tests a service that was agreed on): each stream is offered exactly the flow that was
//! demanded for it, all of them at once, and either gets what was demanded with it or does not.
//!
//! A repetition begins with the burst of each stream and goes on at its rate. It holds for a stream if nothing is lost
//! and 99 % of the frames come within the bound. A demand is met if more than half of the repetitions hold, the exceed
//! ratio that RFC 9971 4.6.4 has for its goals: a machine that is away for some milliseconds now and then spoils a
//! repetition and decides nothing. What it spoiled stays in every other figure.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::results::{DemandRecord, SizeLabel, Test};
use crate::stats::{self, Summary};
use crate::stream::{Pattern, Sizes};
use crate::trial::{Side, StreamTrial, Trial};

use super::{MethodError, Outcome, Plan, Sounding, TestBed, Traffic, TrafficStream, end, require};

/// What is demanded for a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demanded {
    /// Frames per second.
    pub fps: f64,
    /// Frames that come at once; 1 and more.
    pub burst: u32,
    /// 99 % of the frames have to come within it, nanoseconds; none: whenever they come.
    pub bound_ns: Option<u64>,
}

/// How often it is tried, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Length of a repetition.
    pub duration: Duration,
    /// Repetitions.
    pub repetitions: u32,
}

impl Settings {
    /// A quarter of an hour in all, the shortest of the performance tests of Y.1564.
    #[must_use]
    pub const fn y1564() -> Self {
        Self {
            duration: Duration::from_secs(60),
            repetitions: 15,
        }
    }

    /// Five seconds in fifty parts: bursts are tried often, and where a machine stands still it spoils few of them.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            duration: Duration::from_millis(100),
            repetitions: 50,
        }
    }
}

/// Offers what is demanded, one demand for each stream.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn measure(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    demanded: &[Demanded],
    settings: &Settings,
) -> Result<Outcome<DemandRecord>, MethodError> {
    let rates: Vec<f64> = demanded.iter().map(|demanded| demanded.fps).collect();
    traffic.check("demands", &rates)?;
    require(
        settings.repetitions > 0,
        "repetitions of the demand test",
        settings.repetitions,
        "1 and more",
    )?;
    for demanded in demanded {
        require(
            demanded.burst > 0,
            "burst that is demanded",
            demanded.burst,
            "1 frame and more",
        )?;
    }
    let mut load = traffic.load_at(&rates, settings.duration, bed.timing().drain);
    for (stream, demanded) in load.streams.iter_mut().zip(demanded) {
        stream.spec.pattern = Pattern::Opening(demanded.burst);
    }
    let mut sums: Vec<Sum> = traffic.streams.iter().map(|_| Sum::default()).collect();
    let (mut made, mut notes) = (0, Vec::new());
    let cost = bed.timing().cost(settings.duration);
    let halt = (|| {
        for repetition in 1..=settings.repetitions {
            let plan = Plan {
                test: Test::Demand,
                traffic,
                what: "all streams",
                made,
                bounds: &[],
                left: cost * (settings.repetitions - repetition + 1),
            };
            if repetition == 1 {
                bed.warm_up(&plan)?;
            }
            match bed.sound(&plan, &load, &mut made, Trial::is_valid)? {
                Sounding::Refused => notes.push(format!(
                    "demand, {} octets: the tester could not send repetition {repetition} as it was asked to; it is \
                     left out",
                    traffic.size
                )),
                Sounding::Sound(trial) => {
                    let streams = sums.iter_mut().zip(demanded).zip(&trial.streams);
                    for ((sum, demanded), stream) in streams {
                        sum.add(repetition, demanded, &trial, stream);
                    }
                }
            }
        }
        Ok(())
    })();
    let streams = traffic.streams.iter().zip(demanded).zip(&sums);
    let results = streams
        .filter(|(_, sum)| sum.repetitions > 0)
        .map(|((stream, demanded), sum)| sum.record(traffic, stream, demanded))
        .collect();
    end(halt, results, notes)
}

/// What became of a stream in all repetitions.
struct Sum {
    repetitions: u32,
    held: u32,
    missed: Vec<String>,
    duration_s: f64,
    sent: u64,
    unsent: u64,
    received: u64,
    lost: u64,
    latency: Histogram<u64>,
    pacing: Histogram<u64>,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            repetitions: 0,
            held: 0,
            missed: Vec::new(),
            duration_s: 0.0,
            sent: 0,
            unsent: 0,
            received: 0,
            lost: 0,
            latency: stats::total(),
            pacing: stats::total(),
        }
    }
}

impl Sum {
    fn add(&mut self, repetition: u32, demanded: &Demanded, trial: &Trial, stream: &StreamTrial) {
        self.repetitions += 1;
        self.duration_s += trial.duration_s;
        self.sent += stream.sent.frames;
        self.unsent += stream.sent.unsent;
        self.received += stream.received.frames;
        self.lost += stream.lost();
        for (sum, part) in [
            (&mut self.latency, &stream.latency),
            (&mut self.pacing, &trial.pacing),
        ] {
            for cell in part.iter_recorded() {
                sum.saturating_record_n(cell.value_iterated_to(), cell.count_at_value());
            }
        }
        match miss(demanded, stream) {
            None => self.held += 1,
            Some(why) => self.missed.push(format!("repetition {repetition}: {why}")),
        }
    }

    fn record(
        &self,
        traffic: &Traffic,
        stream: &TrafficStream,
        demanded: &Demanded,
    ) -> DemandRecord {
        let per_second = |count: u64| match self.duration_s > 0.0 {
            true => count as f64 / self.duration_s,
            false => 0.0,
        };
        let [from, to] = match stream.stream.from {
            Side::West => ["west", "east"],
            Side::East => ["east", "west"],
        };
        let within = |bound_ns| match self.sent {
            0 => 1.0,
            sent => within(&self.latency, bound_ns) as f64 / sent as f64,
        };
        DemandRecord {
            pi: stream.pi.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            size: match stream.stream.spec.sizes {
                Sizes::Fixed(size) => SizeLabel::Octets(size),
                _ => traffic.size.clone(),
            },
            isolation: traffic.isolation.clone(),
            demanded_fps: demanded.fps,
            burst_frames: demanded.burst,
            bound_ns: demanded.bound_ns,
            repetitions: self.repetitions,
            held: self.held,
            duration_s: self.duration_s,
            offered_fps: per_second(self.sent),
            received_fps: per_second(self.received),
            sent: self.sent,
            unsent: self.unsent,
            received: self.received,
            lost: self.lost,
            latency_ns: Summary::of(&self.latency),
            share_within: demanded.bound_ns.map(within),
            pacing_error_ns: Summary::of(&self.pacing),
            cpu_percent: None,
            host_percent: None,
            met: 2 * self.held > self.repetitions,
            missed: self.missed.clone(),
        }
    }
}

/// Why a repetition does not hold.
fn miss(demanded: &Demanded, stream: &StreamTrial) -> Option<String> {
    if stream.lost() > 0 {
        return Some(format!(
            "{} of {} frames were lost",
            stream.lost(),
            stream.sent.frames
        ));
    }
    let (bound_ns, p99_ns) = (demanded.bound_ns?, stream.latency_ns().p99);
    (p99_ns > bound_ns).then(|| {
        format!(
            "99 % of the frames came within {:.1} us, {:.1} us are demanded",
            p99_ns as f64 / 1e3,
            bound_ns as f64 / 1e3
        )
    })
}

/// Frames that took no longer than `bound_ns`. A cell of the histogram that the bound lies in counts as longer.
fn within(latency: &Histogram<u64>, bound_ns: u64) -> u64 {
    let cells = latency.iter_recorded();
    let longest = |value| latency.highest_equivalent(value).min(latency.max());
    cells
        .filter(|cell| longest(cell.value_iterated_to()) <= bound_ns)
        .map(|cell| cell.count_at_value())
        .sum()
}
