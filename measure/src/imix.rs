//! Mixes of frame sizes: by name, by genome (RFC 6985), by shares.
//!
//! | written | means |
//! |---|---|
//! | `imix` | the customary simple mix, 7 : 4 : 1 of 64, 594 and 1518 octets, where a signed frame is no shorter than its stream's smallest (79 octets with PIH): that is what stands for 64 |
//! | `7x79,4x594,1x1518` | so many of each size, spread evenly over the sequence |
//! | `bbbdgbz` | a genome, one letter a frame, in this order: RFC 6985 3 |
//! | `20(bbcd)5g` | runs of it, on one line: RFC 6985 5.1 has them as a table of counts and sequences |
//! | `A=100;B=1400;20(AAb)B` | letters of one's own, upper case: RFC 6985 4 |
//!
//! All sizes are octets with FCS. Nothing but the name `imix` is ever raised to what a stream can carry: a
//! size that it cannot is refused, with its place. Must never know a rate: a mix is sizes in an order.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::results::SizeLabel;
use crate::stream::Sizes;

/// The letters of RFC 6985 3 with their sizes; `z` is the largest frame of the path.
pub const LETTERS: [(char, u16); 10] = [
    ('a', 64),
    ('b', 128),
    ('c', 256),
    ('d', 512),
    ('e', 1024),
    ('f', 1280),
    ('g', 1518),
    ('h', 2112),
    ('i', 9000),
    ('j', 16_000),
];

/// Most frames of a sequence, runs written out.
pub const LONGEST: usize = 65_536;

const SIMPLE: &str = "imix";
const SIMPLE_SHARES: [(usize, u16); 3] = [(7, 64), (4, 594), (1, 1518)];

/// A mix of sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imix {
    name: String,
    sizes: Vec<u16>,
}

/// Why a text is no mix. Places are counted in characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImixError {
    /// Nothing was written, or a mix of no frames.
    #[error("the mix has no frames: write {FORMS}")]
    Empty,
    /// Something that belongs to no form.
    #[error("character {at}: `{found}`, expected {expected}; a mix is {FORMS}")]
    Unexpected {
        /// Where.
        at: usize,
        /// What is there.
        found: String,
        /// What could be there.
        expected: &'static str,
    },
    /// A letter without a size.
    #[error(
        "character {at}: `{letter}` has no size; letters are a to j and z, and upper-case ones that are given one before (`{letter}=200;`)"
    )]
    Letter {
        /// Where.
        at: usize,
        /// The letter.
        letter: char,
    },
    /// A size that the stream or the path does not carry.
    #[error("character {at}: {size} octets, this path carries frames of {smallest} to {largest}")]
    Size {
        /// Where.
        at: usize,
        /// The size.
        size: u64,
        /// Smallest allowed.
        smallest: u16,
        /// Largest allowed.
        largest: u16,
    },
    /// Counts that make a sequence too long.
    #[error("character {at}: the sequence grows beyond {LONGEST} frames")]
    TooLong {
        /// Where.
        at: usize,
    },
}

const FORMS: &str = "`imix`, shares such as `7x79,4x594,1x1518`, or an RFC 6985 genome such as `bbdg` or `20(bbd)g`";

impl Imix {
    /// Reads a mix whose frames must have `smallest` to `largest` octets with FCS: the stream's
    /// [smallest](crate::stream::StreamSpec::smallest) and the path's largest.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what is allowed.
    pub fn parse(text: &str, smallest: u16, largest: u16) -> Result<Self, ImixError> {
        let mut reader = Reader::new(text, smallest, largest);
        let sizes = if text == SIMPLE {
            let shares = SIMPLE_SHARES.map(|(count, size)| (count, size.max(smallest)));
            for (_, size) in shares {
                reader.check(1, size.into())?;
            }
            spread(&shares)
        } else if text.contains('x') {
            spread(&reader.shares()?)
        } else {
            reader.genome()?
        };
        if sizes.is_empty() {
            return Err(ImixError::Empty);
        }
        Ok(Self {
            name: text.to_owned(),
            sizes,
        })
    }

    /// The sizes in their order, for a stream.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes::Sequence(self.sizes.clone())
    }

    /// As it was written, for results.
    #[must_use]
    pub fn label(&self) -> SizeLabel {
        SizeLabel::Mix(self.name.clone())
    }

    /// The sequence as a genome that [`parse`](Self::parse) reads back: every frame's letter, after the sizes
    /// of the letters that are not of RFC 6985. Sizes beyond 26 of those have none, and `None` is returned.
    #[must_use]
    pub fn genome(&self) -> Option<String> {
        let mut own = BTreeMap::new();
        let mut letters = 'A'..='Z';
        let mut genome = String::new();
        for size in &self.sizes {
            let standard = LETTERS.iter().find(|(_, of)| of == size);
            let letter = match (standard, own.get(size)) {
                (Some((letter, _)), _) | (None, Some(letter)) => *letter,
                (None, None) => {
                    let letter = letters.next()?;
                    own.insert(*size, letter);
                    letter
                }
            };
            genome.push(letter);
        }
        let mut own: Vec<_> = own
            .into_iter()
            .map(|(size, letter)| (letter, size))
            .collect();
        own.sort_unstable();
        let own: String = own
            .iter()
            .map(|(letter, size)| format!("{letter}={size};"))
            .collect();
        Some(own + &genome)
    }
}

/// Each size as often as its share, as evenly as can be: at every place the size that is furthest behind.
fn spread(shares: &[(usize, u16)]) -> Vec<u16> {
    let total: usize = shares.iter().map(|(count, _)| count).sum();
    let mut given = vec![0; shares.len()];
    let mut sizes = Vec::with_capacity(total);
    for place in 1..=total {
        // Its share of the places so far, less what it got, in units of 1/total; of equals the first.
        let behind = |at: &usize| (shares[*at].0 * place) as i64 - (given[*at] * total) as i64;
        let last_of_most = (0..shares.len()).rev().max_by_key(behind);
        if let Some(at) = last_of_most {
            given[at] += 1;
            sizes.push(shares[at].1);
        }
    }
    sizes
}

/// Reads characters, and knows where it is.
struct Reader {
    text: Vec<char>,
    at: usize,
    own: BTreeMap<char, u16>,
    smallest: u16,
    largest: u16,
}

impl Reader {
    fn new(text: &str, smallest: u16, largest: u16) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
            own: BTreeMap::new(),
            smallest,
            largest,
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn unexpected(&self, expected: &'static str) -> ImixError {
        let found = self.peek().map_or("its end".to_owned(), String::from);
        ImixError::Unexpected {
            at: self.at + 1,
            found,
            expected,
        }
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Result<(), ImixError> {
        if self.peek() != Some(wanted) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// A number, `None` where there is no digit. What is beyond 32 bits is beyond every bound, too.
    fn number(&mut self) -> Option<u64> {
        let first = self.at;
        let mut number = 0u64;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit.into());
            self.at += 1;
        }
        (self.at > first).then_some(number)
    }

    /// The size at character `at`, if it can be carried.
    fn check(&self, at: usize, size: u64) -> Result<u16, ImixError> {
        let (smallest, largest) = (self.smallest, self.largest);
        let carried = u16::try_from(size).ok();
        let carried = carried.filter(|size| (smallest..=largest).contains(size));
        carried.ok_or(ImixError::Size {
            at,
            size,
            smallest,
            largest,
        })
    }

    fn size(&mut self) -> Result<u16, ImixError> {
        let at = self.at + 1;
        let size = self
            .number()
            .ok_or_else(|| self.unexpected("a size in octets"))?;
        self.check(at, size)
    }

    /// A count before something, and its place.
    fn count(&mut self) -> Result<Option<usize>, ImixError> {
        let at = self.at + 1;
        match self.number() {
            None => Ok(None),
            Some(0) => Err(ImixError::Unexpected {
                at,
                found: "0".to_owned(),
                expected: "a count of 1 or more",
            }),
            Some(count) => {
                let count = usize::try_from(count)
                    .ok()
                    .filter(|count| *count <= LONGEST);
                count.map(Some).ok_or(ImixError::TooLong { at })
            }
        }
    }

    /// `7x79,4x594,1x1518`
    fn shares(&mut self) -> Result<Vec<(usize, u16)>, ImixError> {
        let mut shares = Vec::new();
        let mut total = 0;
        loop {
            let at = self.at + 1;
            let count = self.count()?.ok_or_else(|| self.unexpected("a count"))?;
            self.expect('x', "`x` between count and size")?;
            shares.push((count, self.size()?));
            total += count;
            if total > LONGEST {
                return Err(ImixError::TooLong { at });
            }
            if self.peek().is_none() {
                return Ok(shares);
            }
            self.expect(',', "`,` or the end")?;
        }
    }

    /// `A=100;20(AAb)5g`
    fn genome(&mut self) -> Result<Vec<u16>, ImixError> {
        while self.text.get(self.at + 1) == Some(&'=') {
            let letter = self.peek().filter(char::is_ascii_uppercase);
            let letter = letter.ok_or_else(|| self.unexpected("an upper-case letter"))?;
            self.at += 2;
            let size = self.size()?;
            self.own.insert(letter, size);
            self.expect(';', "`;` behind the size of a letter")?;
        }
        let mut sizes = Vec::new();
        while self.peek().is_some() {
            let at = self.at + 1;
            let count = self.count()?.unwrap_or(1);
            let run = if self.peek() == Some('(') {
                self.at += 1;
                let mut group = Vec::new();
                while self.peek() != Some(')') {
                    if self.peek().is_none() {
                        return Err(self.unexpected("`)`"));
                    }
                    group.push(self.letter()?);
                }
                self.at += 1;
                group
            } else {
                vec![self.letter()?]
            };
            if sizes.len() + count * run.len() > LONGEST {
                return Err(ImixError::TooLong { at });
            }
            sizes.extend(run.repeat(count));
        }
        Ok(sizes)
    }

    fn letter(&mut self) -> Result<u16, ImixError> {
        let at = self.at + 1;
        let letter = self.peek().filter(char::is_ascii_alphabetic);
        let letter = letter.ok_or_else(|| self.unexpected("a letter"))?;
        self.at += 1;
        if letter == 'z' {
            return Ok(self.largest);
        }
        if let Some(size) = self.own.get(&letter) {
            return Ok(*size);
        }
        let (_, size) = LETTERS
            .iter()
            .find(|(of, _)| *of == letter)
            .ok_or(ImixError::Letter { at, letter })?;
        self.check(at, (*size).into())
    }
}

#[cfg(test)]
#[path = "imix_tests.rs"]
mod tests;
