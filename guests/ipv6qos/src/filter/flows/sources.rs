//! How many flows without an answer each source has: so that none can begin more than its share.
//!
//! Sources are counted in two rows of counters, each at a place that the keyed hash of the source gives; a source has
//! as many as the smaller of its two counters says (a count-min sketch). What it says is never too small. It is too
//! large only for a source that shares both counters with others: with `n` others at their limit in a table of `c`
//! counters a row, that has a chance of about (n/c)^2.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Counters of a row: one for four flows, a power of two.
fn row(flows: u32) -> usize {
    (flows as usize / 4).next_power_of_two().max(1024)
}

/// Counters of sources.
#[derive(Debug)]
pub(super) struct Sources {
    /// Both counters of a pair of rows beside each other's row: `rows[0]` and `rows[1]`.
    rows: [Vec<u32>; 2],
    limit: u32,
}

impl Sources {
    /// Octets of the counters for a table of `flows` flows; none without a limit.
    pub fn memory(flows: u32, limit: u32) -> u64 {
        if limit == 0 {
            return 0;
        }
        2 * (row(flows) * size_of::<u32>()) as u64
    }

    pub fn new(flows: u32, limit: u32) -> Result<Self, TryReserveError> {
        let mut rows = [Vec::new(), Vec::new()];
        if limit != 0 {
            for counters in &mut rows {
                counters.try_reserve_exact(row(flows))?;
                counters.resize(row(flows), 0);
            }
        }
        Ok(Sources { rows, limit })
    }

    /// Whether sources are counted at all.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.limit != 0
    }

    fn counters(&mut self, hash: u64) -> impl Iterator<Item = &mut u32> {
        let places = [hash as usize, (hash >> 32) as usize];
        self.rows.iter_mut().zip(places).filter_map(|(row, place)| {
            let mask = row.len().wrapping_sub(1);
            row.get_mut(place & mask)
        })
    }

    /// Whether the source of this hash may begin one more.
    pub fn may_begin(&mut self, hash: u64) -> bool {
        let limit = self.limit;
        limit == 0 || self.counters(hash).any(|count| *count < limit)
    }

    /// It has begun one more.
    pub fn begun(&mut self, hash: u64) {
        for count in self.counters(hash) {
            *count = count.saturating_add(1);
        }
    }

    /// One of its flows was answered, or is gone.
    pub fn over(&mut self, hash: u64) {
        for count in self.counters(hash) {
            *count = count.saturating_sub(1);
        }
    }
}
