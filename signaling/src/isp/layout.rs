//! The octets of a message: one fixed part in the field order of `struct atmsvc_msg` (`linux/atmsvc.h`), then 0 to 3
//! BLLI descriptors; how many is known from the length (4.1.10).
//!
//! | octets | field | |
//! |---|---|---|
//! | 0..=3 | `type` | number in `enum atmsvc_msg_type`: 1 bind, 2 connect, 3 accept, 4 reject, 5 listen, 6 okay, 7 error, 8 indicate, 9 close, 10 itf_notify |
//! | 4..=7 | | zero |
//! | 8..=15 | `vcc` | 0: absent |
//! | 16..=23 | `listen_vcc` | 0: absent |
//! | 24..=27 | `reply` | signed; 0: absent, or normal in `as_close` to the kernel; below 0: error code |
//! | 28 | `pvc` | family: 8 (`AF_ATMPVC`); 0: absent, and 29..=35 are zero |
//! | 29 | | VN |
//! | 30..=31 | | interface |
//! | 32..=35 | | label |
//! | 36 | `local` | family: 20 (`AF_ATMSVC`); 0: absent, and 37..=56 are zero |
//! | 37..=56 | | address |
//! | 57..=59 | | zero |
//! | 60 | `qos` | 1: present; 0: absent, and 64..=111 are zero |
//! | 61..=63 | | zero |
//! | 64 | transmit | class: 0 nothing goes that way (and 65..=87 are zero), 1 UBR, 2 CBR (`ATM_UBR`, `ATM_CBR`) |
//! | 65 | | unit of the peak rate: 0 no peak rate (and 72..=79 are zero), 1 frames a second, 2 bits a second on the wire |
//! | 66..=67 | | largest payload, octets (`max_sdu`) |
//! | 68..=71 | | zero |
//! | 72..=79 | | peak rate |
//! | 80..=87 | | CDVT, nanoseconds |
//! | 88..=111 | receive | as 64..=87 |
//! | 112 | `aal` | number of the AAL; 0: absent |
//! | 113..=115 | | zero |
//! | 116..=119 | `session` | in no message |
//! | 120 | `svc` | family: 20 (`AF_ATMSVC`); 0: absent, and 121..=140 are zero |
//! | 121..=140 | | address |
//! | 141..=143 | | zero |
//! | 144.. | `blli` | 12 octets each: layer 2 protocol, its 2 octets, layer 3 protocol, its 6 octets, 2 zero; one of the protocols is not 0 |
//!
//! Numbers have their least octet first. High layer information (`bhli`) is not carried.
//!
//! Must never take two different strings of octets for the same message: what is not used is zero.

use alloc::vec::Vec;

use thiserror::Error;

use super::field::{Aal, Blli, MAX_BLLI, Pvc, Vcc};
use super::message::{Message, Type};
use crate::qos::{Class, Peak, Qos, Traffic};
use crate::{Address, address};

/// Octets of a message without BLLI.
pub const FIXED_OCTETS: usize = 144;
/// Octets of a BLLI descriptor.
pub const BLLI_OCTETS: usize = 12;
/// Octets of the longest message.
pub const MAX_OCTETS: usize = FIXED_OCTETS + MAX_BLLI * BLLI_OCTETS;

const AF_ATMPVC: u8 = 8;
const AF_ATMSVC: u8 = 20;

/// Octets that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Too few, too many, or no whole number of BLLI descriptors.
    #[error(
        "a message of {octets} octets; allowed: {FIXED_OCTETS}, and 0 to {MAX_BLLI} BLLI descriptors of {BLLI_OCTETS} each"
    )]
    Length {
        /// How many there are.
        octets: usize,
    },
    /// A type that the protocol only reserves.
    #[error("message type {name} is reserved; allowed: as_bind to as_itf_notify")]
    Reserved {
        /// Its name.
        name: &'static str,
    },
    /// A type that there is not.
    #[error("message type {number} is unknown; allowed: 1 (as_bind) to 10 (as_itf_notify)")]
    Type {
        /// Its number.
        number: u32,
    },
    /// An octet that is not used and not zero.
    #[error("octet {at} is not zero; allowed: zero where a field is absent or nothing is defined")]
    Padding {
        /// Its offset.
        at: usize,
    },
    /// An octet that has none of the values it may have.
    #[error("octet {at} ({what}) is {found}; allowed: {allowed}")]
    Value {
        /// Its offset.
        at: usize,
        /// What it says.
        what: &'static str,
        /// What stands there.
        found: u8,
        /// What may.
        allowed: &'static str,
    },
}

impl Type {
    const fn number(self) -> u32 {
        match self {
            Self::Bind => 1,
            Self::Connect => 2,
            Self::Accept => 3,
            Self::Reject => 4,
            Self::Listen => 5,
            Self::Okay => 6,
            Self::Error => 7,
            Self::Indicate => 8,
            Self::Close => 9,
            Self::ItfNotify => 10,
        }
    }

    const fn of(number: u32) -> Result<Self, Malformed> {
        let name = match number {
            1 => return Ok(Self::Bind),
            2 => return Ok(Self::Connect),
            3 => return Ok(Self::Accept),
            4 => return Ok(Self::Reject),
            5 => return Ok(Self::Listen),
            6 => return Ok(Self::Okay),
            7 => return Ok(Self::Error),
            8 => return Ok(Self::Indicate),
            9 => return Ok(Self::Close),
            10 => return Ok(Self::ItfNotify),
            0 => "as_catch_null",
            11 => "as_modify",
            12 => "as_identify",
            13 => "as_terminate",
            number => return Err(Malformed::Type { number }),
        };
        Err(Malformed::Reserved { name })
    }
}

impl Message {
    /// The message that these octets are, whether it may be sent or not.
    ///
    /// # Errors
    /// They are none.
    pub fn decode(octets: &[u8]) -> Result<Self, Malformed> {
        let behind = octets.len().checked_sub(FIXED_OCTETS);
        let bllis =
            behind.filter(|n| n.is_multiple_of(BLLI_OCTETS) && *n / BLLI_OCTETS <= MAX_BLLI);
        let Some(bllis) = bllis.map(|n| n / BLLI_OCTETS) else {
            return Err(Malformed::Length {
                octets: octets.len(),
            });
        };
        let mut claim = Claim { octets, at: 0 };
        let kind = Type::of(u32::from_le_bytes(claim.take()?))?;
        claim.zero(4)?;
        let mut message = Self::new(kind);
        message.vcc = Vcc::new(u64::from_le_bytes(claim.take()?));
        message.listen_vcc = Vcc::new(u64::from_le_bytes(claim.take()?));
        message.reply = i32::from_le_bytes(claim.take()?);
        message.pvc = claim.pvc()?;
        message.local = claim.address()?;
        message.qos = claim.qos()?;
        message.aal = Aal::new(claim.octet()?);
        claim.zero(3)?;
        message.session = u32::from_le_bytes(claim.take()?);
        message.svc = claim.address()?;
        for _ in 0..bllis {
            let blli = claim.blli()?;
            // There is room: their number was checked.
            let _ = message.bllis.try_push(blli);
        }
        Ok(message)
    }

    pub(super) fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(MAX_OCTETS);
        octets.extend(self.kind.number().to_le_bytes());
        octets.extend([0; 4]);
        octets.extend(self.vcc.map_or(0, Vcc::get).to_le_bytes());
        octets.extend(self.listen_vcc.map_or(0, Vcc::get).to_le_bytes());
        octets.extend(self.reply.to_le_bytes());
        match self.pvc {
            Some(pvc) => {
                octets.extend([AF_ATMPVC, pvc.vn]);
                octets.extend(pvc.interface.to_le_bytes());
                octets.extend(pvc.label.to_le_bytes());
            }
            None => octets.extend([0; 8]),
        }
        put_address(&mut octets, self.local);
        octets.extend([u8::from(self.qos.is_some()), 0, 0, 0]);
        let qos = self.qos.unwrap_or_default();
        put_traffic(&mut octets, qos.transmit);
        put_traffic(&mut octets, qos.receive);
        octets.extend([self.aal.map_or(0, Aal::get), 0, 0, 0]);
        octets.extend(self.session.to_le_bytes());
        put_address(&mut octets, self.svc);
        for blli in &self.bllis {
            let ((l2_proto, l2), (l3_proto, l3)) = (blli.layer2(), blli.layer3());
            octets.push(l2_proto);
            octets.extend(l2);
            octets.push(l3_proto);
            octets.extend(l3);
            octets.extend([0; 2]);
        }
        octets
    }
}

fn put_address(octets: &mut Vec<u8>, address: Option<Address>) {
    match address {
        Some(address) => {
            octets.push(AF_ATMSVC);
            octets.extend(address.0);
        }
        None => octets.extend([0; 1 + address::OCTETS]),
    }
    octets.extend([0; 3]);
}

fn put_traffic(octets: &mut Vec<u8>, traffic: Option<Traffic>) {
    let Some(traffic) = traffic else {
        octets.extend([0; 24]);
        return;
    };
    let (unit, rate) = match traffic.peak {
        None => (0, 0),
        Some(Peak::Frames(rate)) => (1, rate),
        Some(Peak::Bits(rate)) => (2, rate),
    };
    octets.push(match traffic.class {
        Class::Ubr => 1,
        Class::Cbr => 2,
    });
    octets.push(unit);
    octets.extend(traffic.max_sdu.to_le_bytes());
    octets.extend([0; 4]);
    octets.extend(rate.to_le_bytes());
    octets.extend(traffic.cdvt_ns.to_le_bytes());
}

/// The octets of others, read from the first to the last.
struct Claim<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Claim<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk::<N>().ok_or(Malformed::Length {
            octets: self.octets.len(),
        })?;
        self.at += N;
        Ok(*taken)
    }

    fn octet(&mut self) -> Result<u8, Malformed> {
        let [octet] = self.take()?;
        Ok(octet)
    }

    fn zero(&mut self, octets: usize) -> Result<(), Malformed> {
        for _ in 0..octets {
            if self.octet()? != 0 {
                return Err(Malformed::Padding { at: self.at - 1 });
            }
        }
        Ok(())
    }

    /// One octet that has one of these values: its place among them.
    fn choice(
        &mut self,
        what: &'static str,
        values: &[u8],
        allowed: &'static str,
    ) -> Result<usize, Malformed> {
        let at = self.at;
        let found = self.octet()?;
        values
            .iter()
            .position(|value| *value == found)
            .ok_or(Malformed::Value {
                at,
                what,
                found,
                allowed,
            })
    }

    fn pvc(&mut self) -> Result<Option<Pvc>, Malformed> {
        let family = self.choice(
            "family of pvc",
            &[0, AF_ATMPVC],
            "0 (absent), 8 (AF_ATMPVC)",
        )?;
        if family == 0 {
            self.zero(7)?;
            return Ok(None);
        }
        Ok(Some(Pvc {
            vn: self.octet()?,
            interface: u16::from_le_bytes(self.take()?),
            label: u32::from_le_bytes(self.take()?),
        }))
    }

    fn address(&mut self) -> Result<Option<Address>, Malformed> {
        let family = self.choice(
            "family of an address",
            &[0, AF_ATMSVC],
            "0 (absent), 20 (AF_ATMSVC)",
        )?;
        let address = if family == 0 {
            self.zero(address::OCTETS)?;
            None
        } else {
            Some(Address(self.take()?))
        };
        self.zero(3)?;
        Ok(address)
    }

    fn qos(&mut self) -> Result<Option<Qos>, Malformed> {
        let present = self.choice("presence of qos", &[0, 1], "0 (absent), 1 (present)")?;
        self.zero(3)?;
        if present == 0 {
            self.zero(48)?;
            return Ok(None);
        }
        Ok(Some(Qos {
            transmit: self.traffic()?,
            receive: self.traffic()?,
        }))
    }

    fn traffic(&mut self) -> Result<Option<Traffic>, Malformed> {
        let class = match self.choice("traffic class", &[0, 1, 2], "0 (none), 1 (UBR), 2 (CBR)")? {
            0 => {
                self.zero(23)?;
                return Ok(None);
            }
            1 => Class::Ubr,
            _ => Class::Cbr,
        };
        let allowed = "0 (no peak rate), 1 (frames a second), 2 (bits a second)";
        let unit = self.choice("unit of the peak rate", &[0, 1, 2], allowed)?;
        let max_sdu = u16::from_le_bytes(self.take()?);
        self.zero(4)?;
        let peak = match unit {
            0 => {
                self.zero(8)?;
                None
            }
            1 => Some(Peak::Frames(u64::from_le_bytes(self.take()?))),
            _ => Some(Peak::Bits(u64::from_le_bytes(self.take()?))),
        };
        Ok(Some(Traffic {
            class,
            peak,
            cdvt_ns: u64::from_le_bytes(self.take()?),
            max_sdu,
        }))
    }

    fn blli(&mut self) -> Result<Blli, Malformed> {
        let at = self.at;
        let l2_proto = self.octet()?;
        let l2 = self.take()?;
        let l3_proto = self.octet()?;
        let l3 = self.take()?;
        self.zero(2)?;
        Blli::new(l2_proto, l2, l3_proto, l3).ok_or(Malformed::Value {
            at,
            what: "layer 2 protocol of a BLLI descriptor without layer 3 protocol",
            found: 0,
            allowed: "1 to 255",
        })
    }
}
