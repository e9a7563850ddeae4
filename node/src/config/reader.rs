//! Reads a TOML tree key by key, and remembers where everything stood.
//!
//! A mistake does not end the reading: it is reported with its line and key, and the reader answers
//! `None`, so that one run finds them all. A key that nobody asked for is a mistake too.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::Report;

type Key<'t> = Spanned<DeString<'t>>;
type Value<'t> = Spanned<DeValue<'t>>;

/// A table.
pub(crate) struct Section<'t, 'r> {
    table: &'r DeTable<'t>,
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
    report: &'r Report<'t>,
    asked: Vec<&'static str>,
}

/// A value with its key.
pub(crate) struct Item<'t, 'r> {
    pub(crate) path: String,
    value: &'r Value<'t>,
    /// The value's, or for a table that of the key that opens it.
    pub(crate) span: Range<usize>,
    report: &'r Report<'t>,
}

impl<'t, 'r> Section<'t, 'r> {
    pub(crate) fn root(table: &'r DeTable<'t>, report: &'r Report<'t>) -> Self {
        Self {
            table,
            path: String::new(),
            span: 0..0,
            report,
            asked: Vec::new(),
        }
    }

    pub(crate) fn problem(&self, what: impl Into<String>) {
        self.report.add(&self.span, &self.path, what);
    }

    /// A problem of `key`, which stands at `span`.
    pub(crate) fn problem_at(&self, span: &Range<usize>, key: &str, what: impl Into<String>) {
        self.report.add(span, &self.path_of(key), what);
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional(&mut self, key: &'static str) -> Option<Item<'t, 'r>> {
        self.asked.push(key);
        let (key, value) = self.table.get_key_value(key)?;
        Some(self.item(key, value))
    }

    /// The value of a key that must be there; `needed` says what belongs there.
    pub(crate) fn required(&mut self, key: &'static str, needed: &str) -> Option<Item<'t, 'r>> {
        let found = self.optional(key);
        if found.is_none() {
            let path = self.path_of(key);
            self.report
                .add(&self.span, &path, format!("is missing; needed: {needed}"));
        }
        found
    }

    /// All keys with their values, in the order of the file.
    pub(crate) fn entries(&mut self) -> Vec<(&'r str, Item<'t, 'r>)> {
        let mut all: Vec<_> = self.table.iter().collect();
        all.sort_by_key(|(key, _)| key.span().start);
        all.into_iter()
            .map(|(key, value)| (key.get_ref().as_ref(), self.item(key, value)))
            .collect()
    }

    /// Reports every key that was not asked for.
    pub(crate) fn finish(self) {
        for (key, _) in self.table {
            let name = key.get_ref();
            if !self.asked.contains(&name.as_ref()) {
                let what = format!("unknown key; allowed: {}", self.asked.join(", "));
                self.report.add(&key.span(), &self.path_of(name), what);
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn item(&self, key: &'r Key<'t>, value: &'r Value<'t>) -> Item<'t, 'r> {
        let span = if value.get_ref().is_table() {
            key.span()
        } else {
            value.span()
        };
        Item {
            path: self.path_of(key.get_ref()),
            value,
            span,
            report: self.report,
        }
    }
}

impl<'t, 'r> Item<'t, 'r> {
    pub(crate) fn problem(&self, what: impl Into<String>) {
        self.report.add(&self.span, &self.path, what);
    }

    fn not(&self, expected: &str) {
        let found = self.value.get_ref().type_str();
        self.problem(format!("is of type {found}; allowed: {expected}"));
    }

    /// The value itself, for what is handed on as it is.
    pub(crate) fn raw(&self) -> &'r DeValue<'t> {
        self.value.get_ref()
    }

    pub(crate) fn str(&self) -> Option<&'r str> {
        let text = self.value.get_ref().as_str();
        if text.is_none() {
            self.not("a string");
        }
        text
    }

    pub(crate) fn unsigned(&self) -> Option<u64> {
        let integer = self.value.get_ref().as_integer()?;
        u64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    /// A whole number in `range`.
    pub(crate) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let Some(integer) = self.value.get_ref().as_integer() else {
            self.not(&format!(
                "a whole number from {} to {}",
                range.start(),
                range.end()
            ));
            return None;
        };
        let value = self.unsigned().filter(|v| range.contains(v));
        if value.is_none() {
            self.problem(format!(
                "{} is not allowed; allowed: {} to {}",
                integer.as_str(),
                range.start(),
                range.end()
            ));
        }
        value
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Option<bool> {
        let value = self.value.get_ref().as_bool();
        if value.is_none() {
            self.not("true or false");
        }
        value
    }

    /// One of a few words.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.str()?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|&(_, value)| value);
        if found.is_none() {
            self.problem(not_among(text, words.iter().map(|(word, _)| *word)));
        }
        found
    }

    /// A string that reads as a `T`, whose error says what is allowed.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self) -> Option<T> {
        match self.str()?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(error.to_string());
                None
            }
        }
    }

    /// A name: of a node, a port or a PI.
    pub(crate) fn name(&self) -> Option<String> {
        let name = self.str()?;
        match check_name(name) {
            Ok(()) => Some(name.to_owned()),
            Err(what) => {
                self.problem(what);
                None
            }
        }
    }

    /// The elements of an array.
    pub(crate) fn elements(&self) -> Option<Vec<Item<'t, 'r>>> {
        let Some(array) = self.value.get_ref().as_array() else {
            self.not("an array");
            return None;
        };
        let element = |(i, value): (usize, &'r Value<'t>)| Item {
            path: format!("{}[{i}]", self.path),
            value,
            span: value.span(),
            report: self.report,
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// A problem of the value that `keys` lead to from here.
    pub(crate) fn problem_below(&self, keys: &[&str], what: impl Into<String>) {
        let step = |value: &'r Value<'t>, key: &&str| {
            value.get_ref().as_table().and_then(|table| table.get(*key))
        };
        let found = keys.iter().try_fold(self.value, step);
        let path = format!("{}.{}", self.path, keys.join("."));
        self.report
            .add(&found.map_or(self.span.clone(), Spanned::span), &path, what);
    }

    /// A problem at `place` below here, written as `route[3].via`. What is not found there stands for itself.
    pub(crate) fn problem_at(&self, place: &str, what: impl Into<String>) {
        let (mut value, mut rest) = (self.value, place);
        while let Some((below, left)) = step(value, rest) {
            (value, rest) = (below, left);
        }
        let path = match place {
            "" => self.path.clone(),
            place => format!("{}.{place}", self.path),
        };
        self.report.add(&value.span(), &path, what);
    }

    pub(crate) fn section(&self) -> Option<Section<'t, 'r>> {
        let Some(table) = self.value.get_ref().as_table() else {
            self.not("a table");
            return None;
        };
        let (path, span) = (self.path.clone(), self.span.clone());
        Some(Section {
            table,
            path,
            span,
            report: self.report,
            asked: Vec::new(),
        })
    }
}

/// The value that the first part of `place` leads to, and the rest of it. Keys may have dots in them.
fn step<'t, 'r, 'p>(value: &'r Value<'t>, place: &'p str) -> Option<(&'r Value<'t>, &'p str)> {
    if let Some(index) = place.strip_prefix('[') {
        let (index, rest) = index.split_once(']')?;
        let element = value
            .get_ref()
            .as_array()?
            .get(index.parse::<usize>().ok()?)?;
        return Some((element, rest));
    }
    let place = place.strip_prefix('.').unwrap_or(place);
    let led = |key: &str| {
        let rest = place.strip_prefix(key).filter(|_| !key.is_empty())?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
    };
    let keys = value.get_ref().as_table()?.iter();
    let keys = keys.filter_map(|(key, value)| Some((value, led(key.get_ref())?)));
    keys.min_by_key(|(_, rest)| rest.len())
}

/// What is said of a word that is not one of `allowed`.
fn not_among<'a>(text: &str, allowed: impl Iterator<Item = &'a str>) -> String {
    let allowed: Vec<String> = allowed.map(|word| format!("{word:?}")).collect();
    format!("{text:?} is not allowed; allowed: {}", allowed.join(", "))
}

/// Names appear in paths, thread names and on the command line.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=15).contains(&name.len());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if fits && name.bytes().all(plain) && !name.starts_with('-') {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not allowed as a name; allowed: 1 to 15 of a-z, 0-9 and -, not - first"
    ))
}
