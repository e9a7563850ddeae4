//! A cause and what it is about.

use alloc::string::String;
use alloc::vec::Vec;

use super::Cause;

/// Octets of a diagnostic that are kept.
pub const DIAGNOSTIC_OCTETS: usize = 8;

/// Octets of words that are kept.
pub const WORDS_OCTETS: usize = 200;

/// A cause with its diagnostic (ITU-T Q.850 table 2): for causes 96, 99 and 100 the identifier of the element, for
/// 97 and 101 the type of the message, for 102 the number of the timer in three digits. Words are this project's: which link or table it was, and how much of what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The cause.
    pub cause: Cause,
    diagnostic: Vec<u8>,
    words: String,
}

impl Reason {
    /// A cause and its diagnostic; of more than [`DIAGNOSTIC_OCTETS`] the first.
    #[must_use]
    pub fn new(cause: Cause, diagnostic: &[u8]) -> Self {
        let kept = diagnostic.get(..DIAGNOSTIC_OCTETS).unwrap_or(diagnostic);
        Self {
            cause,
            diagnostic: kept.to_vec(),
            words: String::new(),
        }
    }

    /// The same with words for a person; of more than [`WORDS_OCTETS`] the first, and nothing that moves a cursor, begins
    /// a line or turns the order of what is shown.
    #[must_use]
    pub fn saying(mut self, words: &str) -> Self {
        self.words.clear();
        for character in words.chars().filter(|character| is_shown(*character)) {
            if self.words.len() + character.len_utf8() > WORDS_OCTETS {
                break;
            }
            self.words.push(character);
        }
        self
    }

    /// Words; empty: none.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// What of it goes to another link: diagnostics are about messages of this one.
    #[must_use]
    pub fn passed_on(self) -> Self {
        Self {
            diagnostic: Vec::new(),
            ..self
        }
    }

    /// Its diagnostic.
    #[must_use]
    pub fn diagnostic(&self) -> &[u8] {
        &self.diagnostic
    }
}

/// Whether a character stands for itself alone: no control (Unicode 4.4), no separator of lines or paragraphs, and none
/// of the controls of bidirectional text (UAX #9 2).
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Self {
        Self::new(cause, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_held_to_bounds_and_move_no_cursor() {
        let saying = |words: &str| Reason::from(Cause::UserBusy).saying(words);
        assert_eq!(
            saying("port \u{1b}[2J\u{9b}1A\nwest").words(),
            "port [2J1Awest"
        );
        // All that turns or breaks a line, and what stands beside it and does not.
        for hidden in ['\u{61c}', '\u{200e}', '\u{200f}']
            .into_iter()
            .chain('\u{2028}'..='\u{202e}')
            .chain('\u{2066}'..='\u{2069}')
        {
            assert_eq!(
                saying(&format!("po{hidden}rt")).words(),
                "port",
                "{hidden:?}"
            );
        }
        for shown in ['\u{2027}', '\u{202f}', '\u{5d0}', '\u{627}', '\u{206a}'] {
            assert_eq!(saying(&shown.to_string()).words(), shown.to_string());
        }
        let long = "\u{e9}".repeat(WORDS_OCTETS);
        let kept = saying(&long);
        assert_eq!(kept.words().len(), WORDS_OCTETS);
        assert_eq!(saying("x").saying("").words(), "");
        let reason = Reason::new(Cause::UserBusy, b"303").saying("west");
        assert_eq!(reason.passed_on(), saying("west"));
    }
}
