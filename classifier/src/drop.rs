//! Why a frame was dropped: one cause for each counter, with the counter's key.
//!
//! The names are outside behaviour (`status --json`, Prometheus); they must never change silently.

use thiserror::Error;

/// Why a frame from a port was dropped before it belonged to a PI: the keys of `ports[].drops`.
///
/// A frame with several faults is counted under the first in the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[repr(u8)]
pub enum Drop {
    /// Shorter than Ethernet header and PIH (15 octets without FCS).
    #[error("frame ends before the Parallel Internet Header")]
    Truncated,
    /// Longer than Ethernet header and the port's MTU.
    #[error("frame is longer than the port's MTU allows")]
    Oversize,
    /// Not the node's EtherType (trunk) or the PI's access EtherType (access).
    #[error("EtherType is not the one this port carries")]
    BadEthertype,
    /// PI code 0, or a code that no PI of this node has.
    #[error("no PI of this node has the frame's PI code")]
    UnknownPi,
    /// The PI does not carry this virtual network.
    #[error("the PI does not carry the frame's virtual network")]
    UnknownVn,
}

impl Drop {
    /// How many causes there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All causes, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 5] = [
        Self::Truncated,
        Self::Oversize,
        Self::BadEthertype,
        Self::UnknownPi,
        Self::UnknownVn,
    ];

    /// The counter's key, snake case, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Oversize => "oversize",
            Self::BadEthertype => "bad_ethertype",
            Self::UnknownPi => "unknown_pi",
            Self::UnknownVn => "unknown_vn",
        }
    }

    /// Place in an array of counters, below [`COUNT`](Self::COUNT).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Why a frame taken from a guest was dropped: keys of `ports[].pi.NAME.tx_drops`.
///
/// A frame with several faults is counted under the first in the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[repr(u8)]
pub enum TxDrop {
    /// Another PI's code, an EtherType that is not the guest's to send, or too short to say.
    #[error("guest sent a frame that is not one of its PI")]
    Spoofed,
    /// A virtual network that the PI (trunk) or the port (access) does not carry.
    #[error("guest sent a frame of a virtual network that is not the port's")]
    UnknownVn,
    /// Longer on this port's wire than its MTU allows.
    #[error("guest sent a frame longer than the port's MTU allows")]
    Oversize,
}

impl TxDrop {
    /// How many causes there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All causes, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 3] = [Self::Spoofed, Self::UnknownVn, Self::Oversize];

    /// The counter's key, snake case, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spoofed => "spoofed",
            Self::UnknownVn => "unknown_vn",
            Self::Oversize => "oversize",
        }
    }

    /// Place in an array of counters, below [`COUNT`](Self::COUNT).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
