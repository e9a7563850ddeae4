//! Classes of addresses: addresses of a class are in the same prefixes.
//!
//! The prefixes of a side cut all addresses into intervals, each of one class. Where an address belongs is found by
//! halving, in steps as many for all addresses, so that no branch depends on them and a processor looks up the next
//! ones meanwhile. A table of equal parts of the space in which the prefixes lie spares the first steps. Of few
//! intervals those that begin at the address or before are counted.
//!
//! Made once, never changed: must never be asked before [`Addresses::spread`] is done.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::hint::select_unpredictable;

use crate::packet::Fields;
use crate::prefix::{Prefix, mask};

/// Most parts of the table.
const PARTS: usize = 4096;
/// Parts that are filled and intervals that are passed in one go.
const GO: usize = 256;
/// So many intervals are few.
const FEW: usize = 4;
/// Intervals of a part that are looked up in a loop of their own, at most; so many beginnings can be read behind each.
const WINDOW: usize = 256;
/// Where there are more in a part, so many are left for that.
const CROWDED: usize = 32;

/// Where an interval begins.
trait Start: Copy + PartialOrd {
    const LAST: Self;

    /// The upper half of the address.
    fn high(self) -> u64;
}

impl Start for u64 {
    const LAST: Self = u64::MAX;

    #[inline(always)]
    fn high(self) -> u64 {
        self
    }
}

impl Start for u128 {
    const LAST: Self = u128::MAX;

    #[inline(always)]
    fn high(self) -> u64 {
        (self >> 64) as u64
    }
}

/// Where all intervals behind the first begin, if they are few, and the classes of all.
struct Few<K>([K; FEW - 1], [u16; FEW]);

/// The class of each address.
#[derive(Debug)]
pub(super) struct Addresses {
    /// Where intervals begin, in order; the first is 0. When the table is complete, the last address stands behind
    /// them [`WINDOW`] times.
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
        self.starts.try_reserve_exact(intervals + WINDOW)?;
        self.highs.try_reserve_exact(intervals + WINDOW)?;
        self.classes.try_reserve_exact(intervals)?;
        self.parts.try_reserve_exact(parts(intervals))
    }

    /// Octets of the heap for so many prefixes.
    pub fn octets(prefixes: usize) -> usize {
        let intervals = 2 * prefixes + 1;
        let start = size_of::<u128>() + size_of::<u64>();
        (intervals + WINDOW) * start + (intervals + parts(intervals)) * size_of::<u16>()
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
            self.starts.extend([u128::MAX; WINDOW]);
            self.highs.extend([u64::MAX; WINDOW]);
        }
        is_done
    }

    fn count(&mut self, intervals: usize) {
        self.most = self.most.max(intervals as u16);
    }

    /// Adds the class of each address of packets by `add`.
    #[inline(always)]
    pub fn each<T>(
        &self,
        packets: &[Fields],
        to: &mut [T],
        address: impl Fn(&Fields) -> u128,
        add: impl Fn(&mut T, u16),
    ) {
        if self.is_wide {
            self.each_of(&self.starts, packets, to, address, add);
        } else {
            let high = |packet: &Fields| (address(packet) >> 64) as u64;
            self.each_of(&self.highs, packets, to, high, add);
        }
    }

    /// Likewise: a loop for each number of steps, in which they are known.
    #[inline(always)]
    fn each_of<K: Start, T>(
        &self,
        starts: &[K],
        packets: &[Fields],
        to: &mut [T],
        key: impl Fn(&Fields) -> K,
        add: impl Fn(&mut T, u16),
    ) {
        if let Some(Few(few, classes)) = self.few(starts) {
            for (to, packet) in to.iter_mut().zip(packets) {
                let key = key(packet);
                let at = few.iter().map(|start| usize::from(*start <= key));
                add(to, classes[at.sum::<usize>() % FEW]);
            }
            return;
        }
        match self.step {
            0..=1 => self.halve::<K, 2, T>(starts, packets, to, key, add),
            2 => self.halve::<K, 4, T>(starts, packets, to, key, add),
            4 => self.halve::<K, 8, T>(starts, packets, to, key, add),
            8 => self.halve::<K, 16, T>(starts, packets, to, key, add),
            16 => self.halve::<K, 32, T>(starts, packets, to, key, add),
            32 => self.halve::<K, 64, T>(starts, packets, to, key, add),
            64 => self.halve::<K, 128, T>(starts, packets, to, key, add),
            128 => self.halve::<K, WINDOW, T>(starts, packets, to, key, add),
            _ => self.halve::<K, CROWDED, T>(starts, packets, to, key, add),
        }
    }

    #[inline(always)]
    fn halve<K: Start, const MOST: usize, T>(
        &self,
        starts: &[K],
        packets: &[Fields],
        to: &mut [T],
        key: impl Fn(&Fields) -> K,
        add: impl Fn(&mut T, u16),
    ) {
        for (to, packet) in to.iter_mut().zip(packets) {
            add(to, self.class::<K, MOST>(starts, key(packet)));
        }
    }

    /// All intervals, if they are few.
    #[inline(always)]
    fn few<K: Start>(&self, starts: &[K]) -> Option<Few<K>> {
        let last = *self.classes.last()?;
        if self.classes.len() > FEW {
            return None;
        }
        // What is not there begins at the last address, which is of the last class.
        let mut few = Few([K::LAST; FEW - 1], [last; FEW]);
        for (few, start) in few.0.iter_mut().zip(starts.get(1..self.classes.len())?) {
            *few = *start;
        }
        for (few, class) in few.1.iter_mut().zip(&self.classes) {
            *few = *class;
        }
        Some(few)
    }

    /// The class of an address: that of the last interval that begins at it or before, by halving `MOST` of them,
    /// from the one in which the part begins. A step is a selection without a branch, as either half is as likely.
    #[inline(always)]
    fn class<K: Start, const MOST: usize>(&self, starts: &[K], key: K) -> u16 {
        let mut at = usize::from(self.part(key.high()));
        if MOST == CROWDED {
            let mut step = usize::from(self.step);
            while step >= CROWDED {
                let middle = at.wrapping_add(step);
                let is_before = starts.get(middle).is_some_and(|start| *start <= key);
                at = select_unpredictable(is_before & (middle < self.classes.len()), middle, at);
                step /= 2;
            }
        }
        let window = starts.get(at..at.wrapping_add(MOST));
        let window = window.and_then(<[K]>::first_chunk::<MOST>);
        let Some(window) = window else { return 0 };
        let (mut within, mut step) = (0, MOST / 2);
        while step > 0 {
            let middle = within | step;
            within = select_unpredictable(window[middle % MOST] <= key, middle, within);
            step /= 2;
        }
        let class = self.classes.get(at.wrapping_add(within));
        // The last address may seem to be behind all intervals.
        class.or(self.classes.last()).copied().unwrap_or(0)
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

    /// Asks for all addresses that begin intervals, those beside them, and `addresses`.
    fn compare(intervals: &BTreeMap<u128, u16>, addresses: Vec<u128>) {
        let made = made(intervals);
        let near =
            { intervals.keys() }.flat_map(|at| [*at, at.wrapping_sub(1), at.wrapping_add(1)]);
        for address in near.chain([0, u128::MAX]).chain(addresses) {
            let last = intervals.range(..=address).next_back();
            let expected = last.map_or(0, |(_, class)| *class);
            assert_eq!(class(&made, address), expected, "{address:x}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_of_the_interval_that_begins_before_it(
            intervals in proptest::collection::btree_map(address(), 0u16..9, 1..600),
            addresses in proptest::collection::vec(address(), 1..50),
        ) {
            compare(&intervals, addresses);
        }

        /// Few, which are counted.
        #[test]
        fn likewise_of_few_intervals(
            intervals in proptest::collection::btree_map(address(), 0u16..9, 1..7),
            addresses in proptest::collection::vec(address(), 1..50),
        ) {
            compare(&intervals, addresses.clone());
            let upper = intervals.iter().map(|(at, class)| (at >> 64 << 64, *class)).collect();
            compare(&upper, addresses);
        }

        /// Crowds of each size in one part, which upper halves tell.
        #[test]
        fn likewise_where_intervals_crowd(
            bits in 0u32..10,
            base in any::<u64>(),
            gap in 1u64..1 << 20,
            addresses in proptest::collection::vec(address(), 1..50),
        ) {
            let crowd = (0..1u64 << bits).map(|n| base.wrapping_add(n * gap));
            let all = crowd.chain([0, 1 << 20, u64::MAX - (1 << 60)]);
            let intervals = all.map(|high| (u128::from(high) << 64, (high % 7) as u16)).collect();
            compare(&intervals, addresses);
        }
    }
}
