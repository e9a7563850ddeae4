//! Walks one descriptor chain (VIRTIO 1.2, 2.7.5).
//!
//! Yields segments that lie in RAM and have the right direction. Must never follow more than the
//! budget it was given, whatever loop the driver built, and never trust a descriptor twice: each
//! is read once.

use super::ring::{Descriptor, Ring};
use crate::error::QueueError;
use crate::layout::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE};

/// Most descriptors that one frame may take, on receive over all its buffers (and never more than
/// the queue size). The standard allows chains of the queue size (2.7.5.1.1); a network frame
/// needs few, Linux at most 19, and a driver must not buy work of the device for nothing.
pub const MAX_SEGMENTS: u16 = 20;

/// A piece of a buffer that was found to lie in RAM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) addr: u64,
    pub(super) len: u32,
}

/// Descriptors that may still be followed for one frame.
pub(super) struct Budget {
    left: u16,
    limit: u16,
}

impl Budget {
    pub(super) fn new(ring: &Ring) -> Self {
        let limit = ring.size().min(MAX_SEGMENTS);
        Budget { left: limit, limit }
    }

    /// Descriptors followed so far.
    pub(super) fn spent(&self) -> u16 {
        self.limit - self.left
    }
}

/// Which way the buffers of a queue go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The device writes (receiveq).
    Writes,
    /// The device reads (transmitq).
    Reads,
}

/// A chain part of the way.
pub(super) struct Chain<'ring> {
    ring: &'ring Ring,
    direction: Direction,
    head: u16,
    next: Option<u16>,
}

impl<'ring> Chain<'ring> {
    /// The chain of `head`, which must be below the queue size.
    pub(super) fn new(ring: &'ring Ring, head: u16, direction: Direction) -> Self {
        Chain {
            ring,
            direction,
            head,
            next: Some(head),
        }
    }

    /// The next segment, `None` at the end.
    pub(super) fn next(&mut self, budget: &mut Budget) -> Result<Option<Segment>, QueueError> {
        let Some(index) = self.next else {
            return Ok(None);
        };
        if budget.left == 0 {
            return Err(QueueError::ChainTooLong {
                head: self.head,
                limit: budget.limit,
            });
        }
        budget.left -= 1;
        let descriptor = self.ring.descriptor(index);
        let segment = check(self.ring, self.head, &descriptor, self.direction)?;
        self.next = (descriptor.flags & DESC_F_NEXT != 0).then_some(descriptor.next);
        Ok(Some(segment))
    }
}

/// Checks a descriptor that was read; the result no longer depends on guest memory.
#[inline]
pub(super) fn check(
    ring: &Ring,
    head: u16,
    descriptor: &Descriptor,
    direction: Direction,
) -> Result<Segment, QueueError> {
    let Descriptor {
        addr,
        len,
        flags,
        next,
    } = *descriptor;
    if flags & DESC_F_INDIRECT != 0 {
        return Err(QueueError::Indirect { head });
    }
    let writable = flags & DESC_F_WRITE != 0;
    if writable != (direction == Direction::Writes) {
        return Err(QueueError::Direction { head, writable });
    }
    if flags & DESC_F_NEXT != 0 && next >= ring.size() {
        return Err(QueueError::NextIndex {
            head,
            next,
            size: ring.size(),
        });
    }
    let ram = ring.ram.len();
    if addr > ram || u64::from(len) > ram - addr {
        return Err(QueueError::BufferOutside {
            head,
            addr,
            len: u64::from(len),
            ram,
        });
    }
    Ok(Segment { addr, len })
}
