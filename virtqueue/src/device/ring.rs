//! The indices of a split virtqueue on the device's side (VIRTIO 1.2, 2.7.6 and 2.7.8).
//!
//! Holds the invariant on which the rest builds: entries taken from the available ring and not
//! yet given back never exceed the queue size, whatever the driver writes. Must never follow a
//! descriptor (that is `chain.rs`) nor decide about notifications (`notify.rs`).

use core::cell::Cell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use crate::error::QueueError;
use crate::index::Index;
use crate::layout::QueueLayout;
use crate::split::Split;
use crate::unsafe_ram::{Ram, Words};

/// Descriptors of a cache line.
pub(super) const LINE: u16 = 4;
/// How far ahead descriptors are fetched.
pub(super) const AHEAD: u16 = 8 * LINE;
/// Used entries of a cache line.
const USED_LINE: u16 = 8;
/// How far ahead used entries are fetched: a burst.
const LATER: u16 = 64;
/// How far ahead buffers are fetched.
const SOON: u16 = 8;

/// A descriptor as it stood when it was read (2.7.5): a claim, but one that no longer changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptor {
    pub(super) addr: u64,
    pub(super) len: u32,
    pub(super) flags: u16,
    pub(super) next: u16,
}

impl Descriptor {
    #[inline]
    fn read([addr, rest]: &[AtomicU64; 2]) -> Self {
        let rest = u64::from_le(rest.load(Relaxed));
        Descriptor {
            addr: u64::from_le(addr.load(Relaxed)),
            len: rest as u32,
            flags: (rest >> 32) as u16,
            next: (rest >> 48) as u16,
        }
    }

    /// Whether the buffer lies in RAM.
    #[inline]
    pub(super) fn inside(&self, ram: &Ram) -> bool {
        self.addr <= ram.len() && u64::from(self.len) <= ram.len() - self.addr
    }
}

/// What a burst reads of the driver's side of a ring. A copy, to be held in registers: what is read
/// through a ring itself is read again after each word that is written to guest memory.
#[derive(Clone, Copy)]
pub(super) struct Burst {
    pub(super) ram: Ram,
    size: u16,
    descriptors: Words<[AtomicU64; 2]>,
    avail_ring: Words<AtomicU16>,
}

impl Burst {
    /// Head of the chain at the entry `at`; `None`: out of the queue.
    #[inline(always)]
    pub(super) fn head(&self, at: u16) -> Option<u16> {
        let head = u16::from_le(self.avail_ring.at(at).load(Relaxed));
        (head < self.size).then_some(head)
    }

    /// The descriptor at `index` modulo the queue size, read once.
    #[inline(always)]
    pub(super) fn descriptor(&self, index: u16) -> Descriptor {
        Descriptor::read(self.descriptors.at(index))
    }

    /// The descriptor that follows `descriptor`; `None`: out of the queue.
    #[inline(always)]
    pub(super) fn next(&self, descriptor: &Descriptor) -> Option<Descriptor> {
        (descriptor.next < self.size).then(|| self.descriptor(descriptor.next))
    }

    /// Fetches descriptors that will be needed soon, once for the four of a cache line: a driver
    /// that gives them out in order has the next ones there. `left`: entries from `at` on that are
    /// there.
    #[inline(always)]
    pub(super) fn prefetch(&self, at: u16, left: u16) {
        if at.is_multiple_of(LINE) && AHEAD < left {
            let head = self.avail_ring.at(at.wrapping_add(AHEAD)).load(Relaxed);
            self.descriptors.prefetch(u16::from_le(head));
        }
    }

    /// Fetches the buffer that is written soon, as [`prefetch`](Self::prefetch) does descriptors: the driver had it
    /// last. `skip`: octets in front of what it looked at.
    #[inline(always)]
    pub(super) fn prefetch_buffer(&self, at: u16, left: u16, skip: u32) {
        if SOON < left {
            let head = self.avail_ring.at(at.wrapping_add(SOON)).load(Relaxed);
            let [addr, _] = self.descriptors.at(u16::from_le(head));
            let addr = u64::from_le(addr.load(Relaxed));
            self.ram.prefetch_to_write(addr.wrapping_add(skip.into()));
        }
    }

    /// Fetches the second descriptors of chains that will be needed soon, from the entry `from` behind `at` to `to`, one
    /// for the four of a cache line: their heads change rarely and are here.
    #[inline(always)]
    pub(super) fn prefetch_behind(&self, at: u16, from: u16, to: u16) {
        let mut ahead = from;
        while ahead < to {
            let head = self.avail_ring.at(at.wrapping_add(ahead)).load(Relaxed);
            let next = self.descriptor(u16::from_le(head)).next;
            self.descriptors.prefetch(next);
            ahead = ahead.wrapping_add(LINE);
        }
    }
}

/// What a burst fills of the used ring; a copy, as [`Burst`] is one.
#[derive(Clone, Copy)]
pub(super) struct Used {
    used_ring: Words<[AtomicU32; 2]>,
    next: u16,
}

impl Used {
    /// Fetches what will be filled a burst later than the entry `ahead`, once for the eight of a cache line: the driver
    /// read it a lap ago.
    #[inline(always)]
    pub(super) fn prefetch(&self, ahead: u16) {
        let at = self.next.wrapping_add(ahead);
        if at.is_multiple_of(USED_LINE) {
            self.used_ring.prefetch_to_write(at.wrapping_add(LATER));
        }
    }

    /// Fills the used entry `ahead` of the next one; it counts after [`Ring::give`].
    #[inline(always)]
    pub(super) fn fill(&self, ahead: u16, head: u16, len: u32) {
        let [id, octets] = self.used_ring.at(self.next.wrapping_add(ahead));
        id.store(u32::from(head).to_le(), Relaxed);
        octets.store(len.to_le(), Relaxed);
    }
}

/// Device side of one queue.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) ram: Ram,
    size: u16,
    pub(super) event_idx: bool,
    pub(super) words: Split,
    /// Next entry of the available ring to take.
    next_avail: Index,
    /// The driver's index as last looked at; `next_avail` to here may be taken.
    seen_avail: Index,
    /// Next entry of the used ring to fill.
    next_used: Index,
    /// `used.idx` as the driver may see it.
    pub(super) published: Index,
    /// `published` as of which the driver's wish for an interrupt is settled.
    pub(super) settled: Index,
    /// `next_avail` when `avail_event` was last written.
    pub(super) event_written: u16,
    /// A cell: a read through a shared reference may find the driver at fault too.
    broken: Cell<Option<QueueError>>,
}

impl Ring {
    /// Checks the layout and asks for no kicks.
    pub(super) fn new(ram: Ram, layout: &QueueLayout) -> Result<Self, QueueError> {
        let QueueLayout {
            size, event_idx, ..
        } = *layout;
        let mut ring = Ring {
            ram,
            size,
            event_idx,
            words: Split::new(&ram, layout)?,
            next_avail: Index::default(),
            seen_avail: Index::default(),
            next_used: Index::default(),
            published: Index::default(),
            settled: Index::default(),
            event_written: 0,
            broken: Cell::new(None),
        };
        ring.ask_kick(false);
        Ok(ring)
    }

    /// Descriptors of the queue.
    #[inline]
    pub(super) fn size(&self) -> u16 {
        self.size
    }

    /// Next entry of the available ring that will be taken.
    #[inline]
    pub(super) fn next_avail(&self) -> u16 {
        self.next_avail.get()
    }

    /// Entries taken and not yet given back.
    #[inline]
    pub(super) fn outstanding(&self) -> u16 {
        self.next_avail.since(self.next_used)
    }

    /// The error that broke this queue, if one did.
    #[inline]
    pub(super) fn intact(&self) -> Result<(), QueueError> {
        self.broken.get().map_or(Ok(()), Err)
    }

    /// Remembers `error`: the queue is broken from now on.
    #[cold]
    pub(super) fn fail(&self, error: QueueError) -> QueueError {
        let first = self.broken.get().unwrap_or(error);
        self.broken.set(Some(first));
        first
    }

    /// As [`fail`](Self::fail); nothing is left to be seen either.
    #[cold]
    pub(super) fn fail_blind(&mut self, error: QueueError) -> QueueError {
        self.seen_avail = self.next_avail;
        self.fail(error)
    }

    /// Looks at the driver's index. Returns how many entries may be taken.
    ///
    /// Taken and to be taken together never exceed the queue size: an honest driver has no more
    /// descriptors than that to give.
    #[inline]
    pub(super) fn look(&mut self) -> Result<u16, QueueError> {
        // Acquire: the entries and descriptors up to this index are read after it.
        let idx = u16::from_le(self.words.avail_idx.at(0).load(Acquire));
        let available = idx.wrapping_sub(self.next_avail.get());
        if u32::from(available) + u32::from(self.outstanding()) > u32::from(self.size) {
            return Err(self.fail(QueueError::AvailIndex {
                idx,
                next: self.next_avail.get(),
                outstanding: self.outstanding(),
                size: self.size,
            }));
        }
        self.seen_avail = Index::new(idx);
        self.renew_kick();
        Ok(available)
    }

    /// Entries that may be taken by the last look at the driver's index.
    #[inline]
    pub(super) fn seen(&self) -> u16 {
        self.seen_avail.since(self.next_avail)
    }

    /// Whether the driver's index has moved beyond what was taken (or says so).
    #[inline]
    pub(super) fn pending(&self) -> bool {
        u16::from_le(self.words.avail_idx.at(0).load(Acquire)) != self.next_avail.get()
    }

    /// Head of the chain `ahead` entries from the next one; only a claim.
    #[inline]
    pub(super) fn head(&self, ahead: u16) -> Result<u16, QueueError> {
        let head = self.head_unchecked(ahead);
        if head < self.size {
            Ok(head)
        } else {
            Err(QueueError::HeadIndex {
                head,
                size: self.size,
            })
        }
    }

    #[inline]
    fn head_unchecked(&self, ahead: u16) -> u16 {
        u16::from_le(
            self.words
                .avail_ring
                .at(self.next_avail.plus(ahead))
                .load(Relaxed),
        )
    }

    /// The descriptor at `index` modulo the queue size, read once.
    #[inline]
    pub(super) fn descriptor(&self, index: u16) -> Descriptor {
        Descriptor::read(self.words.descriptors.at(index))
    }

    /// What a burst reads.
    #[inline]
    pub(super) fn burst(&self) -> Burst {
        Burst {
            ram: self.ram,
            size: self.size,
            descriptors: self.words.descriptors,
            avail_ring: self.words.avail_ring,
        }
    }

    /// What a burst fills.
    #[inline]
    pub(super) fn used(&self) -> Used {
        Used {
            used_ring: self.words.used_ring,
            next: self.next_used.get(),
        }
    }

    /// Counts `entries` as taken; they must have been seen.
    #[inline]
    pub(super) fn take(&mut self, entries: u16) {
        self.next_avail.advance(entries);
    }

    /// Fills the used entry `ahead` of the next one; it counts after [`give`](Self::give).
    #[inline]
    pub(super) fn fill_used(&self, ahead: u16, head: u16, len: u32) {
        self.used().fill(ahead, head, len);
    }

    /// Counts `entries` used entries as filled; the driver sees them after `publish`.
    #[inline]
    pub(super) fn give(&mut self, entries: u16) {
        self.next_used.advance(entries);
    }

    /// Shows the driver all that was given: one store of `used.idx`.
    #[inline]
    pub(super) fn publish(&mut self) {
        let new = self.next_used.since(self.published);
        if new == 0 {
            return;
        }
        // Release: the buffers and used entries were written before it.
        self.words
            .used_idx
            .at(0)
            .store(self.next_used.get().to_le(), Release);
        self.published = self.next_used;
        self.after_publish(new);
    }
}
