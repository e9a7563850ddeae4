//! What names a flow, the same for both directions, and its keyed hash.
//!
//! The lesser end stands first, so a packet and its answer give one key; [`Traits`] say which of the two
//! directions a packet is. Addresses and ports are words as a packet has them: nothing is turned round, and less is
//! what is less when the words are loaded.
//!
//! The hash is NH of UMAC (RFC 4418 5.2) over words of 64 bits, the sum of products of keyed words, folded once more
//! with other keys. For NH it is proven that two different keys, chosen without knowledge of the seed, collide with
//! a chance of 2^-64: an attacker can do no better than guess. Since a look-up never goes beyond two groups of
//! eight, not even one who knew the seed could make it longer; he could only crowd others out of two groups.

use core::hint::select_unpredictable;

use super::table::Place;
use crate::packet::ends::{address, ports, words};
use crate::packet::fields::{Upper, protocol};
use crate::packet::{Ends, Fields};
use crate::vn::Vn;

/// ICMPv6 echo request (RFC 4443 4.1).
pub(super) const ECHO_REQUEST: u16 = 128;
/// ICMPv6 echo reply (RFC 4443 4.2).
const ECHO_REPLY: u16 = 129;
/// In the last word of a key: the name is that of a fragmented packet.
const FRAGMENT: u64 = 1 << 16;

/// What names a flow: both addresses, and in one word both ports, protocol and virtual network. Of ICMPv6 echo, the
/// port of the one who asks is the identifier and that of the one who answers 0. Of fragments, addresses are in the
/// packet's order and the ports are its identification (RFC 8200 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Key([u64; 5]);

/// What a look-up must know of a packet besides its key, a bit each or some: whether it goes from the second end of the
/// key to the first, the low five TCP flags (0 for other protocols), whether it is a fragment, whether a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Traits(u8);

impl Traits {
    const FLAGS: u8 = 31;
    const FRAGMENT: u8 = 1 << 6;
    const LATER: u8 = 1 << 7;

    #[inline(always)]
    pub fn new(swapped: bool, tcp_flags: u8) -> Self {
        Traits((tcp_flags & Self::FLAGS) << 1 | u8::from(swapped))
    }

    fn with_fragment(self, packet: &Fields) -> Self {
        let fragment = if packet.fragment { Self::FRAGMENT } else { 0 };
        let later = match packet.upper {
            Upper::LaterFragment => Self::LATER,
            _ => 0,
        };
        Traits(self.0 | fragment | later)
    }

    #[inline(always)]
    pub fn swapped(self) -> bool {
        self.0 & 1 != 0
    }

    #[inline(always)]
    pub fn tcp_flags(self) -> u8 {
        self.0 >> 1 & Self::FLAGS
    }

    /// Not 0 if the packet is a fragment.
    #[inline(always)]
    pub fn fragment(self) -> u8 {
        self.0 & (Self::FRAGMENT | Self::LATER)
    }

    #[inline(always)]
    pub fn is_later(self) -> bool {
        self.0 & Self::LATER != 0
    }

    /// Flags and, lowest, whether it answers where the first packet was `swapped`: see
    /// [`Phase::stays`](super::state::Phase::stays).
    #[inline(always)]
    pub fn towards(self, swapped: bool) -> u8 {
        self.0 ^ u8::from(swapped)
    }
}

/// A packet, or some of the same key and traits, as it is looked up.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Probe {
    pub key: Key,
    pub hash: u64,
    /// Where its flow is most likely.
    pub guess: Place,
    pub traits: Traits,
    /// Which packet of the burst it is, or the first of those.
    pub first: u8,
}

const _: () = assert!(size_of::<Probe>() == 64);

impl Probe {
    /// Of a packet that can be of no flow.
    pub const NONE: Self = Probe {
        key: Key::NONE,
        hash: 0,
        guess: Place::NONE,
        traits: Traits(0),
        first: 0,
    };
}

fn high(address: u128) -> u64 {
    (address >> 64) as u64
}

/// Both ends in one order, whichever is the source, and whether they were swapped for it. Any order will do that is
/// the same for both directions: here that of the ports as they are loaded, then that of the addresses.
#[inline(always)]
fn in_order(source: [u64; 2], destination: [u64; 2], ports: u32) -> ([u64; 4], u32, bool) {
    let turned = ports.rotate_left(16);
    let swapped = if turned == ports {
        is_less(destination[0], destination[1], source[0], source[1])
    } else {
        turned < ports
    };
    // By selection, not by a branch: directions come in no order that could be predicted.
    let either = |straight: u64, swap: u64| select_unpredictable(swapped, swap, straight);
    let ends = [
        either(source[0], destination[0]),
        either(source[1], destination[1]),
        either(destination[0], source[0]),
        either(destination[1], source[1]),
    ];
    (ends, ports.min(turned), swapped)
}

/// Whether one address is less than another: few packets have the same port on both ends. By words, since an address
/// would be given in memory, and be put there for all packets.
#[cold]
#[inline(never)]
fn is_less(a: u64, b: u64, c: u64, d: u64) -> bool {
    (a, b) < (c, d)
}

impl Key {
    /// Of no flow: no packet's key has this bit.
    pub const NONE: Self = Key([0, 0, 0, 0, 1 << 17]);

    /// The key of the flow that a plain packet is of, and whether its ends are swapped.
    #[inline(always)]
    pub fn of_ends(ends: &Ends) -> (Self, bool) {
        let ([a, b, c, d], ports, swapped) = in_order(ends.source, ends.destination, ends.ports);
        let rest = u64::from(ports) << 32 | u64::from(ends.protocol_and_vn());
        (Key([a, b, c, d, rest]), swapped)
    }

    /// The key of the flow that `packet` is of, and what else a look-up must know; none if it can be of none.
    #[inline]
    pub fn of(packet: &Fields) -> Option<(Self, Traits)> {
        let (mut source_port, mut destination_port) = (packet.source_port, packet.destination_port);
        if packet.protocol == protocol::ICMPV6
            || !matches!(packet.upper, Upper::Read | Upper::Opaque)
        {
            (source_port, destination_port) = match (packet.upper, packet.source_port) {
                (Upper::Read, ECHO_REQUEST) => (packet.identifier, 0),
                (Upper::Read, ECHO_REPLY) => (0, packet.identifier),
                (Upper::LaterFragment, _) => {
                    let traits = Traits::new(false, packet.tcp_flags).with_fragment(packet);
                    return Some((Self::of_fragments(packet), traits));
                }
                _ => return None,
            };
        }
        let (source, destination) = (words(packet.source), words(packet.destination));
        let ports = ports(source_port, destination_port);
        let ([a, b, c, d], ports, swapped) = in_order(source, destination, ports);
        let rest = u64::from(ports) << 32
            | u64::from(packet.protocol) << 8
            | u64::from(packet.interface.vn().get());
        let traits = Traits::new(swapped, packet.tcp_flags).with_fragment(packet);
        Some((Key([a, b, c, d, rest]), traits))
    }

    /// 0 if it is the same key as `other`.
    #[inline]
    pub fn difference(&self, other: &Self) -> u64 {
        let pairs = self.0.iter().zip(&other.0);
        pairs.fold(0, |bits, (a, b)| bits | (a ^ b))
    }

    /// The key of the fragments of the packet that `packet` is a fragment of.
    pub fn of_fragments(packet: &Fields) -> Self {
        let vn = u64::from(packet.interface.vn().get());
        let ([a, b], [c, d]) = (words(packet.source), words(packet.destination));
        Key([
            a,
            b,
            c,
            d,
            u64::from(packet.fragment_id) << 32
                | FRAGMENT
                | u64::from(protocol::FRAGMENT) << 8
                | vn,
        ])
    }

    #[inline]
    pub fn vn(&self) -> Vn {
        Vn::of_pih(self.0[4] as u8)
    }

    #[inline]
    pub fn protocol(&self) -> u8 {
        (self.0[4] >> 8) as u8
    }

    #[inline]
    pub fn is_fragments(&self) -> bool {
        self.0[4] & FRAGMENT != 0
    }

    /// Address and port of the first end, or of the second.
    pub fn end(&self, second: bool) -> (u128, u16) {
        let [a, b, c, d, rest] = self.0;
        let (words, port) = if second {
            ([c, d], rest >> 48)
        } else {
            ([a, b], rest >> 32)
        };
        let port = if self.is_fragments() { 0 } else { port as u16 };
        (address(words), port.swap_bytes())
    }
}

/// The keys of the hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret {
    words: [u64; 6],
    fold: [u64; 2],
}

impl Secret {
    /// From a seed nobody else knows.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        // SplitMix64: different seeds give different states, and each state an octet-wise unrelated word.
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = state;
            word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ word >> 31
        };
        Secret {
            words: core::array::from_fn(|_| next()),
            fold: core::array::from_fn(|_| next()),
        }
    }

    #[inline]
    pub fn probe(&self, key: Key, traits: Traits) -> Probe {
        Probe {
            key,
            hash: self.hash(&key),
            traits,
            ..Probe::NONE
        }
    }

    #[inline]
    pub fn hash(&self, key: &Key) -> u64 {
        let [a, b, c, d, e] = key.0;
        let k = &self.words;
        let product = |x: u64, k: u64, y: u64, l: u64| {
            u128::from(x.wrapping_add(k)).wrapping_mul(u128::from(y.wrapping_add(l)))
        };
        let sum = product(a, k[0], b, k[1])
            .wrapping_add(product(c, k[2], d, k[3]))
            .wrapping_add(product(e, k[4], 0, k[5]));
        self.finish(sum)
    }

    /// Of the /64 of an address in a virtual network.
    #[inline]
    pub fn hash_source(&self, vn: Vn, address: u128) -> u64 {
        let vn = self.words[1].wrapping_add(u64::from(vn.get()));
        let prefix = high(address).wrapping_add(self.words[0]);
        self.finish(u128::from(prefix) * u128::from(vn))
    }

    #[inline]
    fn finish(&self, sum: u128) -> u64 {
        let [k, l] = self.fold;
        let folded = u128::from(sum as u64 ^ k).wrapping_mul(u128::from((sum >> 64) as u64 ^ l));
        folded as u64 ^ (folded >> 64) as u64
    }
}
