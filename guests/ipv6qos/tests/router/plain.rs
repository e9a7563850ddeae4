//! Frames without a PIH (`pih = "strip"`), beside the same with one: the router does the same with both, an octet
//! apart.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bed::{Bed, config, echo, frame, host, icmp, port, udp};
use crate::seeded;

const WEST: &str = "2001:db8:1::9";
const EAST: &str = "2001:db8:2::9";

fn pi() -> Value {
    json!({
        "interface": {
            "west": { "address": ["2001:db8:1::1/64"], "ra": true },
            "east": { "address": ["2001:db8:2::1/64"], "mtu": 1280 },
        },
        "neighbour": [
            { "address": WEST, "lladdr": "02:00:00:00:01:00", "dev": "west" },
            { "address": EAST, "lladdr": "02:00:00:00:01:01", "dev": "east" },
        ],
        "route": [{ "prefix": "2001:db8:bad::/48", "type": "prohibit" }],
        "class": [{ "priority": 1, "match": { "protocol": "udp", "dport": "2000" }, "dscp": "AF11" }],
        "filter": { "rule": [{ "priority": 1, "match": { "to": "2001:db8:2::bad" }, "action": "reject" }] },
    })
}

/// The same router twice: for frames with a PIH, and for frames without.
fn both() -> [Bed; 2] {
    let with = config(2, &[0], false, pi());
    let mut without = with.clone();
    without.code = None;
    without.ethertype = 0x86dd;
    [with, without].map(|config| {
        let mut bed = Bed::new(&config);
        bed.settle();
        bed
    })
}

/// A frame as it is without its PIH.
fn stripped(frame: &[u8]) -> Vec<u8> {
    assert_eq!(frame[12..15], [0x88, 0xb5, 0x20]);
    [&frame[..12], &[0x86, 0xdd], &frame[15..]].concat()
}

/// Gives `packet` at `vif` to both; what both send, without PIH, by each port.
fn same(beds: &mut [Bed; 2], vif: u8, packet: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let given = frame(port(vif), host(vif), 0, packet);
    let [with, without] = beds;
    let sent = with.give(vif.into(), &given);
    let sent: Vec<_> = sent
        .iter()
        .map(|(vif, frame)| (*vif, stripped(frame)))
        .collect();
    assert_eq!(without.give(vif.into(), &stripped(&given)), sent);
    sent
}

/// Type and code of the ICMPv6 message in a frame without PIH.
fn message(plain: &[u8]) -> (u8, u8) {
    assert_eq!(plain[12..14], [0x86, 0xdd]);
    icmp(&plain[14..])
}

#[test]
fn what_is_forwarded_is_the_same() {
    let beds = &mut both();
    for (vif, from, to) in [(0, WEST, EAST), (1, EAST, WEST)] {
        for payload in [0, 1, 20, 1200] {
            let given = udp(from, to, 64, payload);
            let sent = same(beds, vif, &given);
            let mut expected = given;
            // AF11 (001010), one hop less.
            expected[0] = 0x62;
            expected[1] = 0x80;
            expected[7] = 63;
            let out = 1 - vif;
            assert_eq!(sent.len(), 1);
            assert_eq!((sent[0].0, &sent[0].1[14..]), (out.into(), &expected[..]));
            assert_eq!(sent[0].1[..6], host(out));
        }
    }
    for bed in beds {
        assert_eq!(bed.counter("forwarded"), 8);
        bed.conserves();
    }
}

#[test]
fn what_the_router_says_is_the_same() {
    let beds = &mut both();
    for (given, expected) in [
        (echo(WEST, "2001:db8:1::1", 64), (129, 0)),
        (udp(WEST, EAST, 1, 20), (3, 0)),
        (udp(WEST, EAST, 64, 1400), (2, 0)),
        (udp(WEST, "2001:db8:bad::1", 64, 20), (1, 1)),
        (udp(WEST, "2001:db8:2::bad", 64, 20), (1, 1)),
        (udp(WEST, "2001:db8:9::1", 64, 20), (1, 0)),
        (udp(WEST, "2001:db8:1::1", 64, 20), (1, 4)),
    ] {
        let sent = same(beds, 0, &given);
        assert_eq!(sent.len(), 1, "{expected:?}");
        assert_eq!((sent[0].0, message(&sent[0].1)), (0, expected));
    }
    for bed in beds {
        bed.conserves();
    }
}

#[test]
fn an_unknown_neighbour_is_asked_for_and_answers() {
    let beds = &mut both();
    let given = udp(WEST, "2001:db8:2::77", 64, 20);
    let asked = same(beds, 0, &given);
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].0, message(&asked[0].1)), (1, (135, 0)));
    // A neighbour advertisement, solicited, with the target's MAC address.
    let router = &asked[0].1[14 + 8..14 + 24];
    let target = "2001:db8:2::77".parse::<std::net::Ipv6Addr>().unwrap();
    let body = [
        &[0x60, 0, 0, 0][..],
        &target.octets(),
        &[2, 1],
        &host(7)[..],
    ]
    .concat();
    let advertisement =
        etherparse::PacketBuilder::ipv6(target.octets(), router.try_into().unwrap(), 255)
            .icmpv6_raw(136, 0, body[..4].try_into().unwrap());
    let mut answer = Vec::new();
    advertisement.write(&mut answer, &body[4..]).unwrap();
    let released = same(beds, 1, &answer);
    assert_eq!(released.len(), 1);
    assert_eq!((released[0].0, &released[0].1[..6]), (1, &host(7)[..]));
    assert_eq!(released[0].1[14 + 40..], given[40..]);
}

#[test]
fn routers_are_advertised_alike() {
    let mut advertised = Vec::new();
    for mut bed in both() {
        let mut own = Vec::new();
        for _ in 0..100 {
            bed.pass(1_000_000_000);
            own.extend(bed.take(0));
        }
        let plain: Vec<_> = own
            .into_iter()
            .map(|frame| match frame[12..14] {
                [0x86, 0xdd] => frame,
                _ => stripped(&frame),
            })
            .collect();
        advertised.push(plain);
    }
    assert!(!advertised[0].is_empty());
    assert_eq!(advertised[0], advertised[1]);
}

#[test]
fn a_frame_of_the_other_kind_is_none() {
    let [with, without] = &mut both();
    let given = frame(port(0), host(0), 0, &udp(WEST, EAST, 64, 20));
    assert_eq!(with.give(0, &stripped(&given)), []);
    assert_eq!(without.give(0, &given), []);
    assert_eq!(with.counter("forwarded") + without.counter("forwarded"), 0);
}

proptest! {
    #![proptest_config(seeded(200))]

    /// Whatever is in it, cut off anywhere, at either port.
    #[test]
    fn any_packet_has_the_same_fate(
        vif in 0u8..2,
        to_router: bool,
        payload in 0usize..200,
        changes in prop::collection::vec((0usize..120, any::<u8>()), 0..6),
        cut in prop::option::of(0usize..120),
    ) {
        let beds = &mut both();
        let to = if to_router { "2001:db8:1::1" } else { EAST };
        let mut packet = match payload % 2 {
            0 => echo(WEST, to, 64),
            _ => udp(WEST, to, 64, payload),
        };
        for (at, octet) in changes {
            if let Some(changed) = packet.get_mut(at) {
                *changed = octet;
            }
        }
        packet.truncate(cut.unwrap_or(usize::MAX));
        same(beds, vif, &packet);
        let [with, without] = beds;
        for counter in ["forwarded", "delivered", "held", "received"] {
            prop_assert_eq!(with.counter(counter), without.counter(counter), "{}", counter);
        }
    }
}
