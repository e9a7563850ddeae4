//! Virtual networks and interfaces, as numbers.

use core::fmt;

use pinode_guest_runtime::VifIndex;
use serde::{Deserialize, Serialize};

/// Virtual networks there are: five bits of the PIH.
pub const VNS: usize = 32;

/// A virtual network, which is a routing instance here: 0 to 31.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct Vn(u8);

impl Vn {
    /// The virtual network of this number; none of 32 and more.
    #[inline]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < VNS {
            Some(Vn(number))
        } else {
            None
        }
    }

    /// The virtual network in the low bits of a PIH.
    #[inline]
    pub const fn of_pih(pih: u8) -> Self {
        Vn(pih & 0x1f)
    }

    /// Its number, below [`VNS`].
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Its number as an index, below [`VNS`].
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<u8> for Vn {
    type Error = alloc::string::String;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Vn::new(number)
            .ok_or_else(|| alloc::format!("{number} is no virtual network; allowed: 0 to 31"))
    }
}

impl From<Vn> for u8 {
    fn from(vn: Vn) -> u8 {
        vn.0
    }
}

impl fmt::Display for Vn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An interface of the router: a vif in a virtual network. A trunk has one for each network carried, an access
/// port the one of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(u16);

impl InterfaceId {
    /// The interface of `vif` in `vn`.
    #[inline]
    pub const fn new(vif: VifIndex, vn: Vn) -> Self {
        InterfaceId((vif.0 as u16) << 5 | vn.0 as u16)
    }

    /// Its vif.
    #[inline]
    pub const fn vif(self) -> VifIndex {
        VifIndex((self.0 >> 5) as u8)
    }

    /// Its virtual network.
    #[inline]
    pub const fn vn(self) -> Vn {
        Vn((self.0 & 0x1f) as u8)
    }

    /// A number for tables, below 32 times the number of vifs.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
