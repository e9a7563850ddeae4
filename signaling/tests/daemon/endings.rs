//! Whatever ends, and however: nothing is left of a call.

use std::collections::BTreeMap;

use pinode_signaling::daemon::{CLOSE_NS, ClientId};
use pinode_signaling::isp::Vcc;
use pinode_signaling::isp::kernel::Event;

use super::calls::{MBPS, MS, S, accept, close, connect, listen};
use super::world::{World, application, cbr};

/// Longer than any timer of a call or link.
const LONG: u64 = 100 * S;

#[test]
fn a_thousand_calls_leave_nothing_and_use_labels_again() {
    let mut world = World::chain(2, &[(1, 0), (2, 1)], 100 * MBPS, 3);
    let (a, b) = (world.application(2, 1), world.application(3, 1));
    let listening = listen(&mut world, 3, b, application(2, 5));
    for _ in 0..1000 {
        let calling = connect(&mut world, 2, a, application(2, 5), cbr(60 * MBPS));
        world.run(2 * MS);
        let accepted = accept(&mut world, 3, b, listening);
        world.run(2 * MS);
        assert!(matches!(world.heard(2, a)[..], [Event::Connected { .. }]));
        close(&mut world, 2, a, calling);
        world.run(2 * MS);
        close(&mut world, 3, b, accepted);
        world.run(2 * MS);
        world.heard(2, a);
        world.heard(3, b);
    }
    assert_eq!(world.left(), [""; 0]);
}

/// Five connections from host 1 to host 2.
fn five(seed: u64) -> (World, ClientId, ClientId, Vec<(Vcc, Vcc)>) {
    let mut world = World::chain(2, &[(1, 0), (2, 1)], 100 * MBPS, seed);
    let (a, b) = (world.application(2, 1), world.application(3, 1));
    let listening = listen(&mut world, 3, b, application(2, 5));
    let mut all = Vec::new();
    for _ in 0..5 {
        let calling = connect(&mut world, 2, a, application(2, 5), cbr(10 * MBPS));
        world.run(10 * MS);
        let accepted = accept(&mut world, 3, b, listening);
        world.run(10 * MS);
        all.push((calling, accepted));
    }
    assert_eq!(world.stations[0].switch.reserved.len(), 5);
    world.heard(2, a);
    world.heard(3, b);
    (world, a, b, all)
}

#[test]
fn a_daemon_that_dies_takes_its_calls_with_it_and_no_others_labels() {
    for node in 0..2 {
        let (mut world, a, b, all) = five(11);
        world.crash(node);
        world.run(5 * S);
        let closed = |events: Vec<Event>| {
            let closed = events
                .iter()
                .filter(|event| matches!(event, Event::Closed { .. }));
            closed.count()
        };
        assert_eq!(closed(world.heard(2, a)), 5);
        assert_eq!(closed(world.heard(3, b)), 5);
        for (calling, accepted) in all {
            close(&mut world, 2, a, calling);
            close(&mut world, 3, b, accepted);
        }
        world.run(S);
        assert_eq!(world.left(), [""; 0]);
        assert!(world.is_up(), "and its neighbours have found it again");
        connect(&mut world, 2, a, application(2, 5), cbr(100 * MBPS));
        world.run(S);
        assert!(matches!(world.heard(3, b)[..], [Event::Incoming { .. }]));
    }
}

#[test]
fn an_application_that_dies_ends_its_calls() {
    for caller in [true, false] {
        let (mut world, a, b, all) = five(13);
        let (dead, its, other, theirs) = if caller { (2, a, 3, b) } else { (3, b, 2, a) };
        world.kill(dead, its);
        world.run(S);
        assert_eq!(world.heard(other, theirs).len(), 5);
        for (calling, accepted) in all {
            close(
                &mut world,
                other,
                theirs,
                if caller { accepted } else { calling },
            );
        }
        world.run(S);
        assert_eq!(world.left(), [""; 0]);
    }
}

/// What an application of the random test has.
#[derive(Default)]
struct Sockets {
    /// Connected, connecting or accepting.
    open: Vec<Vcc>,
    listening: Option<Vcc>,
    waiting: usize,
}

/// How many were connected. Many applications on three hosts call each other, accept, refuse, close and die, daemons die, PDUs are lost,
/// switches are full or fail: when all is over nothing is left.
fn anything(seed: u64) -> usize {
    let hosts = [(1, 0), (2, 1), (3, 1)];
    let mut world = World::chain(2, &hosts, 50 * MBPS, seed);
    world.lost_per_mille = 50;
    world.refused_per_mille = 30;
    let mut applications: BTreeMap<(usize, ClientId), Sockets> = BTreeMap::new();
    let (mut number, mut connected) = (0, 0);
    for _ in 0..400 {
        // What was heard.
        let keys: Vec<(usize, ClientId)> = applications.keys().copied().collect();
        for (at, client) in keys {
            for event in world.heard(at, client) {
                let sockets = applications.get_mut(&(at, client)).unwrap();
                match event {
                    Event::Incoming { .. } => sockets.waiting += 1,
                    Event::Connected { .. } => connected += 1,
                    Event::Closed { vcc, .. } => {
                        sockets.open.retain(|open| *open != vcc);
                        close(&mut world, at, client, vcc);
                    }
                    Event::Failed { vcc, .. } => sockets.open.retain(|open| *open != vcc),
                    _ => {}
                }
            }
        }
        let random = world.random();
        let at = 2 + (random >> 8) as usize % hosts.len();
        let of_host: Vec<ClientId> = applications
            .keys()
            .filter(|(station, _)| *station == at)
            .map(|(_, client)| *client)
            .collect();
        let client = match of_host.get((random >> 16) as usize % of_host.len().max(1)) {
            Some(client) if of_host.len() > 2 => *client,
            _ => {
                number += 1;
                let client = world.application(at, number);
                let mut sockets = Sockets::default();
                let selector = (random >> 24) as u8 % 4;
                let address = application(hosts[at - 2].0, selector);
                let kernel = world.kernel(at, client);
                let vcc = kernel.socket().unwrap();
                let qos = pinode_signaling::Qos {
                    transmit: cbr(100 * MBPS).transmit,
                    receive: cbr(100 * MBPS).transmit,
                };
                let said = kernel
                    .listen(vcc, pinode_signaling::isp::Aal::FIVE, qos, address.into())
                    .unwrap();
                world.say(at, client, said);
                world.run(MS);
                if matches!(world.heard(at, client)[..], [Event::Listening { .. }]) {
                    sockets.listening = Some(vcc);
                }
                applications.insert((at, client), sockets);
                client
            }
        };
        let sockets = applications.get_mut(&(at, client)).unwrap();
        match random % 100 {
            0 => {
                applications.remove(&(at, client));
                world.kill(at, client);
            }
            1 => {
                let dead = (random >> 32) as usize % world.stations.len();
                applications.retain(|(station, _), _| *station != dead);
                world.crash(dead);
            }
            2..=40 => {
                let to = application(1 + (random >> 40) as u8 % 3, (random >> 48) as u8 % 4);
                let vcc = connect(
                    &mut world,
                    at,
                    client,
                    to,
                    cbr((1 + (random >> 52) % 20) * MBPS),
                );
                sockets.open.push(vcc);
            }
            41..=70 => {
                if let (Some(listening), 1..) = (sockets.listening, sockets.waiting) {
                    sockets.waiting -= 1;
                    if random.is_multiple_of(5) {
                        let why = pinode_signaling::isp::ErrorCode::new(-111).unwrap();
                        let (_, said) = world.kernel(at, client).reject(listening, why).unwrap();
                        world.say(at, client, said);
                    } else {
                        let vcc = accept(&mut world, at, client, listening);
                        sockets.open.push(vcc);
                    }
                }
            }
            _ => {
                if let Some(vcc) = sockets.open.pop() {
                    close(&mut world, at, client, vcc);
                }
            }
        }
        let pause = [10_000, 200_000, MS, 20 * MS, 500 * MS][(random >> 56) as usize % 5];
        world.run(pause);
    }
    for (at, client) in applications.into_keys() {
        world.kill(at, client);
    }
    world.lost_per_mille = 0;
    world.run(LONG);
    assert_eq!(world.left(), [""; 0], "seed {seed}");
    assert!(world.is_up());
    connected
}

#[test]
fn whatever_happens_nothing_is_left() {
    let connected: usize = (0..60).map(anything).sum();
    assert!(connected > 600, "only {connected} were connected at all");
}

#[test]
fn who_does_not_acknowledge_a_close_is_cut_off_and_its_label_is_free() {
    let (mut world, a, b, all) = five(17);
    for (calling, _) in &all {
        close(&mut world, 2, a, *calling);
    }
    // The called application hears of it, and does nothing.
    world.run(CLOSE_NS - S);
    assert_eq!(world.dropped, []);
    let held = world.stations[3].daemon.view(0);
    assert_eq!(held.call_count, 5, "their labels are not used again");
    world.run(2 * S);
    assert_eq!(world.dropped, [(3, b)]);
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn who_acknowledges_a_close_in_time_is_not_cut_off() {
    let (mut world, a, b, all) = five(19);
    for (calling, _) in &all {
        close(&mut world, 2, a, *calling);
    }
    world.run(CLOSE_NS - S);
    for (_, accepted) in &all {
        close(&mut world, 3, b, *accepted);
    }
    world.run(LONG);
    assert_eq!(world.dropped, []);
    assert_eq!(world.left(), [""; 0]);
}
