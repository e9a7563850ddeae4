//! A node in this process.

use std::time::Duration;

use pinode_measure::path::Wires;
use pinode_measure::stream::StreamError;
use pinode_measure::trial::{Device, DeviceError, Reset, Side};
use pinode_ports::InlinePort;

use super::node::{Node, monotonic_ns};
use super::{assert_whole, due, load, streams};

const GIGABIT: u64 = 1_000_000_000;

fn path() -> (Wires, Node) {
    let (wires, [west, east]) = Wires::new([GIGABIT; 2], 1518, "a test's node");
    let ports = [west, east].map(|wire| InlinePort::new(wire, 2048));
    let [west, east] = ports;
    (wires, Node::between(west, east, monotonic_ns))
}

#[test]
fn trials_of_other_streams_follow_each_other() {
    let (mut wires, _node) = path();
    for (trial, pis) in [&[1, 2, 3][..], &[2], &[3, 1]].iter().enumerate() {
        let fps = 5_000.0 * (trial + 1) as f64;
        let both = [Side::West, Side::East].map(|side| streams(side, pis, fps));
        let trial = wires
            .offer(&load(both.concat(), 150), &mut |_| true)
            .unwrap();
        assert_eq!(trial.streams.len(), 2 * pis.len());
        assert!(!trial.is_partial && trial.own_ns > 0);
        assert_eq!(trial.duration_s, 0.15);
        if trial.is_valid() {
            assert_whole(&trial);
        }
        for stream in &trial.streams {
            let all = stream.sent.frames + stream.sent.unsent;
            assert!(all.abs_diff(due(fps, 150)) <= 1, "{all} at {fps}");
            assert_eq!(stream.offered_fps, fps);
        }
    }
}

#[test]
fn one_side_may_send_alone() {
    let (mut wires, _node) = path();
    let trial = wires
        .offer(&load(streams(Side::East, &[1], 1_000.0), 60), &mut |_| true)
        .unwrap();
    assert_eq!(trial.sent(), 60);
    assert_whole(&trial);
}

#[test]
fn what_the_node_loses_is_found_to_the_frame() {
    let (mut wires, node) = path();
    let mut ordered = false;
    let trial = wires
        .offer(
            &load(streams(Side::West, &[1, 2], 2_000.0), 400),
            &mut |glimpse| {
                if !ordered && glimpse.received > 0 {
                    node.lose(37);
                    ordered = true;
                }
                true
            },
        )
        .unwrap();
    assert_eq!(node.lost(), 37);
    assert_eq!(trial.lost(), 37);
    assert_eq!(trial.loss_ratio(), 37.0 / trial.sent() as f64);
    for stream in trial.streams {
        let received = stream.received;
        assert_eq!(received.frames + received.missing, stream.sent.frames);
        assert!(received.last_gap_ns > trial.began_ns && received.last_gap_ns < received.last_ns);
    }
}

#[test]
fn an_early_end_has_exact_counts() {
    let (mut wires, _node) = path();
    let mut glimpses = Vec::new();
    let trial = wires
        .offer(
            &load(streams(Side::West, &[1, 2, 3], 3_000.0), 60_000),
            &mut |glimpse| {
                glimpses.push(glimpse);
                glimpses.len() < 3
            },
        )
        .unwrap();
    assert!(trial.is_partial);
    assert!(trial.duration_s > 0.2 && trial.duration_s < 60.0);
    assert_whole(&trial);
    for stream in &trial.streams {
        let all = (stream.sent.frames + stream.sent.unsent) as f64;
        assert!((all - 3_000.0 * trial.duration_s).abs() <= 1.0, "{all}");
    }
    assert!(glimpses.is_sorted_by_key(|glimpse| glimpse.sent));
    assert!(glimpses.iter().all(|glimpse| glimpse.sent <= trial.sent()));
    assert!(glimpses.is_sorted_by_key(|glimpse| glimpse.own_ns));
    let next = wires
        .offer(&load(streams(Side::West, &[1], 3_000.0), 60), &mut |_| true)
        .unwrap();
    assert!(!next.is_partial);
    assert_eq!(next.sent(), 180);
    assert_whole(&next);
}

#[test]
fn rates_change_at_the_step() {
    let (mut wires, _node) = path();
    let mut load = load(streams(Side::West, &[1], 10_000.0), 200);
    load.step = Some((Duration::from_millis(100), 0.5));
    let trial = wires.offer(&load, &mut |_| true).unwrap();
    let sent = trial.streams[0].sent;
    assert!((sent.frames + sent.unsent).abs_diff(1_500) <= 1, "{sent:?}");
    assert_eq!(trial.lost(), 0);
}

#[test]
fn what_the_path_cannot_carry_is_refused_before_anything_is_sent() {
    let (mut wires, _node) = path();
    let mut refusal = |load| wires.offer(&load, &mut |_| true).unwrap_err();
    let mut large = streams(Side::West, &[1], 100.0);
    large[0].spec.sizes = pinode_measure::stream::Sizes::Sequence(vec![79, 1519]);
    assert!(matches!(
        refusal(load(large, 10)),
        DeviceError::TooLarge {
            id: 1,
            size: 1519,
            largest: 1518
        }
    ));
    // 99 octets on the wire: 1262626.26 frames/s.
    let error = refusal(load(streams(Side::East, &[1, 2, 3], 420_876.0), 10)).to_string();
    assert!(
        error.contains("1000001376 bit/s") && error.contains("East"),
        "{error}"
    );
    let mut step = load(streams(Side::West, &[1], 700_000.0), 10);
    step.step = Some((Duration::from_millis(5), 2.0));
    assert!(matches!(
        refusal(step.clone()),
        DeviceError::AboveLine {
            side: Side::West,
            ..
        }
    ));
    step.step = Some((Duration::from_millis(5), 0.0));
    assert!(matches!(
        refusal(step),
        DeviceError::Stream(StreamError::Rate { id: 1, .. })
    ));
    let twice = [
        streams(Side::West, &[1], 1.0),
        streams(Side::West, &[1], 1.0),
    ]
    .concat();
    assert!(matches!(
        refusal(load(twice, 10)),
        DeviceError::Stream(StreamError::Twice { id: 1 })
    ));
    wires.may_exceed_line(true);
    let above = load(streams(Side::East, &[1, 2, 3], 420_876.0), 5);
    wires.offer(&above, &mut |_| true).unwrap();
    let at_line = wires.path().line_rate_fps(Side::East, 79.0) / 3.0;
    wires.may_exceed_line(false);
    wires
        .offer(
            &load(streams(Side::East, &[1, 2, 3], at_line), 5),
            &mut |_| true,
        )
        .unwrap();
}

#[test]
fn a_node_that_is_gone_is_said_so() {
    let (mut wires, node) = path();
    drop(node);
    let error = wires
        .offer(&load(streams(Side::West, &[1], 1.0), 10), &mut |_| true)
        .unwrap_err();
    assert_eq!(error.to_string(), "the port of this tester is closed");
}

#[test]
fn a_reset_is_what_the_owner_says() {
    let (mut wires, _node) = path();
    let error = wires.resetter(Reset::Software).err().unwrap().to_string();
    assert!(error.contains("Software"), "{error}");
    wires.reset_by(Reset::Software, || Err(DeviceError::Path("tried".into())));
    let mut reset = wires.resetter(Reset::Software).unwrap();
    assert_eq!(reset().unwrap_err().to_string(), "tried");
}
