//! Groups and their reports (RFC 3810 6).

use pinode_guest_ipv6qos::icmp::message::{Query, Version};
use pinode_guest_ipv6qos::icmp::{self, Received, solicited_node};
use pinode_guest_ipv6qos::neighbour::Message;
use pinode_guest_ipv6qos::neighbour::outbox::Report;

use super::lab::{HOST_MAC, Lab, SECOND, address, interface};

const OURS: &str = "2001:db8:1::1/64";

fn query(group: u128, within_ms: u32) -> Received<'static> {
    query_of(Version::Two, group, within_ms)
}

fn query_of(version: Version, group: u128, within_ms: u32) -> Received<'static> {
    Received {
        source: address("fe80::aa"),
        destination: address("ff02::1"),
        message: icmp::Message::Query(Query {
            version,
            within_ms,
            group,
        }),
    }
}

#[test]
fn a_router_listens_to_its_groups_and_no_others() {
    let lab = Lab::quiet(&[OURS]);
    let listens = |group| lab.discovery.listens(interface(0, 0), address(group));
    for group in [
        "ff02::1",
        "ff02::2",
        "ff05::2",
        "ff01::1",
        "ff02::1:ff00:1",
        "ff02::1:ff01:101",
    ] {
        assert!(listens(group), "{group}");
    }
    for group in ["ff02::1:ff00:2", "ff02::5", "ff0e::1", "2001:db8:1::1"] {
        assert!(!listens(group), "{group}");
    }
}

#[test]
fn joins_and_leaves_are_reported_twice() {
    let mut lab = Lab::quiet(&[OURS]);
    let (at, other) = (interface(0, 0), address("2001:db8:2::99"));
    let group = solicited_node(other);
    lab.discovery
        .add_address(
            lab.now_ns,
            at,
            "2001:db8:2::99/64".parse().expect("an address"),
        )
        .expect("room");
    lab.run(3 * SECOND);
    let joined = Message::Report(Report::Joined(group));
    let reports = |lab: &mut Lab, report| {
        let said = lab.said();
        said.iter().filter(|said| **said == report).count()
    };
    assert_eq!(reports(&mut lab, joined), 2);
    lab.discovery
        .remove_address(lab.now_ns, at, other)
        .expect("it is there");
    assert!(!lab.discovery.listens(at, group));
    lab.run(3 * SECOND);
    assert_eq!(reports(&mut lab, Message::Report(Report::Left(group))), 2);
}

#[test]
fn a_group_of_two_addresses_is_left_with_the_last() {
    let mut lab = Lab::quiet(&[OURS, "2001:db8:2::1/64"]);
    let at = interface(0, 0);
    let group = solicited_node(address("2001:db8:1::1"));
    lab.discovery
        .remove_address(lab.now_ns, at, address("2001:db8:1::1"))
        .expect("there");
    lab.run(3 * SECOND);
    assert!(lab.discovery.listens(at, group));
    assert_eq!(lab.said(), []);
}

#[test]
fn queries_are_answered_in_time_and_once() {
    let mut lab = Lab::quiet(&[OURS]);
    let current = Message::Report(Report::Current);
    for _ in 0..50 {
        lab.receive(HOST_MAC, &query(0, 2000));
    }
    lab.run(2 * SECOND);
    assert_eq!(lab.said(), [current]);
    lab.receive(HOST_MAC, &query(0, 0));
    lab.tick();
    assert_eq!(lab.said(), [current], "at once");

    let group = solicited_node(address("2001:db8:1::1"));
    lab.receive(HOST_MAC, &query(group, 1000));
    lab.receive(HOST_MAC, &query(address("ff02::1"), 1000));
    lab.receive(HOST_MAC, &query(address("ff0e::5"), 1000));
    lab.run(SECOND);
    assert_eq!(lab.said(), [Message::Report(Report::Group(group))]);
}

/// The first two of what is told of each group, in the words of version 1.
fn told(lab: &mut Lab) -> (Vec<u128>, Vec<Message>) {
    let mut others = Vec::new();
    let mut groups: Vec<u128> = Vec::new();
    for said in lab.said() {
        match said {
            Message::Report(Report::Old(group)) => groups.push(group),
            other => others.push(other),
        }
    }
    groups.sort_unstable();
    (groups, others)
}

#[test]
fn a_querier_of_version_1_is_answered_in_its_words() {
    let mut lab = Lab::quiet(&[OURS]);
    let mut all: Vec<u128> = [
        "ff02::2",
        "ff05::2",
        "ff02::1:ff00:0",
        "ff02::1:ff00:1",
        "ff02::1:ff01:101",
    ]
    .map(address)
    .into();
    all.sort_unstable();
    lab.receive(HOST_MAC, &query_of(Version::One, 0, 1000));
    lab.run(SECOND);
    assert_eq!(told(&mut lab), (all.clone(), vec![]), "one each");
    // While it is there, other queriers are answered so, too.
    lab.run(200 * SECOND);
    lab.receive(HOST_MAC, &query(0, 1000));
    lab.run(SECOND);
    assert_eq!(told(&mut lab), (all, vec![]));

    let (at, other) = (interface(0, 0), address("2001:db8:2::99"));
    let (group, added) = (solicited_node(other), "2001:db8:2::99/128");
    lab.discovery
        .add_address(lab.now_ns, at, added.parse().expect("an address"))
        .expect("room");
    lab.run(3 * SECOND);
    let (groups, _) = told(&mut lab);
    assert_eq!(groups, [group; 2], "joined");
    lab.discovery
        .remove_address(lab.now_ns, at, other)
        .expect("it is there");
    lab.run(3 * SECOND);
    let done = Message::Report(Report::OldDone(group));
    assert_eq!(told(&mut lab), (vec![], vec![done]));

    // It is gone: 2 times 125 s and 10 s after its last query.
    lab.run(60 * SECOND);
    lab.receive(HOST_MAC, &query(0, 1000));
    lab.run(SECOND);
    assert_eq!(lab.said(), [Message::Report(Report::Current)]);
}

#[test]
fn what_was_to_be_said_in_another_version_is_not_said() {
    let mut lab = Lab::quiet(&[OURS]);
    lab.receive(HOST_MAC, &query(0, 5000));
    let group = solicited_node(address("2001:db8:1::1"));
    lab.receive(HOST_MAC, &query_of(Version::One, group, 100));
    lab.run(6 * SECOND);
    assert_eq!(lab.said(), [Message::Report(Report::Old(group))]);
}
