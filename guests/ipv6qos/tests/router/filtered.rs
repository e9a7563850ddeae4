//! Packets that a filter lets pass, or not.

use etherparse::PacketBuilder;
use serde_json::json;

use crate::bed::{Bed, address, echo, frame, host, packet, port, udp};

const WEST: &str = "2001:db8:1::9";
const EAST: &str = "2001:db8:2::9";

/// UDP from east to west, from this port to port 1000.
fn back(from: u16) -> Vec<u8> {
    let (east, west) = (address(EAST).octets(), address(WEST).octets());
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv6(east, west, 64).udp(from, 1000);
    builder.write(&mut packet, &[0xa5; 9]).unwrap();
    packet
}

/// An error of east about `quoted`: its port is unreachable.
fn error(quoted: &[u8]) -> Vec<u8> {
    let (east, west) = (address(EAST).octets(), address(WEST).octets());
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv6(east, west, 64).icmpv6_raw(1, 4, [0; 4]);
    builder.write(&mut packet, quoted).unwrap();
    packet
}

/// Each packet of a burst has its own verdict, and those that pass keep their order: packets of a flow, errors about
/// it, which no rule is asked about, and others between them.
#[test]
fn packets_of_a_burst_pass_or_not_each_for_itself() {
    let mut bed = Bed::pair(json!({ "filter": { "rule": [
        { "priority": 1, "match": { "from": "2001:db8:1::/64", "protocol": "udp" }, "action": "track" },
        { "priority": 2, "action": "drop" },
    ] } }));
    let asked = udp(WEST, EAST, 64, 9);
    assert_eq!(bed.give(0, &frame(port(0), host(0), 0, &asked)).len(), 1);
    let (answer, stranger) = (back(2000), back(2001));
    let (about_it, about_another) = (error(&asked), error(&udp(WEST, EAST, 64, 9)[..39]));
    let burst = [
        (&stranger, false),
        (&about_it, true),
        (&answer, true),
        (&about_another, false),
        (&stranger, false),
        (&answer, true),
        (&about_it, true),
    ];
    let mut expected = Vec::new();
    for (given, passes) in burst {
        assert!(bed.queue(1, &frame(port(1), host(1), 0, given)));
        if passes {
            let mut sent = given.clone();
            sent[7] -= 1;
            expected.push(sent);
        }
    }
    bed.round();
    let sent = bed.take(0);
    let sent: Vec<&[u8]> = sent.iter().map(|frame| packet(frame)).collect();
    assert_eq!(sent, expected);
    assert_eq!(bed.counter("dropped.filter"), 3);
    // Errors about flows met no rule, nor did answers.
    let rules = bed.list(json!({ "what": "filter" }), 8);
    let counts = rules
        .iter()
        .map(|rule| rule["count"]["packets"].as_u64().unwrap());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 3], "{rules:?}");
    bed.conserves();
}

/// Equal packets of a burst are looked up once and counted each: one way, the other way, and by turns with another
/// flow's.
#[test]
fn equal_packets_of_a_burst_are_all_counted() {
    let mut bed = Bed::pair(json!({ "filter": { "rule": [
        { "priority": 1, "match": { "from": "2001:db8:1::/64", "protocol": "udp" }, "action": "track" },
        { "priority": 2, "action": "drop" },
    ] } }));
    // What `back` from this port answers.
    let there = |to: u16| {
        let mut packet = udp(WEST, EAST, 64, 9);
        packet[42..44].copy_from_slice(&to.to_be_bytes());
        packet
    };
    let give = |bed: &mut Bed, vif: u8, packets: &[Vec<u8>]| {
        for packet in packets {
            assert!(bed.queue(vif.into(), &frame(port(vif), host(vif), 0, packet)));
        }
        bed.round();
        assert_eq!(bed.take(usize::from(1 - vif)).len(), packets.len());
    };
    let counts = |bed: &mut Bed| {
        let mut flows: Vec<(u64, [u64; 2])> = bed
            .list(json!({ "what": "flow" }), 8)
            .iter()
            .map(|flow| {
                let packets = [0, 1].map(|way| flow["packets"][way].as_u64().unwrap());
                (flow["dport"].as_u64().unwrap(), packets)
            })
            .collect();
        flows.sort_unstable();
        flows
    };
    // Both flows are made, and become established.
    for (vif, packets) in [
        (0, [there(2000), there(2001)]),
        (1, [back(2000), back(2001)]),
    ] {
        give(&mut bed, vif, &packets);
    }
    give(&mut bed, 0, &[there(2000), there(2001)]);
    assert_eq!(counts(&mut bed), [(2000, [2, 1]), (2001, [2, 1])]);
    give(&mut bed, 0, &vec![there(2000); 40]);
    assert_eq!(counts(&mut bed), [(2000, [42, 1]), (2001, [2, 1])]);
    give(&mut bed, 1, &vec![back(2000); 40]);
    assert_eq!(counts(&mut bed), [(2000, [42, 41]), (2001, [2, 1])]);
    let turns = |at: u16| 2000 + at / 3 % 2;
    // Thirteen runs of three and one of one: seven of the first flow, seven of the other.
    give(
        &mut bed,
        0,
        &(0..40).map(|at| there(turns(at))).collect::<Vec<_>>(),
    );
    assert_eq!(counts(&mut bed), [(2000, [63, 41]), (2001, [21, 1])]);
    give(
        &mut bed,
        1,
        &(0..40).map(|at| back(turns(at))).collect::<Vec<_>>(),
    );
    assert_eq!(counts(&mut bed), [(2000, [63, 62]), (2001, [21, 20])]);
    bed.conserves();
}

/// A rule that looks at nothing judges and counts all packets, those for the router, too.
#[test]
fn a_rule_for_all_judges_all() {
    for (action, passes) in [("drop", false), ("accept", true)] {
        let mut bed = Bed::pair(json!({ "filter": { "rule": [{ "action": action }] } }));
        let given = [
            udp(WEST, EAST, 64, 9),
            echo(WEST, EAST, 64),
            echo(WEST, "2001:db8:1::1", 64),
        ];
        for given in &given {
            assert!(bed.queue(0, &frame(port(0), host(0), 0, given)));
        }
        bed.round();
        assert_eq!(bed.take(1).len(), if passes { 2 } else { 0 });
        assert_eq!(bed.take(0).len(), usize::from(passes));
        assert_eq!(bed.counter("dropped.filter"), if passes { 0 } else { 3 });
        let rules = bed.list(json!({ "what": "filter" }), 8);
        let octets: usize = given.iter().map(Vec::len).sum();
        assert_eq!(rules[0]["count"]["packets"], 3, "{rules:?}");
        assert_eq!(rules[0]["count"]["octets"], octets, "{rules:?}");
        bed.conserves();
    }
}
