//! Hash tables of prefixes, by how wide their keys are: up to /52, up to /64, longer.
//!
//! A bucket is a cache line. What finds its bucket full lies in one of the next, and the bucket counts it, so that a
//! look-up goes on only where there is something to find. Entries stay where they are until the table grows.

use alloc::vec::Vec;

use super::OutOfMemory;
use super::word::Word;
use crate::prefix::mask;
use crate::vn::Vn;
use pinode_guest_runtime::unsafe_prefetch::prefetch;

/// Buckets behind a full one in which its entries may lie: so many in a row are never full at these shares, but for
/// one table in some billions.
const RUN: usize = 64;
/// Largest share of the places that is used, in eighths, with `N` of them in a bucket.
const fn fill<const N: usize>() -> usize {
    if N < 4 { 4 } else { 5 }
}

/// Longest prefix whose key has room for what tells it from others.
pub(super) const SHORT: u8 = 52;
/// Longest prefix whose key has 64 bits.
pub(super) const NEAR: u8 = 64;

/// What an entry is found by.
pub(super) trait Key: Copy + Eq + Default {
    /// Whether virtual network and length are in the key, and words need not be asked for them.
    const IS_WHOLE: bool;

    /// The key of `address`'s prefix of this length.
    fn of(vn: Vn, address: u128, length: u8) -> Self;

    /// All of it in 64 bits, of which the high ones are well mixed, with `tag` where that is not in it.
    fn mix(self, tag: Word) -> u64;
}

const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// For each length the bits that a prefix of it has of the first 64.
const MASKS: [u64; 65] = {
    let mut masks = [0; 65];
    let mut length = 1;
    while length < 65 {
        masks[length] = u64::MAX << (64 - length);
        length += 1;
    }
    masks
};

#[inline(always)]
fn masked(high: u64, length: u8) -> u64 {
    high & MASKS.get(usize::from(length)).copied().unwrap_or(0)
}

/// Of prefixes up to [`SHORT`]: their bits, and in the low 12 virtual network and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ShortKey(u64);

impl ShortKey {
    #[inline(always)]
    pub(super) fn new(vn: Vn, high: u64, length: u8) -> Self {
        ShortKey(masked(high, length) | u64::from(vn.get()) << 7 | u64::from(length))
    }
}

impl Key for ShortKey {
    const IS_WHOLE: bool = true;

    fn of(vn: Vn, address: u128, length: u8) -> Self {
        Self::new(vn, (address >> 64) as u64, length)
    }

    #[inline(always)]
    fn mix(self, _: Word) -> u64 {
        fold(self.0, MIX)
    }
}

/// Of prefixes up to [`NEAR`]: their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NearKey(u64);

impl NearKey {
    #[inline(always)]
    pub(super) fn new(high: u64, length: u8) -> Self {
        NearKey(masked(high, length))
    }
}

impl Key for NearKey {
    const IS_WHOLE: bool = false;

    fn of(_: Vn, address: u128, length: u8) -> Self {
        Self::new((address >> 64) as u64, length)
    }

    #[inline(always)]
    fn mix(self, tag: Word) -> u64 {
        fold(self.0 ^ tag.mixed(), MIX)
    }
}

/// Of longer prefixes: their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FarKey(u128);

impl Key for FarKey {
    const IS_WHOLE: bool = false;

    #[inline(always)]
    fn of(_: Vn, address: u128, length: u8) -> Self {
        FarKey(address & mask(length))
    }

    #[inline(always)]
    fn mix(self, tag: Word) -> u64 {
        let (high, low) = ((self.0 >> 64) as u64, self.0 as u64);
        fold(high ^ tag.mixed(), MIX) ^ fold(low ^ MIX, 0xd6e8_feb8_6659_fd93)
    }
}

/// A cache line of entries. The first word counts what lies elsewhere, entry or not.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Bucket<K, const N: usize> {
    keys: [K; N],
    words: [Word; N],
}

impl<K: Key, const N: usize> Bucket<K, N> {
    fn empty() -> Self {
        Bucket {
            keys: [K::default(); N],
            words: [Word::NONE; N],
        }
    }

    /// The word of this key; [`Word::NONE`] if it is not here.
    #[inline(always)]
    fn find(&self, key: K, tag: Word) -> Word {
        // By masks: which of them it is nobody can predict. A place without an entry has a key that no entry has, or
        // a word that is none.
        let mut found = Word::NONE;
        for (there, word) in self.keys.iter().zip(&self.words) {
            let same = (*there == key) & (K::IS_WHOLE | word.has_tag(tag));
            found = found.or(word.only_if(same));
        }
        found
    }

    #[inline(always)]
    fn elsewhere(&self) -> u32 {
        self.words.first().map_or(0, |word| word.elsewhere())
    }
}

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    bucket: usize,
    slot: usize,
}

/// See the module. `N` entries are in a bucket.
#[derive(Debug)]
pub(super) struct Table<K, const N: usize> {
    buckets: Vec<Bucket<K, N>>,
    /// Of each entry, a number for its owner: what is rarely looked at.
    aside: Vec<[u32; N]>,
    /// To the right, so that a mixed key becomes the number of a bucket.
    shift: u32,
    used: usize,
    /// The farthest that any entry lies behind its own bucket.
    reach: usize,
}

impl<K: Key, const N: usize> Table<K, N> {
    pub(super) fn new() -> Self {
        Table {
            buckets: Vec::new(),
            aside: Vec::new(),
            shift: 63,
            used: 0,
            reach: 0,
        }
    }

    /// Buckets for so many entries.
    fn buckets_for(entries: usize) -> usize {
        (entries * 8)
            .div_ceil(fill::<N>() * N)
            .next_power_of_two()
            .max(2)
    }

    /// Octets of a table that was reserved for so many entries.
    pub(super) fn memory(entries: usize) -> usize {
        Self::buckets_for(entries) * (size_of::<Bucket<K, N>>() + size_of::<[u32; N]>())
    }

    /// Makes room for `entries` in all.
    pub(super) fn reserve(&mut self, entries: usize) -> Result<(), OutOfMemory> {
        if entries <= self.buckets.len() * N * fill::<N>() / 8 {
            return Ok(());
        }
        let wanted = Self::buckets_for(entries);
        let mut grown = Table::<K, N>::new();
        grown.shift = 64 - wanted.trailing_zeros();
        let enough = grown.buckets.try_reserve_exact(wanted).is_ok()
            && grown.aside.try_reserve_exact(wanted).is_ok();
        if !enough {
            return Err(OutOfMemory);
        }
        grown.buckets.resize(wanted, Bucket::empty());
        grown.aside.resize(wanted, [0; N]);
        for (bucket, aside) in self.buckets.iter().zip(&self.aside) {
            let entries = bucket.keys.iter().zip(&bucket.words).zip(aside);
            for ((key, word), aside) in entries.filter(|((_, word), _)| word.is_some()) {
                let place = grown.put(*key, word.without_elsewhere())?;
                grown.set_aside(place, *aside);
            }
        }
        *self = grown;
        Ok(())
    }

    /// Makes room for `more` entries, many at a time: a table that was not reserved at its full size doubles.
    pub(super) fn reserve_more(&mut self, more: usize) -> Result<(), OutOfMemory> {
        if self.used + more <= self.buckets.len() * N * fill::<N>() / 8 {
            return Ok(());
        }
        self.reserve((self.used + more) * 2)
    }

    #[inline(always)]
    fn home(&self, key: K, tag: Word) -> usize {
        (key.mix(tag) >> self.shift) as usize
    }

    /// Where a look-up of this key will begin; asks the processor for it.
    #[inline(always)]
    pub(super) fn approach(&self, key: K, tag: Word) -> u32 {
        let home = self.home(key, tag);
        prefetch(&self.buckets, home);
        // Fits: memory for more buckets there is not.
        home as u32
    }

    /// The word of this key, whose look-up begins at `home`; [`Word::NONE`] if there is none.
    #[inline(always)]
    pub(super) fn find_at(&self, home: u32, key: K, tag: Word) -> Word {
        let Some(bucket) = self.buckets.get(home as usize) else {
            return Word::NONE;
        };
        let found = bucket.find(key, tag);
        if found.is_some() | (bucket.elsewhere() == 0) {
            return found;
        }
        self.find_elsewhere(home as usize, key, tag)
    }

    /// The word of this key; [`Word::NONE`] if there is none.
    #[inline]
    pub(super) fn find(&self, key: K, tag: Word) -> Word {
        self.find_at(self.home(key, tag) as u32, key, tag)
    }

    #[cold]
    fn find_elsewhere(&self, home: usize, key: K, tag: Word) -> Word {
        let words = (1..=self.reach).map(|step| {
            self.at(home + step)
                .map_or(Word::NONE, |b| b.find(key, tag))
        });
        words
            .into_iter()
            .find(|word| word.is_some())
            .unwrap_or(Word::NONE)
    }

    /// The bucket of this number; behind the last comes the first.
    fn at(&self, bucket: usize) -> Option<&Bucket<K, N>> {
        self.buckets
            .get(bucket & self.buckets.len().wrapping_sub(1))
    }

    /// Where this key is.
    pub(super) fn place(&self, key: K, tag: Word) -> Option<Place> {
        let home = self.home(key, tag);
        (0..=self.reach).find_map(|step| {
            let bucket = (home + step) & self.buckets.len().wrapping_sub(1);
            let there = self.buckets.get(bucket)?;
            let mut slots = there.keys.iter().zip(&there.words);
            let slot =
                slots.position(|(at, word)| *at == key && word.is_some() && word.has_tag(tag))?;
            Some(Place { bucket, slot })
        })
    }

    /// The word there.
    pub(super) fn word(&self, place: Place) -> Word {
        let word = self
            .buckets
            .get(place.bucket)
            .and_then(|b| b.words.get(place.slot));
        word.map_or(Word::NONE, |word| word.without_elsewhere())
    }

    /// Another word for the entry there, with the same tag.
    pub(super) fn set(&mut self, place: Place, word: Word) {
        let there = self
            .buckets
            .get_mut(place.bucket)
            .and_then(|b| b.words.get_mut(place.slot));
        if let Some(there) = there {
            *there = word.with_elsewhere(there.elsewhere());
        }
    }

    /// The number that its owner keeps for the entry there.
    pub(super) fn aside(&self, place: Place) -> u32 {
        let aside = self.aside.get(place.bucket).and_then(|a| a.get(place.slot));
        aside.copied().unwrap_or(0)
    }

    /// Another such number.
    pub(super) fn set_aside(&mut self, place: Place, number: u32) {
        let aside = self
            .aside
            .get_mut(place.bucket)
            .and_then(|a| a.get_mut(place.slot));
        if let Some(aside) = aside {
            *aside = number;
        }
    }

    /// Puts a new entry in; room was [reserved](Self::reserve_more).
    pub(super) fn put(&mut self, key: K, word: Word) -> Result<Place, OutOfMemory> {
        let home = self.home(key, word.tag());
        let mask = self.buckets.len().wrapping_sub(1);
        for step in 0..=RUN {
            let bucket = (home + step) & mask;
            let Some(there) = self.buckets.get_mut(bucket) else {
                break;
            };
            let Some(slot) = there.words.iter().position(|word| !word.is_some()) else {
                continue;
            };
            there.keys[slot] = key;
            there.words[slot] = word.with_elsewhere(there.words[slot].elsewhere());
            let place = Place { bucket, slot };
            self.used += 1;
            self.reach = self.reach.max(step);
            if step > 0 {
                self.count_elsewhere(home, 1);
            }
            return Ok(place);
        }
        Err(OutOfMemory)
    }

    /// Takes an entry out.
    pub(super) fn take(&mut self, key: K, place: Place) {
        let home = self.home(key, self.word(place).tag());
        self.set(place, Word::NONE);
        if let Some(there) = self
            .buckets
            .get_mut(place.bucket)
            .and_then(|b| b.keys.get_mut(place.slot))
        {
            *there = K::default();
        }
        self.set_aside(place, 0);
        self.used -= 1;
        if home != place.bucket {
            self.count_elsewhere(home, -1);
        }
    }

    fn count_elsewhere(&mut self, home: usize, change: i32) {
        if let Some(word) = self.buckets.get_mut(home).and_then(|b| b.words.first_mut()) {
            *word = word.with_elsewhere(word.elsewhere().saturating_add_signed(change));
        }
    }

    /// Entries there are.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn octets(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket<K, N>>()
            + self.aside.capacity() * size_of::<[u32; N]>()
    }
}
