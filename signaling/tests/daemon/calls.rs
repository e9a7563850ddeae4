//! Calls are set up, refused and released.

use pinode_signaling::daemon::{ClientId, cause};
use pinode_signaling::isp::kernel::Event;
use pinode_signaling::isp::{Aal, ErrorCode, Request, Sap, Vcc};
use pinode_signaling::q2931::Cause;
use pinode_signaling::{Address, Qos};

use super::world::{World, application, cbr};

pub const S: u64 = 1_000_000_000;
pub const MS: u64 = 1_000_000;
pub const MBPS: u64 = 1_000_000;

/// Asks for a connection.
pub fn connect(world: &mut World, at: usize, client: ClientId, to: Address, qos: Qos) -> Vcc {
    let kernel = world.kernel(at, client);
    let vcc = kernel.socket().unwrap();
    let said = kernel.connect(vcc, Aal::FIVE, Address::NULL, qos, Sap::from(to));
    world.say(at, client, said.unwrap());
    vcc
}

/// Listens for what takes up to 100 Mb/s each way.
pub fn listen(world: &mut World, at: usize, client: ClientId, address: Address) -> Vcc {
    let most = Qos {
        transmit: cbr(100 * MBPS).transmit,
        receive: cbr(100 * MBPS).transmit,
    };
    let kernel = world.kernel(at, client);
    let vcc = kernel.socket().unwrap();
    let said = kernel.listen(vcc, Aal::FIVE, most, Sap::from(address));
    world.say(at, client, said.unwrap());
    world.run(MS);
    assert_eq!(world.heard(at, client), [Event::Listening { vcc }]);
    vcc
}

/// Accepts the first call that waits.
pub fn accept(world: &mut World, at: usize, client: ClientId, listening: Vcc) -> Vcc {
    let accepting = world.kernel(at, client).accept(listening).unwrap();
    world.say(at, client, accepting.send);
    accepting.vcc
}

/// Gives a socket up.
pub fn close(world: &mut World, at: usize, client: ClientId, vcc: Vcc) {
    let closing = world.kernel(at, client).close(vcc).unwrap();
    if let Some(said) = closing.send {
        world.say(at, client, said);
    }
}

fn refusal(events: &[Event]) -> Cause {
    let [
        Event::Failed {
            request: Request::Connect,
            reply,
            ..
        },
    ] = events
    else {
        panic!("{events:?}")
    };
    cause(*reply).unwrap()
}

/// Two nodes, hosts 1 and 2 at their ends: stations 2 and 3, an application each.
fn two() -> (World, ClientId, ClientId) {
    let mut world = World::chain(2, &[(1, 0), (2, 1)], 100 * MBPS, 7);
    assert!(world.is_up());
    let a = world.application(2, 1);
    let b = world.application(3, 1);
    (world, a, b)
}

#[test]
fn a_connection_goes_through_two_nodes_and_is_released_from_either_end() {
    for by_caller in [true, false] {
        let (mut world, a, b) = two();
        let listening = listen(&mut world, 3, b, application(2, 5));
        let mut qos = cbr(10 * MBPS);
        qos.receive = cbr(3 * MBPS).transmit;
        let calling = connect(&mut world, 2, a, application(2, 5), qos);
        world.run(10 * MS);
        assert_eq!(world.heard(2, a), [], "not before it is accepted");
        let [Event::Incoming { listen_vcc }] = world.heard(3, b)[..] else {
            panic!("no call")
        };
        assert_eq!(listen_vcc, listening);
        let waiting = world.kernel(3, b).waiting(listening).unwrap().clone();
        assert_eq!(waiting.qos, qos.turned());
        assert_eq!(waiting.svc.address, application(1, 0));
        let accepted = accept(&mut world, 3, b, listening);
        world.run(10 * MS);
        let [
            Event::Accepted {
                vcc,
                pvc: at_b,
                local,
                qos: taken,
            },
        ] = world.heard(3, b)[..]
        else {
            panic!("not accepted")
        };
        assert_eq!(
            (vcc, local, taken),
            (accepted, application(2, 5), qos.turned())
        );
        let [
            Event::Connected {
                vcc,
                pvc: at_a,
                local,
                qos: granted,
            },
        ] = world.heard(2, a)[..]
        else {
            panic!("not connected")
        };
        assert_eq!((vcc, local, granted), (calling, application(1, 0), qos));

        // Frames find their way both ways, and each way has its rate on each link.
        assert_eq!(world.follow(2, at_a.label), Some((3, at_b.label)));
        assert_eq!(world.follow(3, at_b.label), Some((2, at_a.label)));
        for node in 0..2 {
            let mut rates: Vec<u64> = world.stations[node]
                .switch
                .reserved
                .values()
                .copied()
                .collect();
            rates.sort_unstable();
            assert_eq!(rates, [3 * MBPS, 10 * MBPS]);
        }

        let (mine, my_client, my_vcc, its, its_client, its_vcc) = if by_caller {
            (2, a, calling, 3, b, accepted)
        } else {
            (3, b, accepted, 2, a, calling)
        };
        close(&mut world, mine, my_client, my_vcc);
        world.run(10 * MS);
        assert!(
            matches!(world.heard(mine, my_client)[..], [Event::Gone { vcc, .. }] if vcc == my_vcc)
        );
        assert_eq!(
            world.heard(its, its_client),
            [Event::Closed {
                vcc: its_vcc,
                reply: None
            }]
        );
        close(&mut world, its, its_client, its_vcc);
        world.run(10 * MS);
        assert_eq!(world.left(), [""; 0]);
    }
}

#[test]
fn refusals_say_why() {
    let (mut world, a, b) = two();
    let refused = |world: &mut World, to, qos| {
        connect(world, 2, a, to, qos);
        world.run(20 * MS);
        let cause = refusal(&world.heard(2, a));
        assert_eq!(world.left(), [""; 0], "{cause}");
        cause
    };
    let mbps = |rate| cbr(rate * MBPS);
    assert_eq!(
        refused(&mut world, application(9, 0), mbps(1)),
        Cause::NoRouteToDestination
    );
    assert_eq!(
        refused(&mut world, application(2, 5), mbps(1)),
        Cause::NoUserResponding
    );
    let listening = listen(&mut world, 3, b, application(2, 5));
    assert_eq!(
        refused(&mut world, application(2, 5), mbps(101)),
        Cause::UserCellRateNotAvailable
    );
    let mut large = mbps(1);
    large.transmit.as_mut().unwrap().max_sdu = 1400;
    assert_eq!(
        refused(&mut world, application(2, 5), large),
        Cause::IncompatibleDestination
    );
    assert_eq!(
        refused(&mut world, application(2, 5), Qos::default()),
        Cause::TrafficParametersNotSupported
    );

    // By whoever is called, in words of its own.
    connect(&mut world, 2, a, application(2, 5), mbps(1));
    world.run(20 * MS);
    let busy = ErrorCode::new(-512 - i32::from(Cause::UserBusy.number())).unwrap();
    let (_, said) = world.kernel(3, b).reject(listening, busy).unwrap();
    world.say(3, b, said);
    world.run(20 * MS);
    assert_eq!(refusal(&world.heard(2, a)), Cause::UserBusy);
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn one_too_many_is_refused_and_harms_nobody() {
    let (mut world, a, b) = two();
    let listening = listen(&mut world, 3, b, application(2, 5));
    for _ in 0..10 {
        connect(&mut world, 2, a, application(2, 5), cbr(10 * MBPS));
        world.run(10 * MS);
        accept(&mut world, 3, b, listening);
        world.run(10 * MS);
    }
    let events = world.heard(2, a);
    assert!(
        events
            .iter()
            .all(|event| matches!(event, Event::Connected { .. }))
    );
    assert_eq!(events.len(), 10);
    connect(&mut world, 2, a, application(2, 5), cbr(MBPS));
    world.run(10 * MS);
    assert_eq!(refusal(&world.heard(2, a)), Cause::UserCellRateNotAvailable);
    let words = "port p1: 100000000 of 100000000 taken".to_owned();
    assert_eq!(world.explained, [(2, a, words)]);
    assert_eq!(world.stations[0].switch.reserved.len(), 10);
    // Best effort reserves nothing.
    let mut best_effort = cbr(MBPS);
    best_effort.transmit.as_mut().unwrap().class = pinode_signaling::Class::Ubr;
    connect(&mut world, 2, a, application(2, 5), best_effort);
    world.run(10 * MS);
    accept(&mut world, 3, b, listening);
    world.run(10 * MS);
    assert!(matches!(world.heard(2, a)[..], [Event::Connected { .. }]));
}

#[test]
fn a_caller_that_gives_up_is_not_connected_later() {
    let (mut world, a, b) = two();
    let listening = listen(&mut world, 3, b, application(2, 5));
    let calling = connect(&mut world, 2, a, application(2, 5), cbr(MBPS));
    world.run(10 * MS);
    close(&mut world, 2, a, calling);
    world.run(10 * MS);
    assert_eq!(world.left(), [""; 0]);
    world.heard(3, b);
    // The announcement stands until it is answered.
    accept(&mut world, 3, b, listening);
    world.run(10 * MS);
    let [
        Event::Failed {
            request: Request::Accept,
            ..
        },
    ] = world.heard(3, b)[..]
    else {
        panic!("accepted")
    };
    assert_eq!(world.left(), [""; 0]);
}
