//! Source and sink of a saturating run, in the ports' own bursts.
//!
//! As much work for a frame as DPDK's `net_null` with `copy=1`: one copy of a prepared frame in,
//! one copy out. Must never pace, check or allocate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pinode_ports::{InjectSlots, TxMeta, Wire, copy_frame};

use crate::landing::Landing;

use super::Setup;

const MOST_PIS: usize = 8;

/// What both wires counted; on lines of their own, written by the worker alone.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tally {
    offered: AtomicU64,
    crossed: [AtomicU64; MOST_PIS],
}

/// A reading of a [`Tally`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) offered: u64,
    pub(super) crossed: [u64; MOST_PIS],
}

impl Tally {
    pub(super) fn read(&self) -> Reading {
        Reading {
            offered: self.offered.load(Ordering::Relaxed),
            crossed: std::array::from_fn(|pi| self.crossed[pi].load(Ordering::Relaxed)),
        }
    }
}

/// Adds without a locked instruction: there is one writer.
fn add(counter: &AtomicU64, frames: u64) {
    let sum = counter.load(Ordering::Relaxed) + frames;
    counter.store(sum, Ordering::Relaxed);
}

/// One side of a run.
pub(super) struct Flood {
    /// Frames to be sent, one of each PI; none: a sink.
    templates: Vec<Box<[u8]>>,
    next: usize,
    landing: Box<Landing>,
    tally: Arc<Tally>,
}

impl Flood {
    pub(super) fn source(setup: &Setup, tally: Arc<Tally>) -> Self {
        let templates = (0..setup.guests).map(|pi| template(pi, setup.size));
        Self::new(templates.collect(), tally)
    }

    pub(super) fn sink(_setup: &Setup, tally: Arc<Tally>) -> Self {
        Self::new(Vec::new(), tally)
    }

    fn new(templates: Vec<Box<[u8]>>, tally: Arc<Tally>) -> Self {
        Self {
            templates,
            next: 0,
            landing: Box::default(),
            tally,
        }
    }
}

fn template(pi: usize, size: u16) -> Box<[u8]> {
    const FCS: usize = 4;
    let mut frame = vec![0u8; usize::from(size) - FCS];
    let head = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
    frame[..14].copy_from_slice(&head);
    // PIH: code in bits 7 to 5, virtual network 0.
    frame[14] = ((pi + 1) as u8) << 5;
    frame.into()
}

impl Wire for Flood {
    #[inline]
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        let Self {
            templates,
            next,
            tally,
            ..
        } = self;
        let frames = slots.fill(|slot| {
            let template = templates.get(*next)?;
            *next = if *next + 1 < templates.len() {
                *next + 1
            } else {
                0
            };
            copy_frame(slot.get_mut(..template.len())?, template);
            Some(template.len())
        });
        add(&tally.offered, frames as u64);
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], _meta: &TxMeta) {
        if let Some(copy) = self.landing.of(frame.len()) {
            copy_frame(copy, frame);
        }
        let pi = usize::from(frame.get(14).map_or(0, |pih| pih >> 5)).saturating_sub(1);
        if let Some(crossed) = self.tally.crossed.get(pi) {
            add(crossed, 1);
        }
    }
}
