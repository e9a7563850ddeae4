use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::sink::Received;
use crate::source::Source;
use crate::stream::{Encapsulation, StreamSpec, Transport};

/// Three kinds of streams: PIH, plain, UDP.
fn streams() -> Vec<Stream> {
    let mut specs = [
        StreamSpec::new(1, 2, 79, 1e6),
        StreamSpec::new(2, 1, 128, 5e5),
        StreamSpec::new(700, 3, 594, 1e6),
    ];
    specs[1].encapsulation = Encapsulation::Plain;
    specs[2].transport = Transport::Udp { from: 9, to: 7 };
    specs[2].traffic_class = 0xb8;
    Stream::all(specs).unwrap()
}

/// All frames of 100 us in a trial.
fn frames(epoch: u8) -> Vec<(u64, Vec<u8>)> {
    let mut source = Source::new(&streams(), 1000).in_epoch(epoch);
    source.start(1_000);
    source.stop(101_000);
    let mut frames = Vec::new();
    while let Some(pending) = source.next(u64::MAX - 1) {
        let (due_ns, mut frame) = (pending.due_ns(), vec![0; pending.octets()]);
        pending.write(&mut frame);
        frames.push((due_ns, frame));
    }
    frames
}

#[test]
fn streams_are_learned_from_what_comes() {
    let mut listener = Listener::new();
    for (due_ns, frame) in frames(3) {
        listener.absorb(due_ns + 250, &frame);
    }
    let heard: Vec<Heard> = listener.heard().collect();
    let found: Vec<_> = heard
        .iter()
        .map(|h| (h.stream, h.epoch, h.pih, h.received.frames))
        .collect();
    assert_eq!(
        found,
        [
            (1, 3, Some(0x40), 100),
            (2, 3, None, 50),
            (700, 3, Some(0x60), 100)
        ]
    );
    assert!(
        heard
            .iter()
            .all(|h| h.latency_ns.min == 250 && h.latency_ns.max == 250)
    );
    assert!(
        heard
            .iter()
            .all(|h| h.received.corrupted + h.received.missing == 0)
    );
    assert_eq!(
        (listener.foreign(), listener.beyond(), listener.stale()),
        (0, 0, 0)
    );
}

#[test]
fn what_befell_each_frame_is_found() {
    let mut listener = Listener::new();
    let all = frames(0);
    for (number, (due_ns, frame)) in all.iter().enumerate() {
        let mut frame = frame.clone();
        match number {
            // Lost.
            10 => continue,
            // The padding, the signature, the PIH.
            20 => *frame.last_mut().unwrap() ^= 1,
            21 => frame[60] ^= 1,
            _ => {}
        }
        listener.absorb(*due_ns, &frame);
        if number == 30 {
            listener.absorb(*due_ns, &frame);
        }
    }
    let sum = |of: fn(&Received) -> u64| listener.heard().map(|h| of(&h.received)).sum::<u64>();
    assert_eq!(sum(|r| r.frames), all.len() as u64 - 3);
    assert_eq!(sum(|r| r.missing), 3);
    assert_eq!(sum(|r| r.corrupted), 2);
    assert_eq!(sum(|r| r.duplicated), 1);
}

#[test]
fn each_trial_is_counted_for_itself() {
    let mut listener = Listener::new();
    for epoch in [0, 1, 2] {
        frames(epoch)
            .iter()
            .for_each(|(at, frame)| listener.absorb(*at, frame));
    }
    // Late ones of the trial before.
    frames(1)
        .iter()
        .take(5)
        .for_each(|(at, frame)| listener.absorb(*at, frame));
    assert_eq!((listener.heard().len(), listener.stale()), (9, 5));
    // Sixteen trials later the number is used again.
    for epoch in [3, 0] {
        frames(epoch)
            .iter()
            .for_each(|(at, frame)| listener.absorb(*at, frame));
    }
    let of_zero: Vec<u64> = listener
        .heard()
        .filter(|h| h.epoch == 0 && h.stream == 1)
        .map(|h| h.received.frames)
        .collect();
    assert_eq!(of_zero, [100, 100]);
}

#[test]
fn no_more_streams_are_learned_than_are_told_apart() {
    let mut listener = Listener::new();
    for id in 0..MOST_STREAMS as u16 + 10 {
        let stream = Stream::new(StreamSpec::new(id, 1, 79, 1e3)).unwrap();
        let mut source = Source::new(&[stream], 1);
        source.start(0);
        let mut frame = [0; 75];
        source.next(0).unwrap().write(&mut frame);
        listener.absorb(0, &frame);
    }
    assert_eq!(
        (listener.heard().len(), listener.beyond()),
        (MOST_STREAMS, 10)
    );
}

/// A clock that moves on each time it is read.
fn clock(step_ns: u64) -> impl Fn() -> u64 {
    let now = Cell::new(5_000_000);
    move || {
        now.set(now.get() + step_ns);
        now.get()
    }
}

#[test]
fn what_one_end_sends_the_other_hears() {
    let (mut near, mut far) = pinode_ports::memory::cable(4096, 2048);
    let streams = Stream::all([
        StreamSpec::new(1, 1, 79, 1e6),
        StreamSpec::new(2, 2, 1518, 1e5),
    ])
    .unwrap();
    let served = send(
        &mut near,
        &streams,
        4,
        Duration::from_millis(1),
        clock(300),
        &mut |_| true,
    );
    let sent: Vec<(u64, u64)> = served.sent.iter().map(|s| (s.frames, s.unsent)).collect();
    assert_eq!(sent, [(1000, 0), (100, 0)]);
    assert_eq!(served.duration_s, 1e-3);
    let mut listener = Listener::new();
    let mut looks = 0;
    listen(&mut far, &mut listener, clock(50_000), &mut |_| {
        looks += 1;
        looks < 3
    });
    let heard: Vec<_> = listener
        .heard()
        .map(|h| (h.stream, h.received.frames))
        .collect();
    assert_eq!(heard, [(1, 1000), (2, 100)]);
}

#[test]
fn a_source_that_is_stopped_says_for_how_long_it_sent() {
    let (mut near, _far) = pinode_ports::memory::cable(4096, 2048);
    let streams = Stream::all([StreamSpec::new(1, 1, 79, 1e4)]).unwrap();
    let served = send(
        &mut near,
        &streams,
        0,
        Duration::from_secs(60),
        clock(10_000),
        &mut |_| false,
    );
    let all = served.sent[0].frames + served.sent[0].unsent;
    assert!((0.1..0.2).contains(&served.duration_s), "{served:?}");
    assert!(
        (all as f64 - served.duration_s * 1e4).abs() <= 1.0,
        "{served:?}"
    );
}

proptest! {
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_octets_are_counted_once(
        octets in prop::collection::vec(any::<u8>(), 0..200),
        at in 0usize..250,
        changed in 0usize..600,
        to: u8,
    ) {
        let mut listener = Listener::new();
        listener.absorb(0, &octets);
        prop_assert_eq!(listener.foreign(), 1);
        let mut frame = frames(0).swap_remove(at).1;
        let place = changed % frame.len();
        frame[place] = to;
        listener.absorb(0, &frame);
        let counted: u64 = listener
            .heard()
            .map(|h| h.received.frames + h.received.corrupted + h.received.duplicated + h.received.too_late)
            .sum();
        let others = listener.foreign() + listener.learning() + listener.stale() + listener.beyond();
        prop_assert_eq!(counted + others, 2);
    }
}
