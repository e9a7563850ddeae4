//! Whether measurements differ, or only seem to: Student's t at 95 %, printed as ministat(1) prints it.
//!
//! ```text
//! student  the test
//! metric   which figures of results are compared, and what makes them the same figure
//! data     files in: results, or numbers
//! number   %g
//! table    for people
//! ```
//!
//! The first data set is the reference, each other one is held against it. Must never pool figures that are not
//! repetitions of one measurement: another size, PI, direction or load is another figure.

mod data;
mod metric;
mod number;
mod student;
mod table;

use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::results::{Results, ResultsError};

pub use metric::{Key, Metric};
pub use student::{CONFIDENCE, Difference, Statistics, Verdict, t_quantile};

use data::Values;

/// Data sets that have a sign of their own in ministat's table.
const SIGNS: &[char] = &['x', '+', '*', '%', '#', '@', 'O'];

/// What is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// These figures alone; empty: of each test what it is made for.
    pub metrics: Vec<Metric>,
}

/// A data set: files that hold repetitions of the same measurements. Written `A.json`, or `A1.json,A2.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// One at least.
    pub files: Vec<PathBuf>,
}

impl FromStr for DataSet {
    type Err = CompareError;

    fn from_str(text: &str) -> Result<Self, CompareError> {
        let files: Vec<PathBuf> = text.split(',').map(PathBuf::from).collect();
        if files.iter().any(|file| file.as_os_str().is_empty()) {
            return Err(CompareError::NoFile {
                text: text.to_owned(),
            });
        }
        Ok(Self { files })
    }
}

impl std::fmt::Display for DataSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, file) in self.files.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", file.display())?;
        }
        Ok(())
    }
}

/// What of the data sets differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Of every verdict.
    pub confidence: f64,
    /// Names of the data sets, the reference first.
    pub sets: Vec<String>,
    /// Figures that the reference and another data set have.
    pub figures: Vec<Figure>,
    /// Figures that one data set alone has.
    pub unmatched: Vec<Unmatched>,
    /// What should be known when reading it, one sentence each.
    pub notes: Vec<String>,
}

/// A figure and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    #[serde(flatten)]
    pub key: Key,
    /// Of its values.
    pub unit: &'static str,
    /// Of the reference.
    pub reference: Statistics,
    /// Of each other data set that has it.
    pub others: Vec<Judged>,
}

/// A data set beside the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its place in [`Comparison::sets`].
    pub set: usize,
    /// Its values.
    #[serde(flatten)]
    pub statistics: Statistics,
    /// Whether they differ from the reference's.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A figure that has nothing to be compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmatched {
    /// What was measured.
    #[serde(flatten)]
    pub key: Key,
    /// Places in [`Comparison::sets`] of those that have it.
    pub sets: Vec<usize>,
}

/// Why nothing could be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A data set without a file.
    #[error("{text:?} is no data set; allowed: FILE, or FILE,FILE of repetitions")]
    NoFile {
        /// What was written.
        text: String,
    },
    /// One data set has nothing beside it, and ministat's table has seven signs.
    #[error("there are {sets} data sets; allowed: 2 to {}", SIGNS.len())]
    Sets {
        /// How many.
        sets: usize,
    },
    /// No such figure.
    #[error("there is no metric {text:?}; allowed: {}", Metric::names())]
    Metric {
        /// What was written.
        text: String,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no results file, or of another schema.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// Neither results nor numbers.
    #[error("{}:{line}: {text:?} is no number; allowed: a results file of pinode measure, or one number on each line (# begins a comment)", path.display())]
    Number {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// No number in it.
    #[error("{}: holds no number; needed: one at least", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// Numbers have no name to find their like by.
    #[error("{numbers} holds plain numbers and {results} results; allowed: all files of one kind")]
    Kinds {
        /// A file of numbers.
        numbers: String,
        /// A file of results.
        results: String,
    },
    /// Figures are chosen among those of results.
    #[error("a metric cannot be chosen of plain numbers; allowed: with results files")]
    MetricOfNumbers,
    /// No figure of the reference is in another data set.
    #[error(
        "{reference} and {other} have no figure in common: {reference} has {has}; {other} has {others}"
    )]
    NothingInCommon {
        /// The first data set.
        reference: String,
        /// Its figures.
        has: String,
        /// The others.
        other: String,
        /// Theirs.
        others: String,
    },
}

/// Compares the data sets in files, the first with each of the others.
///
/// # Errors
///
/// [`CompareError`]: a file cannot be read or is of another kind or schema, or nothing is common to the data sets.
pub fn run(sets: &[DataSet], options: &Options) -> Result<Comparison, CompareError> {
    if !(2..=SIGNS.len()).contains(&sets.len()) {
        return Err(CompareError::Sets { sets: sets.len() });
    }
    match data::read(sets)? {
        data::Data::Numbers(_) if !options.metrics.is_empty() => Err(CompareError::MetricOfNumbers),
        data::Data::Numbers(values) => {
            let values = values.into_iter().map(Values::of_numbers).collect();
            judge(names(sets), values, Vec::new())
        }
        data::Data::Results(results) => {
            let sets: Vec<_> = names(sets).into_iter().zip(results).collect();
            of_results(&sets, options)
        }
    }
}

/// Compares results with those of another run.
///
/// # Errors
///
/// [`CompareError::NothingInCommon`].
pub fn compare(
    reference: &Results,
    other: &Results,
    options: &Options,
) -> Result<Comparison, CompareError> {
    let set = |name: &str, results: &Results| (name.to_owned(), vec![results.clone()]);
    of_results(&[set("A", reference), set("B", other)], options)
}

fn of_results(
    sets: &[(String, Vec<Results>)],
    options: &Options,
) -> Result<Comparison, CompareError> {
    let mut notes = Vec::new();
    for (name, files) in sets {
        if files.iter().any(|results| results.partial) {
            notes.push(format!(
                "{name} holds a measurement that was ended before its time."
            ));
        }
    }
    let files: Vec<&[Results]> = sets.iter().map(|(_, files)| files.as_slice()).collect();
    let values = metric::values(&files, &options.metrics);
    let names = sets.iter().map(|(name, _)| name.clone()).collect();
    judge(names, values, notes)
}

fn names(sets: &[DataSet]) -> Vec<String> {
    sets.iter().map(ToString::to_string).collect()
}

fn judge(
    sets: Vec<String>,
    values: Vec<Values>,
    notes: Vec<String>,
) -> Result<Comparison, CompareError> {
    let mut keys: Vec<&Key> = Vec::new();
    for key in values.iter().flat_map(Values::keys) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let (mut figures, mut unmatched) = (Vec::new(), Vec::new());
    for key in keys {
        let statistics = values.iter().map(|set| Statistics::of(set.get(key)));
        let mut present = statistics
            .enumerate()
            .filter_map(|(set, statistics)| Some((set, statistics?)));
        let Some((first, reference)) = present.next() else {
            continue;
        };
        let others: Vec<Judged> = present
            .map(|(set, statistics)| Judged {
                set,
                statistics,
                verdict: Verdict::of(&statistics, &reference),
            })
            .collect();
        if first == 0 && !others.is_empty() {
            figures.push(Figure {
                key: key.clone(),
                unit: key.metric.unit(),
                reference,
                others,
            });
        } else {
            let mut having = vec![first];
            having.extend(others.iter().map(|other| other.set));
            unmatched.push(Unmatched {
                key: key.clone(),
                sets: having,
            });
        }
    }
    if figures.is_empty() {
        return Err(nothing_in_common(&sets, &values));
    }
    Ok(Comparison {
        confidence: CONFIDENCE,
        sets,
        figures,
        unmatched,
        notes,
    })
}

fn nothing_in_common(sets: &[String], values: &[Values]) -> CompareError {
    const SHOWN: usize = 4;
    let has = |sets: &[Values]| {
        let all: Vec<String> = sets
            .iter()
            .flat_map(Values::keys)
            .map(Key::to_string)
            .collect();
        match all.len() {
            0 => "none".to_owned(),
            count if count > SHOWN => {
                let shown = all.get(..SHOWN).unwrap_or_default().join("; ");
                format!("{shown} and {} more", count - SHOWN)
            }
            _ => all.join("; "),
        }
    };
    let (first, others) = values.split_at(1.min(values.len()));
    let (name, names) = sets.split_at(1.min(sets.len()));
    CompareError::NothingInCommon {
        reference: name.join(""),
        has: has(first),
        other: names.join(" and "),
        others: has(others),
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
