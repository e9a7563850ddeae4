//! Sockets of switches themselves: connections that begin or end at a port for a device that does not signal.

use pinode_signaling::daemon::switch::{Place, Span};
use pinode_signaling::daemon::view::CallView;
use pinode_signaling::daemon::{ClientId, LabelRange, cause};
use pinode_signaling::isp::kernel::Event;
use pinode_signaling::isp::{Aal, Pvc, Sap, Vcc};
use pinode_signaling::q2931::Cause;
use pinode_signaling::{Address, Qos};

use super::calls::{MBPS, MS, S, accept, close, connect, listen};
use super::world::{World, application, cbr};

/// A port where no neighbour is spoken to.
const DEVICE: u16 = 9;
const CAMERA: u32 = 100;
const SCREEN: u32 = 200;

fn span(label: u32, labels: u16) -> Option<Span> {
    Some(Span {
        port: DEVICE,
        vn: 0,
        label,
        labels,
    })
}

fn place(label: u32) -> Place {
    let (port, vn) = (DEVICE, 0);
    Place { port, vn, label }
}

fn pvc(label: u32) -> Pvc {
    let (interface, vn) = (DEVICE, 0);
    Pvc {
        interface,
        vn,
        label,
    }
}

/// An address of a device at the second node, which the first has a route to.
fn screen() -> Address {
    application(2, 9)
}

fn call(
    world: &mut World,
    at: usize,
    client: ClientId,
    span: Option<Span>,
    to: Address,
    qos: Qos,
) -> Vcc {
    let kernel = world.kernel(at, client);
    let vcc = kernel.socket().unwrap();
    let said = kernel.connect(vcc, Aal::FIVE, Address::NULL, qos, Sap::from(to));
    world.say_at(at, client, span, said.unwrap());
    vcc
}

fn listens(world: &mut World, at: usize, client: ClientId, span: Option<Span>) -> Vcc {
    let most = Qos::both(pinode_signaling::Traffic::ubr(1_491));
    let kernel = world.kernel(at, client);
    let vcc = kernel.socket().unwrap();
    let said = kernel.listen(vcc, Aal::FIVE, most, Sap::from(screen()));
    world.say_at(at, client, span, said.unwrap());
    world.run(MS);
    assert_eq!(world.heard(at, client), [Event::Listening { vcc }]);
    vcc
}

/// What the last event refuses a call by.
fn refused(world: &mut World, at: usize, client: ClientId) -> Cause {
    let events = world.heard(at, client);
    let Some(
        Event::Failed { reply, .. }
        | Event::Closed {
            reply: Some(reply), ..
        },
    ) = events.last()
    else {
        panic!("{events:?}")
    };
    cause(*reply).unwrap()
}

/// Two nodes with a guest of their own sockets each; a host at either.
fn two() -> (World, ClientId, ClientId) {
    let mut world = World::chain(2, &[(1, 0), (2, 1)], 100 * MBPS, 17);
    assert!(world.is_up());
    let first = world.application(0, 1);
    let second = world.application(1, 1);
    (world, first, second)
}

/// A connection from the camera at node 0 to the screen at node 1.
fn joined() -> (World, ClientId, ClientId, Vcc, Vcc) {
    let (mut world, first, second) = two();
    let listening = listens(&mut world, 1, second, span(SCREEN, 1));
    let mut qos = cbr(10 * MBPS);
    qos.receive = cbr(MBPS).transmit;
    let calling = call(&mut world, 0, first, span(CAMERA, 1), screen(), qos);
    world.run(5 * MS);
    assert_eq!(
        world.heard(1, second),
        [Event::Incoming {
            listen_vcc: listening
        }]
    );
    let accepted = accept(&mut world, 1, second, listening);
    world.run(5 * MS);
    let [
        Event::Connected {
            pvc: at,
            qos: granted,
            ..
        },
    ] = world.heard(0, first)[..]
    else {
        panic!("not connected")
    };
    assert_eq!((at, granted), (pvc(CAMERA), qos));
    let [
        Event::Accepted {
            pvc: at,
            qos: granted,
            ..
        },
    ] = world.heard(1, second)[..]
    else {
        panic!("not accepted")
    };
    assert_eq!((at, granted), (pvc(SCREEN), qos.turned()));
    (world, first, second, calling, accepted)
}

#[test]
fn two_silent_devices_are_joined_both_ways_and_from_either_side_released() {
    for by_caller in [true, false] {
        let (mut world, first, second, calling, accepted) = joined();
        assert_eq!(
            world.follow_from(0, DEVICE, CAMERA),
            Some((1, place(SCREEN)))
        );
        assert_eq!(
            world.follow_from(1, DEVICE, SCREEN),
            Some((0, place(CAMERA)))
        );
        // What leaves for the devices is reserved as well.
        assert_eq!(world.stations[0].switch.reserved[&place(CAMERA)], MBPS);
        assert_eq!(world.stations[1].switch.reserved[&place(SCREEN)], 10 * MBPS);
        if by_caller {
            close(&mut world, 0, first, calling);
        } else {
            close(&mut world, 1, second, accepted);
        }
        world.run(5 * MS);
        if by_caller {
            close(&mut world, 1, second, accepted);
        } else {
            close(&mut world, 0, first, calling);
        }
        world.run(5 * MS);
        assert_eq!(world.left(), [""; 0]);
    }
}

#[test]
fn a_call_is_shown_with_the_legs_that_are_sockets_of_the_switch() {
    let legs = |world: &World, station: usize| {
        let calls = world.stations[station].daemon.view(0).calls;
        let legs = |call: &CallView| (call.from_switch, call.to_switch);
        calls.iter().map(legs).collect::<Vec<_>>()
    };
    let (mut world, first, _, calling, _) = joined();
    assert_eq!(legs(&world, 0), [(true, false)]);
    assert_eq!(legs(&world, 1), [(false, true)]);
    // As long as it has its label, and not only as long as there is the socket.
    let closing = world.kernel(0, first).close(calling).unwrap();
    world.say(0, first, closing.send.unwrap());
    world.run(4_000);
    assert_eq!(legs(&world, 0), [(true, false)]);

    // Calls of hosts have labels of neighbours.
    let (mut world, ..) = two();
    let (caller, called) = (world.application(2, 5), world.application(3, 5));
    let listening = listen(&mut world, 3, called, application(2, 5));
    connect(&mut world, 2, caller, application(2, 5), cbr(MBPS));
    world.run(5 * MS);
    accept(&mut world, 3, called, listening);
    world.run(5 * MS);
    assert_eq!(legs(&world, 0), [(false, false)]);
    assert_eq!(legs(&world, 1), [(false, false)]);
}

#[test]
fn a_host_calls_a_device_and_a_device_a_host() {
    let (mut world, first, second) = two();
    let (caller, called) = (world.application(2, 5), world.application(3, 5));
    let listening = listens(&mut world, 1, second, span(SCREEN, 1));
    connect(&mut world, 2, caller, screen(), cbr(MBPS));
    world.run(5 * MS);
    accept(&mut world, 1, second, listening);
    world.run(5 * MS);
    let [Event::Connected { pvc: at, .. }] = world.heard(2, caller)[..] else {
        panic!("not connected")
    };
    let (port, label) = (2 + 1, at.label);
    assert_eq!(world.follow_from(0, port, label), Some((1, place(SCREEN))));
    let listening = listen(&mut world, 3, called, application(2, 5));
    call(
        &mut world,
        0,
        first,
        span(CAMERA, 1),
        application(2, 5),
        cbr(MBPS),
    );
    world.run(5 * MS);
    accept(&mut world, 3, called, listening);
    world.run(5 * MS);
    assert!(matches!(
        world.heard(0, first)[..],
        [Event::Connected { .. }]
    ));
    let (at, to) = world.follow_from(0, DEVICE, CAMERA).unwrap();
    assert_eq!((at, to.port), (1, 2 + 2));
}

#[test]
fn each_call_has_a_label_of_the_span_and_one_too_many_is_busy() {
    let (mut world, first, second) = two();
    let listening = listens(&mut world, 1, second, span(SCREEN, 2));
    let mut accepted = Vec::new();
    for camera in 0..2 {
        let at = span(CAMERA + camera, 1);
        call(&mut world, 0, first, at, screen(), cbr(MBPS));
        world.run(5 * MS);
        accepted.push(accept(&mut world, 1, second, listening));
        world.run(5 * MS);
        let to = world.follow_from(0, DEVICE, CAMERA + camera);
        assert_eq!(to, Some((1, place(SCREEN + camera))));
    }
    world.heard(0, first);
    call(
        &mut world,
        0,
        first,
        span(CAMERA + 2, 1),
        screen(),
        cbr(MBPS),
    );
    world.run(5 * MS);
    assert_eq!(refused(&mut world, 0, first), Cause::UserBusy);
    // The first label is free again.
    close(&mut world, 1, second, accepted[0]);
    world.run(5 * MS);
    world.heard(1, second);
    call(
        &mut world,
        0,
        first,
        span(CAMERA + 2, 1),
        screen(),
        cbr(MBPS),
    );
    world.run(5 * MS);
    accept(&mut world, 1, second, listening);
    world.run(5 * MS);
    let to = world.follow_from(0, DEVICE, CAMERA + 2);
    assert_eq!(to, Some((1, place(SCREEN))));
}

#[test]
fn a_place_that_cannot_be_or_is_taken_is_refused() {
    let (mut world, first, second) = two();
    let all = [
        Span {
            label: 15,
            ..span(CAMERA, 1).unwrap()
        },
        Span {
            vn: 7,
            ..span(CAMERA, 1).unwrap()
        },
        Span {
            labels: 2,
            ..span(CAMERA, 1).unwrap()
        },
        Span {
            labels: 0,
            ..span(CAMERA, 1).unwrap()
        },
        Span {
            label: u32::MAX,
            ..span(CAMERA, 1).unwrap()
        },
    ];
    for at in all {
        call(&mut world, 0, first, Some(at), screen(), cbr(MBPS));
        world.run(5 * MS);
        let why = refused(&mut world, 0, first);
        assert_eq!(why, Cause::IdentifiedChannelDoesNotExist, "{at:?}");
    }
    listens(&mut world, 1, second, span(SCREEN, 1));
    call(&mut world, 0, first, span(CAMERA, 1), screen(), cbr(MBPS));
    world.run(MS);
    call(&mut world, 0, first, span(CAMERA, 1), screen(), cbr(MBPS));
    world.run(MS);
    assert_eq!(
        refused(&mut world, 0, first),
        Cause::RequestedVpciVciNotAvailable
    );
    assert_eq!(world.stations[0].daemon.view(0).call_count, 1);
}

#[test]
fn a_label_at_a_port_with_a_neighbour_is_not_given_to_the_neighbour() {
    let (mut world, first, second) = two();
    listens(&mut world, 1, second, span(SCREEN, 1));
    // Host 1 is at port 3 of node 0; its own label is refused, as the device has it.
    let at = Span {
        port: 3,
        ..span(CAMERA, 1).unwrap()
    };
    call(&mut world, 0, first, Some(at), screen(), cbr(MBPS));
    world.run(5 * MS);
    let view = world.stations[0].daemon.view(0);
    let link = view.links.iter().find(|link| link.port == "p3").unwrap();
    assert_eq!((link.labels, view.edge_labels), (1, 0));
    world.kill(0, first);
    world.run(5 * S);
    world.kill(1, second);
    world.run(5 * S);
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn labels_that_nobody_signals_are_no_ends_and_what_listens_passes_over_them() {
    let mut world = World::chain_with(1, &[(1, 0)], 100 * MBPS, 17, |configuration| {
        let (first, last) = (SCREEN, SCREEN + 1);
        for port in &mut configuration.ports {
            port.labels = vec![LabelRange { vn: 0, first, last }];
        }
    });
    let ends = world.application(0, 1);
    let at = |label, labels| {
        Some(Span {
            port: 3,
            ..span(label, labels).unwrap()
        })
    };
    let listening = listens(&mut world, 0, ends, at(SCREEN, 3));
    call(&mut world, 0, ends, at(SCREEN + 1, 1), screen(), cbr(MBPS));
    world.run(5 * MS);
    assert_eq!(
        refused(&mut world, 0, ends),
        Cause::RequestedVpciVciNotAvailable
    );
    call(&mut world, 0, ends, at(CAMERA, 1), screen(), cbr(MBPS));
    world.run(5 * MS);
    accept(&mut world, 0, ends, listening);
    world.run(5 * MS);
    let (_, to) = world.follow_from(0, 3, CAMERA).unwrap();
    assert_eq!((to.port, to.label), (3, SCREEN + 2));
}

#[test]
fn ends_have_the_part_of_applications_and_a_neighbour_keeps_its_own() {
    // 8 calls: half of them for who comes first, the other half for the host's port and what begins here, 2 each.
    let mut world = World::chain_with(1, &[(1, 0)], 100 * MBPS, 17, |configuration| {
        configuration.calls = 8;
    });
    assert!(world.is_up());
    let ends = world.application(0, 1);
    let listening = listens(&mut world, 0, ends, span(SCREEN, 16));
    // At the very port where the host is, whose label is another one's all the same.
    let camera = |number: u32| Span {
        port: 3,
        ..span(CAMERA + number, 1).unwrap()
    };
    let mut calling = Vec::new();
    for number in 0..6 {
        let at = Some(camera(number));
        calling.push(call(&mut world, 0, ends, at, screen(), cbr(MBPS)));
        world.run(5 * MS);
        accept(&mut world, 0, ends, listening);
        world.run(5 * MS);
    }
    world.heard(0, ends);
    let at = Some(camera(6));
    call(&mut world, 0, ends, at, screen(), cbr(MBPS));
    world.run(5 * MS);
    assert_eq!(refused(&mut world, 0, ends), Cause::ResourcesUnavailable);
    let (.., why) = world.explained.last().unwrap();
    assert!(
        why.starts_with("this daemon's applications: has 6 of 8"),
        "{why}"
    );
    assert_eq!(world.stations[0].daemon.view(0).call_count, 6);

    let host = world.application(1, 5);
    for has in [7, 8, 8] {
        connect(&mut world, 1, host, screen(), cbr(MBPS));
        world.run(5 * MS);
        assert_eq!(world.stations[0].daemon.view(0).call_count, has);
    }
    assert_eq!(refused(&mut world, 1, host), Cause::ResourcesUnavailable);

    // What ends is given back to whom it was counted for.
    world.heard(0, ends);
    close(&mut world, 0, ends, calling[0]);
    world.run(5 * MS);
    let told = world
        .heard(0, ends)
        .into_iter()
        .find_map(|event| match event {
            Event::Closed { vcc, .. } if vcc != calling[0] => Some(vcc),
            _ => None,
        });
    close(
        &mut world,
        0,
        ends,
        told.expect("the other end was not told"),
    );
    world.run(5 * MS);
    call(&mut world, 0, ends, at, screen(), cbr(MBPS));
    world.run(5 * MS);
    assert_eq!(world.stations[0].daemon.view(0).call_count, 8);
    world.kill(1, host);
    world.kill(0, ends);
    world.run(5 * S);
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn frames_of_devices_are_policed_where_they_come_in() {
    let (mut world, first, ..) = joined();
    world.kill(0, first);
    world.run(S);
    let mut policed = Vec::new();
    for station in [0, 1] {
        let ways = world.stations[station].switch.unset.iter();
        policed.extend(ways.map(|way| (station, way.from, way.police)));
    }
    assert!(
        policed.contains(&(0, Some(place(CAMERA)), true)),
        "{policed:?}"
    );
    assert!(
        policed.contains(&(1, Some(place(SCREEN)), true)),
        "{policed:?}"
    );
    let trunks = policed
        .iter()
        .filter(|(_, from, _)| from.is_some_and(|from| from.port != DEVICE));
    assert_eq!(trunks.clone().count(), 2);
    assert!(trunks.clone().all(|(.., police)| !police));
}

#[test]
fn a_guest_or_a_daemon_that_dies_leaves_nothing_and_calls_again() {
    for dead in 0..4 {
        let (mut world, mut first, mut second, ..) = joined();
        match dead {
            0 => world.kill(0, first),
            1 => world.kill(1, second),
            node => world.crash(node - 2),
        }
        world.run(5 * S);
        // Exactly once: who is left is told, and has only to acknowledge.
        for (station, client) in [(0, first), (1, second)] {
            if dead == station || dead == station + 2 {
                continue;
            }
            let events = world.heard(station, client);
            let [Event::Closed { vcc, .. }] = events[..] else {
                panic!("{dead}: {events:?}")
            };
            close(&mut world, station, client, vcc);
        }
        world.run(5 * S);
        assert_eq!(world.left(), [""; 0], "{dead}");
        // All of it anew, as a node does that keeps what is wanted.
        for station in [0, 1] {
            let client = if station == 0 { first } else { second };
            world.kill(station, client);
            let client = world.application(station, 7);
            *(if station == 0 {
                &mut first
            } else {
                &mut second
            }) = client;
        }
        world.run(S);
        let listening = listens(&mut world, 1, second, span(SCREEN, 1));
        call(
            &mut world,
            0,
            first,
            span(CAMERA, 1),
            screen(),
            cbr(10 * MBPS),
        );
        world.run(5 * MS);
        accept(&mut world, 1, second, listening);
        world.run(5 * MS);
        assert_eq!(
            world.follow_from(0, DEVICE, CAMERA),
            Some((1, place(SCREEN)))
        );
    }
}
