//! Each discipline in a worker as it is: a guest sends, frames come out of the port in the order of
//! the discipline, within the PI's windows, and what it refuses is counted under its cause.

mod rig;

use std::num::NonZeroU8;

use pinode_classifier::{Access, GuestForm, Pi, Trunk, Vn, VnSet};
use pinode_node::dataplane::counters::PiSnapshot;
use pinode_node::dataplane::idle::Sleep;
use pinode_node::dataplane::level2::Level2;
use pinode_scheduler::LinkRate;
use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::streams::{Connection, Room, Service, Tolerance};
use pinode_scheduler::level2::{ClassCounters, Content, Diffserv, Streams};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use rig::{ETHERTYPE, FakeSleeper, MTU, Plan, QUEUE, Rig, SLOTS, assert_conserved, frame, pis};

const PHASE_NS: u64 = 100_000;
const CYCLE_NS: u64 = SLOTS as u64 * PHASE_NS;
/// Where frames go out.
const PORT: usize = 1;
const GBIT: u64 = 1_000_000_000;
/// The discipline's guest.
const SLOT: usize = 0;
const VN: u8 = 0;

const EF: u8 = 46;
const AF11: u8 = 10;
const AF13: u8 = 14;
const DF: u8 = 0;

fn rate(bps: u64) -> LinkRate {
    LinkRate::new(bps).unwrap()
}

fn diffserv_of(rt_bps: u64, rt_burst: u32, limit: usize) -> Level2 {
    let policed = |bps, burst_octets| Policed {
        rate: rate(bps),
        burst_octets,
        limit,
    };
    let weighted = Weighted {
        weight: NonZeroU8::MIN,
        limit,
    };
    Level2::Diffserv(Diffserv::new(&Classes {
        nc: policed(GBIT, 100_000),
        rt: policed(rt_bps, rt_burst),
        assured: weighted,
        be: weighted,
    }))
}

fn diffserv(slot: usize) -> Option<Level2> {
    (slot == SLOT).then(|| diffserv_of(GBIT, 100_000, 64))
}

fn content(slot: usize) -> Option<Level2> {
    (slot == SLOT).then(|| Level2::Content(Content::new(1, 64, 64)))
}

/// 10 Mb/s for label 17, of which a frame may be as early as a whole cycle; 100 kb/s for label 18.
fn streams(slot: usize) -> Option<Level2> {
    let mut streams = Streams::new(Room::of(GBIT / 4, QUEUE.into()));
    for (label, bps) in [(17, 10_000_000), (18, 100_000)] {
        let connection = Connection {
            vn: VN,
            label,
            service: Service::Cbr,
            peak: Some(rate(bps)),
            tolerance: Tolerance::Own(CYCLE_NS),
            buffer: 16,
            largest: 1518,
        };
        streams.connect(connection).unwrap();
    }
    (slot == SLOT).then_some(Level2::Streams(streams))
}

/// A frame of the guest's PI whose PDU begins with `pdu`, told from others by its number.
fn sends(pdu: &[u8], number: u64) -> Vec<u8> {
    let mut frame = frame(1, VN, 75, number);
    frame[15..15 + pdu.len()].copy_from_slice(pdu);
    frame[40..48].copy_from_slice(&number.to_be_bytes());
    frame
}

fn number(frame: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(frame[at..at + 8].try_into().unwrap())
}

fn ip(dscp: u8) -> [u8; 2] {
    [0x60 | dscp >> 2, dscp << 6]
}

fn label(label: u32) -> [u8; 4] {
    (label << 12 | 0x140).to_be_bytes()
}

/// A rig that stands where the guest's window is closed.
struct Node {
    rig: Rig,
    numbers_at: usize,
}

impl Node {
    fn new(plan: Plan) -> Self {
        let mut rig = Rig::new(plan);
        rig.clock.advance(PHASE_NS);
        rig.turn();
        let numbers_at = 40;
        Self { rig, numbers_at }
    }

    fn of(level2: fn(usize) -> Option<Level2>) -> Self {
        Self::new(Plan {
            level2,
            ..Plan::default()
        })
    }

    fn send(&mut self, frame: &[u8]) {
        assert!(self.rig.guests[SLOT].has_room(PORT));
        self.rig.guests[SLOT].send(PORT, frame);
        self.rig.turn();
    }

    fn look(&mut self) -> PiSnapshot {
        let ports = self.rig.snapshot();
        assert_conserved(&ports);
        ports[PORT].pis[SLOT].clone()
    }

    fn class(&mut self, name: &str) -> ClassCounters {
        let seen = self.look();
        let mut all = seen.classes.iter();
        all.find(|(told, _)| told.to_string() == name).unwrap().1
    }

    /// What comes out in `ns` from now: numbers of frames, and when each started.
    fn let_out(&mut self, ns: u64) -> Vec<(u64, u64)> {
        let mut out = Vec::new();
        for _ in 0..ns / 2_000 {
            self.rig.clock.advance(2_000);
            self.rig.turn();
            self.rig.guests[SLOT].patch();
            let exit = self.rig.exit(PORT);
            let at = self.numbers_at;
            let mut take = |f: &[u8], start_ns| out.push((number(f, at), start_ns));
            while self.rig.far[exit].recv(&mut take) > 0 {}
        }
        for (_, start_ns) in &out {
            assert_eq!(start_ns % CYCLE_NS / PHASE_NS, SLOT as u64, "{start_ns}");
        }
        self.look();
        out
    }

    fn numbers(&mut self, ns: u64) -> Vec<u64> {
        self.let_out(ns).into_iter().map(|out| out.0).collect()
    }
}

#[test]
fn voice_goes_before_what_came_before_it() {
    let mut node = Node::of(diffserv);
    for n in 0..20 {
        node.send(&sends(&ip(DF), n));
    }
    for n in 20..25 {
        node.send(&sends(&ip(EF), n));
    }
    assert_eq!(node.class("rt").queued, 5);
    let out = node.numbers(CYCLE_NS);
    assert_eq!(out, (20..25).chain(0..20).collect::<Vec<_>>());
    assert_eq!(node.class("be").dequeued, 20);
}

#[test]
fn what_drops_first_fills_half_of_its_class_and_no_others() {
    let mut node = Node::of(|slot| (slot == SLOT).then(|| diffserv_of(GBIT, 100_000, 8)));
    for n in 0..10 {
        node.send(&sends(&ip(AF13), n));
    }
    for n in 10..20 {
        node.send(&sends(&ip(AF11), n));
    }
    for n in 20..22 {
        node.send(&sends(&ip(DF), n));
    }
    let class = node.class("as");
    assert_eq!((class.queued, class.precedence, class.full), (8, 6, 6));
    let seen = node.look();
    assert_eq!((seen.queued, seen.counters.tx_class_full), (10, 12));
    let mut out = node.numbers(CYCLE_NS);
    out.sort_unstable();
    assert_eq!(out, (0..4).chain(10..14).chain(20..22).collect::<Vec<_>>());
}

#[test]
fn voice_above_its_rate_is_counted_as_policed() {
    // Three frames of 79 octets at once.
    let mut node = Node::of(|slot| (slot == SLOT).then(|| diffserv_of(1_000, 3 * 79, 64)));
    for n in 0..10 {
        node.send(&sends(&ip(EF), n));
    }
    assert_eq!(node.class("rt").policed, 7);
    assert_eq!(node.look().counters.tx_class_policed, 7);
    assert_eq!(node.numbers(CYCLE_NS), [0, 1, 2]);
}

#[test]
fn requests_go_before_data() {
    let mut node = Node::of(content);
    for n in 0..30 {
        let kind: &[u8] = if n % 3 == 0 { &[5, 40] } else { &[6, 40] };
        node.send(&sends(kind, n));
    }
    assert_eq!(node.class("request/0").queued, 10);
    let (requests, data): (Vec<_>, Vec<_>) = (0..30).partition(|n| n % 3 == 0);
    assert_eq!(node.numbers(CYCLE_NS), [requests, data].concat());
}

#[test]
fn a_stream_gets_its_rate_through_the_gate_and_no_more() {
    let mut node = Node::of(streams);
    let mut out = Vec::new();
    let mut n = 0;
    for _ in 0..400 {
        while node.class("0/17").queued < 8 {
            node.send(&sends(&label(17), n));
            n += 1;
        }
        out.extend(node.let_out(50_000));
    }
    let numbers: Vec<u64> = out.iter().map(|out| out.0).collect();
    assert!(numbers.is_sorted(), "in order");
    // 20 ms of 10 Mb/s in frames that take 792 bits of it each.
    let due = 20_000_000.0 * 0.01 / 792.0;
    let early = CYCLE_NS as f64 * 0.01 / 792.0;
    let went = numbers.len() as f64;
    assert!(went <= due + early + 1.0, "{went} of {due}");
    assert!(went >= due - early - 1.0, "{went} of {due}");
    assert_eq!(node.look().counters.tx_drops(), 0);
}

#[test]
fn a_stream_does_not_wait_for_another_and_strangers_are_counted() {
    let mut node = Node::of(streams);
    for n in 0..16 {
        node.send(&sends(&label(18), n));
    }
    node.send(&sends(&label(18), 16));
    for n in 20..24 {
        node.send(&sends(&label(17), n));
    }
    for n in 30..33 {
        node.send(&sends(&label(19), n));
    }
    node.send(&frame(1, VN, 17, 0));
    let seen = node.look().counters;
    assert_eq!((seen.tx_class_full, seen.tx_no_connection), (1, 4));
    let out = node.numbers(CYCLE_NS);
    assert_eq!(out.iter().filter(|n| **n >= 20).count(), 4, "{out:?}");
    assert!(out.iter().filter(|n| **n < 20).count() <= 2, "{out:?}");
}

#[test]
fn a_worker_sleeps_until_a_stream_may_send() {
    let sleeper = FakeSleeper::new();
    let mut node = Node::new(Plan {
        level2: streams,
        sleeper: Some(sleeper.clone()),
        ..Plan::default()
    });
    // A frame of label 18 takes 7.92 ms of its rate, and may be a cycle early.
    node.send(&sends(&label(18), 0));
    node.send(&sends(&label(18), 1));
    let first = node.let_out(2 * PHASE_NS + 4_000);
    assert_eq!(first.len(), 1);
    let opens_ns = CYCLE_NS;
    assert_eq!(first[0], (0, opens_ns));
    let _ = sleeper.slept();
    let asleep_ns = loop {
        let _ = node.rig.workers[0].step();
        match sleeper.slept()[..] {
            [] => drop(node.rig.clock.advance(2_000)),
            [Sleep::For(ns), ..] => break ns,
            [sleep, ..] => panic!("{sleep:?}"),
        };
    };
    let may_ns = opens_ns + 7_920_000 - CYCLE_NS;
    let woken_ns = node.rig.clock.advance(0) + asleep_ns;
    // Ahead of it by what waking takes, and not for each window before.
    assert!((may_ns - 200_000..may_ns).contains(&woken_ns), "{woken_ns}");
    let second = node.let_out(may_ns);
    assert_eq!(second.len(), 1);
    assert!(second[0].1 >= may_ns, "{second:?}");
}

#[test]
fn a_guest_without_pih_is_looked_at_where_its_packet_begins() {
    let pi = Pi {
        form: GuestForm::Strip { ethertype: 0x86DD },
        vns: VnSet::from_iter([Vn::new(3).unwrap()]),
        ..pis()[SLOT]
    };
    let [_, b, c] = pis();
    let trunk = Trunk::new(ETHERTYPE, MTU, &[pi, b, c]).unwrap();
    let access = Access::new(ETHERTYPE, 0x86DD, MTU, pi, Vn::new(3).unwrap()).unwrap();
    for (shape, numbers_at) in [(trunk.into(), 41), (access.into(), 40)] {
        let shape: pinode_classifier::PortClassifier = shape;
        let mut node = Node::new(Plan {
            shapes: vec![shape.clone(), shape],
            level2: diffserv,
            plain_vn: Some(3),
            ..Plan::default()
        });
        node.numbers_at = numbers_at;
        for (n, dscp) in (0u64..).zip([DF, DF, EF]) {
            let mut plain = sends(&[], n);
            plain[12..14].copy_from_slice(&[0x86, 0xDD]);
            plain[14..16].copy_from_slice(&ip(dscp));
            node.send(&plain);
        }
        assert_eq!(node.class("rt").queued, 1);
        assert_eq!(node.numbers(CYCLE_NS), [2, 0, 1]);
    }
}

#[test]
fn what_could_never_go_takes_no_place() {
    let mut node = Node::of(content);
    node.send(&frame(2, VN, 75, 0));
    node.send(&frame(1, 9, 75, 0));
    node.send(&frame(1, VN, 14, 0));
    let seen = node.look();
    let drops = (seen.counters.tx_spoofed, seen.counters.tx_unknown_vn);
    assert_eq!((seen.queued, drops), (0, (2, 1)));
}

#[test]
fn a_guest_that_goes_leaves_nothing_behind() {
    for level2 in [diffserv, content, streams] {
        let mut node = Node::of(level2);
        for n in 0..5 {
            node.send(&sends(&label(17), n));
        }
        assert_eq!(node.look().queued, 5);
        drop(node.rig.detach(SLOT));
        let seen = node.look();
        assert_eq!((seen.queued, seen.counters.tx_guest_down), (0, 5));
        let cleared: u64 = seen.classes.iter().map(|(_, c)| c.cleared).sum();
        assert!(cleared >= 5);
        node.rig.guests[SLOT] = node.rig.attach_new_guest(SLOT);
        node.rig.clock.advance(10 * CYCLE_NS - 7 * PHASE_NS);
        node.send(&sends(&label(17), 9));
        assert_eq!(node.numbers(CYCLE_NS), [9]);
    }
}

/// Beginnings of packets that the disciplines know, and some that nobody does.
fn beginnings() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0u8..64).prop_map(|dscp| ip(dscp).to_vec()),
        prop::sample::select(vec![17, 18, 19, 0, 1_048_575]).prop_map(|l| label(l).to_vec()),
        Just(vec![5, 40]),
        Just(vec![0x64, 9, 0x50, 7, 5]),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(Config {
        cases: 60,
        rng_seed: RngSeed::Fixed(8622),
        failure_persistence: None,
        ..Config::default()
    })]

    /// Whatever a guest sends: each frame is sent once, waits, or is counted under one cause, and none
    /// leaves outside the window (`let_out` looks).
    #[test]
    fn nothing_is_lost_uncounted(
        which in 0usize..3,
        frames in prop::collection::vec(
            (beginnings(), 14usize..1600, 0u8..4, 0u8..3, any::<bool>()),
            0..200,
        ),
    ) {
        let mut node = Node::of([diffserv, content, streams][which]);
        for (n, (pdu, octets, code, vn, pause)) in (0u64..).zip(frames) {
            let mut sent = frame(if code == 0 { 2 } else { 1 }, if vn == 0 { 9 } else { VN }, octets, n);
            let room = octets.saturating_sub(15).min(pdu.len());
            sent[octets - room.min(octets)..].fill(0);
            if octets > 15 {
                sent[15..15 + room].copy_from_slice(&pdu[..room]);
            }
            if !node.rig.guests[SLOT].has_room(PORT) {
                break;
            }
            node.send(&sent);
            if pause {
                node.numbers_at = 0;
                node.let_out(30_000);
            }
        }
        node.numbers_at = 0;
        node.let_out(3 * CYCLE_NS);
        let seen = node.look();
        if which < 2 {
            prop_assert_eq!(seen.queued, 0);
        }
    }
}
