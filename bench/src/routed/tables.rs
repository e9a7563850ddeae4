//! Prefixes and rules by the thousand, the same in each run.

use serde_json::{Value, json};

use crate::chance::Chance;

/// Lengths of prefixes and their share in 100, about as in the Internet's table of 2026.
const LENGTHS: &[(u8, u32)] = &[
    (48, 46),
    (32, 13),
    (44, 9),
    (40, 8),
    (36, 6),
    (29, 5),
    (46, 5),
    (47, 4),
    (64, 2),
    (35, 2),
];

/// `count` different prefixes in 2a00::/11 and 2400::/11, in groups as registries give them: bits and length.
pub(super) fn prefixes(count: usize) -> Vec<(u128, u8)> {
    let mut chance = Chance(5);
    let mut seen = std::collections::HashSet::new();
    let mut blocks: Vec<u128> = Vec::new();
    while seen.len() < count {
        let length = length(&mut chance);
        // Most long prefixes are more specific than a /29 or /32 that is there.
        let base = if length > 32 && !blocks.is_empty() && chance.below(10) < 8 {
            blocks[chance.below(blocks.len() as u64) as usize]
        } else {
            let registry: u128 = if chance.below(2) == 0 { 0x2a00 } else { 0x2400 };
            (registry << 112) | u128::from(chance.below(1 << 21)) << 96
        };
        let bits = base | u128::from(chance.next()) << 32 & !mask(32);
        let bits = bits & mask(length);
        if length <= 32 {
            blocks.push(bits);
        }
        seen.insert((bits, length));
    }
    let mut all: Vec<(u128, u8)> = seen.into_iter().collect();
    all.sort_unstable();
    all
}

fn length(chance: &mut Chance) -> u8 {
    let mut left = chance.below(100) as u32;
    for (length, share) in LENGTHS {
        if left < *share {
            return *length;
        }
        left -= share;
    }
    48
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// `count` addresses, a power of two, each in one of `prefixes` at random.
pub(super) fn destinations(prefixes: &[(u128, u8)], count: usize) -> Vec<[u8; 16]> {
    let mut chance = Chance(7);
    let address = |_| {
        let (bits, length) = prefixes[chance.below(prefixes.len() as u64) as usize];
        let host = u128::from(chance.next()) << 64 | u128::from(chance.next());
        (bits | host & !mask(length)).to_be_bytes()
    };
    (0..count).map(address).collect()
}

/// Routes by the next router, as the items of a change.
pub(super) fn routes(prefixes: &[(u128, u8)], via: &str) -> Vec<Value> {
    let text =
        |(bits, length): &(u128, u8)| format!("{}/{length}", std::net::Ipv6Addr::from(*bits));
    let route = |prefix| json!({ "route": { "prefix": text(prefix), "via": via } });
    prefixes.iter().map(route).collect()
}

/// Filter rules of several kinds that let their packets pass; packets to `prefixes` are matched by one of the first
/// `count - 1` or by the last.
pub(super) fn rules(prefixes: &[(u128, u8)], count: usize) -> Vec<Value> {
    let mut chance = Chance(11);
    let rule = |n: usize| {
        let (bits, length) = prefixes[n % prefixes.len()];
        let to = format!("{}/{length}", std::net::Ipv6Addr::from(bits));
        let low = chance.below(60_000);
        let matches = match n % 4 {
            0 => json!({ "to": to, "protocol": "udp" }),
            1 => json!({ "to": to, "protocol": "udp", "dport": format!("1-{}", 53 + low) }),
            2 => json!({ "from": "2001:db8:1::/48", "to": to, "sport": format!("0-{low}") }),
            _ => json!({ "to": to, "protocol": "tcp", "dport": format!("{low}-65535") }),
        };
        json!({ "filter": { "priority": n + 1, "match": matches, "action": "accept" } })
    };
    let mut rules: Vec<Value> = (0..count - 1).map(rule).collect();
    rules.push(json!({ "filter": { "priority": count, "action": "accept" } }));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_many_different_and_whole() {
        let all = prefixes(20_000);
        assert_eq!(all.len(), 20_000);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(all.iter().all(|(bits, length)| bits & !mask(*length) == 0));
        let long = all.iter().filter(|(_, length)| *length == 48).count();
        assert!((8_000..10_500).contains(&long), "{long}");
    }

    #[test]
    fn each_destination_has_a_prefix() {
        let all = prefixes(100);
        for address in destinations(&all, 256) {
            let address = u128::from_be_bytes(address);
            assert!(
                all.iter()
                    .any(|(bits, length)| address & mask(*length) == *bits)
            );
        }
    }

    #[test]
    fn there_are_as_many_rules_as_asked_for() {
        let all = prefixes(100);
        assert_eq!(rules(&all, 1).len(), 1);
        assert_eq!(rules(&all, 1000).len(), 1000);
    }
}
