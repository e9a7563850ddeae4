//! What rules said is remembered by the packet: the same as they would say, whatever changes meanwhile.

use std::collections::BTreeMap;

use pinode_guest_ipv6qos::Prefix;
use pinode_guest_ipv6qos::control::item::{FilterAction, FilterRule, TableEntry};
use pinode_guest_ipv6qos::filter::flows::{Flows, Limits};
use pinode_guest_ipv6qos::filter::{Burst, Cause, Filter, Verdict};
use pinode_guest_ipv6qos::packet::fields::protocol;
use pinode_guest_ipv6qos::packet::{Alike, Fields};
use pinode_guest_ipv6qos::rules::Tables;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::model::{self, List, Sets};
use crate::{seeded, worlds};

#[derive(Debug, Clone)]
enum Step {
    Add(FilterRule),
    Remove(Index),
    AddPrefix(&'static str, Prefix),
    RemovePrefix(Index),
    /// What was changed comes into force.
    Work,
    Packets(Vec<Index>),
}

fn step() -> impl Strategy<Value = Step> {
    let actions = vec![
        FilterAction::Accept,
        FilterAction::Drop,
        FilterAction::Reject,
    ];
    let rule = (worlds::wanted(), select(actions)).prop_map(|(matches, action)| FilterRule {
        priority: None,
        matches,
        action,
    });
    let packets = || proptest::collection::vec(any::<Index>(), 1..64);
    prop_oneof![
        3 => rule.prop_map(Step::Add),
        1 => any::<Index>().prop_map(Step::Remove),
        2 => (select(worlds::TABLES.to_vec()), worlds::prefix())
            .prop_map(|(table, prefix)| Step::AddPrefix(table, prefix)),
        1 => any::<Index>().prop_map(Step::RemovePrefix),
        2 => Just(Step::Work),
        6 => packets().prop_map(Step::Packets),
    ]
}

/// Packets as the filter looks at them.
struct Headers<'a, F> {
    alike: &'a [Alike],
    fields: Vec<&'a Fields>,
    is_excused: F,
}

impl<F: Fn(usize) -> bool> Burst for Headers<'_, F> {
    fn packets(&self) -> usize {
        self.alike.len()
    }
    fn octets(&self, at: usize) -> u16 {
        self.fields[at].octets
    }
    fn alike(&mut self, at: usize) -> Alike {
        self.alike[at]
    }
    fn fields(&mut self, at: usize) -> Option<Fields> {
        (!(self.is_excused)(at)).then(|| *self.fields[at])
    }
}

/// The octets of a packet like this, with UDP or TCP or, now and then, something that is not plain; and what is read
/// of it.
fn packet() -> impl Strategy<Value = (Vec<u8>, Fields)> {
    let next = select(vec![
        protocol::UDP,
        protocol::UDP,
        protocol::TCP,
        protocol::ICMPV6,
    ]);
    (worlds::packet(), next).prop_map(|(like, next)| {
        let mut octets = vec![
            0x60 | like.traffic_class >> 4,
            like.traffic_class << 4,
            0,
            0,
            0,
            20,
            next,
            64,
        ];
        octets.extend(like.source.to_be_bytes());
        octets.extend(like.destination.to_be_bytes());
        octets.extend(like.source_port.to_be_bytes());
        octets.extend(like.destination_port.to_be_bytes());
        octets.resize(60, 0);
        let fields = Fields::read(&octets, like.interface, like.local);
        (octets, fields)
    })
}

/// A filter, and what it should be.
struct Bench {
    filter: Filter,
    tables: Tables,
    list: List,
    in_force: List,
    sets: Sets,
    actions: Vec<FilterAction>,
    counts: BTreeMap<u32, (u64, u64)>,
}

impl Bench {
    fn new() -> Self {
        let flows = Flows::new(&Limits::default(), 1, 1).unwrap();
        Bench {
            filter: Filter::new(flows),
            tables: Tables::new(),
            list: List::new(),
            in_force: List::new(),
            sets: Sets::new(),
            actions: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: Step, packets: &[(Vec<u8>, Fields)]) {
        match step {
            Step::Add(rule) => {
                if let Ok(added) = self.filter.add(&mut self.tables, &model::interface, &rule) {
                    let number = self.actions.len() as u32;
                    self.list
                        .insert(added.priority.unwrap(), (rule.matches, number));
                    self.actions.push(rule.action);
                }
            }
            Step::Remove(which) => {
                if let Some(priority) = some_of(&which, self.list.keys()).copied() {
                    let rule = FilterRule {
                        priority: Some(priority),
                        matches: self.list[&priority].0.clone(),
                        action: FilterAction::Accept,
                    };
                    self.filter.delete(&mut self.tables, &rule).unwrap();
                    self.list.remove(&priority);
                }
            }
            Step::AddPrefix(table, prefix) => {
                let entry = TableEntry {
                    table: table.into(),
                    prefix,
                };
                let added = self.tables.add(&entry).is_ok();
                assert_eq!(
                    added,
                    self.sets.entry(entry.table).or_default().insert(prefix)
                );
            }
            Step::RemovePrefix(which) => {
                let all = self
                    .sets
                    .iter()
                    .flat_map(|(table, set)| set.iter().map(move |prefix| (table, *prefix)));
                let all: Vec<_> = all.map(|(table, prefix)| (table.clone(), prefix)).collect();
                if let Some((table, prefix)) = some_of(&which, all.iter()).cloned() {
                    self.sets.get_mut(&table).unwrap().remove(&prefix);
                    self.tables.remove(&TableEntry { table, prefix }).unwrap();
                }
            }
            Step::Work => {
                while !self.filter.work(&mut self.tables, 500) {}
                self.in_force = self.list.clone();
            }
            Step::Packets(burst) => {
                let burst: Vec<_> = burst.iter().map(|which| which.get(packets)).collect();
                self.burst(&burst);
            }
        }
    }

    fn burst(&mut self, burst: &[&(Vec<u8>, Fields)]) {
        let plain = |(octets, fields): &(Vec<u8>, Fields)| {
            let alike = Alike::plain(octets, fields.interface, fields.local);
            assert_eq!(alike.is_some(), fields.protocol != protocol::ICMPV6);
            alike.unwrap_or(Alike::NONE)
        };
        let alike: Vec<_> = burst.iter().map(|packet| plain(packet)).collect();
        // One that is not plain may be excused: of every second of them it is said.
        let is_excused = |at: usize| at % 2 == 1 && alike[at].is(&Alike::NONE);
        assert!(self.filter.recalls());
        let mut headers = Headers {
            alike: &alike,
            fields: burst.iter().map(|packet| &packet.1).collect(),
            is_excused,
        };
        let judged = self.filter.judge_again(&self.tables, &mut headers);
        let excused = (0..burst.len()).filter(|at| is_excused(*at));
        assert_eq!(judged.excused, excused.fold(0, |bits, at| bits | 1 << at));
        let mut all_pass = true;
        for (at, verdict) in judged.verdicts.iter().enumerate() {
            let judged = burst.get(at).filter(|_| !is_excused(at));
            let Some((_, fields)) = judged else {
                assert_eq!(*verdict, Verdict::Pass);
                continue;
            };
            let number = model::first(&self.in_force, &self.sets, fields);
            let expected = match number.map(|number| self.actions[number as usize]) {
                Some(FilterAction::Drop) => Verdict::Drop(Cause::Rule),
                Some(FilterAction::Reject) => Verdict::Reject,
                _ => Verdict::Pass,
            };
            assert_eq!(*verdict, expected);
            all_pass &= expected == Verdict::Pass;
            if let Some(number) = number {
                let count = self.counts.entry(number).or_default();
                *count = (count.0 + 1, count.1 + u64::from(fields.octets));
            }
        }
        assert_eq!(judged.all_pass, all_pass);
        // Else nothing would be asked for a while.
        while !self.filter.recalls() {}
    }
}

/// One of `all`, if there is any.
fn some_of<T>(which: &Index, all: impl ExactSizeIterator<Item = T>) -> Option<T> {
    let count = all.len();
    let mut all = all;
    (count > 0).then(|| all.nth(which.index(count))).flatten()
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn it_says_what_the_rules_say(
        packets in proptest::collection::vec(packet(), 1..40),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut bench = Bench::new();
        for step in steps {
            bench.take(step, &packets);
        }
        while !bench.filter.work(&mut bench.tables, 500) {}
        for (view, (priority, (_, number))) in bench.filter.list(None, 100).iter().zip(&bench.list) {
            prop_assert_eq!(view.rule.priority, Some(*priority));
            let count = (view.count.packets, view.count.octets);
            prop_assert_eq!(count, bench.counts.get(number).copied().unwrap_or_default());
        }
    }
}
