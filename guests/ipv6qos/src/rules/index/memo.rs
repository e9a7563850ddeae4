//! What was found for classes before.
//!
//! Packets of the same classes match the same rules, whatever their addresses and ports are: what is found once is
//! remembered by its classes. All of them count, so that what is remembered is never another's.
//!
//! A [`Mark`] tells the classes apart, and half of it says where: the rest and what was found are one word. Of
//! classes so many that no mark tells them apart, the [`Key`] is kept, in four words.
//!
//! An index has its own; it is made empty while the index is built.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use super::{Found, Key};
use crate::rules::{MAX_RULES, SLOTS};

/// Pairs of entries, a power of two.
const PAIRS: usize = 1 << PAIR_BITS;
const PAIR_BITS: u32 = 13;
/// Bits of what is found; a mark has as many zeros.
const FOUND_BITS: u32 = 15;
const _: () = assert!(SLOTS * MAX_RULES < 1 << FOUND_BITS);
/// Bits of a mark that tell classes apart.
pub(super) const MARK_BITS: u32 = PAIR_BITS + u64::BITS - FOUND_BITS - 1;
/// Pairs that are emptied in one go.
const GO: usize = 512;

/// Nothing was found yet: not what is found, whatever the mark.
const EMPTY: u64 = u64::MAX;

/// Two entries for the marks of one place.
#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
struct Pair([u64; 2]);

/// What tells the classes of packets apart: the lowest bits, [`MARK_BITS`] below the highest, are zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    /// A number below `1 << MARK_BITS`, of which a multiple of [`Self::FACTOR`] was made, for each another.
    #[inline(always)]
    pub fn of(product: u64) -> Self {
        Mark(product)
    }

    /// Odd, so that no two products are alike, and moved to the highest bits, which are the best of a product.
    pub const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15 << (u64::BITS - MARK_BITS);

    /// Where it is: the highest bits, mixed with others that are kept.
    #[inline(always)]
    fn place(self) -> usize {
        ((self.0 >> (u64::BITS - PAIR_BITS)) ^ (self.0 >> 20)) as usize % PAIRS
    }

    /// What is kept of it: all but the highest bits.
    #[inline(always)]
    fn rest(self) -> u64 {
        self.0 << PAIR_BITS
    }
}

/// What was found.
#[derive(Debug)]
pub(super) struct Memo {
    pairs: Vec<Pair>,
}

impl Memo {
    /// Octets of the heap.
    pub const OCTETS: usize = PAIRS * size_of::<Pair>();

    pub const fn new() -> Self {
        Memo { pairs: Vec::new() }
    }

    /// Makes room; what is there is forgotten.
    pub fn prepare(&mut self) -> Result<(), TryReserveError> {
        self.pairs.clear();
        self.pairs.try_reserve_exact(PAIRS)
    }

    /// Forgets what is there, to be [emptied](Self::empty).
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Works on making it empty; whether it is. There is room.
    pub fn empty(&mut self) -> bool {
        let pairs = (self.pairs.len() + GO).min(PAIRS);
        self.pairs.resize(pairs, Pair([EMPTY; 2]));
        pairs == PAIRS
    }

    /// What was found for classes of this mark.
    #[inline(always)]
    pub fn get(&self, mark: Mark) -> Option<Found> {
        let Pair([first, second]) = self.pairs.get(mark.place())?;
        let is = |entry: u64| entry ^ mark.rest();
        // What differs is what was found, or another mark is there, or none.
        let found = if is(*first) >> FOUND_BITS == 0 {
            is(*first)
        } else {
            is(*second)
        };
        (found >> FOUND_BITS == 0).then_some(found as Found)
    }

    /// Remembers what was found for classes of this mark, instead of the older of two.
    pub fn put(&mut self, mark: Mark, found: Found) {
        debug_assert!(found >> FOUND_BITS == 0, "{found}");
        if let Some(Pair([first, second])) = self.pairs.get_mut(mark.place()) {
            *second = core::mem::replace(first, mark.rest() | u64::from(found));
        }
    }

    /// What was found for classes that no mark tells apart. A memo is asked by marks or by keys, never by both.
    pub fn get_by_key(&self, key: &Key) -> Option<Found> {
        let at = Self::at(key);
        let [a, b, c, d] = self.pairs.get(at..at + 4)? else {
            return None;
        };
        let found = |front: &Pair, back: &Pair| {
            let is = front.0 == [key.0[0], key.0[1]] && back.0[0] == key.0[2];
            is.then(|| Found::try_from(back.0[1]).ok()).flatten()
        };
        found(a, b).or_else(|| found(c, d))
    }

    /// Remembers what was found for them, instead of the older of two.
    pub fn put_by_key(&mut self, key: &Key, found: Found) {
        let at = Self::at(key);
        if let Some([a, b, c, d]) = self.pairs.get_mut(at..at + 4) {
            (*c, *d) = (*a, *b);
            *a = Pair([key.0[0], key.0[1]]);
            *b = Pair([key.0[2], u64::from(found)]);
        }
    }

    /// The first of four pairs.
    fn at(key: &Key) -> usize {
        (key.hash() >> (u64::BITS - PAIR_BITS)) as usize & !3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn memo() -> Memo {
        let mut memo = Memo::new();
        memo.prepare().unwrap();
        while !memo.empty() {}
        memo
    }

    proptest! {
        /// Numbers that differ in any bits, high ones and neighbours, many more than there is room for: whatever is
        /// remembered is what was put.
        #[test]
        fn what_is_remembered_is_never_anothers(
            numbers in proptest::collection::vec((0u64..1 << MARK_BITS, 0..MARK_BITS), 1..200),
            step in any::<u64>(),
        ) {
            let mut memo = memo();
            let mut put = HashMap::new();
            let of = |number: u64| Mark::of(number.wrapping_mul(Mark::FACTOR));
            for (number, bit) in numbers {
                for near in 0..200u64 {
                    let number = (number ^ 1 << bit).wrapping_add(near.wrapping_mul(step));
                    let number = number % (1 << MARK_BITS);
                    if let Some(found) = memo.get(of(number)) {
                        prop_assert_eq!(Some(&found), put.get(&number));
                    }
                    let found = (number ^ near) as Found % (1 << FOUND_BITS);
                    memo.put(of(number), found);
                    put.insert(number, found);
                    prop_assert_eq!(memo.get(of(number)), Some(found));
                }
            }
        }

        #[test]
        fn what_is_remembered_by_keys_is_never_anothers(
            keys in proptest::collection::vec((0u64..3, 0u64..3, 0u64..3, 0u16..9), 1..200),
        ) {
            let mut memo = memo();
            let mut put = HashMap::new();
            for (a, b, c, found) in keys {
                let key = Key([a, b << 40, c << 20]);
                if let Some(found) = memo.get_by_key(&key) {
                    prop_assert_eq!(Some(&found), put.get(&(a, b, c)));
                }
                memo.put_by_key(&key, found);
                put.insert((a, b, c), found);
                prop_assert_eq!(memo.get_by_key(&key), Some(found));
            }
        }
    }

    /// Classes of two fields, as many as there are entries for half of: most are remembered.
    #[test]
    fn neighbours_are_remembered_side_by_side() {
        for stride in [1, 2, 100, 1001, 1 << 20, 1_000_003, (1 << 40) + 1] {
            let mut memo = memo();
            let of = |number: u64| Mark::of(number.wrapping_mul(Mark::FACTOR));
            let numbers = || (0..64 * 64).map(|n| (n % 64) + (n / 64) * 64 * stride);
            numbers().for_each(|number| memo.put(of(number), 1));
            let kept = numbers().filter(|number| memo.get(of(*number)).is_some());
            let kept = kept.count();
            assert!(kept > 3500, "{kept} with a stride of {stride}");
        }
    }
}
