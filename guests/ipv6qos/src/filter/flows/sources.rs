//! How many flows without an answer each source has: so that none can begin more than its share.
//!
//! Sources are counted in two rows of counters, each at a place that the keyed hash of the source gives; a source has
//! as many as the smaller of its two counters says (a count-min sketch). What it says is never too small. It is too
//! large only for a source that shares both counters with others. A row has at least eight times as many counters as
//! a full table has sources at their limit, so whoever fills the table, from however many addresses, refuses another
//! source with a chance of 1/64 at most.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Counters of a row, a power of two: one for four flows, and eight for so many as one source may begin.
fn row(flows: u32, limit: u32) -> usize {
    let at_limit = u64::from(flows) * 8 / u64::from(limit.max(1));
    // Below 2^27 by the most flows there are.
    let counters = at_limit.max(u64::from(flows) / 4) as usize;
    counters.next_power_of_two().max(1024)
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
        2 * (row(flows, limit) * size_of::<u32>()) as u64
    }

    pub fn new(flows: u32, limit: u32) -> Result<Self, TryReserveError> {
        let mut rows = [Vec::new(), Vec::new()];
        if limit != 0 {
            for counters in &mut rows {
                counters.try_reserve_exact(row(flows, limit))?;
                counters.resize(row(flows, limit), 0);
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
