//! Rules that ask whether a packet is for the router, while what they said of packets like it is remembered.

use serde_json::{Value, json};

use crate::bed::{Bed, frame, host, packet, port, udp};

const WEST: &str = "2001:db8:1::9";
const ROUTER: &str = "2001:db8:1::1";
const EAST: &str = "2001:db8:2::9";
/// An address behind east that the router may have itself.
const EITHER: &str = "2001:db8:d::1";

/// The router, which drops what is for itself, with a route to `EITHER`.
fn bed() -> Bed {
    Bed::pair(json!({
        "route": [{ "prefix": "2001:db8:d::/64", "via": EAST }],
        "filter": { "rule": [{ "match": { "local": true }, "action": "drop" }] },
    }))
}

fn change(bed: &mut Bed, op: &str, item: &Value) {
    let answer = bed.ask(json!({ "change": { "op": op, "items": [item] } }));
    assert!(answer["changed"]["error"].is_null(), "{answer}");
    bed.settle();
}

/// Gives a packet to the router, which drops it or sends it on.
fn give(bed: &mut Bed, given: &[u8], dropped: bool) {
    let before = bed.counter("dropped.filter");
    let sent = bed.give(0, &frame(port(0), host(0), 0, given));
    assert_eq!(bed.counter("dropped.filter") - before, u64::from(dropped));
    if dropped {
        assert_eq!(sent, []);
    } else {
        assert_eq!(sent.len(), 1);
        let (vif, frame) = &sent[0];
        assert_eq!((*vif, &packet(frame)[40..]), (1, &given[40..]));
    }
}

/// From the first packet on, of which nothing is remembered.
#[test]
fn the_first_packet_to_the_router_is_seen_to_be_one() {
    let mut bed = bed();
    give(&mut bed, &udp(WEST, ROUTER, 64, 9), true);
    give(&mut bed, &udp(WEST, ROUTER, 64, 9), true);
    give(&mut bed, &udp(WEST, EAST, 64, 9), false);
    let rules = bed.list(json!({ "what": "filter" }), 8);
    assert_eq!(rules[0]["count"]["packets"], 2, "{rules:?}");
    bed.conserves();
}

/// The same packet is another where its destination became an address of the router, or ceased to be one, though the
/// rules are the same. At first it is one, or not.
fn comes_and_goes(mut own: bool) {
    let item = json!({ "address": { "address": format!("{EITHER}/128"), "dev": "west" } });
    let given = udp(WEST, EITHER, 64, 9);
    let mut bed = bed();
    if own {
        change(&mut bed, "add", &item);
    }
    for _ in 0..3 {
        // Some: after a burst that was not known, what is remembered is not asked for the next.
        for _ in 0..4 {
            give(&mut bed, &given, own);
        }
        own = !own;
        change(&mut bed, if own { "add" } else { "delete" }, &item);
    }
    bed.conserves();
}

#[test]
fn what_was_said_of_packets_going_on_is_not_said_of_those_to_the_router() {
    comes_and_goes(false);
}

#[test]
fn what_was_said_of_packets_to_the_router_is_not_said_of_those_going_on() {
    comes_and_goes(true);
}
