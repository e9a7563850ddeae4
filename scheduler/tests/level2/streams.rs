//! Streams: against a plain model and the leaky bucket of I.371, set up and taken down at any time.

use std::collections::VecDeque;

use pinode_scheduler::level2::streams::{
    ConnectError, Connection, LABEL_LEAST, LABEL_MOST, Room, Service, Tolerance,
};
use pinode_scheduler::level2::{Arrival, ClassCounters, ClassName, Discipline, Streams, Why};
use proptest::prelude::*;

use crate::{assert_conserved, classes, rate, seeded};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    serial: u64,
    stream: usize,
    octets: u32,
}

/// A label stack entry: label, traffic class, bottom of stack, time to live.
fn entry(label: u32) -> [u8; 4] {
    (label << 12 | 0b1010_0100_0000).to_be_bytes()
}

fn put(queue: &mut Streams<Frame>, at: (u8, u32), frame: Frame, now_ns: u64) -> Result<(), Why> {
    let arrival = Arrival {
        now_ns,
        octets: frame.octets,
        vn: at.0,
        pdu: &entry(at.1),
    };
    queue.enqueue(frame, &arrival).map_err(|refused| {
        assert_eq!(refused.frame, frame, "given back");
        refused.why
    })
}

fn connection(vn: u8, label: u32, bps: u64, tolerance_ns: u64, buffer: u32) -> Connection {
    Connection {
        vn,
        label,
        service: Service::Cbr,
        peak: Some(rate(bps)),
        tolerance: Tolerance::Own(tolerance_ns),
        buffer,
        largest: u32::MAX,
    }
}

fn bps(contract: &Connection) -> u64 {
    contract.peak.map_or(0, |peak| peak.bits_per_s())
}

fn tolerance_ns(contract: &Connection) -> u64 {
    contract.tolerance.ns(0)
}

const GBIT: u64 = 1_000_000_000;

/// T of a frame, ps.
fn interval_ps(contract: &Connection, octets: u32) -> u128 {
    let bits = 8 * (u128::from(octets) + 20);
    (bits * 1_000_000_000_000).div_ceil(u128::from(bps(contract)))
}

/// GCRA as a continuous-state leaky bucket (I.371 Annex A), the form that the discipline does not use.
#[derive(Debug, Clone, Default)]
struct LeakyBucket {
    level_ps: u128,
    at_ps: u128,
}

impl LeakyBucket {
    fn level_at(&self, now_ns: u64) -> u128 {
        let now_ps = u128::from(now_ns) * 1000;
        self.level_ps.saturating_sub(now_ps - self.at_ps)
    }

    fn conforms(&self, contract: &Connection, now_ns: u64) -> bool {
        self.level_at(now_ns) <= u128::from(tolerance_ns(contract)) * 1000
    }

    fn add(&mut self, contract: &Connection, now_ns: u64, octets: u32) {
        self.level_ps = self.level_at(now_ns) + interval_ps(contract, octets);
        self.at_ps = u128::from(now_ns) * 1000;
    }
}

#[derive(Debug)]
struct Stream {
    contract: Connection,
    frames: VecDeque<Frame>,
    bucket: LeakyBucket,
    /// Since when its head may go, and as which of those of that instant.
    eligible: (u64, u64),
    counters: ClassCounters,
}

impl Stream {
    /// Its head has become that at `now_ns`, as the `turn`th.
    fn new_head(&mut self, now_ns: u64, turn: u64) {
        let (level_ps, tolerance_ns) = (self.bucket.level_at(now_ns), tolerance_ns(&self.contract));
        let wait_ps = level_ps.saturating_sub(u128::from(tolerance_ns) * 1000);
        self.eligible = (now_ns + wait_ps.div_ceil(1000) as u64, turn);
    }
}

#[derive(Debug, Clone)]
enum Op {
    Connect(Connection),
    Disconnect(usize),
    /// Which of those there are, octets.
    Arrive(usize, u32),
    Stranger(u8, u32),
    Later(u64),
    /// Up to this size, so many.
    Send(u32, usize),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    let labels = || prop_oneof![16u32..20, 1_020u32..1_030, Just(LABEL_MOST)];
    let contract = (0u8..2, labels(), 1_000_000u64..GBIT, 0u64..50_000, 0u32..6);
    let size = || prop_oneof![3 => Just(u32::MAX), 1 => 0u32..1600];
    prop_oneof![
        4 => contract.prop_map(|(v, l, r, t, b)| Op::Connect(connection(v, l, r, t, b))),
        1 => any::<usize>().prop_map(Op::Disconnect),
        20 => (any::<usize>(), 64u32..1519).prop_map(|(c, o)| Op::Arrive(c, o)),
        1 => (0u8..40, labels()).prop_map(|(v, l)| Op::Stranger(v, l)),
        8 => (0u64..30_000).prop_map(Op::Later),
        10 => (size(), 0usize..6).prop_map(|(o, n)| Op::Send(o, n)),
        1 => Just(Op::Clear),
    ]
}

struct Model {
    streams: Vec<Stream>,
    spare: (u64, u32),
    now_ns: u64,
    turn: u64,
}

impl Model {
    fn connect(&mut self, contract: Connection) -> Result<(), ConnectError> {
        let Connection {
            vn, label, buffer, ..
        } = contract;
        let (asked_bps, spare_bps) = (bps(&contract), self.spare.0);
        let known = |s: &Stream| (s.contract.vn, s.contract.label) == (vn, label);
        if self.streams.iter().any(known) {
            return Err(ConnectError::Taken { vn, label });
        }
        if buffer == 0 {
            return Err(ConnectError::NoBuffer);
        }
        if asked_bps > spare_bps {
            return Err(ConnectError::Rate {
                asked_bps,
                spare_bps,
            });
        }
        if buffer > self.spare.1 {
            let (asked, spare) = (buffer, self.spare.1);
            return Err(ConnectError::Buffer { asked, spare });
        }
        self.spare.0 -= asked_bps;
        self.spare.1 -= buffer;
        self.streams.push(Stream {
            contract,
            frames: VecDeque::new(),
            bucket: LeakyBucket::default(),
            eligible: (0, 0),
            counters: ClassCounters::default(),
        });
        Ok(())
    }

    fn find(&mut self, frame: &Frame) -> &mut Stream {
        let mut all = self.streams.iter_mut();
        all.find(|s| s.frames.front() == Some(frame))
            .expect("the head of a connection")
    }

    /// Those whose head may go, in the order in which they have been able to.
    fn eligible(&self) -> Vec<Frame> {
        let now_ns = self.now_ns;
        let waiting = self.streams.iter().filter(|s| !s.frames.is_empty());
        let mut all: Vec<&Stream> = waiting.filter(|s| s.eligible.0 <= now_ns).collect();
        all.sort_by_key(|s| s.eligible);
        all.iter().map(|s| s.frames[0]).collect()
    }

    fn due_ns(&self) -> Option<u64> {
        let waiting = self.streams.iter().filter(|s| !s.frames.is_empty());
        waiting.map(|s| s.eligible.0).min()
    }
}

fn send(queue: &mut Streams<Frame>, model: &mut Model, fits: u32) -> bool {
    let order = model.eligible();
    let mut offered = Vec::new();
    let taken = queue.dequeue_if(model.now_ns, |frame| {
        offered.push(*frame);
        frame.octets <= fits
    });
    assert!(order.starts_with(&offered), "{offered:?} of {order:?}");
    let Some(frame) = taken else {
        assert_eq!(offered.len(), order.len().min(4));
        return false;
    };
    assert_eq!(offered.last(), Some(&frame));
    let (now_ns, turn) = (model.now_ns, model.turn);
    model.turn += 1;
    let stream = model.find(&frame);
    assert!(
        stream.bucket.conforms(&stream.contract, now_ns),
        "{frame:?} is early"
    );
    stream.bucket.add(&stream.contract, now_ns, frame.octets);
    stream.frames.pop_front();
    stream.new_head(now_ns, turn);
    stream.counters.dequeued += 1;
    stream.counters.dequeued_octets += u64::from(frame.octets);
    true
}

proptest! {
    #![proptest_config(seeded(800))]

    #[test]
    fn it_does_what_the_model_does(
        rate_bps in prop_oneof![Just(10 * GBIT), 0..3 * GBIT],
        frames in 0u32..40,
        ops in prop::collection::vec(op(), 0..250),
    ) {
        let mut queue = Streams::new(Room::of(rate_bps, frames));
        let spare = (rate_bps, frames);
        let mut model = Model { streams: Vec::new(), spare, now_ns: 0, turn: 0 };
        let mut total = ClassCounters::default();
        for (serial, op) in (0u64..).zip(ops) {
            let now_ns = model.now_ns;
            let streams = model.streams.len();
            match op {
                Op::Connect(contract) => {
                    prop_assert_eq!(queue.connect(contract), model.connect(contract));
                }
                Op::Disconnect(which) if streams > 0 => {
                    let stream = model.streams.swap_remove(which % streams);
                    let Connection { vn, label, buffer, .. } = stream.contract;
                    let mut out = VecDeque::new();
                    let counters = queue.disconnect(vn, label, |frame| out.push_back(frame));
                    let cleared = stream.counters.cleared + out.len() as u64;
                    total.cleared += out.len() as u64;
                    prop_assert_eq!(out, stream.frames);
                    prop_assert_eq!(counters, Some(ClassCounters { cleared, ..stream.counters }));
                    prop_assert_eq!(queue.disconnect(vn, label, |_| ()), None);
                    model.spare.0 += bps(&stream.contract);
                    model.spare.1 += buffer;
                }
                Op::Arrive(which, octets) if streams > 0 => {
                    let stream = &mut model.streams[which % streams];
                    let frame = Frame { serial, stream: which % streams, octets };
                    let at = (stream.contract.vn, stream.contract.label);
                    let full = stream.frames.len() == stream.contract.buffer as usize;
                    let expected = if full { Err(Why::Full) } else { Ok(()) };
                    prop_assert_eq!(put(&mut queue, at, frame, now_ns), expected);
                    if full {
                        stream.counters.full += 1;
                        total.full += 1;
                    } else {
                        if stream.frames.is_empty() {
                            stream.new_head(now_ns, model.turn);
                            model.turn += 1;
                        }
                        stream.frames.push_back(frame);
                        stream.counters.enqueued += 1;
                        total.enqueued += 1;
                    }
                }
                Op::Stranger(vn, label) => {
                    let mut known = model.streams.iter().map(|s| (s.contract.vn, s.contract.label));
                    if known.all(|known| known != (vn, label)) {
                        let frame = Frame { serial, stream: 0, octets: 79 };
                        prop_assert_eq!(put(&mut queue, (vn, label), frame, 0), Err(Why::Unknown));
                    }
                }
                Op::Later(ns) => model.now_ns += ns,
                Op::Send(fits, most) => {
                    let mut left = most;
                    while left > 0 && send(&mut queue, &mut model, fits) {
                        left -= 1;
                    }
                    total.dequeued += (most - left) as u64;
                }
                Op::Clear => {
                    let mut out = Vec::new();
                    queue.clear(|frame| out.push(frame));
                    let mut all = Vec::new();
                    for stream in &mut model.streams {
                        stream.counters.cleared += stream.frames.len() as u64;
                        all.extend(stream.frames.drain(..));
                    }
                    total.cleared += all.len() as u64;
                    let mut sorted = out.clone();
                    sorted.sort_by_key(|frame| frame.serial);
                    all.sort_by_key(|frame| frame.serial);
                    prop_assert_eq!(sorted, all);
                }
                Op::Disconnect(_) | Op::Arrive(..) => {}
            }
            let queued: usize = model.streams.iter().map(|s| s.frames.len()).sum();
            prop_assert_eq!(queue.len(), queued);
            prop_assert_eq!(queue.due_ns(model.now_ns), model.due_ns());
            prop_assert_eq!((queue.spare(), queue.connections()), (model.spare, model.streams.len()));
        }
        assert_conserved(&queue);
        let told = classes(&queue);
        prop_assert_eq!(told.len(), model.streams.len() + 1);
        let (_, sum) = told[0];
        prop_assert_eq!((sum.enqueued, sum.cleared), (total.enqueued, total.cleared));
        prop_assert_eq!((sum.dequeued, sum.full), (total.dequeued, total.full));
        for stream in &model.streams {
            let Connection { vn, label, .. } = stream.contract;
            let name = ClassName::Connection { vn, label };
            let found = told.iter().find(|(told, _)| *told == name);
            let queued = stream.frames.len() as u64;
            let expected = ClassCounters { queued, ..stream.counters };
            prop_assert_eq!(found, Some(&(name, expected)));
        }
    }

    /// What keeps to its contract on its way here is not held up here.
    #[test]
    fn a_stream_that_conforms_is_never_delayed(
        bps in 1_000_000..GBIT,
        tolerance_ns in 0u64..1_000_000,
        gaps in prop::collection::vec((0u64..40_000, 64u32..1519), 1..200),
    ) {
        let contract = connection(3, 77, bps, tolerance_ns, 1);
        let mut queue = Streams::new(Room::of(GBIT, 1));
        queue.connect(contract).unwrap();
        let mut bucket = LeakyBucket::default();
        let mut now_ns = 0;
        for (serial, (gap_ns, octets)) in (0..).zip(gaps) {
            now_ns += gap_ns;
            let early_ps = bucket.level_at(now_ns).saturating_sub(u128::from(tolerance_ns) * 1000);
            // Just in time.
            now_ns += early_ps.div_ceil(1000) as u64;
            bucket.add(&contract, now_ns, octets);
            let frame = Frame { serial, stream: 0, octets };
            prop_assert_eq!(put(&mut queue, (3, 77), frame, now_ns), Ok(()));
            prop_assert_eq!(queue.dequeue_if(now_ns, |_| true), Some(frame));
        }
    }

    /// One with more to send gets its rate: no less, and over any time no more but for tau and a frame.
    #[test]
    fn a_stream_with_more_to_send_gets_its_rate(
        bps in 10_000_000..GBIT,
        tolerance_ns in 0u64..100_000,
        octets in 64u32..1519,
    ) {
        let contract = connection(0, 16, bps, tolerance_ns, 4);
        let mut queue = Streams::new(Room::of(GBIT, 4));
        queue.connect(contract).unwrap();
        let frame = Frame { serial: 0, stream: 0, octets };
        let (mut went, mut now_ns) = (0u128, 0);
        for _ in 0..500 {
            while put(&mut queue, (0, 16), frame, now_ns).is_ok() {}
            now_ns = queue.due_ns(now_ns).unwrap();
            if now_ns > 0 {
                prop_assert_eq!(queue.dequeue_if(now_ns - 1, |_| true), None, "not before");
            }
            prop_assert!(queue.dequeue_if(now_ns, |_| true).is_some());
            went += interval_ps(&contract, octets);
        }
        let before_last_ps = went - interval_ps(&contract, octets);
        let earned_ps = (u128::from(now_ns) + u128::from(tolerance_ns)) * 1000;
        prop_assert!(before_last_ps <= earned_ps, "never more");
        let waited = now_ns > 0;
        prop_assert!(!waited || earned_ps < before_last_ps + 1000, "no less, to a nanosecond");
    }

    #[test]
    fn any_octets_are_a_known_label_or_none(
        pdus in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..64),
        octets in any::<u32>(),
        now_ns in any::<u64>(),
        vn in any::<u8>(),
    ) {
        let mut queue = Streams::new(Room::of(GBIT, 64));
        queue.connect(connection(vn % 32, 0xABCDE, 1, u64::MAX, 64)).unwrap();
        let mut taken = 0;
        for pdu in &pdus {
            let arrival = Arrival { now_ns, octets, vn, pdu };
            let known = pdu.len() >= 4 && pdu[..2] == [0xAB, 0xCD] && pdu[2] >> 4 == 0xE && vn < 32;
            let outcome = queue.enqueue((), &arrival);
            prop_assert_eq!(outcome.is_ok(), known);
            taken += usize::from(known);
        }
        prop_assert_eq!(queue.dequeue_while(u64::MAX, usize::MAX, |()| true), taken);
    }
}

#[test]
fn what_is_asked_for_wrongly_is_refused_with_what_is_allowed() {
    let mut queue: Streams<Frame> = Streams::new(Room::of(10_000_000, 8));
    let mut ask = |vn, label, bps, buffer| {
        let asked = queue.connect(connection(vn, label, bps, 0, buffer));
        asked.map_err(|error| error.to_string())
    };
    let says = |asked: Result<(), String>, text: &str| assert_eq!(asked.unwrap_err(), text);
    says(
        ask(32, 16, 1, 1),
        "virtual network 32 is out of range: allowed are 0 to 31",
    );
    let range = "is out of range: allowed are 16 to 1048575";
    says(ask(0, LABEL_LEAST - 1, 1, 1), &format!("label 15 {range}"));
    says(
        ask(0, LABEL_MOST + 1, 1, 1),
        &format!("label 1048576 {range}"),
    );
    says(
        ask(0, 16, 1, 0),
        "a buffer of 0 frames carries nothing: allowed is 1 and more",
    );
    says(
        ask(0, 16, 10_000_001, 1),
        "peak rate 10000001 bit/s is 1 bit/s more than the 10000000 bit/s that are left",
    );
    ask(0, 16, 8_000_000, 5).unwrap();
    says(
        ask(0, 16, 1, 1),
        "virtual network 0 has a connection with label 16 already",
    );
    says(
        ask(1, 16, 2_500_000, 1),
        "peak rate 2500000 bit/s is 500000 bit/s more than the 2000000 bit/s that are left",
    );
    says(
        ask(1, 16, 1, 5),
        "a buffer of 5 frames is 2 more than the 3 that are left",
    );
    ask(31, LABEL_MOST, 2_000_000, 3).unwrap();
}

#[test]
fn a_connection_set_up_again_owes_nothing_of_the_one_before() {
    let mut queue = Streams::new(Room::of(GBIT, 2));
    let frame = |serial| Frame {
        serial,
        stream: 0,
        octets: 1518,
    };
    for _ in 0..3 {
        queue.connect(connection(0, 16, 1_000, 0, 2)).unwrap();
        put(&mut queue, (0, 16), frame(1), 0).unwrap();
        put(&mut queue, (0, 16), frame(2), 0).unwrap();
        assert_eq!(queue.dequeue_if(0, |_| true), Some(frame(1)));
        assert_eq!(queue.dequeue_if(0, |_| true), None);
        let mut out = Vec::new();
        let counters = queue.disconnect(0, 16, |frame| out.push(frame)).unwrap();
        assert_eq!(
            (out, counters.dequeued, counters.cleared),
            (vec![frame(2)], 1, 1)
        );
        assert_eq!(
            (queue.len(), queue.due_ns(0), queue.connections()),
            (0, None, 0)
        );
    }
}

#[test]
fn a_hundred_thousand_connections_go_in_the_order_in_which_they_may() {
    const MANY: usize = 100_000;
    let mut queue = Streams::new(Room::of(MANY as u64, MANY as u32));
    let at = |stream: usize| ((stream % 32) as u8, 16 + (stream * 7 % 1_000_003) as u32);
    for stream in 0..MANY {
        let (vn, label) = at(stream);
        queue.connect(connection(vn, label, 1, 0, 1)).unwrap();
    }
    // In an order of their own.
    for n in 0..MANY {
        let stream = n * 7_919 % MANY;
        let frame = Frame {
            serial: n as u64,
            stream,
            octets: 79,
        };
        put(&mut queue, at(stream), frame, n as u64).unwrap();
    }
    assert_eq!(queue.due_ns(0), Some(0));
    for n in 0..MANY as u64 {
        let frame = queue.dequeue_if(n, |_| true).unwrap();
        assert_eq!((frame.serial, frame.stream), (n, n as usize * 7_919 % MANY));
    }
    assert!(queue.is_empty());
}
