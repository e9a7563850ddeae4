//! Every row of RFC 4861, appendix C.

use pinode_guest_ipv6qos::control::item::Mac;
use pinode_guest_ipv6qos::control::view::Reachability::{
    self, Delay, Failed, Incomplete, Permanent, Probe, Reachable, Stale,
};
use pinode_guest_ipv6qos::icmp::{self, Received};
use pinode_guest_ipv6qos::neighbour::{Fate, Message};

use super::lab::{
    HOST_MAC, Lab, OTHER_MAC, ROUTER, SECOND, address, advertisement, interface, solicitation,
};

const HOST: &str = "2001:db8:1::aa";
const OURS: &str = "2001:db8:1::1/64";

/// What happens to an entry.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A packet is to be sent.
    Packet,
    /// The timer of its state ends.
    Timeout,
    /// A Neighbour Advertisement: solicited, override.
    Na(bool, bool, Link),
    /// A Neighbour Solicitation from it.
    Ns(Link),
    /// A Router Solicitation from it.
    Rs(Link),
}

/// The link-layer address in a message: none, that which is cached, another.
#[derive(Debug, Clone, Copy)]
enum Link {
    None,
    Same,
    Different,
}

impl Link {
    fn mac(self) -> Option<Mac> {
        match self {
            Link::None => None,
            Link::Same => Some(HOST_MAC),
            Link::Different => Some(OTHER_MAC),
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Nothing,
    /// All that listen for the address are asked.
    Multicast,
    /// The neighbour is asked at its MAC address.
    Unicast,
    /// The frame that waited is sent to the MAC address in the message.
    Sends,
    /// The frame given is sent to the one cached.
    Forwards,
    /// The frame is refused: address unreachable.
    Refuses,
    /// Somebody asked us.
    Answers,
}

/// An entry of the state, with `HOST_MAC` where it has one, 7 the frame that waits.
fn lab_in(state: Option<Reachability>) -> Lab {
    let mut lab = Lab::quiet(&[OURS]);
    let host = address(HOST);
    let Some(state) = state else {
        return lab;
    };
    if state == Permanent {
        let at = interface(0, 0);
        lab.discovery
            .set_neighbour(lab.now_ns, at, host, HOST_MAC, &mut lab.out)
            .expect("room");
    } else {
        lab.resolve(host, 7);
    }
    match state {
        Incomplete | Permanent => {}
        Failed => lab.run(3 * SECOND),
        _ => {
            let flags = [true, state == Reachable, false];
            lab.receive(HOST_MAC, &advertisement(host, flags, Some(HOST_MAC)));
        }
    }
    if matches!(state, Delay | Probe) {
        use_it(&mut lab);
    }
    if state == Probe {
        lab.run(5 * SECOND);
    }
    lab.said();
    lab.frames();
    assert_eq!(state_of(&lab).map(|(state, _)| state), Some(state));
    lab
}

fn use_it(lab: &mut Lab) {
    let id = lab.discovery.find(interface(0, 0), address(HOST));
    lab.discovery.used(lab.now_ns, id.expect("an entry"));
}

fn state_of(lab: &Lab) -> Option<(Reachability, Option<Mac>)> {
    let id = lab.discovery.find(interface(0, 0), address(HOST))?;
    let listed = lab.discovery.listed(id)?;
    Some((listed.state, listed.mac))
}

fn happens(lab: &mut Lab, event: Event) {
    let (host, ours) = (address(HOST), address("2001:db8:1::1"));
    match event {
        Event::Packet => lab.resolve(host, 8),
        Event::Timeout => {
            let (state, _) = state_of(lab).expect("an entry");
            lab.run(match state {
                Incomplete | Probe => SECOND,
                Delay => 5 * SECOND,
                Failed => 3 * SECOND,
                _ => 45 * SECOND,
            });
        }
        Event::Na(solicited, overrides, link) => {
            let flags = [false, solicited, overrides];
            lab.receive(HOST_MAC, &advertisement(host, flags, link.mac()));
        }
        Event::Ns(link) => lab.receive(HOST_MAC, &solicitation(host, ours, link.mac(), None)),
        Event::Rs(link) => {
            let message = icmp::Message::RouterSolicitation { mac: link.mac() };
            let received = Received {
                source: host,
                destination: address("ff02::2"),
                message,
            };
            lab.receive(HOST_MAC, &received);
        }
    }
}

fn action(lab: &mut Lab) -> Action {
    let (host, ours) = (address(HOST), address("2001:db8:1::1"));
    let solicits = |to| Message::Solicitation {
        source: address(ROUTER),
        target: host,
        to,
        nonce: None,
    };
    let said = lab.said();
    let frames = lab.frames();
    match (said.as_slice(), frames.as_slice()) {
        ([], []) => Action::Nothing,
        ([said], []) if *said == solicits(None) => Action::Multicast,
        ([said], []) if *said == solicits(Some(HOST_MAC)) => Action::Unicast,
        ([], [(Fate::Send(at, mac), 7)]) if *at == interface(0, 0) => {
            assert_eq!(Some(*mac), state_of(lab).expect("an entry").1);
            Action::Sends
        }
        ([], [(Fate::Send(_, HOST_MAC), 8)]) => Action::Forwards,
        ([], [(Fate::Unreachable, 7 | 8)]) => Action::Refuses,
        (
            [
                Message::Advertisement {
                    target,
                    to: Some(_),
                },
            ],
            sent,
        ) if *target == ours => match sent {
            [] => Action::Answers,
            [(Fate::Send(_, _), 7)] => Action::Sends,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

type Row = (
    Option<Reachability>,
    Event,
    Action,
    Option<(Reachability, Option<Mac>)>,
);

fn check(rows: &[Row]) {
    for &(from, event, does, to) in rows {
        let mut lab = lab_in(from);
        happens(&mut lab, event);
        assert_eq!(state_of(&lab), to, "{from:?} {event:?}");
        assert_eq!(action(&mut lab), does, "{from:?} {event:?}");
    }
}

const SAME: Option<Mac> = Some(HOST_MAC);
const NEW: Option<Mac> = Some(OTHER_MAC);

#[test]
fn packets_and_timers() {
    check(&[
        (
            None,
            Event::Packet,
            Action::Multicast,
            Some((Incomplete, None)),
        ),
        (
            Some(Incomplete),
            Event::Timeout,
            Action::Multicast,
            Some((Incomplete, None)),
        ),
        (
            Some(Reachable),
            Event::Packet,
            Action::Forwards,
            Some((Reachable, SAME)),
        ),
        (
            Some(Reachable),
            Event::Timeout,
            Action::Nothing,
            Some((Stale, SAME)),
        ),
        (
            Some(Stale),
            Event::Packet,
            Action::Forwards,
            Some((Delay, SAME)),
        ),
        (
            Some(Delay),
            Event::Packet,
            Action::Forwards,
            Some((Delay, SAME)),
        ),
        (
            Some(Delay),
            Event::Timeout,
            Action::Unicast,
            Some((Probe, SAME)),
        ),
        (
            Some(Probe),
            Event::Packet,
            Action::Forwards,
            Some((Probe, SAME)),
        ),
        (
            Some(Probe),
            Event::Timeout,
            Action::Unicast,
            Some((Probe, SAME)),
        ),
        (
            Some(Permanent),
            Event::Packet,
            Action::Forwards,
            Some((Permanent, SAME)),
        ),
        (
            Some(Permanent),
            Event::Timeout,
            Action::Nothing,
            Some((Permanent, SAME)),
        ),
        (
            Some(Failed),
            Event::Packet,
            Action::Refuses,
            Some((Failed, None)),
        ),
        (Some(Failed), Event::Timeout, Action::Nothing, None),
    ]);
}

#[test]
fn the_last_retransmission_ends_it() {
    let mut lab = lab_in(Some(Incomplete));
    lab.run(2 * SECOND);
    assert_eq!(lab.said().len(), 2, "three with the first");
    assert_eq!(state_of(&lab), Some((Incomplete, None)));
    lab.run(SECOND);
    assert_eq!(lab.frames(), [(Fate::Unreachable, 7)]);
    assert_eq!(state_of(&lab), Some((Failed, None)));
    assert_eq!(lab.said(), []);

    let mut lab = lab_in(Some(Probe));
    lab.run(2 * SECOND);
    assert_eq!(lab.said().len(), 2);
    assert_eq!(state_of(&lab), Some((Probe, SAME)));
    lab.run(SECOND);
    assert_eq!((state_of(&lab), lab.said()), (None, vec![]));
}

#[test]
fn advertisements_while_incomplete() {
    for overrides in [false, true] {
        let na = |solicited, link| Event::Na(solicited, overrides, link);
        for from in [Incomplete, Failed] {
            let sends = if from == Incomplete {
                Action::Sends
            } else {
                Action::Nothing
            };
            check(&[
                (
                    Some(from),
                    na(false, Link::Same),
                    sends,
                    Some((Stale, SAME)),
                ),
                (
                    Some(from),
                    na(true, Link::Same),
                    sends,
                    Some((Reachable, SAME)),
                ),
                (
                    Some(from),
                    na(false, Link::None),
                    Action::Nothing,
                    Some((from, None)),
                ),
                (
                    Some(from),
                    na(true, Link::None),
                    Action::Nothing,
                    Some((from, None)),
                ),
            ]);
        }
        for solicited in [false, true] {
            // What is not known is not learned.
            check(&[(None, na(solicited, Link::Same), Action::Nothing, None)]);
            for link in [Link::None, Link::Same, Link::Different] {
                let stays = Some((Permanent, SAME));
                check(&[(Some(Permanent), na(solicited, link), Action::Nothing, stays)]);
            }
        }
    }
}

#[test]
fn advertisements_to_what_is_known() {
    for from in [Reachable, Stale, Delay, Probe] {
        let stays = Some((from, SAME));
        let doubted = if from == Reachable { Stale } else { from };
        let row = |solicited, overrides, link, to| {
            (
                Some(from),
                Event::Na(solicited, overrides, link),
                Action::Nothing,
                to,
            )
        };
        check(&[
            row(true, false, Link::Same, Some((Reachable, SAME))),
            row(true, false, Link::Different, Some((doubted, SAME))),
            row(true, true, Link::Same, Some((Reachable, SAME))),
            row(true, true, Link::Different, Some((Reachable, NEW))),
            row(true, false, Link::None, Some((Reachable, SAME))),
            row(true, true, Link::None, Some((Reachable, SAME))),
            row(false, false, Link::Same, stays),
            row(false, false, Link::Different, Some((doubted, SAME))),
            row(false, true, Link::Same, stays),
            row(false, true, Link::Different, Some((Stale, NEW))),
            row(false, false, Link::None, stays),
            row(false, true, Link::None, stays),
        ]);
    }
}

#[test]
fn solicitations_of_the_neighbour() {
    // The answer to a Neighbour Solicitation is no matter of the entry; a Router Solicitation has none here.
    type Says = fn(Link) -> Event;
    let kinds: [(Says, Action); 2] = [(Event::Ns, Action::Answers), (Event::Rs, Action::Nothing)];
    for (says, otherwise) in kinds {
        check(&[
            (None, says(Link::Same), otherwise, Some((Stale, SAME))),
            (None, says(Link::None), otherwise, None),
            (
                Some(Incomplete),
                says(Link::Same),
                Action::Sends,
                Some((Stale, SAME)),
            ),
            (
                Some(Incomplete),
                says(Link::None),
                otherwise,
                Some((Incomplete, None)),
            ),
            (
                Some(Failed),
                says(Link::Same),
                otherwise,
                Some((Stale, SAME)),
            ),
            (
                Some(Permanent),
                says(Link::Different),
                otherwise,
                Some((Permanent, SAME)),
            ),
        ]);
        for from in [Reachable, Stale, Delay, Probe] {
            check(&[
                (Some(from), says(Link::Same), otherwise, Some((from, SAME))),
                (Some(from), says(Link::None), otherwise, Some((from, SAME))),
                (
                    Some(from),
                    says(Link::Different),
                    otherwise,
                    Some((Stale, NEW)),
                ),
            ]);
        }
    }
}

#[test]
fn whether_it_is_a_router_is_kept() {
    let is_router = |lab: &Lab| {
        let id = lab.discovery.find(interface(0, 0), address(HOST));
        let listed = id.and_then(|id| lab.discovery.listed(id));
        listed.expect("an entry").router
    };
    let host = address(HOST);
    let mut lab = lab_in(Some(Reachable));
    assert!(is_router(&lab), "it said so");
    // Ignored as a whole (7.2.5): the flag too.
    lab.receive(HOST_MAC, &advertisement(host, [false, false, false], NEW));
    assert!(is_router(&lab));
    lab.receive(HOST_MAC, &advertisement(host, [false, false, false], None));
    assert!(!is_router(&lab));
    lab.receive(HOST_MAC, &advertisement(host, [true, true, false], SAME));
    assert!(is_router(&lab));
    happens(&mut lab, Event::Rs(Link::Same));
    assert!(!is_router(&lab), "a router does not ask for one (6.2.6)");
}
