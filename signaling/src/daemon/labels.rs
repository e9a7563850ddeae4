//! Labels of one link: which are in use, and which is next for a connection that begins here.
//!
//! Each side of a link takes labels of its own parity, so that two connections that are set up at once from both
//! ends never choose the same. A label that was let go of is taken again as late as can be: what is still under way
//! for its last connection must not reach the next.

use alloc::collections::BTreeSet;

/// Lowest label that is no special-purpose one (RFC 7274 2.1).
pub const LEAST: u32 = 16;
/// Highest label: 20 bits (RFC 3032 2.1).
pub const MOST: u32 = (1 << 20) - 1;

/// The labels in use on a link, of all its virtual networks.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    used: BTreeSet<(u8, u32)>,
    /// The label that was taken last.
    last: u32,
}

impl Labels {
    /// None in use; the first that is taken follows from a random number.
    #[must_use]
    pub fn beginning_at(random: u64) -> Self {
        let count = u64::from(MOST - LEAST + 1);
        Self {
            used: BTreeSet::new(),
            // Below 2^20.
            last: LEAST + (random % count) as u32,
        }
    }

    /// Takes a label of this parity; none: all are in use.
    pub fn take(&mut self, vn: u8, odd: bool) -> Option<u32> {
        let parity = u32::from(odd);
        // The next of this parity behind the last one, round and round.
        let first = LEAST + parity;
        let count = (MOST - first) / 2 + 1;
        let from = self.last.saturating_sub(first) / 2 + u32::from(self.last >= first);
        let label = (0..count)
            .map(|step| first + 2 * ((from + step) % count))
            .find(|label| !self.used.contains(&(vn, *label)))?;
        self.used.insert((vn, label));
        self.last = label;
        Some(label)
    }

    /// Takes this label, which the other side has chosen; false: it is in use, out of range, or not of the other
    /// side's parity.
    pub fn accept(&mut self, vn: u8, label: u32, odd: bool) -> bool {
        (LEAST..=MOST).contains(&label)
            && label % 2 == u32::from(odd)
            && self.used.insert((vn, label))
    }

    /// Lets go of a label.
    pub fn free(&mut self, vn: u8, label: u32) {
        self.used.remove(&(vn, label));
    }

    /// How many are in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether none is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_never_choose_the_same() {
        let mut labels = Labels::default();
        assert_eq!(labels.take(0, false), Some(16));
        assert_eq!(labels.take(0, false), Some(18));
        assert_eq!(labels.take(0, true), Some(19));
        assert!(labels.accept(0, 17, true));
        assert!(!labels.accept(0, 17, true), "in use");
        assert!(!labels.accept(0, 21, false), "not of its parity");
        assert!(!labels.accept(0, 14, false), "special-purpose");
        assert!(!labels.accept(0, MOST + 1, false), "out of range");
        assert!(labels.accept(1, 17, true), "another network");
        assert_eq!(labels.len(), 5);
    }

    #[test]
    fn a_label_is_used_again_as_late_as_can_be() {
        let mut labels = Labels::default();
        let mut seen = BTreeSet::new();
        for _ in 0..(MOST - LEAST).div_ceil(2) {
            let label = labels.take(0, true).unwrap();
            assert!(seen.insert(label));
            assert_eq!(label % 2, 1);
            labels.free(0, label);
        }
        assert_eq!(labels.take(0, true), Some(17));
    }

    #[test]
    fn when_all_are_in_use_there_is_none() {
        let mut labels = Labels::default();
        let mut count = 0;
        while let Some(label) = labels.take(3, false) {
            assert!((LEAST..=MOST).contains(&label));
            count += 1;
        }
        assert_eq!(count, (MOST - LEAST).div_ceil(2));
        labels.free(3, 4000);
        assert_eq!(labels.take(3, false), Some(4000));
    }
}
