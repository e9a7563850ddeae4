//! Frames of each of three kinds at a pace of their own, as fast as it is told.
//!
//! Must never allocate, nor make up for more than a ring would have held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pinode_ports::{InjectSlots, copy_frame};

use super::{FCS, PIS, SMALLEST_ON_WIRE};

/// Frames of each PI at a pace of their own.
pub(crate) struct Flood {
    templates: [Box<[u8]>; PIS],
    fps: [f64; PIS],
    start_ns: u64,
    /// Frames put in or given up since then.
    done: [u64; PIS],
    /// Whose turn it is.
    next: usize,
    offered: Arc<[AtomicU64; PIS]>,
}

impl Flood {
    /// None yet.
    pub(crate) fn new(templates: [Box<[u8]>; PIS]) -> Self {
        Self {
            templates,
            fps: [0.0; PIS],
            start_ns: 0,
            done: [0; PIS],
            next: 0,
            offered: Arc::default(),
        }
    }

    /// So many a second from now on.
    pub(crate) fn pace(&mut self, fps: [f64; PIS], now_ns: u64) {
        self.fps = fps;
        self.start_ns = now_ns;
        self.done = [0; PIS];
    }

    /// Whether there are any.
    pub(crate) fn flows(&self) -> bool {
        self.fps.iter().any(|fps| *fps > 0.0)
    }

    /// Frames of each that were put in so far, also later.
    pub(crate) fn offered(&self) -> Arc<[AtomicU64; PIS]> {
        Arc::clone(&self.offered)
    }

    /// Puts in what is due.
    #[inline]
    pub(crate) fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        /// What the ring of a NIC would have held when the worker comes back from a stall.
        const BACKLOG: u64 = 1024;
        if !self.flows() {
            return;
        }
        let passed_ns = now_ns.saturating_sub(self.start_ns) as f64;
        let mut left = [0; PIS];
        for ((left, fps), done) in left.iter_mut().zip(&self.fps).zip(&mut self.done) {
            let due = (passed_ns * fps * 1e-9) as u64;
            *done = (*done).max(due.saturating_sub(BACKLOG));
            *left = due.saturating_sub(*done);
        }
        let mut put = [0; PIS];
        slots.fill(|slot| {
            let mut turns = (self.next..PIS).chain(0..self.next);
            let pi = turns.find(|pi| left[*pi] > 0)?;
            self.next = if pi + 1 < PIS { pi + 1 } else { 0 };
            left[pi] -= 1;
            put[pi] += 1;
            let template = &self.templates[pi];
            copy_frame(slot.get_mut(..template.len())?, template);
            Some(template.len())
        });
        for ((put, done), offered) in put.iter().zip(&mut self.done).zip(self.offered.iter()) {
            *done += put;
            // Without a locked instruction: there is one writer.
            offered.store(offered.load(Ordering::Relaxed) + put, Ordering::Relaxed);
        }
    }
}

/// A frame of a PI, with FCS of `size` octets.
pub(crate) fn template(pi: usize, size: u16) -> Box<[u8]> {
    let mut frame = vec![0u8; usize::from(size).saturating_sub(FCS).max(SMALLEST_ON_WIRE)];
    let head = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
    frame[..14].copy_from_slice(&head);
    // PIH: code in bits 7 to 5, virtual network 0.
    frame[14] = ((pi + 1) as u8) << 5;
    frame.into()
}
