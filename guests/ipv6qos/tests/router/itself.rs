//! Packets for the router itself (RFC 8200 4, RFC 4443 2.4, 3.4).

use serde_json::json;

use crate::bed::{Bed, echo, frame, host, icmp, packet, port, udp};

const HOST: &str = "2001:db8:1::9";
const ROUTER: &str = "2001:db8:1::1";

/// What is answered to a packet on west.
fn answer(bed: &mut Bed, given: &[u8]) -> Option<Vec<u8>> {
    let sent = bed.give(0, &frame(port(0), host(0), 0, given));
    assert!(sent.len() < 2);
    sent.first().map(|(vif, frame)| {
        assert_eq!(*vif, 0);
        packet(frame).to_vec()
    })
}

/// `given` with these octets behind its IPv6 header, of this kind; they begin with what was behind it.
fn with_header(given: &[u8], kind: u8, header: &[u8]) -> Vec<u8> {
    let mut packet = given.to_vec();
    packet.splice(40..40, header.iter().copied());
    packet[40] = packet[6];
    packet[6] = kind;
    let octets = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&octets.to_be_bytes());
    packet
}

#[test]
fn there_is_no_port() {
    let mut bed = Bed::pair(json!({}));
    let given = udp(HOST, ROUTER, 64, 20);
    let error = answer(&mut bed, &given).unwrap();
    assert_eq!(icmp(&error), (1, 4));
    assert_eq!(error[8..24], given[24..40]);
    assert_eq!(bed.counter("dropped.port"), 1);
}

#[test]
fn an_unknown_header_is_pointed_at() {
    let mut bed = Bed::pair(json!({}));
    let mut given = udp(HOST, ROUTER, 64, 20);
    given[6] = 200;
    let error = answer(&mut bed, &given).unwrap();
    assert_eq!((icmp(&error), &error[44..48]), ((4, 1), &[0, 0, 0, 6][..]));
}

#[test]
fn headers_in_front_of_an_echo() {
    let mut bed = Bed::pair(json!({}));
    let given = echo(HOST, ROUTER, 64);
    // Padding is passed by, an option that must be known is told, one that must be silent is not.
    for (kind, header, expected) in [
        (0, [0, 0, 1, 4, 0, 0, 0, 0], Some((129, 0))),
        (60, [0, 0, 0x3e, 4, 0, 0, 0, 0], Some((129, 0))),
        (60, [0, 0, 0x7e, 4, 0, 0, 0, 0], None),
        (60, [0, 0, 0x9e, 4, 0, 0, 0, 0], Some((4, 2))),
        (43, [0, 0, 0, 0, 0, 0, 0, 0], Some((129, 0))),
        (43, [0, 0, 0, 1, 0, 0, 0, 0], Some((4, 0))),
        // A fragment that is the whole packet (RFC 6946), and one that is not: then its length is wrong.
        (44, [0, 0, 0, 0, 0, 0, 0, 1], Some((129, 0))),
        (44, [0, 0, 0, 1, 0, 0, 0, 1], Some((4, 0))),
    ] {
        let answer = answer(&mut bed, &with_header(&given, kind, &header));
        assert_eq!(answer.as_deref().map(icmp), expected, "{kind} {header:?}");
    }
}

#[test]
fn a_wrong_checksum_is_not_answered() {
    let mut bed = Bed::pair(json!({}));
    let mut given = echo(HOST, ROUTER, 64);
    given[50] ^= 1;
    assert_eq!(answer(&mut bed, &given), None);
    assert_eq!(bed.counter("dropped.malformed"), 1);
}

#[test]
fn groups_are_answered_from_an_address_of_the_router() {
    let mut bed = Bed::pair(json!({}));
    let given = echo(HOST, "ff02::1", 64);
    let sent = bed.give(0, &frame([0x33, 0x33, 0, 0, 0, 1], host(0), 0, &given));
    assert_eq!(sent.len(), 1);
    let reply = packet(&sent[0].1);
    assert_eq!(icmp(reply), (129, 0));
    assert_eq!(reply[8..24], crate::bed::address(ROUTER).octets());
    // No errors about what goes to groups.
    let given = udp(HOST, "ff02::1", 64, 9);
    assert_eq!(
        bed.give(0, &frame([0x33, 0x33, 0, 0, 0, 1], host(0), 0, &given)),
        []
    );
}

#[test]
fn the_subnet_router_anycast_address_answers() {
    let mut bed = Bed::pair(json!({}));
    let reply = answer(&mut bed, &echo(HOST, "2001:db8:1::", 64)).unwrap();
    assert_eq!(icmp(&reply), (129, 0));
}

#[test]
fn nothing_is_answered_from_an_address_that_is_not_verified() {
    let pi = json!({
        "interface": { "west": { "address": ["2001:db8:1::1/64"] } },
        "neighbour": [{ "address": HOST, "lladdr": "02:00:00:00:01:00", "dev": "west" }],
    });
    let mut bed = Bed::new(&crate::bed::config(1, &[0], false, pi));
    assert_eq!(answer(&mut bed, &echo(HOST, ROUTER, 64)), None);
    assert_eq!(answer(&mut bed, &udp(HOST, ROUTER, 64, 1)), None);
    assert_eq!(bed.counter("dropped.not_assigned"), 1);
    bed.settle();
    assert!(answer(&mut bed, &echo(HOST, ROUTER, 64)).is_some());
}
