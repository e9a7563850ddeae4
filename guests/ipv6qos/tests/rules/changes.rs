//! Rules and tables that change while packets come.

use pinode_guest_ipv6qos::Prefix;
use pinode_guest_ipv6qos::control::item::TableEntry;
use pinode_guest_ipv6qos::control::matching::{Addresses, Match};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::rules::{RuleError, Rules, Tables};
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{self, List, Sets};
use crate::{seeded, worlds};

#[derive(Debug, Clone)]
enum Step {
    Insert(Option<u32>, Match),
    Replace(u32, Match),
    Remove(u32),
    AddPrefix(&'static str, Prefix),
    RemovePrefix(usize),
    Work(u32),
    Packets(Vec<Fields>),
}

fn step() -> impl Strategy<Value = Step> {
    let priority = || 0u32..60;
    let table = || select(worlds::TABLES.to_vec());
    prop_oneof![
        6 => (proptest::option::of(priority()), worlds::wanted())
            .prop_map(|(at, wanted)| Step::Insert(at, wanted)),
        2 => (priority(), worlds::wanted()).prop_map(|(at, wanted)| Step::Replace(at, wanted)),
        2 => priority().prop_map(Step::Remove),
        2 => (table(), worlds::prefix()).prop_map(|(table, prefix)| Step::AddPrefix(table, prefix)),
        1 => any::<usize>().prop_map(Step::RemovePrefix),
        3 => select(vec![1u32, 50, 300, 100_000]).prop_map(Step::Work),
        4 => proptest::collection::vec(worlds::packet(), 1..100).prop_map(Step::Packets),
    ]
}

/// Rules, and what they should be.
#[derive(Default)]
struct Bench {
    rules: Rules<u32>,
    tables: Tables,
    list: List,
    sets: Sets,
    /// Lists that may be in force: the last known one and those after.
    lists: Vec<List>,
    number: u32,
}

impl Bench {
    fn new() -> Self {
        Bench {
            lists: vec![List::new()],
            ..Bench::default()
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Insert(priority, wanted) => self.insert(priority, wanted, false),
            Step::Replace(priority, wanted) => self.insert(Some(priority), wanted, true),
            Step::Remove(priority) => {
                let removed = self.rules.remove(&mut self.tables, priority);
                let there = self.list.remove(&priority).is_some();
                let expected = there.then_some(()).ok_or(RuleError::Missing(priority));
                assert_eq!(removed, expected);
                self.lists.push(self.list.clone());
            }
            Step::AddPrefix(table, prefix) => {
                let entry = TableEntry {
                    table: table.to_string(),
                    prefix,
                };
                let added = self.tables.add(&entry).is_ok();
                assert_eq!(
                    added,
                    self.sets.entry(entry.table).or_default().insert(prefix)
                );
            }
            Step::RemovePrefix(at) => self.remove_prefix(at),
            Step::Work(budget) => {
                if self.rules.work(&mut self.tables, budget) {
                    self.lists = vec![self.list.clone()];
                }
            }
            Step::Packets(packets) => self.look(&packets),
        }
        self.look_at_list();
        self.look_at_tables();
    }

    fn insert(&mut self, priority: Option<u32>, wanted: Match, replace: bool) {
        self.number += 1;
        let (rules, tables, number) = (&mut self.rules, &mut self.tables, self.number);
        let names = &model::interface;
        let inserted = if replace {
            rules.replace(tables, names, priority, &wanted, number)
        } else {
            rules.insert(tables, names, priority, &wanted, number)
        };
        let last = self.list.keys().next_back().copied().unwrap_or(0);
        let at = priority.unwrap_or(last + 10);
        let taken = !replace && self.list.contains_key(&at);
        match inserted {
            Ok(given) => {
                assert!(given == at && !taken);
                self.list.insert(at, (wanted, number));
                self.lists.push(self.list.clone());
            }
            Err(RuleError::Exists(_)) => assert!(taken),
            Err(RuleError::Type(types)) => assert!(types.to > 255),
            Err(_) => self.nothing_matches(&wanted),
        }
    }

    /// Refused as matching nothing: so it must be.
    fn nothing_matches(&self, wanted: &Match) {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let sets = Sets::from_iter(
            worlds::TABLES.map(|table| (table.to_string(), [Prefix::DEFAULT].into())),
        );
        for _ in 0..200 {
            let packet = worlds::packet().new_tree(&mut runner).unwrap();
            let packet = proptest::strategy::ValueTree::current(&packet);
            assert!(
                !model::matches(wanted, &sets, &packet),
                "{wanted:?} {packet:?}"
            );
        }
    }

    fn remove_prefix(&mut self, at: usize) {
        let all = self
            .sets
            .iter()
            .flat_map(|(table, set)| set.iter().map(move |p| (table, p)));
        let all: Vec<_> = all
            .map(|(table, prefix)| (table.clone(), *prefix))
            .collect();
        if let Some((table, prefix)) = all.get(at % all.len().max(1)).cloned() {
            self.sets.get_mut(&table).unwrap().remove(&prefix);
            let entry = TableEntry { table, prefix };
            self.tables.remove(&entry).unwrap();
            assert!(self.tables.remove(&entry).is_err());
        }
    }

    /// All packets of a burst meet the rules of one moment.
    fn look(&mut self, packets: &[Fields]) {
        let mut first = vec![None; packets.len()];
        self.rules.first_burst(&self.tables, packets, &mut first);
        let found: Vec<_> = first
            .into_iter()
            .map(|rule| rule.map(|rule| *self.rules.payload_mut(rule).unwrap()))
            .collect();
        let expected = |list: &List| -> Vec<_> {
            let firsts = packets
                .iter()
                .map(|packet| model::first(list, &self.sets, packet));
            firsts.collect()
        };
        if !self.lists.iter().any(|list| expected(list) == found) {
            let expected = expected(&self.list);
            let pairs = packets.iter().zip(found.iter().zip(&expected));
            let wrong = { pairs }.find(|(_, (found, expected))| found != expected);
            panic!("found, expected at last: {wrong:?} of {:?}", self.lists);
        }
        assert!(!self.rules.is_idle() || found.iter().all(Option::is_none));
    }

    fn look_at_list(&self) {
        assert_eq!(self.rules.len(), self.list.len());
        let listed = self
            .rules
            .list(None)
            .map(|(at, wanted, n)| (at, (wanted.clone(), *n)));
        assert!(listed.eq(self.list.clone()));
        let behind = self.rules.list(Some(20)).map(|(at, ..)| at);
        assert!(behind.eq(self.list.range(21..).map(|(at, _)| *at)));
    }

    fn look_at_tables(&self) {
        let listed: Vec<_> = self.tables.list(None).collect();
        assert!(listed.is_sorted_by_key(|view| view.table.clone()));
        for table in worlds::TABLES {
            let set = self.sets.get(table).filter(|set| !set.is_empty());
            let named = |of: &Option<Addresses>| *of == Some(Addresses::Table(table.to_string()));
            let in_list = |list: &List| {
                list.values()
                    .any(|(wanted, _)| named(&wanted.from) || named(&wanted.to))
            };
            let view = listed.iter().find(|view| view.table == table);
            match (set, view) {
                (None, None) => assert!(!in_list(&self.list)),
                // Rules that name it are in the list, or may be in force.
                (None, Some(view)) => {
                    assert!(view.prefixes == 0 && self.lists.iter().any(in_list));
                }
                (Some(set), Some(view)) => {
                    assert_eq!(view.prefixes, set.len() as u64);
                    let entries = self.tables.entries(table, None).unwrap();
                    assert!(entries.map(|entry| entry.prefix).eq(set.iter().copied()));
                    let second = set.first().copied();
                    let entries = self.tables.entries(table, second).unwrap();
                    assert!(entries.map(|e| e.prefix).eq(set.iter().copied().skip(1)));
                }
                (Some(_), None) => panic!("{table} is not listed"),
            }
        }
    }
}

proptest! {
    #![proptest_config(seeded(200))]

    #[test]
    fn the_first_rule_that_matches_is_found_whatever_changes(
        steps in proptest::collection::vec(step(), 1..80),
        packets in proptest::collection::vec(worlds::packet(), 64..65),
        again in proptest::collection::vec(worlds::packet(), 1..70),
    ) {
        let mut bench = Bench::new();
        for step in steps {
            bench.take(step);
            // The same packets time and again: what is remembered of them must not outlive a change.
            bench.look(&again);
        }
        bench.take(Step::Work(u32::MAX));
        prop_assert_eq!(bench.lists.len(), 1);
        bench.take(Step::Packets(packets));
    }
}
