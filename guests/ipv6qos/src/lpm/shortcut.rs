//! Shortcuts past the first 32 bits: a hash table of what a walk down along them comes to. Most of a large table is below
//! such a point, and the walk there has most of the steps and of the waiting in it.
//!
//! A copy, never the truth: an address without a shortcut is looked up from the root. So what finds no room, or no
//! memory, is left out, and the table grows and shrinks bucket by bucket (linear hashing) with the changes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Lpm;
use super::entry::{Entry, Next};
use super::pool::boxed;
use crate::prefix::{Prefix, mask};
use crate::vn::Vn;

/// Bits of the address that a shortcut goes past.
pub(super) const BITS: u8 = 32;
/// Shortest prefix whose value is in shortcuts: such a one is in as many of them as there are ways to go on to [`BITS`].
const SHORTEST: u8 = 29;
/// Shortcuts of a bucket.
const WAYS: usize = 4;
/// Buckets of a segment.
const BUCKETS: usize = 256;
/// In a key: there is a shortcut.
const THERE: u64 = 1 << 63;

/// A cache line of shortcuts.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Bucket {
    keys: [u64; WAYS],
    entries: [Entry; WAYS],
}

impl Bucket {
    /// Without shortcuts.
    pub(super) const EMPTY: Self = Bucket {
        keys: [0; WAYS],
        entries: [Entry::EMPTY; WAYS],
    };

    /// The shortcut of this key; [`Entry::EMPTY`]: there is none here.
    #[inline(always)]
    pub(super) fn find(&self, key: u64) -> Entry {
        let mut found = Entry::EMPTY;
        for (there, entry) in self.keys.iter().zip(&self.entries) {
            found = if *there == key { *entry } else { found };
        }
        found
    }

    /// Puts a shortcut in, in the place of the old one; tells whether there was room.
    fn put(&mut self, key: u64, entry: Entry) -> bool {
        let place = self.keys.iter().position(|there| *there == key);
        match place.or_else(|| self.keys.iter().position(|there| *there == 0)) {
            Some(place) => {
                (self.keys[place], self.entries[place]) = (key, entry);
                true
            }
            None => false,
        }
    }
}

/// The key of an address in a routing instance.
#[inline(always)]
pub(super) fn key(vn: Vn, address: u128) -> u64 {
    THERE | u64::from(vn.get()) << 32 | (address >> 96) as u64
}

#[inline(always)]
fn hash(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

/// All shortcuts.
#[derive(Debug, Default)]
pub(super) struct Shortcuts {
    segments: Vec<Box<[Bucket; BUCKETS]>>,
    /// Buckets in use.
    buckets: usize,
    /// Ones less than the power of two that is not below it.
    ones: usize,
    count: usize,
}

impl Shortcuts {
    /// Shortcuts there are.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The bucket that a key is in, if it is anywhere.
    #[inline(always)]
    pub(super) fn bucket(&self, key: u64) -> Option<&Bucket> {
        let at = self.place(key);
        Some(&self.segments.get(at / BUCKETS)?[at % BUCKETS])
    }

    #[inline(always)]
    fn place(&self, key: u64) -> usize {
        let at = hash(key) & self.ones;
        if at < self.buckets {
            at
        } else {
            at & (self.ones >> 1)
        }
    }

    fn bucket_mut(&mut self, at: usize) -> Option<&mut Bucket> {
        Some(&mut self.segments.get_mut(at / BUCKETS)?[at % BUCKETS])
    }

    /// Sets a shortcut, or takes it out (empty).
    fn set(&mut self, key: u64, entry: Entry) {
        let before = self
            .bucket(key)
            .is_some_and(|bucket| bucket.keys.contains(&key));
        if entry == Entry::EMPTY {
            let at = self.place(key);
            if before && let Some(bucket) = self.bucket_mut(at) {
                for (there, entry) in bucket.keys.iter_mut().zip(&mut bucket.entries) {
                    if *there == key {
                        (*there, *entry) = (0, Entry::EMPTY);
                    }
                }
                self.count -= 1;
                self.shrink();
            }
            return;
        }
        if !before {
            self.grow();
        }
        let at = self.place(key);
        if let Some(bucket) = self.bucket_mut(at) {
            let put = bucket.put(key, entry);
            self.count += usize::from(put && !before);
        }
    }

    fn resize(&mut self, buckets: usize) {
        self.buckets = buckets;
        self.ones = buckets.next_power_of_two() - 1;
    }

    /// Splits a bucket if there are three shortcuts to two buckets.
    fn grow(&mut self) {
        if self.buckets * 3 > self.count * 2 {
            return;
        }
        let new = self.buckets;
        if new == self.segments.len() * BUCKETS {
            let memory = self.segments.try_reserve(1).is_ok();
            match boxed(Bucket::EMPTY) {
                Ok(segment) if memory => self.segments.push(segment),
                _ => return,
            }
        }
        let old = self.place_of_pair(new);
        self.resize(new + 1);
        let Some(bucket) = self.bucket_mut(old).filter(|_| new != 0) else {
            return;
        };
        let moved = core::mem::replace(bucket, Bucket::EMPTY);
        self.put_again(moved);
    }

    /// Joins two buckets if there are three shortcuts to four buckets.
    fn shrink(&mut self) {
        if self.count == 0 {
            *self = Self::default();
            return;
        }
        if self.buckets < 2 || self.buckets * 3 < self.count * 4 {
            return;
        }
        let last = self.buckets - 1;
        let Some(bucket) = self.bucket_mut(last) else {
            return;
        };
        let moved = core::mem::replace(bucket, Bucket::EMPTY);
        self.resize(last);
        self.put_again(moved);
        // One is kept, as with nodes.
        if self.segments.len() * BUCKETS >= self.buckets + 2 * BUCKETS {
            self.segments.pop();
        }
    }

    fn place_of_pair(&self, new: usize) -> usize {
        new & !(1 << new.checked_ilog2().unwrap_or(0))
    }

    fn put_again(&mut self, moved: Bucket) {
        for (key, entry) in moved.keys.into_iter().zip(moved.entries) {
            let at = self.place(key);
            if key != 0
                && !self
                    .bucket_mut(at)
                    .is_some_and(|bucket| bucket.put(key, entry))
            {
                self.count -= 1;
            }
        }
    }

    /// Memory held, octets.
    pub(super) fn octets(&self) -> usize {
        self.segments.len() * size_of::<[Bucket; BUCKETS]>()
            + self.segments.capacity() * size_of::<usize>()
    }
}

impl Lpm {
    /// Sets the shortcuts anew that a change of `prefix` can have changed: 8 at most.
    pub(super) fn set_shortcuts(&mut self, vn: Vn, prefix: Prefix) {
        if prefix.length() < SHORTEST {
            return;
        }
        let ways = 1_u128 << BITS.saturating_sub(prefix.length());
        for way in 0..ways {
            let address = prefix.bits() | way << (128 - BITS);
            let entry = self.shortcut(vn, address);
            self.shortcuts.set(key(vn, address), entry);
        }
    }

    /// What a walk down along the first bits of `address` comes to: the value of the longest prefix that is not too
    /// short to be in shortcuts, and where to go on.
    fn shortcut(&self, vn: Vn, address: u128) -> Entry {
        let address = address & mask(BITS);
        let mut value = Entry::EMPTY;
        let mut next = self.roots[vn.index()].next();
        loop {
            match next {
                Next::Node(node) if node.depth < BITS => {
                    let slot = node.slot(address);
                    for length in (node.depth + 1..=node.end()).filter(|at| *at >= SHORTEST) {
                        let at = (node.slots() | slot) >> (node.end() - length);
                        if let (found, true) = self.nodes.value(node, at) {
                            value = Entry::of_value(found);
                        }
                    }
                    next = self.nodes.fringe(node, slot).next();
                }
                Next::Nothing | Next::Node(_) => return value.with_next(next),
                Next::Jump(index) => {
                    let Some(jump) = self.jumps.at(index) else {
                        return value;
                    };
                    let common = Prefix::of(jump.bits, jump.length.min(BITS));
                    if !common.contains(address) {
                        return value;
                    }
                    if jump.length > BITS {
                        return value.with_next(next);
                    }
                    next = jump.entry.next();
                    if next == Next::Nothing {
                        return if jump.length < SHORTEST {
                            value
                        } else {
                            jump.entry
                        };
                    }
                }
            }
        }
    }
}
