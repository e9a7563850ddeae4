//! Tables that look like the Internet's, for tests and measurements: the registries' blocks, allocations of /32 and
//! /29 and some larger, and below them what networks announce, few of them most of it, half of it side by side.
//!
//! The same numbers give the same table.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::prefix::Prefix;

/// Blocks of the registries: first 16 bits, and how many blocks of 16 bits are in use.
const BLOCKS: [(u64, u64); 7] = [
    (0x2001, 1),
    (0x2400, 14),
    (0x2600, 22),
    (0x2800, 8),
    (0x2a00, 22),
    (0x2a10, 4),
    (0x2c0f, 1),
];

/// Lengths of what is announced below an allocation: in 1,000.
const LENGTHS: [(u8, u64); 18] = [
    (48, 560),
    (44, 115),
    (40, 110),
    (36, 52),
    (46, 30),
    (47, 24),
    (45, 20),
    (42, 20),
    (33, 14),
    (38, 12),
    (34, 10),
    (35, 7),
    (43, 6),
    (41, 5),
    (39, 5),
    (64, 6),
    (128, 3),
    (127, 1),
];

/// Random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`, which is not 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// 128 bits.
    #[inline]
    pub fn bits(&mut self) -> u128 {
        u128::from(self.draw()) << 64 | u128::from(self.draw())
    }

    /// An address of `prefix`.
    pub fn address_in(&mut self, prefix: Prefix) -> u128 {
        prefix.bits() | self.bits() & !crate::prefix::mask(prefix.length())
    }
}

/// So many different prefixes, in no order.
pub fn prefixes(count: usize, seed: u64) -> Vec<Prefix> {
    let mut random = Random(seed);
    let mut there = BTreeSet::new();
    let mut list = Vec::with_capacity(count);
    while list.len() < count {
        let allocation = allocation(&mut random);
        // Most networks announce no more than that, a few a thousand prefixes.
        let more = 512 / (1 + random.below(512));
        let first = random.draw();
        for place in 0..=more {
            let prefix = if place == 0 {
                allocation
            } else {
                below(&mut random, allocation, first.wrapping_add(place))
            };
            if list.len() < count && there.insert(prefix) {
                list.push(prefix);
            }
        }
    }
    for last in (1..list.len()).rev() {
        list.swap(last, random.below(last as u64 + 1) as usize);
    }
    list
}

fn allocation(random: &mut Random) -> Prefix {
    let blocks = BLOCKS.iter().map(|(_, count)| count).sum();
    let mut pick = random.below(blocks);
    let mut block = 0;
    for (first, count) in BLOCKS {
        if pick < count {
            block = first + pick;
            break;
        }
        pick -= count;
    }
    let length = match random.below(100) {
        0..64 => 32,
        64..94 => 29,
        94..97 => 30,
        _ => 20 + random.below(9) as u8,
    };
    // The registries give blocks of 29 bits, one after the other, and have come halfway.
    let behind = random.below(1 << 12) << 3;
    Prefix::of(u128::from(block) << 112 | u128::from(behind) << 96, length)
}

fn below(random: &mut Random, allocation: Prefix, beside: u64) -> Prefix {
    let mut pick = random.below(1000);
    let mut length = 48;
    for (candidate, share) in LENGTHS {
        if pick < share {
            length = candidate;
            break;
        }
        pick -= share;
    }
    let length = length.max(allocation.length() + 1);
    // Side by side, or anywhere.
    let within = if random.below(2) == 0 {
        u128::from(beside) << (128 - length)
    } else {
        random.bits()
    };
    let within = within & !crate::prefix::mask(allocation.length());
    Prefix::of(allocation.bits() | within, length)
}
