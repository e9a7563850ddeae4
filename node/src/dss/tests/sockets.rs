//! Permanent ends, of a guest whose events are heard by who asks it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pinode_guest_dss::control::Octets;
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::daemon::switch::packet::{self, Isp, Packet, ToDaemon};
use pinode_signaling::{Address, Qos, Traffic};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

use super::super::keeper::listen;
use super::super::signalling::{Current, Signalling};
use super::node::{Node, place};
use super::whole::signalling;
use crate::dss::{End, Permanent, PermanentState};
use crate::supervisor::{Listener, Listeners, listener};

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn add(signalling: &Signalling, label: u32) {
    let permanent = Permanent {
        name: format!("camera{label}"),
        port: "west".into(),
        vn: None,
        label,
        end: End::Call {
            called: Address([0x47; 20]),
            address: None,
            qos: Qos::sending(Traffic::ubr(1_400)),
        },
    };
    let at = Span::one(place(0, label));
    signalling.add_permanent(permanent, at, false).unwrap();
}

/// A guest that runs with so many ends, its ear, and what its daemon hears.
fn running(ends: u32) -> (Arc<Node>, Arc<Signalling>, Listener, OwnedFd) {
    let node = Node::new();
    let signalling = signalling(&node);
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    signalling.daemon_is(Some(Current {
        socket: Arc::new(ours),
        process: 7,
    }));
    for label in 100..100 + ends {
        add(&signalling, label);
    }
    let (ear, speaker) = listener();
    let mut listeners = Listeners::default();
    listeners.add(speaker);
    listeners.runs();
    node.state().ear = Some(listeners);
    (node, signalling, ear, theirs)
}

/// Listens until it is so.
fn until(signalling: &Signalling, ear: &Listener, is: impl Fn() -> bool) {
    std::thread::scope(|scope| {
        scope.spawn(|| listen(signalling, ear));
        let started = Instant::now();
        while !is() && started.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        let is = is();
        signalling.end();
        assert!(is, "it never comes to that");
    });
}

fn heard(daemon: &OwnedFd) -> Vec<Packet<ToDaemon>> {
    let mut buffer = vec![0; packet::OCTETS];
    let next = || {
        let (octets, _) = recv(daemon, &mut buffer[..], RecvFlags::DONTWAIT).ok()?;
        packet::read(buffer.get(..octets)?).ok()
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn more_ends_than_events_may_wait_are_asked_for_in_one_life() {
    const ENDS: u32 = 600;
    let (node, signalling, ear, daemon) = running(ENDS);
    let all = std::cell::RefCell::new(Vec::new());
    until(&signalling, &ear, || {
        all.borrow_mut().extend(heard(&daemon));
        // What the daemon could not take goes with the next.
        signalling.with_sockets(|_| {});
        all.borrow().len() > ENDS as usize
    });
    let all = all.into_inner();
    assert_eq!(all[0], Packet::Message(ToDaemon::Guest(Some(1))));
    let labels = all[1..].iter().map(|packet| match packet {
        Packet::Isp(isp) => (isp.life, isp.at.unwrap().label),
        other => panic!("{other:?}"),
    });
    let labels: Vec<_> = labels.collect();
    // By their names, as they were asked for.
    let mut sorted = labels.clone();
    sorted.sort_unstable();
    let expected: Vec<_> = (100..100 + ENDS).map(|label| (1, label)).collect();
    assert_eq!((sorted, ear.missed()), (expected, 0));
    assert_eq!(node.state().opened.len(), ENDS as usize);
}

#[test]
fn what_could_not_be_asked_is_asked_later_in_the_same_life() {
    let (node, signalling, ear, _daemon) = running(3);
    node.state().later = 4;
    let said = std::cell::Cell::new(false);
    until(&signalling, &ear, || {
        if node.state().opened.len() == 3 && !said.replace(true) {
            node.state().busy = 2;
            let isp = |number: u8| Isp {
                life: 1,
                at: None,
                octets: vec![number],
            };
            signalling.tell_sockets(vec![isp(1), isp(2)]);
        }
        node.state().told.len() >= 2
    });
    let state = node.state();
    assert_eq!(state.told, [Octets(vec![1]), Octets(vec![2])]);
    assert_eq!(
        state
            .opened
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        3,
        "asked twice"
    );
    for (_, end) in signalling.permanents() {
        assert_eq!((end.state, end.tries), (PermanentState::Connecting, 1));
    }
}

#[test]
fn an_end_that_is_taken_away_while_the_guest_is_busy_is_closed_once_it_is_not() {
    let (node, signalling, ear, _daemon) = running(1);
    let removed = std::cell::Cell::new(false);
    until(&signalling, &ear, || {
        if node.state().opened.len() == 1 && !removed.replace(true) {
            node.state().busy = 3;
            signalling.remove_permanent("camera100").unwrap();
        }
        // Operators do not wait for the guest.
        let _ = signalling.permanents();
        !node.state().closed.is_empty()
    });
    let state = node.state();
    assert_eq!(
        (state.closed.clone(), state.life),
        (state.opened.clone(), 1)
    );
}

#[test]
fn a_guest_that_stands_for_places_of_others_is_not_believed() {
    let (node, signalling, ear, daemon) = running(1);
    node.state().at = Some(Span::one(place(1, 500)));
    let all = std::cell::RefCell::new(Vec::new());
    until(&signalling, &ear, || {
        all.borrow_mut().extend(heard(&daemon));
        all.borrow()
            .contains(&Packet::Message(ToDaemon::Guest(None)))
    });
    let all = all.into_inner();
    assert!(
        !all.iter().any(|packet| matches!(packet, Packet::Isp(_))),
        "{all:?}"
    );
}
