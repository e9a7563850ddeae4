//! Classification of one port, whatever its mode: the calls that a data-plane worker makes.
//!
//! Immutable once built: a worker reads it, a reconfiguration builds another.

use crate::access::Access;
use crate::drop::{Drop, TxDrop};
use crate::splice::Splice;
use crate::trunk::Trunk;

/// A number that is no slot.
pub(crate) const NO_SLOT: u8 = u8::MAX;

/// To which PI a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The PI's dense index inside the node.
    pub slot: u8,
}

/// Classification of one port.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a port; the table is better in place"
)]
pub enum PortClassifier {
    /// Frames carry the PIH.
    Trunk(Trunk),
    /// Untagged frames of one PI.
    Access(Access),
}

impl From<Trunk> for PortClassifier {
    fn from(trunk: Trunk) -> Self {
        Self::Trunk(trunk)
    }
}

impl From<Access> for PortClassifier {
    fn from(access: Access) -> Self {
        Self::Access(access)
    }
}

impl PortClassifier {
    /// Which PI a frame from the wire (without FCS) belongs to.
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn classify(&self, frame: &[u8]) -> Result<Verdict, Drop> {
        match self {
            Self::Trunk(trunk) => trunk.classify(frame),
            Self::Access(access) => access.classify(frame),
        }
    }

    /// [`classify`](Self::classify) in short: the slot of the PI, or a number from
    /// [`MAX_PIS`](crate::MAX_PIS) on if the frame is to be dropped. A frame that a guest sends in the
    /// wire's form is one of its PI's if this is its slot: its code, its networks.
    #[inline]
    #[must_use]
    pub fn slot(&self, frame: &[u8]) -> u8 {
        match self {
            Self::Trunk(trunk) => trunk.slot(frame),
            Self::Access(access) => match access.classify(frame) {
                Ok(verdict) => verdict.slot,
                Err(_) => NO_SLOT,
            },
        }
    }

    /// The form in which the PI's guest gets `frame`: `prefix()`, then `body(frame)`.
    #[inline]
    #[must_use]
    pub fn to_guest(&self, verdict: Verdict, frame: &[u8]) -> Splice {
        match self {
            Self::Trunk(trunk) => trunk.to_guest(verdict, frame),
            Self::Access(access) => access.to_guest(verdict, frame),
        }
    }

    /// Checks a frame that the guest of `slot` sends through this port, and gives its form on the
    /// wire: `prefix()`, then the guest's frame from octet `skip()` on, then zeros up to
    /// `padded_octets()`.
    ///
    /// `head` is the host's own copy of the frame's first 15 octets (fewer if it has fewer), and
    /// `frame_octets` its length without FCS. The prefix always replaces the whole checked head,
    /// so a guest that rewrites its memory meanwhile changes nothing that was checked.
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn to_wire(&self, slot: u8, head: &[u8], frame_octets: usize) -> Result<Splice, TxDrop> {
        match self {
            Self::Trunk(trunk) => trunk.to_wire(slot, head, frame_octets),
            Self::Access(access) => access.to_wire(slot, head, frame_octets),
        }
    }

    /// Whether the guest of `slot` gets and sends frames as they are on this port's wire: then
    /// [`to_guest`](Self::to_guest) changes nothing, and what it sends may be copied whole and
    /// checked by [`check_copy`](Self::check_copy).
    #[inline]
    #[must_use]
    pub fn passes_as_is(&self, slot: u8) -> bool {
        match self {
            Self::Trunk(trunk) => trunk.passes_as_is(slot),
            Self::Access(_) => false,
        }
    }

    /// What [`to_wire`](Self::to_wire) checks, on the host's own copy of a whole frame that the
    /// guest of `slot` sends and that [passes as it is](Self::passes_as_is).
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn check_copy(&self, slot: u8, frame: &[u8]) -> Result<(), TxDrop> {
        match self {
            Self::Trunk(trunk) => trunk.check_copy(slot, frame),
            Self::Access(_) => Err(TxDrop::Spoofed),
        }
    }

    /// Octets of the longest frame on this port's wire, without FCS.
    #[inline]
    #[must_use]
    pub fn largest_frame(&self) -> usize {
        match self {
            Self::Trunk(trunk) => trunk.largest_frame(),
            Self::Access(access) => access.largest_frame(),
        }
    }
}
