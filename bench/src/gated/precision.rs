//! How late gates open for frames that wait, beside what a bare loop sees of the same edges; and what a lone frame
//! waits above what the schedule makes it wait.

use std::time::Duration;

use pinode_measure::stats::{self, Summary};
use pinode_node::dataplane::clock::{Clock, Monotonic};
use pinode_node::status::Quantiles;
use serde::Serialize;

use super::watch::lateness;
use super::{Arm, Floor, PIS, Plan};

/// One round.
#[derive(Debug, Clone, Serialize)]
pub struct Precision {
    /// Of saturated PIs, as the node says: of each figure the worst of the PIs. From the first frame on.
    pub gate_error_ns: Quantiles,
    /// First frames of windows, all PIs: when they left, after the opening.
    pub first_left_ns: Summary,
    /// The same frames: when the port got them; 0 where that was before the opening.
    pub first_handed_ns: Summary,
    /// A bare loop on the worker's core, before and after.
    pub floors: Vec<Floor>,
    /// The same, while the guests' core is kept busy.
    pub busy_floors: Vec<Floor>,
    /// Frames of low load, by PI.
    pub lone: Vec<Lone>,
}

/// Low load on a PI.
#[derive(Debug, Clone, Serialize)]
pub struct Lone {
    /// Rate, by the ceiling.
    pub load: f64,
    /// Frames that came.
    pub frames: u64,
    /// Frames that did not.
    pub lost: u64,
    /// From the instant a frame was due to its last bit on the far link.
    pub latency_ns: Summary,
    /// What the schedule makes a frame that comes at any instant wait for its start, mean.
    pub mean_wait_ns: f64,
    /// Its own time on the wire.
    pub wire_ns: f64,
    /// Mean latency less both: what the node takes.
    pub above_ns: f64,
}

/// Boots a node of `plan` for a round: floors, saturation at `load` times the ceiling, low load of about `low` times
/// the ceiling, floors, each for `span`.
///
/// # Errors
///
/// Whatever keeps the node from running.
pub fn precision(plan: &Plan, load: f64, low: f64, span: Duration) -> anyhow::Result<Precision> {
    let (worker, guests) = plan.cpus;
    let every = Duration::from_micros(u64::from(plan.phase_us));
    let floor = |beside| Floor::measure(worker, beside, every, span);
    let (mut floors, mut busy_floors) = (vec![floor(None)?], vec![floor(Some(guests))?]);

    let bounds = plan.bounds()?;
    let fps = low_fps(low, bounds.frames_per_phase, plan.cycle_ns());
    let mut arm = Arm::start(plan, [fps; PIS])?;
    arm.flood(0, [bounds.ceiling_fps * load; PIS])?;
    std::thread::sleep(span / 4);
    let watches = arm.watch(&[1], span)?;
    let gate_error_ns = worst(arm.status(1)?.map(|pi| pi.gate_error_ns));
    let (mut started, mut committed) = (stats::total(), stats::total());
    let mut shift_ns = 0;
    for watch in &watches {
        shift_ns = watch.fit().shift_ns;
        for pi in &watch.pis {
            pi.add_to(&mut started, &mut committed);
        }
    }
    arm.quiet()?;
    let lone = lone(plan, &mut arm, fps, span)?;
    drop(arm);

    floors.push(floor(None)?);
    busy_floors.push(floor(Some(guests))?);
    Ok(Precision {
        gate_error_ns,
        first_left_ns: lateness(&started, shift_ns),
        first_handed_ns: lateness(&committed, shift_ns),
        floors,
        busy_floors,
        lone,
    })
}

fn lone(plan: &Plan, arm: &mut Arm, fps: f64, span: Duration) -> anyhow::Result<Vec<Lone>> {
    /// Longer than anything that was under way takes.
    const DRAIN: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_secs(1);
    let bounds = arm.bounds;
    let [source, sink] = arm.probes()?;
    // Takes what was there before.
    sink.snapshot(PATIENCE)?;
    let start_ns = Monotonic.now_ns() + 1_000_000;
    source.start(start_ns);
    source.stop(start_ns + span.as_nanos() as u64);
    std::thread::sleep(span + DRAIN);
    let sent = source.snapshot(PATIENCE)?.sent.clone();
    let got = sink.snapshot(PATIENCE)?;
    let wire_ns = f64::from(u32::from(plan.size) + 20) * 8e9 / plan.capacity_bps() as f64;
    let flows = sent.iter().zip(&got.received).zip(&got.latency);
    let lone = flows.map(|((sent, received), latency)| {
        let latency_ns = Summary::of(latency);
        Lone {
            load: fps / bounds.ceiling_fps,
            frames: received.frames,
            lost: sent.frames.saturating_sub(received.frames),
            latency_ns,
            mean_wait_ns: bounds.mean_wait_ns,
            wire_ns,
            above_ns: latency_ns.mean - bounds.mean_wait_ns - wire_ns,
        }
    });
    Ok(lone.collect())
}

/// A rate of about `low` times the ceiling of which frames come at all instants of the cycle alike: they are so far
/// apart that the fraction of a cycle is that of the golden ratio.
fn low_fps(low: f64, frames_per_window: u64, cycle_ns: u64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let cycles = 1.0 / (low * frames_per_window as f64);
    1e9 / ((cycles.floor() + GOLDEN) * cycle_ns as f64)
}

fn worst(of: [Quantiles; PIS]) -> Quantiles {
    let most = |what: fn(&Quantiles) -> u64| of.iter().map(what).max().unwrap_or(0);
    Quantiles {
        p50: most(|q| q.p50),
        p99: most(|q| q.p99),
        p999: most(|q| q.p999),
        max: most(|q| q.max),
    }
}

impl Precision {
    /// p99 of the gate error by the p99 of the floors beside it, mean of the two.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        let sum: u64 = self.floors.iter().map(|f| f.lateness_ns.p99).sum();
        let floor = sum as f64 / self.floors.len().max(1) as f64;
        self.gate_error_ns.p99 as f64 / floor.max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_frames_come_at_all_instants_alike() {
        let cycle_ns = 300_000;
        for (low, window) in [(0.01, 126), (0.01, 8), (0.5, 126)] {
            let step_ns = 1e9 / low_fps(low, window, cycle_ns);
            let mut tenths = [0u32; 10];
            for frame in 0..1_000u32 {
                let into = (f64::from(frame) * step_ns) % cycle_ns as f64 / cycle_ns as f64;
                tenths[((into * 10.0) as usize).min(9)] += 1;
            }
            assert!(tenths.iter().all(|n| n.abs_diff(100) <= 2), "{tenths:?}");
        }
    }

    #[test]
    fn low_load_is_about_what_was_asked_for() {
        // 8 frames a window of 300 us: a hundredth is a frame each 12.5 cycles.
        let fps = low_fps(0.01, 8, 300_000);
        assert!((fps * 300e-6 * 12.618 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn the_worst_pi_speaks_for_all() {
        let q = |p50, max| Quantiles {
            p50,
            p99: 9,
            p999: 9,
            max,
        };
        let worst = worst([q(5, 10), q(3, 30), q(4, 20)]);
        assert_eq!((worst.p50, worst.p99, worst.max), (5, 9, 30));
    }
}
