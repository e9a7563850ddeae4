//! One connection as the thread of its interface and the ports of its queues share it.
//!
//! The thread makes it and ends it; a port takes it over whole, works on its rings alone, and says by atomics
//! what it found wrong. Must never hold a lock.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::bell::Bell;
use super::refusal::Refusal;
use super::sender::OwnBuffers;
use super::unsafe_region::RingMemory;

/// Most queues of an interface: a bit each in [`Connection::wanted`].
pub(super) const QUEUES: usize = 64;

/// A ring and its interrupt.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) memory: RingMemory,
    pub(super) own: Option<OwnBuffers>,
    /// The slave made it, both hold it. Its other holder decides whether writing it blocks, so that no worker
    /// ever reads or writes it.
    pub(super) interrupt: OwnedFd,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Connection {
    /// Rings that this end receives from, by queue.
    pub(super) incoming: Vec<Ring>,
    /// Rings that this end sends in; who sends first takes one.
    outgoing: Vec<Ring>,
    taken: Vec<AtomicBool>,
    alive: AtomicBool,
    /// Outgoing rings whose reader wants an interrupt.
    wanted: AtomicU64,
    /// What a port found wrong: sent once, by whoever finds first.
    fault: OnceLock<Refusal>,
    /// Wakes the interface's thread.
    thread: Arc<Bell>,
}

impl Connection {
    pub(super) fn new(incoming: Vec<Ring>, outgoing: Vec<Ring>, thread: Arc<Bell>) -> Self {
        Self {
            incoming,
            taken: outgoing.iter().map(|_| AtomicBool::new(false)).collect(),
            outgoing,
            alive: AtomicBool::new(true),
            wanted: AtomicU64::new(0),
            fault: OnceLock::new(),
            thread,
        }
    }

    /// Whether the peer is there.
    #[inline]
    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// The peer is gone, or will be.
    pub(super) fn end(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// A ring to send in: that of `queue`, or one that nobody took. Few peers have as many rings as there are
    /// queues, and of the ports of an interface often one alone sends.
    pub(super) fn take_outgoing(&self, queue: usize) -> Option<(usize, &Ring)> {
        let count = self.outgoing.len();
        (0..count)
            .map(|step| (queue + step) % count)
            .find(|index| {
                self.taken
                    .get(*index)
                    .is_some_and(|taken| !taken.swap(true, Ordering::AcqRel))
            })
            .and_then(|index| Some((index, self.outgoing.get(index)?)))
    }

    /// Has the reader of an outgoing ring woken. A system call, unless one is under way.
    pub(super) fn wake(&self, ring: usize) {
        let bit = 1 << (ring % QUEUES);
        if self.wanted.fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            self.thread.ring();
        }
    }

    /// Interrupts to be sent now.
    pub(super) fn interrupts(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let wanted = self.wanted.swap(0, Ordering::AcqRel);
        let rings = self.outgoing.iter().enumerate();
        rings
            .filter(move |(index, _)| wanted & (1 << (index % QUEUES)) != 0)
            .map(|(_, ring)| ring.interrupt.as_fd())
    }

    /// Has the peer disconnected for this reason.
    pub(super) fn accuse(&self, why: Refusal) {
        if self.fault.set(why).is_ok() {
            self.thread.ring();
        }
    }

    /// What a port found wrong.
    pub(super) fn fault(&self) -> Option<Refusal> {
        self.fault.get().copied()
    }
}
