//! Source and sink behind a port, read by a probe.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pinode_measure::plan::Plan;
use pinode_measure::stats::Summary;
use pinode_measure::stream::{Stream, StreamSpec};
use pinode_measure::wire::{Probe, ProbeError, Snapshot, TesterWire};
use pinode_ports::{BURST, InlinePort, Port, RxBurst, TxMeta, TxSlots};

const GIGABIT: u64 = 1_000_000_000;

fn streams(rate_fps: f64) -> Vec<Stream> {
    Stream::all((1..=3).map(|pi| StreamSpec::new(pi.into(), pi, 79, rate_fps))).unwrap()
}

/// A node that forwards at once: what comes into `from` starts out of `to` `delay_ns` later.
fn forward(now_ns: u64, delay_ns: u64, from: &mut impl Port, to: &mut impl Port) -> usize {
    let mut burst = RxBurst::new();
    from.rx_burst(now_ns, &mut burst);
    to.rx_burst(now_ns, &mut RxBurst::new());
    let mut slots = TxSlots::new();
    to.tx_slots(burst.len(), &mut slots);
    let mut metas = Vec::new();
    for (slot, frame) in slots.iter_mut().zip(&burst) {
        slot[..frame.len()].copy_from_slice(frame);
        metas.push(TxMeta {
            len: frame.len() as u16,
            start_ns: now_ns + delay_ns,
        });
    }
    drop(slots);
    to.tx_commit(&metas)
}

fn pair(streams: &[Stream]) -> (InlinePort<TesterWire>, Probe, InlinePort<TesterWire>, Probe) {
    let (west, west_probe) = TesterWire::new(streams, &[], GIGABIT);
    let (east, east_probe) = TesterWire::new(&[], streams, GIGABIT);
    (
        InlinePort::new(west, 2048),
        west_probe,
        InlinePort::new(east, 2048),
        east_probe,
    )
}

/// Asks, lets the worker make an idle burst, and fetches.
fn look(probe: &mut Probe, port: &mut impl Port, now_ns: u64) -> Snapshot {
    probe.request();
    port.rx_burst(now_ns, &mut RxBurst::new());
    probe.poll().expect("a burst was made").clone()
}

#[test]
fn what_is_sent_arrives_and_latency_ends_with_the_last_bit() {
    let streams = streams(100_000.0);
    let (mut west, west_probe, mut east, mut east_probe) = pair(&streams);
    let mut west_probe = west_probe;
    assert_eq!(forward(0, 0, &mut west, &mut east), 0, "not started");
    west_probe.start(1_000_000);
    west_probe.stop(2_000_000);
    let sent: usize = (1_000_000..2_001_000)
        .step_by(100)
        .map(|t| forward(t, 50_000, &mut west, &mut east))
        .sum();
    assert_eq!(sent, 300);

    let w = look(&mut west_probe, &mut west, 2_001_000);
    assert_eq!(
        w.sent
            .iter()
            .map(|s| (s.frames, s.octets, s.unsent))
            .collect::<Vec<_>>(),
        [(100, 7900, 0); 3]
    );
    let e = look(&mut east_probe, &mut east, 2_001_000);
    assert_eq!(e.at_ns, 2_001_000);
    for (received, latency) in e.received.iter().zip(&e.latency) {
        assert_eq!(
            (received.frames, received.missing, received.corrupted),
            (100, 0, 0)
        );
        // 79 + 20 octets at 1 Gb/s: 792 ns; the forwarder looks every 100 ns; cells of 3 digits.
        let s = Summary::of(latency);
        assert!(s.min >= 50_750 && s.max <= 50_950, "{s:?}");
    }
}

#[test]
fn latencies_are_those_since_the_snapshot_before() {
    let streams = streams(1e6);
    let (mut west, west_probe, mut east, mut east_probe) = pair(&streams);
    west_probe.start(0);
    let sent = forward(10_000, 0, &mut west, &mut east) as u64;
    let total = |s: &Snapshot| s.latency.iter().map(|l| l.len()).sum::<u64>();
    let first = look(&mut east_probe, &mut east, 10_000);
    assert_eq!(total(&first), sent);
    let second = look(&mut east_probe, &mut east, 10_001);
    assert_eq!(total(&second), 0);
    assert_eq!(second.received, first.received);
    let more = forward(20_000, 0, &mut west, &mut east) as u64;
    assert!(more > 0);
    assert_eq!(total(&look(&mut east_probe, &mut east, 20_000)), more);
}

#[test]
fn a_burst_holds_what_it_holds_and_the_rest_follows() {
    let streams = streams(1e6);
    let (mut west, probe, mut east, _east_probe) = pair(&streams);
    probe.start(0);
    probe.stop(100_000);
    let rounds: Vec<_> = (0..6)
        .map(|i| forward(100_000 + i, 0, &mut west, &mut east))
        .collect();
    assert_eq!(rounds, [BURST, BURST, BURST, BURST, 300 - 4 * BURST, 0]);
}

#[test]
fn a_second_start_goes_on_counting() {
    let streams = streams(1e5);
    let (mut west, mut probe, mut east, mut east_probe) = pair(&streams);
    for begin in [0u64, 10_000_000] {
        probe.start(begin);
        probe.stop(begin + 100_000);
        for now in (begin..begin + 200_000).step_by(1_000) {
            forward(now, 0, &mut west, &mut east);
        }
    }
    assert_eq!(look(&mut probe, &mut west, 20_000_000).sent[0].frames, 20);
    let e = look(&mut east_probe, &mut east, 20_000_000);
    assert_eq!((e.received[0].frames, e.received[0].missing), (20, 0));
}

#[test]
fn a_frame_longer_than_the_slot_is_unsent() {
    let streams = Stream::all([StreamSpec::new(1, 1, 1518, 1e6)]).unwrap();
    let (wire, mut probe) = TesterWire::new(&streams, &[], GIGABIT);
    let mut port = InlinePort::new(wire, 512);
    probe.start(0);
    let mut burst = RxBurst::new();
    port.rx_burst(9_999, &mut burst);
    assert!(burst.is_empty());
    drop(burst);
    let sent = look(&mut probe, &mut port, 9_999).sent[0];
    assert_eq!((sent.frames, sent.unsent), (0, 10));
}

#[test]
fn another_thread_reads_exact_sums_under_load() {
    let streams = streams(300_000.0);
    let (mut west, mut west_probe, mut east, mut east_probe) = pair(&streams);
    let done = AtomicBool::new(false);
    let patience = Duration::from_secs(20);
    std::thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || {
            let mut now_ns = 0;
            while !done.load(Ordering::Relaxed) {
                now_ns += 1_000;
                forward(now_ns, 10_000, &mut west, &mut east);
            }
        });
        west_probe.start(50_000);
        let mut measured = [0; 3];
        for _ in 0..20 {
            let e = east_probe.snapshot(patience).unwrap();
            for (i, received) in e.received.iter().enumerate() {
                measured[i] += e.latency[i].len();
                assert_eq!(measured[i], received.frames, "each frame is measured once");
                assert_eq!(received.missing, 0);
            }
            let east_frames: u64 = e.received.iter().map(|r| r.frames).sum();
            let w = west_probe.snapshot(patience).unwrap();
            assert!(w.sent.iter().map(|s| s.frames).sum::<u64>() >= east_frames);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        east_probe.snapshot(patience).unwrap_err(),
        ProbeError::Closed
    );
}

#[test]
fn a_port_that_is_not_polled_is_said_so() {
    let (_wire, mut probe) = TesterWire::new(&streams(1e3), &[], GIGABIT);
    let patience = Duration::from_millis(2);
    assert_eq!(
        probe.snapshot(patience).unwrap_err(),
        ProbeError::Silent(patience)
    );
    assert!(probe.poll().is_none());
}

#[test]
fn a_new_plan_takes_over_between_two_bursts_and_the_old_one_comes_back_whole() {
    let (old, new) = (streams(1e6), streams(5e5));
    let (wire, mut probe) = TesterWire::new(&old, &[], GIGABIT);
    let mut port = InlinePort::new(wire, 2048);
    probe.start(0);
    let mut burst = RxBurst::new();
    port.rx_burst(9_000, &mut burst);
    let first = burst.len() as u64;
    assert_eq!(first, 28);
    drop(burst);

    let mut plan = Plan::new(&new[..1], &[], 1);
    plan.source.start(20_000);
    // An order given before the change is the old plan's, and a record asked for before it is, too.
    probe.stop(9_500);
    probe.request();
    let patience = Duration::from_secs(20);
    let done = AtomicBool::new(false);
    let back = std::thread::scope(|scope| {
        let (done, port) = (&done, &mut port);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                // Nothing more is due: it may look before the plan is there.
                port.rx_burst(9_000, &mut RxBurst::new());
            }
        });
        let back = probe.exchange(Box::new(plan), patience);
        done.store(true, Ordering::Relaxed);
        back.unwrap()
    });
    assert_eq!(back.sent(), first);
    assert_eq!(back.pacing.len(), first);
    assert!(back.own_ns > 0);

    let mut burst = RxBurst::new();
    port.rx_burst(29_999, &mut burst);
    assert_eq!(burst.len(), 5, "from 20 us on, each 2 us");
    drop(burst);
    let snapshot = look(&mut probe, &mut port, 29_999);
    assert_eq!(snapshot.sent.len(), 1);
    assert_eq!(snapshot.sent[0].frames, 5);
    assert!(snapshot.received.is_empty() && snapshot.latency.is_empty());
    assert_eq!(snapshot.due_ns, 30_000);
}
