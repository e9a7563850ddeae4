//! PDUs of the link layer, with the names and numbers of ITU-T Q.2110 7.1 where the meaning is its.
//!
//! | octets | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1 | type: BGN 1, BGAK 2, END 3, SD 8, POLL 10, STAT 11 |
//! | 2..3 | octets of what follows octet 23 (Ethernet pads) |
//! | 4..11 | instance of who sends it, never 0 |
//! | 12..19 | instance of whom it is for; 0 in a BGN: not known yet |
//! | 20..23 | SD: N(S); STAT: N(R), the next SD awaited; else 0 |
//! | 24.. | SD: the message, 0 to 1,400 octets; STAT: 8 octets, bit i (from the least significant) says that SD N(R) + 1 + i has come; else nothing |
//!
//! Numbers are big-endian, and those of SDs wrap at 2^32. Both instances in each PDU make whatever is left over
//! from an earlier life of either side harmless: it is not for, or not from, the ones that talk now.
//!
//! Must not know what was heard before.

use alloc::vec::Vec;

/// Octets before what an SD or a STAT carries.
pub const HEADER_OCTETS: usize = 24;
/// Octets of a message, at most.
pub const MOST_PAYLOAD: usize = 1400;
/// Octets of a PDU, at most.
pub const MOST_OCTETS: usize = HEADER_OCTETS + MOST_PAYLOAD;
/// SDs that may be sent and not acknowledged, and so those behind N(R) that are kept.
pub const WINDOW: usize = 64;

const VERSION: u8 = 1;

/// A PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// Instance of who sends it.
    pub from: u64,
    /// Instance of whom it is for.
    pub to: u64,
    /// What it says.
    pub body: Body<'a>,
}

/// What a PDU says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// BGN: does not hear the other side, and asks for BGAK.
    Begin,
    /// BGAK: answers BGN.
    BeginAck,
    /// END: this instance ends.
    End,
    /// SD: a message.
    Data {
        /// N(S).
        number: u32,
        /// The message.
        payload: &'a [u8],
    },
    /// POLL: asks for STAT.
    Poll,
    /// STAT: what has come.
    Stat {
        /// N(R).
        expected: u32,
        /// Which SDs behind it have come.
        beyond: u64,
    },
}

impl Body<'_> {
    fn number(&self) -> u8 {
        match self {
            Self::Begin => 1,
            Self::BeginAck => 2,
            Self::End => 3,
            Self::Data { .. } => 8,
            Self::Poll => 10,
            Self::Stat { .. } => 11,
        }
    }
}

impl<'a> Pdu<'a> {
    /// Reads a PDU with whatever padding behind it; none if it is none.
    #[must_use]
    pub fn decode(octets: &'a [u8]) -> Option<Self> {
        let (version, octets) = octets.split_first()?;
        let (kind, octets) = octets.split_first()?;
        let (length, octets) = octets.split_first_chunk()?;
        let (from, octets) = octets.split_first_chunk()?;
        let (to, octets) = octets.split_first_chunk()?;
        let (number, octets) = octets.split_first_chunk()?;
        let payload = octets.get(..usize::from(u16::from_be_bytes(*length)))?;
        let from = u64::from_be_bytes(*from);
        let number = u32::from_be_bytes(*number);
        if *version != VERSION || from == 0 || payload.len() > MOST_PAYLOAD {
            return None;
        }
        let body = match (*kind, payload.len(), number) {
            (1, 0, 0) => Body::Begin,
            (2, 0, 0) => Body::BeginAck,
            (3, 0, 0) => Body::End,
            (8, _, _) => Body::Data { number, payload },
            (10, 0, 0) => Body::Poll,
            (11, _, _) => Body::Stat {
                expected: number,
                beyond: u64::from_be_bytes(payload.try_into().ok()?),
            },
            _ => return None,
        };
        Some(Self {
            from,
            to: u64::from_be_bytes(*to),
            body,
        })
    }

    /// Its octets. A message longer than [`MOST_PAYLOAD`] is cut: the link takes none.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let stat;
        let (number, payload) = match self.body {
            Body::Data { number, payload } => {
                (number, payload.get(..MOST_PAYLOAD).unwrap_or(payload))
            }
            Body::Stat { expected, beyond } => {
                stat = beyond.to_be_bytes();
                (expected, &stat[..])
            }
            Body::Begin | Body::BeginAck | Body::End | Body::Poll => (0, &[][..]),
        };
        let mut octets = Vec::with_capacity(HEADER_OCTETS + payload.len());
        octets.extend_from_slice(&[VERSION, self.body.number()]);
        // 1,400 at most.
        octets.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        octets.extend_from_slice(&self.from.to_be_bytes());
        octets.extend_from_slice(&self.to.to_be_bytes());
        octets.extend_from_slice(&number.to_be_bytes());
        octets.extend_from_slice(payload);
        octets
    }
}

#[cfg(test)]
#[path = "pdu_tests.rs"]
mod tests;
