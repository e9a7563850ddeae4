//! What was counted of a saturating run, and the side that its frames leave by.
//!
//! As DPDK's `net_null` with `copy=1`, one copy in and one out. Must never pace, check or allocate while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pinode_ports::{InjectSlots, TxMeta, Wire, copy_frame};

use crate::landing::Landing;

pub(crate) const FCS: usize = 4;

/// What was counted; on lines of their own, written by the worker alone.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    offered: AtomicU64,
    crossed: AtomicU64,
    /// Whether frames are offered.
    offers: AtomicBool,
}

/// A source that offers nothing looks this often whether it should; each look keeps a worker awake for 0.4 ms.
pub(crate) const LOOK_NS: u64 = 25_000_000;

impl Tally {
    /// Says whether frames are offered: at first none are.
    pub(crate) fn offer(&self, offers: bool) {
        self.offers.store(offers, Ordering::Relaxed);
    }

    /// Whether frames are to be offered.
    #[inline]
    pub(crate) fn offers(&self) -> bool {
        self.offers.load(Ordering::Relaxed)
    }

    /// So many were offered.
    #[inline]
    pub(crate) fn count_offered(&self, frames: usize) {
        add(&self.offered, frames as u64);
    }

    pub(crate) fn offered(&self) -> u64 {
        self.offered.load(Ordering::Relaxed)
    }

    pub(crate) fn crossed(&self) -> u64 {
        self.crossed.load(Ordering::Relaxed)
    }
}

/// Adds without a locked instruction: there is one writer.
fn add(counter: &AtomicU64, frames: u64) {
    let sum = counter.load(Ordering::Relaxed) + frames;
    counter.store(sum, Ordering::Relaxed);
}

/// The side that packets leave by.
pub(crate) struct Sink {
    landing: Box<Landing>,
    /// Octets of a frame that counts: others are the guest's own.
    octets: usize,
    tally: Arc<Tally>,
}

impl Sink {
    pub(crate) fn new(size: u16, tally: Arc<Tally>) -> Self {
        Self {
            landing: Box::default(),
            octets: usize::from(size) - FCS,
            tally,
        }
    }
}

impl Wire for Sink {
    #[inline]
    fn inject(&mut self, _now_ns: u64, _slots: &mut InjectSlots<'_, '_>) {}

    fn next_ns(&self, _now_ns: u64) -> Option<u64> {
        None
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], _meta: &TxMeta) {
        if let Some(copy) = self.landing.of(frame.len()) {
            copy_frame(copy, frame);
        }
        add(&self.tally.crossed, u64::from(frame.len() == self.octets));
    }
}
