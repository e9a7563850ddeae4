//! Look-ups: one, and those of a burst step by step, so that the memory they wait for comes side by side.
//!
//! What differs from address to address (how far points lead, which length matches) decides which addresses
//! take the next step, not which instructions do: no branch depends on it.

use super::table::{FarKey, Key as _, NEAR, NearKey, SHORT, ShortKey};
use super::tops;
use super::word::Word;
use super::{Lpm, STEP};
use crate::vn::Vn;

/// Addresses that are looked up side by side.
pub(super) const LANES: usize = 64;

/// An address on its way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lane {
    pub(super) high: u64,
    /// Lengths to be tried: bit n is length n + 1.
    lengths: u64,
    /// What is looked up next.
    key: ShortKey,
    /// Where that begins.
    home: u32,
    pub(super) value: u32,
    pub(super) vn: Vn,
    /// Its number in the burst.
    pub(super) at: u8,
    /// Whether the last point led further down than the next.
    is_deep: bool,
    /// Whether there are prefixes longer than [`NEAR`] below its first 64 bits.
    pub(super) is_far: bool,
}

impl Lane {
    /// Whether there is something left to look at.
    #[inline(always)]
    pub(super) fn is_unfinished(&self) -> bool {
        self.is_deep | (self.lengths != 0)
    }

    /// Passes the point at `length` bits, whose word is this.
    #[inline(always)]
    fn pass(&mut self, length: u8, word: Word) {
        // This length is known now, and with a value so is that nothing shorter counts.
        self.take(length, word.value());
        let more = if length < NEAR {
            u64::from(word.lengths()) << (length % NEAR)
        } else {
            0
        };
        self.lengths |= more;
        self.is_deep = word.is_deeper();
    }

    /// The longest length that was left has this value, or none. By masks: nobody can predict which.
    #[inline(always)]
    fn take(&mut self, length: u8, value: u32) {
        let found = u32::from(value != 0).wrapping_neg();
        self.value = value | self.value & !found;
        let left = self.lengths & !(1 << (length - 1));
        self.lengths = left & !(u64::from(value != 0).wrapping_neg());
    }
}

/// Addresses that are not done yet.
pub(super) struct Lanes {
    pub(super) lanes: [Lane; LANES],
    pub(super) count: usize,
}

impl Lanes {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Lanes {
            lanes: [Lane::default(); LANES],
            count: 0,
        }
    }

    /// Adds an address if `wanted`, without a branch.
    #[inline(always)]
    pub(super) fn add_if(&mut self, wanted: bool, lane: Lane) {
        if let Some(place) = self.lanes.get_mut(self.count) {
            *place = lane;
        }
        self.count += usize::from(wanted);
    }
}

/// Numbers of lanes.
pub(super) struct Some64 {
    lanes: [u8; LANES],
    pub(super) count: usize,
}

impl Some64 {
    pub(super) const NONE: Self = Some64 {
        lanes: [0; LANES],
        count: 0,
    };

    /// Adds a lane if `wanted`, without a branch.
    #[inline(always)]
    pub(super) fn add_if(&mut self, wanted: bool, lane: u8) {
        if let Some(place) = self.lanes.get_mut(self.count) {
            *place = lane;
        }
        self.count += usize::from(wanted);
    }

    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.lanes.get(..self.count).unwrap_or(&self.lanes)
    }
}

impl Lpm {
    /// Value of the longest prefix of `vn` that `address` is in; 0: there is none. For bursts see
    /// [`Lpm::lookup_burst`].
    pub fn lookup(&self, vn: Vn, address: u128) -> u32 {
        let mut lane = self.lane(vn, address);
        if lane.is_deep {
            for length in [32, 48] {
                let key = ShortKey::new(vn, lane.high, length);
                let word = self.short.find(key, Word::of(vn, length).tag());
                lane.pass(length, word);
                if !lane.is_deep {
                    break;
                }
            }
            if lane.is_deep {
                self.pass_near(&mut lane);
            }
        }
        while lane.lengths != 0 {
            let length = longest(lane.lengths);
            let tag = Word::of(vn, length).tag();
            let word = if length > SHORT {
                self.near.find(NearKey::new(lane.high, length), tag)
            } else {
                self.short.find(ShortKey::new(vn, lane.high, length), tag)
            };
            lane.take(length, word.value());
        }
        self.finished(&lane, address)
    }

    /// The same for each of `keys`, into the place of the same number in `values`, which is not shorter.
    pub fn lookup_burst(&self, keys: &[(Vn, u128)], values: &mut [u32]) {
        for (keys, values) in keys.chunks(LANES).zip(values.chunks_mut(LANES)) {
            if let [(vn, address)] = keys {
                values.fill(self.lookup(*vn, *address));
            } else {
                let mut some = Lanes::new();
                self.begin(keys, values, &mut some);
                self.lookup_lanes(&mut some, keys, values);
            }
        }
    }

    /// An address behind its first 16 bits.
    #[inline(always)]
    pub(super) fn lane(&self, vn: Vn, address: u128) -> Lane {
        let high = (address >> 64) as u64;
        let root = self.roots[vn.index()];
        let mut lane = Lane {
            high,
            lengths: u64::from(root.lengths()),
            value: root.value(),
            vn,
            ..Lane::default()
        };
        lane.pass(tops::BITS, self.tops.word(vn, high));
        lane
    }

    /// The first 16 bits of all: those that are done with them take no lane.
    #[inline(always)]
    fn begin(&self, keys: &[(Vn, u128)], values: &mut [u32], some: &mut Lanes) {
        for ((at, (vn, address)), value) in (0u8..).zip(keys).zip(values.iter_mut()) {
            let lane = Lane {
                at,
                ..self.lane(*vn, *address)
            };
            *value = lane.value;
            some.add_if(lane.is_unfinished(), lane);
        }
    }

    #[inline(always)]
    pub(super) fn lookup_lanes(&self, some: &mut Lanes, keys: &[(Vn, u128)], values: &mut [u32]) {
        let Lanes { lanes, count } = some;
        let mut deep = Some64::NONE;
        for (number, lane) in (0u8..).zip(lanes.iter()).take(*count) {
            deep.add_if(lane.is_deep, number);
        }
        let is_far = self.descend(lanes, deep);
        self.try_lengths(lanes, *count);
        for lane in lanes.iter().take(*count) {
            let key = keys.get(usize::from(lane.at));
            if let (Some((_, address)), Some(value)) = (key, values.get_mut(usize::from(lane.at))) {
                *value = if is_far {
                    self.finished(lane, *address)
                } else {
                    lane.value
                };
            }
        }
    }

    /// Follows the points down; tells whether any has prefixes longer than [`NEAR`] below it.
    #[inline(always)]
    fn descend(&self, lanes: &mut [Lane; LANES], mut deep: Some64) -> bool {
        let mut length = tops::BITS + STEP;
        while deep.count > 0 && length < NEAR {
            for number in deep.as_slice() {
                let lane = &mut lanes[usize::from(*number) % LANES];
                lane.key = ShortKey::new(lane.vn, lane.high, length);
                lane.home = self.short.approach(lane.key, Word::NONE);
            }
            let mut deeper = Some64::NONE;
            for number in deep.as_slice() {
                let lane = &mut lanes[usize::from(*number) % LANES];
                let word = self.short.find_at(lane.home, lane.key, Word::NONE);
                lane.pass(length, word);
                deeper.add_if(lane.is_deep, *number);
            }
            deep = deeper;
            length += STEP;
        }
        let mut is_far = false;
        for number in deep.as_slice() {
            let lane = &mut lanes[usize::from(*number) % LANES];
            let tag = Word::of(lane.vn, NEAR).tag();
            lane.home = self.near.approach(NearKey::new(lane.high, NEAR), tag);
        }
        for number in deep.as_slice() {
            let lane = &mut lanes[usize::from(*number) % LANES];
            self.pass_near(lane);
            is_far |= lane.is_far;
        }
        is_far
    }

    /// Passes the point at 64 bits.
    #[inline(always)]
    fn pass_near(&self, lane: &mut Lane) {
        let tag = Word::of(lane.vn, NEAR).tag();
        let word = self.near.find(NearKey::new(lane.high, NEAR), tag);
        lane.pass(NEAR, word);
        lane.is_far = word.is_deeper() | (word.lengths() != 0);
    }

    /// Tries the lengths that are left, the longest first.
    #[inline(always)]
    fn try_lengths(&self, lanes: &mut [Lane; LANES], count: usize) {
        let mut left = Some64::NONE;
        for (number, lane) in (0u8..).zip(lanes.iter_mut()).take(count) {
            while lane.lengths >> SHORT != 0 {
                let length = longest(lane.lengths);
                let tag = Word::of(lane.vn, length).tag();
                let word = self.near.find(NearKey::new(lane.high, length), tag);
                lane.take(length, word.value());
            }
            left.add_if(lane.lengths != 0, number);
        }
        while left.count > 0 {
            for number in left.as_slice() {
                let lane = &mut lanes[usize::from(*number) % LANES];
                lane.key = ShortKey::new(lane.vn, lane.high, longest(lane.lengths));
                lane.home = self.short.approach(lane.key, Word::NONE);
            }
            let mut again = Some64::NONE;
            for number in left.as_slice() {
                let lane = &mut lanes[usize::from(*number) % LANES];
                let word = self.short.find_at(lane.home, lane.key, Word::NONE);
                lane.take(longest(lane.lengths), word.value());
                again.add_if(lane.lengths != 0, *number);
            }
            left = again;
        }
    }

    /// The value of an address that nothing is left to be tried of but prefixes longer than [`NEAR`].
    #[inline(always)]
    fn finished(&self, lane: &Lane, address: u128) -> u32 {
        let far = if lane.is_far {
            self.far_lookup(lane.vn, address)
        } else {
            0
        };
        if far != 0 { far } else { lane.value }
    }

    /// The longest prefix beyond [`NEAR`] that the address is in; 0: none. From the point at [`NEAR`] down.
    #[cold]
    fn far_lookup(&self, vn: Vn, address: u128) -> u32 {
        let near = self
            .near
            .find(NearKey::of(vn, address, NEAR), Word::of(vn, NEAR).tag());
        let mut ways = [(NEAR, near.lengths()); 4];
        let (mut point, mut depth) = (near, 0);
        let mut length = NEAR;
        while point.is_deeper() && depth < 3 {
            length += STEP;
            point = self
                .far
                .find(FarKey::of(vn, address, length), Word::of(vn, length).tag());
            depth += 1;
            ways[depth] = (length, point.lengths());
        }
        for (base, lengths) in ways.iter().take(depth + 1).rev() {
            let mut lengths = *lengths;
            while lengths != 0 {
                let by = 16 - lengths.leading_zeros() as u8;
                lengths &= !(1 << (by - 1));
                let length = base + by;
                let tag = Word::of(vn, length).tag();
                let value = self.far.find(FarKey::of(vn, address, length), tag).value();
                if value != 0 {
                    return value;
                }
            }
        }
        0
    }
}

/// The longest length in a set that is not empty.
#[inline(always)]
fn longest(lengths: u64) -> u8 {
    (u32::from(NEAR) - lengths.leading_zeros()).max(1) as u8
}
