//! Throughput by Multiple Loss Ratio search, MLRsearch (RFC 9971): lower and upper bounds for several goals at once,
//! with conditional throughput as the result.
//!
//! | RFC 9971 | here |
//! |---|---|
//! | 4.5 trial terms: load, duration, loss ratio, effective duration | [`controller::Input`], [`classify::Measured`]; the effective duration is the trial's own |
//! | 4.6 goal terms | [`Goal`] |
//! | 4.6.8 controller input: goals, max load, min load | [`Settings`] |
//! | 4.7, 6.1, appendix A: load classification | [`classify`] |
//! | 4.8.1, 4.8.2: relevant bounds | [`controller::RelevantBounds`] |
//! | 4.8.3, 6.2, appendix B: conditional throughput | [`classify::conditional_throughput`] |
//! | 4.8.4: regular and irregular results | [`GoalResult`] |
//! | 4.9.1 measurer | [`TestBed`] over a [`Device`](crate::trial::Device) |
//! | 4.9.2 controller | [`controller`] |
//! | 4.9.3 manager | who calls [`search`] |
//! | 4.10: goals that agree with other procedures | [`Goal::rfc2544`], [`Goal::tst009`] |
//!
//! Loads are parts of the traffic's rates (4.5.2: a load of several interfaces may be expressed by one value). The goal
//! width is relative: the distance of the relevant bounds as a part of the upper one.

pub mod classify;
pub mod controller;
mod goal;

use std::time::Duration;

pub use goal::Goal;

use crate::results::{Test, Throughput};
use crate::trial::Trial;

use super::super::{
    Bounds, Halt, MethodError, Outcome, Plan, Sounding, TestBed, Traffic, end, require,
};
use super::{Found, Limit, mean_octets, worst_loss_ratio};
use classify::quantile_loss_ratio;
use controller::{Controller, Input, RelevantBounds};

/// Controller input (RFC 9971 4.6.8). Loads are parts of the traffic's rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The goals; their order hardly matters.
    pub goals: Vec<Goal>,
    /// Max load (4.6.8.1): the first trial is made there.
    pub most: f64,
    /// Min load (4.6.8.2): a device that fails there has no result. Large enough that every trial has some frames.
    pub least: f64,
    /// The search is given up after so many trials, and says so: a device whose behaviour changes may have no bounds.
    pub most_trials: u32,
}

impl Settings {
    /// These goals between a thousandth of the traffic's rates and all of them.
    #[must_use]
    pub fn new(goals: Vec<Goal>) -> Self {
        Self {
            goals,
            most: 1.0,
            least: 0.001,
            most_trials: 1000,
        }
    }

    fn check(&self) -> Result<(), MethodError> {
        require(!self.goals.is_empty(), "search goals", 0, "1 and more")?;
        require(
            self.most > 0.0 && self.most.is_finite(),
            "max load",
            self.most,
            "above 0.0",
        )?;
        require(
            self.least > 0.0 && self.least < self.most,
            "min load",
            self.least,
            "above 0.0 and below the max load",
        )?;
        self.goals.iter().try_for_each(Goal::check)
    }
}

/// A goal result (RFC 9971 4.8.4).
#[derive(Debug, Clone, PartialEq)]
pub struct GoalResult {
    /// The goal.
    pub goal: Goal,
    /// Both relevant bounds are there and within the goal's width. Of an irregular result, `limited_by` and the bounds
    /// that are there say what is known.
    pub is_regular: bool,
    /// For each stream: `fps` is its conditional throughput, 0 where there is no lower bound; `lower_fps` and
    /// `upper_fps` the relevant bounds.
    pub streams: Vec<Throughput>,
}

/// Searches the bounds of all goals, with all streams scaled by one factor. One result for each goal, in their order.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn search(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    settings: &Settings,
) -> Result<Outcome<GoalResult>, MethodError> {
    traffic.check("rates", &traffic.rates())?;
    settings.check()?;
    let mut run = Run {
        traffic,
        settings,
        controller: Controller::new(&settings.goals, settings.least, settings.most),
        trials: 0,
        octets: Vec::new(),
        is_given_up: false,
    };
    let halt = run.go(bed);
    let (results, notes) = (run.results(), run.notes());
    end(halt, results, notes)
}

struct Run<'a> {
    traffic: &'a Traffic,
    settings: &'a Settings,
    controller: Controller,
    trials: u32,
    octets: Vec<f64>,
    is_given_up: bool,
}

impl Run<'_> {
    fn go(&mut self, bed: &mut TestBed<'_>) -> Result<(), Halt> {
        while let Some(input) = self.controller.next_input() {
            if self.trials >= self.settings.most_trials {
                self.is_given_up = true;
                break;
            }
            match self.measure(bed, &input)? {
                Sounding::Sound(trial) => {
                    self.octets = mean_octets(&trial);
                    let sides = self.traffic.streams.iter().map(|s| s.stream.from);
                    let part = sides
                        .map(|from| trial.offered_part(from))
                        .fold(1.0, f64::min);
                    self.controller.add(&input, worst_loss_ratio(&trial), part);
                }
                Sounding::Refused => self.controller.refuse(&input),
            }
        }
        Ok(())
    }

    fn measure(&mut self, bed: &mut TestBed<'_>, input: &Input) -> Result<Sounding, Halt> {
        let timing = bed.timing();
        let duration = Duration::from_secs_f64(input.duration_s);
        let load = self.traffic.load(input.load, duration, timing.drain);
        let bounds = self.bounds();
        let (seconds, trials) = self.controller.left();
        let around = timing.cost(Duration::ZERO).saturating_mul(trials);
        let offered = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let goal = self.settings.goals.get(input.goal);
        let plan = Plan {
            test: Test::Throughput,
            traffic: self.traffic,
            what: goal.map_or("", |g| &g.name),
            made: self.trials,
            bounds: &bounds,
            left: around.saturating_add(offered),
        };
        if self.trials == 0 {
            bed.warm_up(&plan)?;
        }
        bed.sound(&plan, &load, &mut self.trials, Trial::is_valid)
    }

    fn bounds(&self) -> Vec<Bounds> {
        let goals = self.settings.goals.iter();
        let of_goal = |goal: &Goal| {
            let RelevantBounds { lower, upper } = self.controller.bounds(goal);
            let streams = self.traffic.streams.iter();
            let name = goal.name.clone();
            streams.map(move |stream| {
                let rate = stream.stream.spec.rate_fps;
                Bounds {
                    of: format!("{} {name}", stream.pi),
                    lower: lower.map(|l| l * rate),
                    upper: upper.map(|u| u * rate),
                }
            })
        };
        goals.flat_map(of_goal).collect()
    }

    fn limit(&self, goal: &Goal) -> Limit {
        let RelevantBounds { lower, upper } = self.controller.bounds(goal);
        match (upper, self.controller.unsendable()) {
            (Some(_), _) => Limit::Device,
            (None, Some(_)) => Limit::Tester,
            (None, None) if lower == Some(self.settings.most) => Limit::Line,
            (None, None) => Limit::Unknown,
        }
    }

    /// Of what is known; nothing before the first trial.
    fn results(&self) -> Vec<GoalResult> {
        if self.octets.is_empty() {
            return Vec::new();
        }
        let result = |goal: &Goal| {
            let bounds = self.controller.bounds(goal);
            // What was not offered for the tester's pauses was not forwarded either.
            let offered = |load| load * self.controller.offered_part(load);
            let lower = bounds.lower.map_or(0.0, offered);
            let share = bounds.lower.map_or(0.0, |lower| {
                offered(lower) * (1.0 - quantile_loss_ratio(goal, self.controller.trials(lower)))
            });
            let found = Found {
                method: "mlrsearch",
                goal_loss_ratio: goal.loss_ratio,
                trials: self.trials,
                confirmations: 0,
                limit: self.limit(goal),
            };
            let streams = self.traffic.streams.iter().zip(&self.octets);
            GoalResult {
                goal: goal.clone(),
                is_regular: bounds.is_regular(goal),
                streams: streams
                    .map(|(stream, octets)| {
                        let rate = stream.stream.spec.rate_fps;
                        let bounds = (lower * rate, bounds.upper.map(|u| u * rate));
                        found.of(self.traffic, stream, *octets, share * rate, bounds)
                    })
                    .collect(),
            }
        };
        self.settings.goals.iter().map(result).collect()
    }

    fn notes(&self) -> Vec<String> {
        let of = format!("throughput, {} octets", self.traffic.size);
        let mut notes = Vec::new();
        if self.is_given_up {
            notes.push(format!(
                "{of}: MLRsearch was given up after {} trials",
                self.trials
            ));
        }
        if let Some(load) = self.controller.unsendable() {
            notes.push(format!(
                "{of}: the tester could not send {:.1} % of the load",
                load * 100.0
            ));
        }
        for goal in &self.settings.goals {
            let bounds = self.controller.bounds(goal);
            if !self.octets.is_empty() && !bounds.is_regular(goal) {
                notes.push(format!(
                    "{of}, {}: an irregular result (RFC 9971 4.8.4.2): {}",
                    goal.name,
                    match (bounds.lower, bounds.upper) {
                        (Some(lower), None) if lower >= 1.0 =>
                            "no upper bound, everything up to the full load held",
                        (Some(_), None) =>
                            "no upper bound, so the lower one is only how far the search came",
                        (None, Some(_)) =>
                            "no lower bound: no load that was tried below the upper one upholds the goal",
                        (None, None) => "no load was decided",
                        (Some(_), Some(_)) => "the bounds are further apart than the goal width",
                    }
                ));
            }
        }
        notes
    }
}
