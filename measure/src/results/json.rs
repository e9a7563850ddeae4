//! `results.json`, written and read.
//!
//! Must never write a number that is not finite (JSON has none, and `null` in its place would be read as "not
//! measured" or not at all), and never take a file of another schema, or half a file, for results.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Results, ResultsError, SCHEMA};

/// The results as a JSON document, indented, with a newline at its end.
///
/// # Errors
///
/// [`ResultsError::NotFinite`]: a record holds a number that JSON cannot hold; [`sound`] leaves such records out.
pub fn to_json(results: &Results) -> Result<String, ResultsError> {
    let mut unsound = Vec::new();
    let mut copy = results.clone();
    sift(&mut copy, &mut unsound);
    if let Some((place, record)) = unsound.into_iter().next() {
        return Err(ResultsError::NotFinite { place, record });
    }
    let mut text = serde_json::to_string_pretty(results).map_err(ResultsError::Unwritten)?;
    text.push('\n');
    Ok(text)
}

/// The results without the records that hold a number that is not finite; each is said in a note. An hour's
/// measurements are not given up for one of them.
#[must_use]
pub fn sound(mut results: Results) -> Results {
    let mut unsound = Vec::new();
    sift(&mut results, &mut unsound);
    results.notes.extend(unsound.into_iter().map(|(place, _)| {
        format!("{place} was left out: it holds a number that is not finite, which is a fault of the tester.")
    }));
    results
}

/// Reads a results file.
///
/// # Errors
///
/// It cannot be read, is no JSON, ends in its middle, is of another schema, or a key lacks or has the wrong type;
/// each names the file.
pub fn read(path: &Path) -> Result<Results, ResultsError> {
    let text = fs::read_to_string(path).map_err(|source| ResultsError::Unread {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

/// Reads results from `text`, which came from `path`.
///
/// # Errors
///
/// As [`read`], but for the reading.
pub fn parse(path: &Path, text: &str) -> Result<Results, ResultsError> {
    /// What is looked at first: a file of another schema is not blamed for its other keys.
    #[derive(Deserialize)]
    #[serde(expecting = "an object with the results")]
    struct Head {
        schema: Option<serde_json::Value>,
    }
    let path = || path.to_owned();
    // A number or a word that was cut through is not told from a wrong one by its error.
    let is_open = text.trim_start().starts_with('{') && !text.trim_end().ends_with('}');
    let fault = |source: serde_json::Error| match source.is_eof() || is_open {
        true => ResultsError::Truncated {
            path: path(),
            line: source.line(),
        },
        false => ResultsError::Malformed {
            path: path(),
            source,
        },
    };
    let head: Head = serde_json::from_str(text).map_err(fault)?;
    let found = match head.schema {
        None => "no key `schema`".to_owned(),
        Some(serde_json::Value::String(schema)) if schema == SCHEMA => {
            return serde_json::from_str(text).map_err(fault);
        }
        Some(other) => format!("schema {other}"),
    };
    Err(ResultsError::Schema {
        path: path(),
        found,
    })
}

/// Takes out what is not the same after a way through JSON, and says where it was.
fn sift(results: &mut Results, unsound: &mut Vec<(String, String)>) {
    let Results {
        trials,
        throughput,
        back_to_back,
        recovery,
        demands,
        cpu,
        cpu_fit,
        cpu_check,
        tester,
        ..
    } = results;
    sift_list("trials", trials, unsound);
    sift_list("throughput", throughput, unsound);
    sift_list("back_to_back", back_to_back, unsound);
    sift_list("recovery", recovery, unsound);
    sift_list("demands", demands, unsound);
    sift_list("cpu", cpu, unsound);
    sift_list("cpu_fit", cpu_fit, unsound);
    sift_list("cpu_check", cpu_check, unsound);
    if let Some(limits) = tester
        && !is_sound(limits)
    {
        unsound.push(("tester".to_owned(), shown(limits)));
        *tester = None;
    }
}

fn sift_list<T: Serialize + DeserializeOwned + PartialEq>(
    name: &str,
    list: &mut Vec<T>,
    unsound: &mut Vec<(String, String)>,
) {
    let mut index = 0;
    list.retain(|record| {
        let keep = is_sound(record);
        if !keep {
            unsound.push((format!("{name}[{index}]"), shown(record)));
        }
        index += 1;
        keep
    });
}

/// NaN and the infinities become `null`, which is no number, or none where there was one.
fn is_sound<T: Serialize + DeserializeOwned + PartialEq>(record: &T) -> bool {
    serde_json::to_value(record)
        .and_then(serde_json::from_value::<T>)
        .is_ok_and(|back| back == *record)
}

fn shown<T: Serialize>(record: &T) -> String {
    const MOST: usize = 300;
    let text = serde_json::to_string(record).unwrap_or_default();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
