//! Words that say why: this project's, beside the messages of the protocol, from the demon to the kernel side alone. They
//! come right before the `as_error` or `as_close` that they are about.
//!
//! | octets | field |
//! |---|---|
//! | 0..=3 | 0x100: no `enum atmsvc_msg_type` |
//! | 4..=7 | zero |
//! | 8..=15 | `vcc`, not 0 |
//! | 16.. | 1 to 200 octets of UTF-8 without control characters |
//!
//! Must never change what a socket may do or hear: they are for people.

use alloc::string::String;
use alloc::vec::Vec;

use super::Vcc;
use crate::q2931::WORDS_OCTETS;

const TYPE: [u8; 8] = [0, 1, 0, 0, 0, 0, 0, 0];

/// Words about what is said to a socket next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    vcc: Vcc,
    text: String,
}

impl Words {
    /// Words for a socket; none: there are none, or they are too many, or would move a cursor.
    #[must_use]
    pub fn new(vcc: Vcc, text: &str) -> Option<Self> {
        let fits = (1..=WORDS_OCTETS).contains(&text.len()) && !text.contains(char::is_control);
        fits.then(|| Self {
            vcc,
            text: text.into(),
        })
    }

    /// Its octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(16 + self.text.len());
        octets.extend(TYPE);
        octets.extend(self.vcc.get().to_le_bytes());
        octets.extend(self.text.as_bytes());
        octets
    }

    /// The words that these octets are; none: they are something else.
    #[must_use]
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let (head, rest) = octets.split_first_chunk()?;
        let (vcc, text) = rest.split_first_chunk()?;
        let vcc = Vcc::new(u64::from_le_bytes(*vcc))?;
        Self::new(vcc, core::str::from_utf8(text).ok()?).filter(|_| *head == TYPE)
    }

    /// Whom they are for.
    #[must_use]
    pub fn vcc(&self) -> Vcc {
        self.vcc
    }

    /// What they say.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isp::{Request, ToKernel};

    #[test]
    fn there_and_back() {
        let vcc = Vcc::new(7).unwrap();
        let words = Words::new(vcc, "port west: 3 Mb/s left").unwrap();
        assert_eq!(Words::decode(&words.encode()), Some(words.clone()));
        assert_eq!(
            (words.vcc(), words.into_text().as_str()),
            (vcc, "port west: 3 Mb/s left")
        );
    }

    #[test]
    fn what_are_no_words() {
        let vcc = Vcc::new(7).unwrap();
        for text in ["", "a\nb", &"x".repeat(WORDS_OCTETS + 1)] {
            assert_eq!(Words::new(vcc, text), None);
        }
        let octets = Words::new(vcc, "x").unwrap().encode();
        for (at, value) in [(0, 1), (1, 0), (4, 1), (8, 0), (16, 0x1b), (16, 0xff)] {
            let mut wrong = octets.clone();
            wrong[at] = value;
            assert_eq!(Words::decode(&wrong), None, "octet {at}");
        }
        for length in 0..octets.len() {
            assert_eq!(Words::decode(&octets[..length]), None);
        }
    }

    #[test]
    fn no_message_of_the_protocol_is_taken_for_words_nor_words_for_one() {
        let vcc = Vcc::new(7).unwrap();
        let close = ToKernel::Close { vcc, reply: None }.encode();
        assert_eq!(Words::decode(&close), None);
        let words = Words::new(vcc, &"x".repeat(128)).unwrap().encode();
        assert!(ToKernel::decode(&words, |_| Some(Request::Connect)).is_err());
    }
}
