//! The connection identifier: which label a connection has on a link, in which VN.

use thiserror::Error;

/// The first label that a connection may have: those below are reserved (RFC 3032 2.1).
pub const FIRST_LABEL: u32 = 16;
/// The last label.
pub const LAST_LABEL: u32 = (1 << 20) - 1;
/// The last VN.
pub const LAST_VN: u8 = 31;

/// What a connection is known by on one link, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionIdentifier {
    vn: u8,
    label: u32,
}

/// What no connection can be known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConnectionIdentifierError {
    /// The VN has more than 5 bits.
    #[error("there is no VN {vn}; allowed: 0 to {LAST_VN}")]
    Vn {
        /// The VN.
        vn: u8,
    },
    /// The label is reserved or has more than 20 bits.
    #[error("label {label} is for no connection; allowed: {FIRST_LABEL} to {LAST_LABEL}")]
    Label {
        /// The label.
        label: u32,
    },
}

impl ConnectionIdentifier {
    /// The label of a VN.
    ///
    /// # Errors
    /// [`ConnectionIdentifierError`] names which of the two is out of range.
    pub fn new(vn: u8, label: u32) -> Result<Self, ConnectionIdentifierError> {
        if vn > LAST_VN {
            return Err(ConnectionIdentifierError::Vn { vn });
        }
        if !(FIRST_LABEL..=LAST_LABEL).contains(&label) {
            return Err(ConnectionIdentifierError::Label { label });
        }
        Ok(Self { vn, label })
    }

    /// Its VN, 0 to 31.
    #[must_use]
    pub fn vn(self) -> u8 {
        self.vn
    }

    /// Its label, 16 to 2^20 - 1.
    #[must_use]
    pub fn label(self) -> u32 {
        self.label
    }
}
