//! What the tester itself can do on this machine: its largest rate, how late it is, and the least latency that
//! it sees. Said at the head of every report, so that no figure is taken for the device's that is the tester's.
//!
//! One thread runs source, a cable in memory and sink by turns, with the clock read as over interfaces. Must
//! never be flattered: the clock is read once a burst, as in a trial, and every frame is checked by the sink.

use std::time::Duration;

use pinode_ports::memory::cable;
use pinode_ports::{DEFAULT_SLOT_OCTETS, Port};

use crate::burst;
use crate::path::clock::now_ns;
use crate::path::nanoseconds;
use crate::plan::Plan;
use crate::results::TesterLimits;
use crate::stats::Summary;
use crate::stream::{FASTEST_FPS, SMALLEST, Stream, StreamError, StreamSpec};

/// Slots of the cable: more than a burst, so that it never stands in the way.
const SLOTS: usize = 256;
/// Time of the run whose rate is measured, and before it, to warm up.
const RATE_TIME: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Time of the run whose lateness is measured.
const PACING_TIME: Duration = Duration::from_millis(500);

/// Measures the tester with frames of `size` octets with FCS; [`SMALLEST`] is what limits are said of.
/// Takes about a second, in which nothing else should run on this core.
///
/// # Errors
///
/// A size that no stream has.
pub fn measure(size: u16) -> Result<TesterLimits, StreamError> {
    let (near, far) = cable(SLOTS, usize::from(size).max(DEFAULT_SLOT_OCTETS));
    let mut ports: [Box<dyn Port>; 2] = [Box::new(near), Box::new(far)];
    let mut memory_fps = 0.0;
    for time in RATE_TIME {
        // More than any core sends: the source is never waited for, and what is late is given up.
        let (plan, time_s) = run(&mut ports, &StreamSpec::new(1, 1, size, FASTEST_FPS), time)?;
        memory_fps = plan.received() as f64 / time_s;
    }
    let (paced, _) = run(
        &mut ports,
        &StreamSpec::new(1, 1, size, memory_fps / 10.0),
        PACING_TIME,
    )?;
    Ok(TesterLimits {
        size,
        memory_fps,
        pacing_error_ns: Summary::of(&paced.pacing),
        latency_floor_ns: paced.latency.first().map(Summary::of).unwrap_or_default(),
        floor_path: "memory".to_owned(),
    })
}

/// As [`measure`], of the smallest frame.
#[must_use]
pub fn of_smallest() -> TesterLimits {
    measure(SMALLEST).expect("a stream may have frames of its smallest size")
}

fn run(
    ports: &mut [Box<dyn Port>; 2],
    spec: &StreamSpec,
    time: Duration,
) -> Result<(Plan, f64), StreamError> {
    let streams = [Stream::new(spec.clone())?];
    let mut plan = Plan::new(&streams, &streams, 0);
    let [near, far] = ports;
    let began_ns = now_ns();
    plan.source.start(began_ns);
    plan.source.stop(began_ns + nanoseconds(time));
    loop {
        let now = now_ns();
        burst::send(near, &mut plan, now, now_ns);
        let came = burst::absorb(far, &mut plan, now, now_ns);
        if came == 0 && plan.source.due_ns() == u64::MAX {
            let time_s = plan.sink.last_ns().saturating_sub(began_ns) as f64 / 1e9;
            return Ok((plan, time_s));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_of_frames_that_arrived() {
        let limits = of_smallest();
        assert_eq!(limits.size, 79);
        // The path of the smallest possible machine, not of this one: figures are in docs.
        assert!(limits.memory_fps > 1_000.0, "{limits:?}");
        let floor = limits.latency_floor_ns;
        assert!(0 < floor.min && floor.min <= floor.p50 && floor.p50 <= floor.max);
        assert!(limits.pacing_error_ns.max > 0);
    }

    #[test]
    fn a_size_that_cannot_be_is_refused() {
        let message = measure(78).unwrap_err().to_string();
        assert!(message.contains("78, allowed are 79"), "{message}");
    }
}
