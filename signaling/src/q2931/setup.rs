//! What is asked for with a SETUP.

use alloc::vec::Vec;

use thiserror::Error;

use crate::address::Address;
use crate::qos::{Class, Peak, Qos, Traffic};

use super::ConnectionIdentifier;

/// B-LLI elements that a SETUP may carry (ITU-T Q.2931 4.5.9).
pub const MOST_BLLI: usize = 3;
/// Octets of a B-LLI's contents, at most.
pub const BLLI_OCTETS: usize = 64;

/// A call that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Where to.
    pub called: Address,
    /// From where, if that is told.
    pub calling: Option<Address>,
    /// What the connection is to be promised, as seen by the end that holds this: the side that sends the
    /// SETUP transmits what the other one receives.
    pub qos: Qos,
    /// Its label on this link.
    pub connection: ConnectionIdentifier,
    /// Contents of its B-LLI elements in order of preference: carried as they are.
    pub blli: Vec<Vec<u8>>,
    /// Nodes that it has crossed: a call that goes round is found out by it.
    pub hops: u8,
}

/// What no SETUP can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SetupError {
    /// A constant rate without a rate.
    #[error("a constant bit rate needs a peak rate of 1 or more")]
    NoPeak,
    /// Too many B-LLI.
    #[error("{found} B-LLI; allowed: {MOST_BLLI}")]
    ManyBlli {
        /// How many.
        found: usize,
    },
    /// A B-LLI is empty or too long.
    #[error("a B-LLI has {found} octets; allowed: 1 to {BLLI_OCTETS}")]
    BlliLength {
        /// Its octets.
        found: usize,
    },
}

/// Whether a SETUP or a CONNECT can carry this.
pub(crate) fn promised(qos: &Qos) -> Result<(), SetupError> {
    for traffic in [qos.transmit, qos.receive].into_iter().flatten() {
        if !possible(&traffic) {
            return Err(SetupError::NoPeak);
        }
    }
    Ok(())
}

/// A rate of nothing is no rate, and only best effort goes without one.
pub(crate) fn possible(traffic: &Traffic) -> bool {
    match traffic.peak {
        None => traffic.class == Class::Ubr,
        Some(Peak::Frames(peak) | Peak::Bits(peak)) => peak > 0,
    }
}

impl Setup {
    /// Whether a SETUP can carry it.
    ///
    /// # Errors
    /// [`SetupError`] names what it cannot carry.
    pub fn check(&self) -> Result<(), SetupError> {
        promised(&self.qos)?;
        if self.blli.len() > MOST_BLLI {
            return Err(SetupError::ManyBlli {
                found: self.blli.len(),
            });
        }
        for blli in &self.blli {
            if !(1..=BLLI_OCTETS).contains(&blli.len()) {
                return Err(SetupError::BlliLength { found: blli.len() });
            }
        }
        Ok(())
    }
}
