//! Words of a command one after the other, as `ip` reads them; each mistake names the word and what is allowed.

use std::fmt;
use std::str::FromStr;

/// What is wrong with a command's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WordError(pub(super) String);

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The words that are left.
#[derive(Debug, Clone)]
pub(super) struct Words<'w> {
    left: &'w [&'w str],
}

impl<'w> Words<'w> {
    pub(super) fn new(words: &'w [&'w str]) -> Self {
        Self { left: words }
    }

    /// The next word, not taken.
    pub(super) fn peek(&self) -> Option<&'w str> {
        self.left.first().copied()
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<&'w str> {
        let (first, left) = self.left.split_first()?;
        self.left = left;
        Some(first)
    }

    /// The next word, which must be there: `what`, such as `a prefix`.
    pub(super) fn needed(&mut self, what: &str) -> Result<&'w str, WordError> {
        self.next()
            .ok_or_else(|| WordError(format!("{what} is missing at the end")))
    }

    /// The next word as a `T`, whose error says what is allowed.
    pub(super) fn read<T: FromStr<Err: fmt::Display>>(
        &mut self,
        what: &str,
    ) -> Result<T, WordError> {
        let word = self.needed(what)?;
        word.parse()
            .map_err(|error: T::Err| WordError(format!("{what}: {error}")))
    }

    /// As [`read`](Self::read), of types whose error does not say what is allowed.
    pub(super) fn read_as<T: FromStr>(
        &mut self,
        what: &str,
        allowed: &str,
    ) -> Result<T, WordError> {
        let word = self.needed(what)?;
        word.parse().map_err(|_| {
            WordError(format!(
                "{what}: {word:?} is not allowed; allowed: {allowed}"
            ))
        })
    }

    /// The next word is one of these, or the beginning of just one.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[(&str, T)]) -> Result<T, WordError> {
        let word = self.needed(&format!("one of {}", list(all)))?;
        pick(word, all)
    }

    /// The next word is one of these in full.
    pub(super) fn key<T: Copy>(&mut self, all: &[(&str, T)]) -> Result<Option<T>, WordError> {
        let Some(word) = self.next() else {
            return Ok(None);
        };
        let found = all.iter().find(|(name, _)| *name == word);
        found
            .map(|(_, value)| Some(*value))
            .ok_or_else(|| unknown(word, all))
    }

    /// There are no more.
    pub(super) fn end(mut self) -> Result<(), WordError> {
        match self.next() {
            None => Ok(()),
            Some(word) => Err(WordError(format!("{word:?} is one word too many"))),
        }
    }
}

/// The one that `word` is, or is the beginning of. Of several names of one thing the first is shown.
pub(super) fn pick<T: Copy>(word: &str, all: &[(&str, T)]) -> Result<T, WordError> {
    if let Some((_, value)) = all.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let mut begun = all
        .iter()
        .filter(|(name, _)| !word.is_empty() && name.starts_with(word));
    match (begun.next(), begun.next()) {
        (Some((_, value)), None) => Ok(*value),
        (Some(_), Some(_)) => {
            let begun: Vec<&str> = all
                .iter()
                .filter_map(|(name, _)| name.starts_with(word).then_some(*name))
                .collect();
            Err(WordError(format!("{word:?} may be {}", begun.join(" or "))))
        }
        _ => Err(unknown(word, all)),
    }
}

fn unknown<T>(word: &str, all: &[(&str, T)]) -> WordError {
    WordError(format!(
        "{word:?} is not allowed here; allowed: {}",
        list(all)
    ))
}

fn list<T>(all: &[(&str, T)]) -> String {
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// Sets what may be said once.
pub(super) fn once<T>(place: &mut Option<T>, key: &str, value: T) -> Result<(), WordError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(WordError(format!("{key} is said twice"))),
    }
}
