//! Classes of addresses: addresses of a class are in the same prefixes.
//!
//! The prefixes of a side cut all addresses into intervals, each of one class. Where an address belongs is found by
//! halving, in steps as many for all addresses, so that those of a burst are looked up side by side and no branch
//! depends on them. A table of equal parts of the space in which the prefixes lie spares the first steps.
//!
//! Made once, never changed: must never be asked before [`Addresses::spread`] is done.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use pinode_guest_runtime::BURST;

use crate::packet::Fields;
use crate::prefix::{Prefix, mask};

/// Most parts of the table.
const PARTS: usize = 4096;
/// Parts that are filled and intervals that are passed in one go.
const GO: usize = 256;

/// The class of each address.
#[derive(Debug)]
pub(super) struct Addresses {
    /// Where intervals begin, in order; the first is 0.
    starts: Vec<u128>,
    /// The upper halves of these.
    highs: Vec<u64>,
    /// The class of each interval.
    classes: Vec<u16>,
    /// Whether the upper half of an address does not tell its interval.
    is_wide: bool,
    /// The interval in which each part begins.
    parts: Vec<u16>,
    /// How far intervals were passed for these.
    passed: u16,
    /// Where the first part begins: upper half.
    base: u64,
    /// Bits by which numbers of parts are less than upper halves.
    shift: u32,
    /// The first step; 0: none.
    step: u16,
    /// Most intervals that begin in a part.
    most: u16,
}

impl Addresses {
    pub const fn new() -> Self {
        Addresses {
            starts: Vec::new(),
            highs: Vec::new(),
            classes: Vec::new(),
            is_wide: false,
            parts: Vec::new(),
            passed: 0,
            base: 0,
            shift: 0,
            step: 0,
            most: 0,
        }
    }

    /// Makes room for so many prefixes.
    pub fn prepare(&mut self, prefixes: usize) -> Result<(), TryReserveError> {
        self.clear();
        let intervals = 2 * prefixes + 1;
        self.starts.try_reserve_exact(intervals)?;
        self.highs.try_reserve_exact(intervals)?;
        self.classes.try_reserve_exact(intervals)?;
        self.parts.try_reserve_exact(parts(intervals))
    }

    /// Octets of the heap for so many prefixes.
    pub fn octets(prefixes: usize) -> usize {
        let intervals = 2 * prefixes + 1;
        let interval = size_of::<u128>() + size_of::<u64>() + size_of::<u16>();
        intervals * interval + parts(intervals) * size_of::<u16>()
    }

    pub fn clear(&mut self) {
        self.starts.clear();
        self.highs.clear();
        self.classes.clear();
        self.parts.clear();
        (self.is_wide, self.step, self.most, self.passed) = (false, 0, 0, 0);
    }

    /// Addresses from `prefix` on are of `class`. Called in the order of addresses; of prefixes that begin alike the
    /// last counts.
    pub fn enter(&mut self, prefix: Prefix, class: u16) {
        self.begin(prefix.bits(), class);
    }

    /// Addresses behind `prefix` are of `class`, likewise.
    pub fn leave(&mut self, prefix: Prefix, class: u16) {
        let last = prefix.bits() | !mask(prefix.length());
        if let Some(behind) = last.checked_add(1) {
            self.begin(behind, class);
        }
    }

    fn begin(&mut self, at: u128, class: u16) {
        if self.starts.is_empty() && at > 0 {
            self.push(0, 0);
        }
        if self.starts.last() == Some(&at) {
            self.classes.pop();
            self.classes.push(class);
        } else if self.classes.last() != Some(&class) {
            self.push(at, class);
        }
    }

    fn push(&mut self, at: u128, class: u16) {
        let high = (at >> 64) as u64;
        self.is_wide |= at as u64 != 0;
        self.starts.push(at);
        self.highs.push(high);
        self.classes.push(class);
    }

    /// Works on the table when all prefixes are there; whether it is complete.
    pub fn spread(&mut self) -> bool {
        if self.parts.is_empty() {
            self.base = self.highs.get(1).copied().unwrap_or(0);
            let last = self.highs.last().copied().unwrap_or(0);
            let span = last.saturating_sub(self.base);
            let bits = parts(self.highs.len()).trailing_zeros();
            self.shift = (u64::BITS - span.leading_zeros()).saturating_sub(bits);
        }
        let all = parts(self.highs.len());
        for _ in 0..GO {
            let part = self.parts.len();
            if part == all {
                break;
            }
            let high = u128::from(self.base) + ((part as u128) << self.shift);
            let begin = match u64::try_from(high) {
                // The first part begins before all.
                _ if part == 0 => 0,
                Ok(high) => u128::from(high) << 64,
                Err(_) => u128::MAX,
            };
            let next = usize::from(self.passed) + 1;
            if self.starts.get(next).is_some_and(|start| *start <= begin) {
                // Intervals are fewer than 2^14: two for each rule, and one.
                self.passed += 1;
            } else {
                let before = self.parts.last().copied().unwrap_or(0);
                self.count(usize::from(self.passed - before));
                self.parts.push(self.passed);
            }
        }
        let is_done = self.parts.len() == all;
        if is_done {
            // The last has no end.
            let behind = usize::from(self.passed) + 1;
            self.count(self.starts.len().saturating_sub(behind));
            self.step = (self.most + 1).next_power_of_two() / 2;
        }
        is_done
    }

    fn count(&mut self, intervals: usize) {
        self.most = self.most.max(intervals as u16);
    }

    /// Adds the class of each address of a burst by `add`.
    #[inline(always)]
    pub fn each<T>(
        &self,
        packets: &[Fields],
        to: &mut [T],
        address: impl Fn(&Fields) -> u128,
        add: impl Fn(&mut T, u16),
    ) {
        let mut at = [0u32; BURST];
        for (at, packet) in at.iter_mut().zip(packets) {
            *at = u32::from(self.part((address(packet) >> 64) as u64));
        }
        if self.is_wide {
            self.halve(&self.starts, packets, address, &mut at);
        } else {
            let high = |packet: &Fields| (address(packet) >> 64) as u64;
            self.halve(&self.highs, packets, high, &mut at);
        }
        for (to, at) in to.iter_mut().zip(at) {
            add(to, self.classes.get(at as usize).copied().unwrap_or(0));
        }
    }

    /// From the interval in which the part begins to the last one that begins at the address or before: a step of
    /// all before the next. A step is taken by a shift: compilers make a branch of a selection here, and one that
    /// goes either way as often.
    #[inline(always)]
    fn halve<K: Copy + PartialOrd>(
        &self,
        starts: &[K],
        packets: &[Fields],
        key: impl Fn(&Fields) -> K,
        at: &mut [u32; BURST],
    ) {
        // The first step is a power of two, or there is none.
        let steps = u16::BITS - self.step.leading_zeros();
        for bits in (0..steps).rev() {
            let step = 1 << (bits & 15);
            for (at, packet) in at.iter_mut().zip(packets) {
                if let Some(start) = starts.get((at.wrapping_add(step)) as usize) {
                    *at = at.wrapping_add(u32::from(*start <= key(packet)) << (bits & 15));
                }
            }
        }
    }

    #[inline(always)]
    fn part(&self, high: u64) -> u16 {
        let part = high.saturating_sub(self.base) >> (self.shift & 63);
        let last = self.parts.len().saturating_sub(1);
        let part = part.min(last as u64) as usize;
        self.parts.get(part).copied().unwrap_or(0)
    }
}

/// Parts for so many intervals: a power of two.
fn parts(intervals: usize) -> usize {
    (2 * intervals).next_power_of_two().min(PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vn::{InterfaceId, Vn};
    use pinode_guest_runtime::VifIndex;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Addresses at both ends of the space, and near each other.
    fn address() -> impl Strategy<Value = u128> {
        let edge = prop_oneof![
            Just(0u128),
            Just(u128::MAX),
            Just(0x2001_0db8 << 96),
            any::<u128>()
        ];
        (edge, any::<u8>(), any::<u8>()).prop_map(|(edge, low, shift)| {
            let near = u128::from(low).rotate_left(u32::from(shift));
            edge ^ near
        })
    }

    fn packet(source: u128) -> Fields {
        let mut header = [0; 40];
        header[8..24].copy_from_slice(&source.to_be_bytes());
        Fields::read(&header, InterfaceId::new(VifIndex(0), Vn::default()), false)
    }

    /// The class of each address that begins an interval.
    fn made(intervals: &BTreeMap<u128, u16>) -> Addresses {
        let mut made = Addresses::new();
        made.prepare(intervals.len()).unwrap();
        for (at, class) in intervals {
            made.begin(*at, *class);
        }
        while !made.spread() {}
        made
    }

    fn class(made: &Addresses, address: u128) -> u16 {
        let mut class = [u16::MAX];
        made.each(
            &[packet(address)],
            &mut class,
            |p| p.source,
            |to, is| *to = is,
        );
        class[0]
    }

    proptest! {
        #[test]
        fn an_address_is_of_the_interval_that_begins_before_it(
            intervals in proptest::collection::btree_map(address(), 0u16..9, 1..600),
            addresses in proptest::collection::vec(address(), 1..50),
        ) {
            let made = made(&intervals);
            let near = intervals.keys().flat_map(|at| [*at, at.wrapping_sub(1), at.wrapping_add(1)]);
            for address in near.chain(addresses) {
                let expected = intervals.range(..=address).next_back().map_or(0, |(_, class)| *class);
                prop_assert_eq!(class(&made, address), expected);
            }
        }
    }
}
