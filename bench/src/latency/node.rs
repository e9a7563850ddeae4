//! The node as an arm of a latency benchmark: source and sink in the ports' bursts on the worker's core,
//! which do for a frame what `bench/pvp-latency/latency.c` does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use pinode_node::running::RunningNode;
use pinode_ports::{InjectSlots, InlinePort, Port, TxMeta, Wire, slot_octets_for};

use super::cells::{CELLS, cell};
use super::{Arm, Cells, Load, Trial};
use crate::landing::Landing;
use crate::node::Setup;
use crate::unsafe_tsc::{hz, ticks};

const READY: Duration = Duration::from_secs(60);
/// Longest that frames of a trial are waited for when it has ended.
const DRAIN: Duration = Duration::from_millis(500);
/// Silence after which none is under way.
const QUIET: Duration = Duration::from_millis(20);
/// Frames that are caught up after a stall: what the ring of a NIC would have held.
const BACKLOG: u64 = 4096;
/// Fraction bits of a tick in the source's schedule.
const FRACTION: u32 = 16;
const STAMP: std::ops::Range<usize> = 16..24;
const MARK: std::ops::Range<usize> = 24..28;

/// What the benchmark's thread and the wires tell each other.
struct Shared {
    /// Number of the trial; written last.
    trial: AtomicU32,
    step: AtomicU64,
    start: AtomicU64,
    from: AtomicU64,
    end: AtomicU64,
    due: AtomicU64,
    late: AtomicU64,
    /// Nonzero once the source has sent the last frame of this trial.
    done: AtomicU32,
    received: AtomicU64,
    cells: Box<[AtomicU64]>,
}

/// Adds without a locked instruction: there is one writer.
fn add(counter: &AtomicU64, frames: u64) {
    let sum = counter.load(Ordering::Relaxed) + frames;
    counter.store(sum, Ordering::Relaxed);
}

struct Source {
    shared: Arc<Shared>,
    template: Box<[u8]>,
    trial: u32,
    step: u64,
    start: u64,
    from: u64,
    end: u64,
    /// Ticks since the start, with fraction.
    next: u64,
}

impl Source {
    fn obey(&mut self) {
        let trial = self.shared.trial.load(Ordering::Acquire);
        if trial == self.trial {
            return;
        }
        self.trial = trial;
        self.step = self.shared.step.load(Ordering::Relaxed);
        self.start = self.shared.start.load(Ordering::Relaxed);
        self.from = self.shared.from.load(Ordering::Relaxed);
        self.end = self.shared.end.load(Ordering::Relaxed);
        self.next = 0;
    }

    fn due(&self) -> u64 {
        self.start + (self.next >> FRACTION)
    }
}

impl Wire for Source {
    #[inline]
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        self.obey();
        let now = ticks();
        let mut at = self.due();
        if at > now || at >= self.end {
            if self.trial != 0 && at >= self.end {
                self.shared.done.store(self.trial, Ordering::Release);
            }
            return;
        }
        let patience = (self.step * BACKLOG) >> FRACTION;
        let (mut due, mut late) = (0, 0);
        while at + patience < now && at < self.end {
            late += u64::from(at >= self.from);
            self.next += self.step;
            at = self.due();
        }
        while at <= now && at < self.end && slots.room() > 0 {
            let counts = at >= self.from;
            let mark = if counts { self.trial } else { 0 };
            slots.push(self.template.len(), |slot| {
                slot.copy_from_slice(&self.template);
                slot[STAMP].copy_from_slice(&at.to_ne_bytes());
                slot[MARK].copy_from_slice(&mark.to_ne_bytes());
            });
            due += u64::from(counts);
            self.next += self.step;
            at = self.due();
        }
        add(&self.shared.due, due + late);
        add(&self.shared.late, late);
    }

    fn absorb(&mut self, _now_ns: u64, _frame: &[u8], _meta: &TxMeta) {}
}

struct Sink {
    shared: Arc<Shared>,
    landing: Box<Landing>,
}

impl Wire for Sink {
    #[inline]
    fn inject(&mut self, _now_ns: u64, _slots: &mut InjectSlots<'_, '_>) {}

    fn next_ns(&self, _now_ns: u64) -> Option<u64> {
        None
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], _meta: &TxMeta) {
        let field = |range| {
            frame
                .get(range)
                .and_then(|octets: &[u8]| octets.try_into().ok())
        };
        let stamp = field(STAMP).map_or(0, u64::from_ne_bytes);
        let mark = frame.get(MARK).and_then(|octets| octets.try_into().ok());
        let mark = mark.map_or(0, u32::from_ne_bytes);
        if let Some(copy) = self.landing.of(frame.len()) {
            copy.copy_from_slice(frame);
        }
        if mark == 0 || mark != self.shared.trial.load(Ordering::Relaxed) {
            return;
        }
        let latency = ticks().saturating_sub(stamp);
        add(&self.shared.received, 1);
        if let Some(count) = self.shared.cells.get(cell(latency)) {
            add(count, 1);
        }
    }
}

/// A running node between a source and a sink.
pub struct NodeArm {
    node: Option<RunningNode>,
    shared: Arc<Shared>,
    hz: u64,
    trials: u32,
}

impl NodeArm {
    /// Boots a node of `setup`; its frames are of the first PI.
    ///
    /// # Errors
    /// Whatever keeps the node from running.
    pub fn start(setup: &Setup) -> anyhow::Result<Self> {
        const FCS: usize = 4;
        let octets = usize::from(setup.size).saturating_sub(FCS);
        ensure!(
            octets >= MARK.end,
            "frames of {} octets are too short",
            setup.size
        );
        let shared = Arc::new(Shared {
            trial: AtomicU32::new(0),
            step: AtomicU64::new(0),
            start: AtomicU64::new(0),
            from: AtomicU64::new(0),
            end: AtomicU64::new(0),
            due: AtomicU64::new(0),
            late: AtomicU64::new(0),
            done: AtomicU32::new(0),
            received: AtomicU64::new(0),
            cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
        });
        let mut template = vec![0; octets];
        let head = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 0x20];
        template[..head.len()].copy_from_slice(&head);
        let source = Source {
            shared: Arc::clone(&shared),
            template: template.into(),
            trial: 0,
            step: 1,
            start: 0,
            from: 0,
            end: 0,
            next: 0,
        };
        let sink = Sink {
            shared: Arc::clone(&shared),
            landing: Box::default(),
        };
        let slot = slot_octets_for(1500);
        let west: Box<dyn Port> = Box::new(InlinePort::new(source, slot));
        let east: Box<dyn Port> = Box::new(InlinePort::new(sink, slot));
        let node = RunningNode::start(setup.config()?, vec![vec![west], vec![east]])?;
        let ready = node.wait_ready(READY, || false);
        let arm = Self {
            node: Some(node),
            shared,
            hz: hz(),
            trials: 0,
        };
        ready?;
        Ok(arm)
    }

    fn ticks_of(&self, time: Duration) -> u64 {
        (time.as_secs_f64() * self.hz as f64) as u64
    }
}

impl Arm for NodeArm {
    fn trial(&mut self, load: Load) -> anyhow::Result<Trial> {
        const LOOK_EVERY: Duration = Duration::from_millis(2);
        let shared = &self.shared;
        // The last trial has ended: nobody writes these now.
        for counter in shared
            .cells
            .iter()
            .chain([&shared.due, &shared.late, &shared.received])
        {
            counter.store(0, Ordering::Relaxed);
        }
        self.trials += 1;
        let start = ticks() + self.ticks_of(Duration::from_millis(1));
        let from = start + self.ticks_of(load.warm_up);
        let end = from + self.ticks_of(load.span);
        let step = self.hz as f64 / load.fps * f64::from(1u32 << FRACTION);
        shared.step.store((step as u64).max(1), Ordering::Relaxed);
        shared.start.store(start, Ordering::Relaxed);
        shared.from.store(from, Ordering::Relaxed);
        shared.end.store(end, Ordering::Relaxed);
        shared.trial.store(self.trials, Ordering::Release);
        std::thread::sleep(load.warm_up + load.span);
        let limit = std::time::Instant::now() + DRAIN;
        while shared.done.load(Ordering::Acquire) != self.trials {
            ensure!(
                std::time::Instant::now() < limit,
                "the node's worker does not call its port"
            );
            std::thread::sleep(LOOK_EVERY);
        }
        let mut seen = shared.received.load(Ordering::Relaxed);
        while std::time::Instant::now() < limit {
            std::thread::sleep(QUIET);
            let now = shared.received.load(Ordering::Relaxed);
            if now == seen {
                break;
            }
            seen = now;
        }
        let (due, late) = (
            shared.due.load(Ordering::Relaxed),
            shared.late.load(Ordering::Relaxed),
        );
        let mut cells = Cells::new(self.hz);
        for (index, count) in shared.cells.iter().enumerate() {
            // As many cells as there are.
            let _ = cells.add(index, count.load(Ordering::Relaxed));
        }
        let received = cells.frames();
        Ok(Trial {
            due,
            late,
            lost: (due - late).saturating_sub(received),
            received,
            cells,
        })
    }
}

impl Drop for NodeArm {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop();
        }
    }
}
