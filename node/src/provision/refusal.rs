//! Which constraint fails, where, and by how much.

use serde::Serialize;

/// The document of demands that cannot be met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// `false`.
    pub ok: bool,
    /// One at least.
    pub problems: Vec<Unmet>,
}

impl Refusal {
    pub(super) fn of(problems: Vec<Unmet>) -> Self {
        Self {
            ok: false,
            problems,
        }
    }
}

/// Something that is asked for and not to be had.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unmet {
    /// What fails.
    pub constraint: Constraint,
    /// The key of the demands.
    #[serde(rename = "where")]
    pub at: String,
    /// What is asked, what is to be had, and what is short.
    pub what: String,
    /// What is short, in `unit`; none: it is no amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_by: Option<f64>,
    /// Of `short_by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
}

impl Unmet {
    pub(super) fn new(constraint: Constraint, at: impl Into<String>, what: String) -> Self {
        Self {
            constraint,
            at: at.into(),
            what,
            short_by: None,
            unit: None,
        }
    }

    pub(super) fn by(self, short: f64, unit: &'static str) -> Self {
        Self {
            short_by: Some(short),
            unit: Some(unit),
            ..self
        }
    }
}

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// A frame is larger than a port's MTU.
    Frame,
    /// Rates, with preambles and gaps, sum up to more than a link carries.
    Rate,
    /// A delay is below what any cycle gives.
    Delay,
    /// More frames wait than a ring holds.
    Buffer,
    /// Each demand could be met, and not all of them in one cycle.
    Phases,
    /// There is no fit of CPU use to reckon with.
    CpuFit,
    /// The fit was not measured there.
    CpuRange,
    /// A guest or the worker would take more of a CPU than it may.
    CpuCap,
    /// Those that are pinned to a CPU would take more than the whole of it.
    CpuShare,
    /// node.toml would not hold for another reason.
    Configuration,
}
