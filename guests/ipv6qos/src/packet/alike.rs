//! All that rules can look at in a plain packet, as it stands there: packets of which it is the same match the same
//! rules.
//!
//! Only for packets with UDP or TCP right behind the IPv6 header, nearly all there are. TCP's flags are no part of it, as
//! no rule asks for them.

use super::chain::TCP_OCTETS;
use super::ends::{DESTINATION, LEAST, SOURCE, word};
use super::fields::protocol;
use super::header::{Header, OCTETS};
use crate::vn::InterfaceId;

/// Whether it is for the router itself: above all numbers of interfaces.
const LOCAL: u64 = 1 << 15;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alike([u64; 5]);

impl Alike {
    /// Of no packet: no interface has such a number.
    pub const NONE: Self = Alike([u64::MAX; 5]);

    /// That of `packet`, if it is a plain one; it came in on `interface` and is for the router itself, or not.
    #[inline(always)]
    pub fn plain(packet: &[u8], interface: InterfaceId, local: bool) -> Option<Self> {
        let octets: &[u8; LEAST] = packet.first_chunk()?;
        let header = Header(octets.first_chunk()?);
        let next = header.next_header();
        let is_tcp = next == protocol::TCP;
        if !is_tcp & (next != protocol::UDP) | is_tcp & (packet.len() < OCTETS + TCP_OCTETS) {
            return None;
        }
        let local = if local { LOCAL } else { 0 };
        // Ports, and in 16, 8 and 8 bits interface, protocol and traffic class.
        let rest = (word(octets, OCTETS) & 0xffff_ffff)
            | (interface.index() as u64 | local) << 32
            | u64::from(next) << 48
            | u64::from(header.traffic_class()) << 56;
        Some(Alike([
            word(octets, SOURCE),
            word(octets, SOURCE + 8),
            word(octets, DESTINATION),
            word(octets, DESTINATION + 8),
            rest,
        ]))
    }

    /// Whether all is the same.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        pairs.fold(0, |bits, (a, b)| bits | (a ^ b)) == 0
    }

    /// A number whose highest bits depend on all of it. There is no secret in it: who chooses packets that share theirs
    /// makes look-ups longer, never wrong.
    #[inline(always)]
    pub fn hash(&self) -> u64 {
        let [a, b, c, d, e] = self.0;
        let from = (b ^ a.rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let to = (d ^ c.rotate_left(23)).wrapping_mul(0xd1b5_4a32_d192_ed03);
        let sum = from ^ to ^ e.rotate_left(17);
        (sum ^ sum >> 32).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Fields;
    use crate::vn::Vn;
    use alloc::vec::Vec;
    use pinode_guest_runtime::VifIndex;
    use proptest::prelude::*;

    fn next() -> impl Strategy<Value = u8> {
        prop_oneof![Just(protocol::TCP), Just(protocol::UDP), any::<u8>()]
    }

    fn packet() -> impl Strategy<Value = (Vec<u8>, InterfaceId, bool)> {
        let octets = proptest::collection::vec(any::<u8>(), 30..80);
        (octets, next(), 0u8..4, 0u8..32, any::<bool>()).prop_map(
            |(mut octets, next, vif, vn, local)| {
                octets[6] = next;
                (
                    octets,
                    InterfaceId::new(VifIndex(vif), Vn::of_pih(vn)),
                    local,
                )
            },
        )
    }

    proptest! {
        /// Packets whose fields are plain are, and a packet is like another where all fields that rules look at are
        /// the same, whichever bit was changed.
        #[test]
        fn packets_are_alike_where_fields_are((octets, interface, local) in packet(), bit in 0usize..80 * 8) {
            let alike = Alike::plain(&octets, interface, local);
            let fields = Fields::plain(&octets, interface, local);
            prop_assert_eq!(alike.is_some(), fields.is_some());
            let mut other = octets.clone();
            let at = bit / 8 % octets.len();
            other[at] ^= 1 << (bit % 8);
            let both = (Alike::plain(&other, interface, local), Fields::plain(&other, interface, local));
            if let (Some(alike), Some(fields), (Some(other), Some(mut changed))) = (alike, fields, both) {
                changed.tcp_flags = fields.tcp_flags;
                prop_assert_eq!(alike.is(&other), fields == changed);
                prop_assert!(alike.is(&alike) && !alike.is(&Alike::NONE));
                prop_assert!(!alike.is(&Alike::plain(&octets, interface, !local).unwrap()));
            }
        }
    }
}
