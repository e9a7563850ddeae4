//! Look-ups of a burst by what others of late came to.
//!
//! In two steps, so that memory is asked for while something else is done: [`Lpm::approach`] says what the first 16 bits
//! of an address are enough for, or where it is remembered; [`Lpm::lookup_burst_again`] does the rest, and looks up and
//! remembers what was not known. Must never find what [`Lpm::lookup`] would not.

use super::Lpm;
use super::burst::{LANES, Lanes, Some64};
use super::memo::FAR;
use crate::vn::Vn;

/// A look-up begun: its value, or where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approach(u32);

/// Beyond all values and numbers of buckets.
const DONE: u32 = 1 << 31;

impl Approach {
    /// The value, if the look-up is done; else what [`Lpm::lookup_burst_again`] wants to be told.
    #[inline(always)]
    pub const fn done(self) -> Result<u32, u32> {
        if self.0 & DONE == 0 {
            Err(self.0)
        } else {
            Ok(self.0 & !DONE)
        }
    }

    /// As a number, which [`done`](Self::done) can be asked of again.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// What [`bits`](Self::bits) gave.
    #[inline(always)]
    pub const fn of_bits(bits: u32) -> Self {
        Approach(bits)
    }
}

impl Lpm {
    /// Begins the look-up of an address: it may be all there is to do, else what is remembered of it is asked for,
    /// which is worth it some hundreds of nanoseconds before [`lookup_burst_again`](Self::lookup_burst_again).
    #[inline(always)]
    pub fn approach(&self, vn: Vn, address: u128) -> Approach {
        let lane = self.lane(vn, address);
        if lane.is_unfinished() {
            Approach(self.memo.approach(vn, lane.high))
        } else {
            Approach(lane.value | DONE)
        }
    }

    /// What is remembered of an address whose [`approach`](Self::approach) gave `bits`; if that is nothing, or more than
    /// its first 64 bits count, [`lookup_burst_again`](Self::lookup_burst_again) knows.
    #[inline(always)]
    pub fn recalled(&self, vn: Vn, address: u128, bits: u32) -> Option<u32> {
        let (known, found) = self.memo.find(bits, vn, (address >> 64) as u64);
        (known & (found != FAR)).then_some(found)
    }

    /// [`lookup_burst`](Self::lookup_burst), by what look-ups of late came to where that is known, of addresses whose
    /// [`approach`](Self::approach) did not say all. `values` holds what it said.
    pub fn lookup_burst_again(&mut self, keys: &[(Vn, u128)], values: &mut [u32]) {
        for (keys, values) in keys.chunks(LANES).zip(values.chunks_mut(LANES)) {
            let mut buckets = [0; LANES];
            for (bucket, value) in buckets.iter_mut().zip(values.iter()) {
                *bucket = *value;
            }
            let left = self.recall(keys, values, &buckets);
            if left.count > 0 {
                self.lookup_and_keep(keys, values, (&left, &buckets));
            }
        }
    }

    /// What is remembered of each address. Gives the numbers of those of which nothing is.
    #[inline(always)]
    fn recall(&self, keys: &[(Vn, u128)], values: &mut [u32], buckets: &[u32; LANES]) -> Some64 {
        let (mut left, mut far) = (Some64::NONE, Some64::NONE);
        let each = (0u8..).zip(keys).zip(values.iter_mut()).zip(buckets);
        for (((at, (vn, address)), value), bucket) in each {
            let (known, found) = self.memo.find(*bucket, *vn, (*address >> 64) as u64);
            *value = found;
            left.add_if(!known, at);
            far.add_if(known & (found == FAR), at);
        }
        if far.count > 0 {
            self.recall_far(keys, values, (&far, &mut left));
        }
        left
    }

    /// The same of those that more than 64 bits count for.
    #[inline(never)]
    fn recall_far(
        &self,
        keys: &[(Vn, u128)],
        values: &mut [u32],
        (far, left): (&Some64, &mut Some64),
    ) {
        let mut buckets = [0; LANES];
        for at in far.as_slice() {
            if let Some((vn, address)) = keys.get(usize::from(*at)) {
                buckets[usize::from(*at) % LANES] = self.memo.approach_far(*vn, *address);
            }
        }
        for at in far.as_slice() {
            let index = usize::from(*at) % LANES;
            if let (Some((vn, address)), Some(value)) = (keys.get(index), values.get_mut(index)) {
                let (known, found) = self.memo.find_far(buckets[index], *vn, *address);
                *value = found;
                left.add_if(!known, *at);
            }
        }
    }

    /// The addresses that nothing is remembered of.
    #[inline(never)]
    fn lookup_and_keep(
        &mut self,
        keys: &[(Vn, u128)],
        values: &mut [u32],
        (left, buckets): (&Some64, &[u32; LANES]),
    ) {
        let mut some = Lanes::new();
        for at in left.as_slice() {
            let index = usize::from(*at) % LANES;
            let (Some((vn, address)), Some(value)) = (keys.get(index), values.get_mut(index))
            else {
                continue;
            };
            let mut lane = self.lane(*vn, *address);
            lane.at = *at;
            let (known, found) = self.memo.find_beside(buckets[index], *vn, lane.high);
            let (known, found) = if known & (found == FAR) {
                let bucket = self.memo.approach_far(*vn, *address);
                self.memo.find_far(bucket, *vn, *address)
            } else {
                (known, found)
            };
            if known {
                *value = found;
            }
            some.add_if(!known, lane);
        }
        if some.count == 0 {
            return;
        }
        self.lookup_lanes(&mut some, keys, values);
        for lane in some.lanes.iter().take(some.count) {
            let at = usize::from(lane.at) % LANES;
            let (Some(value), Some(key)) = (values.get(at), keys.get(at)) else {
                continue;
            };
            if lane.is_far {
                self.memo.keep_far(*key, *value);
            }
            let value = if lane.is_far { FAR } else { *value };
            self.memo.keep(buckets[at], (lane.vn, lane.high), value);
        }
    }
}
