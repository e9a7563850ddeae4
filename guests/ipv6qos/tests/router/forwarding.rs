//! Packets that go through (RFC 8200, RFC 4443 3).

use serde_json::json;

use crate::bed::{Bed, echo, frame, host, icmp, packet, port, udp};

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
