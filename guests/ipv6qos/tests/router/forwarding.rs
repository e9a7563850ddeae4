//! Packets that go through (RFC 8200, RFC 4443 3).

use serde_json::{Value, json};

use crate::bed::{Bed, config, echo, frame, host, icmp, packet, port, udp};

const WEST: &str = "2001:db8:1::9";
const EAST: &str = "2001:db8:2::9";

#[test]
fn a_packet_is_forwarded_with_a_hop_less_and_new_addresses() {
    let mut bed = Bed::pair(json!({}));
    let given = udp(WEST, EAST, 64, 20);
    let sent = bed.give(0, &frame(port(0), host(0), 0, &given));
    let mut expected = given;
    expected[7] = 63;
    assert_eq!(sent, [(1, frame(host(1), port(1), 0, &expected))]);
    assert_eq!(bed.counter("forwarded"), 1);
}

/// Hosts on one link have one hop in common, and each its own address: in whichever order a burst has packets for
/// them. By `class`, they get this traffic class.
fn each_to_its_own_neighbour(class: Value, traffic_class: u8) {
    let mut bed = Bed::pair(json!({
        "class": class,
        "neighbour": [
            { "address": EAST, "lladdr": "02:00:00:00:01:01", "dev": "east" },
            { "address": "2001:db8:2::8", "lladdr": "02:00:00:00:01:08", "dev": "east" },
        ],
    }));
    let mut expected = Vec::new();
    for (payload, number) in [1, 8, 1, 1, 8, 8, 1].into_iter().enumerate() {
        let to = if number == 1 { EAST } else { "2001:db8:2::8" };
        let mut given = udp(WEST, to, 64, payload);
        assert!(bed.queue(0, &frame(port(0), host(0), 0, &given)));
        (given[0], given[1], given[7]) = (0x60 | traffic_class >> 4, traffic_class << 4, 63);
        expected.push(frame(host(number), port(1), 0, &given));
    }
    bed.round();
    assert_eq!(bed.take(1), expected);
    assert_eq!(bed.counter("forwarded"), 7);
    bed.conserves();
}

#[test]
fn packets_of_a_burst_go_each_to_its_own_neighbour() {
    each_to_its_own_neighbour(json!([]), 0);
}

#[test]
fn packets_that_are_given_a_class_go_each_to_its_own_neighbour() {
    // AF11 (001010).
    let class = json!([{ "match": { "protocol": "udp" }, "dscp": "AF11" }]);
    each_to_its_own_neighbour(class, 0b0010_1000);
}

#[test]
fn padding_is_left_behind() {
    let mut bed = Bed::pair(json!({}));
    let given = udp(WEST, EAST, 64, 1);
    let mut padded = frame(port(0), host(0), 0, &given);
    padded.resize(100, 0);
    let sent = bed.give(0, &padded);
    assert_eq!(packet(&sent[0].1).len(), given.len());
}

#[test]
fn the_last_hop_is_told() {
    let mut bed = Bed::pair(json!({}));
    for hops in [0, 1] {
        let given = udp(WEST, EAST, hops, 20);
        let sent = bed.give(0, &frame(port(0), host(0), 0, &given));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].0, 0);
        let error = packet(&sent[0].1);
        assert_eq!(icmp(error), (3, 0));
        assert_eq!(error[48..], given);
    }
    assert_eq!(bed.counter("dropped.hop_limit"), 2);
}

#[test]
fn an_echo_is_answered() {
    let mut bed = Bed::pair(json!({}));
    for to in ["2001:db8:1::1", "2001:db8:2::1", "fe80::ff:fe00:0"] {
        let given = echo(WEST, to, 64);
        let sent = bed.give(0, &frame(port(0), host(0), 0, &given));
        assert_eq!(sent.len(), 1, "{to}");
        let reply = packet(&sent[0].1);
        assert_eq!(icmp(reply), (129, 0));
        assert_eq!(reply[8..24], given[24..40]);
        assert_eq!(reply[48..], given[48..]);
    }
}

/// What the router sends when `given` comes in on west, as (vif, packet).
fn through(bed: &mut Bed, given: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let sent = bed.give(0, &frame(port(0), host(0), 0, given));
    sent.iter()
        .map(|(vif, frame)| (*vif, packet(frame).to_vec()))
        .collect()
}

/// That `given` is answered with an ICMPv6 error of this type and code, which quotes it, and counted.
fn refused(bed: &mut Bed, given: &[u8], error: (u8, u8), cause: &str) {
    let counter = format!("dropped.{cause}");
    let before = bed.counter(&counter);
    let sent = through(bed, given);
    assert_eq!(sent.len(), 1, "{cause}");
    assert_eq!((sent[0].0, icmp(&sent[0].1)), (0, error), "{cause}");
    assert_eq!(sent[0].1[48..], *given, "{cause}");
    assert_eq!(bed.counter(&counter), before + 1, "{cause}");
}

/// That `given` vanishes, and is counted.
fn dropped(bed: &mut Bed, given: &[u8], cause: &str) {
    let counter = format!("dropped.{cause}");
    let before = bed.counter(&counter);
    assert_eq!(through(bed, given), [], "{cause}");
    assert_eq!(bed.counter(&counter), before + 1, "{cause}");
}

#[test]
fn routes_say_what_becomes_of_packets() {
    let mut bed = Bed::pair(json!({ "route": [
        { "prefix": "2001:db8:a::/48", "type": "blackhole" },
        { "prefix": "2001:db8:b::/48", "type": "unreachable" },
        { "prefix": "2001:db8:c::/48", "type": "prohibit" },
        { "prefix": "2001:db8:d::/48", "via": "2001:db8:2::9" },
        { "prefix": "2001:db8:d::/64", "dev": "west" },
    ] }));
    dropped(&mut bed, &udp(WEST, "2001:db8:a::1", 9, 9), "blackhole");
    refused(
        &mut bed,
        &udp(WEST, "2001:db8:b::1", 9, 9),
        (1, 0),
        "unreachable",
    );
    refused(
        &mut bed,
        &udp(WEST, "2001:db8:c::1", 9, 9),
        (1, 1),
        "prohibit",
    );
    refused(
        &mut bed,
        &udp(WEST, "2001:db8:e::1", 9, 9),
        (1, 0),
        "no_route",
    );
    let sent = through(&mut bed, &udp(WEST, "2001:db8:d:1::1", 9, 9));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, 1);
}

#[test]
fn a_packet_too_big_is_told_what_fits() {
    let mut bed = Bed::new(&config(
        2,
        &[0],
        false,
        json!({
            "interface": {
                "west": { "address": ["2001:db8:1::1/64"], "dad": false },
                "east": { "address": ["2001:db8:2::1/64"], "dad": false, "mtu": 1400 },
            },
            "neighbour": [
                { "address": WEST, "lladdr": "02:00:00:00:01:00", "dev": "west" },
                { "address": EAST, "lladdr": "02:00:00:00:01:01", "dev": "east" },
            ],
        }),
    ));
    let fits = udp(WEST, EAST, 9, 1400 - 48);
    bed.settle();
    assert_eq!(through(&mut bed, &fits).len(), 1);
    let given = udp(WEST, EAST, 9, 1401 - 48);
    let sent = through(&mut bed, &given);
    let error = &sent[0].1;
    assert_eq!((sent[0].0, icmp(error)), (0, (2, 0)));
    assert_eq!(error[44..48], 1400u32.to_be_bytes());
    // As much of it as fits what each link carries.
    assert_eq!(error.len(), 1280);
    assert_eq!(error[48..], given[..1280 - 48]);
}

#[test]
fn addresses_that_are_not_forwarded() {
    let mut bed = Bed::pair(json!({
        "route": [{ "prefix": "::/0", "via": EAST }],
        "neighbour": [
            { "address": "fe80::1", "lladdr": "02:00:00:00:01:00", "dev": "west" },
            { "address": EAST, "lladdr": "02:00:00:00:01:01", "dev": "east" },
        ],
    }));
    refused(&mut bed, &udp("fe80::1", EAST, 9, 9), (1, 2), "scope");
    dropped(&mut bed, &udp(WEST, "fe80::1", 9, 9), "scope");
    dropped(&mut bed, &udp("ff02::1", EAST, 9, 9), "source");
    dropped(&mut bed, &udp("::1", EAST, 9, 9), "source");
    dropped(&mut bed, &udp("::", EAST, 9, 9), "source");
    dropped(&mut bed, &udp(WEST, "::1", 9, 9), "destination");
    dropped(&mut bed, &udp(WEST, "::", 9, 9), "destination");
    dropped(&mut bed, &udp(WEST, "ff0e::1", 9, 9), "group");
    dropped(&mut bed, &udp(WEST, "ff02::1:ff00:9", 9, 9), "group");
    // Unique local and IPv4-mapped addresses are unicast addresses.
    assert_eq!(through(&mut bed, &udp(WEST, "fd00::1", 9, 9)).len(), 1);
    assert_eq!(
        through(&mut bed, &udp(WEST, "::ffff:192.0.2.1", 9, 9)).len(),
        1
    );
}

#[test]
fn frames_that_are_not_for_the_router() {
    let mut bed = Bed::pair(json!({}));
    let given = udp(WEST, EAST, 9, 9);
    let mut give = |frame: &[u8], cause: &str| {
        let counter = format!("dropped.{cause}");
        let before = bed.counter(&counter);
        assert_eq!(bed.give(0, frame), [], "{cause}");
        assert_eq!(bed.counter(&counter), before + 1, "{cause}");
    };
    give(&frame(host(7), host(0), 0, &given), "other_station");
    give(
        &frame([0x33, 0x33, 0, 0, 0, 1], host(0), 0, &given),
        "other_station",
    );
    give(&frame(port(0), host(0), 0, &given[..39]), "truncated");
    give(
        &frame(port(0), host(0), 0, &given[..given.len() - 1]),
        "truncated",
    );
    let mut other = frame(port(0), host(0), 0, &given);
    other[14] = 2 << 5;
    give(&other, "foreign");
    other[12] = 0x86;
    give(&other, "foreign");
    let mut version = given.clone();
    version[0] = 0x45;
    give(&frame(port(0), host(0), 0, &version), "version");
    // Counted where it was for, which is not carried.
    assert_eq!(bed.give(0, &frame(port(0), host(0), 9, &given)), []);
}

#[test]
fn extension_headers_and_class_are_left_alone() {
    let mut bed = Bed::pair(json!({}));
    let mut given = udp(WEST, EAST, 9, 9);
    // A routing header with a way to go, and an unknown option, are no router's business on the way.
    given.splice(
        40..40,
        [43, 0, 0x9e, 4, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 0],
    );
    given[6] = 60;
    let octets = (given.len() - 40) as u16;
    given[4..6].copy_from_slice(&octets.to_be_bytes());
    (given[0], given[1], given[2], given[3]) = (0x6b, 0xbf, 0x12, 0x34);
    let sent = through(&mut bed, &given);
    given[7] = 8;
    assert_eq!(sent, [(1, given)]);
}

#[test]
fn no_error_is_told_of_what_could_go_round_for_ever() {
    let mut bed = Bed::pair(json!({}));
    let mut error = echo(WEST, "2001:db8:e::1", 9);
    error[40] = 1;
    dropped(&mut bed, &error, "no_route");
    let mut limited = 0;
    for _ in 0..300 {
        limited += usize::from(through(&mut bed, &udp(WEST, "2001:db8:e::1", 9, 9)).is_empty());
    }
    // A burst of 100, and what one second at 1000 a second gives in no time.
    assert_eq!(limited, 200);
    assert_eq!(bed.counter("errors.limited"), 200);
    bed.pass(1_000_000_000);
    assert_eq!(
        through(&mut bed, &udp(WEST, "2001:db8:e::1", 9, 9)).len(),
        1
    );
}

#[test]
fn a_host_is_told_of_a_better_way_on_its_link() {
    let mut bed = Bed::pair(json!({
        "route": [{ "prefix": "2001:db8:a::/48", "via": "fe80::99", "dev": "west" }],
        "neighbour": [
            { "address": WEST, "lladdr": "02:00:00:00:01:00", "dev": "west" },
            { "address": "fe80::99", "lladdr": "02:00:00:00:01:63", "dev": "west" },
        ],
    }));
    let sent = through(&mut bed, &udp(WEST, "2001:db8:a::1", 9, 9));
    let mut kinds: Vec<u8> = sent.iter().map(|(_, packet)| packet[6]).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [17, 58]);
    let redirect = &sent.iter().find(|(_, packet)| packet[6] == 58).unwrap().1;
    assert_eq!(icmp(redirect), (137, 0));
}
