//! Octets of the messages that the router sends by itself: IPv6 packets; Ethernet and PIH are the caller's.
//!
//! ```text
//! mod         IPv6 and ICMPv6 headers, checksum
//! discovery   solicitations, advertisements, redirects and their options (RFC 4861 4)
//! listener    group membership reports (RFC 3810 5.2, RFC 2710 3)
//! ```

pub(super) mod discovery;
pub(super) mod listener;

use super::link::Link;
use super::outbox::{Message, Outgoing};
use crate::control::item::Mac;
use crate::icmp::{HEADER, checksum, write_header};
use crate::packet::fields::protocol;

/// Octets of the longest message: what every link carries.
pub const LONGEST: usize = crate::icmp::MINIMUM_MTU;

/// CS6: what the network itself needs (RFC 4594 3.1), as a traffic class.
const NETWORK_CONTROL: u8 = 48 << 2;

/// A message that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Octets of the packet.
    pub octets: usize,
    /// Where its frame goes.
    pub destination: Mac,
}

/// Octets one behind the other, as long as there is room.
pub(super) struct Writer<'a> {
    octets: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(octets: &'a mut [u8]) -> Self {
        Writer { octets, at: 0 }
    }

    /// None: there is no room.
    pub(super) fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at.checked_add(octets.len())?;
        self.octets.get_mut(self.at..end)?.copy_from_slice(octets);
        self.at = end;
        Some(())
    }

    pub(super) fn len(&self) -> usize {
        self.at
    }
}

/// Writes the IPv6 header in front of `length` octets that are written, and sets the checksum of the ICMPv6 message
/// `message_at` there; `next` is the first of them.
pub(super) fn seal(
    packet: &mut [u8],
    ends: (u128, u128),
    hop_limit: u8,
    (next, message_at): (u8, usize),
    length: usize,
) -> Option<usize> {
    let octets = HEADER + length;
    let (header, payload) = packet.get_mut(..octets)?.split_first_chunk_mut()?;
    let payload_octets = u16::try_from(length).ok()?;
    write_header(
        header,
        NETWORK_CONTROL,
        next,
        hop_limit,
        payload_octets,
        ends,
    );
    checksum::seal(ends.0, ends.1, payload.get_mut(message_at..)?);
    Some(octets)
}

/// The same without extension headers, from a hop away (RFC 4861 4: hop limit 255).
pub(super) fn seal_discovery(
    packet: &mut [u8],
    ends: (u128, u128),
    destination: Mac,
    length: usize,
) -> Option<Written> {
    let whole = (protocol::ICMPV6, 0);
    let octets = seal(
        packet,
        ends,
        crate::icmp::message::UNFORWARDED,
        whole,
        length,
    )?;
    Some(Written {
        octets,
        destination,
    })
}

/// Writes what `link` sends. None: there is no room in `packet`, or no longer anything to say.
pub(super) fn write(link: &Link, outgoing: &Outgoing, packet: &mut [u8]) -> Option<Written> {
    match outgoing.message {
        Message::Solicitation {
            source,
            target,
            to,
            nonce,
        } => discovery::solicitation(link, source, (target, to), nonce, packet),
        Message::Advertisement { target, to } => discovery::advertisement(link, target, to, packet),
        Message::RouterAdvertisement { last } => {
            discovery::router_advertisement(link, last, packet)
        }
        Message::Report(report) => listener::report(link, report, packet),
    }
}
