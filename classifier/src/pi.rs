//! A configured PI as the classifier sees it, and what of a configuration it refuses.
//!
//! Parsed once, at the edge: what is built from here needs no check on the frame path.

use thiserror::Error;

use crate::pih::{PiCode, Pih, Vn, VnSet};

/// Most PIs that a node can have. There are 7 codes, and a code may be shared by PIs that carry
/// different virtual networks.
pub const MAX_PIS: usize = 32;

/// In which form the PI's guest sees its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestForm {
    /// With their PIH.
    Keep,
    /// Plain Ethernet of this EtherType, for a guest that cannot read a PIH (`pih = "strip"`).
    Strip {
        /// EtherType of every frame to and from the guest.
        ethertype: u16,
    },
}

/// A PI of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pi {
    /// Dense index of the PI inside the node, below [`MAX_PIS`].
    pub slot: u8,
    /// Its code in the PIH.
    pub code: PiCode,
    /// Virtual networks it carries.
    pub vns: VnSet,
    /// What its guest sees.
    pub form: GuestForm,
}

impl Pi {
    /// The header that frames of a stripped guest get: the PI's code and its lowest VN.
    pub(crate) fn own_pih(&self) -> Pih {
        Pih::new(self.code, self.vns.first().unwrap_or(Vn::DEFAULT))
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let (slot, code) = (self.slot, self.code);
        if usize::from(slot) >= MAX_PIS {
            return Err(ConfigError::Slot { slot, code });
        }
        if self.vns.is_empty() {
            return Err(ConfigError::NoVn { code });
        }
        if let GuestForm::Strip { ethertype } = self.form {
            check_ethertype(ethertype)?;
            if self.vns.len() != 1 {
                return Err(ConfigError::StripVns {
                    code,
                    vns: self.vns,
                });
            }
        }
        Ok(())
    }
}

/// EtherTypes begin at 0x0600; below, the field is a length (IEEE Std 802.3-2018 3.2.6).
pub(crate) fn check_ethertype(ethertype: u16) -> Result<(), ConfigError> {
    match ethertype {
        0x0600.. => Ok(()),
        _ => Err(ConfigError::EtherType { ethertype }),
    }
}

/// Why a port's classification could not be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The slot is no dense index.
    #[error("PI of code {code} has slot {slot}: allowed are 0 to {}", MAX_PIS - 1)]
    Slot {
        /// The refused slot.
        slot: u8,
        /// The PI's code.
        code: PiCode,
    },
    /// Two PIs share a slot.
    #[error("PIs of codes {first} and {second} share slot {slot}: each needs its own")]
    SlotTwice {
        /// The shared slot.
        slot: u8,
        /// Code of the PI that came first.
        first: PiCode,
        /// Code of the other.
        second: PiCode,
    },
    /// Two PIs share a code and virtual networks of it.
    #[error(
        "virtual networks {vns} of PI code {code} are given to two PIs: each needs a code or virtual networks of its own"
    )]
    VnsTwice {
        /// The shared code.
        code: PiCode,
        /// The shared networks.
        vns: VnSet,
    },
    /// A PI without a virtual network carries nothing.
    #[error("PI of code {code} carries no virtual network: give at least one of 0 to 31")]
    NoVn {
        /// The PI's code.
        code: PiCode,
    },
    /// A guest that cannot read the PIH cannot tell virtual networks apart.
    #[error("PI of code {code} strips the PIH but carries virtual networks {vns}: allowed is one")]
    StripVns {
        /// The PI's code.
        code: PiCode,
        /// Its virtual networks.
        vns: VnSet,
    },
    /// The access port's virtual network is none of the PI's.
    #[error("access port has virtual network {vn}: its PI of code {code} carries {vns}")]
    AccessVn {
        /// The PI's code.
        code: PiCode,
        /// The refused network.
        vn: Vn,
        /// What the PI carries.
        vns: VnSet,
    },
    /// The number is a length, no EtherType.
    #[error("EtherType {ethertype:#06x} is a length: allowed are 0x0600 to 0xffff")]
    EtherType {
        /// The refused number.
        ethertype: u16,
    },
}
