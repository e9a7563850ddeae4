//! The router's own addresses: verified, answered for, defended (RFC 4862 5.4, RFC 4861 7.2.4).

use pinode_guest_ipv6qos::control::item::Mac;
use pinode_guest_ipv6qos::control::view::AddressState;
use pinode_guest_ipv6qos::icmp;
use pinode_guest_ipv6qos::neighbour::{Event, Limits, LinkError, Message, link_local};

use super::lab::{
    HOST_MAC, Lab, MS, OTHER_MAC, ROUTER, ROUTER_MAC, SECOND, address, advertisement, interface,
    solicitation,
};

const OURS: &str = "2001:db8:1::1/64";

fn state(lab: &Lab, of: &str) -> Option<AddressState> {
    lab.discovery.address_state(interface(0, 0), address(of))
}

/// A link that verifies, run until the probe for `ours` was sent; its nonce.
fn probing(ours: u128) -> (Lab, icmp::Nonce) {
    let mut lab = Lab::empty(Limits::default());
    lab.link(interface(0, 0), true, None, &[OURS]);
    for _ in 0..1000 {
        lab.run(MS);
        let probe = lab
            .log
            .messages
            .iter()
            .find_map(|(_, said)| match said.message {
                Message::Solicitation {
                    source: 0,
                    target,
                    to: None,
                    nonce,
                } if target == ours => nonce,
                _ => None,
            });
        if let Some(nonce) = probe {
            return (lab, nonce);
        }
    }
    panic!("no probe within MAX_RTR_SOLICITATION_DELAY");
}

#[test]
fn the_link_local_address_is_made_of_the_mac_address() {
    // RFC 4291, appendix A: 34-56-78-9A-BC-DE.
    let mac = Mac([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
    assert_eq!(link_local(mac), address("fe80::3656:78ff:fe9a:bcde"));
    assert_eq!(link_local(ROUTER_MAC), address(ROUTER));
}

#[test]
fn an_address_is_used_after_nobody_answered_for_it() {
    let ours = address("2001:db8:1::1");
    let (mut lab, _) = probing(ours);
    lab.run(SECOND - MS);
    assert_eq!(state(&lab, "2001:db8:1::1"), Some(AddressState::Tentative));
    assert!(
        !lab.log
            .events
            .contains(&Event::Preferred(interface(0, 0), ours))
    );
    assert_eq!(
        lab.discovery
            .source_for(interface(0, 0), address("2001:db8:9::1")),
        None
    );
    lab.run(MS);
    assert_eq!(state(&lab, "2001:db8:1::1"), Some(AddressState::Preferred));
    assert!(
        lab.log
            .events
            .contains(&Event::Preferred(interface(0, 0), ours))
    );
    let told = Message::Advertisement {
        target: ours,
        to: None,
    };
    assert!(lab.said().contains(&told));
    let from = lab
        .discovery
        .source_for(interface(0, 0), address("2001:db8:9::1"));
    assert_eq!(from, Some(ours));
}

#[test]
fn who_claims_a_tentative_address_has_it() {
    let ours = address("2001:db8:1::1");
    let claims = [
        solicitation(0, ours, None, None),
        solicitation(0, ours, None, Some([9; 6])),
        advertisement(ours, [false, false, true], Some(OTHER_MAC)),
        advertisement(ours, [false, false, false], None),
    ];
    for claim in claims {
        let (mut lab, _) = probing(ours);
        lab.said();
        lab.receive(OTHER_MAC, &claim);
        lab.run(3 * SECOND);
        assert_eq!(state(&lab, "2001:db8:1::1"), Some(AddressState::Duplicated));
        assert!(
            lab.log
                .events
                .contains(&Event::Duplicated(interface(0, 0), ours))
        );
        // It is not answered for.
        lab.said();
        lab.receive(
            HOST_MAC,
            &solicitation(address("fe80::aa"), ours, Some(HOST_MAC), None),
        );
        assert_eq!(lab.said(), []);
        assert_eq!(
            state(&lab, ROUTER),
            Some(AddressState::Preferred),
            "another address"
        );
    }
}

/// What a router has just said to all of its link, heard by another that sends with `mac`.
fn heard(from: &mut Lab, to: &mut Lab, mac: Mac) {
    for message in from.said() {
        let (packet, _) = from.write(message);
        // Reports of groups have a header before the message, and say nothing of addresses.
        if let Ok(received) = icmp::parse(&packet, 40) {
            to.receive(mac, &received);
        }
    }
}

#[test]
fn two_routers_with_one_address_notice_whatever_their_mac_addresses_are() {
    let ours = address("2001:db8:1::1");
    // Lab's links all have ROUTER_MAC, as if two nodes had been given the same one.
    let mut first = Lab::quiet(&[OURS]);
    let (mut second, _) = probing(ours);
    heard(&mut second, &mut first, ROUTER_MAC);
    heard(&mut first, &mut second, ROUTER_MAC);
    second.run(3 * SECOND);
    assert_eq!(
        state(&second, "2001:db8:1::1"),
        Some(AddressState::Duplicated)
    );
    assert_eq!(
        state(&first, "2001:db8:1::1"),
        Some(AddressState::Preferred),
        "who had it keeps it"
    );
}

#[test]
fn our_own_probe_come_back_claims_nothing() {
    let ours = address("2001:db8:1::1");
    let (mut lab, nonce) = probing(ours);
    lab.receive(ROUTER_MAC, &solicitation(0, ours, None, Some(nonce)));
    // Who resolves the address while it is tentative is not answered, and claims nothing.
    lab.said();
    lab.receive(
        HOST_MAC,
        &solicitation(address("fe80::aa"), ours, Some(HOST_MAC), None),
    );
    assert_eq!(lab.said(), []);
    lab.run(SECOND);
    assert_eq!(state(&lab, "2001:db8:1::1"), Some(AddressState::Preferred));
}

#[test]
fn a_removed_address_may_be_verified_again() {
    let ours = address("2001:db8:1::1");
    let (mut lab, _) = probing(ours);
    lab.receive(OTHER_MAC, &solicitation(0, ours, None, None));
    let at = interface(0, 0);
    let removed = lab.discovery.remove_address(lab.now_ns, at, ours);
    assert_eq!(removed, Ok(OURS.parse().expect("an address")));
    lab.discovery
        .add_address(lab.now_ns, at, OURS.parse().expect("an address"))
        .expect("room");
    lab.run(3 * SECOND);
    assert_eq!(state(&lab, "2001:db8:1::1"), Some(AddressState::Preferred));
}

#[test]
fn questions_are_answered_where_they_come_from() {
    let (ours, host) = (address("2001:db8:1::1"), address("2001:db8:1::aa"));
    let answer = |mac| Message::Advertisement {
        target: ours,
        to: Some((host, mac)),
    };
    let mut lab = Lab::quiet(&[OURS]);
    // Without its MAC address in the message, and not known: the frame's sender.
    lab.receive(OTHER_MAC, &solicitation(host, ours, None, None));
    assert_eq!(lab.said(), [answer(OTHER_MAC)]);
    lab.receive(OTHER_MAC, &solicitation(host, ours, Some(HOST_MAC), None));
    assert_eq!(lab.said(), [answer(HOST_MAC)]);
    // Known now.
    lab.receive(OTHER_MAC, &solicitation(host, ours, None, None));
    assert_eq!(lab.said(), [answer(HOST_MAC)]);
    // Somebody verifies our address: all nodes hear that it is taken.
    lab.receive(OTHER_MAC, &solicitation(0, ours, None, None));
    let to_all = Message::Advertisement {
        target: ours,
        to: None,
    };
    assert_eq!(lab.said(), [to_all]);
    // Nobody's business.
    lab.receive(
        OTHER_MAC,
        &solicitation(host, address("2001:db8:1::2"), None, None),
    );
    assert_eq!(lab.said(), []);
}

#[test]
fn our_addresses_are_defended_within_bounds() {
    let ours = address("2001:db8:1::1");
    let mut lab = Lab::quiet(&[OURS]);
    // Our own, come back.
    lab.receive(
        ROUTER_MAC,
        &advertisement(ours, [true, false, true], Some(ROUTER_MAC)),
    );
    assert_eq!(lab.said(), []);
    for _ in 0..1000 {
        lab.receive(
            OTHER_MAC,
            &advertisement(ours, [false, false, true], Some(OTHER_MAC)),
        );
        lab.receive(OTHER_MAC, &solicitation(0, ours, None, None));
    }
    assert_eq!(lab.said().len(), 10, "at once");
    assert_eq!(lab.discovery.ignored().conflicts, 1000);
    assert_eq!(lab.discovery.ignored().unanswered, 1990);
    assert_eq!(state(&lab, "2001:db8:1::1"), Some(AddressState::Preferred));
    lab.run(SECOND);
    for _ in 0..1000 {
        lab.receive(OTHER_MAC, &solicitation(0, ours, None, None));
    }
    assert_eq!(lab.said().len(), 10, "a second");
}

#[test]
fn addresses_are_bounded_and_named_once() {
    let at = interface(0, 0);
    let mut lab = Lab::quiet(&[OURS]);
    let ours = OURS.parse().expect("an address");
    assert_eq!(
        lab.discovery.add_address(0, at, ours),
        Err(LinkError::AddressExists)
    );
    assert_eq!(
        lab.discovery.remove_address(0, at, address("2001:db8::7")),
        Err(LinkError::AddressUnknown)
    );
    assert_eq!(
        lab.discovery.remove_address(0, at, address(ROUTER)),
        Err(LinkError::LinkLocal)
    );
    assert_eq!(
        lab.discovery.add_address(0, interface(1, 0), ours),
        Err(LinkError::Unknown)
    );
    let mut added = 2;
    let error = loop {
        let next = format!("2001:db8:{added}::1/64")
            .parse()
            .expect("an address");
        match lab.discovery.add_address(0, at, next) {
            Ok(()) => added += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(added, pinode_guest_ipv6qos::neighbour::ADDRESSES);
    assert!(error.to_string().contains("allowed: 17"), "{error}");
    assert_eq!(lab.discovery.addresses(at).count(), added);
    let first = lab.discovery.addresses(at).next().expect("one");
    assert_eq!(first.0.address, address(ROUTER));
}

#[test]
fn sources_are_of_the_scope_and_network_of_the_destination() {
    let mut lab = Lab::quiet(&[OURS, "2001:db8:2::1/64"]);
    lab.link(interface(1, 0), false, None, &["2001:db8:3::1/64"]);
    lab.link(interface(2, 0), false, None, &[]);
    lab.link(interface(2, 1), false, None, &[]);
    let from = |vif, vn, to| lab.discovery.source_for(interface(vif, vn), address(to));
    assert_eq!(from(0, 0, "2001:db8:2::9"), Some(address("2001:db8:2::1")));
    assert_eq!(from(0, 0, "2001:db8:3::9"), Some(address("2001:db8:2::1")));
    assert_eq!(from(0, 0, "fe80::9"), Some(address(ROUTER)));
    assert_eq!(from(0, 0, "ff02::1"), Some(address(ROUTER)));
    assert_eq!(
        from(2, 0, "2001:db8:3::9"),
        Some(address("2001:db8:3::1")),
        "another interface's"
    );
    assert_eq!(from(2, 1, "2001:db8:3::9"), None, "never another network's");
}

#[test]
fn an_address_of_ours_is_no_neighbours() {
    let at = interface(0, 0);
    let mut lab = Lab::quiet(&[OURS]);
    let (known, asked) = (address("2001:db8:1::aa"), address("2001:db8:1::bb"));
    lab.receive(
        HOST_MAC,
        &solicitation(known, address("2001:db8:1::1"), Some(HOST_MAC), None),
    );
    lab.resolve(asked, 1);
    for own in ["2001:db8:1::aa/64", "2001:db8:1::bb/64"] {
        let own = own.parse().expect("an address");
        lab.discovery
            .add_address(lab.now_ns, at, own)
            .expect("room");
    }
    assert!(lab.discovery.find(at, known).is_none());
    let claim = advertisement(asked, [false, true, true], Some(OTHER_MAC));
    lab.receive(OTHER_MAC, &claim);
    lab.run(3 * SECOND);
    assert_eq!(
        lab.frames(),
        [(pinode_guest_ipv6qos::neighbour::Fate::Unreachable, 1)]
    );
    lab.run(3 * SECOND);
    assert_eq!(lab.discovery.len(), (0, 0, 0));
}

#[test]
fn an_address_is_not_used_before_its_probe_has_left() {
    let ours = address("2001:db8:1::1");
    let mut lab = Lab::empty(Limits::default());
    // Nothing can leave, from before the first probe on.
    lab.out.held_up = u32::MAX;
    lab.link(interface(0, 0), true, None, &[OURS]);
    lab.run(20 * SECOND);
    lab.out.held_up = 0;
    let of_ours = Some(AddressState::Tentative);
    assert_eq!(state(&lab, "2001:db8:1::1"), of_ours);
    let is_probe = |said: &Message| matches!(said, Message::Solicitation { source: 0, target, .. } if *target == ours);
    while !lab.out.messages.iter().any(|said| is_probe(&said.message)) {
        lab.now_ns += MS;
        lab.discovery.tick(lab.now_ns, &mut lab.out);
        assert!(lab.now_ns < 30 * SECOND);
    }
    // Nor while the probe itself waits to leave, however long.
    lab.out.held_up = u32::MAX;
    lab.run(20 * SECOND);
    assert_eq!(state(&lab, "2001:db8:1::1"), of_ours);
    assert!(
        !lab.log
            .messages
            .iter()
            .any(|(_, said)| is_probe(&said.message))
    );
    lab.out.held_up = 0;
    lab.drain();
    assert!(lab.said().iter().any(is_probe), "it was kept");
    lab.run(SECOND - MS);
    assert_eq!(
        state(&lab, "2001:db8:1::1"),
        of_ours,
        "a second for answers"
    );
    lab.run(2 * MS);
    assert_eq!(state(&lab, "2001:db8:1::1"), Some(AddressState::Preferred));
}
