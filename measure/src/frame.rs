//! Octets of a test frame: where its fields are in each layout, how it is built, and its UDP checksum.
//!
//! Must never know a rate or a clock: a frame is a function of its stream, its length and its signature.

use serde::{Deserialize, Serialize};

use crate::stream::{StreamSpec, mix};

pub use crate::signature::SIGNATURE_OCTETS;

/// Octets of the Ethernet header.
pub const ETHERNET_OCTETS: usize = 14;
/// Octets of the IPv6 header (RFC 8200 3).
pub const IPV6_OCTETS: usize = 40;
/// Octets of an IPv6 address.
pub(crate) const ADDRESS_OCTETS: usize = 16;
/// Octets of the UDP header (RFC 768).
pub const UDP_OCTETS: usize = 8;
/// Octets of the frame check sequence, which is counted in sizes but not held in memory.
pub const FCS: usize = 4;
/// Where test frames go by UDP, the echo service (RFC 2544 C.2.6.4.2).
pub const TEST_PORT: u16 = 7;

const ETHERTYPE_IPV6: u16 = 0x86dd;
/// RFC 3692: experiments.
const NEXT_HEADER_EXPERIMENT: u8 = 253;
const NEXT_HEADER_UDP: u8 = 17;
const HOP_LIMIT: u8 = 64;
/// Offsets in the UDP header.
const UDP_LENGTH_AT: usize = 4;
const UDP_CHECKSUM_AT: usize = 6;

/// What is between Ethernet and IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encapsulation {
    /// A Parallel Internet Header, one octet, behind the stream's EtherType.
    #[default]
    Pih,
    /// Nothing: an ordinary IPv6 frame, for routers and switches that know no PIH.
    Plain,
}

/// What is between IPv6 and the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Nothing: next header 253 (RFC 3692).
    #[default]
    None,
    /// A UDP header with a checksum that is right (RFC 8200 8.1), for devices that filter.
    Udp {
        /// Source port.
        from: u16,
        /// Destination port: [`TEST_PORT`] where nothing else is asked for.
        to: u16,
    },
}

/// Where things are in a frame, octets from its beginning in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The IPv6 header.
    pub ipv6_at: usize,
    /// The signature, behind the IPv6 header or the UDP header.
    pub signature_at: usize,
}

impl Layout {
    /// With PIH, without UDP.
    pub const PIH: Self = Self {
        ipv6_at: ETHERNET_OCTETS + 1,
        signature_at: ETHERNET_OCTETS + 1 + IPV6_OCTETS,
    };

    /// Of a frame so encapsulated.
    #[must_use]
    pub const fn of(encapsulation: Encapsulation, transport: Transport) -> Self {
        let ipv6_at = match encapsulation {
            Encapsulation::Pih => ETHERNET_OCTETS + 1,
            Encapsulation::Plain => ETHERNET_OCTETS,
        };
        let signature_at = match transport {
            Transport::None => ipv6_at + IPV6_OCTETS,
            Transport::Udp { .. } => ipv6_at + IPV6_OCTETS + UDP_OCTETS,
        };
        Self {
            ipv6_at,
            signature_at,
        }
    }

    /// The IPv6 payload length, two octets.
    #[inline]
    #[must_use]
    pub const fn length_at(&self) -> usize {
        self.ipv6_at + 4
    }

    /// The octet behind the IPv6 header.
    #[inline]
    #[must_use]
    pub const fn ipv6_end(&self) -> usize {
        self.ipv6_at + IPV6_OCTETS
    }

    /// The destination address, which ends the IPv6 header.
    #[inline]
    #[must_use]
    pub(crate) const fn destination_at(&self) -> usize {
        self.ipv6_end() - ADDRESS_OCTETS
    }

    /// The padding.
    #[inline]
    #[must_use]
    pub const fn padding_at(&self) -> usize {
        self.signature_at + SIGNATURE_OCTETS
    }

    /// The smallest frame, octets with FCS: 79 with PIH, 78 plain, 8 more with UDP.
    #[must_use]
    pub const fn smallest(&self) -> u16 {
        // 55 at most, and 24.
        (self.padding_at() + FCS) as u16
    }

    /// The IPv6 payload length field of a frame of `len` octets in memory.
    #[inline]
    pub(crate) fn payload_length(&self, len: usize) -> [u8; 2] {
        // Sizes are checked to be at most LARGEST: fits 16 bits.
        ((len - self.ipv6_end()) as u16).to_be_bytes()
    }
}

/// The PIH octet of a stream.
pub(crate) fn pih(spec: &StreamSpec) -> u8 {
    spec.pi_code << 5 | spec.vn
}

/// The frame of a checked stream, `len` octets, with a signature of zeros and without a UDP checksum.
pub(crate) fn build(spec: &StreamSpec, len: usize) -> Box<[u8]> {
    let layout = spec.layout();
    let mut frame = Vec::with_capacity(len);
    frame.extend(spec.mac.0);
    frame.extend(spec.mac.1);
    match spec.encapsulation {
        Encapsulation::Pih => {
            frame.extend(spec.ethertype.to_be_bytes());
            frame.push(pih(spec));
        }
        Encapsulation::Plain => frame.extend(ETHERTYPE_IPV6.to_be_bytes()),
    }
    let class = u32::from(spec.traffic_class);
    frame.extend((6u32 << 28 | class << 20 | u32::from(spec.id)).to_be_bytes());
    frame.extend(layout.payload_length(len));
    let next_header = match spec.transport {
        Transport::None => NEXT_HEADER_EXPERIMENT,
        Transport::Udp { .. } => NEXT_HEADER_UDP,
    };
    frame.extend([next_header, HOP_LIMIT]);
    frame.extend(spec.address.1.octets());
    frame.extend(spec.address.0.octets());
    if let Transport::Udp { from, to } = spec.transport {
        frame.extend(from.to_be_bytes());
        frame.extend(to.to_be_bytes());
        frame.extend(layout.payload_length(len));
        frame.extend([0, 0]);
    }
    frame.extend([0; SIGNATURE_OCTETS]);
    let padding = len - frame.len();
    frame.extend((0..padding as u64).map(|i| (mix(i) >> 56) as u8));
    frame.into_boxed_slice()
}

/// What of a stream's UDP checksum is the same in all its frames: the destination, the signature and the length are
/// not.
#[derive(Debug, Clone)]
pub(crate) struct UdpSums {
    /// Of source address, next header and ports.
    fixed: u32,
    /// Of the first so many octets of the padding: at most 4500 words of 16 bits, so it fits.
    padding: Box<[u32]>,
}

impl UdpSums {
    pub(crate) fn new(layout: &Layout, template: &[u8]) -> Self {
        let source = &template[layout.ipv6_at + 8..layout.destination_at()];
        let ports = &template[layout.ipv6_end()..layout.ipv6_end() + UDP_LENGTH_AT];
        let mut sum = 0;
        let mut padding = vec![0];
        // The padding begins at an even octet of the datagram: 8 of header, 20 of signature.
        for (at, octet) in template[layout.padding_at()..].iter().enumerate() {
            sum += u32::from(*octet) << if at.is_multiple_of(2) { 8 } else { 0 };
            padding.push(sum);
        }
        Self {
            fixed: words(source) + words(ports) + u32::from(NEXT_HEADER_UDP),
            padding: padding.into_boxed_slice(),
        }
    }

    /// The checksum of `frame`, whose length and signature are in place (RFC 8200 8.1, RFC 1071).
    #[inline]
    fn of(&self, layout: &Layout, frame: &[u8]) -> [u8; 2] {
        let length = (frame.len() - layout.ipv6_end()) as u32;
        let padding = self.padding.get(frame.len() - layout.padding_at());
        let signature = words(&frame[layout.signature_at..layout.padding_at()]);
        let destination = words(&frame[layout.destination_at()..layout.ipv6_end()]);
        // The length is in the pseudo-header and in the UDP header. Twenty and some words, and the padding's: no
        // overflow of 32 bits.
        let varying = 2 * length + destination + signature;
        let sum = self.fixed + varying + padding.copied().unwrap_or(0);
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        // Of two ways to write zero, 0 means that there is no checksum.
        match !(folded as u16) {
            0 => [0xff, 0xff],
            checksum => checksum.to_be_bytes(),
        }
    }

    /// Writes UDP length and checksum.
    #[inline]
    pub(crate) fn finish(&self, layout: &Layout, frame: &mut [u8]) {
        let udp = layout.ipv6_end();
        let (length, checksum) = (layout.payload_length(frame.len()), self.of(layout, frame));
        frame[udp + UDP_LENGTH_AT..udp + UDP_CHECKSUM_AT].copy_from_slice(&length);
        frame[udp + UDP_CHECKSUM_AT..udp + UDP_OCTETS].copy_from_slice(&checksum);
    }

    /// Whether ports, UDP length and checksum are those that the frame was sent with.
    #[inline]
    pub(crate) fn holds(&self, layout: &Layout, frame: &[u8], template: &[u8]) -> bool {
        let udp = layout.ipv6_end();
        frame[udp..udp + UDP_LENGTH_AT] == template[udp..udp + UDP_LENGTH_AT]
            && frame[udp + UDP_LENGTH_AT..udp + UDP_CHECKSUM_AT]
                == layout.payload_length(frame.len())
            && frame[udp + UDP_CHECKSUM_AT..udp + UDP_OCTETS] == self.of(layout, frame)
    }
}

/// Sum of the octets as words of 16 bits; their number is even.
#[inline]
fn words(octets: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    octets.chunks_exact(2).map(word).sum()
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
