//! What look-ups of late came to, by the first 64 bits of the address: one cache line where the points are several.
//!
//! Only look-ups that led below the first 16 bits are kept. Where more than 64 bits counted it is known as [`FAR`], and
//! the value by the whole address. A change of a prefix makes forgotten what began with the same 32 bits, a change of a shorter one everything; nothing is cleared.
//! It is a bounded table that old things fall out of: with more destinations at a time than it holds, a look-up costs
//! what it did and some nanoseconds (docs/adr/0017). Must never answer what the points would not.

use alloc::vec::Vec;

use super::OutOfMemory;
use crate::prefix::Prefix;
use crate::vn::Vn;
use pinode_guest_runtime::unsafe_prefetch::prefetch;

/// Entries of a bucket.
const WAYS: usize = 4;
/// Most buckets: 16 MiB.
const MOST: usize = 1 << 18;
/// Counters of changes, by the first 32 bits of prefixes.
const COUNTERS: usize = 256;
/// Bits of a tag that say the virtual network.
const VN_BITS: u32 = 5;
const VN_MASK: u32 = (1 << VN_BITS) - 1;

/// The value of addresses below whose first 64 bits there are longer prefixes; above all others.
pub(super) const FAR: u32 = u32::MAX;
/// Entries of a bucket of whole addresses.
const FAR_WAYS: usize = 2;
/// Most such buckets: 2 MiB.
const FAR_MOST: usize = 1 << 15;

/// An entry by whole address.
#[derive(Debug, Clone, Copy)]
struct Far {
    address: u128,
    tag: u32,
    value: u32,
}

/// A cache line of them.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct FarBucket([Far; FAR_WAYS]);

impl FarBucket {
    const EMPTY: Self = FarBucket(
        [Far {
            address: 0,
            tag: 0,
            value: 0,
        }; FAR_WAYS],
    );
}

/// A cache line of entries.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Bucket {
    /// The first 64 bits of addresses.
    high: [u64; WAYS],
    /// Virtual network, and as of which change.
    tags: [u32; WAYS],
    values: [u32; WAYS],
}

impl Bucket {
    const EMPTY: Self = Bucket {
        high: [0; WAYS],
        tags: [0; WAYS],
        values: [0; WAYS],
    };

    /// By masks: which entry it is nobody can predict.
    #[inline(always)]
    fn find(&self, tag: u32, high: u64) -> (bool, u32) {
        let (mut found, mut value) = (0, 0);
        for way in 0..WAYS {
            let same = (self.high[way] == high) & (self.tags[way] == tag);
            let mask = u32::from(same).wrapping_neg();
            found |= mask;
            value |= self.values[way] & mask;
        }
        (found != 0, value)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Memo {
    /// A power of two, or none.
    buckets: Vec<Bucket>,
    /// The same.
    far: Vec<FarBucket>,
    /// Changes of prefixes of 32 bits and more, by their first 32 bits.
    changes: [u32; COUNTERS],
    /// Changes of shorter ones, and one: a tag is never 0.
    epoch: u32,
    /// Which entry of a bucket goes next.
    turn: u8,
}

impl Default for Memo {
    fn default() -> Self {
        Memo {
            buckets: Vec::new(),
            far: Vec::new(),
            changes: [0; COUNTERS],
            epoch: 1,
            turn: 0,
        }
    }
}

/// All bits in the high ones of a product.
#[inline(always)]
const fn mixed(bits: u64) -> u64 {
    let product = bits as u128 * 0x9e37_79b9_7f4a_7c15_u128;
    (product >> 64) as u64 ^ product as u64
}

#[inline(always)]
const fn counter(vn: Vn, high: u64) -> usize {
    (mixed(high >> 32 | (vn.get() as u64) << 32) >> 56) as usize
}

impl Memo {
    /// Buckets for a table of so many prefixes: four entries for each.
    fn buckets_for(prefixes: usize) -> usize {
        (prefixes * 4 / WAYS).next_power_of_two().clamp(2, MOST)
    }

    /// The same of whole addresses: hosts of the router's own links, mostly.
    fn far_for(prefixes: usize) -> usize {
        (prefixes / 16).next_power_of_two().clamp(512, FAR_MOST)
    }

    /// Octets of a memo for so many prefixes.
    pub(super) fn memory(prefixes: usize) -> usize {
        Self::buckets_for(prefixes) * size_of::<Bucket>()
            + Self::far_for(prefixes) * size_of::<FarBucket>()
    }

    /// Makes room for a table of so many prefixes.
    pub(super) fn reserve(&mut self, prefixes: usize) -> Result<(), OutOfMemory> {
        let (wanted, far) = (Self::buckets_for(prefixes), Self::far_for(prefixes));
        let enough = self.buckets.try_reserve_exact(wanted).is_ok()
            && self.far.try_reserve_exact(far).is_ok();
        if !enough {
            return Err(OutOfMemory);
        }
        self.buckets.resize(wanted, Bucket::EMPTY);
        self.far.resize(far, FarBucket::EMPTY);
        Ok(())
    }

    pub(super) fn octets(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>() + self.far.capacity() * size_of::<FarBucket>()
    }

    /// A prefix was changed.
    pub(super) fn forget(&mut self, vn: Vn, prefix: Prefix) {
        let high = (prefix.bits() >> 64) as u64;
        let changes = if prefix.length() < 32 {
            &mut self.epoch
        } else {
            &mut self.changes[counter(vn, high)]
        };
        *changes = changes.wrapping_add(1);
        // Tags come around: what is older than all of them must be gone.
        if *changes & (u32::MAX >> (VN_BITS + 1)) == 0 {
            self.buckets.fill(Bucket::EMPTY);
            self.far.fill(FarBucket::EMPTY);
            self.changes = [0; COUNTERS];
            self.epoch = 1;
        }
    }

    /// What an entry of `vn` for addresses that begin so says of when it was made.
    #[inline(always)]
    fn tag(&self, vn: Vn, high: u64) -> u32 {
        let changes = self.changes[counter(vn, high)].wrapping_add(self.epoch);
        changes << VN_BITS | u32::from(vn.get())
    }

    /// The number of the bucket that addresses which begin so are remembered in; asks the processor for it.
    #[inline(always)]
    pub(super) fn approach(&self, vn: Vn, high: u64) -> u32 {
        let mask = self.buckets.len().saturating_sub(1);
        let bucket = (mixed(high ^ u64::from(vn.get())) >> 20) as usize & mask;
        prefetch(&self.buckets, bucket);
        // Fits: below 2^32 buckets.
        bucket as u32
    }

    /// Whether it is known, and its value.
    #[inline(always)]
    pub(super) fn find(&self, bucket: u32, vn: Vn, high: u64) -> (bool, u32) {
        let tag = self.tag(vn, high);
        match self.buckets.get(bucket as usize) {
            Some(bucket) => bucket.find(tag, high),
            None => (false, 0),
        }
    }

    /// The same of what found its bucket full and lies in the one beside it.
    pub(super) fn find_beside(&self, bucket: u32, vn: Vn, high: u64) -> (bool, u32) {
        self.find(bucket ^ 1, vn, high)
    }

    /// Remembers a value.
    pub(super) fn keep(&mut self, bucket: u32, (vn, high): (Vn, u64), value: u32) {
        let places = [bucket, bucket ^ 1].into_iter();
        let mut free = places.flat_map(|bucket| (0..WAYS).map(move |way| (bucket, way)));
        let free = free.find(|(bucket, way)| self.is_free(*bucket, *way, (vn, high)));
        let turn = usize::from(self.turn) % WAYS;
        let (at, way) = free.unwrap_or((bucket, turn));
        self.turn = self.turn.wrapping_add(1);
        let tag = self.tag(vn, high);
        if let Some(bucket) = self.buckets.get_mut(at as usize) {
            bucket.high[way] = high;
            bucket.tags[way] = tag;
            bucket.values[way] = value;
        }
    }

    /// Whether there is nothing in a place that could still be found, or what is remembered of the same.
    fn is_free(&self, bucket: u32, way: usize, of: (Vn, u64)) -> bool {
        self.buckets.get(bucket as usize).is_some_and(|bucket| {
            let (high, tag) = (bucket.high[way], bucket.tags[way]);
            let vn = Vn::of_pih((tag & VN_MASK) as u8);
            tag != self.tag(vn, high) || (vn, high) == of
        })
    }

    /// The number of the bucket that a whole address is remembered in; asks the processor for it.
    #[inline]
    pub(super) fn approach_far(&self, vn: Vn, address: u128) -> u32 {
        let (high, low) = ((address >> 64) as u64, address as u64);
        let mask = self.far.len().saturating_sub(1);
        let bucket = (mixed(mixed(high ^ u64::from(vn.get())) ^ low) >> 20) as usize & mask;
        prefetch(&self.far, bucket);
        // Fits: below 2^32 buckets.
        bucket as u32
    }

    /// Whether a whole address is known, and its value.
    #[inline]
    pub(super) fn find_far(&self, bucket: u32, vn: Vn, address: u128) -> (bool, u32) {
        let tag = self.tag(vn, (address >> 64) as u64);
        let entries = self.far.get(bucket as usize).map(|bucket| &bucket.0);
        let mut entries = entries.into_iter().flatten();
        match entries.find(|entry| entry.address == address && entry.tag == tag) {
            Some(entry) => (true, entry.value),
            None => (false, 0),
        }
    }

    /// Remembers the value of a whole address.
    pub(super) fn keep_far(&mut self, (vn, address): (Vn, u128), value: u32) {
        let tag = self.tag(vn, (address >> 64) as u64);
        let bucket = self.approach_far(vn, address);
        let turn = usize::from(self.turn) % FAR_WAYS;
        self.turn = self.turn.wrapping_add(1);
        if let Some(bucket) = self.far.get_mut(bucket as usize) {
            let same = { bucket.0.iter() }
                .position(|entry| entry.address == address && entry.tag & VN_MASK == tag & VN_MASK);
            bucket.0[same.unwrap_or(turn)] = Far {
                address,
                tag,
                value,
            };
        }
    }
}
