//! Source and sink of each queue, and the account of the turns of the worker that drives them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pinode_ports::{BURST, InjectSlots, TxMeta, Wire};

use super::Shape;
use crate::unsafe_tsc::ticks;

/// What the queues of one worker counted; written by that worker alone, on lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Turns {
    /// When the turn under way began, ticks; 0 before the first.
    began: AtomicU64,
    /// Frames that it moved so far.
    moved: AtomicU64,
    busy: AtomicU64,
    offered: AtomicU64,
    crossed: AtomicU64,
}

/// A reading of [`Turns`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Ticks in turns that moved frames.
    pub(super) busy: u64,
    /// Frames put in.
    pub(super) offered: u64,
    /// Frames that came out.
    pub(super) crossed: u64,
}

impl Reading {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            busy: self.busy - before.busy,
            offered: self.offered - before.offered,
            crossed: self.crossed - before.crossed,
        }
    }
}

/// Adds without a locked instruction: there is one writer.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

impl Turns {
    pub(super) fn shared() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn read(&self) -> Reading {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Reading {
            busy: load(&self.busy),
            offered: load(&self.offered),
            crossed: load(&self.crossed),
        }
    }

    /// The worker begins a turn at `now`.
    fn turn(&self, now: u64) {
        let began = self.began.load(Ordering::Relaxed);
        if self.moved.load(Ordering::Relaxed) > 0 && began > 0 {
            add(&self.busy, now.saturating_sub(began));
            self.moved.store(0, Ordering::Relaxed);
        }
        self.began.store(now, Ordering::Relaxed);
    }

    fn offer(&self, frames: u64) {
        add(&self.moved, frames);
        add(&self.offered, frames);
    }

    fn cross(&self) {
        add(&self.moved, 1);
        add(&self.crossed, 1);
    }
}

/// One queue of one port.
pub(super) struct Flow {
    turns: Arc<Turns>,
    /// The queue that a worker asks first in a turn.
    first: bool,
    /// Frames of each guest in turn; none: a sink.
    templates: Vec<Box<[u8]>>,
    next: usize,
    interval_ns: f64,
    /// Part of the interval by which this source is behind the others.
    part: f64,
    due_ns: Option<f64>,
    out: Box<[u8; 2048]>,
}

impl Flow {
    /// The queue that the worker of `turns` has of port `port`; even ports are sources of `fps` frames
    /// per second.
    pub(super) fn new(shape: &Shape, port: usize, turns: &Arc<Turns>, fps: f64, part: f64) -> Self {
        let template = |guest| template(Shape::pih(guest), shape.size);
        let guests = if port.is_multiple_of(2) {
            shape.guests
        } else {
            0
        };
        Self {
            turns: Arc::clone(turns),
            first: port == 0,
            templates: (0..guests).map(template).collect(),
            next: 0,
            interval_ns: BURST as f64 * 1e9 / fps,
            part,
            due_ns: None,
            out: Box::new([0; 2048]),
        }
    }

    /// Pushes a burst.
    fn burst(&mut self, slots: &mut InjectSlots<'_, '_>) {
        let mut frames = 0;
        while slots.room() > 0 {
            let Some(template) = self.templates.get(self.next) else {
                break;
            };
            slots.push(template.len(), |slot| slot.copy_from_slice(template));
            self.next = (self.next + 1) % self.templates.len();
            frames += 1;
        }
        self.turns.offer(frames);
    }
}

fn template(pih: u8, size: u16) -> Box<[u8]> {
    const FCS: usize = 4;
    let mut frame = vec![0; usize::from(size).saturating_sub(FCS).max(60)];
    let head = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, pih];
    frame[..head.len()].copy_from_slice(&head);
    frame.into()
}

impl Wire for Flow {
    #[inline]
    fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        if self.first {
            self.turns.turn(ticks());
        }
        if self.templates.is_empty() {
            return;
        }
        let now = now_ns as f64;
        let due = *self
            .due_ns
            .get_or_insert(now + self.interval_ns * self.part);
        if due > now {
            return;
        }
        self.burst(slots);
        // What a stall held up is not caught up: bursts stay apart.
        self.due_ns = Some((due + self.interval_ns).max(now));
    }

    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        if self.templates.is_empty() {
            return None;
        }
        Some(self.due_ns.map_or(now_ns, |due| due as u64))
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], _meta: &TxMeta) {
        if let Some(copy) = self.out.get_mut(..frame.len()) {
            copy.copy_from_slice(frame);
        }
        self.turns.cross();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_that_moved_nothing_cost_nothing() {
        let turns = Turns::shared();
        turns.turn(100);
        turns.offer(2);
        turns.turn(130);
        turns.turn(1000);
        turns.cross();
        turns.cross();
        turns.turn(1005);
        let read = turns.read();
        let expected = Reading {
            busy: 35,
            offered: 2,
            crossed: 2,
        };
        assert_eq!(read, expected);
        assert_eq!(read.since(read), Reading::default());
    }
}
