//! Where frames leave: what came of each connection, and how long it took to the last bit on the wire.
//!
//! Launch time is a link's: a frame leaves at its computed start, or at once if it was handed over later than that. Must
//! never allocate or lock per frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use pinode_measure::stats::{self, Latency};
use pinode_node::dataplane::clock::{Clock, Monotonic};
use pinode_ports::{InjectSlots, TxMeta, Wire};

use super::plan::{DSS, GAP};
use super::source::{FCS, Mark};
use crate::gated::{Link, PIS, Ports};

/// Shortest frame, without FCS.
const SHORTEST: usize = 60;

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    /// Frames that came.
    pub(super) frames: u32,
    /// Of these, not in order, or twice.
    pub(super) disordered: u32,
    next: u32,
    /// From the instant a frame was due to its last bit, nanoseconds.
    pub(super) least_ns: u64,
    pub(super) most_ns: u64,
}

/// What came of all.
pub(super) struct Record {
    pub(super) connections: Vec<Received>,
    /// From the instant a frame was due to its last bit.
    pub(super) delay: Latency,
    /// From the instant a frame was put in to the end of what was computed for it: guest, level 2 and gate.
    pub(super) node: Latency,
    /// The latest that a frame left after its computed start.
    pub(super) latest_ns: u64,
    /// Frames by PI; of the last one those of connections are not among them.
    pub(super) others: [u64; PIS],
}

impl Record {
    /// Nothing yet of so many.
    pub(super) fn new(connections: usize) -> Self {
        let none = Received {
            frames: 0,
            disordered: 0,
            next: 0,
            least_ns: u64::MAX,
            most_ns: 0,
        };
        Self {
            connections: vec![none; connections],
            delay: stats::latency(),
            node: stats::latency(),
            latest_ns: 0,
            others: [0; PIS],
        }
    }

    #[inline]
    fn came(&mut self, pi: usize, frame: &[u8], wire_ns: u64, start_ns: u64, left_ns: u64) {
        let mark = Mark::read(frame).filter(|_| pi == DSS);
        let of = mark.and_then(|mark| {
            let own = self.connections.get_mut(mark.connection as usize)?;
            Some((mark, own))
        });
        let Some((mark, own)) = of else {
            if let Some(others) = self.others.get_mut(pi) {
                *others += 1;
            }
            return;
        };
        own.frames += 1;
        if mark.number < own.next {
            own.disordered += 1;
        }
        own.next = own.next.max(mark.number + 1);
        let delay_ns = (left_ns + wire_ns).saturating_sub(mark.due_ns);
        own.least_ns = own.least_ns.min(delay_ns);
        own.most_ns = own.most_ns.max(delay_ns);
        self.delay.saturating_record(delay_ns);
        let node_ns = (start_ns + wire_ns).saturating_sub(mark.put_ns);
        self.node.saturating_record(node_ns);
        self.latest_ns = self.latest_ns.max(left_ns.saturating_sub(start_ns));
    }
}

/// What a sink is told.
pub(super) enum Order {
    /// Keep this record.
    Keep(Box<Record>),
    /// Give it back.
    Give,
}

/// The bench's hold on a sink.
pub(super) struct Hand {
    orders: SyncSender<Order>,
    given: Arc<AtomicU32>,
    pub(super) kept: Receiver<Box<Record>>,
}

impl Hand {
    /// Whether there is still somebody to take it.
    pub(super) fn order(&self, order: Order) -> bool {
        let given = self.orders.send(order).is_ok();
        self.given.fetch_add(1, Ordering::Release);
        given
    }
}

/// The side that frames leave by.
pub(super) struct Sink {
    orders: Receiver<Order>,
    given: Arc<AtomicU32>,
    taken: u32,
    record: Option<Box<Record>>,
    back: SyncSender<Box<Record>>,
    link: Link,
    picoseconds_per_octet: u64,
    /// When the frames that come were handed over.
    handed_ns: u64,
}

impl Sink {
    /// On a link of `capacity_bps`.
    pub(super) fn new(capacity_bps: u64) -> (Self, Hand) {
        const BITS_TIMES_PICOSECONDS: u64 = 8_000_000_000_000;
        let (give, orders) = sync_channel(2);
        let (back, kept) = sync_channel(1);
        let given = Arc::new(AtomicU32::new(0));
        let hand = Hand {
            orders: give,
            given: Arc::clone(&given),
            kept,
        };
        let sink = Self {
            orders,
            given,
            taken: 0,
            record: None,
            back,
            link: Link::new(Ports::Launch, Monotonic.now_ns()),
            picoseconds_per_octet: BITS_TIMES_PICOSECONDS / capacity_bps.max(1),
            handed_ns: 0,
        };
        (sink, hand)
    }

    #[cold]
    fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.taken = self.taken.wrapping_add(1);
            match order {
                Order::Keep(record) => self.record = Some(record),
                Order::Give => {
                    if let Some(record) = self.record.take() {
                        // There is room for the one that was given.
                        let _ = self.back.try_send(record);
                    }
                }
            }
        }
    }
}

impl Wire for Sink {
    #[inline]
    fn inject(&mut self, _now_ns: u64, _slots: &mut InjectSlots<'_, '_>) {
        if self.given.load(Ordering::Acquire) != self.taken {
            self.obey();
        }
    }

    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        // Orders are given without ringing.
        const LOOK_NS: u64 = 1_000_000;
        Some(now_ns.saturating_add(LOOK_NS))
    }

    fn absorbing(&mut self) {
        self.handed_ns = Monotonic.now_ns();
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], meta: &TxMeta) {
        let code = frame.get(14).map_or(0, |pih| pih >> 5);
        // Code 0 is of no PI.
        let pi = usize::from(code).wrapping_sub(1);
        let octets = frame.len().max(SHORTEST) + FCS + GAP as usize;
        let wire_ps = octets as u64 * self.picoseconds_per_octet;
        let start_ns = meta.start_ns;
        let left_ns = self.link.leave(pi, self.handed_ns, start_ns, wire_ps);
        if let Some(record) = &mut self.record {
            record.came(pi, frame, wire_ps.div_ceil(1_000), start_ns, left_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::{HEAD, HEADER, MARK};
    use super::*;

    fn frame(connection: u32, number: u32, due_ns: u64) -> Vec<u8> {
        let both = u64::from(connection) << 32 | u64::from(number);
        let mut frame = vec![0; HEAD + HEADER + MARK];
        for (at, word) in [both, due_ns, due_ns + 10].into_iter().enumerate() {
            let at = HEAD + HEADER + 8 * at;
            frame[at..at + 8].copy_from_slice(&word.to_be_bytes());
        }
        frame
    }

    #[test]
    fn what_is_missing_late_or_out_of_order_is_told_apart() {
        let mut record = Record::new(2);
        for (number, left_ns) in [(0, 1_500), (2, 3_900), (1, 2_000), (2, 3_000)] {
            let due_ns = 1_000 * u64::from(number) + 1_000;
            record.came(DSS, &frame(1, number, due_ns), 100, left_ns - 5, left_ns);
        }
        let own = record.connections[1];
        assert_eq!((own.frames, own.disordered), (4, 2));
        assert_eq!((own.least_ns, own.most_ns), (100, 1_000));
        assert_eq!((record.latest_ns, record.connections[0].frames), (5, 0));
        // Of another PI, whatever it carries, and of best effort.
        record.came(0, &frame(1, 9, 0), 1, 1, 1);
        record.came(DSS, &frame(u32::MAX, 0, 0), 1, 1, 1);
        assert_eq!(record.others, [1, 0, 1]);
        assert_eq!(record.connections[1], own);
    }
}
