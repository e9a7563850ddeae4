//! Why a policer or a class rule cannot be: what is wrong, where, and what is allowed.

use alloc::string::String;

use thiserror::Error;

use super::meter::DEEPEST;
use crate::rules::RuleError;
use crate::units::{BitRate, Octets};

/// Why a policer cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicerError {
    /// No name.
    #[error("{0}")]
    Name(String),
    /// A key of the other meter.
    #[error("policer {policer}: {key} is nothing of {meter}; allowed: {allowed}")]
    Key {
        /// Its name.
        policer: String,
        /// What should not be there.
        key: &'static str,
        /// The meter.
        meter: &'static str,
        /// Its keys.
        allowed: &'static str,
    },
    /// A key that the meter needs.
    #[error("policer {policer}: {meter} needs {key}; allowed: {allowed}")]
    Missing {
        /// Its name.
        policer: String,
        /// What should be there.
        key: &'static str,
        /// The meter.
        meter: &'static str,
        /// Its keys.
        allowed: &'static str,
    },
    /// A rate of nothing.
    #[error("policer {policer}: {key} {rate} lets nothing pass; allowed: 1bps and more")]
    Rate {
        /// Its name.
        policer: String,
        /// Which.
        key: &'static str,
        /// What was asked for.
        rate: BitRate,
    },
    /// RFC 2698 1.
    #[error("policer {policer}: pir {pir} is below cir {cir}; allowed: {cir} and more")]
    Peak {
        /// Its name.
        policer: String,
        /// Peak rate.
        pir: BitRate,
        /// Committed rate.
        cir: BitRate,
    },
    /// A burst that no packet fits in, or that is deeper than is reckoned with.
    #[error(
        "policer {policer}: {key} {burst} cannot be; allowed: {least} to {}",
        Octets(DEEPEST)
    )]
    Burst {
        /// Its name.
        policer: String,
        /// Which.
        key: &'static str,
        /// What was asked for.
        burst: Octets,
        /// The least.
        least: Octets,
    },
    /// RFC 2697 1: at least one of them must be above 0.
    #[error(
        "policer {0}: with cbs and ebs 0 every packet is red; allowed: one of them 0, not both"
    )]
    NoBurst(String),
    /// It is there already.
    #[error("policer {0} is there already")]
    Exists(String),
    /// It is not there.
    #[error("there is no policer {0}")]
    Unknown(String),
    /// Rules name it.
    #[error("policer {policer} is named by class rules {rules}; allowed: to delete those first")]
    Named {
        /// Its name.
        policer: String,
        /// Their priorities.
        rules: String,
    },
    /// As many as there may be.
    #[error(
        "policer {policer}: there are {most} already; allowed: `limits.policers`, which is {most}"
    )]
    Full {
        /// Its name.
        policer: String,
        /// How many.
        most: usize,
    },
}

/// Why a class rule cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClassError {
    /// What it matches, or its priority.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A policer that is not there.
    #[error("policer: there is no {0}; allowed: one that was added before")]
    Policer(String),
}
