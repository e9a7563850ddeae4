//! What a link needs to work, whatever the rules, the load and the order of things: discovery of the router's own
//! addresses, and messages of the router that must leave.

use serde_json::{Value, json};

use crate::bed::{Bed, address, config, frame, host, icmp, packet, port, udp};

const HOST: &str = "2001:db8:1::9";
const ROUTER: &str = "2001:db8:1::1";
const SECOND: u64 = 1_000_000_000;

/// A solicitation by `HOST` of `target`, to an address or its group.
fn solicitation(to: &str, target: &str, hops: u8) -> Vec<u8> {
    let builder =
        etherparse::PacketBuilder::ipv6(address(HOST).octets(), address(to).octets(), hops)
            .icmpv6_raw(135, 0, [0; 4]);
    let body = [&address(target).octets()[..], &[1, 1], &host(0)].concat();
    let mut packet = Vec::new();
    builder.write(&mut packet, &body).unwrap();
    packet
}

fn change(bed: &mut Bed, op: &str, item: &Value) {
    let answer = bed.ask(json!({ "change": { "op": op, "items": [item] } }));
    assert!(answer["changed"]["error"].is_null(), "{answer}");
}

fn kinds(frames: &[Vec<u8>]) -> Vec<u8> {
    let packets = frames.iter().map(|frame| packet(frame));
    packets
        .filter(|packet| packet[6] == 58)
        .map(|packet| icmp(packet).0)
        .collect()
}

#[test]
fn a_rule_that_drops_all_leaves_neighbour_discovery_to_the_router() {
    let mut bed = Bed::pair(json!({ "filter": { "rule": [{ "action": "drop" }] } }));
    let given = |to: &str, target: &str, hops| {
        let to_router = solicitation(to, target, hops);
        frame(port(0), host(0), 0, &to_router)
    };
    // Whether the router is still there (RFC 4861 7.3): to its global address.
    let sent = bed.give(0, &given(ROUTER, ROUTER, 255));
    assert_eq!(sent.len(), 1);
    assert_eq!(icmp(packet(&sent[0].1)), (136, 0));
    // It came from beyond the link: the rule decides.
    assert_eq!(bed.give(0, &given(ROUTER, ROUTER, 254)), []);
    assert_eq!(bed.counter("dropped.filter"), 1);
    // Not for the router: the rule decides.
    assert_eq!(bed.give(0, &given("2001:db8:2::9", ROUTER, 255)), []);
    assert_eq!(bed.counter("dropped.filter"), 2);
    // No message of discovery, such as an echo request.
    let echo = crate::bed::echo(HOST, ROUTER, 255);
    assert_eq!(bed.give(0, &frame(port(0), host(0), 0, &echo)), []);
    assert_eq!(bed.counter("dropped.filter"), 3);
    bed.conserves();
}

/// The same by a rule that looks at packets: each packet of a burst for itself. What rules said is looked up in the
/// first and the third burst, and left alone in the others, as most packets were not known.
#[test]
fn a_rule_that_drops_icmpv6_leaves_neighbour_discovery_to_the_router() {
    let mut bed = Bed::pair(json!({ "filter": { "rule": [
        { "match": { "protocol": "icmpv6" }, "action": "drop" },
    ] } }));
    let across = udp(HOST, "2001:db8:2::9", 64, 1);
    let burst = [
        crate::bed::echo(HOST, ROUTER, 255),
        solicitation(ROUTER, ROUTER, 255),
        across,
        solicitation(ROUTER, ROUTER, 254),
        solicitation("2001:db8:2::9", ROUTER, 255),
    ];
    for round in 1..=4 {
        for given in &burst {
            assert!(bed.queue(0, &frame(port(0), host(0), 0, given)));
        }
        bed.round();
        let told = bed.take(0);
        assert_eq!(told.len(), 1, "{round}");
        assert_eq!(icmp(packet(&told[0])), (136, 0), "{round}");
        assert_eq!(bed.take(1).len(), 1, "{round}");
        assert_eq!(bed.counter("dropped.filter"), 3 * round);
    }
    // What is excused met no rule.
    let rules = bed.list(json!({ "what": "filter" }), 8);
    assert_eq!(rules[0]["count"]["packets"], 12, "{rules:?}");
    bed.conserves();
}

#[test]
fn an_access_port_advertises_from_its_first_address_to_its_last() {
    let mut bed = Bed::new(&config(2, &[0], true, json!({})));
    let heard = |bed: &mut Bed, seconds: u64| {
        let mut advertised = [vec![], vec![]];
        for _ in 0..seconds * 10 {
            bed.pass(SECOND / 10);
            for (vif, heard) in advertised.iter_mut().enumerate() {
                let mut frames = bed.take(vif);
                frames.retain(|frame| kinds(std::slice::from_ref(frame)) == [134]);
                heard.append(&mut frames);
            }
        }
        advertised
    };
    assert_eq!(heard(&mut bed, 60), [const { Vec::<Vec<u8>>::new() }; 2]);
    let item = json!({ "address": { "address": "2001:db8:1::1/64", "dev": "west" } });
    change(&mut bed, "add", &item);
    let [west, east] = heard(&mut bed, 60);
    assert!(west.len() >= 3 && east.is_empty(), "{}", west.len());
    let prefix = address("2001:db8:1::").octets();
    let names_it = |frame: &Vec<u8>| packet(frame).windows(16).any(|part| part == prefix);
    assert!(west.iter().all(names_it));
    let lifetime = |frame: &Vec<u8>| u16::from_be_bytes([packet(frame)[46], packet(frame)[47]]);
    assert!(west.iter().all(|frame| lifetime(frame) > 0));
    // Gone: hosts are told so, and no more.
    change(&mut bed, "delete", &item);
    let [west, _] = heard(&mut bed, 60);
    let lifetimes: Vec<u16> = west.iter().map(lifetime).collect();
    assert_eq!(lifetimes, [0, 0, 0]);
    assert_eq!(heard(&mut bed, 700), [const { Vec::<Vec<u8>>::new() }; 2]);
}

#[test]
fn what_cannot_leave_while_a_ring_is_full_leaves_later() {
    let mut bed = Bed::pair(json!({}));
    // East takes nothing: its ring fills up, and frames wait for it.
    let across = udp(HOST, "2001:db8:2::9", 64, 1);
    while bed.queue(0, &frame(port(0), host(0), 0, &across)) {
        bed.round();
    }
    for (address, dev) in [("2001:db8:7::1/64", "east"), ("2001:db8:6::1/64", "west")] {
        let item = json!({ "address": { "address": address, "dev": dev } });
        change(&mut bed, "add", &item);
    }
    for _ in 0..100 {
        bed.pass(SECOND / 10);
    }
    let state_of = |bed: &mut Bed, address: &str, dev: &str| {
        let listed = bed.list(json!({ "what": "address", "of": dev }), 64);
        let ours = listed.iter().find(|entry| entry["address"] == address);
        ours.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert!(kinds(&bed.take(0)).contains(&135), "west is not held up");
    assert_eq!(state_of(&mut bed, "2001:db8:6::1/64", "west"), "preferred");
    let state = |bed: &mut Bed| state_of(bed, "2001:db8:7::1/64", "east");
    assert_eq!(state(&mut bed), "tentative", "nothing can leave by east");
    // It takes frames again.
    let mut said = Vec::new();
    for _ in 0..20 {
        said.extend(kinds(&bed.take(1)));
        bed.round();
    }
    while !said.contains(&135) {
        bed.pass(SECOND / 100);
        said.extend(kinds(&bed.take(1)));
        assert!(bed.now_ns < 60 * SECOND);
    }
    assert_eq!(state(&mut bed), "tentative");
    bed.pass(SECOND - SECOND / 50);
    assert_eq!(state(&mut bed), "tentative", "a second for answers");
    bed.pass(SECOND / 25);
    assert_eq!(state(&mut bed), "preferred");
    bed.conserves();
}

#[test]
fn a_burst_for_a_silent_host_waits_for_it() {
    let mut bed = Bed::pair(json!({}));
    let silent = "2001:db8:2::42";
    for octets in 0..16 {
        bed.give(
            0,
            &frame(port(0), host(0), 0, &udp(HOST, silent, 64, octets)),
        );
    }
    assert_eq!(bed.counter("held"), 16);
    change(
        &mut bed,
        "add",
        &json!({ "neighbour": { "address": silent, "lladdr": "02:00:00:00:01:05", "dev": "east" } }),
    );
    bed.pass(SECOND / 1000);
    let sizes: Vec<usize> = bed
        .take(1)
        .iter()
        .map(|frame| packet(frame).len())
        .collect();
    assert_eq!(sizes, (48..64).collect::<Vec<_>>(), "all, in order");
    bed.conserves();
}

#[test]
fn the_subnet_router_anycast_address_has_the_routers_mac_address() {
    let mut bed = Bed::pair(json!({}));
    let anycast = "2001:db8:1::";
    let group = [0x33, 0x33, 0xff, 0, 0, 0];
    let asks = solicitation("ff02::1:ff00:0", anycast, 255);
    let mut told = bed.give(0, &frame(group, host(0), 0, &asks));
    for _ in 0..100 {
        bed.pass(SECOND / 100);
        told.extend(bed.take(0).into_iter().map(|frame| (0, frame)));
    }
    assert_eq!(told.len(), 1);
    let (_, frame) = &told[0];
    assert_eq!((&frame[..6], &frame[6..12]), (&host(0)[..], &port(0)[..]));
    let said = packet(frame);
    assert_eq!(icmp(said), (136, 0));
    assert_eq!(said[44] & 0xe0, 0xc0, "router, solicited, not override");
    assert_eq!(said[48..64], address(anycast).octets());
    assert_eq!(said[64..72], [&[2, 1][..], &port(0)].concat());
}
