//! Layout of a frame of PI DSS on an access port.
//!
//! | octets | field |
//! |---|---|
//! | 0..=5 | destination MAC: broadcast, for the label alone says whose it is |
//! | 6..=11 | source MAC |
//! | 12..=13 | EtherType, 0x8847 |
//! | 14..=17 | label stack entry (RFC 3032 2.1): label 20 bits, TC 3, S 1 (always 1), TTL 8 |
//! | 18..=21 | control word (RFC 4385 3): 0000, flags 4, FRG 2 (00), length 6, sequence 16 |
//! | 22.. | payload, and what Ethernet pads behind it |
//!
//! The length is that of control word and payload if it is below 64, else 0. Sequence 0: not used.
//!
//! Must never read beyond the octets it is given.

use alloc::vec::Vec;

use thiserror::Error;

/// EtherType of frames with a label (RFC 3032 5).
pub const ETHERTYPE: u16 = 0x8847;
/// Octets before the payload.
pub const HEADER_OCTETS: usize = 22;
/// The label of what each daemon on the way reads (RFC 3032 2.1).
pub const ROUTER_ALERT: u32 = 1;
/// Largest payload of a frame of 1518 octets on a trunk: 1518 less Ethernet header (14), PIH (1), label stack entry
/// and control word (8), FCS (4).
pub const MAX_SDU: u16 = 1491;

const BROADCAST: [u8; 6] = [0xff; 6];
const ENTRY_AT: usize = 14;
const WORD_AT: usize = 18;
const WORD_OCTETS: usize = 4;
/// From here on the length of control word and payload is not said (RFC 4385 3).
const UNSAID: usize = 64;
/// Switches that data may pass.
const DATA_TTL: u8 = 64;
/// Traffic class of signalling: network control (RFC 5462, as CS6).
const SIGNALLING_CLASS: u8 = 6;

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Label, 20 bits.
    pub label: u32,
    /// Traffic class (RFC 5462), 3 bits.
    pub class: u8,
    /// Switches it may still pass, itself included.
    pub ttl: u8,
    /// Number of the frame on its connection; 0: not used.
    pub sequence: u16,
}

impl Header {
    /// That of a frame of a connection.
    #[must_use]
    pub const fn data(label: u32, sequence: u16) -> Self {
        Self {
            label,
            class: 0,
            ttl: DATA_TTL,
            sequence,
        }
    }

    /// That of a frame from daemon to daemon, which goes no further than the other end of the link.
    #[must_use]
    pub const fn signalling() -> Self {
        Self {
            label: ROUTER_ALERT,
            class: SIGNALLING_CLASS,
            ttl: 1,
            sequence: 0,
        }
    }
}

/// A frame, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// MAC address of its sender.
    pub source: [u8; 6],
    /// What it says of itself.
    pub header: Header,
    /// What it carries, without what Ethernet padded.
    pub payload: &'a [u8],
}

/// Octets that are no frame of PI DSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// It ends within the header.
    #[error("a frame of {octets} octets; needed: {HEADER_OCTETS}")]
    Short {
        /// How many there are.
        octets: usize,
    },
    /// Something else.
    #[error("EtherType {found:#06x}; allowed: {ETHERTYPE:#06x}")]
    EtherType {
        /// Which.
        found: u16,
    },
    /// There are more labels behind the first.
    #[error("several label stack entries; allowed: one, the bottom of the stack")]
    Stacked,
    /// What follows the label is no control word of data (RFC 4385 3).
    #[error("the control word begins with {found}; allowed: 0")]
    ControlWord {
        /// Its first four bits.
        found: u8,
    },
    /// A part of a frame (RFC 4623).
    #[error("a fragment; allowed: whole frames")]
    Fragment,
    /// It says another length than it can have.
    #[error(
        "length {said} of control word and payload; allowed: 4 to {there}, or 0 from {UNSAID} on"
    )]
    Length {
        /// What it says.
        said: usize,
        /// What there is.
        there: usize,
    },
}

/// Writes a frame in place of what `frame` holds. Of the label 20 bits count, of the class 3.
pub fn write(source: [u8; 6], header: Header, payload: &[u8], frame: &mut Vec<u8>) {
    let entry =
        header.label << 12 | u32::from(header.class & 7) << 9 | 1 << 8 | u32::from(header.ttl);
    let length = WORD_OCTETS.saturating_add(payload.len());
    let length = if length < UNSAID { length as u8 } else { 0 };
    frame.clear();
    frame.extend(BROADCAST);
    frame.extend(source);
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.extend(entry.to_be_bytes());
    frame.extend([0, length]);
    frame.extend(header.sequence.to_be_bytes());
    frame.extend(payload);
}

/// Reads a frame, without its FCS.
///
/// # Errors
/// It is none of PI DSS.
pub fn read(frame: &[u8]) -> Result<Frame<'_>, FrameError> {
    let short = FrameError::Short {
        octets: frame.len(),
    };
    let source = *at::<6>(frame, 6).ok_or(short)?;
    let ethertype = u16::from_be_bytes(*at(frame, 12).ok_or(short)?);
    let entry = u32::from_be_bytes(*at(frame, ENTRY_AT).ok_or(short)?);
    let [first, length, high, low] = *at::<4>(frame, WORD_AT).ok_or(short)?;
    let behind = frame.get(HEADER_OCTETS..).ok_or(short)?;
    if ethertype != ETHERTYPE {
        return Err(FrameError::EtherType { found: ethertype });
    }
    if entry & 1 << 8 == 0 {
        return Err(FrameError::Stacked);
    }
    if first >> 4 != 0 {
        return Err(FrameError::ControlWord { found: first >> 4 });
    }
    if length >> 6 != 0 {
        return Err(FrameError::Fragment);
    }
    let payload = match usize::from(length) {
        0 => Some(behind),
        said => said
            .checked_sub(WORD_OCTETS)
            .and_then(|said| behind.get(..said)),
    };
    Ok(Frame {
        source,
        header: Header {
            label: entry >> 12,
            class: (entry >> 9 & 7) as u8,
            ttl: entry as u8,
            sequence: u16::from_be_bytes([high, low]),
        },
        payload: payload.ok_or(FrameError::Length {
            said: length.into(),
            there: WORD_OCTETS.saturating_add(behind.len()),
        })?,
    })
}

fn at<const N: usize>(frame: &[u8], offset: usize) -> Option<&[u8; N]> {
    frame.get(offset..)?.first_chunk()
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
