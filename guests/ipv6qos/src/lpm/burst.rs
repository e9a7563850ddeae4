//! Look-ups of a burst, all of them a step at a time: while one waits for memory the others ask for theirs.

use super::Lpm;
use super::entry::{Entry, Jump};
use super::shortcut::{Bucket, key};
use crate::unsafe_prefetch::prefetch;
use crate::vn::Vn;

/// Look-ups that are on their way together.
const BURST: usize = 64;

/// Prefixes from which on a burst goes together, and shortcuts from which on they are looked at: with fewer, nothing is
/// waited for, and what it takes to set that up costs more than it saves.
const FEW: usize = 8;

/// Which look-ups of a burst, in order.
#[derive(Clone, Copy)]
struct List {
    places: [u8; BURST],
    count: usize,
}

impl List {
    const EMPTY: Self = List {
        places: [0; BURST],
        count: 0,
    };

    /// Adds one if it is; without a branch, which nothing could foretell.
    #[inline(always)]
    fn add(&mut self, place: u8, is: bool) {
        self.places[self.count % BURST] = place;
        self.count += usize::from(is);
    }

    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = u8> {
        self.places.iter().take(self.count).copied()
    }
}

impl Lpm {
    /// [`Lpm::lookup`] of each key into the value at its place. As many are looked up as the shorter of both has.
    pub fn lookup_burst(&self, keys: &[(Vn, u128)], values: &mut [u32]) {
        for (keys, values) in keys.chunks(BURST).zip(values.chunks_mut(BURST)) {
            if self.len < FEW {
                for (&(vn, address), value) in keys.iter().zip(values) {
                    *value = self.lookup(vn, address);
                }
            } else {
                self.lookup_some(keys, values);
            }
        }
    }

    fn lookup_some(&self, keys: &[(Vn, u128)], values: &mut [u32]) {
        let mut walks = Walks {
            halves: [[0; 2]; BURST],
            entries: [Entry::EMPTY; BURST],
            values: [0; BURST],
        };
        let mut todo = List::EMPTY;
        if self.shortcuts.count() < FEW {
            for (place, &(vn, address)) in (0..).zip(keys) {
                walks.begin(place, address, self.roots[vn.index()], &mut todo);
            }
            self.walk(&mut walks, todo);
        } else {
            let mut buckets = [&Bucket::EMPTY; BURST];
            for (bucket, &(vn, address)) in buckets.iter_mut().zip(keys) {
                if let Some(there) = self.shortcuts.bucket(key(vn, address)) {
                    prefetch(core::slice::from_ref(there), 0);
                    *bucket = there;
                }
            }
            for ((place, &(vn, address)), bucket) in (0..).zip(keys).zip(buckets) {
                let found = bucket.find(key(vn, address));
                walks.begin(place, address, found, &mut todo);
            }
            self.walk(&mut walks, todo);
            // Prefixes too short for shortcuts, and what has none.
            let mut todo = List::EMPTY;
            let mut rest = List::EMPTY;
            for (place, value) in (0..).zip(walks.values) {
                rest.add(place, value == 0);
            }
            for place in rest.iter() {
                if let Some(&(vn, address)) = keys.get(usize::from(place)) {
                    walks.begin(place, address, self.roots[vn.index()], &mut todo);
                }
            }
            self.walk(&mut walks, todo);
        }
        for (value, found) in values.iter_mut().zip(walks.values) {
            *value = found;
        }
    }

    /// Walks down until nothing leads on.
    #[inline(always)]
    fn walk(&self, walks: &mut Walks, mut todo: List) {
        let mut at: [&Entry; BURST] = [&Entry::EMPTY; BURST];
        let mut jump_at: [&Jump; BURST] = [&Jump::EMPTY; BURST];
        while todo.count != 0 {
            let mut nodes = List::EMPTY;
            let mut jumps = List::EMPTY;
            for place in todo.iter() {
                let is_jump = walks.entries[usize::from(place) % BURST].is_jump();
                nodes.add(place, !is_jump);
                jumps.add(place, is_jump);
            }
            for place in nodes.iter() {
                let place = usize::from(place) % BURST;
                let entry = walks.entries[place];
                let shift = entry.shift();
                let half = walks.halves[place][(shift >> 6) as usize % 2];
                let slot = (half >> (shift % 64)) as usize & entry.mask();
                if let Some(entry) = self.nodes.at(entry.index(), slot) {
                    prefetch(core::slice::from_ref(entry), 0);
                    at[place] = entry;
                }
            }
            for place in jumps.iter() {
                let place = usize::from(place) % BURST;
                if let Some(jump) = self.jumps.at(walks.entries[place].index()) {
                    prefetch(core::slice::from_ref(jump), 0);
                    jump_at[place] = jump;
                }
            }
            todo.count = 0;
            for place in nodes.iter() {
                let entry = *at[usize::from(place) % BURST];
                walks.go_on(place, entry, &mut todo);
            }
            for place in jumps.iter() {
                let [low, high] = walks.halves[usize::from(place) % BURST];
                let address = u128::from(high) << 64 | u128::from(low);
                let entry = jump_at[usize::from(place) % BURST].entry_for(address);
                walks.go_on(place, entry, &mut todo);
            }
        }
    }
}

/// Where each look-up of a burst is.
struct Walks {
    /// Low and high half of the address.
    halves: [[u64; 2]; BURST],
    /// The entry come to.
    entries: [Entry; BURST],
    /// The last value seen.
    values: [u32; BURST],
}

impl Walks {
    #[inline(always)]
    fn begin(&mut self, place: u8, address: u128, entry: Entry, todo: &mut List) {
        self.halves[usize::from(place) % BURST] = [address as u64, (address >> 64) as u64];
        self.go_on(place, entry, todo);
    }

    #[inline(always)]
    fn go_on(&mut self, place: u8, entry: Entry, todo: &mut List) {
        let value = &mut self.values[usize::from(place) % BURST];
        *value = if entry.value() != 0 {
            entry.value()
        } else {
            *value
        };
        self.entries[usize::from(place) % BURST] = entry;
        todo.add(place, entry.leads_on());
    }
}
