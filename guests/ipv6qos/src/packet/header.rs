//! The IPv6 header (RFC 8200 3): the 40 octets that each packet begins with.
//!
//! Holding one proves that there are 40 octets, and nothing about what they say.

/// Octets of the header.
pub const OCTETS: usize = 40;
/// The largest packet that every link carries, octets (RFC 8200 5).
pub const LEAST_MTU: u16 = 1280;
/// Where the hop limit is.
pub const HOP_LIMIT: usize = 7;

/// An IPv6 header.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a>(pub &'a [u8; OCTETS]);

impl<'a> Header<'a> {
    /// The header that `packet` begins with; none if it is shorter.
    #[inline]
    pub fn of(packet: &'a [u8]) -> Option<Self> {
        packet.first_chunk().map(Header)
    }

    /// Version; 6, if it is one.
    #[inline]
    pub const fn version(self) -> u8 {
        self.0[0] >> 4
    }

    /// Traffic class: DSCP in bits 7..2, ECN in bits 1..0.
    #[inline]
    pub const fn traffic_class(self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    /// Octets behind this header, as it claims.
    #[inline]
    pub const fn payload_octets(self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    /// Kind of the header behind this one.
    #[inline]
    pub const fn next_header(self) -> u8 {
        self.0[6]
    }

    /// Hop limit.
    #[inline]
    pub const fn hop_limit(self) -> u8 {
        self.0[HOP_LIMIT]
    }

    /// Source address.
    #[inline]
    pub fn source(self) -> u128 {
        address(self.0, 8)
    }

    /// Destination address.
    #[inline]
    pub fn destination(self) -> u128 {
        address(self.0, 24)
    }
}

#[inline]
fn address(header: &[u8; OCTETS], at: usize) -> u128 {
    header[at..]
        .first_chunk()
        .map_or(0, |octets| u128::from_be_bytes(*octets))
}

/// Gives the packet that begins with `octets` another traffic class.
#[inline]
pub fn set_traffic_class(octets: &mut [u8; OCTETS], traffic_class: u8) {
    octets[0] = octets[0] & 0xf0 | traffic_class >> 4;
    octets[1] = traffic_class << 4 | octets[1] & 0x0f;
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::Ipv6Header;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_another_writes(class: u8, length: u16, next: u8, hops: u8, source: u128, destination: u128, other: u8) {
            let written = Ipv6Header {
                traffic_class: class,
                flow_label: 0xabcde.try_into().unwrap(),
                payload_length: length,
                next_header: next.into(),
                hop_limit: hops,
                source: source.to_be_bytes(),
                destination: destination.to_be_bytes(),
            };
            let mut octets = written.to_bytes();
            let header = Header::of(&octets).unwrap();
            prop_assert_eq!(header.version(), 6);
            prop_assert_eq!(header.traffic_class(), class);
            prop_assert_eq!(header.payload_octets(), length);
            prop_assert_eq!(header.next_header(), next);
            prop_assert_eq!(header.hop_limit(), hops);
            prop_assert_eq!((header.source(), header.destination()), (source, destination));
            set_traffic_class(&mut octets, other);
            let expected = Ipv6Header { traffic_class: other, ..written };
            prop_assert_eq!(octets, expected.to_bytes());
        }
    }

    #[test]
    fn a_short_packet_has_no_header() {
        assert!(Header::of(&[0x60; 39]).is_none());
    }
}
