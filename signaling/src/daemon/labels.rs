//! Labels of one link: which are in use, and which is next for a connection that begins here.
//!
//! Each side of a link takes labels of its own parity, so that two connections that are set up at once from both
//! ends never choose the same. Labels are taken in turn out of a range that grows when all of it is in use: one that
//! was let go of is taken again late, as what is still under way for its last connection must not reach the next, and
//! those in use lie close together, as switches have tables in blocks.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::RangeInclusive;

/// Lowest label that is no special-purpose one (RFC 7274 2.1).
pub const LEAST: u32 = 16;
/// Highest label: 20 bits (RFC 3032 2.1).
pub const MOST: u32 = (1 << 20) - 1;

/// Labels of a side that are taken in turn at first: sixteen blocks of 1,024 of both sides.
const RANGE: u32 = 8_192;

/// The labels in use on a link, of all its virtual networks.
#[derive(Debug, Clone)]
pub struct Labels {
    used: BTreeSet<(u8, u32)>,
    /// Those that are another's, by network and first label: the last.
    kept: BTreeMap<(u8, u32), u32>,
    /// Where the range begins: how many labels of this side are below it.
    base: u32,
    /// Labels of the range.
    range: u32,
    /// The place in the range that is next.
    next: u32,
}

impl Labels {
    /// None in use; where the range begins follows from a random number.
    #[must_use]
    pub fn beginning_at(random: u64) -> Self {
        Self {
            used: BTreeSet::new(),
            kept: BTreeMap::new(),
            // Below 2^20, and taken round its end.
            base: (random % u64::from(MOST)) as u32,
            range: RANGE,
            next: 0,
        }
    }

    /// Keeps labels that are another's, for ever: none of them is taken or accepted, or counted as in use.
    pub fn keep(&mut self, vn: u8, labels: RangeInclusive<u32>) {
        let (mut first, mut last) = labels.into_inner();
        // Ranges that lie in each other become one.
        while let Some((&(_, its_first), &its_last)) = self
            .kept
            .range((vn, 0)..=(vn, last))
            .next_back()
            .filter(|(_, its_last)| **its_last >= first)
        {
            self.kept.remove(&(vn, its_first));
            (first, last) = (first.min(its_first), last.max(its_last));
        }
        self.kept.insert((vn, first), last);
    }

    /// Whether a label is neither in use nor another's.
    #[must_use]
    pub fn is_free(&self, vn: u8, label: u32) -> bool {
        let kept = self.kept.range((vn, 0)..=(vn, label)).next_back();
        kept.is_none_or(|(_, last)| *last < label) && !self.used.contains(&(vn, label))
    }

    /// Takes a label of this parity; none: all are in use.
    pub fn take(&mut self, vn: u8, odd: bool) -> Option<u32> {
        let first = LEAST + u32::from(odd);
        let count = (MOST - first) / 2 + 1;
        loop {
            let range = self.range.min(count);
            let free = (0..range)
                .map(|step| (self.next + step) % range)
                .map(|place| (place, first + 2 * ((self.base + place) % count)))
                .find(|(_, label)| self.is_free(vn, *label));
            if let Some((place, label)) = free {
                self.next = (place + 1) % range;
                self.used.insert((vn, label));
                return Some(label);
            }
            if range == count {
                return None;
            }
            // What is new comes first.
            self.next = range;
            self.range = 2 * range;
        }
    }

    /// Takes this label, which the other side has chosen; false: it is in use, another's, out of range, or not of the other
    /// side's parity.
    pub fn accept(&mut self, vn: u8, label: u32, odd: bool) -> bool {
        (LEAST..=MOST).contains(&label)
            && label % 2 == u32::from(odd)
            && self.is_free(vn, label)
            && self.used.insert((vn, label))
    }

    /// Takes this label for who neither calls nor is called by the other side of the link, whatever its parity; false:
    /// it is in use, another's, or out of range.
    pub fn hold(&mut self, vn: u8, label: u32) -> bool {
        (LEAST..=MOST).contains(&label) && self.is_free(vn, label) && self.used.insert((vn, label))
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
        let mut labels = Labels::beginning_at(0);
        assert_eq!(labels.take(0, false), Some(16));
        assert_eq!(labels.take(0, false), Some(18));
        assert_eq!(labels.take(0, true), Some(21));
        assert!(labels.accept(0, 17, true));
        assert!(!labels.accept(0, 17, true), "in use");
        assert!(!labels.accept(0, 21, false), "not of its parity");
        assert!(!labels.accept(0, 14, false), "special-purpose");
        assert!(!labels.accept(0, MOST + 1, false), "out of range");
        assert!(labels.accept(1, 17, true), "another network");
        assert_eq!(labels.len(), 5);
    }

    #[test]
    fn labels_of_others_are_never_taken() {
        let mut labels = Labels::beginning_at(0);
        labels.keep(0, 20..=21);
        labels.keep(0, 18..=20);
        labels.keep(0, 18..=18);
        labels.keep(1, 16..=MOST);
        assert_eq!(labels.take(0, false), Some(16));
        assert_eq!(labels.take(0, false), Some(22));
        assert_eq!(labels.take(0, true), Some(25));
        assert!(!labels.accept(0, 21, true));
        assert!(labels.accept(0, 17, true));
        for another in [18, 21] {
            assert!(!labels.hold(0, another), "nor held");
        }
        assert_eq!(labels.take(1, true), None);
        assert!(!labels.accept(1, 4_000, false));
        assert_eq!(labels.len(), 4, "those of others do not count");
        labels.free(0, 21);
        assert!(!labels.accept(0, 21, true), "and are not let go of");
    }

    #[test]
    fn a_label_is_used_again_late() {
        for random in [0, 7, u64::from(MOST) - 1, u64::MAX] {
            let mut labels = Labels::beginning_at(random);
            let mut seen = Vec::new();
            for _ in 0..RANGE {
                let label = labels.take(0, true).unwrap();
                assert!((LEAST..=MOST).contains(&label) && label % 2 == 1);
                seen.push(label);
                labels.free(0, label);
            }
            assert_eq!(labels.take(0, true), seen.first().copied());
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), RANGE as usize);
        }
    }

    #[test]
    fn labels_in_use_lie_close_together_however_many_come_and_go() {
        let mut labels = Labels::beginning_at(1_000_000);
        let mut kept = BTreeSet::new();
        for call in 0..300_000 {
            let label = labels.take(0, false).unwrap();
            if call % 1_000 == 0 {
                kept.insert(label / 1_024);
            } else {
                labels.free(0, label);
            }
        }
        assert_eq!(labels.len(), 300);
        // Sixteen blocks, and one more where the range begins within one.
        assert!(kept.len() <= 18, "{} blocks", kept.len());
    }

    #[test]
    fn when_all_are_in_use_there_is_none() {
        let mut labels = Labels::beginning_at(12);
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
