//! Which descriptors are free, and what the driver knows of those in flight.
//!
//! Must never look at shared memory: the device cannot change what stands here.

use alloc::boxed::Box;

use crate::index::Index;

/// Descriptors of a cache line.
const LINE: u16 = 4;

/// A buffer in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Buffer {
    token: u32,
    /// Octets that the device may say it wrote: what was posted, 0 if it may only read.
    limit: u32,
}

/// The limit of a descriptor that is not in flight.
const FREE: u32 = u32::MAX;

/// One slot for each descriptor, and the free ones in the order in which they were freed.
///
/// First freed, first used: a device that uses buffers in order, as most do, then finds
/// descriptors in the order of memory, lap after lap, and its prefetcher with it. Last freed first
/// would also rewrite the very cache lines that the device is reading.
#[derive(Debug)]
pub(super) struct Tokens {
    slots: Box<[Buffer]>,
    /// A ring of as many entries as descriptors, a power of two.
    free: Box<[u16]>,
    /// Descriptors claimed and freed so far; the next to claim stands at `claimed`.
    claimed: Index,
    freed: Index,
}

impl Tokens {
    /// `size` must be a power of two, at most 32768.
    pub(super) fn new(size: u16) -> Self {
        let none = Buffer {
            token: 0,
            limit: FREE,
        };
        Tokens {
            slots: (0..size).map(|_| none).collect(),
            free: order(size).collect(),
            claimed: Index::default(),
            freed: Index::new(size),
        }
    }

    /// Descriptors free.
    #[inline]
    pub(super) fn free(&self) -> u16 {
        self.freed.since(self.claimed)
    }

    /// Where the ring of free ones has its entry `count`.
    #[inline]
    fn at(&self, count: u16) -> usize {
        usize::from(count) & (self.free.len().wrapping_sub(1))
    }

    /// The descriptor that [`claim`](Self::claim) would give.
    #[inline]
    pub(super) fn next_free(&self) -> Option<u16> {
        if self.free() == 0 {
            return None;
        }
        self.free.get(self.at(self.claimed.get())).copied()
    }

    /// For a run of claims, whose counter stays in a register.
    #[inline]
    pub(super) fn claims(&mut self) -> Claims<'_> {
        Claims {
            at: self.claimed.get(),
            left: self.free(),
            tokens: self,
        }
    }

    /// The token of what is in flight at `id`.
    #[inline]
    pub(super) fn peek(&self, id: u32) -> Option<u32> {
        let slot = self.slots.get(usize::try_from(id).ok()?)?;
        (slot.limit != FREE).then_some(slot.token)
    }

    /// For a run of releases, whose counter stays in a register.
    #[inline]
    pub(super) fn releases(&mut self) -> Releases<'_> {
        Releases {
            at: self.freed.get(),
            tokens: self,
        }
    }
}

/// All descriptors of a queue: the four of a cache line in a row, lines in an order that no prefetcher guesses. The
/// device's reads what was just posted, and would take the next lines away from the driver while it writes them.
fn order(size: u16) -> impl Iterator<Item = u16> {
    let each = size.clamp(1, LINE);
    let lines = size / each;
    // A full period of a power of two (Hull and Dobell).
    let next = move |line: &u16| Some(line.wrapping_mul(5).wrapping_add(3) % lines.max(1));
    let lines = core::iter::successors(Some(0), next).take(lines.into());
    lines.flat_map(move |line| line * each..(line + 1) * each)
}

/// Releases in a row; those made count when it is dropped.
pub(super) struct Releases<'a> {
    tokens: &'a mut Tokens,
    at: u16,
}

impl Releases<'_> {
    /// Frees `id`, of which the device says that it wrote `len` octets. Returns the token, and the
    /// octets written.
    ///
    /// # Errors
    ///
    /// Nothing is in flight at `id`, or fewer octets were posted; nothing changed.
    #[inline(always)]
    pub(super) fn release(&mut self, id: u32, len: u32) -> Result<(u32, u32), Refused> {
        let slot = self.tokens.slots.get_mut(id as usize);
        let slot = slot.ok_or(Refused::NotInFlight)?;
        let Buffer { token, limit } = *slot;
        if limit == FREE {
            return Err(Refused::NotInFlight);
        }
        // What the device may only read it did not write, whatever it says.
        if limit != 0 && len > limit {
            return Err(Refused::Longer { posted: limit });
        }
        slot.limit = FREE;
        // In flight are those claimed and not yet freed, so there is a place; and `id` is below
        // the queue size, so it fits.
        let at = self.tokens.at(self.at);
        if let Some(place) = self.tokens.free.get_mut(at) {
            *place = id as u16;
        }
        self.at = self.at.wrapping_add(1);
        Ok((token, len.min(limit)))
    }
}

impl Drop for Releases<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.tokens.freed = Index::new(self.at);
    }
}

/// Claims in a row; those made count when it is dropped.
pub(super) struct Claims<'a> {
    tokens: &'a mut Tokens,
    at: u16,
    left: u16,
}

impl Claims<'_> {
    /// Takes a free descriptor for a buffer.
    #[inline(always)]
    pub(super) fn claim(&mut self, token: u32, limit: u32) -> Option<u16> {
        if self.left == 0 {
            return None;
        }
        let id = *self.tokens.free.get(self.tokens.at(self.at))?;
        *self.tokens.slots.get_mut(usize::from(id))? = Buffer {
            token,
            limit: limit.min(FREE - 1),
        };
        self.at = self.at.wrapping_add(1);
        self.left -= 1;
        Some(id)
    }
}

impl Drop for Claims<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.tokens.claimed = Index::new(self.at);
    }
}

/// Why a descriptor was not freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is not in flight, or does not exist.
    NotInFlight,
    /// The device says that it wrote more than was posted.
    Longer { posted: u32 },
}
