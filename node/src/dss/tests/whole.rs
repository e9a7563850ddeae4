//! Operations as a daemon asks for them, and what is left of a daemon that is gone.

use std::process::Command;
use std::sync::{Arc, Mutex};

use pinode_signaling::daemon::switch::packet::{self, Packet, ToDaemon, ToNode};
use pinode_signaling::daemon::switch::{Op, OpId, Refusal, Way, What};
use pinode_signaling::daemon::{Configuration, PortConfiguration};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use super::super::keeper::{hear, keep};
use super::super::post::post;
use super::super::signalling::Signalling;
use super::node::{Node, key, ports, way};
use crate::control::{Control, StreamName};

pub fn signalling(node: &Arc<Node>) -> Arc<Signalling> {
    let port = PortConfiguration {
        number: 0,
        name: "west".into(),
        edge: false,
        vn: None,
        labels: Vec::new(),
    };
    let configuration = Configuration {
        ports: vec![port],
        ..Configuration::default()
    };
    let node: Arc<dyn Control> = Arc::clone(node) as Arc<_>;
    let weak = Arc::downgrade(&node);
    Arc::new(Signalling::new(
        weak,
        "dss",
        configuration,
        ports(),
        500,
        1_024,
    ))
}

/// A connection of both ways: label `label` at port 0, the next one at port 1.
fn both(label: u32) -> Vec<Way> {
    vec![
        way((0, label), (1, label + 1)),
        way((1, label + 1), (0, label)),
    ]
}

fn op(id: u64, what: What, label: u32) -> Op {
    Op {
        id: OpId(id),
        what,
        ways: both(label),
    }
}

#[test]
fn an_operation_is_done_wholly_or_not_at_all() {
    let node = Node::new();
    let signalling = signalling(&node);
    // Of the first the second way has no rate left, of the second the guest has no room.
    node.state()
        .taken
        .insert(("west".into(), StreamName { vn: 0, label: 16 }));
    node.state().full.insert(key(1, 21));
    let ops = [
        op(1, What::Set, 16),
        op(2, What::Set, 20),
        op(3, What::Set, 24),
    ];
    let done = signalling.switch(&ops);
    assert!(
        matches!(
            &done[..],
            [
                (OpId(1), Err(Refusal::Rate(_))),
                (OpId(2), Err(Refusal::Full(_))),
                (OpId(3), Ok(()))
            ]
        ),
        "{done:?}"
    );
    assert_eq!(node.names(), ["east 25", "west 24"]);
    assert_eq!(node.labels(), [24, 25]);
}

#[test]
fn operations_are_done_in_their_order() {
    let node = Node::new();
    let signalling = signalling(&node);
    let ops = [
        op(1, What::Set, 16),
        op(2, What::Unset, 16),
        op(3, What::Set, 16),
        op(4, What::Set, 20),
        op(5, What::Unset, 20),
    ];
    let done = signalling.switch(&ops);
    let answered: Vec<u64> = done.iter().map(|(op, _)| op.0).collect();
    assert_eq!(answered, [1, 2, 3, 4, 5]);
    assert!(done.iter().all(|(_, done)| done.is_ok()));
    assert_eq!((node.labels(), node.names().len()), (vec![16, 17], 2));
}

#[test]
fn frames_go_after_a_rate_is_reserved_and_no_more_before_it_is_freed() {
    let node = Node::new();
    let signalling = signalling(&node);
    signalling.switch(&[op(1, What::Set, 16)]);
    signalling.switch(&[op(2, What::Unset, 16)]);
    let order = std::mem::take(&mut node.state().order);
    assert_eq!(
        order,
        [
            "reserve",
            "reserve",
            "connect",
            "disconnect",
            "free",
            "free"
        ]
    );
    signalling.switch(&[op(3, What::Set, 16)]);
    node.state().order.clear();
    signalling.daemon_is(None);
    assert_eq!(node.state().order, ["clear", "free", "free"]);
    assert_eq!((node.labels().len(), node.names().len()), (0, 0));
}

#[test]
fn a_daemon_is_started_again_when_nothing_of_the_last_is_left() {
    let node = Node::new();
    let signalling = signalling(&node);
    let kept = Mutex::new(None);
    let (mut found, mut daemons) = (Vec::new(), Vec::new());
    let (post, _posted) = post();
    keep(&signalling, &kept, &post, |_| {
        found.push((node.labels(), node.names()));
        assert!(signalling.show(0).is_err(), "nobody is there to be asked");
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // The daemon has something set, and dies when it hears that it is.
        let set = ToNode::Switch(vec![op(1, What::Set, 16)]);
        send(&theirs, &packet::message(&set), SendFlags::empty())?;
        daemons.push(std::thread::spawn(move || {
            let mut buffer = vec![0; packet::OCTETS];
            let (octets, _) = recv(&theirs, &mut buffer[..], RecvFlags::empty()).unwrap();
            packet::read::<ToDaemon>(&buffer[..octets]).unwrap()
        }));
        if daemons.len() == 2 {
            signalling.end();
        }
        Ok((Command::new("true").spawn()?, ours))
    });
    for daemon in daemons {
        let heard = daemon.join().unwrap();
        assert_eq!(
            heard,
            Packet::Message(ToDaemon::Switched(vec![(OpId(1), Ok(()))]))
        );
    }
    assert_eq!(found, [(vec![], vec![]), (vec![], vec![])]);
    assert_eq!((node.labels().len(), node.names().len()), (0, 0));
}

#[test]
fn a_guest_that_is_slow_to_send_keeps_no_operation_waiting() {
    let node = Node::new();
    let signalling = signalling(&node);
    let (post, posted) = post();
    std::thread::scope(|scope| {
        let speaking = Arc::clone(&signalling);
        scope.spawn(move || posted.deliver(&speaking));
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        for number in 1..=3 {
            send(&theirs, &packet::pdu(0, 0, &[number]), SendFlags::empty()).unwrap();
        }
        // The guest answers only when it has been told of the connection: see `Node`.
        let set = ToNode::Switch(vec![op(1, What::Set, 16)]);
        send(&theirs, &packet::message(&set), SendFlags::empty()).unwrap();
        let hearing = scope.spawn(move || hear(&signalling, &ours, &post));
        let mut buffer = vec![0; packet::OCTETS];
        let (octets, _) = recv(&theirs, &mut buffer[..], RecvFlags::empty()).unwrap();
        let heard = packet::read::<ToDaemon>(&buffer[..octets]).unwrap();
        assert_eq!(
            heard,
            Packet::Message(ToDaemon::Switched(vec![(OpId(1), Ok(()))]))
        );
        drop(theirs);
        assert_eq!(hearing.join().unwrap(), "it closed its socket");
    });
    assert_eq!(
        node.state().sent,
        [vec![1], vec![2], vec![3]],
        "each, in order"
    );
}
