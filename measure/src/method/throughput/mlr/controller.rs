//! The controller of MLRsearch (RFC 9971 4.9.2): from the trials so far, which load to try next and for how long.
//!
//! Every goal is reached over a ladder of coarser ones with shorter trials; goals go down their ladders together and
//! share all trials. Within a step the bounds of the step before are tried first, then what is just beyond where they
//! fail, in doubling steps, then the middle. Which inputs are tried is left to implementations (4.9.2, 5.5); what
//! they prove is not: that is [`classify`](super::classify). Must never know a device.

use std::collections::BTreeMap;

use super::Goal;
use super::classify::{Class, Measured, classify};

/// What to try next (RFC 9971 4.5.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input {
    /// The load.
    pub load: f64,
    /// Trial duration, seconds.
    pub duration_s: f64,
    /// Index of the goal that asked for it.
    pub goal: usize,
}

/// The relevant bounds of a goal (RFC 9971 4.8.1, 4.8.2).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RelevantBounds {
    /// The largest lower bound below every upper bound. Without an upper bound it is an effective one: it says how
    /// far the search came (4.8.4.2).
    pub lower: Option<f64>,
    /// The smallest upper bound.
    pub upper: Option<f64>,
}

impl RelevantBounds {
    /// Whether both are there, and within `goal`'s width: a regular result (4.8.4.1).
    #[must_use]
    pub fn is_regular(&self, goal: &Goal) -> bool {
        match (self.lower, self.upper) {
            (Some(lower), Some(upper)) => upper - lower <= goal.width * upper,
            _ => false,
        }
    }
}

/// Chooses trials until all goals have their bounds.
#[derive(Debug)]
pub struct Controller {
    /// Ladders of all goals, coarse to fine, goals beside each other; the goals themselves last.
    steps: Vec<Step>,
    /// Where the goals themselves begin.
    finals: usize,
    at: usize,
    least: f64,
    most: f64,
    /// Lowest load that the tester could not send: no trial is made there or above.
    unsendable: Option<f64>,
    /// Trials by load; the bits of a positive float are ordered as it is.
    trials: BTreeMap<u64, Vec<Measured>>,
    /// The least part of a load that was offered in a trial of it, by load.
    offered: BTreeMap<u64, f64>,
}

#[derive(Debug)]
struct Step {
    goal: usize,
    target: Goal,
    /// The step before it of the same goal.
    before: Option<usize>,
    /// The load that was asked for last, until it is decided.
    pending: Option<Pending>,
    /// A hint of the step before failed: the search goes outwards from it, so many loads so far.
    outwards: Option<(Class, i32)>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    load: f64,
    is_hint: bool,
}

impl Controller {
    /// Loads are between `least` and `most`, both above 0.
    #[must_use]
    pub fn new(goals: &[Goal], least: f64, most: f64) -> Self {
        let ladders: Vec<Vec<Goal>> = goals.iter().map(Goal::ladder).collect();
        let longest = ladders.iter().map(Vec::len).max().unwrap_or(0);
        let (mut steps, mut last, mut finals) = (Vec::new(), vec![None; goals.len()], 0);
        // Ladders end together, so that shorter ones begin later.
        for rung in 0..longest {
            finals = steps.len();
            for (goal, ladder) in ladders.iter().enumerate() {
                let Some(target) = (rung + ladder.len())
                    .checked_sub(longest)
                    .and_then(|at| ladder.get(at))
                else {
                    continue;
                };
                let before = last[goal].replace(steps.len());
                steps.push(Step {
                    goal,
                    target: target.clone(),
                    before,
                    pending: None,
                    outwards: None,
                });
            }
        }
        Self {
            steps,
            finals,
            at: 0,
            least,
            most,
            unsendable: None,
            trials: BTreeMap::new(),
            offered: BTreeMap::new(),
        }
    }

    /// The next trial; none when all goals have regular results, or none that could become one.
    pub fn next_input(&mut self) -> Option<Input> {
        while self.at < self.finals {
            if let Some(input) = self.ask(self.at) {
                return Some(input);
            }
            self.at += 1;
        }
        // Trials for one goal may undo a bound of another: all are looked at until none asks.
        (self.finals..self.steps.len()).find_map(|step| {
            self.at = step;
            self.ask(step)
        })
    }

    /// What came of it.
    /// `offered_part` of the load was offered with the tester's pauses
    /// ([`Trial::offered_part`](crate::trial::Trial::offered_part)).
    pub fn add(&mut self, input: &Input, loss_ratio: f64, offered_part: f64) {
        let least = self.offered.entry(input.load.to_bits()).or_insert(1.0);
        *least = least.min(offered_part);
        let measured = Measured {
            duration_s: input.duration_s,
            effective_s: input.duration_s,
            loss_ratio,
        };
        self.trials
            .entry(input.load.to_bits())
            .or_default()
            .push(measured);
        let Some(step) = self.steps.get(self.at) else {
            return;
        };
        let class = self.class(&step.target, input.load);
        let Some(step) = self.steps.get_mut(self.at) else {
            return;
        };
        let Some(pending) = step.pending.filter(|_| class != Class::Undecided) else {
            return;
        };
        step.pending = None;
        step.outwards = match step.outwards {
            Some((side, count)) if side == class => Some((side, count + 1)),
            None if pending.is_hint => Some((class, 1)),
            // It turned: from here on halves.
            _ => None,
        };
    }

    /// The tester could not send it.
    pub fn refuse(&mut self, input: &Input) {
        let lowest = self.unsendable.map_or(input.load, |u| u.min(input.load));
        self.unsendable = Some(lowest);
        for step in &mut self.steps {
            step.pending = step.pending.filter(|p| p.load < lowest);
        }
    }

    /// Lowest load that the tester could not send.
    #[must_use]
    pub fn unsendable(&self) -> Option<f64> {
        self.unsendable
    }

    /// Trials at `load`.
    #[must_use]
    pub fn trials(&self, load: f64) -> &[Measured] {
        self.trials.get(&load.to_bits()).map_or(&[], Vec::as_slice)
    }

    /// The least part of `load` that was offered in any trial of it; 1.0 where the tester never paused.
    #[must_use]
    pub fn offered_part(&self, load: f64) -> f64 {
        self.offered.get(&load.to_bits()).copied().unwrap_or(1.0)
    }

    /// The bounds of `goal`, one of those given to [`new`](Self::new) or any other: all trials count for every goal.
    #[must_use]
    pub fn bounds(&self, goal: &Goal) -> RelevantBounds {
        let mut bounds = RelevantBounds::default();
        for (bits, trials) in &self.trials {
            let load = f64::from_bits(*bits);
            match classify(goal, trials) {
                Class::Lower => bounds.lower = Some(load),
                Class::Undecided => {}
                Class::Upper => {
                    bounds.upper = Some(load);
                    break;
                }
            }
        }
        bounds
    }

    /// Estimated seconds of traffic, and trials, until the search ends.
    #[must_use]
    pub fn left(&self) -> (f64, u32) {
        /// Loads that a step decides about in the mean: its two hints, and one or two more.
        const LOADS_A_STEP: f64 = 3.0;
        let (mut seconds, mut trials) = (0.0, 0.0);
        for step in self.steps.get(self.at..).unwrap_or(&[]) {
            let target = &step.target;
            let all = target.duration_sum.as_secs_f64();
            let one = target.final_trial.as_secs_f64();
            // The first trials decide when they agree.
            let decisive = (all * target.exceed_ratio.max(1.0 - target.exceed_ratio)).max(one);
            seconds += LOADS_A_STEP * decisive;
            trials += LOADS_A_STEP * (decisive / one).ceil();
        }
        (seconds, trials as u32)
    }

    fn class(&self, goal: &Goal, load: f64) -> Class {
        classify(goal, self.trials(load))
    }

    fn ask(&mut self, at: usize) -> Option<Input> {
        let pending = self.choose(at)?;
        let step = self.steps.get_mut(at)?;
        step.pending = Some(pending);
        Some(Input {
            load: pending.load,
            duration_s: step.target.final_trial.as_secs_f64(),
            goal: step.goal,
        })
    }

    fn choose(&self, at: usize) -> Option<Pending> {
        let step = self.steps.get(at)?;
        let target = &step.target;
        let bounds = self.bounds(target);
        if bounds.is_regular(target) {
            return None;
        }
        let is_inside = |load: f64| {
            load >= self.least
                && load <= self.most
                && self.unsendable.is_none_or(|u| load < u)
                && bounds.lower.is_none_or(|l| load > l)
                && bounds.upper.is_none_or(|u| load < u)
        };
        if let Some(pending) = step.pending.filter(|p| is_inside(p.load)) {
            return Some(pending);
        }
        for hint in self.hints(step).into_iter().flatten() {
            if is_inside(hint) {
                return Some(Pending {
                    load: hint,
                    is_hint: true,
                });
            }
        }
        let load = self.search(target, step.outwards, bounds)?;
        Some(Pending {
            load,
            is_hint: false,
        })
    }

    /// Loads that are likely bounds: those of the step before; at first around what came through of the highest load.
    fn hints(&self, step: &Step) -> [Option<f64>; 2] {
        if let Some(before) = step.before.and_then(|before| self.steps.get(before)) {
            let bounds = self.bounds(&before.target);
            return [bounds.lower, bounds.upper];
        }
        let Some((load, trials)) = self.trials.last_key_value() else {
            return [None; 2];
        };
        let Some(first) = trials.first() else {
            return [None; 2];
        };
        let forwarded = f64::from_bits(*load) * (1.0 - first.loss_ratio);
        let half = step.target.width / 2.0;
        [
            Some(forwarded * (1.0 - half)),
            Some(forwarded * (1.0 + half)),
        ]
    }

    /// The next load where there is no hint: outwards from a hint that failed, else the middle.
    fn search(
        &self,
        target: &Goal,
        outwards: Option<(Class, i32)>,
        bounds: RelevantBounds,
    ) -> Option<f64> {
        let away = |class| match outwards {
            Some((side, count)) if side == class => {
                Some((1.0 - target.width).powi(1 << (count - 1).min(20)))
            }
            _ => None,
        };
        match (bounds.lower, bounds.upper) {
            // The most first: what does not fail there needs no search.
            (None, None) => match self.unsendable {
                None => Some(self.most),
                Some(unsendable) => {
                    (unsendable > self.least).then(|| (unsendable / 2.0).max(self.least))
                }
            },
            (Some(lower), None) => {
                let most = self.unsendable.unwrap_or(self.most);
                if self.unsendable.is_some() {
                    let is_close = most - lower <= target.width * most;
                    let middle = (lower * most).sqrt();
                    return (!is_close)
                        .then(|| away(Class::Lower).map_or(middle, |f| (lower / f).min(middle)));
                }
                (lower < most).then(|| away(Class::Lower).map_or(most, |f| (lower / f).min(most)))
            }
            (None, Some(upper)) => {
                let is_close = upper - self.least <= target.width * upper;
                let middle = if is_close {
                    self.least
                } else {
                    (self.least * upper).sqrt()
                };
                (upper > self.least)
                    .then(|| away(Class::Upper).map_or(middle, |f| (upper * f).max(middle)))
            }
            (Some(lower), Some(upper)) => {
                let middle = (lower * upper).sqrt();
                let up = away(Class::Lower).map_or(middle, |f| (lower / f).min(middle));
                Some(away(Class::Upper).map_or(up, |f| (upper * f).max(middle)))
            }
        }
    }
}
