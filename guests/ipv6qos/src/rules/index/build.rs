//! An index made from rules, a slice at a time.
//!
//! One field after the other. Of a field, first the rules are gathered: those that want nothing of it are in the
//! vectors of all classes, the others begin and end somewhere. Then these places are gone through in order, with the
//! vector of the rules that reach to where it stands, which is stored for every class. Order comes out of a heap,
//! whose steps are as short as each other, unlike a sort.

use alloc::boxed::Box;
use alloc::collections::{BinaryHeap, TryReserveError};
use alloc::vec::Vec;
use core::cmp::Reverse;

use arrayvec::ArrayVec;

use super::field::FIELDS;
use super::numbers::Numbers;
use super::vectors::{CHUNK_RULES, Chunks, Stored, Vector};
use super::weights::{self, Weights};
use super::{Classes, Index, UNNAMED};
use crate::prefix::Prefix;
use crate::rules::MAX_TABLES;
use crate::rules::condition::{Condition, Of};
use crate::rules::members::Members;

/// Costs of steps, in units of about 10 ns. What is gathered from may have to come from memory.
const GATHER: u32 = 4;
const BOUNDARY: u32 = 9;
const CLASS: u32 = 35;
const SPREAD: u32 = 100;
const EMPTY: u32 = 100;
/// Rules that leave in one step.
const LEAVING: usize = 32;
/// No step costs more, so no slice takes longer by more than that.
const STEP_MOST: u32 = 4 * CLASS;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Rules gathered for the prefixes of a side.
    GatherPrefixes {
        side: usize,
        next: usize,
    },
    /// These prefixes gone through.
    Nest {
        side: usize,
    },
    /// What they cut addresses into made quick to look up.
    Spread {
        side: usize,
    },
    /// Rules gathered for a field of numbers.
    GatherRanges {
        field: usize,
        next: usize,
    },
    /// Its boundaries gone through.
    Sweep {
        field: usize,
    },
    /// What was found with the rules before forgotten.
    Forget,
    Complete,
}

/// A prefix, the last of the rules that have it, and its class.
#[derive(Debug, Clone, Copy)]
struct Nest {
    prefix: Prefix,
    last: Option<u16>,
    class: u16,
}

/// Nested prefixes, the shortest first.
type Nested = ArrayVec<Nest, 130>;

/// An index that is being made.
#[derive(Debug)]
pub(in super::super) struct Build {
    index: Box<Index>,
    stage: Stage,
    /// Rules that reach to where the work stands.
    here: Vector,
    prefixes: BinaryHeap<Reverse<(Prefix, u16)>>,
    nested: Nested,
    /// The rule before that has the same prefix, by position.
    before: Vec<Option<u16>>,
    /// Where ranges begin and end: number, position, whether one begins there. Of the ranges of a rule that meet, one
    /// ends before the other begins.
    boundaries: BinaryHeap<Reverse<(u32, u16, bool)>>,
    /// Where the class that comes next begins.
    begin: u32,
    /// Classes whose vectors have such a hash, perhaps.
    seen: Vec<u16>,
}

const SEEN: usize = 4096;

impl Build {
    pub fn new() -> Self {
        Build {
            index: Box::new(Index::new()),
            stage: Stage::Complete,
            here: Vector::NONE,
            prefixes: BinaryHeap::new(),
            nested: Nested::new_const(),
            before: Vec::new(),
            boundaries: BinaryHeap::new(),
            begin: 0,
            seen: Vec::new(),
        }
    }

    /// Octets of the heap for so many rules, beside those of an index.
    pub fn octets(rules: usize) -> usize {
        let prefix = size_of::<Reverse<(Prefix, u16)>>() + size_of::<Option<u16>>();
        let ends = 8 * size_of::<Reverse<(u32, u16, bool)>>();
        rules * (prefix + ends) + SEEN * size_of::<u16>()
    }

    /// Makes room for `rules`. What is being made is given up.
    pub fn prepare(&mut self, rules: usize) -> Result<(), TryReserveError> {
        self.stage = Stage::Complete;
        self.prefixes.clear();
        self.prefixes.try_reserve_exact(rules)?;
        self.boundaries.clear();
        // Four ranges at most, with two ends each.
        self.boundaries.try_reserve_exact(8 * rules)?;
        self.before.clear();
        self.before.try_reserve_exact(rules)?;
        self.seen.clear();
        self.seen.try_reserve_exact(SEEN)?;
        self.index.prepare(rules)
    }

    /// Begins with rules whose slots these are, in their order; there is room for them.
    pub fn begin(&mut self, order: impl Iterator<Item = u16>) {
        self.index.clear(order);
        self.stage = Stage::GatherPrefixes { side: 0, next: 0 };
        self.here = Vector::NONE;
        self.before.clear();
        self.before.resize(self.index.len(), None);
    }

    /// The index, complete; `old` is what the next one is made from.
    pub fn swap(&mut self, old: &mut Box<Index>) {
        core::mem::swap(&mut self.index, old);
    }

    /// Works on for about `budget` units and counts it down; whether the index is complete. `conditions` tells that of
    /// a rule in a slot.
    pub fn work<'c>(
        &mut self,
        conditions: impl Fn(u16) -> Option<&'c Condition>,
        budget: &mut u32,
    ) -> bool {
        while *budget > 0 {
            let cost = match self.stage {
                Stage::GatherPrefixes { side, next } => self.gather_prefix(side, next, &conditions),
                Stage::Nest { side } => self.nest(side),
                Stage::Spread { side } => self.spread(side),
                Stage::GatherRanges { field, next } => self.gather_ranges(field, next, &conditions),
                Stage::Sweep { field } => self.sweep(field),
                Stage::Forget => self.forget(),
                Stage::Complete => break,
            };
            debug_assert!(cost <= STEP_MOST, "{cost} for a step of {:?}", self.stage);
            *budget = budget.saturating_sub(cost);
        }
        if self.stage == Stage::Complete {
            self.index.settle();
        }
        self.stage == Stage::Complete
    }

    fn gather_prefix<'c>(
        &mut self,
        side: usize,
        next: usize,
        conditions: impl Fn(u16) -> Option<&'c Condition>,
    ) -> u32 {
        let Some(&slot) = self.index.slots.get(next) else {
            return self.end_gathering_prefixes(side);
        };
        self.stage = Stage::GatherPrefixes {
            side,
            next: next + 1,
        };
        // Positions have 12 bits.
        let position = next as u16;
        let condition = conditions(slot);
        let of = condition.map_or(Of::Any, |c| if side == 0 { c.from } else { c.to });
        match of {
            Of::Prefix(prefix) => {
                self.prefixes.push(Reverse((prefix, position)));
                BOUNDARY
            }
            Of::Any => {
                self.here.set(position);
                GATHER
            }
            Of::Table(table) => {
                self.here.set(position);
                self.index.name(Members::of(side, table), position);
                BOUNDARY
            }
        }
    }

    fn end_gathering_prefixes(&mut self, side: usize) -> u32 {
        self.nested.clear();
        let is_used = !self.prefixes.is_empty();
        self.stage = Stage::Nest { side };
        if is_used && let Some((_, classes)) = self.index.sides.get_mut(side) {
            classes.is_used = true;
            // The class of addresses in no prefix.
            let chunks = self.index.slots.len().div_ceil(CHUNK_RULES);
            classes
                .vectors
                .push(self.index.chunks.store(&self.here, chunks));
        }
        CLASS
    }

    /// Takes the next prefix; when its last rule is there, it is a class.
    fn nest(&mut self, side: usize) -> u32 {
        let next = self.prefixes.peek().map(|Reverse((prefix, _))| *prefix);
        if let Some(nest) = self.nested.last().copied()
            && next.is_none_or(|next| !nest.prefix.contains(next.bits()))
        {
            return self.leave(side, nest);
        }
        let Some(Reverse((prefix, position))) = self.prefixes.pop() else {
            self.here = Vector::NONE;
            self.stage = Stage::Spread { side };
            return GATHER;
        };
        let same = { self.nested.last_mut() }.filter(|nest| nest.prefix == prefix);
        let before = same.and_then(|nest| nest.last.replace(position));
        if before.is_none() {
            // Nested prefixes differ in length: 129 at most.
            let _ = self.nested.try_push(Nest {
                prefix,
                last: Some(position),
                class: 0,
            });
        }
        if let Some(link) = self.before.get_mut(usize::from(position)) {
            *link = before;
        }
        self.here.set(position);
        let next = self.prefixes.peek();
        if next.is_some_and(|Reverse((next, _))| *next == prefix) {
            return BOUNDARY;
        }
        let class = self.index.add_prefix(side, prefix, &self.here);
        if let Some(nest) = self.nested.last_mut() {
            nest.class = class;
        }
        BOUNDARY + CLASS
    }

    fn spread(&mut self, side: usize) -> u32 {
        let addresses = self.index.sides.get_mut(side);
        let addresses = addresses.filter(|(_, classes)| classes.is_used);
        if addresses.is_none_or(|(addresses, _)| addresses.spread()) {
            self.stage = if side == 0 {
                Stage::GatherPrefixes { side: 1, next: 0 }
            } else {
                Stage::GatherRanges { field: 0, next: 0 }
            };
        }
        SPREAD
    }

    /// The rules of a prefix reach no further: some at a time, as all may have the same.
    fn leave(&mut self, side: usize, nest: Nest) -> u32 {
        let mut left = nest.last;
        for _ in 0..LEAVING {
            let Some(position) = left else { break };
            self.here.clear(position);
            left = self.before.get(usize::from(position)).copied().flatten();
        }
        if let Some(nest) = self.nested.last_mut().filter(|_| left.is_some()) {
            nest.last = left;
            return BOUNDARY;
        }
        self.nested.pop();
        let outer = self.nested.last().map_or(0, |outer| outer.class);
        if let Some((addresses, _)) = self.index.sides.get_mut(side) {
            addresses.leave(nest.prefix, outer);
        }
        BOUNDARY
    }

    fn gather_ranges<'c>(
        &mut self,
        field: usize,
        next: usize,
        conditions: impl Fn(u16) -> Option<&'c Condition>,
    ) -> u32 {
        let Some(&slot) = self.index.slots.get(next) else {
            self.begin = 0;
            self.seen.clear();
            self.seen.resize(SEEN, u16::MAX);
            self.stage = Stage::Sweep { field };
            return CLASS * 4;
        };
        self.stage = Stage::GatherRanges {
            field,
            next: next + 1,
        };
        // Positions have 12 bits.
        let position = next as u16;
        let field = FIELDS.get(field);
        let wanted = field.and_then(|field| field.wanted(conditions(slot)?));
        let Some(ranges) = wanted else {
            self.here.set(position);
            return GATHER;
        };
        let mut cost = GATHER;
        for (from, to) in ranges {
            self.boundaries
                .push(Reverse((u32::from(from), position, true)));
            self.boundaries
                .push(Reverse((u32::from(to) + 1, position, false)));
            cost += BOUNDARY;
        }
        cost
    }

    /// Takes the next boundary; where the last at a number is taken, a class ends before it.
    fn sweep(&mut self, field: usize) -> u32 {
        let Some((numbers, classes)) = self.index.numbers.get_mut(field) else {
            self.stage = Stage::Forget;
            return GATHER;
        };
        let mut target = Target {
            numbers,
            classes,
            chunks: &mut self.index.chunks,
            seen: &mut self.seen,
            used: self.index.slots.len().div_ceil(CHUNK_RULES),
        };
        let Some(Reverse((at, position, begins))) = self.boundaries.pop() else {
            if self.begin > 0 {
                target.add(self.begin, 1 << 16, &self.here);
            }
            self.here = Vector::NONE;
            self.stage = if field + 1 < FIELDS.len() {
                Stage::GatherRanges {
                    field: field + 1,
                    next: 0,
                }
            } else {
                Stage::Forget
            };
            return CLASS;
        };
        let mut cost = BOUNDARY;
        if at > self.begin || !target.classes.is_used {
            target.classes.is_used = true;
            target.add(self.begin, at, &self.here);
            self.begin = at;
            cost += CLASS;
        }
        if begins {
            self.here.set(position);
        } else {
            self.here.clear(position);
        }
        cost
    }

    fn forget(&mut self) -> u32 {
        if self.index.memo.empty() {
            self.stage = Stage::Complete;
        }
        EMPTY
    }
}

/// Where the classes of a field of numbers go.
struct Target<'a> {
    numbers: &'a mut Numbers,
    classes: &'a mut Classes,
    chunks: &'a mut Chunks,
    seen: &'a mut [u16],
    used: usize,
}

impl Target<'_> {
    /// Numbers `from..to` match the rules of `vector`: a class, perhaps one that was there before.
    fn add(&mut self, from: u32, to: u32, vector: &Vector) {
        if from >= to {
            return;
        }
        let stored = self.chunks.store(vector, self.used);
        let class = self.class(stored);
        self.numbers.extend(from, to, class);
    }

    fn class(&mut self, stored: Stored) -> u16 {
        // The highest bits of a product are its best; below SEEN.
        let place = (stored.hash() >> 52) as usize % SEEN;
        let seen = self.seen.get(place).copied().unwrap_or(u16::MAX);
        // Classes that stand for supersets may differ although they are stored alike.
        if self.chunks.is_exact() && self.classes.vectors.get(usize::from(seen)) == Some(&stored) {
            return seen;
        }
        // There are at most two for each range, and one.
        let class = self.classes.vectors.len().min(usize::from(u16::MAX)) as u16;
        self.classes.vectors.push(stored);
        if let Some(seen) = self.seen.get_mut(place) {
            *seen = class;
        }
        class
    }
}

impl Index {
    fn prepare(&mut self, rules: usize) -> Result<(), TryReserveError> {
        self.slots.clear();
        self.slots.try_reserve_exact(rules)?;
        self.chunks.prepare(rules)?;
        self.naming.clear();
        self.naming.try_reserve_exact(2 * MAX_TABLES)?;
        self.memo.prepare()?;
        for (addresses, classes) in &mut self.sides {
            addresses.prepare(rules)?;
            classes.prepare(rules + 1)?;
        }
        for ((numbers, classes), field) in self.numbers.iter_mut().zip(FIELDS) {
            let ranges = field.most_ranges(rules);
            numbers.prepare(ranges, field.uppers())?;
            classes.prepare(2 * ranges + 1)?;
        }
        Ok(())
    }

    fn clear(&mut self, order: impl Iterator<Item = u16>) {
        self.slots.clear();
        self.slots.extend(order);
        self.chunks.clear();
        self.wanted = Members::NONE;
        self.naming.clear();
        self.named = [UNNAMED; 64];
        self.memo.clear();
        let numbers = self.numbers.iter_mut().map(|(numbers, classes)| {
            numbers.clear();
            classes
        });
        let sides = self.sides.iter_mut().map(|(addresses, classes)| {
            addresses.clear();
            classes
        });
        for classes in sides.chain(numbers) {
            classes.vectors.clear();
            classes.is_used = false;
        }
    }

    /// Says what packets need when all rules are in it.
    fn settle(&mut self) {
        let sides = self.sides.iter().map(|(_, classes)| classes);
        let fields = sides.chain(self.numbers.iter().map(|(_, classes)| classes));
        let mut counts = [0; weights::ALL];
        for (count, classes) in counts.iter_mut().zip(fields) {
            *count = if classes.is_used {
                classes.vectors.len()
            } else {
                0
            };
        }
        self.weights = Weights::of(counts, self.naming.len());
        self.is_choosy = counts != [0; weights::ALL] || !self.naming.is_empty();
    }

    /// The rule at `position` wants an address to be in a table.
    fn name(&mut self, wanted: Members, position: u16) {
        let place = self.named.get_mut(wanted.place());
        if let Some(place) = place.filter(|place| **place == UNNAMED) {
            // Two for each table at most: there is room.
            *place = self.naming.len() as u8;
            self.naming.push((wanted, Vector::NONE));
            self.wanted.add(wanted);
        }
        let place = self.named.get(wanted.place()).copied();
        let naming = place.and_then(|place| self.naming.get_mut(usize::from(place)));
        if let Some((_, vector)) = naming {
            vector.set(position);
        }
    }

    /// Addresses in `prefix`, and in none longer, match the rules of `vector`: gives their class.
    fn add_prefix(&mut self, side: usize, prefix: Prefix, vector: &Vector) -> u16 {
        let chunks = self.slots.len().div_ceil(CHUNK_RULES);
        let Some((addresses, classes)) = self.sides.get_mut(side) else {
            return 0;
        };
        // At most one for each rule, and one.
        let class = classes.vectors.len() as u16;
        classes.vectors.push(self.chunks.store(vector, chunks));
        addresses.enter(prefix, class);
        class
    }
}
