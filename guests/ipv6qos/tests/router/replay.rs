//! A guest that is told again what was changed of an earlier one: nothing is forwarded before that was all.

use serde_json::{Value, json};

use crate::bed::{Bed, config, echo, frame, host, icmp, packet, port, udp};

const WEST: &str = "2001:db8:1::9";
const EAST: &str = "2001:db8:2::9";

/// As [`Bed::pair`], before anything was told again.
fn restarted() -> Bed {
    let pi = json!({
        "interface": {
            "west": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east": { "address": ["2001:db8:2::1/64"], "dad": false },
        },
        "neighbour": [
            { "address": WEST, "lladdr": "02:00:00:00:01:00", "dev": "west" },
            { "address": EAST, "lladdr": "02:00:00:00:01:01", "dev": "east" },
        ],
    });
    let mut config = config(2, &[0], false, pi);
    config.replay = true;
    let mut bed = Bed::new(&config);
    bed.settle();
    bed
}

/// What is sent about a packet from west to east.
fn crosses(bed: &mut Bed, port_number: u16) -> Vec<(usize, Vec<u8>)> {
    let mut given = udp(WEST, EAST, 64, 20);
    given[42..44].copy_from_slice(&port_number.to_be_bytes());
    bed.give(0, &frame(port(0), host(0), 0, &given))
}

fn change(bed: &mut Bed, op: &str, item: Value) {
    let answer = bed.ask(json!({ "change": { "op": op, "items": [item] } }));
    assert_eq!(answer["changed"]["error"], Value::Null);
    assert_eq!(answer["changed"]["kind"], Value::Null);
}

#[test]
fn nothing_is_forwarded_before_all_was_told_again() {
    let mut bed = restarted();
    assert_eq!(crosses(&mut bed, 80), []);
    // The rules that there are so far are not all there are.
    let rule = json!({ "priority": 5, "match": { "dport": "80" }, "action": "accept" });
    change(&mut bed, "replace", json!({ "filter": rule }));
    assert_eq!(crosses(&mut bed, 80), []);
    let rule = json!({ "priority": 6, "match": { "dport": "443" }, "action": "drop" });
    change(&mut bed, "replace", json!({ "filter": rule }));
    let route = json!({ "prefix": "2001:db8:a::/48", "via": EAST });
    change(&mut bed, "replace", json!({ "route": route }));
    assert_eq!(
        (crosses(&mut bed, 80), crosses(&mut bed, 443)),
        (vec![], vec![])
    );
    // Where there is no route, nobody is told so: there may be one soon.
    let nowhere = udp(WEST, "2001:db8:ffff::1", 64, 20);
    assert_eq!(bed.give(0, &frame(port(0), host(0), 0, &nowhere)), []);
    assert_eq!(bed.counter("dropped.replay"), 5);

    let answer = bed.ask(json!({ "replayed": {} }));
    assert_eq!(answer, json!({ "replayed": {} }));
    let sent = crosses(&mut bed, 80);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, 1);
    assert_eq!(crosses(&mut bed, 443), []);
    assert_eq!(bed.counter("dropped.replay"), 5);
    assert_eq!(bed.counter("dropped.filter"), 1);
    bed.conserves();
}

#[test]
fn the_router_itself_answers_meanwhile() {
    let mut bed = restarted();
    let asked = echo(WEST, "2001:db8:1::1", 64);
    let sent = bed.give(0, &frame(port(0), host(0), 0, &asked));
    assert_eq!(sent.len(), 1);
    assert_eq!(icmp(packet(&sent[0].1)), (129, 0));
    assert_eq!(bed.counter("dropped.replay"), 0);
    bed.conserves();
}

#[test]
fn a_guest_that_is_told_nothing_again_forwards_at_once() {
    let mut bed = Bed::pair(json!({}));
    assert_eq!(crosses(&mut bed, 80).len(), 1);
    // Said once too often it does nothing.
    assert_eq!(
        bed.ask(json!({ "replayed": {} })),
        json!({ "replayed": {} })
    );
    assert_eq!(crosses(&mut bed, 80).len(), 1);
}
