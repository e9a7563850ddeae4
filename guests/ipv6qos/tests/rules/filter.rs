//! The filter: flows before rules, rules in their order, counters.

use std::collections::{BTreeMap, BTreeSet};

use pinode_guest_ipv6qos::control::item::{FilterAction, FilterRule};
use pinode_guest_ipv6qos::filter::flows::{Flows, Limits};
use pinode_guest_ipv6qos::filter::{Cause, Filter, Verdict};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use pinode_guest_ipv6qos::rules::Tables;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{self, Sets};
use crate::{seeded, worlds};

const NOW_NS: u64 = 1_000_000_000;

fn filter(per_source: u32) -> Filter {
    let limits = Limits {
        flows: 4096,
        per_source,
        ..Limits::default()
    };
    Filter::new(Flows::new(&limits, 1, 1).unwrap())
}

fn rule(json: &str) -> FilterRule {
    serde_json::from_str(json).unwrap()
}

/// Both ends of a flow, the smaller first, and its virtual network.
type Ends = [(u128, u16); 2];

fn ends(packet: &Fields) -> (u8, Ends) {
    let source = (packet.source, packet.source_port);
    let destination = (packet.destination, packet.destination_port);
    let ends = [source.min(destination), source.max(destination)];
    (packet.interface.vn().get(), ends)
}

/// A packet of UDP, or one that cannot be read.
fn packet() -> impl Strategy<Value = Fields> {
    worlds::packet().prop_map(|mut packet| {
        packet.protocol = protocol::UDP;
        packet.fragment = false;
        packet.tcp_flags = 0;
        if packet.upper != Upper::Read {
            packet.upper = Upper::Broken;
        }
        packet
    })
}

fn rules() -> impl Strategy<Value = Vec<FilterRule>> {
    let action = select(vec![
        FilterAction::Accept,
        FilterAction::Drop,
        FilterAction::Reject,
        FilterAction::Track,
        FilterAction::Track,
    ]);
    let rule = (worlds::wanted(), action).prop_map(|(matches, action)| FilterRule {
        priority: None,
        matches,
        action,
    });
    proptest::collection::vec(rule, 0..12)
}

proptest! {
    #![proptest_config(seeded(100))]

    #[test]
    fn flows_pass_and_the_first_rule_judges_the_others(
        rules in rules(),
        bursts in proptest::collection::vec(proptest::collection::vec(packet(), 1..64), 1..12),
        answers in any::<bool>(),
    ) {
        let (mut filter, mut tables) = (filter(0), Tables::new());
        let mut list = model::List::new();
        let mut actions = Vec::new();
        for rule in rules {
            if let Ok(added) = filter.add(&mut tables, &model::interface, &rule) {
                list.insert(added.priority.unwrap(), (rule.matches, actions.len() as u32));
                actions.push(rule.action);
            }
        }
        while !filter.work(&mut tables, 500) {}
        prop_assert_eq!(filter.is_open(), list.is_empty());
        let mut flows = BTreeSet::new();
        let mut counts = BTreeMap::<u32, (u64, u64)>::new();
        for mut burst in bursts {
            if answers && let Some(packet) = burst.first().copied() {
                let (source, source_port) = (packet.destination, packet.destination_port);
                let (destination, destination_port) = (packet.source, packet.source_port);
                let answer = Fields { source, destination, source_port, destination_port, ..packet };
                burst.extend([answer]);
            }
            let mut verdicts = vec![Verdict::Drop(Cause::FlowsFull); burst.len()];
            filter.judge_burst(NOW_NS, &tables, &burst, &mut verdicts);
            let before = flows.clone();
            for (packet, verdict) in burst.iter().zip(verdicts) {
                let is_read = packet.upper == Upper::Read;
                if is_read && before.contains(&ends(packet)) {
                    prop_assert_eq!(verdict, Verdict::Pass);
                    prop_assert!(filter.is_related(NOW_NS, packet));
                    continue;
                }
                let number = model::first(&list, &Sets::new(), packet);
                let expected = match number.map(|number| actions[number as usize]) {
                    None | Some(FilterAction::Accept) => Verdict::Pass,
                    Some(FilterAction::Drop) => Verdict::Drop(Cause::Rule),
                    Some(FilterAction::Reject) => Verdict::Reject,
                    Some(FilterAction::Track) => {
                        if is_read {
                            flows.insert(ends(packet));
                        }
                        Verdict::Pass
                    }
                };
                prop_assert_eq!(verdict, expected);
                if let Some(number) = number {
                    let count = counts.entry(number).or_default();
                    *count = (count.0 + 1, count.1 + u64::from(packet.octets));
                }
            }
            prop_assert_eq!(filter.flows().len() as usize, flows.len());
        }
        let listed = filter.list(None, 100);
        prop_assert_eq!(listed.len(), list.len());
        for (view, (priority, (wanted, number))) in listed.iter().zip(&list) {
            prop_assert_eq!(view.rule.priority, Some(*priority));
            prop_assert_eq!(&view.rule.matches, wanted);
            let count = (view.count.packets, view.count.octets);
            prop_assert_eq!(count, counts.get(number).copied().unwrap_or_default());
        }
        let page = filter.list(Some(10), 2);
        prop_assert!(page.iter().eq(listed.iter().skip(1).take(2)));
    }
}

fn udp(source: u128, source_port: u16) -> Fields {
    Fields {
        source,
        destination: 9 << 64 | 9,
        interface: model::interface("west.0").unwrap(),
        source_port,
        destination_port: 53,
        identifier: 0,
        protocol: protocol::UDP,
        traffic_class: 0,
        tcp_flags: 0,
        upper: Upper::Read,
        fragment: false,
        fragment_id: 0,
        local: false,
        octets: 48,
    }
}

fn judge(filter: &mut Filter, tables: &Tables, packet: Fields) -> Verdict {
    let mut verdict = [Verdict::Pass];
    filter.judge_burst(NOW_NS, tables, &[packet], &mut verdict);
    verdict[0]
}

/// Only what comes from inside begins a flow; what is outside answers. Without the rule that tracks, flows are not
/// asked for.
#[test]
fn answers_pass_as_long_as_a_rule_tracks() {
    let (mut filter, mut tables) = (filter(0), Tables::new());
    for json in [
        r#"{"priority":10,"match":{"from":"0:0:0:1::/64"},"action":"track"}"#,
        r#"{"priority":20,"action":"drop"}"#,
    ] {
        filter
            .add(&mut tables, &model::interface, &rule(json))
            .unwrap();
    }
    assert!(filter.work(&mut tables, u32::MAX));
    let ask = udp(1 << 64 | 1, 4000);
    let answer = Fields {
        source: ask.destination,
        destination: ask.source,
        source_port: 53,
        destination_port: 4000,
        ..ask
    };
    assert_eq!(
        judge(&mut filter, &tables, answer),
        Verdict::Drop(Cause::Rule)
    );
    assert!(!filter.is_related(NOW_NS, &ask));
    assert_eq!(judge(&mut filter, &tables, ask), Verdict::Pass);
    assert_eq!(judge(&mut filter, &tables, answer), Verdict::Pass);
    assert!(filter.is_related(NOW_NS, &ask) && filter.is_related(NOW_NS, &answer));
    let accept = rule(r#"{"priority":10,"match":{"from":"0:0:0:1::/64"},"action":"accept"}"#);
    filter
        .replace(&mut tables, &model::interface, &accept)
        .unwrap();
    assert!(filter.work(&mut tables, u32::MAX));
    assert_eq!(
        judge(&mut filter, &tables, answer),
        Verdict::Drop(Cause::Rule)
    );
    assert!(!filter.is_related(NOW_NS, &ask));
    filter.delete(&mut tables, &accept).unwrap();
    let unknown = filter.delete(&mut tables, &accept).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no rule with priority 10");
    filter
        .delete(&mut tables, &rule(r#"{"priority":20,"action":"drop"}"#))
        .unwrap();
    assert!(!filter.is_open(), "still in force");
    assert!(filter.work(&mut tables, u32::MAX));
    assert!(filter.is_open());
}

#[test]
fn a_packet_without_room_for_its_flow_is_dropped() {
    let (mut filter, mut tables) = (filter(1), Tables::new());
    let track = rule(r#"{"action":"track"}"#);
    let added = filter.add(&mut tables, &model::interface, &track).unwrap();
    assert_eq!(added.priority, Some(10));
    assert!(filter.work(&mut tables, u32::MAX));
    assert_eq!(
        judge(&mut filter, &tables, udp(1 << 64 | 1, 1)),
        Verdict::Pass
    );
    let second = judge(&mut filter, &tables, udp(1 << 64 | 2, 1));
    assert_eq!(second, Verdict::Drop(Cause::FlowsFull));
    assert_eq!(
        judge(&mut filter, &tables, udp(2 << 64 | 1, 1)),
        Verdict::Pass
    );
    assert_eq!(filter.list(None, 10)[0].count.packets, 3);
}
