//! Goodput of three saturated PIs, as a share of the ceiling that each was promised.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Arm, Fit, GateStatus, PIS, Plan};

/// One direction of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Goodput {
    /// Where frames left.
    pub side: usize,
    /// Frames that a window can hold, and a second.
    pub frames_per_window: u64,
    /// Same, for a second.
    pub ceiling_fps: f64,
    /// By PI.
    pub pis: Vec<PiGoodput>,
    /// How frames lay in their windows.
    pub fit: Fit,
    /// Frames whose computed start was before the end of the one ahead of them: above C.
    pub overlaps: u64,
    /// Frames that left later than they were to.
    pub late: u64,
    /// Frames of no PI.
    pub foreign: u64,
    /// Share of the time in which the worker was away for longer than the lookahead.
    pub away: f64,
    /// How well the base is known, nanoseconds to either side.
    pub base_uncertain_ns: u64,
}

/// A PI in it. Times are means of a window, nanoseconds.
#[derive(Debug, Clone, Serialize)]
pub struct PiGoodput {
    /// Frames offered, by the ceiling.
    pub offered: f64,
    /// Frames that left, by the ceiling: exact, over whole cycles.
    pub share: f64,
    /// Windows watched, and those of them in which a frame left.
    pub windows: u64,
    /// Of those, windows without a frame.
    pub windows_empty: u64,
    /// From the opening to the first frame.
    pub before_ns: f64,
    /// Between frames.
    pub between_ns: f64,
    /// From the last frame to the close.
    pub behind_ns: f64,
    /// What the node says, for about the same time.
    pub gate: GateStatus,
}

/// Boots a node of `plan`, offers each PI `load` times its ceiling on the west side (and, if `both`, on the
/// east side too), and watches what leaves for `span`.
///
/// # Errors
///
/// Whatever keeps the node from running.
pub fn goodput(plan: &Plan, load: f64, both: bool, span: Duration) -> anyhow::Result<Vec<Goodput>> {
    let arm = Arm::start(plan, [0.0; PIS])?;
    saturated(&arm, load, both, span)
}

/// As [`goodput`], on a node that runs. The flood goes on.
fn saturated(arm: &Arm, load: f64, both: bool, span: Duration) -> anyhow::Result<Vec<Goodput>> {
    let fps = arm.bounds.ceiling_fps * load;
    let sources: &[usize] = if both { &[0, 1] } else { &[0] };
    let sinks: &[usize] = if both { &[1, 0] } else { &[1] };
    for &side in sources {
        arm.flood(side, [fps; PIS])?;
    }
    std::thread::sleep(span / 4);
    let gates =
        |side: usize| -> anyhow::Result<_> { Ok(arm.status(side)?.map(|pi| GateStatus::of(&pi))) };
    let before: Vec<_> = sinks
        .iter()
        .map(|side| gates(*side))
        .collect::<Result<_, _>>()?;
    let (began, offered) = (
        Instant::now(),
        sources.iter().map(|side| arm.offered(*side)),
    );
    let offered: Vec<_> = offered.collect();
    let watches = arm.watch(sinks, span)?;
    let seconds = began.elapsed().as_secs_f64();
    let mut found = Vec::new();
    for (at, (watch, &side)) in watches.iter().zip(sinks).enumerate() {
        let (fit, after) = (watch.fit(), gates(side)?);
        let put = sources.get(at).map_or([0; PIS], |side| arm.offered(*side));
        let windows = watch.windows_of_each();
        let pi = |pi: usize| {
            let seen = &watch.pis[pi];
            let most = windows * arm.bounds.frames_per_phase;
            PiGoodput {
                offered: (put[pi] - offered[at][pi]) as f64 / seconds / arm.bounds.ceiling_fps,
                share: seen.frames as f64 / most.max(1) as f64,
                windows,
                windows_empty: windows.saturating_sub(seen.windows),
                before_ns: seen.mean_before_ns(fit.shift_ns),
                between_ns: seen.mean_between_ns(),
                behind_ns: seen.mean_behind_ns(fit.shift_ns),
                gate: after[pi].since(before[at][pi]),
            }
        };
        found.push(Goodput {
            side,
            frames_per_window: arm.bounds.frames_per_phase,
            ceiling_fps: arm.bounds.ceiling_fps,
            pis: (0..PIS).map(pi).collect(),
            fit,
            overlaps: watch.pis.iter().map(|pi| pi.overlaps).sum(),
            late: watch.pis.iter().map(|pi| pi.late).sum(),
            foreign: watch.foreign,
            away: watch.away_share(),
            base_uncertain_ns: arm.base.uncertain_ns,
        });
    }
    Ok(found)
}

impl Goodput {
    /// The least share of a ceiling.
    #[must_use]
    pub fn least_share(&self) -> f64 {
        self.pis
            .iter()
            .map(|pi| pi.share)
            .fold(f64::INFINITY, f64::min)
    }

    /// Frames that left.
    #[must_use]
    pub fn frames(&self) -> u64 {
        let most = |pi: &PiGoodput| (pi.windows * self.frames_per_window) as f64;
        let frames = |pi: &PiGoodput| (pi.share * most(pi)).round() as u64;
        self.pis.iter().map(frames).sum()
    }

    /// Windows overrun, as the node says.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.pis.iter().map(|pi| pi.gate.window_overruns).sum()
    }
}
