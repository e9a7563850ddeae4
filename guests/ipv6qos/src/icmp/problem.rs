//! ICMPv6 errors (RFC 4443 3): built in the buffer of the packet they are about.

use super::{
    HEADER, HOP_LIMIT, MINIMUM_MTU, addresses, checksum, is_multicast, kind, write_header,
};
use crate::packet::fields::protocol;

/// Octets in front of the packet that an error is about: IPv6 and ICMPv6 headers.
pub const OVERHEAD: usize = HEADER + 8;
/// Octets of the longest error; a buffer for errors about any packet has as many.
pub const LONGEST: usize = MINIMUM_MTU;

/// Why a packet is not delivered, as its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No route to destination: destination unreachable, code 0.
    NoRoute,
    /// Communication administratively prohibited: code 1.
    Prohibited,
    /// Beyond scope of source address: code 2.
    BeyondScope,
    /// Address unreachable: code 3.
    AddressUnreachable,
    /// Port unreachable: code 4.
    PortUnreachable,
    /// Packet too big for a link of this MTU.
    TooBig(u32),
    /// Hop limit exceeded in transit: time exceeded, code 0.
    HopLimit,
    /// Fragment reassembly time exceeded: time exceeded, code 1.
    Reassembly,
    /// Erroneous header field at this offset in the packet: parameter problem, code 0.
    ErroneousHeader(u32),
    /// Unrecognised next header type at this offset: code 1.
    UnknownNextHeader(u32),
    /// Unrecognised option, whose type is at this offset: code 2. Says whether it asks for an answer even where
    /// the packet went to a group (RFC 8200 4.2: its highest bits are 10, not 11).
    UnknownOption {
        /// Octets in front of the option type.
        at: u32,
        /// Its highest two bits are 10.
        even_multicast: bool,
    },
    /// The first fragment has not all headers (RFC 7112 5): code 3.
    IncompleteHeaders,
}

impl Problem {
    /// Type, code and the four octets behind the checksum.
    const fn words(self) -> (u8, u8, u32) {
        use kind::{DESTINATION_UNREACHABLE, PACKET_TOO_BIG, PARAMETER_PROBLEM, TIME_EXCEEDED};
        match self {
            Problem::NoRoute => (DESTINATION_UNREACHABLE, 0, 0),
            Problem::Prohibited => (DESTINATION_UNREACHABLE, 1, 0),
            Problem::BeyondScope => (DESTINATION_UNREACHABLE, 2, 0),
            Problem::AddressUnreachable => (DESTINATION_UNREACHABLE, 3, 0),
            Problem::PortUnreachable => (DESTINATION_UNREACHABLE, 4, 0),
            Problem::TooBig(mtu) => (PACKET_TOO_BIG, 0, mtu),
            Problem::HopLimit => (TIME_EXCEEDED, 0, 0),
            Problem::Reassembly => (TIME_EXCEEDED, 1, 0),
            Problem::ErroneousHeader(at) => (PARAMETER_PROBLEM, 0, at),
            Problem::UnknownNextHeader(at) => (PARAMETER_PROBLEM, 1, at),
            Problem::UnknownOption { at, .. } => (PARAMETER_PROBLEM, 2, at),
            Problem::IncompleteHeaders => (PARAMETER_PROBLEM, 3, 0),
        }
    }

    /// Whether it is told even of packets to a group (RFC 4443 2.4 e 3).
    const fn even_multicast(self) -> bool {
        match self {
            Problem::TooBig(_) => true,
            Problem::UnknownOption { even_multicast, .. } => even_multicast,
            _ => false,
        }
    }
}

/// Whether the sender of `packet` may be told of `problem` (RFC 4443 2.4 e): the packet is no ICMPv6 error or
/// redirect, and no later fragment, of which that cannot be said; it goes to no group, and neither came to a link-layer group
/// (`link_group`), but for what the problem allows; its source is one node. Looks at the extension headers: for what
/// goes wrong, not for each packet.
pub fn may_tell(packet: &[u8], link_group: bool, problem: Problem) -> bool {
    let Some((source, destination)) = addresses(packet) else {
        return false;
    };
    // The loopback address never comes from a link.
    if source <= 1 || is_multicast(source) {
        return false;
    }
    if (link_group || is_multicast(destination)) && !problem.even_multicast() {
        return false;
    }
    !is_or_may_be_error(packet)
}

/// Whether the packet is an ICMPv6 error or redirect, or ICMPv6 of which too little is there to be seen.
fn is_or_may_be_error(packet: &[u8]) -> bool {
    let Some(&first) = packet.get(6) else {
        return true;
    };
    let (mut next, mut at) = (first, HEADER);
    // Each header has 8 octets or more: this ends.
    loop {
        let header = packet.get(at..).unwrap_or_default();
        let (behind, octets) = match (next, header) {
            (protocol::ICMPV6, [kind, ..]) => {
                return *kind < kind::ECHO_REQUEST || *kind == kind::REDIRECT;
            }
            (protocol::ICMPV6, []) => return true,
            (
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS,
                [behind, length, ..],
            ) => (*behind, 8 + usize::from(*length) * 8),
            (protocol::AUTHENTICATION, [behind, length, ..]) => {
                (*behind, 8 + usize::from(*length) * 4)
            }
            (protocol::FRAGMENT, [behind, _, high, low, ..]) => {
                let is_later = u16::from_be_bytes([*high, *low]) & !7 != 0;
                if is_later {
                    return *behind == protocol::ICMPV6;
                }
                (*behind, 8)
            }
            _ => return false,
        };
        (next, at) = (behind, at + octets);
    }
}

/// Makes `buffer`, whose first `octets` are the packet that `problem` is about, the error about it from `source`
/// (RFC 4443 2.2: an address of the router) to the packet's source. As much of the packet is kept as fits
/// [`LONGEST`] and the buffer.
///
/// Gives the octets of the error; none, and nothing done, if there is no packet or no room.
/// Whether the error may be sent at all, say [`may_tell`] and [`Limit`](super::Limit).
pub fn tell(buffer: &mut [u8], octets: usize, source: u128, problem: Problem) -> Option<usize> {
    let (destination, _) = addresses(buffer.get(..octets)?)?;
    let room = buffer.len().min(LONGEST).checked_sub(OVERHEAD)?;
    let kept = octets.min(room);
    buffer.copy_within(..kept, OVERHEAD);
    let (header, message) = buffer.get_mut(..OVERHEAD + kept)?.split_first_chunk_mut()?;
    let (kind, code, word) = problem.words();
    let start = [kind, code, 0, 0];
    message.get_mut(..4)?.copy_from_slice(&start);
    message.get_mut(4..8)?.copy_from_slice(&word.to_be_bytes());
    let ends = (source, destination);
    // At most LONGEST.
    let length = (8 + kept) as u16;
    write_header(header, 0, protocol::ICMPV6, HOP_LIMIT, length, ends);
    checksum::seal(source, destination, message);
    Some(OVERHEAD + kept)
}
