//! What a class counts in the mark of a packet's classes.
//!
//! The classes of all fields are the digits of one number, each field with its own base: so no two combinations are
//! alike, as long as all of them fit in a mark.

use super::field::FIELDS;
use super::memo::{MARK_BITS, Mark};

/// Fields: two addresses, and numbers.
pub(super) const ALL: usize = 2 + FIELDS.len();

/// What class 1 of each field counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub fields: [u64; ALL],
    /// Of the first table that rules name; the next one counts twice as much, and so on.
    pub tables: u64,
}

impl Weights {
    /// For fields of so many classes and so many tables; none: they are too many for a mark.
    pub fn of(classes: [usize; ALL], tables: usize) -> Option<Self> {
        let mut all = 1u64;
        let fields = classes.map(|classes| {
            let weight = all;
            // As good as too many.
            all = all.saturating_mul(classes.max(1) as u64);
            weight.wrapping_mul(Mark::FACTOR)
        });
        let tables_most = 1u64.checked_shl(tables as u32)?;
        let fits = all.checked_mul(tables_most)? <= 1 << MARK_BITS;
        fits.then_some(Weights {
            fields,
            tables: all.wrapping_mul(Mark::FACTOR),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_combinations_are_alike() {
        let classes = [3, 2, 1, 5, 1, 4, 0, 2];
        let weights = Weights::of(classes, 3).unwrap();
        let mut seen = HashSet::new();
        let digits = classes.map(|classes| classes.max(1) as u64);
        let all: u64 = digits.iter().product::<u64>() * 8;
        for number in 0..all {
            let (mut left, mut mark) = (number, 0u64);
            for (base, weight) in digits.iter().zip(weights.fields) {
                mark = mark.wrapping_add((left % base).wrapping_mul(weight));
                left /= base;
            }
            for table in 0..3 {
                mark = mark.wrapping_add((left >> table & 1) * (weights.tables << table));
            }
            assert!(seen.insert(mark));
        }
    }

    #[test]
    fn too_many_are_told() {
        let wide = |bits: usize| [1 << bits, 1 << 16, 1 << 14, 1, 1, 1, 1, 1];
        assert_eq!(MARK_BITS, 61);
        assert!(Weights::of(wide(14), 17).is_some());
        assert!(Weights::of(wide(15), 17).is_none());
        assert!(Weights::of(wide(14), 64).is_none());
        assert!(Weights::of([1 << 16; ALL], 0).is_none());
    }
}
