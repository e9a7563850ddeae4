//! What strangers cannot do (RFC 6583, RFC 4861 11).

use pinode_guest_ipv6qos::control::view::Reachability;
use pinode_guest_ipv6qos::neighbour::cache::{ASKED, PER_NEIGHBOUR, PER_NEIGHBOUR_CROWDED};
use pinode_guest_ipv6qos::neighbour::{Fate, Filter, Limits, Message, NeighbourError};
use pinode_guest_runtime::HELD;

use super::lab::{
    HOST_MAC, Lab, MS, OTHER_MAC, SECOND, address, advertisement, interface, solicitation,
};

const OURS: &str = "2001:db8:1::1/64";

fn small(neighbours: u32) -> Lab {
    let limits = Limits {
        neighbours,
        ..Limits::default()
    };
    let mut lab = Lab::empty(limits);
    lab.link(interface(0, 0), false, None, &[OURS]);
    lab.run(10 * SECOND);
    lab.said();
    lab
}

fn host(number: u32) -> u128 {
    address("2001:db8:1::1:0:0") + u128::from(number)
}

/// Makes neighbours that answered.
fn meet(lab: &mut Lab, hosts: std::ops::Range<u32>) {
    for number in hosts {
        lab.resolve(host(number), number);
        lab.receive(
            HOST_MAC,
            &advertisement(host(number), [false, true, true], Some(HOST_MAC)),
        );
        lab.run(3 * MS);
    }
    lab.said();
    lab.frames();
}

#[test]
fn the_oldest_frames_make_room() {
    let mut lab = Lab::quiet(&[OURS]);
    let most = PER_NEIGHBOUR as u32;
    for frame in 0..most + 2 {
        lab.resolve(host(0), frame);
    }
    assert_eq!(lab.frames(), [(Fate::Overflow, 0), (Fate::Overflow, 1)]);
    assert_eq!(lab.said().len(), 1, "one question for all");
    lab.receive(
        HOST_MAC,
        &advertisement(host(0), [false, true, true], Some(HOST_MAC)),
    );
    let sent = Fate::Send(interface(0, 0), HOST_MAC);
    let in_order: Vec<_> = (2..most + 2).map(|frame| (sent, frame)).collect();
    assert_eq!(lab.frames(), in_order);
    assert_eq!(lab.discovery.len(), (1, 0, 0));
}

#[test]
fn where_many_wait_few_wait_for_one() {
    let mut lab = Lab::quiet(&[OURS]);
    for number in 0..HELD as u32 / 2 {
        lab.resolve(host(number), number);
        lab.run(4 * MS);
    }
    lab.frames();
    for frame in 1000..1010 {
        lab.resolve(host(500), frame);
    }
    let few = PER_NEIGHBOUR_CROWDED as u32;
    let overflow: Vec<_> = (1000..1010 - few)
        .map(|frame| (Fate::Overflow, frame))
        .collect();
    assert_eq!(lab.frames(), overflow);
}

#[test]
fn frames_are_bounded_altogether() {
    let mut lab = Lab::quiet(&[OURS]);
    for number in 0..300 {
        lab.resolve(host(number), number);
        lab.run(4 * MS);
    }
    let (_, unresolved, held) = lab.discovery.len();
    assert_eq!((unresolved, held), (300, HELD));
    let overflow: Vec<_> = (0..300 - HELD as u32)
        .map(|frame| (Fate::Overflow, frame))
        .collect();
    assert_eq!(lab.frames(), overflow, "the oldest of all");
}

#[test]
fn a_scan_displaces_no_neighbour_and_is_slowed_down() {
    let mut lab = small(64);
    meet(&mut lab, 0..48);
    assert_eq!(lab.discovery.len(), (48, 0, 0));
    let start_ns = lab.now_ns;
    for number in 1000..11_000 {
        lab.resolve(host(number), number);
        if number % 10 == 0 {
            lab.run(MS);
        }
        let (resolved, unresolved, held) = lab.discovery.len();
        assert!(resolved == 48 && unresolved <= 16 && held <= 16 * PER_NEIGHBOUR);
    }
    let asked = lab.discovery.counts().asked - 48;
    let most = u64::from(ASKED.1) + u64::from(ASKED.0) * (lab.now_ns - start_ns) / SECOND + 1;
    assert!(asked <= most, "{asked} of {most}");
    let solicitations = lab.said().len() as u64;
    assert!(solicitations <= 3 * asked, "{solicitations}");
    let frames = lab.frames();
    assert_eq!(
        frames.len() + lab.discovery.len().2,
        10_000,
        "no frame is lost"
    );
}

#[test]
fn a_scanned_link_still_resolves() {
    let mut lab = small(64);
    for number in 1000..3000 {
        lab.resolve(host(number), number);
    }
    lab.run(100 * MS);
    lab.frames();
    lab.resolve(host(1), 1);
    lab.receive(
        HOST_MAC,
        &advertisement(host(1), [false, true, true], Some(HOST_MAC)),
    );
    assert_eq!(
        lab.frames().last(),
        Some(&(Fate::Send(interface(0, 0), HOST_MAC), 1))
    );
}

#[test]
fn what_nodes_say_unasked_displaces_only_the_like() {
    let mut lab = small(64);
    meet(&mut lab, 0..40);
    // Those that answered are idle now.
    lab.run(60 * SECOND);
    for number in 1000..2000 {
        let says = solicitation(
            host(number),
            address("2001:db8:1::1"),
            Some(OTHER_MAC),
            None,
        );
        lab.receive(OTHER_MAC, &says);
    }
    assert_eq!(lab.discovery.len(), (48, 0, 0));
    for number in 0..40 {
        assert!(
            lab.discovery.find(interface(0, 0), host(number)).is_some(),
            "{number}"
        );
    }
    // A neighbour that answers has its place before those that never did.
    meet(&mut lab, 40..48);
    assert_eq!(lab.discovery.len(), (48, 0, 0));
    for number in 0..48 {
        assert!(
            lab.discovery.find(interface(0, 0), host(number)).is_some(),
            "{number}"
        );
    }
    // Then, before those that are idle.
    meet(&mut lab, 48..49);
    assert!(lab.discovery.find(interface(0, 0), host(0)).is_none());
    assert!(lab.discovery.find(interface(0, 0), host(48)).is_some());
}

#[test]
fn what_waited_is_sent_even_if_there_is_no_place_to_remember() {
    let mut lab = small(16);
    meet(&mut lab, 0..12);
    lab.resolve(host(99), 99);
    lab.receive(
        OTHER_MAC,
        &advertisement(host(99), [false, true, true], Some(OTHER_MAC)),
    );
    assert_eq!(lab.frames(), [(Fate::Send(interface(0, 0), OTHER_MAC), 99)]);
    assert_eq!(lab.discovery.len(), (12, 0, 0), "all are in use");
    assert!(lab.discovery.find(interface(0, 0), host(99)).is_none());
}

#[test]
fn only_addresses_of_the_link_are_believed_unasked() {
    let ours = address("2001:db8:1::1");
    let mut lab = Lab::quiet(&[OURS, "2001:db8:7::1/128"]);
    for stranger in ["2001:db8:2::5", "2001:db8:7::1", "2001:db8:1::1", "::1"] {
        lab.receive(
            OTHER_MAC,
            &solicitation(address(stranger), ours, Some(OTHER_MAC), None),
        );
    }
    // Our own MAC address, said by another.
    let us = super::lab::ROUTER_MAC;
    lab.receive(OTHER_MAC, &solicitation(host(1), ours, Some(us), None));
    // An advertisement that nobody asked for.
    lab.receive(
        OTHER_MAC,
        &advertisement(host(1), [false, true, true], Some(OTHER_MAC)),
    );
    assert_eq!(lab.discovery.len(), (0, 0, 0));
    lab.receive(
        OTHER_MAC,
        &solicitation(address("fe80::5"), ours, Some(OTHER_MAC), None),
    );
    lab.receive(
        OTHER_MAC,
        &solicitation(host(1), ours, Some(OTHER_MAC), None),
    );
    assert_eq!(lab.discovery.len(), (2, 0, 0));
}

#[test]
fn nobody_is_asked_for_what_is_no_neighbours() {
    let mut lab = Lab::quiet(&[OURS]);
    for wrong in ["2001:db8:1::1", "ff02::1", "::", "::1"] {
        lab.resolve(address(wrong), 1);
        assert_eq!(lab.frames(), [(Fate::Refused, 1)], "{wrong}");
    }
    assert_eq!(lab.said(), []);
    let (at, out) = (interface(0, 0), &mut lab.out);
    let mut set = |to: &str, mac| lab.discovery.set_neighbour(0, at, address(to), mac, out);
    assert_eq!(set("2001:db8:1::1", HOST_MAC), Err(NeighbourError::Ours));
    assert_eq!(set("ff02::1", HOST_MAC), Err(NeighbourError::Address));
    let group = pinode_guest_ipv6qos::icmp::group_mac(1);
    assert_eq!(
        set("2001:db8:1::2", group),
        Err(NeighbourError::Group(group))
    );
}

#[test]
fn networks_do_not_know_each_others_neighbours() {
    let mut lab = Lab::quiet(&[OURS]);
    lab.link(interface(0, 1), false, None, &[OURS]);
    meet(&mut lab, 0..1);
    assert!(lab.discovery.find(interface(0, 0), host(0)).is_some());
    assert!(lab.discovery.find(interface(0, 1), host(0)).is_none());
}

#[test]
fn configured_neighbours_stay_until_they_are_removed() {
    let at = interface(0, 0);
    let mut lab = small(16);
    // Asked for in vain first: what waits is sent.
    lab.resolve(host(1), 1);
    lab.discovery
        .set_neighbour(lab.now_ns, at, host(1), HOST_MAC, &mut lab.out)
        .expect("room");
    lab.drain();
    assert_eq!(lab.frames(), [(Fate::Send(at, HOST_MAC), 1)]);
    for number in 2..13 {
        lab.discovery
            .set_neighbour(lab.now_ns, at, host(number), HOST_MAC, &mut lab.out)
            .expect("room");
    }
    let full = lab
        .discovery
        .set_neighbour(lab.now_ns, at, host(13), HOST_MAC, &mut lab.out);
    assert!(
        full.expect_err("12 places")
            .to_string()
            .contains("allowed: 12")
    );
    lab.discovery
        .set_neighbour(lab.now_ns, at, host(1), OTHER_MAC, &mut lab.out)
        .expect("it has its place");
    assert_eq!(lab.discovery.flush(Filter::default(), &mut lab.out), 0);
    lab.run(4000 * SECOND);
    assert_eq!(lab.discovery.len(), (12, 0, 0));
    assert!(lab.discovery.remove_neighbour(at, host(1), &mut lab.out));
    assert!(!lab.discovery.remove_neighbour(at, host(1), &mut lab.out));
    assert_eq!(lab.discovery.len(), (11, 0, 0));
}

#[test]
fn flushed_are_those_meant_and_learned() {
    let at = interface(0, 0);
    let mut lab = Lab::quiet(&[OURS]);
    lab.link(interface(1, 0), false, None, &["2001:db8:2::1/64"]);
    meet(&mut lab, 0..1500);
    lab.discovery
        .set_neighbour(lab.now_ns, interface(1, 0), host(1), HOST_MAC, &mut lab.out)
        .expect("room");
    lab.resolve(host(5000), 1);
    let elsewhere = Filter {
        interface: Some(interface(1, 0)),
        vn: None,
    };
    assert_eq!(lab.discovery.flush(elsewhere, &mut lab.out), 0);
    let here = Filter {
        interface: Some(at),
        vn: None,
    };
    assert_eq!(lab.discovery.flush(here, &mut lab.out), 1500);
    lab.run(20 * MS);
    assert_eq!(
        lab.discovery.len(),
        (1, 1, 1),
        "the configured one, and the one asked for"
    );
}

#[test]
fn pages_show_each_once() {
    let mut lab = Lab::empty(Limits {
        neighbours: 16_384,
        ..Limits::default()
    });
    lab.link(interface(0, 0), false, None, &[OURS]);
    lab.run(SECOND);
    for number in 0..10_000 {
        let says = solicitation(
            host(number),
            address("2001:db8:1::1"),
            Some(OTHER_MAC),
            None,
        );
        lab.receive(OTHER_MAC, &says);
    }
    let (mut shown, mut from, mut pages) = (Vec::new(), 0, 0);
    loop {
        let end = shown.len() + 700;
        let next = lab.discovery.list(Filter::default(), from, |listed| {
            let has_room = shown.len() < end;
            if has_room {
                assert_eq!(listed.state, Reachability::Stale);
                shown.push(listed.address);
            }
            has_room
        });
        pages += 1;
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    shown.sort_unstable();
    let all: Vec<_> = (0..10_000).map(host).collect();
    assert_eq!(shown, all);
    assert!((15..20).contains(&pages), "{pages}");
    assert!(
        lab.said()
            .iter()
            .all(|said| matches!(said, Message::Advertisement { .. } | Message::Report(_)))
    );
}

#[test]
fn what_could_not_leave_is_no_question_that_was_not_answered() {
    let mut lab = Lab::quiet(&[OURS]);
    lab.resolve(host(1), 1);
    lab.said();
    // The second and third question cannot leave.
    lab.out.held_up = u32::MAX;
    lab.run(20 * SECOND);
    lab.out.held_up = 0;
    assert_eq!(lab.frames(), [], "it still waits");
    let asked = |lab: &mut Lab| lab.said().len();
    lab.tick();
    assert_eq!(asked(&mut lab), 1);
    lab.run(SECOND);
    assert_eq!(asked(&mut lab), 1);
    lab.run(SECOND - MS);
    assert_eq!(lab.frames(), []);
    lab.run(MS);
    assert_eq!(lab.frames(), [(Fate::Unreachable, 1)]);
}
