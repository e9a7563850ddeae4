//! A port that delivers what another port receives no faster than a wire of a given rate would: a device whose limit is
//! known, to hold a measurement against.
//!
//! A frame of L octets with FCS holds the wire for 8(L+20)/C (IEEE 802.3 4.4.2: preamble, start delimiter, gap). In
//! front of the wire is a queue with room for some frames; what finds it full is dropped and counted. All instants
//! follow from the time that the port is told, so equal calls shape equally; or, where frames say when they were sent,
//! from that: such a device has a time of its own, and stands still for nobody who fetches its frames late. Must never
//! read a clock, nor drop without counting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::port::{Port, RxBurst, TxMeta, TxSlots, Wake};

/// FCS, preamble, start delimiter and gap: what a frame in memory lacks of its time on the wire, octets.
const WIRE_OVERHEAD: u128 = 4 + 20;

/// Fraction bits of a nanosecond: the error of a frame's time on the wire adds up to nothing in any run.
const FRACTION: u32 = 32;

/// Reads from a frame when it was sent, nanoseconds.
type SentNs = fn(&[u8]) -> Option<u64>;

/// A port behind a wire of a given rate.
pub struct ShapedPort<P> {
    port: P,
    bits_per_s: u64,
    room: usize,
    /// When a frame came, nanoseconds; none: when it was fetched.
    came_at: Option<SentNs>,
    /// When the wire is free, nanoseconds with a fraction.
    free: u128,
    /// Frames that wait or are on the wire, with the instant at which they are through, likewise.
    queue: VecDeque<(u128, Vec<u8>)>,
    /// Frames that are through.
    through: VecDeque<Vec<u8>>,
    lent: Vec<Vec<u8>>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    counters: Arc<Counters>,
}

/// What has passed so far. Always: `received = delivered + dropped + waiting`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShapedCounts {
    /// Frames the wrapped port delivered.
    pub received: u64,
    /// Frames delivered to the caller.
    pub delivered: u64,
    /// Frames that found the queue full.
    pub dropped: u64,
    /// Frames in the queue, on the wire, or through it and not yet fetched.
    pub waiting: u64,
}

#[derive(Default)]
struct Counters {
    received: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
}

/// Reads the counts of a [`ShapedPort`], also while a worker owns the port. The counts fit together whenever no call of
/// the port is under way.
#[derive(Clone)]
pub struct ShapedWatch(Arc<Counters>);

impl ShapedWatch {
    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> ShapedCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ShapedCounts {
            received: read(&self.0.received),
            delivered: read(&self.0.delivered),
            dropped: read(&self.0.dropped),
            waiting: read(&self.0.waiting),
        }
    }
}

impl<P: Port> ShapedPort<P> {
    /// Wraps a port behind a wire of `bits_per_s`, with room for `room` frames, the one on the wire included.
    ///
    /// # Panics
    ///
    /// Either is 0: nothing would ever pass.
    #[must_use]
    pub fn new(port: P, bits_per_s: u64, room: usize) -> Self {
        assert!(
            bits_per_s > 0 && room > 0,
            "a wire of 0 bit/s, or no room for a frame"
        );
        Self {
            port,
            bits_per_s,
            room,
            came_at: None,
            free: 0,
            queue: VecDeque::with_capacity(room),
            through: VecDeque::with_capacity(room),
            lent: Vec::new(),
            spare: Vec::new(),
            counters: Arc::default(),
        }
    }

    /// Frames came when `sent_ns` says, on the clock that the port is told; a frame of which it says nothing, or an
    /// instant that has not come yet, came when it was fetched.
    #[must_use]
    pub fn came_when_sent(mut self, sent_ns: SentNs) -> Self {
        self.came_at = Some(sent_ns);
        self
    }

    /// A hand on the counts that stays when the port goes to a worker.
    #[must_use]
    pub fn watch(&self) -> ShapedWatch {
        ShapedWatch(self.counters.clone())
    }

    /// The wrapped port.
    #[must_use]
    pub fn inner_mut(&mut self) -> &mut P {
        &mut self.port
    }

    /// Takes a burst of what came. Says whether there was any.
    fn collect(&mut self, now_ns: u64) -> bool {
        let mut burst = RxBurst::new();
        self.port.rx_burst(now_ns, &mut burst);
        let mut dropped = 0;
        for frame in &burst {
            let came_ns = self.came_at.and_then(|came_at| came_at(frame));
            let now = u128::from(came_ns.map_or(now_ns, |came_ns| came_ns.min(now_ns))) << FRACTION;
            pass(&mut self.queue, &mut self.through, now);
            if self.queue.len() >= self.room {
                dropped += 1;
                continue;
            }
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.clear();
            copy.extend_from_slice(frame);
            self.free = self.free.max(now) + wire_time(frame.len(), self.bits_per_s);
            self.queue.push_back((self.free, copy));
        }
        let counters = &self.counters;
        counters
            .received
            .fetch_add(burst.len() as u64, Ordering::Relaxed);
        counters.dropped.fetch_add(dropped, Ordering::Relaxed);
        !burst.is_empty()
    }
}

/// What left the wire by `now` makes room.
fn pass(queue: &mut VecDeque<(u128, Vec<u8>)>, through: &mut VecDeque<Vec<u8>>, now: u128) {
    while queue.front().is_some_and(|(at, _)| *at <= now) {
        through.extend(queue.pop_front().map(|(_, frame)| frame));
    }
}

/// Time of a frame of `octets` without FCS on the wire, nanoseconds with a fraction.
fn wire_time(octets: usize, bits_per_s: u64) -> u128 {
    let bits = 8 * (octets as u128 + WIRE_OVERHEAD);
    ((bits * 1_000_000_000) << FRACTION) / u128::from(bits_per_s)
}

impl<P: Port> Port for ShapedPort<P> {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        self.spare.append(&mut self.lent);
        let now = u128::from(now_ns) << FRACTION;
        // Frames that came at different times are all looked at before what is through by now makes room.
        while self.collect(now_ns) && self.came_at.is_some() {}
        pass(&mut self.queue, &mut self.through, now);
        let count = self.through.len().min(burst.remaining_capacity());
        self.lent.extend(self.through.drain(..count));
        let waiting = self.queue.len() + self.through.len();
        self.counters
            .delivered
            .fetch_add(count as u64, Ordering::Relaxed);
        self.counters
            .waiting
            .store(waiting as u64, Ordering::Relaxed);
        burst.extend(self.lent.iter().map(Vec::as_slice));
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.port.tx_slots(want, slots);
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        self.port.tx_commit(frames)
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        if !self.through.is_empty() {
            return Wake::Frames;
        }
        match self.queue.front() {
            // Rounded up: looked at before its instant the frame would not be through.
            Some((at, _)) => {
                Wake::At(u64::try_from(at.div_ceil(1 << FRACTION)).unwrap_or(u64::MAX))
            }
            None => self.port.rest(now_ns),
        }
    }

    fn resume(&mut self) {
        self.port.resume();
    }

    fn slot_octets(&self) -> usize {
        self.port.slot_octets()
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        self.port.launch_lead_ns()
    }

    fn describe(&self) -> String {
        format!(
            "{}, received at {} bit/s through a queue of {}",
            self.port.describe(),
            self.bits_per_s,
            self.room
        )
    }

    fn missed(&mut self) -> u64 {
        self.port.missed()
    }

    fn tx_lost(&self) -> u64 {
        self.port.tx_lost()
    }
}

#[cfg(test)]
#[path = "shaped_tests.rs"]
mod tests;
