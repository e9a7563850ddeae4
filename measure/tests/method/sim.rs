//! A device that is a queue for each stream, and who watches it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pinode_measure::method::{Finished, Observer, Progress, Timing, Traffic, TrafficStream};
use pinode_measure::pause::Pauses;
use pinode_measure::results::{SizeLabel, TrialRecord};
use pinode_measure::sink::Received;
use pinode_measure::source::Sent;
use pinode_measure::stats;
use pinode_measure::stream::{Pattern, StreamSpec};
use pinode_measure::trial::{
    Device, DeviceError, Glimpse, Load, LoadStream, Path, PathKind, Reset, Side, StreamTrial, Trial,
};

const SIZE: u16 = 128;

/// What a stream meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    /// Frames per second that are served.
    pub fps: f64,
    /// Frames that wait or are served at once.
    pub room: f64,
    /// Of every thousand frames so many are lost, at any rate.
    pub lossy_per_mille: u64,
}

impl Queue {
    pub(crate) fn new(fps: f64, room: u32) -> Self {
        Self {
            fps,
            room: f64::from(room),
            lossy_per_mille: 0,
        }
    }
}

/// A device of queues.
pub(crate) struct Sim {
    /// In the order of the streams' ids.
    pub queues: Vec<Queue>,
    /// The sender manages so much of each stream.
    pub sends_fps: f64,
    /// In so many of a hundred trials everything stands still once, for so long.
    pub stalls: (u64, Duration),
    /// A reset takes so long.
    pub reset: Duration,
    /// Behind an overload every tenth frame is lost for so long after the step.
    pub recovers_after: Duration,
    /// The sender from the west pauses once for this part of each trial; what queues see of it is left out.
    pub paused: f64,
    /// Trials made.
    pub trials: u32,
    pub resets: Rc<Cell<u32>>,
    state: u64,
    clock_ns: u64,
    path: Path,
}

impl Sim {
    pub(crate) fn new(queues: Vec<Queue>) -> Self {
        Self {
            queues,
            sends_fps: f64::INFINITY,
            stalls: (0, Duration::ZERO),
            reset: Duration::ZERO,
            recovers_after: Duration::ZERO,
            paused: 0.0,
            trials: 0,
            resets: Rc::default(),
            state: 1,
            clock_ns: 77,
            path: Path {
                kind: PathKind::Memory,
                capacity_bps: [1_000_000_000; 2],
                largest: 1518,
                description: "queues".into(),
            },
        }
    }

    pub(crate) fn seed(&mut self, seed: u64) {
        self.state = seed | 1;
    }

    /// Xorshift: equal seeds stand still at equal times.
    fn chance(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn stream(&mut self, index: usize, asked: &LoadStream, load: &Load, run: &Run) -> StreamTrial {
        let queue = self.queues[index];
        let served_ns = 1e9 / queue.fps;
        let (asked_fps, mut sent, mut received) =
            (asked.spec.rate_fps, Sent::default(), Received::default());
        let sends = (self.sends_fps / asked_fps).min(1.0);
        let mut latency = stats::total();
        let (mut due, mut busy_ns, mut stalled) = (0.0, 0.0, false);
        let (mut overloaded, mut gap, mut n, mut credit) = (false, 0, 0_u64, 0.0);
        let step = load.step.map(|(at, factor)| (at.as_nanos() as f64, factor));
        let end_ns = run.end_ns as f64;
        let opening = match asked.spec.pattern {
            Pattern::Opening(frames) => u64::from(frames),
            _ => 1,
        };
        while due < end_ns {
            let now: f64 = due;
            let factor = step.map_or(1.0, |(at, f)| if now >= at { f } else { 1.0 });
            n += 1;
            if n >= opening {
                due += 1e9 / (asked_fps * factor);
            }
            credit += sends;
            if credit < 1.0 - 1e-9 {
                sent.unsent += 1;
                continue;
            }
            credit -= 1.0;
            sent.frames += 1;
            sent.octets += u64::from(SIZE);
            if let Some((at, time)) = run.stall.filter(|(at, _)| !stalled && now >= *at) {
                busy_ns = f64::max(busy_ns, at) + time;
                stalled = true;
            }
            let is_down = run.down.is_some_and(|(from, to)| now >= from && now < to);
            if is_down {
                busy_ns = 0.0;
            }
            let recovering = overloaded
                && step.is_some_and(|(at, _)| {
                    now >= at && now < at + self.recovers_after.as_nanos() as f64
                });
            let is_full = (busy_ns - now) / served_ns > queue.room - 1.0 + 1e-6;
            let is_lost = n % 1000 < queue.lossy_per_mille;
            if is_down || is_full || is_lost || (recovering && n.is_multiple_of(10)) {
                overloaded |= is_full;
                gap += 1;
                continue;
            }
            busy_ns = f64::max(busy_ns, now) + served_ns;
            let at = self.clock_ns + busy_ns as u64;
            if gap > 0 {
                received.missing += gap;
                received.last_gap_ns = at;
                gap = 0;
            }
            if received.frames == 0 {
                (received.first_ns, received.last_ns) = (at, at);
            }
            let silence = at - received.last_ns;
            if silence > received.silence_ns {
                (received.silence_ns, received.silence_from_ns) = (silence, received.last_ns);
            }
            received.last_ns = at;
            received.frames += 1;
            received.octets += u64::from(SIZE);
            latency.saturating_record((busy_ns - now) as u64);
        }
        StreamTrial {
            offered_fps: asked_fps,
            sent,
            received,
            latency,
        }
    }
}

struct Run {
    end_ns: u64,
    /// From and for, nanoseconds of the trial.
    stall: Option<(f64, f64)>,
    down: Option<(f64, f64)>,
}

impl Device for Sim {
    fn offer(
        &mut self,
        load: &Load,
        watch: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        self.trials += 1;
        let mut run = Run {
            end_ns: load.duration.as_nanos() as u64,
            stall: None,
            down: None,
        };
        let resets = self.resets.get();
        let mut is_partial = false;
        for at_ns in (100_000_000..run.end_ns).step_by(100_000_000) {
            let glimpse = Glimpse {
                elapsed_s: at_ns as f64 / 1e9,
                ..Glimpse::default()
            };
            if !watch(glimpse) {
                (run.end_ns, is_partial) = (at_ns, true);
                break;
            }
            if self.resets.get() > resets && run.down.is_none() {
                let from = at_ns as f64;
                run.down = Some((from, from + self.reset.as_nanos() as f64));
            }
        }
        if self.chance() % 100 < self.stalls.0 {
            let at = (self.chance() % run.end_ns) as f64;
            run.stall = Some((at, self.stalls.1.as_nanos() as f64));
        }
        let ids = load.streams.iter().map(|s| usize::from(s.spec.id) - 1);
        let streams = ids
            .zip(&load.streams)
            .map(|(index, asked)| self.stream(index, asked, load, &run))
            .collect();
        let began_ns = self.clock_ns;
        let paused_ns = (self.paused * run.end_ns as f64) as u64;
        let pauses = Pauses {
            count: u64::from(paused_ns > 0),
            paused_ns,
            longest_ns: paused_ns,
            ..Pauses::default()
        };
        self.clock_ns += (load.duration + load.drain).as_nanos() as u64;
        Ok(Trial {
            streams,
            began_ns,
            duration_s: run.end_ns as f64 / 1e9,
            pauses: [pauses, Pauses::default()],
            foreign: 0,
            stale: 0,
            pacing: stats::total(),
            missed: 0,
            tx_lost: 0,
            own_ns: 0,
            is_partial,
        })
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        if what == Reset::Command {
            let why = "no command was given".into();
            return Err(DeviceError::Reset { what, why });
        }
        let resets = self.resets.clone();
        Ok(Box::new(move || {
            resets.set(resets.get() + 1);
            Ok(())
        }))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Remembers what it is shown.
#[derive(Default)]
pub(crate) struct Watcher {
    pub records: Vec<TrialRecord>,
    /// Loads of the trials, as a part of the first stream's rate.
    pub loads: Vec<f64>,
    pub paused: Duration,
    pub warm_ups: u32,
    pub left: Vec<Duration>,
    /// It ends the test in the middle of the trial behind so many.
    pub stops_in: Option<u32>,
    pub stops_before: Option<u32>,
}

impl Observer for Watcher {
    fn goes_on(&mut self, glimpse: Option<Glimpse>) -> bool {
        let made = Some(self.records.len() as u32);
        match glimpse {
            None => self.stops_before != made,
            Some(_) => self.stops_in != made,
        }
    }

    fn pause(&mut self, time: Duration) {
        self.paused += time;
    }

    fn begins(&mut self, progress: &Progress<'_>) {
        self.warm_ups += u32::from(progress.is_warm_up);
        if !progress.is_warm_up {
            let rate = progress.traffic.streams[0].stream.spec.rate_fps;
            self.loads
                .push(progress.load.streams[0].spec.rate_fps / rate);
            self.left.push(progress.left);
            assert_eq!(progress.made as usize, self.records.len());
        }
    }

    fn finished(&mut self, finished: &Finished<'_>) {
        self.records.push(pinode_measure::method::record(finished));
    }
}

/// A second a trial, without anything around it.
pub(crate) fn timing() -> Timing {
    Timing {
        trial: Duration::from_secs(1),
        drain: Duration::from_millis(100),
        restabilise: Duration::from_millis(50),
        warm_up: None,
        attempts: 3,
    }
}

/// Streams of PIs 1.. with these rates at a load of 1.0, which are their ceilings.
pub(crate) fn traffic(rates: &[f64]) -> Traffic {
    let streams = (1..).zip(rates).map(|(id, rate)| TrafficStream {
        pi: format!("pi{id}"),
        stream: LoadStream {
            from: Side::West,
            spec: StreamSpec::new(id, id as u8, SIZE, *rate),
        },
        ceiling_fps: *rate,
        wait: None,
    });
    Traffic {
        size: SizeLabel::Octets(SIZE),
        isolation: None,
        streams: streams.collect(),
    }
}
