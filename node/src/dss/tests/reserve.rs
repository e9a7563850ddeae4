//! What level 2 has reserved.

use pinode_signaling::daemon::switch::Refusal;
use pinode_signaling::{Class, Peak};

use super::super::reserve::Reserved;
use super::node::{Node, place, ports, way};
use crate::control::{StreamClass, StreamName};

fn reserved() -> Reserved {
    Reserved::new("dss", ports(), 500)
}

fn name(label: u32) -> StreamName {
    StreamName { vn: 0, label }
}

#[test]
fn answers_come_in_the_order_of_the_ways_whatever_their_ports() {
    let (node, mut reserved) = (Node::new(), reserved());
    node.state()
        .taken
        .extend([("east".into(), name(21)), ("west".into(), name(32))]);
    let ways = [
        way((0, 20), (1, 20)),
        way((1, 31), (0, 31)),
        way((0, 21), (1, 21)),
        way((1, 32), (0, 32)),
        way((0, 22), (1, 22)),
    ];
    let no = |port| Err(Refusal::Rate(format!("port {port}: 9 bit/s are left")));
    let done = reserved.reserve(&*node, &ways);
    assert_eq!(done, [Ok(()), Ok(()), no("east"), no("west"), Ok(())]);
    assert_eq!(
        (node.names(), reserved.len()),
        (
            vec!["east 20".into(), "east 22".into(), "west 31".to_owned()],
            3
        )
    );
    // Only what is there is freed; the node says when it is asked for more.
    reserved.free(&*node, ways.map(|way| way.to));
    assert_eq!((node.names().len(), reserved.len()), (0, 0));
    reserved.free(&*node, [place(1, 20)]);
}

#[test]
fn a_port_that_does_not_answer_fails_its_own_ways_alone() {
    let (node, mut reserved) = (Node::new(), reserved());
    node.state().dead_ports.insert("west".into());
    let ways = [
        way((1, 31), (0, 31)),
        way((0, 20), (1, 20)),
        way((1, 32), (0, 32)),
    ];
    let done = reserved.reserve(&*node, &ways);
    assert!(
        matches!(
            done[..],
            [Err(Refusal::Failed(_)), Ok(()), Err(Refusal::Failed(_))]
        ),
        "{done:?}"
    );
    assert_eq!(node.names(), ["east 20"]);
    reserved.clear(&*node);
    assert_eq!((node.names().len(), reserved.len()), (0, 0));
}

#[test]
fn what_is_reserved_is_what_was_asked_for() {
    let (node, mut reserved) = (Node::new(), reserved());
    let mut best = way((0, 21), (1, 21));
    (best.traffic.class, best.traffic.peak) = (Class::Ubr, None);
    best.traffic.max_sdu = 1;
    let mut frames = way((0, 22), (1, 22));
    frames.traffic.peak = Some(Peak::Frames(1_000));
    let done = reserved.reserve(&*node, &[way((0, 20), (1, 20)), best, frames]);
    assert!(done.iter().all(Result::is_ok));
    let state = node.state();
    let of = |label| &state.reserved[&("east".to_owned(), name(label))];
    assert_eq!(
        (of(20).class, of(20).rate_bps),
        (StreamClass::Cbr, Some(1_000_000))
    );
    assert_eq!((of(20).early_ns, of(20).max_frame), (2_500, Some(1_027)));
    assert_eq!(
        (of(21).class, of(21).rate_bps, of(21).max_frame),
        (StreamClass::Ubr, None, Some(64))
    );
    // Preamble and gap are twenty octets more than the frame.
    assert_eq!(of(22).rate_bps, Some(1_047 * 8 * 1_000));
}
