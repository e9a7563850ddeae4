//! What was found for classes before.
//!
//! Packets of the same classes match the same rules, whatever their addresses and ports are: what is found once is
//! remembered by its classes. The key is all of them, so that what is remembered is never another's.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use super::Key;
use pinode_guest_runtime::prefetch::prefetch;

/// Sets of two.
const SETS: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    /// Generation in the upper 48 bits, what was found in the lower 16.
    found: u64,
}

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Set([Entry; 2]);

/// What was found.
#[derive(Debug)]
pub(in super::super) struct Memo {
    sets: Vec<Set>,
    /// Entries of others are forgotten. Not 0: that is no entry.
    generation: u64,
}

impl Memo {
    /// Octets of the heap.
    pub const OCTETS: usize = SETS * size_of::<Set>();

    pub const fn new() -> Self {
        Memo {
            sets: Vec::new(),
            generation: 1,
        }
    }

    /// Makes room.
    pub fn prepare(&mut self) -> Result<(), TryReserveError> {
        if self.sets.is_empty() {
            self.sets.try_reserve_exact(SETS)?;
            let none = Entry {
                key: Key::default(),
                found: 0,
            };
            self.sets.resize(SETS, Set([none; 2]));
        }
        Ok(())
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.generation += 1;
    }

    /// Where `key` is or will be; it is looked at soon.
    #[inline]
    pub fn place(&self, key: &Key) -> u16 {
        let place = (key.hash() >> 52) as u16;
        prefetch(&self.sets, usize::from(place));
        place
    }

    /// What was found for `key`, whose place this is.
    #[inline]
    pub fn get(&self, place: u16, key: &Key) -> Option<u16> {
        let Set([first, second]) = self.sets.get(usize::from(place))?;
        let is = |entry: &Entry| entry.key == *key && entry.found >> 16 == self.generation;
        let entry = if is(first) {
            first
        } else if is(second) {
            second
        } else {
            return None;
        };
        // The lower 16 bits.
        Some(entry.found as u16)
    }

    /// Remembers what was found for `key`, whose place this is, instead of the older of two.
    pub fn put(&mut self, place: u16, key: &Key, found: u16) {
        if let Some(Set([first, second])) = self.sets.get_mut(usize::from(place)) {
            *second = core::mem::replace(
                first,
                Entry {
                    key: *key,
                    found: self.generation << 16 | u64::from(found),
                },
            );
        }
    }
}
