//! Prefixes as registries give them, many of them in few groups, destinations in them and filter rules that look at
//! them: in small what `bench/src/routed` makes.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use serde_json::{Value, json};

/// Lengths of prefixes, about as often as in the Internet's table.
const LENGTHS: [u8; 16] = [
    48, 48, 48, 48, 48, 48, 48, 32, 32, 44, 44, 40, 36, 29, 47, 64,
];

/// A sequence of numbers that looks like chance (splitmix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

const fn mask(length: u8) -> u128 {
    u128::MAX << (128 - length)
}

/// `count` different prefixes in 2400::/11 and 2a00::/11, most of them below one of few.
pub fn prefixes(count: usize) -> Vec<(u128, u8)> {
    let mut chance = Chance(5);
    let (mut all, mut blocks) = (BTreeSet::new(), Vec::<u128>::new());
    while all.len() < count {
        let length = LENGTHS[chance.below(16) as usize];
        let base = if length > 32 && !blocks.is_empty() && chance.below(10) < 8 {
            blocks[chance.below(blocks.len() as u64) as usize]
        } else {
            let registry = [0x2a00, 0x2400][chance.below(2) as usize] << 112;
            registry | u128::from(chance.below(1 << 21)) << 96
        };
        let bits = (base | u128::from(chance.next()) << 32) & mask(length);
        if length <= 32 {
            blocks.push(bits);
        }
        all.insert((bits, length));
    }
    all.into_iter().collect()
}

/// `count` addresses, each in one of `prefixes` at random.
pub fn destinations(prefixes: &[(u128, u8)], count: usize) -> Vec<u128> {
    let mut chance = Chance(7);
    let address = |_| {
        let (bits, length) = prefixes[chance.below(prefixes.len() as u64) as usize];
        let host = u128::from(chance.next()) << 64 | u128::from(chance.next());
        bits | host & !mask(length)
    };
    (0..count).map(address).collect()
}

/// A match of four kinds by turns for each prefix, and one that any packet matches.
pub fn matches(prefixes: &[(u128, u8)]) -> Vec<Value> {
    let mut chance = Chance(11);
    let of_prefix = |(number, (bits, length)): (usize, &(u128, u8))| {
        let to = format!("{}/{length}", Ipv6Addr::from(*bits));
        let low = chance.below(60_000);
        match number % 4 {
            0 => json!({ "to": to, "protocol": "udp" }),
            1 => json!({ "to": to, "protocol": "udp", "dport": format!("1-{}", 53 + low) }),
            2 => json!({ "from": "2001:db8:1::/48", "to": to, "sport": format!("0-{low}") }),
            _ => json!({ "to": to, "protocol": "tcp", "dport": format!("{low}-65535") }),
        }
    };
    let mut matches: Vec<Value> = prefixes.iter().enumerate().map(of_prefix).collect();
    matches.push(json!({}));
    matches
}
