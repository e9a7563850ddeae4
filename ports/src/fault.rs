//! A port that spoils what another port carries, by chance that a seed decides, and counts each spoiling.
//!
//! For tests: every run of a seed is the same run. Must never spoil without counting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::port::{Port, RxBurst, TxMeta, TxSlots, Wake};

/// How often what goes wrong, each in parts per million.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// A received frame is lost.
    pub loss_ppm: u32,
    /// A received frame comes twice.
    pub duplication_ppm: u32,
    /// A received frame comes behind the one after it.
    pub reordering_ppm: u32,
    /// One bit of a received frame is turned.
    pub corruption_ppm: u32,
    /// A frame to send is refused, and with it the rest of its burst.
    pub refusal_ppm: u32,
    /// The port stands still for [`stall_bursts`](Self::stall_bursts) receive bursts.
    pub stall_ppm: u32,
    /// Length of a stall: in it nothing is received and no slot is offered.
    pub stall_bursts: u32,
}

/// What has gone wrong so far. Always: `received + duplicated = lost + delivered + waiting`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Frames the wrapped port delivered.
    pub received: u64,
    /// Of them lost.
    pub lost: u64,
    /// Copies added.
    pub duplicated: u64,
    /// Of `duplicated`: copies of frames with a bit turned.
    pub duplicated_corrupted: u64,
    /// Frames that were overtaken.
    pub reordered: u64,
    /// Of `reordered`: without a turned bit, and overtaken by one without, so that a receiver can tell.
    pub reordered_intact: u64,
    /// Frames with a bit turned (a duplicate of one not counted again).
    pub corrupted: u64,
    /// Frames delivered to the caller.
    pub delivered: u64,
    /// Frames held for a later burst.
    pub waiting: u64,
    /// Frames not taken for sending.
    pub refused: u64,
    /// Stalls begun.
    pub stalls: u64,
}

#[derive(Default)]
struct Counters {
    received: AtomicU64,
    lost: AtomicU64,
    duplicated: AtomicU64,
    duplicated_corrupted: AtomicU64,
    reordered: AtomicU64,
    reordered_intact: AtomicU64,
    corrupted: AtomicU64,
    delivered: AtomicU64,
    waiting: AtomicU64,
    refused: AtomicU64,
    stalls: AtomicU64,
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

/// Reads the counts of a [`FaultPort`], also while a worker owns the port. The counts fit together
/// whenever no call of the port is under way.
#[derive(Clone)]
pub struct FaultWatch(Arc<Counters>);

impl FaultWatch {
    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FaultCounts {
            received: read(&self.0.received),
            lost: read(&self.0.lost),
            duplicated: read(&self.0.duplicated),
            duplicated_corrupted: read(&self.0.duplicated_corrupted),
            reordered: read(&self.0.reordered),
            reordered_intact: read(&self.0.reordered_intact),
            corrupted: read(&self.0.corrupted),
            delivered: read(&self.0.delivered),
            waiting: read(&self.0.waiting),
            refused: read(&self.0.refused),
            stalls: read(&self.0.stalls),
        }
    }
}

/// SplitMix64: a full-period generator whose state is a counter.
struct Chance(u64);

impl Chance {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn happens(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.draw() % 1_000_000 < u64::from(ppm)
    }
}

/// A frame that waits for the next one to pass it.
struct Overtaken {
    frame: Vec<u8>,
    is_intact: bool,
}

/// A port with faults.
pub struct FaultPort<P> {
    port: P,
    faults: Faults,
    chance: Chance,
    counters: Arc<Counters>,
    waiting: VecDeque<Vec<u8>>,
    overtaken: Option<Overtaken>,
    lent: Vec<Vec<u8>>,
    stalled: u32,
}

impl<P: Port> FaultPort<P> {
    /// Wraps a port; equal seeds and equal calls spoil equally.
    #[must_use]
    pub fn new(port: P, faults: Faults, seed: u64) -> Self {
        Self {
            port,
            faults,
            chance: Chance(seed),
            counters: Arc::default(),
            waiting: VecDeque::new(),
            overtaken: None,
            lent: Vec::new(),
            stalled: 0,
        }
    }

    /// A hand on the counts that stays when the port goes to a worker.
    #[must_use]
    pub fn watch(&self) -> FaultWatch {
        FaultWatch(self.counters.clone())
    }

    /// Changes what goes wrong from here on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// The wrapped port.
    #[must_use]
    pub fn inner_mut(&mut self) -> &mut P {
        &mut self.port
    }

    fn stalls(&mut self) -> bool {
        if self.stalled == 0 && self.chance.happens(self.faults.stall_ppm) {
            self.stalled = self.faults.stall_bursts;
            add(&self.counters.stalls, 1);
        }
        let stalled = self.stalled > 0;
        self.stalled = self.stalled.saturating_sub(1);
        stalled
    }

    fn collect(&mut self, now_ns: u64) {
        let mut burst = RxBurst::new();
        self.port.rx_burst(now_ns, &mut burst);
        add(&self.counters.received, burst.len());
        if burst.is_empty() {
            let overtaken = self.overtaken.take();
            self.waiting.extend(overtaken.map(|held| held.frame));
        }
        for frame in &burst {
            if self.chance.happens(self.faults.loss_ppm) {
                add(&self.counters.lost, 1);
                continue;
            }
            let mut frame = frame.to_vec();
            let mut is_intact = true;
            if self.chance.happens(self.faults.corruption_ppm) && !frame.is_empty() {
                let bit = self.chance.draw();
                let at = (bit >> 3) as usize % frame.len();
                if let Some(octet) = frame.get_mut(at) {
                    *octet ^= 1 << (bit & 7);
                }
                add(&self.counters.corrupted, 1);
                is_intact = false;
            }
            let twice = self.chance.happens(self.faults.duplication_ppm);
            if twice {
                add(&self.counters.duplicated, 1);
                add(&self.counters.duplicated_corrupted, usize::from(!is_intact));
                self.waiting.push_back(frame.clone());
            } else if self.overtaken.is_none() && self.chance.happens(self.faults.reordering_ppm) {
                self.overtaken = Some(Overtaken { frame, is_intact });
                continue;
            }
            self.waiting.push_back(frame);
            if let Some(overtaken) = self.overtaken.take() {
                add(&self.counters.reordered, 1);
                let is_seen = is_intact && overtaken.is_intact;
                add(&self.counters.reordered_intact, usize::from(is_seen));
                self.waiting.push_back(overtaken.frame);
            }
        }
    }
}

impl<P: Port> Port for FaultPort<P> {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        self.lent.clear();
        if self.stalls() {
            return;
        }
        if self.waiting.is_empty() {
            self.collect(now_ns);
        }
        let count = self.waiting.len().min(burst.remaining_capacity());
        self.lent.extend(self.waiting.drain(..count));
        add(&self.counters.delivered, count);
        let waiting = self.waiting.len() + usize::from(self.overtaken.is_some());
        self.counters
            .waiting
            .store(waiting as u64, Ordering::Relaxed);
        burst.extend(self.lent.iter().map(Vec::as_slice));
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        if self.stalled == 0 {
            self.port.tx_slots(want, slots);
        }
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        let refusal_ppm = self.faults.refusal_ppm;
        let refused = (0..frames.len()).find(|_| self.chance.happens(refusal_ppm));
        let offered = frames.get(..refused.unwrap_or(frames.len())).unwrap_or(&[]);
        let taken = self.port.tx_commit(offered);
        add(&self.counters.refused, frames.len() - taken);
        taken
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        // A stall ends, and an overtaken frame comes, by receive bursts alone.
        if self.stalled > 0 || !self.waiting.is_empty() || self.overtaken.is_some() {
            return Wake::Frames;
        }
        self.port.rest(now_ns)
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
        format!("{}, with faults", self.port.describe())
    }

    fn missed(&mut self) -> u64 {
        self.port.missed()
    }

    fn tx_lost(&self) -> u64 {
        self.port.tx_lost()
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
