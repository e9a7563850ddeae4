//! Results of other testers, and our own `results.csv`: CSV in, [`Results`] out, so that reports and comparisons work
//! with them too.
//!
//! Columns are found by their names in the header, in any order; `docs/testers.md` lists them with their units. A
//! column that is not known is ignored and named. Must never guess a value: what is missing and needed is an error
//! with its line and column, and nothing is made of half a file.

mod columns;
mod line;
mod rows;
mod sheet;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::results::{Results, Test};

/// Largest file that is read, octets.
pub const LARGEST: u64 = 64 << 20;

/// What the file itself may not say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// PI of lines without one. `None`: `all`.
    pub pi: Option<String>,
    /// Rate of the link, bits per second, to reckon percentages and ceilings by.
    pub link_bps: Option<u64>,
    /// Test of lines that name none. `None`: throughput for lines with a throughput, else frame loss.
    pub test: Option<Test>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The results, profile `import`. What should be known of them is in their notes.
    pub results: Results,
    /// Columns that were not looked at.
    pub ignored: Vec<String>,
}

/// Why there are no results.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Its octets are no results.
    #[error("{}: {fault}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong with a file's octets. Lines count from 1, the header's.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Fault {
    /// More than [`LARGEST`].
    #[error("more than {LARGEST} octets; allowed is less")]
    TooLarge,
    /// Some other encoding, or no text.
    #[error("line {line}: no UTF-8; export the file as CSV in UTF-8")]
    Encoding {
        /// Where.
        line: u64,
    },
    /// No header.
    #[error("empty; the first line names the columns")]
    Empty,
    /// A header and nothing else.
    #[error("a header without lines below it")]
    NoLine,
    /// A quote without its end: the file was cut off.
    #[error(
        "line {line}: a quote begins here and does not end; the file was cut off, or a quote inside is not doubled"
    )]
    Quote {
        /// Where it begins.
        line: u64,
    },
    /// More or fewer values than columns.
    #[error("line {line}: {found} values, the header names {expected} columns{}", if *.last { "; it is the last line: the file was cut off" } else { "" })]
    Width {
        /// Where.
        line: u64,
        /// Values.
        found: usize,
        /// Columns.
        expected: usize,
        /// It is the last line and has no line end.
        last: bool,
    },
    /// Two columns for the same thing.
    #[error("columns {first:?} and {second:?} both hold {what}; leave one out")]
    Twice {
        /// The first.
        first: String,
        /// The other.
        second: String,
        /// What they hold.
        what: &'static str,
    },
    /// A column that cannot be done without.
    #[error("no column for {what}; allowed names are {allowed}")]
    Missing {
        /// What it would hold.
        what: &'static str,
        /// Its names.
        allowed: String,
    },
    /// A value that is needed and is not there.
    #[error("line {line}: no {what}, which {why}")]
    Absent {
        /// Where.
        line: u64,
        /// What it would hold.
        what: &'static str,
        /// Why it is needed.
        why: &'static str,
    },
    /// A value that cannot be.
    #[error("line {line}, column {column:?}: {found:?}; allowed is {allowed}")]
    Value {
        /// Where.
        line: u64,
        /// The column's name.
        column: String,
        /// What is there.
        found: String,
        /// What may be.
        allowed: &'static str,
    },
    /// Two lines of one trial that contradict each other.
    #[error("line {line}: trial {trial} has another {what} than in line {first}")]
    Contradiction {
        /// Where.
        line: u64,
        /// The trial.
        trial: String,
        /// In what.
        what: &'static str,
        /// The trial's first line.
        first: u64,
    },
}

/// Reads the file at `path`.
///
/// # Errors
/// It cannot be read, or is not such a file.
pub fn read(path: &Path, options: &Options) -> Result<Imported, ImportError> {
    let unread = |source| ImportError::Unread {
        path: path.to_owned(),
        source,
    };
    let content = |fault| ImportError::Content {
        path: path.to_owned(),
        fault,
    };
    if std::fs::metadata(path).map_err(unread)?.len() > LARGEST {
        return Err(content(Fault::TooLarge));
    }
    let octets = std::fs::read(path).map_err(unread)?;
    let mut imported = parse(&octets, options).map_err(content)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    imported.results.path_description = format!("imported from {name}");
    Ok(imported)
}

/// Reads the octets of a file.
///
/// # Errors
/// They are not such a file.
pub fn parse(octets: &[u8], options: &Options) -> Result<Imported, Fault> {
    let sheet = sheet::Sheet::read(octets)?;
    let (columns, ignored) = columns::Columns::find(&sheet.header)?;
    let mut results = rows::results(&sheet, &columns, options)?;
    if !sheet.has_last_line_end {
        results.notes.push(
            "The imported file has no line end after its last line: if it was cut off, its last value is wrong."
                .into(),
        );
    }
    if !ignored.is_empty() {
        results.notes.push(format!(
            "Columns of the imported file that were ignored: {}.",
            ignored.join(", ")
        ));
    }
    Ok(Imported { results, ignored })
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
