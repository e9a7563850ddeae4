//! What names a flow, the same for both directions, and its keyed hash.
//!
//! The end with the smaller address stands first, so a packet and its answer give one key; [`Probe::swapped`] says
//! which of the two directions a packet is.
//!
//! The hash is NH of UMAC (RFC 4418 5.2) over words of 64 bits, the sum of products of keyed words, folded once more
//! with other keys. For NH it is proven that two different keys, chosen without knowledge of the seed, collide with
//! a chance of 2^-64: an attacker can do no better than guess. Since a look-up never goes beyond two groups of
//! eight, not even one who knew the seed could make it longer; he could only crowd others out of two groups.

use core::hint::select_unpredictable;

use super::table::Place;
use crate::packet::Fields;
use crate::packet::fields::{Upper, protocol};
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

/// A packet, as it is looked up.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Probe {
    pub key: Key,
    pub hash: u64,
    /// Whether the packet goes from the second end of the key to the first.
    pub swapped: bool,
    /// Where its flow is most likely.
    pub guess: Place,
}

impl Probe {
    /// Of a packet that can be of no flow.
    pub const NONE: Self = Probe {
        key: Key::NONE,
        hash: 0,
        swapped: false,
        guess: Place::NONE,
    };
}

fn high(address: u128) -> u64 {
    (address >> 64) as u64
}

impl Key {
    /// Of no flow: no packet's key has this bit.
    pub const NONE: Self = Key([0, 0, 0, 0, 1 << 17]);

    /// The key of the flow that `packet` is of, and whether its ends are swapped; none if it can be of none.
    #[inline]
    pub fn of(packet: &Fields) -> Option<(Self, bool)> {
        let (mut source_port, mut destination_port) = (packet.source_port, packet.destination_port);
        if packet.protocol == protocol::ICMPV6
            || !matches!(packet.upper, Upper::Read | Upper::Opaque)
        {
            (source_port, destination_port) = match (packet.upper, packet.source_port) {
                (Upper::Read, ECHO_REQUEST) => (packet.identifier, 0),
                (Upper::Read, ECHO_REPLY) => (0, packet.identifier),
                (Upper::LaterFragment, _) => return Some((Self::of_fragments(packet), false)),
                _ => return None,
            };
        }
        let (source, destination) = (packet.source, packet.destination);
        let swapped =
            (source > destination) | ((source == destination) & (source_port > destination_port));
        // By selection, not by a branch: directions come in no order that could be predicted.
        let either = |straight: u64, swap: u64| select_unpredictable(swapped, swap, straight);
        let ports = u32::from(source_port) << 16 | u32::from(destination_port);
        let ports = ports.rotate_left(u32::from(swapped) * 16);
        let key = Key([
            either(high(source), high(destination)),
            either(source as u64, destination as u64),
            either(high(destination), high(source)),
            either(destination as u64, source as u64),
            u64::from(ports) << 32
                | u64::from(packet.protocol) << 8
                | u64::from(packet.interface.vn().get()),
        ]);
        Some((key, swapped))
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
        Key([
            high(packet.source),
            packet.source as u64,
            high(packet.destination),
            packet.destination as u64,
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
        let (high, low, port) = if second {
            (c, d, rest >> 32)
        } else {
            (a, b, rest >> 48)
        };
        let port = if self.is_fragments() { 0 } else { port as u16 };
        (u128::from(high) << 64 | u128::from(low), port)
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
    pub fn probe(&self, key: Key, swapped: bool) -> Probe {
        Probe {
            key,
            hash: self.hash(&key),
            swapped,
            guess: Place::NONE,
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
