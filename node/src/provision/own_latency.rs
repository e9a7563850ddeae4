//! What the node itself adds to the wait for a phase, out of measured latencies.
//!
//! A measurement, no guarantee. Must never be taken from trials that lost frames: queues were full there.

use pinode_measure::results::{Results, SizeLabel, StreamRecord, Test};

use super::demands::{Demands, PiDemand};

/// Nanoseconds by which latencies of the PI's frames were above the wait for the phase: the mean above the mean wait or
/// the 99 % quantile above the longest wait, whichever is more, and what more than half kept of the lossless trials of
/// latency and of loss up to the demanded rate, or of the slowest if all are faster. None: no such trial.
#[must_use]
pub fn of(results: &Results, demands: &Demands, pi: &PiDemand) -> Option<u64> {
    let isolation = demands.isolation.as_str();
    let sizes = u64::from(pi.sizes.smallest())..=u64::from(pi.sizes.largest());
    let trials = results.trials.iter().filter(|trial| {
        let asked = match &trial.size {
            SizeLabel::Octets(size) => sizes.contains(&u64::from(*size)),
            SizeLabel::Mix(_) => false,
        };
        let same = trial
            .isolation
            .as_deref()
            .is_none_or(|found| found == isolation);
        asked && same && !trial.refused && matches!(trial.test, Test::Latency | Test::Loss)
    });
    let streams: Vec<&StreamRecord> = trials
        .flat_map(|trial| &trial.streams)
        .filter(|stream| stream.pi == pi.name && stream.lost == 0 && stream.received > 0)
        .collect();
    let slowest = streams
        .iter()
        .map(|stream| stream.offered_fps)
        .reduce(f64::min)?;
    let up_to = pi.frames_of(pi.sizes.smallest()).max(slowest);
    let above = |stream: &&StreamRecord| {
        let mean = stream.latency_ns.mean - stream.mean_wait_ns.unwrap_or(0.0);
        let late = stream.latency_ns.p99 as f64 - stream.longest_wait_ns.unwrap_or(0.0);
        mean.max(late).max(0.0)
    };
    let counted = streams.iter().filter(|stream| stream.offered_fps <= up_to);
    let mut each: Vec<f64> = counted.map(above).collect();
    each.sort_by(f64::total_cmp);
    // More than half of the trials kept it: a trial in which the machine stood still decides nothing.
    each.get(each.len() / 2).map(|ns| ns.ceil() as u64)
}
