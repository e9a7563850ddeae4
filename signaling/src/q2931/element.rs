//! Information elements, ITU-T Q.2931 4.5.1: identifier, coding and instruction, length, contents.
//!
//! | octets | field |
//! |---|---|
//! | 0 | identifier |
//! | 1 | bit 8: 1; bits 7, 6: coding standard, 00 ITU-T, 11 of this network; bit 5: whether bits 3 to 1 say what is to be done by who does not understand the element; bit 4: 0; bits 3 to 1: 000 clear the call, 001 discard the element, 010 discard the element and report, 101 discard the message, 110 discard the message and report |
//! | 2..3 | octets of the contents, big-endian |
//! | 4.. | contents |
//!
//! Must not know what contents mean.

use alloc::vec::Vec;

/// Elements of a message, at most.
pub const MOST_ELEMENTS: usize = 32;

/// Identifiers of elements, Q.2931 table 4-4.
pub mod identifier {
    /// Cause.
    pub const CAUSE: u8 = 0x08;
    /// Call state.
    pub const CALL_STATE: u8 = 0x14;
    /// ATM traffic descriptor.
    pub const TRAFFIC_DESCRIPTOR: u8 = 0x59;
    /// Connection identifier.
    pub const CONNECTION_IDENTIFIER: u8 = 0x5a;
    /// Quality of service parameter.
    pub const QOS_PARAMETER: u8 = 0x5c;
    /// Broadband bearer capability.
    pub const BEARER_CAPABILITY: u8 = 0x5e;
    /// Broadband low layer information.
    pub const BLLI: u8 = 0x5f;
    /// Calling party number.
    pub const CALLING_PARTY_NUMBER: u8 = 0x6c;
    /// Called party number.
    pub const CALLED_PARTY_NUMBER: u8 = 0x70;
    /// Nodes crossed: this project's, from a range that Q.2931 leaves free.
    pub const HOPS: u8 = 0xf0;
    /// Words for a person that stand beside a cause, UTF-8: this project's, from the same range.
    pub const WORDS: u8 = 0xf1;
}

/// Whose coding the contents have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Coding {
    /// As Q.2931 has it.
    ItuT = 0b1000_0000,
    /// As this project has it.
    Network = 0b1110_0000,
}

/// What is to be done by who does not understand an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    ClearCall,
    DiscardElement,
    DiscardElementAndReport,
    DiscardMessage,
    DiscardMessageAndReport,
}

/// An element of a message that was heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) identifier: u8,
    flags: u8,
    /// None: its length goes beyond the message.
    contents: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    /// Its contents, if they are coded so.
    pub(super) fn contents(&self, coding: Coding) -> Option<&'a [u8]> {
        (self.flags & 0b1110_0000 == coding as u8)
            .then_some(self.contents)
            .flatten()
    }

    /// Q.2931 5.6.8.1 and 5.7.2: without an instruction the element is discarded and reported, and so it is with
    /// one that is reserved.
    pub(super) fn action(&self) -> Action {
        match (self.flags & 0b0001_0000 != 0, self.flags & 0b111) {
            (true, 0b000) => Action::ClearCall,
            (true, 0b001) => Action::DiscardElement,
            (true, 0b101) => Action::DiscardMessage,
            (true, 0b110) => Action::DiscardMessageAndReport,
            _ => Action::DiscardElementAndReport,
        }
    }
}

/// The elements of a message; none if there are too many. What is too short for the head of an element is one
/// without contents.
pub(super) fn read(mut octets: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while let Some((&identifier, rest)) = octets.split_first() {
        if elements.len() == MOST_ELEMENTS {
            return None;
        }
        let (&flags, rest) = rest.split_first().unwrap_or((&0, rest));
        let contents = rest.split_first_chunk().and_then(|(length, rest)| {
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        });
        elements.push(Element {
            identifier,
            flags,
            contents: contents.map(|(contents, _)| contents),
        });
        octets = contents.map_or(&[], |(_, rest)| rest);
    }
    Some(elements)
}

/// Appends an element.
pub(super) fn write(to: &mut Vec<u8>, identifier: u8, coding: Coding, contents: &[u8]) {
    to.extend_from_slice(&[identifier, coding as u8]);
    // Contents are some hundred octets at most.
    to.extend_from_slice(&(contents.len() as u16).to_be_bytes());
    to.extend_from_slice(contents);
}
