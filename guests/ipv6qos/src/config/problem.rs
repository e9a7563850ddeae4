//! What is wrong with a configuration, and where.

use alloc::string::{String, ToString};
use core::fmt;

/// Where something stands in the configuration: `route[3].via`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place(String);

impl Place {
    /// A key of the configuration itself.
    pub fn key(key: &str) -> Self {
        Place(key.to_string())
    }

    /// A key of what is here.
    pub fn in_key(&self, key: &str) -> Self {
        if self.0.is_empty() || key.is_empty() {
            return Place([&*self.0, key].concat());
        }
        Place([&*self.0, ".", key].concat())
    }

    /// An element of the list that is here.
    pub fn in_list(&self, index: usize) -> Self {
        Place(alloc::format!("{}[{index}]", self.0))
    }

    /// What an item's own message says is wrong here: where it begins with one of the item's keys, `via: ...`, that is
    /// part of the place.
    pub fn problem_in(&self, message: &str) -> Problem {
        let is_key = |key: &&str| {
            key.bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.')
        };
        match message.split_once(": ").filter(|(key, _)| is_key(key)) {
            Some((key, what)) => self.in_key(key).problem(what),
            None => self.problem(message),
        }
    }

    /// This is wrong here.
    pub fn problem(&self, what: impl fmt::Display) -> Problem {
        Problem {
            place: self.0.clone(),
            what: what.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Problem {
    /// Where: `route[3].via`; empty if it is the whole.
    pub place: String,
    /// What, and what is allowed.
    pub what: String,
}
