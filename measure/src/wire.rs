//! Source and sink behind a port of the node, in the worker's own bursts, and the probe by which another
//! thread reads them.
//!
//! The probe lends the worker an empty record; at its next burst the worker fills it, keeps the probe's
//! histograms for what comes next, and hands it back: both sides only move a box through a ring. So a
//! snapshot is of one instant, exact, and costs the frame path one load a burst. A new trial's [`Plan`]
//! comes the same way, and the one before goes back with all its counts. Must never lock, allocate or call
//! the system in [`Wire::inject`] and [`Wire::absorb`].
//!
//! A frame's signature says when it was due, not when the worker came for it: the worker's round is part of
//! what is measured. What source and sink themselves take of the round is measured too, by two readings of
//! the clock a burst (no system call), and of bursts with frames only: [`Snapshot::own_ns`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pinode_ports::{InjectSlots, TxMeta, Wire};
use rtrb::{Consumer, Producer, RingBuffer};
use thiserror::Error;

use crate::plan::Plan;
use crate::sink::{Received, Strays};
use crate::source::Sent;
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
    plan: Box<Plan>,
    picoseconds_per_octet: u64,
    orders: Arc<Orders>,
    obeyed: (u64, u64),
    now_ns: u64,
    absorbing: Option<Instant>,
    asked: Consumer<Box<Snapshot>>,
    filled: Producer<Box<Snapshot>>,
    plans: Consumer<Box<Plan>>,
    done: Producer<Box<Plan>>,
}

/// Instants that the probe sets; `NEVER` until then.
#[derive(Debug)]
struct Orders {
    start_ns: AtomicU64,
    stop_ns: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Orders {
    fn read(&self) -> (u64, u64) {
        let start = self.start_ns.load(Ordering::Acquire);
        (start, self.stop_ns.load(Ordering::Acquire))
    }
}

/// State of a wire at one instant.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The instant: the beginning of the worker's burst.
    pub at_ns: u64,
    /// What each stream of the source sent, from the start to `at_ns`.
    pub sent: Vec<Sent>,
    /// What arrived of each stream of the sink, from the start to `at_ns`.
    pub received: Vec<Received>,
    /// Frames of no stream of the sink.
    pub foreign: u64,
    /// The same, and others that are of no stream, by what they are.
    pub strays: Strays,
    /// All frames that came out of the port, whatever they are.
    pub absorbed: u64,
    /// When the latest of them came; 0 before the first.
    pub last_ns: u64,
    /// When the source's next frame is due; `u64::MAX`: none will be, all that was due is sent or given up.
    pub due_ns: u64,
    /// Time that source and sink took of the worker, nanoseconds.
    pub own_ns: u64,
    /// Latencies of each stream of the sink since the snapshot before; none where they were not asked for.
    pub latency: Vec<Latency>,
}

impl Snapshot {
    fn empty(sent: usize, received: usize, latency: Vec<Latency>) -> Self {
        Self {
            at_ns: 0,
            sent: vec![Sent::default(); sent],
            received: vec![Received::default(); received],
            foreign: 0,
            strays: Strays::default(),
            absorbed: 0,
            last_ns: 0,
            due_ns: u64::MAX,
            own_ns: 0,
            latency,
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
    plans: Producer<Box<Plan>>,
    done: Consumer<Box<Plan>>,
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
        let (new_plans, plans) = RingBuffer::new(1);
        let (done, old_plans) = RingBuffer::new(1);
        let latency = sink.iter().map(|_| stats::latency()).collect();
        const BITS_TIMES_PICOSECONDS: u64 = 8_000_000_000_000;
        let wire = Self {
            plan: Box::new(Plan::new(source, sink, 0)),
            picoseconds_per_octet: BITS_TIMES_PICOSECONDS / capacity_bps.max(1),
            orders: Arc::clone(&orders),
            obeyed: (NEVER, NEVER),
            now_ns: 0,
            absorbing: None,
            asked,
            filled: fill,
            plans,
            done,
        };
        let probe = Probe {
            orders,
            ask,
            filled,
            held: Some(Box::new(Snapshot::empty(source.len(), sink.len(), latency))),
            plans: new_plans,
            done: old_plans,
        };
        (wire, probe)
    }

    /// Takes the next trial's plan and gives the old one back.
    fn change_plan(&mut self) {
        let Ok(plan) = self.plans.pop() else {
            return;
        };
        // Orders up to here were of the old plan.
        self.obeyed = self.orders.read();
        // As with the record: the probe sends a plan only when it has the one before.
        drop(self.done.push(std::mem::replace(&mut self.plan, plan)));
    }

    fn obey(&mut self) {
        let (start, stop) = self.orders.read();
        if (start, stop) == self.obeyed {
            return;
        }
        if start != self.obeyed.0 {
            self.plan.source.start(start);
        }
        self.plan.source.stop(stop);
        self.obeyed = (start, stop);
    }

    fn answer(&mut self) {
        let Ok(mut record) = self.asked.pop() else {
            return;
        };
        let Plan { source, sink, .. } = &*self.plan;
        record.at_ns = self.now_ns;
        record
            .sent
            .iter_mut()
            .zip(source.sent())
            .for_each(|(to, from)| *to = from);
        record
            .received
            .iter_mut()
            .zip(sink.received())
            .for_each(|(to, from)| *to = from);
        record.strays = sink.strays();
        record.foreign = record.strays.foreign;
        record.absorbed = sink.absorbed();
        record.last_ns = sink.last_ns();
        record.due_ns = source.due_ns();
        record.own_ns = self.plan.own_ns;
        if record.latency.len() == self.plan.latency.len() {
            std::mem::swap(&mut record.latency, &mut self.plan.latency);
        }
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
        self.change_plan();
        let plan = &mut *self.plan;
        if plan.source.due_ns() > now_ns {
            return;
        }
        let began = Instant::now();
        plan.source.give_up(now_ns);
        while slots.room() > 0 {
            let Some(frame) = plan.source.next(now_ns) else {
                break;
            };
            plan.pacing
                .saturating_record(now_ns.saturating_sub(frame.due_ns()));
            // A frame longer than the slot is dropped here and counts as unsent.
            slots.push(frame.octets(), |slot| frame.write(slot));
        }
        plan.own_ns += elapsed_ns(began);
    }

    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        // The probe gives orders and asks for snapshots without ringing.
        const LOOK_NS: u64 = 1_000_000;
        Some(
            self.plan
                .source
                .due_ns()
                .min(now_ns.saturating_add(LOOK_NS)),
        )
    }

    fn absorb(&mut self, now_ns: u64, frame: &[u8], meta: &TxMeta) {
        let octets = (frame.len().max(SMALLEST_ON_WIRE) + FCS) as u64 + WIRE_OVERHEAD;
        let wire_ns = octets.saturating_mul(self.picoseconds_per_octet) / 1000;
        let received_ns = now_ns.max(meta.start_ns.saturating_add(wire_ns));
        let Plan { sink, latency, .. } = &mut *self.plan;
        sink.absorb(received_ns, frame, latency);
    }

    fn absorbing(&mut self) {
        self.absorbing = Some(Instant::now());
    }

    fn absorbed(&mut self) {
        if let Some(began) = self.absorbing.take() {
            self.plan.own_ns += elapsed_ns(began);
        }
    }
}

fn elapsed_ns(since: Instant) -> u64 {
    // Of a burst: far below 2^64.
    since.elapsed().as_nanos() as u64
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
        self.request();
        let record = wait(&mut self.filled, patience)?;
        Ok(self.held.insert(record))
    }

    /// Gives the worker `plan` at its next burst, and waits at most `patience` for the plan that it had, with
    /// all that was counted in it. From then on snapshots are of the new plan, and without latencies: they are
    /// in the plan that comes back.
    pub fn exchange(
        &mut self,
        plan: Box<Plan>,
        patience: Duration,
    ) -> Result<Box<Plan>, ProbeError> {
        while self.done.pop().is_ok() {}
        let (sent, received) = (plan.source.sent().len(), plan.sink.received().len());
        if self.plans.push(plan).is_err() {
            // The worker did not even take the one before.
            return Err(ProbeError::Silent(patience));
        }
        let old = wait(&mut self.done, patience)?;
        // A record that was asked for and not fetched came back before the plan did.
        while self.filled.pop().is_ok() {}
        self.held = Some(Box::new(Snapshot::empty(sent, received, Vec::new())));
        Ok(old)
    }
}

/// What the worker puts into `ring` at its next burst.
fn wait<T>(ring: &mut Consumer<T>, patience: Duration) -> Result<T, ProbeError> {
    const LOOK_AGAIN: Duration = Duration::from_micros(50);
    let began = Instant::now();
    loop {
        // Looked at before the ring: what was pushed before the closing is still found.
        let closed = ring.is_abandoned();
        if let Ok(item) = ring.pop() {
            return Ok(item);
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
