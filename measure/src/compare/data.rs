//! Files into data sets: results of `pinode measure`, or numbers as ministat(1) reads them.
//!
//! Must never take a file for the other kind, nor half of one.

use std::path::Path;

use super::metric::{Key, Metric};
use super::{CompareError, DataSet};
use crate::results::{Results, json};

/// Data sets, all of one kind.
#[derive(Debug)]
pub(super) enum Data {
    /// The files of each.
    Results(Vec<Vec<Results>>),
    /// The values of each.
    Numbers(Vec<Vec<f64>>),
}

/// The values of a data set by figure, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<(Key, Vec<f64>)>);

impl Values {
    pub(super) fn of_numbers(values: Vec<f64>) -> Self {
        Self(vec![(Key::plain(Metric::Number), values)])
    }

    pub(super) fn add(&mut self, key: Key, value: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => self.0.push((key, vec![value])),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(super) fn get(&self, key: &Key) -> &[f64] {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map_or(&[], |(_, values)| values.as_slice())
    }
}

/// Reads all files.
pub(super) fn read(sets: &[DataSet]) -> Result<Data, CompareError> {
    let (mut results, mut numbers) = (Vec::new(), Vec::new());
    let (mut of_results, mut of_numbers) = (None, None);
    for set in sets {
        let (mut files, mut values) = (Vec::new(), Vec::new());
        for path in &set.files {
            let text = std::fs::read_to_string(path).map_err(|source| CompareError::Unread {
                path: path.clone(),
                source,
            })?;
            if text.trim_start().starts_with('{') {
                files.push(json::parse(path, &text)?);
                of_results.get_or_insert(path);
            } else {
                values.extend(read_numbers(path, &text)?);
                of_numbers.get_or_insert(path);
            }
        }
        results.push(files);
        numbers.push(values);
    }
    match (of_numbers, of_results) {
        (Some(numbers), Some(results)) => Err(CompareError::Kinds {
            numbers: numbers.display().to_string(),
            results: results.display().to_string(),
        }),
        (Some(_), None) => Ok(Data::Numbers(numbers)),
        (None, _) => Ok(Data::Results(results)),
    }
}

fn read_numbers(path: &Path, text: &str) -> Result<Vec<f64>, CompareError> {
    let mut values = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let value = content
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite());
        values.push(value.ok_or_else(|| CompareError::Number {
            path: path.to_owned(),
            line,
            text: content.chars().take(40).collect(),
        })?);
    }
    if values.is_empty() {
        return Err(CompareError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(values)
}
