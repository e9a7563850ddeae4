//! How long each test takes and how often it is made, by profile: RFC 2544's times, or a minute's work.
//!
//! Pure: settings in, estimates out.

use std::time::Duration;

use pinode_measure::method::throughput::mlr::Goal;
use pinode_measure::method::throughput::{binary, mlr};
use pinode_measure::method::{
    Timing, WarmUp, back_to_back, demand, latency, loss, recovery, reset, saturation,
};
use pinode_measure::results::Test;
use pinode_measure::trial::Reset;

use super::asked::{Asked, Profile, Search};

/// How throughput is searched.
#[derive(Debug, Clone, PartialEq)]
pub enum Throughput {
    /// By halving.
    Binary(binary::Settings),
    /// RFC 9971.
    Mlr(mlr::Settings),
}

/// Settings of all tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// Of trials.
    pub timing: Timing,
    /// The search.
    pub throughput: Throughput,
    /// Latency at one load.
    pub latency: latency::Settings,
    /// Loads of the latency test, as parts of the throughput.
    pub latency_loads: Vec<f64>,
    /// The loss curve.
    pub loss: loss::Settings,
    /// Whether bursts are searched quickly.
    is_quick: bool,
    /// Repetitions that the user wants.
    repeat: Option<u32>,
    /// Recovery.
    pub recovery: recovery::Settings,
    /// Saturation.
    pub saturation: saturation::Settings,
    /// What is demanded.
    pub demand: demand::Settings,
    /// What resets the device.
    resets_by: Reset,
}

impl Times {
    /// Those of what is asked.
    #[must_use]
    pub fn of(asked: &Asked, is_quick: bool) -> Self {
        let is_first_look = is_quick && asked.profile.unwrap_or(Profile::Quick) == Profile::Quick;
        let mut timing = if is_quick {
            Timing::quick()
        } else {
            Timing::rfc2544()
        };
        if is_first_look {
            timing.restabilise = Duration::from_millis(50);
        }
        let mut latency = if is_quick {
            latency::Settings::quick()
        } else {
            latency::Settings::rfc2544()
        };
        let mut recovery = if is_quick {
            recovery::Settings::quick()
        } else {
            recovery::Settings::rfc2544()
        };
        if let Some(duration) = asked.duration {
            timing.trial = duration;
            latency.duration = duration;
            recovery.overloaded = duration;
            recovery.watched = duration;
            // Warming up for longer than a trial is no warming up.
            timing.warm_up = timing.warm_up.map(|warm_up| WarmUp {
                duration: warm_up.duration.min(duration),
                ..warm_up
            });
        }
        if let Some(repeat) = asked.repeat {
            latency.repetitions = repeat;
            recovery.repetitions = repeat;
        }
        let loss = match is_first_look {
            true => loss::Settings {
                from: 1.0,
                step: 0.25,
            },
            false => loss::Settings::rfc2544(),
        };
        Self {
            timing,
            throughput: throughput(asked, is_quick),
            latency,
            // RFC 2544 26.2 measures at the throughput; a first look at what half of it and most of it do.
            latency_loads: if is_first_look {
                vec![0.5, 0.9]
            } else {
                vec![1.0]
            },
            loss,
            is_quick,
            repeat: asked.repeat,
            recovery,
            saturation: saturation::Settings::default(),
            demand: demanded(asked, is_quick),
            resets_by: match asked.reset_command {
                Some(_) => Reset::Command,
                None => Reset::Software,
            },
        }
    }

    /// Bursts of a stream whose line rate is `fps`.
    #[must_use]
    pub fn back_to_back(&self, fps: f64) -> back_to_back::Settings {
        let mut settings = match self.is_quick {
            true => back_to_back::Settings::quick(fps),
            false => back_to_back::Settings::rfc9004(fps),
        };
        settings.repetitions = self.repeat.unwrap_or(settings.repetitions);
        settings
    }

    /// Resets.
    #[must_use]
    pub fn reset(&self) -> reset::Settings {
        let mut settings = match self.is_quick {
            true => reset::Settings::quick(self.resets_by),
            false => reset::Settings::rfc6201(self.resets_by),
        };
        settings.repetitions = self.repeat.unwrap_or(settings.repetitions);
        settings
    }

    /// About how long `test` of one size with `streams` streams takes.
    #[must_use]
    pub fn estimate(&self, test: Test, streams: usize) -> Duration {
        /// Trials that a search of this width takes, about: it halves its interval.
        const SEARCH: u32 = 10;
        /// Of a burst.
        const BURSTS: u32 = 12;
        let cost = |trials: u32, duration| self.timing.cost(duration) * trials;
        match test {
            Test::Throughput => match &self.throughput {
                Throughput::Binary(_) => cost(SEARCH, self.timing.trial),
                Throughput::Mlr(settings) => {
                    let goals = settings.goals.iter();
                    // Shorter trials narrow the search; at both bounds the whole sum is spent.
                    goals
                        .map(|goal| goal.duration_sum * 2 + cost(SEARCH / 2, goal.final_trial))
                        .sum()
                }
            },
            Test::Latency => {
                let loads = self.latency_loads.len() as u32;
                cost(loads * self.latency.repetitions, self.latency.duration)
            }
            Test::Loss => cost((0.5 / self.loss.step) as u32 + 2, self.timing.trial),
            Test::BackToBack => {
                let settings = self.back_to_back(1.0);
                cost(
                    settings.repetitions * BURSTS * streams as u32,
                    Duration::ZERO,
                )
            }
            Test::Recovery => {
                let settings = &self.recovery;
                cost(settings.repetitions, settings.overloaded + settings.watched)
            }
            Test::Reset => {
                let settings = self.reset();
                cost(settings.repetitions, settings.before + settings.after)
            }
            Test::Saturation => cost(1, self.timing.trial),
            Test::Demand => cost(self.demand.repetitions, self.demand.duration),
        }
    }
}

/// Repetitions of what is demanded.
fn demanded(asked: &Asked, is_quick: bool) -> demand::Settings {
    let settings = if is_quick {
        demand::Settings::quick()
    } else {
        demand::Settings::y1564()
    };
    demand::Settings {
        duration: asked.duration.unwrap_or(settings.duration),
        repetitions: asked.repeat.unwrap_or(settings.repetitions),
    }
}

/// The search that is asked for, or that of the profile: halving where RFC 2544 is followed to the letter.
fn throughput(asked: &Asked, is_quick: bool) -> Throughput {
    let is_rfc = asked.profile == Some(Profile::Rfc2544);
    let default = if is_rfc {
        Search::Binary
    } else {
        Search::Mlrsearch
    };
    match asked.search.unwrap_or(default) {
        Search::Binary => {
            let settings = if is_quick {
                binary::Settings::quick()
            } else {
                binary::Settings::rfc2544()
            };
            Throughput::Binary(binary::Settings {
                goal_loss_ratio: asked.loss_ratio,
                resolution: asked.resolution.unwrap_or(settings.resolution),
                ..settings
            })
        }
        Search::Mlrsearch => Throughput::Mlr(mlr::Settings::new(goals(asked, is_quick))),
    }
}

/// Without loss, and with the little that a machine's own stalls cost; or what the user allows alone.
fn goals(asked: &Asked, is_quick: bool) -> Vec<Goal> {
    /// Partial drop rate.
    const PDR: f64 = 0.001;
    let name = |loss_ratio: f64| match loss_ratio > 0.0 {
        false => "NDR".to_owned(),
        true => format!("PDR {} %", loss_ratio * 100.0),
    };
    let quick = |loss_ratio: f64| Goal::quick(&name(loss_ratio), loss_ratio);
    let mut goals = match (is_quick, asked.loss_ratio > 0.0) {
        (true, false) => vec![quick(0.0), quick(PDR)],
        (true, true) => vec![quick(asked.loss_ratio)],
        (false, false) => vec![Goal::rfc2544()],
        (false, true) => vec![Goal {
            name: name(asked.loss_ratio),
            loss_ratio: asked.loss_ratio,
            ..Goal::rfc2544()
        }],
    };
    for goal in &mut goals {
        goal.width = asked.resolution.unwrap_or(goal.width);
        if let Some(duration) = asked.duration {
            // As many trials of the new length as there were of the old.
            let trials = goal.duration_sum.as_secs_f64() / goal.final_trial.as_secs_f64();
            goal.duration_sum = duration.mul_f64(trials);
            goal.final_trial = duration;
            goal.initial_trial = goal.initial_trial.map(|initial| initial.min(duration));
        }
    }
    goals
}
