//! A set of slots in one word, so that what a turn costs follows from the guests that are there and
//! not from how many there could be.

use pinode_classifier::MAX_PIS;

const _: () = assert!(MAX_PIS <= u32::BITS as usize, "a bit for each slot");

/// Slots, by bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotSet(u32);

impl SlotSet {
    /// Adds or takes away a slot. One beyond [`MAX_PIS`] is none.
    #[inline]
    pub fn set(&mut self, slot: usize, on: bool) {
        let bit = u32::try_from(slot)
            .ok()
            .and_then(|slot| 1u32.checked_shl(slot));
        let bit = bit.unwrap_or(0);
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }

    /// Adds a slot if `on`.
    #[inline]
    pub fn set_if(&mut self, slot: usize, on: bool) {
        if on {
            self.set(slot, true);
        }
    }

    /// Whether the slot is in it.
    #[inline]
    #[must_use]
    pub fn has(self, slot: usize) -> bool {
        self.0
            .checked_shr(u32::try_from(slot).unwrap_or(u32::MAX))
            .unwrap_or(0)
            & 1
            == 1
    }

    /// Whether no slot is in it.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first slot of it behind `last`, from the beginning again after the end.
    #[must_use]
    pub fn after(self, last: usize) -> Option<usize> {
        let behind = u32::try_from(last + 1).unwrap_or(u32::MAX);
        let later = Self(self.0 & u32::MAX.checked_shl(behind).unwrap_or(0));
        later.into_iter().next().or_else(|| self.into_iter().next())
    }

    /// The slots of either.
    #[inline]
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// As bits.
    #[inline]
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// From bits.
    #[inline]
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl IntoIterator for SlotSet {
    type Item = usize;
    type IntoIter = Slots;

    #[inline]
    fn into_iter(self) -> Slots {
        Slots(self.0)
    }
}

/// The slots of a [`SlotSet`], in order.
#[derive(Debug)]
pub struct Slots(u32);

impl Iterator for Slots {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_in_order_and_around() {
        let mut set = SlotSet::default();
        assert!(set.is_empty());
        assert_eq!(set.after(3), None);
        for slot in [31, 0, 7, 32, usize::MAX] {
            set.set(slot, true);
        }
        assert_eq!(set.into_iter().collect::<Vec<_>>(), [0, 7, 31]);
        let after = [0, 6, 7, 30, 31].map(|last| set.after(last));
        assert_eq!(after, [Some(7), Some(7), Some(31), Some(31), Some(0)]);
        set.set(7, false);
        assert_eq!(
            [0, 7, 31, 32].map(|s| set.has(s)),
            [true, false, true, false]
        );
    }
}
