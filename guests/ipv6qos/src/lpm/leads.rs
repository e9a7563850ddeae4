//! How many prefixes there are below a point, by length: what its word is made of.

use alloc::vec::Vec;

use super::OutOfMemory;

/// Prefixes below a point, by how many bits longer they are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lead {
    /// 1 to 16 bits longer. A count that has come to its end stays there: a length too many is tried then, and
    /// nothing is missed.
    lengths: [u16; 16],
    /// Longer than that.
    deeper: u32,
}

impl Lead {
    /// Counts a prefix `by` bits longer than the point in (`change` is 1) or out (-1).
    pub(super) fn count(&mut self, by: u8, change: i32) {
        match self.lengths.get_mut(usize::from(by.wrapping_sub(1))) {
            Some(&mut u16::MAX) => {}
            // Fits: 1 or -1.
            Some(count) => *count = count.saturating_add_signed(change as i16),
            None => self.deeper = self.deeper.saturating_add_signed(change),
        }
    }

    /// Bit n: some are n + 1 bits longer.
    pub(super) fn lengths(&self) -> u16 {
        let bits = (0u16..).zip(&self.lengths);
        bits.fold(0, |all, (bit, count)| all | u16::from(*count != 0) << bit)
    }

    /// Whether some are longer than that.
    pub(super) fn is_deeper(&self) -> bool {
        self.deeper != 0
    }
}

/// Leads by number; 0 is none's.
#[derive(Debug, Default)]
pub(super) struct Leads {
    all: Vec<Lead>,
    free: Vec<u32>,
}

impl Leads {
    /// Makes room for `more`.
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let more = more.saturating_sub(self.free.len());
        // A freed number never finds its list full.
        let total = self.all.len() + more;
        let enough = self.all.try_reserve(more).is_ok()
            && self
                .free
                .try_reserve(total.saturating_sub(self.free.len()))
                .is_ok();
        if enough { Ok(()) } else { Err(OutOfMemory) }
    }

    /// A fresh one; room was reserved.
    pub(super) fn make(&mut self) -> u32 {
        if let Some(number) = self.free.pop() {
            return number;
        }
        self.all.push(Lead::default());
        // Fits: memory for more there is not.
        self.all.len() as u32
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Lead> {
        self.all.get_mut((number as usize).wrapping_sub(1))
    }

    /// Gives one back that counts nothing.
    pub(super) fn give_back(&mut self, number: u32) {
        self.free.push(number);
    }

    /// Octets of so many.
    pub(super) fn memory(leads: usize) -> usize {
        leads * (size_of::<Lead>() + size_of::<u32>())
    }

    pub(super) fn octets(&self) -> usize {
        self.all.capacity() * size_of::<Lead>() + self.free.capacity() * size_of::<u32>()
    }
}
