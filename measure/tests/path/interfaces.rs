//! Whatever is between two ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pinode_measure::path::{Interfaces, Options};
use pinode_measure::signature::{NO_STREAM, SIGNATURE_OCTETS, Signature};
use pinode_measure::stream::{Encapsulation, SIGNATURE_AT, Transport};
use pinode_measure::trial::{Device, Path, PathKind, Side, Trial};
use pinode_ports::memory::{MemoryPort, cable};
use pinode_ports::{FakePort, FaultPort, Faults, Port, RxBurst, TxMeta, TxSlots, Wake};

use super::node::{Node, monotonic_ns, wait_until};
use super::{assert_whole, due, load, streams};

fn path() -> Path {
    Path {
        kind: PathKind::Memory,
        capacity_bps: [1_000_000_000; 2],
        largest: 1518,
        description: "cables".to_owned(),
    }
}

fn between(west: impl Port + 'static, east: impl Port + 'static, options: Options) -> Interfaces {
    Interfaces::new([Box::new(west), Box::new(east)], path(), options).unwrap()
}

fn quiet() -> Options {
    Options {
        learning: false,
        ..Options::default()
    }
}

fn cabled() -> (MemoryPort, MemoryPort) {
    cable(4096, 2048)
}

#[test]
fn trials_over_a_cable_lose_nothing() {
    let (west, east) = cabled();
    let mut interfaces = between(west, east, Options::default());
    for fps in [1_000.0, 20_000.0] {
        let both = [Side::West, Side::East].map(|side| streams(side, &[1, 2], fps));
        let trial = interfaces
            .offer(&load(both.concat(), 100), &mut |_| true)
            .unwrap();
        assert_whole(&trial);
        for stream in &trial.streams {
            let all = stream.sent.frames + stream.sent.unsent;
            assert!(all.abs_diff(due(fps, 100)) <= 1, "{all}");
        }
        assert_eq!(trial.own_ns, 0);
    }
}

#[test]
fn a_device_between_two_cables_is_measured() {
    let ((west, node_west), (node_east, east)) = (cabled(), cabled());
    let node = Node::between(node_west, node_east, monotonic_ns);
    let mut interfaces = between(west, east, quiet());
    let mut specs = streams(Side::West, &[1, 2, 3], 2_000.0);
    specs[1].spec.encapsulation = Encapsulation::Plain;
    specs[2].spec.encapsulation = Encapsulation::Plain;
    specs[2].spec.transport = Transport::Udp { from: 5000, to: 7 };
    specs[2].spec.sizes = pinode_measure::stream::Sizes::Fixed(86);
    let trial = interfaces
        .offer(&load(specs.clone(), 100), &mut |_| true)
        .unwrap();
    assert_whole(&trial);
    let mut ordered = false;
    let trial = interfaces
        .offer(&load(specs, 400), &mut |glimpse| {
            if !ordered && glimpse.received > 0 {
                node.lose(23);
                ordered = true;
            }
            true
        })
        .unwrap();
    assert_eq!((trial.lost(), node.lost()), (23, 23));
}

#[test]
fn frames_of_an_earlier_trial_are_stale_and_change_no_sum() {
    let ((west, mut held), (mut given, east)) = (cabled(), cabled());
    let mut interfaces = between(west, east, quiet());
    // The device keeps everything of the first trial...
    let first = interfaces
        .offer(
            &load(streams(Side::West, &[1, 2], 1_000.0), 50),
            &mut |_| true,
        )
        .unwrap();
    assert_eq!((first.sent(), first.lost()), (100, 100));
    // ...and lets it out in the middle of the second.
    let mut kept = Some(first.sent() as usize);
    let second = interfaces
        .offer(
            &load(streams(Side::West, &[1, 2], 1_000.0), 300),
            &mut |_| {
                if let Some(frames) = kept.take() {
                    assert!(pass(&mut held, &mut given, frames) >= frames);
                }
                true
            },
        )
        .unwrap();
    assert_eq!(second.stale, first.sent());
    assert_eq!(second.foreign, 0);
    for stream in &second.streams {
        // The device went on forwarding for a moment.
        let received = stream.received;
        assert_eq!(received.frames + stream.lost(), stream.sent.frames);
        assert_eq!(
            received.missing + received.duplicated + received.corrupted,
            0
        );
    }
    assert!(second.lost() > 0);
}

/// Moves `most` frames from one port to another, and what else is in their bursts.
fn pass(from: &mut impl Port, to: &mut impl Port, most: usize) -> usize {
    let mut moved = 0;
    while moved < most {
        let mut burst = RxBurst::new();
        from.rx_burst(u64::MAX, &mut burst);
        let mut slots = TxSlots::new();
        to.tx_slots(burst.len(), &mut slots);
        let mut metas = Vec::new();
        for (slot, frame) in slots.iter_mut().zip(&burst) {
            slot[..frame.len()].copy_from_slice(frame);
            metas.push(TxMeta {
                len: frame.len() as u16,
                start_ns: 0,
            });
        }
        drop(slots);
        let taken = to.tx_commit(&metas);
        if taken == 0 {
            break;
        }
        moved += taken;
    }
    moved
}

#[test]
fn sent_is_what_the_port_took() {
    let (west, east) = cabled();
    let faults = Faults {
        refusal_ppm: 100_000,
        ..Faults::default()
    };
    let west = FaultPort::new(west, faults, 7);
    let watch = west.watch();
    let mut interfaces = between(west, east, quiet());
    let trial = interfaces
        .offer(
            &load(streams(Side::West, &[1, 2], 20_000.0), 150),
            &mut |_| true,
        )
        .unwrap();
    let refused = watch.counts().refused;
    assert!(refused > 100, "{refused}");
    let unsent: u64 = trial.streams.iter().map(|s| s.sent.unsent).sum();
    assert!(unsent >= refused);
    assert!(
        !trial.is_valid(),
        "a sender that falls short measures nothing"
    );
    // Numbers of refused frames are used again: nothing is missing.
    assert_whole(&trial);
    for stream in &trial.streams {
        assert_eq!(stream.sent.frames + stream.sent.unsent, 3_000);
    }
}

#[test]
fn a_port_without_slots_leaves_frames_unsent() {
    // Nobody takes anything out of this cable: it has room for 100 frames.
    let ((west, _far), (_, east)) = (cable(100, 2048), cabled());
    let mut interfaces = between(west, east, quiet());
    let trial = interfaces
        .offer(
            &load(streams(Side::West, &[1], 100_000.0), 100),
            &mut |_| true,
        )
        .unwrap();
    let sent = trial.streams[0].sent;
    assert_eq!((sent.frames, sent.unsent), (100, 9_900));
    assert!(trial.shortfall() > 0.98 && !trial.is_valid());
    assert_eq!(trial.lost(), 100);
}

/// A port that says of itself that it lost frames, from the first trial on.
struct Leaky<P> {
    port: P,
    missed: Arc<AtomicU64>,
    tx_lost: Arc<AtomicU64>,
}

impl<P: Port> Port for Leaky<P> {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        self.port.rx_burst(now_ns, burst);
    }
    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.port.tx_slots(want, slots);
    }
    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        self.port.tx_commit(frames)
    }
    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        self.port.rest(now_ns)
    }
    fn resume(&mut self) {
        self.port.resume();
    }
    fn slot_octets(&self) -> usize {
        self.port.slot_octets()
    }
    fn describe(&self) -> String {
        self.port.describe()
    }
    fn missed(&mut self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
    fn tx_lost(&self) -> u64 {
        self.tx_lost.load(Ordering::Relaxed)
    }
}

#[test]
fn what_the_testers_own_ports_lose_makes_a_trial_invalid() {
    let (west, east) = cabled();
    let (missed, tx_lost) = (Arc::new(AtomicU64::new(5)), Arc::new(AtomicU64::new(9)));
    let west = Leaky {
        port: west,
        missed: missed.clone(),
        tx_lost: tx_lost.clone(),
    };
    let mut interfaces = between(west, east, quiet());
    let mut offer = |lose: (u64, u64)| {
        let load = load(streams(Side::West, &[1], 1_000.0), 150);
        let watch = &mut |_| {
            missed.fetch_add(lose.0, Ordering::Relaxed);
            tx_lost.fetch_add(lose.1, Ordering::Relaxed);
            true
        };
        interfaces.offer(&load, watch).unwrap()
    };
    // A machine that stands still for 3 ms makes a trial invalid, too: such a one says nothing of the ports.
    let mut offer_undisturbed = |lose| {
        let trials = core::iter::repeat_with(|| offer(lose)).take(20);
        let mut undisturbed =
            trials.filter(|trial| trial.paused_s() < 0.002 && trial.shortfall() == 0.0);
        undisturbed
            .next()
            .expect("one of 20 trials in which the machine did not stand still")
    };
    let why = |trial: &Trial| trial.why_refused().unwrap_or_default();
    let clean = offer_undisturbed((0, 0));
    assert_eq!((clean.missed, clean.tx_lost), (0, 0), "before the trial");
    assert_eq!(why(&clean), "");
    let trial = offer_undisturbed((1, 0));
    assert!(trial.missed > 0 && trial.tx_lost == 0);
    assert!(why(&trial).contains("own ports lost"), "{}", why(&trial));
    let trial = offer_undisturbed((0, 2));
    assert!(trial.missed == 0 && trial.tx_lost > 0);
    assert!(why(&trial).contains("own ports lost"), "{}", why(&trial));
}

#[test]
fn a_switch_learns_where_the_destination_is_and_no_count_knows() {
    let ((west, node_west), (node_east, east)) = (cabled(), cabled());
    let seen = Arc::new(AtomicU64::new(0));
    // What comes from the east before the trial has the stream's destination as its source.
    struct Spy(MemoryPort, Arc<AtomicU64>);
    impl Port for Spy {
        fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
            self.0.rx_burst(now_ns, burst);
            for frame in burst.iter() {
                let signature: [u8; SIGNATURE_OCTETS] = frame[SIGNATURE_AT..][..SIGNATURE_OCTETS]
                    .try_into()
                    .unwrap();
                let signature = Signature::decode(&signature).unwrap();
                assert_eq!(signature.stream, NO_STREAM);
                assert_eq!(frame[..12], [2, 0, 0, 1, 0, 1, 2, 0, 0, 2, 0, 1]);
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
        fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
            self.0.tx_slots(want, slots);
        }
        fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
            self.0.tx_commit(frames)
        }
        fn rest(&mut self, now_ns: u64) -> Wake<'_> {
            self.0.rest(now_ns)
        }
        fn slot_octets(&self) -> usize {
            self.0.slot_octets()
        }
        fn describe(&self) -> String {
            self.0.describe()
        }
    }
    let _node = Node::between(node_west, Spy(node_east, seen.clone()), monotonic_ns);
    let mut interfaces = between(west, east, Options::default());
    let trial = interfaces
        .offer(&load(streams(Side::West, &[1], 1_000.0), 50), &mut |_| true)
        .unwrap();
    assert_whole(&trial);
    wait_until("learning frames", || seen.load(Ordering::Relaxed) == 3);
}

#[test]
fn silence_and_the_last_gap_tell_when_a_device_was_away() {
    let ((west, node_west), (node_east, east)) = (cabled(), cabled());
    let node = Node::between(node_west, node_east, monotonic_ns);
    let mut interfaces = between(west, east, quiet());
    let mut ordered = false;
    let trial = interfaces
        .offer(
            &load(streams(Side::West, &[1], 5_000.0), 500),
            &mut |glimpse| {
                if !ordered && glimpse.received > 0 {
                    // At 5000 frames/s: 100 ms.
                    node.lose(500);
                    ordered = true;
                }
                true
            },
        )
        .unwrap();
    let received = trial.streams[0].received;
    assert_eq!(received.missing, 500);
    assert!(received.silence_ns < received.last_ns - received.first_ns);
    assert_eq!(
        received.last_gap_ns,
        received.silence_from_ns + received.silence_ns
    );
    assert!(received.silence_from_ns > trial.began_ns);
}

#[test]
fn a_side_that_hears_nothing_waits_for_no_longer_than_the_drain() {
    let mut interfaces = between(FakePort::new(2048).0, FakePort::new(2048).0, quiet());
    let mut load = load(streams(Side::West, &[1], 1_000.0), 20);
    load.drain = Duration::from_millis(40);
    let trial = interfaces.offer(&load, &mut |_| true).unwrap();
    assert_eq!((trial.sent(), trial.lost()), (20, 20));
}

#[test]
fn a_cpu_that_is_not_there_is_said_so() {
    let (west, east) = cabled();
    let options = Options {
        cpus: [None, Some(100_000)],
        ..Options::default()
    };
    let ports: [Box<dyn Port>; 2] = [Box::new(west), Box::new(east)];
    let error = Interfaces::new(ports, path(), options)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("east") && error.contains("CPU 100000"),
        "{error}"
    );
}
