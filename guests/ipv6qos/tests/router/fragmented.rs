//! Messages to the router in fragments.

use etherparse::{Icmpv6Type, PacketBuilder};
use serde_json::json;

use crate::bed::{Bed, address, echo, frame, host, icmp, packet, port};

const SOMEBODY: &str = "2001:db8:1::7";
const ROUTER: &str = "2001:db8:1::1";

/// Somebody on west asks for the router's MAC address.
fn solicitation() -> Vec<u8> {
    let kind = Icmpv6Type::Unknown {
        type_u8: 135,
        code_u8: 0,
        bytes5to8: [0; 4],
    };
    let builder =
        PacketBuilder::ipv6(address(SOMEBODY).octets(), address(ROUTER).octets(), 255).icmpv6(kind);
    let own = [&[1, 1][..], &host(7)].concat();
    let mut packet = Vec::new();
    builder
        .write(&mut packet, &[&address(ROUTER).octets()[..], &own].concat())
        .unwrap();
    packet
}

/// The same packet in one fragment, the first and the last (RFC 6946).
fn atomic(packet: &[u8]) -> Vec<u8> {
    let length = u16::from_be_bytes([packet[4], packet[5]]) + 8;
    let fragment = [packet[6], 0, 0, 0, 0, 0, 0, 7];
    let mut whole = [&packet[..40], &fragment, &packet[40..]].concat();
    whole[4..6].copy_from_slice(&length.to_be_bytes());
    whole[6] = 44;
    whole
}

/// RFC 6980 5: neighbour discovery with a fragment header is ignored, without a word and without a trace.
#[test]
fn neighbour_discovery_in_a_fragment_is_ignored() {
    let mut bed = Bed::pair(json!({}));
    let fragmented = frame(port(0), host(7), 0, &atomic(&solicitation()));
    assert_eq!(bed.give(0, &fragmented), []);
    assert_eq!(bed.counter("dropped.fragment"), 1);
    let neighbours = bed.ask(json!({ "list": { "what": "neighbour", "most": 100 } }));
    assert!(!neighbours.to_string().contains(SOMEBODY), "{neighbours}");
    // As it should be it is answered.
    let sent = bed.give(0, &frame(port(0), host(7), 0, &solicitation()));
    assert_eq!(sent.len(), 1);
    assert_eq!(icmp(packet(&sent[0].1)), (136, 0));
}

#[test]
fn an_echo_in_one_fragment_is_answered() {
    let mut bed = Bed::pair(json!({}));
    let given = atomic(&echo("2001:db8:1::9", ROUTER, 64));
    let sent = bed.give(0, &frame(port(0), host(0), 0, &given));
    assert_eq!(sent.len(), 1);
    assert_eq!(icmp(packet(&sent[0].1)), (129, 0));
}
