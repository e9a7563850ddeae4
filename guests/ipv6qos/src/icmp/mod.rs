//! ICMPv6 (RFC 4443) of the router itself.
//!
//! ```text
//! message    what was received: bounds, checksum and the checks of each protocol, into an enum
//! problem    errors about packets that cannot be delivered, built in the buffer they came in
//! echo       answers to echo requests, in the buffer they came in
//! limit      how many errors may be sent
//! checksum   RFC 1071
//! ```
//!
//! Buffers begin with the IPv6 header; Ethernet and PIH are the caller's. Must never answer what could make two
//! routers answer each other for ever (RFC 4443 2.4 e).

pub mod checksum;
pub mod echo;
pub mod limit;
pub mod message;
pub mod problem;

use crate::control::item::Mac;

pub use limit::{Limit, LimitConfig};
pub use message::{Message, Nonce, Received, Refused, parse};
pub use problem::Problem;

/// Octets of the IPv6 header.
pub const HEADER: usize = 40;
/// Octets that every link carries (RFC 8200 5); errors are no longer.
pub const MINIMUM_MTU: usize = 1280;
/// Hop limit of what the router sends to addresses farther away.
pub const HOP_LIMIT: u8 = 64;

/// ICMPv6 types (IANA).
pub mod kind {
    /// Destination unreachable.
    pub const DESTINATION_UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request; types from 128 on are informational.
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Multicast Listener Query.
    pub const LISTENER_QUERY: u8 = 130;
    /// Multicast Listener Report, version 1.
    pub const LISTENER_REPORT: u8 = 131;
    /// Multicast Listener Done, version 1.
    pub const LISTENER_DONE: u8 = 132;
    /// Router Solicitation.
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// Router Advertisement.
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Neighbour Solicitation.
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// Neighbour Advertisement.
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// Redirect.
    pub const REDIRECT: u8 = 137;
    /// Multicast Listener Report, version 2.
    pub const LISTENER_REPORT_2: u8 = 143;
}

/// Whether `address` is a group's.
#[inline]
pub const fn is_multicast(address: u128) -> bool {
    address >> 120 == 0xff
}

/// Whether `address` is link-local (RFC 4291 2.5.6).
#[inline]
pub const fn is_link_local(address: u128) -> bool {
    address >> 118 == 0xfe80 >> 6
}

/// The group that listens for solicitations of `address` (RFC 4291 2.7.1).
#[inline]
pub const fn solicited_node(address: u128) -> u128 {
    0xff02_0000_0000_0000_0000_0001_ff00_0000 | address & 0xff_ffff
}

/// The MAC address that packets to `group` go to (RFC 2464 7).
#[inline]
pub const fn group_mac(group: u128) -> Mac {
    let [.., a, b, c, d] = group.to_be_bytes();
    Mac([0x33, 0x33, a, b, c, d])
}

/// Source and destination of the packet; none if it has no whole header.
#[inline]
pub(crate) fn addresses(packet: &[u8]) -> Option<(u128, u128)> {
    let source = packet.get(8..24)?.try_into().ok()?;
    let destination = packet.get(24..40)?.try_into().ok()?;
    Some((
        u128::from_be_bytes(source),
        u128::from_be_bytes(destination),
    ))
}

/// Writes an IPv6 header in front of `payload` octets of `next`.
pub(crate) fn write_header(
    packet: &mut [u8; HEADER],
    traffic_class: u8,
    next: u8,
    hop_limit: u8,
    payload: u16,
    (source, destination): (u128, u128),
) {
    packet[..4].copy_from_slice(&(6u32 << 28 | u32::from(traffic_class) << 20).to_be_bytes());
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    packet[6] = next;
    packet[7] = hop_limit;
    packet[8..24].copy_from_slice(&source.to_be_bytes());
    packet[24..40].copy_from_slice(&destination.to_be_bytes());
}
