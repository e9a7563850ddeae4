//! The folder that a measurement leaves behind: `results.json`, `results.csv`, `report.html`.
//!
//! Must never let anybody see half a file, or a file of this measurement beside one of another, and must find out
//! that the folder cannot be written before an hour is spent measuring.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use thiserror::Error;

use crate::report::{ReportError, render};
use crate::results::{Results, ResultsError, csv, json};

/// Where the three files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// `results.json`.
    pub json: PathBuf,
    /// `results.csv`.
    pub csv: PathBuf,
    /// `report.html`.
    pub html: PathBuf,
}

/// Why there is no folder, or nothing new in it.
#[derive(Debug, Error)]
pub enum DeliverError {
    /// The folder cannot be made.
    #[error("{}: the folder for the results cannot be made: {source}; give another by --out", .path.display())]
    Folder {
        /// What was to be made.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written: {source}; results need a folder that can be written, give another by --out", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The results cannot be put into a file.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// There is no report of them.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Makes `folder`, with those above it, and finds out whether files can be written there. For the time before
/// a measurement.
///
/// # Errors
///
/// It is no folder, cannot be made, or nothing can be written in it.
pub fn prepare(folder: &Path) -> Result<(), DeliverError> {
    fs::create_dir_all(folder).map_err(|source| DeliverError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    Fresh::write(folder, "results.json", b"\n").map(drop)
}

/// Writes the three files into `folder`, which is made where it is not there. Files of the same names are replaced,
/// all or none but for a failing rename.
///
/// Records with numbers that are not finite are left out and said in the notes ([`json::sound`]).
///
/// # Errors
///
/// The folder or a file cannot be written; then the files that were there are still there.
pub fn deliver(folder: &Path, results: &Results) -> Result<Delivered, DeliverError> {
    let results = json::sound(results.clone());
    let texts = [
        ("results.json", json::to_json(&results)?),
        ("results.csv", csv::to_csv(&results)?),
        ("report.html", render(&results)?),
    ];
    fs::create_dir_all(folder).map_err(|source| DeliverError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let fresh = texts
        .iter()
        .map(|(name, text)| Fresh::write(folder, name, text.as_bytes()))
        .collect::<Result<Vec<_>, _>>()?;
    fresh.into_iter().try_for_each(Fresh::publish)?;
    let path = |name| folder.join(name);
    Ok(Delivered {
        json: path("results.json"),
        csv: path("results.csv"),
        html: path("report.html"),
    })
}

/// A file under a name that nobody looks for; gone when dropped.
struct Fresh {
    hidden: PathBuf,
    path: PathBuf,
}

impl Fresh {
    fn write(folder: &Path, name: &str, content: &[u8]) -> Result<Self, DeliverError> {
        let fresh = Self {
            hidden: folder.join(format!(".{name}.{}", process::id())),
            path: folder.join(name),
        };
        if fresh.path.is_dir() {
            return Err(fresh.fault(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        File::create(&fresh.hidden)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .map_err(|source| fresh.fault(source))?;
        Ok(fresh)
    }

    fn publish(self) -> Result<(), DeliverError> {
        fs::rename(&self.hidden, &self.path).map_err(|source| self.fault(source))
    }

    fn fault(&self, source: io::Error) -> DeliverError {
        DeliverError::File {
            path: self.path.clone(),
            source,
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // After publishing there is nothing under this name.
        let _ = fs::remove_file(&self.hidden);
    }
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
