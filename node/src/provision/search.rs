//! The cycle and its phases, by enumeration.
//!
//! In a cycle of given length a longer phase gives its PI more rate, less delay and less backlog, whatever the others
//! have. So for each length there is one shortest phase that meets a PI's demand, and a length will do if and only if
//! those sum up to no more than it: nothing is lost by looking at them alone. What the bounds are is asked of
//! `scheduler::bounds`, which `check` asks too. Must never reckon with formulas of its own.

use pinode_scheduler::bounds::{self, Flow, PiBounds};
use pinode_scheduler::{Cycle, LinkRate, Phase};

use super::demands::Cycles;

/// Descriptors of the largest virtqueue (`pi.NAME.queue`).
pub const RING_MOST: u64 = 4096;
/// Octets that a frame holds the wire beyond its own.
const OVERHEAD: f64 = pinode_scheduler::rate::OVERHEAD_OCTETS as f64;

/// A link as the search sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// C.
    pub rate: LinkRate,
    /// g, nanoseconds.
    pub guard_ns: u64,
}

/// What a PI asks of its phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// On the wire.
    pub flow: Flow,
    /// Octets with FCS.
    pub largest: u32,
    /// As above, of the frames that wait.
    pub smallest: u32,
    /// At most.
    pub delay_ns: Option<u64>,
    /// Places of a ring that what comes while the host stalls needs beside what waits for the phase.
    pub stalled_frames: u64,
}

impl Asked {
    /// Frames that wait at most where the PI has the bounds `own`, stalls counted; none: no bound.
    #[must_use]
    pub fn waiting(&self, own: &PiBounds) -> Option<u64> {
        let frame_bits = 8.0 * (f64::from(self.smallest) + OVERHEAD);
        let frames = (own.backlog_bits(self.flow)? / frame_bits).ceil() as u64;
        Some(frames.saturating_add(self.stalled_frames))
    }

    /// Whether bounds hold what is asked.
    #[must_use]
    pub fn holds(&self, own: &PiBounds) -> bool {
        let in_time = own.delay_ns(self.flow).is_some_and(|delay_ns| {
            self.delay_ns
                .is_none_or(|allowed_ns| delay_ns <= allowed_ns as f64)
        });
        in_time && self.waiting(own).is_some_and(|frames| frames <= RING_MOST)
    }
}

impl Link {
    /// Bounds of a PI with one phase of `phase_ns`; none: its largest frame does not fit, or the phase not into the
    /// cycle.
    #[must_use]
    pub fn bounds(&self, cycle_ns: u64, phase_ns: u64, largest: u32) -> Option<PiBounds> {
        let rest_ns = cycle_ns.checked_sub(phase_ns)?;
        let phases = [
            Phase {
                owner: Some(0),
                duration_ns: phase_ns,
            },
            Phase {
                owner: None,
                duration_ns: rest_ns,
            },
        ];
        let used = if rest_ns == 0 { 1 } else { 2 };
        let cycle = Cycle::new(phases.get(..used)?, self.guard_ns, self.rate, |_| largest).ok()?;
        bounds::of_pi(&cycle, 0, largest)
    }

    /// The shortest phase in a cycle of this length, in whole grains; none: no phase will do. `near_ns`: where it is
    /// looked for first.
    #[must_use]
    pub fn shortest(
        &self,
        asked: &Asked,
        cycle_ns: u64,
        grain_ns: u64,
        near_ns: u64,
    ) -> Option<u64> {
        let holds = |grains: u64| {
            let own = self.bounds(cycle_ns, grains * grain_ns, asked.largest);
            own.is_some_and(|own| asked.holds(&own))
        };
        let most = cycle_ns / grain_ns;
        // Steps that double, from a length of which it is likely that it is near; then halves.
        let near = (near_ns / grain_ns).clamp(1, most.max(1));
        let (mut short, mut enough) = (0, most);
        if near <= most && holds(near) {
            enough = near;
            let mut step = 1;
            while let Some(less) = enough.checked_sub(step).filter(|less| *less > 0) {
                if !holds(less) {
                    short = less;
                    break;
                }
                enough = less;
                step *= 2;
            }
        } else {
            if most == 0 || !holds(most) {
                return None;
            }
            short = near;
            let mut step = 1;
            while let Some(more) = short.checked_add(step).filter(|more| *more < most) {
                if holds(more) {
                    enough = more;
                    break;
                }
                short = more;
                step *= 2;
            }
        }
        while enough - short > 1 {
            let middle = short + (enough - short) / 2;
            if holds(middle) {
                enough = middle;
            } else {
                short = middle;
            }
        }
        Some(enough * grain_ns)
    }
}

/// A cycle length and the shortest phase of each PI in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// T_c.
    pub cycle_ns: u64,
    /// T_p in the order of the PIs; none: no phase in this cycle will do.
    pub phases_ns: Vec<Option<u64>>,
}

impl Candidate {
    /// Sum of the phases, if there is one for each PI.
    #[must_use]
    pub fn reserved_ns(&self) -> Option<u64> {
        self.phases_ns.iter().copied().sum()
    }

    /// As above, if they fit.
    #[must_use]
    pub fn fits_ns(&self) -> Option<u64> {
        self.reserved_ns().filter(|sum| *sum <= self.cycle_ns)
    }
}

/// Every cycle of the grid, shortest first.
#[must_use]
pub fn candidates(link: Link, asked: &[Asked], cycles: Cycles) -> Vec<Candidate> {
    let mut near_ns = vec![cycles.from_ns / asked.len().max(1) as u64; asked.len()];
    let mut all = Vec::new();
    for cycle_ns in cycles.lengths() {
        let phases_ns: Vec<Option<u64>> = asked
            .iter()
            .zip(&mut near_ns)
            .map(|(asked, near_ns)| {
                let found = link.shortest(asked, cycle_ns, cycles.grain_ns, *near_ns);
                *near_ns = found.unwrap_or(*near_ns);
                found
            })
            .collect();
        all.push(Candidate {
            cycle_ns,
            phases_ns,
        });
    }
    all
}

/// The choice: the shortest cycle that reserves at most `slack` percent of the link more than the cycle that reserves
/// least. None: no cycle will do.
#[must_use]
pub fn choose(candidates: &[Candidate], slack: u8) -> Option<&Candidate> {
    let fitting = || {
        let reserved = |found| Candidate::fits_ns(found).map(|sum| (found, sum));
        candidates.iter().filter_map(reserved)
    };
    let share = |(found, sum): &(&Candidate, u64)| (u128::from(*sum), u128::from(found.cycle_ns));
    // a / b against c / d as a d against c b: nothing is rounded.
    let least = fitting().min_by(|one, other| {
        let ((a, b), (c, d)) = (share(one), share(other));
        (a * d).cmp(&(c * b))
    })?;
    let (sum, length) = share(&least);
    let allowed = 100 * sum + u128::from(slack) * length;
    let (chosen, _) = fitting().find(|candidate| {
        let (a, b) = share(candidate);
        100 * a * length <= allowed * b
    })?;
    Some(chosen)
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
