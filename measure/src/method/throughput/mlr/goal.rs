//! Search goals (RFC 9971 4.6): what a load has to hold, and how exactly that is to be known.

use std::time::Duration;

use super::super::super::{MethodError, require};

/// A search goal (RFC 9971 4.6.7).
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// What its results are called: `NDR`, `PDR`.
    pub name: String,
    /// Goal final trial duration (4.6.1): a trial at least so long is full-length.
    pub final_trial: Duration,
    /// Goal duration sum (4.6.2): so much time of full-length trials decides about a load.
    pub duration_sum: Duration,
    /// Goal loss ratio (4.6.3): a trial that loses more is high-loss; 0.0 up to below 1.0.
    pub loss_ratio: f64,
    /// Goal exceed ratio (4.6.4): up to this part of the duration may be high-loss at a lower bound; 0.0 up to
    /// below 1.0.
    pub exceed_ratio: f64,
    /// Goal initial trial duration (4.6.6): the shortest trials that are made for this goal. None: as the final one.
    pub initial_trial: Option<Duration>,
    /// Goal width (4.6.5), relative: the search ends when the distance of the relevant bounds is at most this part of
    /// the upper one.
    pub width: f64,
}

/// Width of the goals below: half a percent.
const WIDTH: f64 = 0.005;

impl Goal {
    /// RFC 9971 4.10.2: its result is the throughput of RFC 2544, with trials of 60 s; shorter ones, from 1 s on,
    /// narrow the search before.
    #[must_use]
    pub fn rfc2544() -> Self {
        Self {
            name: "RFC 2544".into(),
            final_trial: Duration::from_secs(60),
            duration_sum: Duration::from_secs(60),
            loss_ratio: 0.0,
            exceed_ratio: 0.0,
            initial_trial: Some(Duration::from_secs(1)),
            width: WIDTH,
        }
    }

    /// RFC 9971 4.10.3: binary search with loss verification of ETSI GS NFV-TST 009 12.3.3, one repetition: of two
    /// trials of 60 s one may lose frames.
    #[must_use]
    pub fn tst009() -> Self {
        Self {
            name: "TST 009".into(),
            duration_sum: Duration::from_secs(120),
            exceed_ratio: 0.5,
            ..Self::rfc2544()
        }
    }

    /// As FD.io CSIT searches: 21 trials of 1 s, of which half may lose more than `loss_ratio`.
    #[must_use]
    pub fn csit(name: &str, loss_ratio: f64) -> Self {
        Self {
            name: name.into(),
            final_trial: Duration::from_secs(1),
            duration_sum: Duration::from_secs(21),
            loss_ratio,
            exceed_ratio: 0.5,
            initial_trial: None,
            width: WIDTH,
        }
    }

    /// For a minute's work: as CSIT, with 3 trials of 0.5 s and a width of 1 %.
    #[must_use]
    pub fn quick(name: &str, loss_ratio: f64) -> Self {
        Self {
            final_trial: Duration::from_millis(500),
            duration_sum: Duration::from_millis(1_500),
            width: 0.01,
            ..Self::csit(name, loss_ratio)
        }
    }

    /// No-drop rate and partial drop rate (0.5 %) of FD.io CSIT.
    #[must_use]
    pub fn csit_pair() -> Vec<Self> {
        vec![Self::csit("NDR", 0.0), Self::csit("PDR", 0.005)]
    }

    /// The same, [`quick`](Self::quick).
    #[must_use]
    pub fn quick_pair() -> Vec<Self> {
        vec![Self::quick("NDR", 0.0), Self::quick("PDR", 0.005)]
    }

    /// The ranges of RFC 9971 4.6.
    pub(super) fn check(&self) -> Result<(), MethodError> {
        let seconds = |d: Duration| format!("{} s", d.as_secs_f64());
        require(
            !self.final_trial.is_zero(),
            "goal final trial duration",
            seconds(self.final_trial),
            "above 0 s",
        )?;
        require(
            !self.duration_sum.is_zero(),
            "goal duration sum",
            seconds(self.duration_sum),
            "above 0 s",
        )?;
        require(
            (0.0..1.0).contains(&self.loss_ratio),
            "goal loss ratio",
            self.loss_ratio,
            "0.0 up to below 1.0",
        )?;
        require(
            (0.0..1.0).contains(&self.exceed_ratio),
            "goal exceed ratio",
            self.exceed_ratio,
            "0.0 up to below 1.0",
        )?;
        require(
            self.width > 0.0 && self.width < 1.0,
            "goal width",
            self.width,
            "above 0.0 and below 1.0",
        )?;
        let initial = self.initial_trial.unwrap_or(self.final_trial);
        require(
            !initial.is_zero() && initial <= self.final_trial,
            "goal initial trial duration",
            seconds(initial),
            "above 0 s, up to the final trial duration",
        )
    }

    /// The goals that lead to this one, coarse to fine, itself the last: trials that grow from the initial duration to
    /// the final one, one of which decides, and widths that shrink by half.
    pub(super) fn ladder(&self) -> Vec<Self> {
        /// Trials of neighbouring steps differ by no more than this factor: a shorter ladder saves more trials than
        /// a finer one saves time.
        const LARGEST_STEP: f64 = 8.0;
        let initial = self.initial_trial.unwrap_or(self.final_trial);
        let ratio = self.final_trial.as_secs_f64() / initial.as_secs_f64();
        let steps = (ratio.ln() / LARGEST_STEP.ln() - 1e-9).ceil().max(0.0) as i32;
        let mut ladder = Vec::new();
        let interim = |step: i32, width: f64| {
            let part = if steps == 0 {
                0.0
            } else {
                f64::from(step) / f64::from(steps)
            };
            let trial = initial.mul_f64(ratio.powf(part)).min(self.final_trial);
            Self {
                final_trial: trial,
                duration_sum: trial,
                initial_trial: None,
                width: width.min(0.5),
                ..self.clone()
            }
        };
        // One full-length trial that decides alone comes before several that do.
        let last = if self.duration_sum > self.final_trial {
            steps
        } else {
            steps - 1
        };
        for step in 0..=last {
            ladder.push(interim(
                step,
                self.width * f64::from(last - step + 1).exp2(),
            ));
        }
        ladder.push(self.clone());
        ladder
    }
}
