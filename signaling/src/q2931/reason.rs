//! A cause and what it is about.

use alloc::vec::Vec;

use super::Cause;

/// Octets of a diagnostic that are kept.
pub const DIAGNOSTIC_OCTETS: usize = 8;

/// A cause with its diagnostic (ITU-T Q.850 table 2): for causes 96, 99 and 100 the identifier of the element, for
/// 97 and 101 the type of the message, for 102 the number of the timer in three digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The cause.
    pub cause: Cause,
    diagnostic: Vec<u8>,
}

impl Reason {
    /// A cause and its diagnostic; of more than [`DIAGNOSTIC_OCTETS`] the first.
    #[must_use]
    pub fn new(cause: Cause, diagnostic: &[u8]) -> Self {
        let kept = diagnostic.get(..DIAGNOSTIC_OCTETS).unwrap_or(diagnostic);
        Self {
            cause,
            diagnostic: kept.to_vec(),
        }
    }

    /// Its diagnostic.
    #[must_use]
    pub fn diagnostic(&self) -> &[u8] {
        &self.diagnostic
    }
}

impl From<Cause> for Reason {
    fn from(cause: Cause) -> Self {
        Self::new(cause, &[])
    }
}
