//! What the trials at one load say about one goal: load classification (RFC 9971 6.1 and appendix A) and conditional
//! throughput (6.2 and appendix B).
//!
//! Pure arithmetic over what was measured. Must never look at another load.

use super::Goal;

/// A trial result (RFC 9971 4.5.10), at a load that is known from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Trial duration, seconds: tells short trials from full-length ones.
    pub duration_s: f64,
    /// Trial effective duration, seconds (4.5.8): the weight of the trial.
    pub effective_s: f64,
    /// Trial loss ratio (4.5.6).
    pub loss_ratio: f64,
}

/// What a load is for a goal (RFC 9971 4.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It fails the goal, whatever further trials up to the duration sum would say.
    Upper,
    /// It upholds the goal, whatever further trials would say.
    Lower,
    /// Neither.
    Undecided,
}

/// Sums of effective durations, seconds, by trial classification (RFC 9971 4.7.1).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Full-length high-loss trials.
    pub full_high: f64,
    /// Full-length low-loss trials.
    pub full_low: f64,
    /// Short high-loss trials.
    pub short_high: f64,
    /// Short low-loss trials.
    pub short_low: f64,
}

/// Sums of decimal durations miss by rounding; a nanosecond in a second is none that was measured.
const ROUNDING: f64 = 1e-9;

impl Sums {
    /// Of the trials at a load.
    #[must_use]
    pub fn of(goal: &Goal, trials: &[Measured]) -> Self {
        let mut sums = Self::default();
        for trial in trials {
            let is_high = trial.loss_ratio > goal.loss_ratio;
            let sum = match (is_full_length(goal, trial), is_high) {
                (true, true) => &mut sums.full_high,
                (true, false) => &mut sums.full_low,
                (false, true) => &mut sums.short_high,
                (false, false) => &mut sums.short_low,
            };
            *sum += trial.effective_s;
        }
        sums
    }

    /// Full-length high-loss time, and what short trials add to it: their high-loss time in excess of what their
    /// low-loss time makes up for.
    #[must_use]
    pub fn effective_high(&self, goal: &Goal) -> f64 {
        let exceed_coefficient = goal.exceed_ratio / (1.0 - goal.exceed_ratio);
        let balancing = self.short_low * exceed_coefficient;
        self.full_high + (self.short_high - balancing).max(0.0)
    }

    /// The load's class: decided when what is missing to the duration sum cannot change it, be it all low-loss or all
    /// high-loss.
    #[must_use]
    pub fn class(&self, goal: &Goal) -> Class {
        let effective_high = self.effective_high(goal);
        let effective_full = self.full_low + effective_high;
        let effective_whole = effective_full.max(goal.duration_sum.as_secs_f64());
        let tolerated = effective_whole * goal.exceed_ratio + ROUNDING * effective_whole;
        let pessimistic_high = effective_whole - self.full_low;
        if effective_high > tolerated {
            Class::Upper
        } else if pessimistic_high <= tolerated {
            Class::Lower
        } else {
            Class::Undecided
        }
    }
}

/// A full-length trial (RFC 9971 4.7.1.4).
fn is_full_length(goal: &Goal, trial: &Measured) -> bool {
    trial.duration_s >= goal.final_trial.as_secs_f64() * (1.0 - ROUNDING)
}

/// The class of a load by its trials; a load without trials is undecided.
#[must_use]
pub fn classify(goal: &Goal, trials: &[Measured]) -> Class {
    Sums::of(goal, trials).class(goal)
}

/// The loss ratio at the quantile of 1 - exceed ratio over the time of the full-length trials: conditional throughput
/// is the load less this part of it. Time that is missing to the duration sum counts as lost wholly; with no
/// full-length trial all of it is.
#[must_use]
pub fn quantile_loss_ratio(goal: &Goal, trials: &[Measured]) -> f64 {
    let full_length = trials.iter().filter(|t| is_full_length(goal, t));
    let mut full_length: Vec<&Measured> = full_length.collect();
    full_length.sort_by(|a, b| a.loss_ratio.total_cmp(&b.loss_ratio));
    let measured: f64 = full_length.iter().map(|t| t.effective_s).sum();
    let whole = measured.max(goal.duration_sum.as_secs_f64());
    let mut remaining = whole * (1.0 - goal.exceed_ratio) - ROUNDING * whole;
    let mut ratio = None;
    for trial in full_length {
        if ratio.is_some() && remaining <= 0.0 {
            break;
        }
        ratio = Some(trial.loss_ratio);
        remaining -= trial.effective_s;
    }
    match ratio {
        Some(ratio) if remaining <= 0.0 => ratio,
        _ => 1.0,
    }
}

/// Conditional throughput (RFC 9971 4.8.3 and appendix B) of a load, in its own unit.
#[must_use]
pub fn conditional_throughput(goal: &Goal, load: f64, trials: &[Measured]) -> f64 {
    load * (1.0 - quantile_loss_ratio(goal, trials))
}
