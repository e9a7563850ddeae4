//! Answers to echo requests (RFC 4443 4.2).

use pinode_guest_ipv6qos::icmp::{self, echo, parse};

use super::packets::{HOST, ROUTER, address, has_right_checksum, icmpv6};

const REQUEST: [u8; 15] = [
    128, 0, 0, 0, 0x12, 0x34, 0, 7, b'p', b'a', b'y', b'l', b'o', b'a', b'd',
];

#[test]
fn a_request_is_answered_from_where_it_went() {
    let mut packet = icmpv6((HOST, ROUTER), 3, (58, &[]), &REQUEST);
    // EF, ECT(0).
    packet[0] = 0x6b;
    packet[1] = 0xa0 | 0x0f;
    let octets = echo::reply(&mut packet, 40, None).expect("a reply");
    assert_eq!(octets, packet.len());
    assert_eq!(
        packet[..8],
        [0x6b, 0x80, 0, 0, 0, 15, 58, 64],
        "EF, not ECN-capable"
    );
    assert_eq!(packet[8..24], address(ROUTER).to_be_bytes());
    assert_eq!(packet[24..40], address(HOST).to_be_bytes());
    assert_eq!(packet[40..42], [129, 0]);
    assert_eq!(packet[44..], REQUEST[4..]);
    assert!(has_right_checksum(&packet));
    assert_eq!(
        parse(&packet, 40).expect("valid").message,
        icmp::Message::EchoReply
    );
}

#[test]
fn extension_headers_are_not_answered_with() {
    let options = [58, 0, 1, 4, 0, 0, 0, 0];
    let mut packet = icmpv6((HOST, ROUTER), 3, (60, &options), &REQUEST);
    let octets = echo::reply(&mut packet, 48, None).expect("a reply");
    assert_eq!(octets, 55);
    packet.truncate(octets);
    assert_eq!(packet[4..7], [0, 15, 58]);
    assert_eq!(packet[44..], REQUEST[4..]);
    assert!(has_right_checksum(&packet));
}

#[test]
fn groups_are_answered_for_by_an_address() {
    let request = icmpv6((HOST, "ff02::1"), 3, (58, &[]), &REQUEST);
    let mut packet = request.clone();
    assert_eq!(echo::reply(&mut packet, 40, None), None);
    assert_eq!(packet, request, "untouched");
    echo::reply(&mut packet, 40, Some(address(ROUTER))).expect("a reply");
    assert_eq!(packet[8..24], address(ROUTER).to_be_bytes());
    assert!(has_right_checksum(&packet));
}

#[test]
fn nobody_and_groups_are_not_answered() {
    for from in ["::", "ff02::5"] {
        let mut packet = icmpv6((from, ROUTER), 3, (58, &[]), &REQUEST);
        assert_eq!(echo::reply(&mut packet, 40, Some(1)), None, "{from}");
    }
    let mut reply = icmpv6((HOST, ROUTER), 3, (58, &[]), &[129, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(echo::reply(&mut reply, 40, None), None, "a reply");
    let mut packet = icmpv6((HOST, ROUTER), 3, (58, &[]), &REQUEST);
    for at in [0, 39, 41, 48, 200] {
        assert_eq!(echo::reply(&mut packet, at, None), None, "{at}");
    }
    for octets in 0..48 {
        assert_eq!(
            echo::reply(&mut packet[..octets], 40, None),
            None,
            "{octets}"
        );
    }
}
