//! What the fields of messages hold (4.1), in types that cannot be wrong.

use core::fmt;
use core::num::{NonZeroI32, NonZeroU8, NonZeroU64};

use arrayvec::ArrayVec;

use crate::Address;

/// BLLI descriptors that a SAP may have (`ATM_MAX_BLLI`).
pub const MAX_BLLI: usize = 3;

/// Identifies a socket (4.1.2). The kernel side allots it, and never the same twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vcc(NonZeroU64);

impl Vcc {
    /// The socket of this number; none for 0, which means "no socket".
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Vcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why something failed or ended (4.1.4): negative, by meaning a negated number of errno(3) on Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(NonZeroI32);

impl ErrorCode {
    /// Too many sockets or calls (`ENFILE`).
    pub const TOO_MANY: Self = Self::of(-23);
    /// The listening socket was closed before the call was accepted (`ECONNABORTED`).
    pub const ABORTED: Self = Self::of(-103);

    /// This code; none if it is not negative.
    #[must_use]
    pub const fn new(code: i32) -> Option<Self> {
        match NonZeroI32::new(code) {
            Some(code) if code.get() < 0 => Some(Self(code)),
            _ => None,
        }
    }

    const fn of(code: i32) -> Self {
        match Self::new(code) {
            Some(code) => code,
            None => panic!("an error code is negative"),
        }
    }

    /// The code, negative.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0.get()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of an ATM adaptation layer (4.1.5), as in `linux/atm.h`. Each side checks what it supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Aal(NonZeroU8);

impl Aal {
    /// AAL 5: frames, which is what DSS carries.
    pub const FIVE: Self = match Self::new(5) {
        Some(aal) => aal,
        None => panic!("5 is not 0"),
    };

    /// The layer of this number; none for 0, which means "no AAL" (`ATM_NO_AAL`).
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match NonZeroU8::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

/// Where a connection is (4.1.6): in place of interface, VPI and VCI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pvc {
    /// Number of the interface.
    pub interface: u16,
    /// Virtual network on it.
    pub vn: u8,
    /// Label (RFC 3032) on it, 20 bits used.
    pub label: u32,
}

/// One low layer information descriptor (4.1.10), as `struct atm_blli`. At least one of the protocols is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blli {
    l2_proto: u8,
    l2: [u8; 2],
    l3_proto: u8,
    l3: [u8; 6],
}

impl Blli {
    /// A descriptor: layer 2 protocol and its octets (mode and window, or user's), layer 3 protocol and its octets
    /// (mode, packet size and window; or terminal type and multiplexing; or IPI and SNAP; or user's).
    /// None if both protocols are 0, which means "no descriptor" (`blli_in_use`).
    #[must_use]
    pub fn new(l2_proto: u8, l2: [u8; 2], l3_proto: u8, l3: [u8; 6]) -> Option<Self> {
        (l2_proto != 0 || l3_proto != 0).then_some(Self {
            l2_proto,
            l2,
            l3_proto,
            l3,
        })
    }

    /// Layer 2 protocol and its octets.
    #[must_use]
    pub fn layer2(&self) -> (u8, [u8; 2]) {
        (self.l2_proto, self.l2)
    }

    /// Layer 3 protocol and its octets.
    #[must_use]
    pub fn layer3(&self) -> (u8, [u8; 6]) {
        (self.l3_proto, self.l3)
    }
}

/// The BLLI descriptors of a SAP.
pub type Bllis = ArrayVec<Blli, MAX_BLLI>;

/// A service access point (4.1.9): an address, and by what protocols it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sap {
    /// Its address; null: any, or one that the demon chooses.
    pub address: Address,
    /// Low layer information; may be empty.
    pub bllis: Bllis,
}

impl From<Address> for Sap {
    /// The SAP of an address without low layer information.
    fn from(address: Address) -> Self {
        Self {
            address,
            bllis: Bllis::new(),
        }
    }
}
