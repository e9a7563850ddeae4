//! What rules, classes and flows look at in a packet: read once, by the path of the frame.

use crate::vn::InterfaceId;

/// IPv6 next header numbers (IANA protocol numbers) that are named somewhere.
pub mod protocol {
    /// Hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// Routing header.
    pub const ROUTING: u8 = 43;
    /// Fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Encapsulating security payload: nothing behind it can be read.
    pub const ESP: u8 = 50;
    /// Authentication header.
    pub const AUTHENTICATION: u8 = 51;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// No next header.
    pub const NONE: u8 = 59;
    /// Destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// What is behind the extension headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Upper {
    /// An upper-layer header whose ports, or ICMPv6 type and code, were read.
    #[default]
    Read,
    /// A protocol without ports, or one that cannot be looked into.
    Opaque,
    /// A fragment that is not the first: the upper-layer header is in another packet.
    LaterFragment,
    /// The chain of headers is broken, or longer than is looked at: no rule with a protocol or ports matches, and
    /// [`Fields::protocol`] is that of the last header that was read.
    Broken,
}

/// A packet, as rules see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Source address.
    pub source: u128,
    /// Destination address.
    pub destination: u128,
    /// The interface it came in on; its virtual network is the packet's.
    pub interface: InterfaceId,
    /// Source port, or the ICMPv6 type; 0 where there is none.
    pub source_port: u16,
    /// Destination port, or the ICMPv6 code; 0 where there is none.
    pub destination_port: u16,
    /// Identifier of an ICMPv6 echo request or reply (RFC 4443 4.1); 0 for all else.
    pub identifier: u16,
    /// Upper-layer protocol: the next header behind all extension headers.
    pub protocol: u8,
    /// Traffic class: DSCP in bits 7..2, ECN in bits 1..0 (RFC 2474, 3168).
    pub traffic_class: u8,
    /// Flags of TCP (RFC 9293 3.1: CWR ECE URG ACK PSH RST SYN FIN); 0 for other protocols.
    pub tcp_flags: u8,
    /// What could be read of the upper layer.
    pub upper: Upper,
    /// Whether it is a fragment that is not the whole packet, first or later (RFC 8200 4.5).
    pub fragment: bool,
    /// Identification of the fragment's packet; 0 if it is none.
    pub fragment_id: u32,
    /// Whether it is for the router itself.
    pub local: bool,
    /// Octets of the IPv6 packet: 40 and the payload length.
    pub octets: u16,
}

impl Fields {
    /// Differentiated services code point, 0 to 63.
    #[inline]
    pub const fn dscp(&self) -> u8 {
        self.traffic_class >> 2
    }
}
