//! Source and sink behind a port of the node, in the worker's own bursts, and the probe by which another
//! thread reads them.
//!
//! The probe lends the worker an empty record; at its next burst the worker fills it, keeps the probe's
//! histograms for what comes next, and hands it back: both sides only move a box through a ring. So a
//! snapshot is of one instant, exact, and costs the frame path one load a burst. Must never lock,
//! allocate or call the system in [`Wire::inject`] and [`Wire::absorb`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pinode_ports::{InjectSlots, TxMeta, Wire};
use rtrb::{Consumer, Producer, RingBuffer};
use thiserror::Error;

use crate::sink::{Received, Sink};
use crate::source::{BACKLOG, Sent, Source};
use crate::stats::{self, Latency};
use crate::stream::{FCS, Stream};

/// Octets that a frame holds the wire for beside its own: preamble, start delimiter, inter-packet gap
/// (IEEE 802.3 4.4.2).
const WIRE_OVERHEAD: u64 = 20;
/// Smallest frame without FCS; shorter ones are padded (IEEE 802.3 3.2.8).
const SMALLEST_ON_WIRE: usize = 60;

/// Source and sink of one port.
#[derive(Debug)]
pub struct TesterWire {
    source: Source,
    sink: Sink,
    latency: Vec<Latency>,
    picoseconds_per_octet: u64,
    orders: Arc<Orders>,
    obeyed: (u64, u64),
    now_ns: u64,
    asked: Consumer<Box<Snapshot>>,
    filled: Producer<Box<Snapshot>>,
}

/// Instants that the probe sets; `NEVER` until then.
#[derive(Debug)]
struct Orders {
    start_ns: AtomicU64,
    stop_ns: AtomicU64,
}

const NEVER: u64 = u64::MAX;

/// State of a wire at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The instant: the beginning of the worker's burst.
    pub at_ns: u64,
    /// What each stream of the source sent, from the start to `at_ns`.
    pub sent: Vec<Sent>,
    /// What arrived of each stream of the sink, from the start to `at_ns`.
    pub received: Vec<Received>,
    /// Frames of no stream of the sink.
    pub foreign: u64,
    /// Latencies of each stream of the sink since the snapshot before.
    pub latency: Vec<Latency>,
}

impl Snapshot {
    fn empty(sent: usize, received: usize) -> Self {
        Self {
            at_ns: 0,
            sent: vec![Sent::default(); sent],
            received: vec![Received::default(); received],
            foreign: 0,
            latency: (0..received).map(|_| stats::latency()).collect(),
        }
    }
}

/// The other thread's hold on a [`TesterWire`].
#[derive(Debug)]
pub struct Probe {
    orders: Arc<Orders>,
    ask: Producer<Box<Snapshot>>,
    filled: Consumer<Box<Snapshot>>,
    /// The record, when it is not with the worker.
    held: Option<Box<Snapshot>>,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProbeError {
    /// The port was closed and its wire is gone.
    #[error("the port of this tester is closed")]
    Closed,
    /// The worker made no burst in this time.
    #[error("the port of this tester was not polled for {0:?}; does the worker run?")]
    Silent(Duration),
}

impl TesterWire {
    /// A wire that sends `source` into the port and expects `sink` out of it. `capacity_bps` (bits per
    /// second, not 0) is the link's: a frame has arrived when its last bit has.
    #[must_use]
    pub fn new(source: &[Stream], sink: &[Stream], capacity_bps: u64) -> (Self, Probe) {
        let orders = Arc::new(Orders {
            start_ns: AtomicU64::new(NEVER),
            stop_ns: AtomicU64::new(NEVER),
        });
        let (ask, asked) = RingBuffer::new(1);
        let (fill, filled) = RingBuffer::new(1);
        let record = Snapshot::empty(source.len(), sink.len());
        const BITS_TIMES_PICOSECONDS: u64 = 8_000_000_000_000;
        let wire = Self {
            source: Source::new(source, BACKLOG),
            sink: Sink::new(sink),
            latency: record.latency.clone(),
            picoseconds_per_octet: BITS_TIMES_PICOSECONDS / capacity_bps.max(1),
            orders: Arc::clone(&orders),
            obeyed: (NEVER, NEVER),
            now_ns: 0,
            asked,
            filled: fill,
        };
        let held = Some(Box::new(record));
        (
            wire,
            Probe {
                orders,
                ask,
                filled,
                held,
            },
        )
    }

    fn obey(&mut self) {
        let start = self.orders.start_ns.load(Ordering::Acquire);
        let stop = self.orders.stop_ns.load(Ordering::Acquire);
        if (start, stop) == self.obeyed {
            return;
        }
        if start != self.obeyed.0 {
            self.source.start(start);
        }
        self.source.stop(stop);
        self.obeyed = (start, stop);
    }

    fn answer(&mut self) {
        let Ok(mut record) = self.asked.pop() else {
            return;
        };
        record.at_ns = self.now_ns;
        record
            .sent
            .iter_mut()
            .zip(self.source.sent())
            .for_each(|(to, from)| *to = from);
        record
            .received
            .iter_mut()
            .zip(self.sink.received())
            .for_each(|(to, from)| *to = from);
        record.foreign = self.sink.foreign();
        std::mem::swap(&mut record.latency, &mut self.latency);
        // There is one record and room for one: it fits, unless the probe broke its own rule, and then
        // what is lost is the probe's.
        drop(self.filled.push(record));
    }
}

impl Wire for TesterWire {
    fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        self.now_ns = now_ns;
        self.answer();
        self.obey();
        self.source.give_up(now_ns);
        while slots.room() > 0 {
            let Some(frame) = self.source.next(now_ns) else {
                break;
            };
            // A frame longer than the slot is dropped here and counts as unsent.
            slots.push(frame.octets(), |slot| frame.write(slot));
        }
    }

    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        // The probe gives orders and asks for snapshots without ringing.
        const LOOK_NS: u64 = 1_000_000;
        Some(self.source.due_ns().min(now_ns.saturating_add(LOOK_NS)))
    }

    fn absorb(&mut self, now_ns: u64, frame: &[u8], meta: &TxMeta) {
        let octets = (frame.len().max(SMALLEST_ON_WIRE) + FCS) as u64 + WIRE_OVERHEAD;
        let wire_ns = octets.saturating_mul(self.picoseconds_per_octet) / 1000;
        let received_ns = now_ns.max(meta.start_ns.saturating_add(wire_ns));
        self.sink.absorb(received_ns, frame, &mut self.latency);
    }
}

impl Probe {
    /// Frames are due from `start_ns` of the worker's clock on. Sequence numbers go on where they were.
    pub fn start(&self, start_ns: u64) {
        // In this order: between the two the worker sees a start behind the old end, and sends nothing.
        self.orders.start_ns.store(start_ns, Ordering::Release);
        self.orders.stop_ns.store(NEVER, Ordering::Release);
    }

    /// No frame is due at `stop_ns` or later.
    pub fn stop(&self, stop_ns: u64) {
        self.orders.stop_ns.store(stop_ns, Ordering::Release);
    }

    /// Asks for a snapshot, to be fetched by [`poll`](Self::poll). Nothing happens when one is under way.
    pub fn request(&mut self) {
        if let Some(mut record) = self.held.take() {
            record.latency.iter_mut().for_each(Histogram::reset);
            if let Err(rtrb::PushError::Full(record)) = self.ask.push(record) {
                self.held = Some(record);
            }
        }
    }

    /// The snapshot that was asked for, once the worker has made a burst.
    pub fn poll(&mut self) -> Option<&Snapshot> {
        self.held = Some(self.filled.pop().ok()?);
        self.held.as_deref()
    }

    /// Asks for a snapshot and waits for it, at most `patience`.
    pub fn snapshot(&mut self, patience: Duration) -> Result<&Snapshot, ProbeError> {
        const LOOK_AGAIN: Duration = Duration::from_micros(50);
        let began = Instant::now();
        self.request();
        loop {
            // Looked at before the ring: what was pushed before the closing is still found.
            let closed = self.filled.is_abandoned();
            if let Ok(record) = self.filled.pop() {
                return Ok(self.held.insert(record));
            }
            if closed {
                return Err(ProbeError::Closed);
            }
            if began.elapsed() >= patience {
                return Err(ProbeError::Silent(patience));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}
