//! A trial as the results file has it.

use crate::results::{StreamRecord, TrialRecord};
use crate::stats::{Summary, quantiles};
use crate::trial::{Side, StreamTrial};

use super::{Finished, TrafficStream};

/// The record of a trial, with the distribution of its latencies.
#[must_use]
pub fn record(finished: &Finished<'_>) -> TrialRecord {
    let Finished {
        test,
        traffic,
        trial,
        ..
    } = *finished;
    let streams = traffic.streams.iter().zip(&trial.streams);
    TrialRecord {
        test,
        size: traffic.size.clone(),
        isolation: traffic.isolation.clone(),
        duration_s: trial.duration_s,
        paused_s: trial.paused_s(),
        longest_pause_s: trial.longest_pause_s(),
        refused: !trial.is_valid(),
        foreign: trial.foreign,
        stale: trial.stale,
        pacing_error_ns: Summary::of(&trial.pacing),
        streams: streams
            .map(|(stream, of)| stream_record(stream, of, trial.offered_s(stream.stream.from)))
            .collect(),
    }
}

fn stream_record(stream: &TrafficStream, of: &StreamTrial, offered_s: f64) -> StreamRecord {
    // What a full buffer gives out behind the last frame due counts in the time in which it came.
    let arriving_s = of.received.last_ns.saturating_sub(of.received.first_ns) as f64 / 1e9;
    let time_s = offered_s.max(arriving_s);
    let per_second = |count: f64| if time_s > 0.0 { count / time_s } else { 0.0 };
    let name = |side| {
        String::from(match side {
            Side::West => "west",
            Side::East => "east",
        })
    };
    let from = stream.stream.from;
    let to = match from {
        Side::West => Side::East,
        Side::East => Side::West,
    };
    StreamRecord {
        pi: stream.pi.clone(),
        from: name(from),
        to: name(to),
        offered_fps: of.offered_fps,
        sent: of.sent.frames,
        unsent: of.sent.unsent,
        received: of.received.frames,
        lost: of.lost(),
        reordered: of.received.reordered,
        duplicated: of.received.duplicated,
        corrupted: of.received.corrupted,
        received_fps: per_second(of.received.frames as f64),
        received_l2_bps: per_second(8.0 * of.received.octets as f64),
        ceiling_fps: stream.wait.map(|_| stream.ceiling_fps),
        latency_ns: of.latency_ns(),
        mean_wait_ns: stream.wait.map(|w| w.mean_ns),
        longest_wait_ns: stream.wait.map(|w| w.longest_ns),
        quantiles: quantiles(&of.latency),
    }
}
