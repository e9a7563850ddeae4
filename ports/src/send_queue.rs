//! Transmit slots of the backends that send by system call: filled at the tail, sent from the head.
//!
//! Each commit is sent before it answers, so that the answer is true: what the system refuses for good is
//! not counted as taken. What the system does not take now stays queued for the next try; should it be
//! refused then, it is counted as lost. Must never allocate after `new`.

use std::io;

use crate::port::{TxMeta, TxSlots};

/// Why and where a flush stopped.
pub(crate) enum Stop {
    /// The system takes no more now; what is left stays queued.
    Full,
    /// The frame at the head is refused for good: it alone, or because the interface is down or gone.
    Refused,
    /// The time of the frame at the head has passed: it alone is lost.
    Late,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR | libc::ENOMEM) => Self::Full,
            _ => Self::Refused,
        }
    }
}

/// How long a port at rest lets frames wait that the system would not take, nanoseconds.
pub(crate) const RETRY_NS: u64 = 100_000;

/// A ring of fixed slots.
pub(crate) struct SendQueue {
    octets: Box<[u8]>,
    metas: Box<[TxMeta]>,
    slot_octets: usize,
    longest: usize,
    head: usize,
    queued: usize,
    lost: u64,
}

impl SendQueue {
    /// `longest`: octets of the longest frame the interface sends.
    pub(crate) fn new(slots: usize, slot_octets: usize, longest: usize) -> Self {
        let empty = TxMeta {
            len: 0,
            start_ns: 0,
        };
        Self {
            octets: vec![0; slots * slot_octets].into_boxed_slice(),
            metas: vec![empty; slots].into_boxed_slice(),
            slot_octets,
            longest: longest.min(slot_octets),
            head: 0,
            queued: 0,
            lost: 0,
        }
    }

    pub(crate) fn slot_octets(&self) -> usize {
        self.slot_octets
    }

    /// True while frames wait for another try.
    pub(crate) fn is_waiting(&self) -> bool {
        self.queued > 0
    }

    /// Frames that a commit took and the system refused at a later try, or as too late.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Lends the slots behind the queued ones.
    pub(crate) fn lend<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let total = self.metas.len();
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

    /// Sends the first slots lent, and before them what was queued, by `send`, which returns how many
    /// frames of the queue the system took.
    ///
    /// Returns how many were sent or stay queued, always a prefix: it ends at the first frame that is too
    /// long or refused for good.
    pub(crate) fn commit(
        &mut self,
        frames: &[TxMeta],
        send: impl FnMut(&Self) -> Result<usize, Stop>,
    ) -> usize {
        let fresh = self.enqueue(frames);
        fresh - self.flush(fresh, send)
    }

    /// Tries again to send what is queued, if anything is.
    pub(crate) fn retry(&mut self, send: impl FnMut(&Self) -> Result<usize, Stop>) {
        self.flush(0, send);
    }

    /// Queues the first slots lent. Returns how many.
    fn enqueue(&mut self, frames: &[TxMeta]) -> usize {
        let total = self.metas.len();
        let mut taken = 0;
        for meta in frames.iter().take(total - self.queued) {
            if usize::from(meta.len) > self.longest {
                break;
            }
            let tail = (self.head + self.queued) % total;
            if let Some(place) = self.metas.get_mut(tail) {
                *place = *meta;
            }
            self.queued += 1;
            taken += 1;
        }
        taken
    }

    /// The queued frames, oldest first.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.timed_frames().map(|(frame, _)| frame)
    }

    /// The queued frames, oldest first, and the start of each on the wire.
    pub(crate) fn timed_frames(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let total = self.metas.len();
        (0..self.queued).filter_map(move |i| {
            let slot = (self.head + i) % total;
            let first = slot * self.slot_octets;
            let meta = self.metas.get(slot)?;
            let frame = self.octets.get(first..first + usize::from(meta.len))?;
            Some((frame, meta.start_ns))
        })
    }

    /// Takes the `count` oldest frames off the queue.
    fn sent(&mut self, count: usize) {
        let count = count.min(self.queued);
        self.head = (self.head + count) % self.metas.len();
        self.queued -= count;
    }

    /// Takes the oldest frame off the queue and counts it.
    fn lose(&mut self) {
        self.sent(1);
        self.lost += 1;
    }

    /// Sends what is queued; its newest `fresh` frames are of the commit under way. A refusal takes an
    /// older frame off alone, of the commit the frame and all behind it. Returns how many of the commit.
    fn flush(&mut self, fresh: usize, mut send: impl FnMut(&Self) -> Result<usize, Stop>) -> usize {
        while self.queued > 0 {
            match send(self) {
                Ok(0) | Err(Stop::Full) => break,
                Ok(count) => self.sent(count),
                Err(Stop::Late) => self.lose(),
                Err(Stop::Refused) if self.queued > fresh => self.lose(),
                Err(Stop::Refused) => {
                    let refused = self.queued;
                    self.sent(refused);
                    return refused;
                }
            }
        }
        0
    }
}

#[cfg(test)]
#[path = "send_queue_tests.rs"]
mod tests;
