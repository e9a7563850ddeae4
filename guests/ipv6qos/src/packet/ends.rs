//! What names the flow of a plain packet, as it stands there: words of the frame, which nobody turned round.
//!
//! Only for packets with UDP or TCP right behind the IPv6 header, nearly all there are; all others are read as
//! [`Fields`](super::Fields).

use super::chain::{TCP_OCTETS, UDP_OCTETS, tcp_flags};
use super::fields::{Fields, Upper, protocol};
use super::header::OCTETS;
use crate::vn::Vn;

/// Octets that are looked at of UDP, and more than are of TCP but for its flags.
pub(super) const LEAST: usize = OCTETS + UDP_OCTETS;
/// Where next header, addresses and ports are.
const NEXT: usize = 6;
pub(super) const SOURCE: usize = 8;
pub(super) const DESTINATION: usize = 24;

/// Both ends of a packet, and what else tells flows and their packets apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Source address, 64 bits each, the first octet lowest.
    pub source: [u64; 2],
    /// Destination address, likewise.
    pub destination: [u64; 2],
    /// Source port in the lower half and destination port in the upper, their first octets lowest.
    pub ports: u32,
    /// TCP flags, protocol, virtual network, 8 bits each, from bit 23 on.
    kind: u32,
}

impl Ends {
    /// Of no packet.
    pub const NONE: Self = Ends {
        source: [0; 2],
        destination: [0; 2],
        ports: 0,
        kind: u32::MAX,
    };

    /// Those of `packet`, if it is a plain one, of this virtual network.
    #[inline(always)]
    pub fn plain(packet: &[u8], vn: Vn) -> Option<Self> {
        let octets: &[u8; LEAST] = packet.first_chunk()?;
        let protocol = octets[NEXT];
        let is_tcp = protocol == protocol::TCP;
        if !is_tcp & (protocol != protocol::UDP) {
            return None;
        }
        let flags = if is_tcp {
            if packet.len() < OCTETS + TCP_OCTETS {
                return None;
            }
            tcp_flags(packet)
        } else {
            0
        };
        Some(Ends {
            source: [word(octets, SOURCE), word(octets, SOURCE + 8)],
            destination: [word(octets, DESTINATION), word(octets, DESTINATION + 8)],
            ports: word(octets, OCTETS) as u32,
            kind: u32::from(flags) << 16 | u32::from(protocol) << 8 | u32::from(vn.get()),
        })
    }

    /// The same of a packet that was read.
    #[inline(always)]
    pub fn of(packet: &Fields) -> Option<Self> {
        let is_plain = matches!(packet.protocol, protocol::UDP | protocol::TCP)
            & (packet.upper == Upper::Read)
            & !packet.fragment;
        is_plain.then(|| Ends {
            source: words(packet.source),
            destination: words(packet.destination),
            ports: ports(packet.source_port, packet.destination_port),
            kind: u32::from(packet.tcp_flags) << 16
                | u32::from(packet.protocol) << 8
                | u32::from(packet.interface.vn().get()),
        })
    }

    /// Whether all is the same as of `other`.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        let differing = (self.source[0] ^ other.source[0])
            | (self.source[1] ^ other.source[1])
            | (self.destination[0] ^ other.destination[0])
            | (self.destination[1] ^ other.destination[1])
            | u64::from((self.ports ^ other.ports) | (self.kind ^ other.kind));
        differing == 0
    }

    /// A word that is the same of the same ends, and mostly another of others.
    #[inline(always)]
    pub fn digest(&self) -> u64 {
        let rest = u64::from(self.ports) << 32 | u64::from(self.kind);
        rest ^ self.source[1] ^ self.destination[1].rotate_left(7)
    }

    /// Protocol in bits 15 to 8, virtual network in bits 7 to 0.
    #[inline(always)]
    pub fn protocol_and_vn(&self) -> u16 {
        self.kind as u16
    }

    /// Flags of TCP; 0 of UDP.
    #[inline(always)]
    pub fn tcp_flags(&self) -> u8 {
        (self.kind >> 16) as u8
    }
}

/// The words of an address, as [`Ends`] have them.
#[inline]
pub fn words(address: u128) -> [u64; 2] {
    let [high, low] = [(address >> 64) as u64, address as u64];
    [high.swap_bytes(), low.swap_bytes()]
}

/// The address of these words.
#[inline]
pub fn address([first, second]: [u64; 2]) -> u128 {
    u128::from(first.swap_bytes()) << 64 | u128::from(second.swap_bytes())
}

/// Two ports, as [`Ends`] have them.
#[inline]
pub fn ports(source: u16, destination: u16) -> u32 {
    u32::from(destination.swap_bytes()) << 16 | u32::from(source.swap_bytes())
}

/// Eight octets, of which there are enough.
#[inline(always)]
pub(super) fn word(octets: &[u8; LEAST], at: usize) -> u64 {
    let word = octets.get(at..).and_then(<[u8]>::first_chunk);
    word.map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vn::InterfaceId;
    use pinode_guest_runtime::VifIndex;
    use proptest::prelude::*;

    fn next() -> impl Strategy<Value = u8> {
        prop_oneof![Just(protocol::TCP), Just(protocol::UDP), any::<u8>()]
    }

    proptest! {
        /// Ends are those of the packet's fields, of the packets that fields call plain, too.
        #[test]
        fn ends_are_those_of_fields(octets in proptest::collection::vec(any::<u8>(), 30..80), next in next(), vn in 0u8..32) {
            let mut octets = octets;
            octets[6] = next;
            let vn = Vn::of_pih(vn);
            let interface = InterfaceId::new(VifIndex(3), vn);
            let ends = Ends::plain(&octets, vn);
            let plain = Fields::plain(&octets, interface, false);
            prop_assert_eq!(ends, plain.and_then(|fields| Ends::of(&fields)));
            prop_assert_eq!(ends.is_some(), plain.is_some());
            if let (Some(ends), Some(fields)) = (ends, plain) {
                prop_assert_eq!(address(ends.source), fields.source);
                prop_assert_eq!(address(ends.destination), fields.destination);
                prop_assert_eq!(ends.tcp_flags(), fields.tcp_flags);
                prop_assert!(ends.is(&ends) && !ends.is(&Ends::NONE));
            }
        }

        #[test]
        fn ends_differ_where_a_bit_does(bit in 0usize..5 * 64) {
            let ends = Ends { kind: 0x0011_0000, ..Ends::NONE };
            let mut other = ends;
            match bit / 64 {
                word @ 0..2 => other.source[word] ^= 1 << (bit % 64),
                word @ 2..4 => other.destination[word - 2] ^= 1 << (bit % 64),
                _ if bit % 64 < 32 => other.ports ^= 1 << (bit % 32),
                _ => other.kind ^= 1 << (bit % 32),
            }
            prop_assert!(!ends.is(&other) && !other.is(&ends));
        }
    }
}
