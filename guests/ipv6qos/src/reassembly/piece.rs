//! A fragment as it came: its headers and octets, and what is wrong with them by themselves (RFC 8200 4.5, RFC 7112).

use core::ops::Range;

use crate::packet::Chain;
use crate::packet::chain::MOST_HEADERS;
use crate::packet::fields::{Upper, protocol};
use crate::packet::header::{Header, OCTETS};

/// Octets of a fragment header.
pub const FRAGMENT_HEADER: usize = 8;

/// What its sender is told of a fragment that can belong to no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The field at this offset: the payload length, if it is not the last and no multiple of 8 octets long; the fragment
    /// offset, if it ends behind the longest packet there is.
    Field(u32),
    /// It is the first, and has not all headers of the packet up to the upper layer's (RFC 7112 5).
    Incomplete,
}

/// A fragment.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    packet: &'a [u8],
    /// The headers that each fragment has, up to the fragment header.
    pub head: &'a [u8],
    /// Where in them the fragment header is named.
    pub named_at: usize,
    /// The fragment header.
    pub header: &'a [u8; FRAGMENT_HEADER],
    /// The octets of the packet that it brings.
    pub octets: &'a [u8],
}

impl<'a> Piece<'a> {
    /// A packet with a fragment header, and at least an octet behind it.
    pub fn read(packet: &'a [u8]) -> Option<Self> {
        let mut kind = Header::of(packet)?.next_header();
        let (mut at, mut named_at) = (OCTETS, 6);
        for _ in 0..MOST_HEADERS {
            let (head, rest) = packet.split_at_checked(at)?;
            let octets = match (kind, rest) {
                (protocol::FRAGMENT, _) => {
                    let (header, octets) = rest.split_first_chunk()?;
                    return (!octets.is_empty()).then_some(Piece {
                        packet,
                        head,
                        named_at,
                        header,
                        octets,
                    });
                }
                (
                    protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS,
                    [_, units, ..],
                ) => (usize::from(*units) + 1) * 8,
                _ => return None,
            };
            kind = *rest.first()?;
            (at, named_at) = (at + octets, at);
        }
        None
    }

    /// Whether more are behind it.
    pub const fn has_more(&self) -> bool {
        self.header[3] & 1 != 0
    }

    /// Where its octets belong.
    pub fn range(&self) -> Range<usize> {
        let start = usize::from(u16::from_be_bytes([self.header[2], self.header[3]]) & !7);
        start..start + self.octets.len()
    }

    /// What names its packet, together with its addresses.
    pub const fn identification(&self) -> u32 {
        let [_, _, _, _, a, b, c, d] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Source and destination.
    pub fn addresses(&self) -> (u128, u128) {
        Header::of(self.packet).map_or((0, 0), |header| (header.source(), header.destination()))
    }

    /// Looks at it by itself.
    ///
    /// # Errors
    ///
    /// What its sender is told.
    pub fn check(&self) -> Result<(), Wrong> {
        let range = self.range();
        if self.has_more() && !self.octets.len().is_multiple_of(8) {
            return Err(Wrong::Field(4));
        }
        if self.head.len() - OCTETS + range.end > usize::from(u16::MAX) {
            // Fits: a packet has fewer octets.
            return Err(Wrong::Field(self.head.len() as u32 + 2));
        }
        if range.start == 0 && !self.has_upper_header() {
            return Err(Wrong::Incomplete);
        }
        Ok(())
    }

    fn has_upper_header(&self) -> bool {
        let chain = Chain::walk(self.packet);
        let needed = match chain.protocol {
            protocol::TCP => 20,
            protocol::UDP | protocol::UDP_LITE | protocol::ICMPV6 => 8,
            protocol::SCTP => 12,
            _ => 0,
        };
        chain.upper == Upper::Read && self.packet.len() - chain.at >= needed
    }
}
