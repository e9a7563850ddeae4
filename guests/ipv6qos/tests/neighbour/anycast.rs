//! The subnet-router anycast address (RFC 4291 2.6.1): ours, and perhaps other routers' too.

use pinode_guest_ipv6qos::icmp::{self, solicited_node};
use pinode_guest_ipv6qos::neighbour::{Limits, Message};

use super::lab::{HOST_MAC, Lab, OTHER_MAC, SECOND, address, interface, solicitation};

const OURS: &str = "2001:db8:1::1/64";
const ANYCAST: &str = "2001:db8:1::";
const HOST: &str = "2001:db8:1::aa";

/// What is said of the anycast address within a second, and when.
fn answers(lab: &mut Lab) -> Vec<(u64, Message)> {
    let start_ns = lab.now_ns;
    lab.log.messages.clear();
    lab.run(SECOND);
    let messages = lab.log.messages.drain(..);
    messages
        .map(|(at_ns, said)| (at_ns - start_ns, said.message))
        .collect()
}

#[test]
fn who_asks_for_it_is_told_after_a_while() {
    let mut lab = Lab::quiet(&[OURS]);
    assert!(
        lab.discovery
            .listens(interface(0, 0), solicited_node(address(ANYCAST)))
    );
    let answer = Message::Advertisement {
        target: address(ANYCAST),
        to: Some((address(HOST), HOST_MAC)),
    };
    let mut delays = Vec::new();
    for _ in 0..20 {
        let asks = solicitation(address(HOST), address(ANYCAST), Some(HOST_MAC), None);
        lab.receive(HOST_MAC, &asks);
        let said = answers(&mut lab);
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].1, answer);
        delays.push(said[0].0);
    }
    delays.dedup();
    assert!(delays.len() > 10, "at different times: {delays:?}");

    let (packet, written) = lab.write(answer);
    assert_eq!(written.destination, HOST_MAC);
    // From an address that is ours alone; a router answers, and does not override (RFC 4861 7.2.7).
    let source: [u8; 16] = packet[8..24].try_into().expect("16 octets");
    assert_eq!(u128::from_be_bytes(source), address("2001:db8:1::1"));
    let received = icmp::parse(&packet, 40).expect("valid");
    let icmp::Message::Advertisement(said) = received.message else {
        panic!("{received:?}");
    };
    assert_eq!(said.target, address(ANYCAST));
    assert_eq!(
        (said.router, said.solicited, said.overrides),
        (true, true, false)
    );
}

#[test]
fn it_is_neither_verified_nor_defended() {
    let mut lab = Lab::quiet(&[OURS]);
    lab.receive(
        OTHER_MAC,
        &solicitation(0, address(ANYCAST), None, Some([1; 6])),
    );
    assert_eq!(answers(&mut lab), []);
    // Nor is it a neighbour's.
    let from_it = solicitation(
        address(ANYCAST),
        address("2001:db8:1::1"),
        Some(OTHER_MAC),
        None,
    );
    lab.receive(OTHER_MAC, &from_it);
    assert_eq!(lab.discovery.len(), (0, 0, 0));
}

#[test]
fn it_is_ours_while_we_have_an_address_in_use_there() {
    let mut lab = Lab::empty(Limits::default());
    lab.link(
        interface(0, 0),
        true,
        None,
        &[OURS, "2001:db8:2::/64", "2001:db8:3::2/127"],
    );
    let asks = |target: &str| solicitation(address(HOST), address(target), Some(HOST_MAC), None);
    lab.receive(HOST_MAC, &asks(ANYCAST));
    let told = |lab: &mut Lab| {
        let said = answers(lab);
        let of_it =
            |said: &&(u64, Message)| matches!(said.1, Message::Advertisement { to: Some(_), .. });
        said.iter().filter(of_it).count()
    };
    assert_eq!(told(&mut lab), 0, "not verified yet");
    lab.run(10 * SECOND);
    lab.receive(HOST_MAC, &asks(ANYCAST));
    assert_eq!(told(&mut lab), 1);
    // An address of our own that looks like one; two addresses on a link between routers (RFC 6164).
    lab.receive(HOST_MAC, &asks("2001:db8:2::"));
    assert_eq!(lab.said().len(), 1, "at once");
    lab.receive(HOST_MAC, &asks("2001:db8:3::2"));
    assert_eq!(lab.said().len(), 1, "at once");
    // That of link-local addresses is not told of.
    lab.receive(HOST_MAC, &asks("fe80::"));
    assert_eq!(told(&mut lab), 0);

    // Taken away while an answer waits: it is not given.
    lab.receive(HOST_MAC, &asks(ANYCAST));
    lab.discovery
        .remove_address(lab.now_ns, interface(0, 0), address("2001:db8:1::1"))
        .expect("it is there");
    let said = answers(&mut lab);
    let mut packet = [0; 1280];
    for (_, message) in said {
        if let Message::Advertisement { to: Some(_), .. } = message {
            let outgoing = pinode_guest_ipv6qos::neighbour::Outgoing {
                interface: interface(0, 0),
                message,
            };
            assert_eq!(lab.discovery.write(&outgoing, &mut packet), None);
        }
    }
    lab.receive(HOST_MAC, &asks(ANYCAST));
    assert_eq!(told(&mut lab), 0);
}

#[test]
fn answers_are_bounded() {
    let mut lab = Lab::quiet(&[OURS]);
    for number in 0..100u128 {
        let asks = solicitation(
            address(HOST) + number,
            address(ANYCAST),
            Some(HOST_MAC),
            None,
        );
        lab.receive(HOST_MAC, &asks);
    }
    assert_eq!(answers(&mut lab).len(), 8);
    assert_eq!(lab.discovery.ignored().unanswered, 92);
}
