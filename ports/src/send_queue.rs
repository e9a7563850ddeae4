//! Transmit slots of the backends that send by system call: filled at the tail, sent from the head.
//!
//! What the system does not take now stays queued for the next try. Must never allocate after `new`.

use std::io;

use crate::port::{TxMeta, TxSlots};

/// Why and where a flush stopped.
pub(crate) enum Stop {
    /// The system takes no more now; what is left stays queued.
    Full,
    /// The frame at the head, or every frame, is refused for good.
    Refused,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR | libc::ENOMEM) => Self::Full,
            _ => Self::Refused,
        }
    }
}

/// A ring of fixed slots.
pub(crate) struct SendQueue {
    octets: Box<[u8]>,
    lengths: Box<[u16]>,
    slot_octets: usize,
    head: usize,
    queued: usize,
}

impl SendQueue {
    pub(crate) fn new(slots: usize, slot_octets: usize) -> Self {
        Self {
            octets: vec![0; slots * slot_octets].into_boxed_slice(),
            lengths: vec![0; slots].into_boxed_slice(),
            slot_octets,
            head: 0,
            queued: 0,
        }
    }

    pub(crate) fn slot_octets(&self) -> usize {
        self.slot_octets
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Lends the slots behind the queued ones.
    pub(crate) fn lend<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let total = self.lengths.len();
        let want = want
            .min(slots.remaining_capacity())
            .min(total - self.queued);
        let tail = (self.head + self.queued) % total;
        let (front, back) = self.octets.split_at_mut(tail * self.slot_octets);
        let behind = back.chunks_exact_mut(self.slot_octets);
        slots.extend(
            behind
                .chain(front.chunks_exact_mut(self.slot_octets))
                .take(want),
        );
    }

    /// Queues the first slots lent; stops at a frame longer than `longest` octets. Returns how many.
    pub(crate) fn commit(&mut self, frames: &[TxMeta], longest: usize) -> usize {
        let total = self.lengths.len();
        let mut taken = 0;
        for meta in frames.iter().take(total - self.queued) {
            if usize::from(meta.len) > longest.min(self.slot_octets) {
                break;
            }
            let tail = (self.head + self.queued) % total;
            if let Some(length) = self.lengths.get_mut(tail) {
                *length = meta.len;
            }
            self.queued += 1;
            taken += 1;
        }
        taken
    }

    /// The queued frames, oldest first.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let total = self.lengths.len();
        (0..self.queued).map(move |i| {
            let slot = (self.head + i) % total;
            let start = slot * self.slot_octets;
            let len = usize::from(self.lengths.get(slot).copied().unwrap_or(0));
            self.octets.get(start..start + len).unwrap_or(&[])
        })
    }

    /// Takes the `count` oldest frames off the queue.
    pub(crate) fn sent(&mut self, count: usize) {
        let count = count.min(self.queued);
        self.head = (self.head + count) % self.lengths.len();
        self.queued -= count;
    }

    /// Sends what is queued by `send`, which returns how many of the frames it took, at least one.
    /// A frame that is refused for good leaves the queue. Returns how many were refused.
    pub(crate) fn flush(&mut self, mut send: impl FnMut(&Self) -> Result<usize, Stop>) -> u64 {
        let mut refused = 0;
        while self.queued > 0 {
            match send(self) {
                Ok(0) | Err(Stop::Full) => break,
                Ok(count) => self.sent(count),
                Err(Stop::Refused) => {
                    self.sent(1);
                    refused += 1;
                }
            }
        }
        refused
    }
}

#[cfg(test)]
#[path = "send_queue_tests.rs"]
mod tests;
