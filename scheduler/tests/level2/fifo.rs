//! The FIFO: bounded, in order, only its head is offered, many at once as one by one.

use pinode_scheduler::level2::{Arrival, Discipline, Fifo, Refused, Why};
use proptest::prelude::*;

use crate::seeded;

/// A FIFO asks nothing of a frame.
const ANY: Arrival<'_> = Arrival {
    now_ns: 0,
    octets: 0,
    vn: 0,
    pdu: &[],
};

fn full<T>(frame: T) -> Result<(), Refused<T>> {
    let why = Why::Full;
    Err(Refused { frame, why })
}

#[test]
fn a_full_queue_gives_the_frame_back_and_keeps_its_order() {
    let mut fifo = Fifo::new(2);
    assert_eq!((fifo.room(), fifo.is_empty()), (2, true));
    assert_eq!(fifo.enqueue('a', &ANY), Ok(()));
    assert_eq!(fifo.enqueue('b', &ANY), Ok(()));
    assert_eq!(fifo.enqueue('c', &ANY), full('c'));
    assert_eq!((fifo.room(), fifo.len()), (0, 2));
    assert_eq!(fifo.dequeue_if(0, |_| true), Some('a'));
    assert_eq!(fifo.enqueue('d', &ANY), Ok(()));
    assert_eq!(fifo.dequeue_if(0, |_| true), Some('b'));
    assert_eq!(fifo.dequeue_if(0, |_| true), Some('d'));
    assert_eq!(fifo.dequeue_if(0, |_| true), None);
}

#[test]
fn only_the_head_is_looked_at() {
    let mut fifo = Fifo::new(4);
    for octets in [1518, 79, 64] {
        fifo.enqueue(octets, &ANY).unwrap();
    }
    let mut offered = Vec::new();
    let taken = fifo.dequeue_if(0, |octets| {
        offered.push(*octets);
        *octets < 100
    });
    assert_eq!((taken, offered), (None, vec![1518]));
    assert_eq!(fifo.len(), 3);
}

#[test]
fn a_queue_without_room_takes_nothing() {
    let mut fifo = Fifo::new(0);
    assert_eq!(fifo.enqueue(1, &ANY), full(1));
    assert_eq!(fifo.dequeue_if(0, |_| true), None);
}

/// What a queue is asked for here.
trait Queue: Discipline<u32> {
    fn enqueue_each(&mut self, frames: &[u32], refused: impl FnMut(u32));
}

impl Queue for Fifo<u32> {
    fn enqueue_each(&mut self, frames: &[u32], refused: impl FnMut(u32)) {
        self.enqueue_all(frames, refused);
    }
}

/// A queue with what a discipline must have and nothing more.
struct Plain(Fifo<u32>);

impl Discipline<u32> for Plain {
    fn enqueue(&mut self, frame: u32, arrival: &Arrival<'_>) -> Result<(), Refused<u32>> {
        self.0.enqueue(frame, arrival)
    }

    fn dequeue_if(&mut self, now_ns: u64, may_start: impl FnMut(&u32) -> bool) -> Option<u32> {
        self.0.dequeue_if(now_ns, may_start)
    }

    fn clear(&mut self, frame: impl FnMut(u32)) {
        self.0.clear(frame);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn room(&self) -> usize {
        self.0.room()
    }
}

impl Queue for Plain {
    fn enqueue_each(&mut self, frames: &[u32], mut refused: impl FnMut(u32)) {
        for frame in frames {
            if let Err(Refused { frame, .. }) = self.enqueue(*frame, &ANY) {
                refused(frame);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    /// How many frames come at once.
    Enqueue(usize),
    /// Up to how many may go, and after how many one may not.
    Dequeue(usize, usize),
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0usize..12).prop_map(Op::Enqueue),
        (0usize..12, prop_oneof![0usize..12, Just(usize::MAX)])
            .prop_map(|(most, fit)| Op::Dequeue(most, fit)),
    ]
}

/// What a queue does with `op`: the frames it gave back or let go, and all that it was asked about.
fn apply(queue: &mut impl Queue, op: Op, first: u32) -> (Vec<u32>, Vec<u32>, usize) {
    let (mut out, mut offered) = (Vec::new(), Vec::new());
    let count = match op {
        Op::Enqueue(count) => {
            let frames: Vec<_> = (first..).take(count).collect();
            queue.enqueue_each(&frames, |frame| out.push(frame));
            count
        }
        Op::Dequeue(most, fit) => queue.dequeue_while(0, most, |frame| {
            offered.push(*frame);
            let goes = out.len() < fit;
            if goes {
                out.push(*frame);
            }
            goes
        }),
    };
    (out, offered, count)
}

fn assert_alike(capacity: usize, ops: &[Op]) {
    let (mut fifo, mut plain) = (Fifo::new(capacity), Plain(Fifo::new(capacity)));
    let mut next = 0;
    for &op in ops {
        let done = apply(&mut fifo, op, next);
        assert_eq!(done, apply(&mut plain, op, next), "{op:?}");
        if let Op::Dequeue(..) = op {
            assert_eq!(done.0.len(), done.2, "as many as it says");
        }
        assert_eq!((fifo.len(), fifo.room()), (plain.len(), plain.room()));
        next += 12;
    }
    let all = Op::Dequeue(usize::MAX, usize::MAX);
    assert_eq!(apply(&mut fifo, all, 0), apply(&mut plain, all, 0));
    assert!(fifo.is_empty());
}

proptest! {
    #![proptest_config(seeded(2_000))]

    /// Queues this small have their ends anywhere in their memory.
    #[test]
    fn many_at_once_are_as_many_one_by_one(
        capacity in 0usize..20,
        ops in prop::collection::vec(ops(), 0..60),
    ) {
        assert_alike(capacity, &ops);
    }
}

#[test]
fn many_at_once_where_the_queue_goes_around_its_end() {
    for (most, fit) in [
        (8, 8),
        (1, 8),
        (3, 8),
        (4, 8),
        (8, 0),
        (8, 1),
        (8, 3),
        (8, 4),
    ] {
        let around = [Op::Enqueue(6), Op::Dequeue(5, 5), Op::Enqueue(8)];
        assert_alike(8, &[&around[..], &[Op::Dequeue(most, fit)]].concat());
    }
}

#[test]
fn what_is_cleared_comes_out_in_order_and_leaves_room() {
    let mut fifo = Fifo::new(3);
    for frame in [1, 2, 3] {
        fifo.enqueue(frame, &ANY).unwrap();
    }
    let mut out = Vec::new();
    fifo.clear(|frame| out.push(frame));
    assert_eq!((out, fifo.len(), fifo.room()), (vec![1, 2, 3], 0, 3));
}

#[test]
fn a_frame_that_waits_may_go_at_once() {
    let mut fifo = Fifo::new(1);
    assert_eq!((fifo.due_ns(7), fifo.looks()), (None, 0));
    fifo.enqueue(1, &ANY).unwrap();
    assert_eq!(fifo.due_ns(7), Some(7));
}
