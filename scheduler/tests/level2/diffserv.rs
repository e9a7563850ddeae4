//! DiffServ: against a plain model, and against what RFC 2597, 3246 and 8622 ask.

use std::collections::VecDeque;
use std::num::NonZeroU8;

use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::{Arrival, Diffserv, Discipline, Refused, Why};
use proptest::prelude::*;

use crate::share::{LARGEST, Share, bound, quanta};
use crate::{assert_conserved, classes, rate, seeded};

const NC: usize = 0;
const RT: usize = 1;
const AS: usize = 2;
const BE: usize = 3;

const EF: u8 = 46;
const CS6: u8 = 48;
const LE: u8 = 1;

/// A frame of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    serial: u64,
    class: usize,
    octets: u32,
}

fn weighted(weight: u8, limit: usize) -> Weighted {
    Weighted {
        weight: NonZeroU8::new(weight).unwrap(),
        limit,
    }
}

fn policed(bps: u64, burst_octets: u32, limit: usize) -> Policed {
    Policed {
        rate: rate(bps),
        burst_octets,
        limit,
    }
}

/// Enough for anything.
fn ample(limit: usize) -> Policed {
    policed(400_000_000_000, u32::MAX, limit)
}

fn header(dscp: u8) -> [u8; 2] {
    [0x60 | dscp >> 2, dscp << 6]
}

fn put(
    queue: &mut Diffserv<Frame>,
    frame: Frame,
    dscp: u8,
    now_ns: u64,
) -> Result<(), Refused<Frame>> {
    let arrival = Arrival {
        now_ns,
        octets: frame.octets,
        vn: 0,
        pdu: &header(dscp),
    };
    queue.enqueue(frame, &arrival)
}

fn class_and_precedence(dscp: u8) -> (usize, usize) {
    match dscp {
        48 => (NC, 1),
        32 | 40 | 44 | 46 => (RT, 1),
        16 | 24 => (AS, 1),
        10 | 18 | 26 | 34 => (AS, 1),
        12 | 20 | 28 | 36 => (AS, 2),
        14 | 22 | 30 | 38 => (AS, 3),
        1 => (BE, 3),
        _ => (BE, 1),
    }
}

/// Four queues, thresholds as fractions, and buckets reckoned from all that ever passed.
struct Model {
    queues: [VecDeque<Frame>; 4],
    limits: [usize; 4],
    policed: [Policed; 2],
    /// When, and how many octets.
    passed: [Vec<(u64, u64)>; 2],
}

impl Model {
    fn new(classes: &Classes) -> Self {
        let Classes {
            nc,
            rt,
            assured,
            be,
        } = *classes;
        Self {
            queues: Default::default(),
            limits: [nc.limit, rt.limit, assured.limit, be.limit],
            policed: [nc, rt],
            passed: Default::default(),
        }
    }

    /// Whether burst + rate * t holds over all intervals that end now, with this frame.
    fn conforms(&self, class: usize, now_ns: u64, octets: u32) -> bool {
        let Policed {
            rate, burst_octets, ..
        } = self.policed[class];
        let mut sum = u128::from(octets);
        let fits = |sum: u128, since_ns: u64| {
            let earned = u128::from(now_ns - since_ns) * u128::from(rate.bits_per_s());
            sum * 8_000_000_000 <= u128::from(burst_octets) * 8_000_000_000 + earned
        };
        if !fits(sum, now_ns) {
            return false;
        }
        self.passed[class].iter().rev().all(|&(at_ns, octets)| {
            sum += u128::from(octets);
            fits(sum, at_ns)
        })
    }

    fn put(&mut self, frame: Frame, precedence: usize, now_ns: u64) -> Result<(), Why> {
        let Frame { class, octets, .. } = frame;
        let (len, limit) = (self.queues[class].len(), self.limits[class]);
        if len >= limit {
            return Err(Why::Full);
        }
        // A half, or three quarters, rounded up.
        if len >= (limit * [0, 4, 3, 2][precedence]).div_ceil(4) {
            return Err(Why::Precedence);
        }
        if class <= RT {
            if !self.conforms(class, now_ns, octets) {
                return Err(Why::Policed);
            }
            self.passed[class].push((now_ns, u64::from(octets)));
        }
        self.queues[class].push_back(frame);
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Op {
    /// Code point, octets, nanoseconds after the one before.
    Arrive(u8, u32, u64),
    /// Frames up to so many octets may start; so many at most.
    Send(u32, usize),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    let dscp = prop_oneof![0u8..64, Just(EF), Just(CS6), Just(LE), Just(14), Just(10)];
    prop_oneof![
        20 => (dscp, 64u32..1519, 0u64..20_000).prop_map(|(d, o, t)| Op::Arrive(d, o, t)),
        9 => (prop_oneof![Just(u32::MAX), 0u32..1600], 0usize..6).prop_map(|(o, n)| Op::Send(o, n)),
        1 => Just(Op::Clear),
    ]
}

fn some_classes() -> impl Strategy<Value = Classes> {
    let policed = || {
        (1_000_000u64..2_000_000_000, 64u32..8_000, 0usize..8)
            .prop_map(|(r, b, l)| policed(r, b, l))
    };
    let shared = || (1u8..=255, 0usize..12).prop_map(|(w, l)| weighted(w, l));
    (policed(), policed(), shared(), shared()).prop_map(|(nc, rt, assured, be)| Classes {
        nc,
        rt,
        assured,
        be,
    })
}

/// One frame of the order: only heads, each once, strict before shared, in order in its class.
fn send(queue: &mut Diffserv<Frame>, model: &mut Model, fits: u32) -> bool {
    let mut offered: Vec<Frame> = Vec::new();
    let taken = queue.dequeue_if(0, |frame| {
        offered.push(*frame);
        frame.octets <= fits
    });
    for (at, frame) in offered.iter().enumerate() {
        assert_eq!(Some(frame), model.queues[frame.class].front(), "a head");
        let before = &offered[..at];
        assert!(before.iter().all(|other| other.class != frame.class));
        // A class that goes before it was offered, or has none.
        for first in 0..frame.class.min(AS) {
            let empty = model.queues[first].is_empty();
            assert!(empty || before.iter().any(|other| other.class == first));
        }
    }
    match taken {
        Some(frame) => {
            assert_eq!(offered.last(), Some(&frame));
            assert_eq!(model.queues[frame.class].pop_front(), Some(frame));
        }
        None => {
            let backlogged = model.queues.iter().filter(|queue| !queue.is_empty());
            assert_eq!(offered.len(), backlogged.count(), "each class was asked");
        }
    }
    taken.is_some()
}

proptest! {
    #![proptest_config(seeded(600))]

    #[test]
    fn it_does_what_the_model_does(
        config in some_classes(),
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let (mut queue, mut model) = (Diffserv::new(&config), Model::new(&config));
        let (mut serial, mut now_ns) = (0, 0);
        let mut refused = [[0u64; 3]; 4];
        for op in ops {
            match op {
                Op::Arrive(dscp, octets, later_ns) => {
                    now_ns += later_ns;
                    let (class, precedence) = class_and_precedence(dscp);
                    let frame = Frame { serial, class, octets };
                    serial += 1;
                    let expected = model.put(frame, precedence, now_ns);
                    if let Err(why) = expected {
                        let cause = [Why::Full, Why::Precedence, Why::Policed];
                        refused[class][cause.iter().position(|c| *c == why).unwrap()] += 1;
                    }
                    let expected = expected.map_err(|why| Refused { frame, why });
                    prop_assert_eq!(put(&mut queue, frame, dscp, now_ns), expected);
                }
                Op::Send(fits, most) => {
                    for _ in 0..most {
                        if !send(&mut queue, &mut model, fits) {
                            break;
                        }
                    }
                }
                Op::Clear => {
                    let mut out = Vec::new();
                    queue.clear(|frame| out.push(frame));
                    let all: Vec<_> = model.queues.iter_mut().flat_map(|q| q.drain(..)).collect();
                    prop_assert_eq!(out, all);
                }
            }
            prop_assert_eq!(queue.len(), model.queues.iter().map(VecDeque::len).sum::<usize>());
            prop_assert_eq!(queue.due_ns(5), (!queue.is_empty()).then_some(5));
            assert_conserved(&queue);
        }
        for (class, (_, counters)) in classes(&queue).into_iter().enumerate() {
            let counted = [counters.full, counters.precedence, counters.policed];
            prop_assert_eq!(counted, refused[class]);
            prop_assert_eq!(counters.queued, model.queues[class].len() as u64);
        }
    }

    /// Over any interval in which both have frames, AS and BE are apart by no more than one visit and
    /// a frame of each, whatever the sizes. Where windows cut some off, what one gets in its turn is no
    /// further ahead of the other, but for a debt; what is left of a window is on top.
    #[test]
    fn what_is_left_is_shared_by_weight(
        weights in (1u8..40, 1u8..40),
        sizes in prop::collection::vec((64u32..1519, 64u32..1519), 1..40),
        window in prop_oneof![Just(u32::MAX), 3_000u32..40_000],
    ) {
        let weights = <[u8; 2]>::from(weights);
        let config = Classes {
            nc: ample(1),
            rt: ample(1),
            assured: weighted(weights[0], 4),
            be: weighted(weights[1], 4),
        };
        let mut queue = Diffserv::new(&config);
        let quanta = quanta(weights);
        let mut next = [0usize; 2];
        let mut share = Share::default();
        let mut left = window;
        for _ in 0..2_000 {
            for class in [AS, BE] {
                while classes(&queue)[class].1.queued < 2 {
                    let (of_as, of_be) = sizes[next[class - AS] % sizes.len()];
                    next[class - AS] += 1;
                    let octets = if class == AS { of_as } else { of_be };
                    let frame = Frame { serial: 0, class, octets };
                    put(&mut queue, frame, [10, 0][class - AS], 0).unwrap();
                }
            }
            let mut asked = 0;
            let taken = queue.dequeue_if(0, |frame| {
                asked += 1;
                frame.octets + 20 <= left
            });
            match taken {
                Some(Frame { class, octets, .. }) => {
                    let class = class - AS;
                    share.add(class, quanta[class], octets, asked == 1);
                    left -= if window == u32::MAX { 0 } else { octets + 20 };
                }
                None => left = window,
            }
        }
        for (class, other) in [(0, 1), (1, 0)] {
            // The other may have begun in debt.
            let debt = if window == u32::MAX { 0.0 } else { LARGEST / quanta[other] };
            let ahead = share.ahead()[class];
            prop_assert!(ahead <= bound(quanta) + debt, "{class} is {ahead} ahead");
        }
        prop_assert!(share.served().iter().all(|served| *served > 1.0));
    }

    /// Whatever a guest writes into its packets: classed somehow, never more than there is room for.
    #[test]
    fn any_octets_are_some_class(
        pdus in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..64),
        octets in any::<u32>(),
        now_ns in any::<u64>(),
    ) {
        let config = Classes { nc: ample(2), rt: ample(2), assured: weighted(1, 2), be: weighted(9, 2) };
        let mut queue = Diffserv::new(&config);
        let mut taken = 0;
        for pdu in &pdus {
            let arrival = Arrival { now_ns, octets, vn: 255, pdu };
            taken += u64::from(queue.enqueue((), &arrival).is_ok());
        }
        prop_assert!(taken <= 8);
        prop_assert_eq!(queue.dequeue_while(0, usize::MAX, |()| true) as u64, taken);
    }
}

fn four() -> Diffserv<Frame> {
    Diffserv::new(&Classes {
        nc: ample(8),
        rt: ample(8),
        assured: weighted(1, 8),
        be: weighted(1, 8),
    })
}

fn all(queue: &mut Diffserv<Frame>) -> Vec<u64> {
    std::iter::from_fn(|| queue.dequeue_if(0, |_| true))
        .map(|frame| frame.serial)
        .collect()
}

fn frame(serial: u64) -> Frame {
    Frame {
        serial,
        class: 0,
        octets: 79,
    }
}

#[test]
fn control_goes_before_voice_and_voice_before_the_rest() {
    let mut queue = four();
    for (serial, dscp) in (0..).zip([0, EF, CS6, 0, EF, CS6]) {
        put(&mut queue, frame(serial), dscp, 0).unwrap();
    }
    assert_eq!(all(&mut queue), [2, 5, 1, 4, 0, 3]);
}

#[test]
fn the_higher_the_drop_precedence_the_less_of_the_class_it_fills() {
    let fill = |dscp: u8| {
        let mut queue = four();
        (0..)
            .take_while(|&n| put(&mut queue, frame(n), dscp, 0).is_ok())
            .count()
    };
    // AF31, AF32, AF33; DF and LE.
    assert_eq!([26, 28, 30].map(fill), [8, 6, 4]);
    assert_eq!([0, LE].map(fill), [8, 4]);
    let mut queue = four();
    (0..4).for_each(|n| put(&mut queue, frame(n), 14, 0).unwrap());
    let why = put(&mut queue, frame(4), 14, 0).unwrap_err().why;
    assert_eq!(why, Why::Precedence);
    assert_eq!(put(&mut queue, frame(5), 10, 0), Ok(()));
}

#[test]
fn voice_above_its_rate_is_dropped_and_takes_nothing_from_the_rest() {
    let mut queue = Diffserv::new(&Classes {
        nc: ample(8),
        // 79 octets in 632 ns.
        rt: policed(1_000_000_000, 158, 64),
        assured: weighted(1, 8),
        be: weighted(1, 8),
    });
    let mut passes = |n, now_ns| put(&mut queue, frame(n), EF, now_ns).map_err(|r| r.why);
    assert_eq!(passes(0, 0), Ok(()));
    assert_eq!(passes(1, 0), Ok(()));
    assert_eq!(passes(2, 631), Err(Why::Policed));
    assert_eq!(passes(3, 632), Ok(()));
    // An instant of the past brings nothing.
    assert_eq!(passes(4, 0), Err(Why::Policed));
    assert_eq!(passes(5, 1_263), Err(Why::Policed));
    assert_eq!(passes(6, 1_264), Ok(()));
}

#[test]
fn a_full_class_costs_its_policer_nothing() {
    let mut queue = Diffserv::new(&Classes {
        nc: ample(8),
        rt: policed(1_000, 158, 1),
        assured: weighted(1, 8),
        be: weighted(1, 8),
    });
    put(&mut queue, frame(0), EF, 0).unwrap();
    assert_eq!(put(&mut queue, frame(1), EF, 0).unwrap_err().why, Why::Full);
    assert_eq!(all(&mut queue), [0]);
    assert_eq!(put(&mut queue, frame(2), EF, 0), Ok(()));
}

#[test]
fn frames_of_absurd_length_hold_nobody_up_for_long() {
    let mut queue = four();
    for (class, dscp) in [(AS, 10), (BE, 0)] {
        let octets = u32::MAX;
        let monster = Frame {
            serial: 0,
            class,
            octets,
        };
        put(&mut queue, monster, dscp, 0).unwrap();
    }
    assert_eq!(all(&mut queue).len(), 2);
}
