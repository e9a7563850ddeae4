//! As many rules as there can be.

use pinode_guest_ipv6qos::Prefix;
use pinode_guest_ipv6qos::control::item::TableEntry;
use pinode_guest_ipv6qos::control::matching::{Addresses, Match, Protocol, Range};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::Upper;
use pinode_guest_ipv6qos::rules::{MAX_RULES, RuleError, Rules, Tables};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;

use crate::model::{self, List, Sets};

/// The same numbers on every run (SplitMix64).
pub(crate) struct Numbers(pub u64);

impl Numbers {
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

    fn address(&mut self) -> u128 {
        let (site, host) = (self.below(5000), self.below(300));
        0x2001_0db8 << 96 | u128::from(site) << 80 | u128::from(host)
    }

    fn range(&mut self) -> Range {
        let (a, b) = (self.next() as u16, self.next() as u16);
        Range {
            from: a.min(b),
            to: a.max(b),
        }
    }

    fn packet(&mut self) -> Fields {
        Fields {
            source: self.address(),
            destination: self.address(),
            interface: InterfaceId::new(VifIndex(self.below(2) as u8), Vn::default()),
            source_port: self.next() as u16,
            destination_port: self.next() as u16,
            identifier: 0,
            protocol: if self.below(2) == 0 { 6 } else { 17 },
            traffic_class: 0,
            tcp_flags: 0,
            upper: Upper::Read,
            fragment: false,
            fragment_id: 0,
            local: false,
            octets: 60,
        }
    }
}

/// Puts `MAX_RULES` rules in, in a shuffled order, and compares what packets find.
fn compare(
    tables: &mut Tables,
    sets: &Sets,
    packets: usize,
    mut wanted: impl FnMut(&mut Numbers) -> Match,
) {
    let mut numbers = Numbers(7);
    let (mut rules, mut list) = (Rules::new(), List::new());
    let mut refused = 0;
    while list.len() < MAX_RULES {
        let priority = numbers.below(1 << 20) as u32;
        let wanted = wanted(&mut numbers);
        let number = list.len() as u32;
        match rules.insert(tables, &model::interface, Some(priority), &wanted, number) {
            Ok(_) => assert!(list.insert(priority, (wanted, number)).is_none()),
            Err(error) => {
                assert_eq!(error, RuleError::Exists(priority));
                refused += 1;
            }
        }
    }
    assert!(refused < 100);
    let more = rules.insert(tables, &model::interface, None, &Match::default(), 0);
    assert_eq!(more, Err(RuleError::Full(MAX_RULES)));
    assert!(more.unwrap_err().to_string().contains("4096"));
    let mut slices = 0;
    while !rules.work(tables, 1000) {
        slices += 1;
        assert!(slices < 20_000);
    }
    let packets: Vec<_> = (0..packets).map(|_| numbers.packet()).collect();
    // Twice: what is found anew and what is remembered.
    for _ in 0..2 {
        let mut first = vec![None; packets.len()];
        rules.first_burst(tables, &packets, &mut first);
        for (packet, first) in packets.iter().zip(first) {
            let found = first.map(|rule| *rules.payload_mut(rule).unwrap());
            assert_eq!(found, model::first(&list, sets, packet), "{packet:?}");
        }
    }
}

#[test]
fn pairs_of_prefixes() {
    compare(&mut Tables::new(), &Sets::new(), 3000, |numbers| {
        let mut prefix = || {
            let lengths = [24, 32, 48, 64, 128, 128];
            let length = lengths[numbers.below(6) as usize];
            Some(Addresses::Prefix(Prefix::of(numbers.address(), length)))
        };
        let (from, to) = (prefix(), prefix());
        Match {
            from,
            to,
            ..Match::default()
        }
    });
}

/// More different vectors than are stored: what is found among supersets is right, too.
#[test]
fn wide_ranges_of_ports() {
    compare(&mut Tables::new(), &Sets::new(), 2000, |numbers| {
        let mut narrow = numbers.range();
        narrow.to = narrow.to.min(narrow.from.saturating_add(3000));
        let protocol = [None, Some(Protocol(6)), Some(Protocol(17))][numbers.below(3) as usize];
        let (sport, dport) = if numbers.below(2) == 0 {
            (numbers.range(), narrow)
        } else {
            (narrow, numbers.range())
        };
        let to = Some(Addresses::Prefix(Prefix::of(numbers.address(), 48)));
        let (sport, dport) = (Some(sport), Some(dport));
        Match {
            to,
            protocol,
            sport,
            dport,
            ..Match::default()
        }
    });
}

#[test]
fn tables_in_many_rules() {
    let (mut tables, mut sets) = (Tables::new(), Sets::new());
    let mut numbers = Numbers(11);
    for _ in 0..2000 {
        let table = format!("t{}", numbers.below(20));
        let prefix = Prefix::of(numbers.address(), [48, 128][numbers.below(2) as usize]);
        let added = tables
            .add(&TableEntry {
                table: table.clone(),
                prefix,
            })
            .is_ok();
        assert_eq!(added, sets.entry(table).or_default().insert(prefix));
    }
    compare(&mut tables, &sets, 1000, |numbers| {
        let from = Some(Addresses::Table(format!("t{}", numbers.below(20))));
        let to = Some(Addresses::Table(format!("t{}", numbers.below(20))));
        let dport = Some(Range {
            from: 5,
            to: 40_000,
        });
        match numbers.below(3) {
            0 => Match {
                from,
                dport,
                ..Match::default()
            },
            1 => Match {
                to,
                dport,
                ..Match::default()
            },
            _ => Match {
                from,
                to,
                ..Match::default()
            },
        }
    });
}

#[test]
fn there_are_as_many_as_there_is_room_for() {
    let (mut rules, mut tables) = (Rules::with_room(2), Tables::new());
    let mut insert = |priority, replace: bool| {
        let wanted = Match::default();
        let (rules, names) = (&mut rules, &model::interface);
        if replace {
            rules.replace(&mut tables, names, Some(priority), &wanted, ())
        } else {
            rules.insert(&mut tables, names, Some(priority), &wanted, ())
        }
    };
    assert_eq!(insert(1, false), Ok(1));
    assert_eq!(insert(2, false), Ok(2));
    assert_eq!(insert(3, false), Err(RuleError::Full(2)));
    assert_eq!(insert(3, true), Err(RuleError::Full(2)));
    assert_eq!(insert(2, true), Ok(2));
    assert!(Rules::<()>::octets(4096) > Rules::<()>::octets(64));
    assert_eq!(Rules::<()>::octets(0), 0);
}
