//! What trials are made on: a node in this process ([`Wires`]), or whatever is between two ports
//! ([`Interfaces`]), both as a [`Device`](crate::trial::Device).
//!
//! What the two share is here: the check of a load, the two plans that it becomes, when a drain is over, and
//! the trial made of the counts. Must never offer a load that was not checked, nor read counts before the
//! drain is over.

pub(crate) mod clock;
mod interfaces;
mod station;
mod wires;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use self::interfaces::{Interfaces, Options};
pub use self::wires::Wires;
use crate::pause::Pauses;
use crate::plan::Plan;
use crate::signature::EPOCHS;
use crate::stats;
use crate::stream::{Stream, StreamSpec};
use crate::trial::{DeviceError, Glimpse, Load, Path, Reset, Side, StreamTrial, Trial};

/// Traffic starts this long after it was ordered, so that both sides start together.
const LEAD: Duration = Duration::from_millis(20);
/// Time between two calls of the one who watches.
const WATCH: Duration = Duration::from_millis(100);
/// Time between two looks at what still arrives.
const LOOK: Duration = Duration::from_millis(5);
/// A drain without anything arriving takes at least so long...
const LEAST_QUIET: Duration = Duration::from_millis(20);
/// ...and where all have arrived, so long: a duplicate of the last frame comes right behind it.
const SETTLED: Duration = Duration::from_millis(2);

/// What becomes of frames that the sender is late for.
#[derive(Debug, Clone, Copy)]
enum Late {
    /// They go at once, up to a backlog: they were on the wire at their time, and waited in front of the device.
    CaughtUp,
    /// They were not on any wire yet, so the schedule moves: see [`pause`](crate::pause).
    Pauses,
}

/// A load that may be offered on a path, in streams.
#[derive(Debug)]
struct Offer<'a> {
    load: &'a Load,
    /// West, east.
    streams: [Vec<Stream>; 2],
    epoch: u8,
}

const SIDES: [Side; 2] = [Side::West, Side::East];

impl<'a> Offer<'a> {
    /// Checks the load against the path. `trial`: how many were made before on this path.
    fn new(
        load: &'a Load,
        path: &Path,
        may_exceed_line: bool,
        trial: u64,
    ) -> Result<Self, DeviceError> {
        let all = Stream::all(load.streams.iter().map(|stream| stream.spec.clone()))?;
        let factor = load.step.map_or(1.0, |(_, factor)| factor);
        for stream in &load.streams {
            check_size(&stream.spec, path)?;
            // The rate behind the step must be one that can be paced, too.
            Stream::new(StreamSpec {
                rate_fps: stream.spec.rate_fps * factor,
                ..stream.spec.clone()
            })?;
        }
        for side in SIDES.into_iter().filter(|_| !may_exceed_line) {
            check_line(load, path, side, factor.max(1.0))?;
        }
        let of = |side| {
            let from = load.streams.iter().map(|stream| stream.from);
            let streams = from.zip(&all).filter(|(from, _)| *from == side);
            streams.map(|(_, stream)| stream.clone()).collect()
        };
        Ok(Self {
            load,
            streams: SIDES.map(of),
            // Below 16.
            epoch: (trial % u64::from(EPOCHS)) as u8,
        })
    }

    /// The plans of both sides, started: frames are due from `start_ns` on for the load's time.
    fn plans(&self, start_ns: u64, late: Late) -> [Box<Plan>; 2] {
        let [west, east] = &self.streams;
        [(west, east), (east, west)].map(|(source, sink)| {
            let mut plan = Box::new(Plan::new(source, sink, self.epoch));
            if let Late::Pauses = late {
                plan.source.pause_when_late(nanoseconds(self.load.duration));
            }
            plan.source.start(start_ns);
            plan.source.stop(start_ns + nanoseconds(self.load.duration));
            if let Some((after, factor)) = self.load.step {
                plan.source.change(start_ns + nanoseconds(after), factor);
            }
            plan
        })
    }

    /// What came of it. `end_ns`: no frame was due from then on, but for what the senders' pauses moved.
    fn trial(self, plans: [Box<Plan>; 2], start_ns: u64, end_ns: u64, is_partial: bool) -> Trial {
        let mut plans = plans;
        plans.iter_mut().for_each(|plan| plan.source.give_up_rest());
        let mut pacing = stats::total();
        for plan in &plans {
            stats::add(&mut pacing, &plan.pacing);
        }
        let mut next = [0, 0];
        let streams = self.load.streams.iter().map(|stream| {
            let side = stream.from as usize;
            let at = next[side];
            next[side] += 1;
            let (source, sink) = (&plans[side], &plans[1 - side]);
            let mut latency = stats::total();
            stats::add(&mut latency, &sink.latency[at]);
            StreamTrial {
                offered_fps: stream.spec.rate_fps,
                sent: source.source.sent().nth(at).unwrap_or_default(),
                received: sink.sink.received().nth(at).unwrap_or_default(),
                latency,
            }
        });
        let streams = streams.collect();
        let pauses = plans.each_ref().map(|plan| plan.source.pauses());
        // An early end is an instant of the clock, and pauses are within it.
        let moved = pauses.iter().map(Pauses::shift_ns).max();
        let moved_ns = moved.filter(|_| is_partial).unwrap_or(0);
        let duration_ns = end_ns.saturating_sub(start_ns).saturating_sub(moved_ns);
        let sum = |of: fn(&Plan) -> u64| plans.iter().map(|plan| of(plan)).sum();
        Trial {
            streams,
            began_ns: start_ns,
            duration_s: duration_ns as f64 / 1e9,
            pauses,
            foreign: sum(|plan| plan.sink.strays().foreign),
            stale: sum(|plan| plan.sink.strays().stale),
            pacing,
            missed: sum(|plan| plan.missed),
            tx_lost: sum(|plan| plan.tx_lost),
            own_ns: sum(|plan| plan.own_ns),
            is_partial,
        }
    }
}

fn check_size(spec: &StreamSpec, path: &Path) -> Result<(), DeviceError> {
    match spec.sizes.largest() {
        Some(size) if size > path.largest => Err(DeviceError::TooLarge {
            id: spec.id,
            size,
            largest: path.largest,
        }),
        _ => Ok(()),
    }
}

fn check_line(load: &Load, path: &Path, side: Side, factor: f64) -> Result<(), DeviceError> {
    /// Of rates that were computed from the line rate itself.
    const ROUNDING: f64 = 1.0 + 1e-9;
    let share =
        |spec: &StreamSpec| factor * spec.rate_fps / path.line_rate_fps(side, spec.sizes.mean());
    let streams = load.streams.iter().filter(|stream| stream.from == side);
    let share: f64 = streams.map(|stream| share(&stream.spec)).sum();
    let capacity_bps = path.capacity_bps[side as usize];
    if share <= ROUNDING {
        return Ok(());
    }
    Err(DeviceError::AboveLine {
        side,
        asked_bps: share * capacity_bps as f64,
        capacity_bps,
    })
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// State of both sides in the middle of a trial.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// When the later side was last seen to look for frames, nanoseconds.
    at_ns: u64,
    sent: u64,
    received: u64,
    /// When a frame last came, nanoseconds.
    last_ns: u64,
    /// Nothing is due any more.
    is_sent: bool,
    /// By so much later than asked for nothing will be due any more: [`Pauses::shift_ns`] of the later side.
    moved_ns: u64,
    own_ns: u64,
}

/// What carries a trial out, seen by the one who offers it.
trait Course {
    /// State of both sides now.
    fn look(&mut self) -> Result<Look, DeviceError>;

    /// No frame is due from `end_ns` on.
    fn stop(&mut self, end_ns: u64);
}

/// Watches a trial to the end of its drain. Returns when frames ceased to be due, and whether that was before
/// their time.
fn watch(
    course: &mut impl Course,
    load: &Load,
    start_ns: u64,
    watch: &mut dyn FnMut(Glimpse) -> bool,
) -> Result<(u64, bool), DeviceError> {
    let mut end_ns = start_ns + nanoseconds(load.duration);
    let (mut is_partial, mut moved_ns) = (false, 0);
    loop {
        let left_ns = (end_ns + moved_ns).saturating_sub(clock::now_ns());
        if left_ns == 0 {
            break;
        }
        std::thread::sleep(WATCH.min(Duration::from_nanos(left_ns)));
        let look = course.look()?;
        moved_ns = look.moved_ns;
        let (now_ns, moved_end_ns) = (clock::now_ns(), end_ns + moved_ns);
        let glimpse = Glimpse {
            elapsed_s: now_ns.min(moved_end_ns).saturating_sub(start_ns) as f64 / 1e9,
            sent: look.sent,
            received: look.received,
            own_ns: look.own_ns,
        };
        if !watch(glimpse) && now_ns < moved_end_ns {
            is_partial = true;
            end_ns = now_ns.max(start_ns);
            course.stop(end_ns);
            break;
        }
    }
    let moves = !is_partial;
    drain(
        course,
        |moved_ns| end_ns + if moves { moved_ns } else { 0 },
        load.drain,
    )?;
    Ok((end_ns, is_partial))
}

/// Waits for what is under way: until all have arrived, or nothing comes for a tenth of `most`, or `most` is
/// over. `end_ns` says when frames ceased to be due, by how much their schedule moved.
fn drain(
    course: &mut impl Course,
    end_ns: impl Fn(u64) -> u64,
    most: Duration,
) -> Result<(), DeviceError> {
    let quiet_ns = nanoseconds(LEAST_QUIET.max(most / 10));
    let most_ns = nanoseconds(most.max(LEAST_QUIET));
    loop {
        let look = course.look()?;
        let end_ns = end_ns(look.moved_ns);
        // Silence counts from the end of the sending: a frame may be late by all of it.
        let silent_ns = look.at_ns.saturating_sub(look.last_ns.max(end_ns));
        let enough_ns = match look.received == look.sent {
            true => nanoseconds(SETTLED),
            false => quiet_ns,
        };
        let is_over = look.is_sent && silent_ns >= enough_ns;
        if is_over || clock::now_ns() >= end_ns.saturating_add(most_ns) {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

/// What resets the device, by kind.
#[derive(Default)]
struct Resets(HashMap<Reset, Arc<dyn Fn() -> Result<(), DeviceError> + Send + Sync>>);

impl Resets {
    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        let reset = self
            .0
            .get(&what)
            .cloned()
            .ok_or_else(|| DeviceError::Reset {
                what,
                why: "nothing was said of how to do it on this path".to_owned(),
            })?;
        Ok(Box::new(move || reset()))
    }
}
