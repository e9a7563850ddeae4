//! What one virtual network, or who sweeps over a link, leaves to the others (RFC 6583 6 and 7).

use pinode_guest_ipv6qos::InterfaceId;
use pinode_guest_ipv6qos::control::view::Reachability;
use pinode_guest_ipv6qos::neighbour::cache::{ASKED, ASKER};
use pinode_guest_ipv6qos::neighbour::{Fate, Limits, Message, NeighbourError};
use pinode_guest_runtime::HELD;

use super::lab::{
    HOST_MAC, Lab, MS, OTHER_MAC, SECOND, address, advertisement, interface, solicitation,
};

const OURS: &str = "2001:db8:1::1/64";

/// A link in each of two virtual networks, with the same addresses; 48 places with a MAC address, 16 without.
fn two() -> (Lab, InterfaceId, InterfaceId) {
    let mut lab = Lab::empty(Limits {
        neighbours: 64,
        ..Limits::default()
    });
    let (greedy, modest) = (interface(0, 0), interface(0, 1));
    for at in [greedy, modest] {
        lab.link(at, false, None, &[OURS]);
    }
    lab.run(10 * SECOND);
    lab.said();
    (lab, greedy, modest)
}

fn host(number: u32) -> u128 {
    address("2001:db8:1::1:0:0") + u128::from(number)
}

/// A host answers.
fn answers(lab: &mut Lab, at: InterfaceId, host: u128) {
    let said = advertisement(host, [false, true, true], Some(HOST_MAC));
    lab.receive_on(at, HOST_MAC, &said);
}

fn state(lab: &Lab, at: InterfaceId, host: u128) -> Option<Reachability> {
    let found = lab.discovery.find(at, host);
    found.map(|id| lab.discovery.hop(id).state())
}

#[test]
fn neighbours_in_use_leave_other_networks_their_part() {
    let (mut lab, greedy, modest) = two();
    // Three quarters: half of all, and a part of its own.
    for number in 0..100 {
        lab.resolve_on(greedy, u64::from(number), host(number), number);
        answers(&mut lab, greedy, host(number));
        lab.run(3 * MS);
    }
    assert_eq!(lab.discovery.len(), (36, 0, 0), "the others are in use");
    let set = lab
        .discovery
        .set_neighbour(lab.now_ns, greedy, host(200), HOST_MAC, &mut lab.out);
    let error = set.expect_err("no room");
    assert!(matches!(error, NeighbourError::Full(_)));
    assert!(error.to_string().contains("allowed: 36 "), "{error}");
    for number in 0..12 {
        lab.resolve_on(modest, u64::from(number), host(number), number);
        answers(&mut lab, modest, host(number));
        assert_eq!(
            state(&lab, modest, host(number)),
            Some(Reachability::Reachable)
        );
        lab.run(3 * MS);
    }
    assert_eq!(lab.discovery.len(), (48, 0, 0));
}

#[test]
fn what_nodes_say_unasked_leaves_other_networks_theirs() {
    let (mut lab, greedy, modest) = two();
    let says = |lab: &mut Lab, at, number| {
        let said = solicitation(
            host(number),
            address("2001:db8:1::1"),
            Some(OTHER_MAC),
            None,
        );
        lab.receive_on(at, OTHER_MAC, &said);
        lab.drain();
    };
    for number in 0..48 {
        says(&mut lab, greedy, number);
    }
    // There is room for more than the other's own part, at the cost of who has most.
    for number in 0..20 {
        says(&mut lab, modest, number);
    }
    for number in 48..2000 {
        says(&mut lab, greedy, number);
    }
    let of_modest = (0..20).filter(|number| state(&lab, modest, host(*number)).is_some());
    assert!(of_modest.count() >= 12);
    assert_eq!(lab.discovery.len().0, 48);
}

#[test]
fn a_sweep_over_one_network_displaces_nothing_of_another() {
    let (mut lab, greedy, modest) = two();
    for number in 0..4 {
        lab.resolve_on(modest, 1, host(number), 5000 + number);
    }
    // From sources as many as packets, and as fast as these may be asked for.
    for number in 0..1500 {
        lab.resolve_on(greedy, u64::from(number), host(number), number);
        if number % 2 == 0 {
            lab.run(MS);
        }
    }
    let mut came: Vec<u32> = lab.frames().iter().map(|(_, frame)| *frame).collect();
    came.retain(|frame| *frame >= 5000);
    assert!(came.is_empty(), "all of them still wait: {came:?}");
    for number in 0..4 {
        answers(&mut lab, modest, host(number));
        let sent = (Fate::Send(modest, HOST_MAC), 5000 + number);
        assert_eq!(lab.frames(), [sent]);
    }
}

#[test]
fn frames_that_wait_leave_other_networks_places() {
    let mut lab = Lab::empty(Limits::default());
    let (greedy, modest) = (interface(0, 0), interface(0, 1));
    for at in [greedy, modest] {
        lab.link(at, false, None, &[OURS]);
    }
    lab.run(10 * SECOND);
    lab.resolve_on(modest, 1, host(0), 90_000);
    for number in 0..2000 {
        lab.resolve_on(greedy, u64::from(number), host(number % 500), number);
        if number % 8 == 0 {
            lab.run(MS);
        }
    }
    let (_, _, held) = lab.discovery.len();
    assert_eq!(held, HELD / 4 * 3 + 1, "and no more of the greedy one");
    answers(&mut lab, modest, host(0));
    let sent = (Fate::Send(modest, HOST_MAC), 90_000);
    assert_eq!(lab.frames().last(), Some(&sent));
}

/// A sweep over the link of `lab` for `seconds`, 20 packets a millisecond, from sources in so many networks; each
/// hundred milliseconds `meanwhile` happens.
fn sweep(lab: &mut Lab, seconds: u64, networks: u64, mut meanwhile: impl FnMut(&mut Lab, u32)) {
    let at = interface(0, 0);
    let mut swept = 1_000_000;
    for ms in 0..seconds * 1000 {
        for _ in 0..20 {
            swept += 1;
            let network = 0xbad_0000 + u64::from(swept) % networks;
            lab.resolve_on(at, network, host(swept), swept);
        }
        lab.run(MS);
        if ms % 100 == 99 {
            meanwhile(lab, (ms / 100) as u32);
        }
    }
}

#[test]
fn who_sweeps_starves_himself_alone() {
    let at = interface(0, 0);
    for networks in [1, 3, 20] {
        let mut lab = Lab::quiet(&[OURS]);
        sweep(&mut lab, 10, networks, |lab, number| {
            // Somebody else's packet to a silent host.
            lab.frames();
            lab.said();
            lab.resolve_on(at, 7, host(number), number);
            let asked = lab.said();
            let is_it = |said: &Message| matches!(said, Message::Solicitation { target, .. } if *target == host(number));
            assert!(asked.iter().any(is_it), "{networks} {number}");
            answers(lab, at, host(number));
            let sent = (Fate::Send(at, HOST_MAC), number);
            assert_eq!(lab.frames().last(), Some(&sent), "{networks} {number}");
        });
        let asked = lab.discovery.counts().asked;
        let most = |(rate, burst): (u32, u32)| u64::from(burst) + u64::from(rate) * 10;
        assert!(asked <= most(ASKED));
        // Now and then he has another bucket.
        let of_askers = (most(ASKER) + 3 * u64::from(ASKER.1)) * networks + 100;
        assert!(asked <= of_askers, "{networks}: {asked} of {of_askers}");
    }
}

#[test]
fn a_known_host_does_not_feel_a_sweep() {
    let at = interface(0, 0);
    let mut lab = Lab::quiet(&[OURS]);
    let known = host(1);
    lab.resolve_on(at, 7, known, 0);
    answers(&mut lab, at, known);
    lab.frames();
    let (mut probed, mut seen) = (0, Vec::new());
    sweep(&mut lab, 100, 1000, |lab, number| {
        let probe = |said: &Message| matches!(said, Message::Solicitation { target, to: Some(_), .. } if *target == known);
        if lab.said().iter().any(probe) {
            probed += 1;
            answers(lab, at, known);
        }
        lab.frames();
        lab.resolve_on(at, 7, known, number);
        assert_eq!(lab.frames(), [(Fate::Send(at, HOST_MAC), number)]);
        seen.extend(state(lab, at, known));
    });
    assert!((2..6).contains(&probed), "{probed}");
    seen.sort_by_key(|state| *state as u8);
    seen.dedup();
    assert!(seen.contains(&Reachability::Reachable) && seen.contains(&Reachability::Delay));
}
