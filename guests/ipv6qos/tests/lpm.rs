//! Longest-prefix match against plain references: a map, a sorted list.
//!
//! `cargo test -p pinode-guest-ipv6qos --test lpm`
#![allow(missing_docs)]

use std::collections::BTreeMap;

use pinode_guest_ipv6qos::control::view::Cursor;
use pinode_guest_ipv6qos::lpm::sample::{Random, prefixes};
use pinode_guest_ipv6qos::lpm::{Approach, Lpm, VALUE_MAX};
use pinode_guest_ipv6qos::{Prefix, Vn};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// Property tests that find the same cases on every run.
fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(8200),
        failure_persistence: None,
        ..Config::default()
    }
}

/// What must be found: all prefixes in order.
#[derive(Default)]
struct Reference(BTreeMap<(Vn, Prefix), u32>);

impl Reference {
    fn lookup(&self, vn: Vn, address: u128) -> u32 {
        (0..=128)
            .rev()
            .find_map(|length| self.0.get(&(vn, Prefix::of(address, length))))
            .copied()
            .unwrap_or(0)
    }
}

/// Look-ups as the path of a frame does them, by what others came to.
fn again(lpm: &mut Lpm, keys: &[(Vn, u128)]) -> Vec<u32> {
    let begun = keys.iter().map(|&(vn, address)| lpm.approach(vn, address));
    let begun: Vec<_> = begun.collect();
    let left = begun
        .iter()
        .zip(keys)
        .filter(|(begun, _)| begun.done().is_err());
    let (mut values, left): (Vec<u32>, Vec<_>) = left
        .map(|(begun, key)| (begun.done().unwrap_err(), *key))
        .unzip();
    lpm.lookup_burst_again(&left, &mut values);
    let mut values = values.into_iter();
    let value = |begun: &Approach| begun.done().ok().or_else(|| values.next());
    begun.iter().map(value).collect::<Option<_>>().unwrap()
}

#[derive(Debug, Clone)]
enum Op {
    Insert(Vn, Prefix, u32),
    Remove(Vn, Prefix),
    /// Removes one that is there.
    RemoveOne(usize),
}

/// Addresses of which many begin alike: nibbles of few values, and lengths that the structure minds.
fn address() -> impl Strategy<Value = u128> {
    prop_oneof![
        8 => vec(prop_oneof![6 => 0..2_u128, 1 => 0..16_u128], 32)
            .prop_map(|nibbles| nibbles.iter().fold(0, |bits, nibble| bits << 4 | nibble)),
        2 => (0..256_u128).prop_map(|low| 0x2001_0db8 << 96 | low),
        4 => (0..4096_u128).prop_map(|high| 0x2001_0db8 << 96 | high << 84),
        1 => any::<u128>(),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let length = prop_oneof![
        4 => 0..=128_u8,
        4 => prop_oneof![Just(0), Just(32), Just(44), Just(48), Just(64), Just(127), Just(128)],
        2 => 30..=49_u8,
    ];
    (address(), length).prop_map(|(address, length)| Prefix::of(address, length))
}

fn vn() -> impl Strategy<Value = Vn> {
    prop_oneof![Just(0), Just(1), Just(31)].prop_map(|vn| Vn::new(vn).unwrap())
}

fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (vn(), prefix(), prop_oneof![1..4_u32, 1..=VALUE_MAX])
            .prop_map(|(vn, prefix, value)| Op::Insert(vn, prefix, value)),
        1 => (vn(), prefix()).prop_map(|(vn, prefix)| Op::Remove(vn, prefix)),
        3 => any::<usize>().prop_map(Op::RemoveOne),
    ];
    vec(op, 1..most)
}

fn apply(lpm: &mut Lpm, reference: &mut Reference, op: Op) {
    match op {
        Op::Insert(vn, prefix, value) => {
            let old = lpm.insert(vn, prefix, value).unwrap();
            assert_eq!(old, reference.0.insert((vn, prefix), value));
        }
        Op::Remove(vn, prefix) => {
            assert_eq!(lpm.remove(vn, prefix), reference.0.remove(&(vn, prefix)));
        }
        Op::RemoveOne(which) => {
            let count = reference.0.len().max(1);
            let Some((&(vn, prefix), &value)) = reference.0.iter().nth(which % count) else {
                return;
            };
            assert_eq!(lpm.exact(vn, prefix), Some(value));
            assert_eq!(lpm.remove(vn, prefix), Some(value));
            reference.0.remove(&(vn, prefix));
        }
    }
    assert_eq!(lpm.len(), reference.0.len());
}

/// Both find the same for addresses at the edges of all prefixes, and for these, in bursts of all sizes.
fn same(lpm: &Lpm, reference: &Reference, more: &[u128]) {
    let mut keys = Vec::new();
    for &(_, prefix) in reference.0.keys() {
        let last = prefix.bits() | u128::MAX.checked_shr(prefix.length().into()).unwrap_or(0);
        for address in [
            prefix.bits(),
            last,
            last.wrapping_add(1),
            prefix.bits().wrapping_sub(1),
            prefix.bits() ^ 1 << (128 - prefix.length().max(1)),
        ] {
            for vn in [0, 1, 2, 31] {
                keys.push((Vn::new(vn).unwrap(), address));
            }
        }
    }
    for &address in more {
        for vn in 0..32 {
            keys.push((Vn::new(vn).unwrap(), address));
        }
    }
    let mut rest = &keys[..];
    let mut size = 0;
    while !rest.is_empty() {
        size = size % 70 + 1;
        let (burst, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        let mut values = vec![u32::MAX; burst.len()];
        lpm.lookup_burst(burst, &mut values);
        for (&(vn, address), value) in burst.iter().zip(values) {
            let expected = reference.lookup(vn, address);
            assert_eq!(value, expected, "{vn} {:x}", address);
            assert_eq!(lpm.lookup(vn, address), expected, "{vn} {:x}", address);
        }
    }
}

fn listed(lpm: &Lpm) -> Vec<((Vn, Prefix), u32)> {
    lpm.iter()
        .map(|(at, value)| ((at.vn, at.prefix), value))
        .collect()
}

proptest! {
    #![proptest_config(seeded(200))]
    /// Whatever changes between two look-ups of an address, and whatever was remembered of it.
    #[test]
    fn what_is_remembered_is_what_would_be_found(ops in ops(40), more in vec(address(), 1..20), many: bool) {
        // With hardly room for what is remembered, or with enough.
        let mut lpm = if many { Lpm::with_capacity(1000).unwrap() } else { Lpm::new() };
        let mut reference = Reference::default();
        for op in ops {
            apply(&mut lpm, &mut reference, op);
            let ends = reference.0.keys().flat_map(|(_, prefix)| [prefix.bits(), prefix.bits() ^ 1]);
            let addresses = ends.chain(more.iter().copied());
            let keys: Vec<(Vn, u128)> = addresses
                .flat_map(|address| [0, 1, 31].map(|vn| (Vn::new(vn).unwrap(), address)))
                .collect();
            for _ in 0..2 {
                for ((vn, address), value) in keys.iter().zip(again(&mut lpm, &keys)) {
                    prop_assert_eq!(value, reference.lookup(*vn, *address), "{} {:x}", vn, address);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(seeded(400))]

    #[test]
    fn finds_what_a_map_finds(ops in ops(60), addresses in vec(address(), 20)) {
        let (mut lpm, mut reference) = (Lpm::new(), Reference::default());
        for op in ops {
            apply(&mut lpm, &mut reference, op);
        }
        same(&lpm, &reference, &addresses);
        let expected: Vec<_> = reference.0.iter().map(|(at, value)| (*at, *value)).collect();
        prop_assert_eq!(listed(&lpm), expected);
    }

    #[test]
    fn knows_what_is_there_exactly(ops in ops(40), more in vec((vn(), prefix()), 40)) {
        let (mut lpm, mut reference) = (Lpm::new(), Reference::default());
        for op in ops {
            apply(&mut lpm, &mut reference, op);
        }
        for at in reference.0.keys().copied().chain(more) {
            prop_assert_eq!(lpm.exact(at.0, at.1), reference.0.get(&at).copied());
        }
    }

    #[test]
    fn lists_go_on_anywhere(ops in ops(60), from in vec((vn(), prefix()), 8)) {
        let (mut lpm, mut reference) = (Lpm::new(), Reference::default());
        for op in ops {
            apply(&mut lpm, &mut reference, op);
        }
        let there: Vec<_> = reference.0.keys().copied().collect();
        for at in from.into_iter().chain(there) {
            let cursor = Cursor { vn: at.0, prefix: at.1 };
            let expected: Vec<_> = reference.0.range(at..).map(|(at, value)| (*at, *value)).collect();
            let found = lpm.iter_from(cursor).map(|(at, value)| ((at.vn, at.prefix), value));
            prop_assert!(found.eq(expected.iter().copied()));
            let behind = lpm.iter_after(cursor).map(|(at, value)| ((at.vn, at.prefix), value));
            prop_assert!(behind.eq(expected.into_iter().filter(|(there, _)| *there != at)));
        }
    }

    #[test]
    fn is_the_same_whatever_came_before(ops in ops(200), addresses in vec(address(), 4)) {
        let (mut lpm, mut reference) = (Lpm::new(), Reference::default());
        for op in ops {
            apply(&mut lpm, &mut reference, op);
        }
        same(&lpm, &reference, &addresses);
        let entries = lpm.entries();
        // Down to nothing, and up again: nothing is kept, and the same is taken.
        for &(vn, prefix) in reference.0.keys() {
            prop_assert!(lpm.remove(vn, prefix).is_some());
        }
        prop_assert!(lpm.is_empty());
        prop_assert_eq!(lpm.entries(), 0);
        prop_assert_eq!(lpm.iter().count(), 0);
        for (&(vn, prefix), &value) in &reference.0 {
            prop_assert_eq!(lpm.insert(vn, prefix, value), Ok(None));
        }
        prop_assert_eq!(lpm.entries(), entries);
        same(&lpm, &reference, &[]);
    }
}

/// The longest prefix of each address, by one walk over both in order.
fn sweep(table: &[(Prefix, u32)], addresses: &[u128]) -> Vec<u32> {
    let mut table = table.to_vec();
    table.sort_unstable();
    let mut order: Vec<usize> = (0..addresses.len()).collect();
    order.sort_unstable_by_key(|at| addresses[*at]);
    let mut values = vec![0; addresses.len()];
    let mut around: Vec<(Prefix, u32)> = Vec::new();
    let mut next = table.into_iter().peekable();
    for at in order {
        let address = addresses[at];
        while let Some(entry) = next.next_if(|(prefix, _)| prefix.bits() <= address) {
            while around
                .pop_if(|(prefix, _)| !prefix.contains(entry.0.bits()))
                .is_some()
            {}
            around.push(entry);
        }
        while around
            .pop_if(|(prefix, _)| !prefix.contains(address))
            .is_some()
        {}
        values[at] = around.last().map_or(0, |(_, value)| *value);
    }
    values
}

#[test]
fn two_hundred_thousand_prefixes_and_a_million_addresses() {
    let vn = Vn::new(7).unwrap();
    let mut random = Random(1);
    let table: Vec<_> = prefixes(200_000, 5)
        .into_iter()
        .map(|prefix| (prefix, 1 + random.below(VALUE_MAX.into()) as u32))
        .collect();
    let mut lpm = Lpm::with_capacity(table.len()).unwrap();
    let octets = lpm.octets();
    for &(prefix, value) in &table {
        assert_eq!(lpm.insert(vn, prefix, value), Ok(None));
    }
    println!(
        "{octets} octets for 200,000 prefixes, {} with them",
        lpm.octets()
    );
    // 60 for prefixes, 12 and more for what is remembered of look-ups.
    assert!(lpm.octets() < 72 << 20, "{} octets", lpm.octets());
    let addresses: Vec<_> = (0..1_000_000)
        .map(|at| match at % 10 {
            0 => random.bits(),
            1 => 0x2a00 << 112 | random.bits() >> 16,
            _ => {
                let of = table[random.below(200_000) as usize].0;
                random.address_in(of)
            }
        })
        .collect();
    let compare = |lpm: &Lpm, table: &[(Prefix, u32)]| {
        let expected = sweep(table, &addresses);
        let mut values = [0; 64];
        for (burst, expected) in addresses.chunks(64).zip(expected.chunks(64)) {
            let keys: Vec<_> = burst.iter().map(|address| (vn, *address)).collect();
            lpm.lookup_burst(&keys, &mut values);
            assert_eq!(&values[..burst.len()], expected);
        }
    };
    compare(&lpm, &table);
    // Half of them go.
    let (kept, gone) = table.split_at(100_000);
    for &(prefix, value) in gone {
        assert_eq!(lpm.remove(vn, prefix), Some(value));
    }
    compare(&lpm, kept);
    for &(prefix, value) in kept {
        assert_eq!(lpm.remove(vn, prefix), Some(value));
    }
    assert_eq!((lpm.len(), lpm.entries()), (0, 0));
}

#[test]
fn a_table_that_grows_refuses_nothing() {
    for seed in [11, 12] {
        let mut lpm = Lpm::new();
        for (value, prefix) in (1..).zip(prefixes(100_000, seed)) {
            assert_eq!(
                lpm.insert(Vn::default(), prefix, value),
                Ok(None),
                "{prefix}"
            );
        }
    }
}
