//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use thiserror::Error;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line in the file, from 1; none if it is about the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The key, such as `port.west.cycle`; empty if it is about the file.
    #[serde(rename = "where")]
    pub at: String,
    /// What is wrong and what is allowed.
    pub what: String,
}

/// A configuration that cannot hold: everything that is wrong with it, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    /// One line for each problem: `node.toml:14: port.west.mode: what is wrong`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Problem { line, at, what }) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file)?;
            if let Some(line) = line {
                write!(f, "{line}:")?;
            }
            if !at.is_empty() {
                write!(f, " {at}:")?;
            }
            write!(f, " {what}")?;
        }
        Ok(())
    }
}

/// Collects problems while a text is read.
#[derive(Debug)]
pub(crate) struct Report<'t> {
    text: &'t str,
    problems: std::cell::RefCell<Vec<(usize, Problem)>>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            text,
            problems: std::cell::RefCell::default(),
        }
    }

    pub(crate) fn add(&self, span: &Range<usize>, at: &str, what: impl Into<String>) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = 1 + before.bytes().filter(|&b| b == b'\n').count();
        let problem = Problem {
            line: Some(line),
            at: at.to_owned(),
            what: what.into(),
        };
        let mut problems = self.problems.borrow_mut();
        // The same mistake found on two ways is said once.
        if !problems.iter().any(|(_, p)| *p == problem) {
            problems.push((span.start, problem));
        }
    }

    /// In the order of the file.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(start, _)| *start);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }
}
