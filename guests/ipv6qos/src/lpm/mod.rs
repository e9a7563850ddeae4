//! Longest-prefix match of IPv6 addresses: 32 routing instances in one structure, nothing of one seen in another.
//!
//! A hash table of prefixes, and in it at every 16th bit of each prefix's way a *point* that says which lengths there
//! are below: of the 16 next ones each by a bit, of all longer ones together. A look-up follows the points of its address
//! down as far as they lead, and tries the lengths they name from the longest up. A change touches its own points and
//! nothing else, however many prefixes are above or below. Why, and what it costs: docs/adr/0017.
//!
//! ```text
//! word     what is known of a prefix, in one word
//! table    where words are found by prefix
//! tops     the points at the first 16 bits
//! leads    prefixes below a point, counted by length
//! update   insert, remove, exact
//! burst    look-ups of a burst, step by step
//! again    look-ups of a burst by what others came to
//! memo     what they came to of late
//! order    prefixes in order, for lists
//! sample   tables like the Internet's, for tests and measurements
//! ```
//!
//! Must never fail a look-up, and never allocate in one.

mod again;
mod burst;
mod leads;
mod memo;
mod order;
#[cfg(feature = "sample")]
pub mod sample;
mod table;
mod tops;
mod update;
mod word;

pub use again::Approach;
pub use word::VALUE_MAX;

use leads::{Lead, Leads};
use memo::Memo;
use order::{Order, Prefixes};
use table::{FarKey, NearKey, ShortKey, Table};
use tops::Tops;
use word::Word;

use crate::control::view::Cursor;
use crate::prefix::Prefix;
use crate::vn::{VNS, Vn};

/// There is no memory for another prefix; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no memory for another prefix; allowed: what fits the memory of the guest, or remove prefixes"
)]
pub struct OutOfMemory;

/// Bits from one point to the next.
const STEP: u8 = 16;

/// Prefixes of 32 routing instances, each with a value.
#[derive(Debug)]
pub struct Lpm {
    /// The points above all, and the values of `::/0`.
    roots: [Word; VNS],
    root_leads: [Lead; VNS],
    tops: Tops,
    short: Table<ShortKey, 4>,
    near: Table<NearKey, 4>,
    far: Table<FarKey, 2>,
    leads: Leads,
    order: Order,
    memo: Memo,
    len: usize,
}

impl Default for Lpm {
    fn default() -> Self {
        Self::new()
    }
}

impl Lpm {
    /// Without prefixes; allocates nothing. It grows with what is put in, and now and then a change copies all of
    /// it: see [`with_capacity`](Self::with_capacity).
    pub fn new() -> Self {
        Lpm {
            roots: core::array::from_fn(|vn| Word::of(Vn::of_pih(vn as u8), 0)),
            root_leads: [Lead::default(); VNS],
            tops: Tops::default(),
            short: Table::new(),
            near: Table::new(),
            far: Table::new(),
            leads: Leads::default(),
            order: Order::default(),
            memo: Memo::default(),
            len: 0,
        }
    }

    /// With room for so many prefixes up to /64, whatever they are, each with two points of its own, and for one in
    /// sixteen that is longer: no change copies anything then.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn with_capacity(prefixes: usize) -> Result<Self, OutOfMemory> {
        let mut lpm = Self::new();
        let room = Room::of(prefixes);
        lpm.short.reserve(room.short)?;
        lpm.near.reserve(room.near)?;
        lpm.far.reserve(room.far)?;
        lpm.leads.reserve(room.leads)?;
        lpm.tops.reserve()?;
        lpm.memo.reserve(prefixes)?;
        Ok(lpm)
    }

    /// Octets of heap that so many prefixes take with capacity for them.
    pub fn memory(prefixes: usize) -> usize {
        let room = Room::of(prefixes);
        Table::<ShortKey, 4>::memory(room.short)
            + Table::<NearKey, 4>::memory(room.near)
            + Table::<FarKey, 2>::memory(room.far)
            + Leads::memory(room.leads)
            + Tops::memory(prefixes)
            + Order::memory(prefixes)
            + Memo::memory(prefixes)
    }

    /// Prefixes there are, of all routing instances.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Places in use, for prefixes and for points on their ways.
    pub fn entries(&self) -> usize {
        self.tops.used() + self.short.used() + self.near.used() + self.far.used()
    }

    /// Memory held on the heap, octets.
    pub fn octets(&self) -> usize {
        self.tops.octets()
            + self.short.octets()
            + self.near.octets()
            + self.far.octets()
            + self.leads.octets()
            + self.order.octets()
            + self.memo.octets()
    }

    /// Prefixes from this one on, itself included if it is there: by routing instance, then by address, the shorter
    /// of two that begin alike first.
    pub fn iter_from(&self, from: Cursor) -> Iter<'_> {
        Iter {
            lpm: self,
            prefixes: self.order.from(from, false),
        }
    }

    /// Prefixes behind this one: the next page.
    pub fn iter_after(&self, after: Cursor) -> Iter<'_> {
        Iter {
            lpm: self,
            prefixes: self.order.from(after, true),
        }
    }

    /// All prefixes.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(Cursor {
            vn: Vn::default(),
            prefix: Prefix::DEFAULT,
        })
    }
}

/// Prefixes in order, with their values.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    lpm: &'a Lpm,
    prefixes: Prefixes<'a>,
}

impl Iterator for Iter<'_> {
    type Item = (Cursor, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.prefixes.next()?;
        Some((at, self.lpm.exact(at.vn, at.prefix).unwrap_or(0)))
    }
}

/// Entries to make room for.
struct Room {
    short: usize,
    near: usize,
    far: usize,
    leads: usize,
}

impl Room {
    fn of(prefixes: usize) -> Self {
        Room {
            short: 3 * prefixes + 32,
            near: prefixes + 32,
            far: prefixes / 16 + 32,
            leads: 2 * prefixes + 32,
        }
    }
}
