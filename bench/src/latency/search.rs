//! The no-drop rate, and the rate at which no more than a part is lost (RFC 2544 26.1, RFC 9004).
//!
//! A machine of which others take a slice now and then loses frames at any rate in some trials: a rate
//! stands when one of a few trials stands. Must never call a rate good that was not seen to be.

use std::time::Duration;

use super::{Arm, Load, Trial};

/// What a trial may lose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Criterion {
    /// Nothing: NDR.
    NoDrop,
    /// This share of the frames (0.0 to 1.0): PDR.
    PartDrop(f64),
}

impl Criterion {
    /// Whether `trial` holds. A trial whose source gave up more than a hundredth of its frames did not
    /// offer the rate, and does not.
    #[must_use]
    pub fn holds(self, trial: &Trial) -> bool {
        const GIVEN_UP: f64 = 0.01;
        let share = |frames: u64| frames as f64 / trial.due.max(1) as f64;
        let lost = match self {
            Self::NoDrop => trial.lost == 0,
            Self::PartDrop(part) => share(trial.lost) <= part,
        };
        trial.received > 0 && lost && share(trial.late) <= GIVEN_UP
    }
}

/// How it is searched.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// Time of a trial before frames count.
    pub warm_up: Duration,
    /// Time of a trial.
    pub span: Duration,
    /// Halvings of the interval between 0 and the rate at saturation.
    pub steps: u32,
    /// Trials in which a rate may show that it stands.
    pub tries: u32,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            warm_up: Duration::from_millis(30),
            span: Duration::from_millis(120),
            steps: 7,
            tries: 4,
        }
    }
}

impl Search {
    fn load(&self, fps: f64) -> Load {
        Load {
            fps,
            warm_up: self.warm_up,
            span: self.span,
        }
    }

    /// What comes back when far more is offered than can be carried, frames per second.
    ///
    /// # Errors
    /// The arm's.
    pub fn saturation(&self, arm: &mut impl Arm) -> anyhow::Result<f64> {
        const ABOVE_ALL: f64 = 8e7;
        let trial = arm.trial(self.load(ABOVE_ALL))?;
        Ok(trial.received as f64 / self.span.as_secs_f64())
    }

    /// The highest rate below `ceiling_fps` that was seen to hold, frames per second; 0 where none was.
    ///
    /// # Errors
    /// The arm's.
    pub fn rate(
        &self,
        arm: &mut impl Arm,
        criterion: Criterion,
        ceiling_fps: f64,
    ) -> anyhow::Result<f64> {
        let (mut good, mut bad) = (0.0, ceiling_fps);
        for _ in 0..self.steps {
            let middle = f64::midpoint(good, bad);
            if self.stands(arm, criterion, middle)? {
                good = middle;
            } else {
                bad = middle;
            }
        }
        Ok(good)
    }

    fn stands(&self, arm: &mut impl Arm, criterion: Criterion, fps: f64) -> anyhow::Result<bool> {
        for _ in 0..self.tries {
            if criterion.holds(&arm.trial(self.load(fps))?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Cells;

    /// Carries up to a rate; stalls in every `stall`th trial.
    struct Fake {
        limit: f64,
        stall: u32,
        trials: u32,
    }

    impl Arm for Fake {
        fn trial(&mut self, load: Load) -> anyhow::Result<Trial> {
            self.trials += 1;
            let due = load.fps * load.span.as_secs_f64();
            let carried = due.min(self.limit * load.span.as_secs_f64());
            let stalled = self.stall > 0 && self.trials.is_multiple_of(self.stall);
            let lost = (due - carried) as u64 + if stalled { 1000 } else { 0 };
            Ok(Trial {
                due: due as u64,
                late: 0,
                lost,
                received: due as u64 - lost,
                cells: Cells::new(1),
            })
        }
    }

    #[test]
    fn the_limit_is_found() {
        let mut arm = Fake {
            limit: 1e7,
            stall: 0,
            trials: 0,
        };
        let search = Search {
            steps: 12,
            ..Search::default()
        };
        let top = search.saturation(&mut arm).unwrap();
        assert!((top / 1e7 - 1.0).abs() < 1e-3, "{top}");
        let ndr = search.rate(&mut arm, Criterion::NoDrop, 2e7).unwrap();
        assert!(ndr <= 1e7 && ndr > 0.999e7, "{ndr}");
        let pdr = search
            .rate(&mut arm, Criterion::PartDrop(0.01), 2e7)
            .unwrap();
        assert!(pdr > ndr && pdr <= 1.0102e7, "{pdr}");
    }

    #[test]
    fn a_stall_now_and_then_does_not_hide_the_limit() {
        let mut arm = Fake {
            limit: 1e7,
            stall: 2,
            trials: 0,
        };
        let ndr = Search::default()
            .rate(&mut arm, Criterion::NoDrop, 2e7)
            .unwrap();
        assert!(ndr > 0.98e7 && ndr <= 1e7, "{ndr}");
    }

    #[test]
    fn a_rate_that_was_not_offered_does_not_hold() {
        let trial = Trial {
            due: 1000,
            late: 11,
            lost: 0,
            received: 989,
            cells: Cells::new(1),
        };
        assert!(!Criterion::NoDrop.holds(&trial));
        assert!(Criterion::NoDrop.holds(&Trial {
            late: 10,
            received: 990,
            ..trial
        }));
    }
}
