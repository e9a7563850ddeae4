//! Which descriptors are free, and what the driver knows of those in flight.
//!
//! Must never look at shared memory: the device cannot change what stands here.

use alloc::vec::Vec;

/// A buffer in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffer {
    pub(super) token: u32,
    /// Octets posted.
    pub(super) len: u32,
    /// The device may write it.
    pub(super) device_writes: bool,
}

/// One slot for each descriptor, and the stack of free ones: the last freed goes out first, its
/// descriptor is the likeliest to be in the cache.
#[derive(Debug)]
pub(super) struct Tokens {
    slots: Vec<Option<Buffer>>,
    free: Vec<u16>,
}

impl Tokens {
    pub(super) fn new(size: u16) -> Self {
        Tokens {
            slots: (0..size).map(|_| None).collect(),
            // Descriptor 0 first.
            free: (0..size).rev().collect(),
        }
    }

    /// Descriptors free.
    #[inline]
    pub(super) fn free(&self) -> u16 {
        // At most the queue size.
        self.free.len() as u16
    }

    /// The descriptor that [`claim`](Self::claim) would give.
    #[inline]
    pub(super) fn next_free(&self) -> Option<u16> {
        self.free.last().copied()
    }

    /// Takes a free descriptor for `buffer`.
    #[inline]
    pub(super) fn claim(&mut self, buffer: Buffer) -> Option<u16> {
        let id = self.free.pop()?;
        *self.slots.get_mut(usize::from(id))? = Some(buffer);
        Some(id)
    }

    /// The buffer in flight at `id`, if one is.
    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&Buffer> {
        self.slots.get(usize::try_from(id).ok()?)?.as_ref()
    }

    /// Frees `id`, if it was in flight.
    #[inline]
    pub(super) fn release(&mut self, id: u16) {
        if self
            .slots
            .get_mut(usize::from(id))
            .is_some_and(|slot| slot.take().is_some())
        {
            // Never grows: `id` was claimed from here.
            self.free.push(id);
        }
    }
}
