//! The Parallel Internet Header: one octet behind the Ethernet header, PI code and virtual network.
//!
//! Offsets and codes live here and nowhere else. This file must never decide what happens to a
//! frame; it only says what its octets mean.

use std::fmt;

use thiserror::Error;

/// Where the fields of a frame with a PIH lie, in octets from the destination address.
pub mod field {
    use std::ops::Range;

    /// Destination and source address.
    pub const ADDRESSES: Range<usize> = 0..12;
    /// EtherType, network byte order.
    pub const ETHERTYPE: Range<usize> = 12..14;
    /// The Parallel Internet Header.
    pub const PIH: usize = 14;
    /// First octet of the PI's PDU.
    pub const PDU: usize = 15;
}

/// Octets of an Ethernet header without PIH.
pub const ETHERNET_OCTETS: usize = field::PIH;

/// Octets of an Ethernet header with PIH: the least a frame needs to be classified.
pub const HEAD_OCTETS: usize = field::PDU;

/// EtherType of frames with a PIH unless configured: IEEE Std 802 local experimental EtherType 1.
pub const ETHERTYPE_DEFAULT: u16 = 0x88B5;

/// What a PIH or a part of it cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PihError {
    /// PI codes are three bits and 0 is invalid.
    #[error("PI code {code} is out of range: allowed are 1 to 7")]
    Code {
        /// The refused code.
        code: u8,
    },
    /// VN identifiers are five bits.
    #[error("virtual network {vn} is out of range: allowed are 0 to 31")]
    Vn {
        /// The refused identifier.
        vn: u8,
    },
}

/// A PI's code, 1 to 7. Code 0 is invalid so that zeroed memory never classifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PiCode(u8);

impl PiCode {
    /// The IPv6 QoS Internet.
    pub const IPV6QOS: Self = Self(1);
    /// The Content Aware Network.
    pub const CAN: Self = Self(2);
    /// Data Streams Switching.
    pub const DSS: Self = Self(3);
    /// The management network.
    pub const MANAGEMENT: Self = Self(7);

    /// A code from a number.
    ///
    /// # Errors
    /// [`PihError::Code`] unless 1 to 7.
    pub const fn new(code: u8) -> Result<Self, PihError> {
        match code {
            1..=7 => Ok(Self(code)),
            _ => Err(PihError::Code { code }),
        }
    }

    /// The code as a number, 1 to 7.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PiCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A virtual network inside a PI, 0 to 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vn(u8);

impl Vn {
    /// The default network.
    pub const DEFAULT: Self = Self(0);

    /// An identifier from a number.
    ///
    /// # Errors
    /// [`PihError::Vn`] unless 0 to 31.
    pub const fn new(vn: u8) -> Result<Self, PihError> {
        match vn {
            0..=31 => Ok(Self(vn)),
            _ => Err(PihError::Vn { vn }),
        }
    }

    /// The identifier as a number, 0 to 31.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Vn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of virtual networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct VnSet(u32);

impl VnSet {
    /// Whether `vn` is in the set.
    #[must_use]
    pub const fn contains(self, vn: Vn) -> bool {
        self.0 >> (vn.0 & 31) & 1 == 1
    }

    /// How many networks are in the set, 0 to 32.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether no network is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The networks that are in both sets.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The networks in ascending order.
    pub fn iter(self) -> impl Iterator<Item = Vn> {
        (0..32).map(Vn).filter(move |vn| self.contains(*vn))
    }

    /// The lowest network, if there is one.
    #[must_use]
    pub fn first(self) -> Option<Vn> {
        self.iter().next()
    }
}

impl FromIterator<Vn> for VnSet {
    fn from_iter<I: IntoIterator<Item = Vn>>(vns: I) -> Self {
        Self(vns.into_iter().fold(0, |set, vn| set | 1 << (vn.0 & 31)))
    }
}

impl fmt::Display for VnSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for vn in self.iter() {
            write!(f, "{separator}{vn}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// A Parallel Internet Header with a valid code: bits 7 to 5 the PI code, bits 4 to 0 the VN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pih(u8);

impl Pih {
    /// The header of `vn` in the PI of `code`.
    #[must_use]
    pub const fn new(code: PiCode, vn: Vn) -> Self {
        Self(code.0 << 5 | vn.0)
    }

    /// The header in an octet from a frame.
    ///
    /// # Errors
    /// [`PihError::Code`] if the code is 0.
    pub const fn from_raw(raw: u8) -> Result<Self, PihError> {
        match raw >> 5 {
            0 => Err(PihError::Code { code: 0 }),
            _ => Ok(Self(raw)),
        }
    }

    /// The PI code.
    #[must_use]
    pub const fn code(self) -> PiCode {
        PiCode(self.0 >> 5)
    }

    /// The virtual network.
    #[must_use]
    pub const fn vn(self) -> Vn {
        Vn(self.0 & 0x1F)
    }

    /// The octet on the wire.
    #[must_use]
    pub const fn raw(self) -> u8 {
        self.0
    }
}

/// The EtherType that a host without PIH uses for a PI's PDU: IPv6 (0x86DD) for code 1, NDN
/// (0x8624) for code 2, MPLS unicast (0x8847) for code 3. The other codes have none of their own,
/// so an access port or a guest of theirs needs one configured.
#[must_use]
pub const fn default_access_ethertype(code: PiCode) -> Option<u16> {
    match code {
        PiCode::IPV6QOS => Some(0x86DD),
        PiCode::CAN => Some(0x8624),
        PiCode::DSS => Some(0x8847),
        _ => None,
    }
}

/// The EtherType field of a frame; `None` if the frame ends before it.
#[must_use]
pub fn ethertype(frame: &[u8]) -> Option<u16> {
    match frame.get(field::ETHERTYPE) {
        Some(&[high, low]) => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}
