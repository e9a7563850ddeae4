//! Rules in the order of their priorities, and the first of them that a packet matches.
//!
//! ```text
//! condition  what a rule wants of a packet: the meaning of rules, one packet and one rule at a time
//! tables     named sets of prefixes
//! members    which tables the addresses of a packet are in
//! index      what finds the first rule that a packet matches
//! error      why a rule or an entry of a table is refused
//! ```
//!
//! A change is in force when [`Rules::work`] says that nothing is left to do: until then packets meet the rules as
//! they were, all of them, and from then on the rules as they are, all of them.

mod condition;
pub mod error;
mod index;
mod members;
pub mod tables;

use alloc::boxed::Box;
use alloc::collections::{TryReserveError, VecDeque};
use alloc::vec::Vec;
use core::num::NonZeroU16;

use condition::Condition;
pub use condition::Names;
pub use error::{RuleError, TableError};
use index::{Build, Index};
pub use tables::{TableId, Tables};

use pinode_guest_runtime::BURST;

use crate::control::matching::Match;
use crate::packet::Fields;

/// Most rules of an ordered list.
pub const MAX_RULES: usize = 4096;
/// Most tables.
pub const MAX_TABLES: usize = 32;
/// Distance of a rule without a priority to the one before.
pub const PRIORITY_STEP: u32 = 10;
/// What [`Rules::work`] may do between two bursts, in units of 10 ns as they are reckoned for what caches do not hold:
/// some 5 us, 25 us at most. What it took: docs/adr/0018.
pub const SLICE: u32 = 1200;

/// Rules for each that there may be: in the list, in force, or about to be; or so until lately.
const SLOTS: usize = 3;
const _: () = assert!(SLOTS * MAX_RULES <= u16::MAX as usize);
/// Octets of a rule in its box, three times at worst: deleted ones are in force for a while; with names of a table
/// on either side and of an interface.
const RULE_OCTETS: usize = SLOTS * (size_of::<Match>() + 3 * 64);
/// Cost of a rule that is forgotten, of [`SLICE`].
const FORGET: u32 = 20;

/// A rule as a packet finds it: good until the next call of [`Rules::work`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(NonZeroU16);

impl RuleId {
    /// One of no rules.
    #[cfg(test)]
    pub(crate) fn for_tests(number: NonZeroU16) -> Self {
        RuleId(number)
    }

    fn slot(self) -> usize {
        usize::from(self.0.get()) - 1
    }
}

#[derive(Debug)]
struct Slot {
    /// What the rule is, for who lists it.
    wanted: Box<Match>,
    /// The same for who looks for it: beside others', as an index is made from all of them, time and again.
    condition: Condition,
    /// Builds that had begun when it was added: later ones know it.
    builds: u64,
}

/// Rules, each with a payload: what is to be done and what was counted.
#[derive(Debug)]
pub struct Rules<T> {
    /// Most of them.
    most: usize,
    /// Priority and slot, in the order of priorities.
    order: Vec<(u32, u16)>,
    slots: Vec<Option<Slot>>,
    /// By slot, likewise: apart from all that packets do not ask for, so that those of many rules are near.
    payloads: Vec<Option<T>>,
    free: Vec<u16>,
    /// Slots of rules that are in the list no more, the longest ago first.
    retired: VecDeque<u16>,
    /// How many of these are not in force any more.
    gone: usize,
    /// How many were retired before the build began.
    retired_before: usize,
    /// What is in force.
    active: Box<Index>,
    /// What will be.
    build: Box<Build>,
    is_building: bool,
    /// Builds that have begun.
    builds: u64,
    /// How often other rules have come into force.
    swaps: u64,
    /// Whether the list was changed since the build began.
    is_changed: bool,
    /// Whether the last build had no memory.
    is_starved: bool,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Rules<T> {
    /// No rules, and room for [`MAX_RULES`].
    pub fn new() -> Self {
        Self::with_room(MAX_RULES)
    }

    /// No rules, and room for `most`, [`MAX_RULES`] at most.
    pub fn with_room(most: usize) -> Self {
        Rules {
            most: most.min(MAX_RULES),
            order: Vec::new(),
            slots: Vec::new(),
            payloads: Vec::new(),
            free: Vec::new(),
            retired: VecDeque::new(),
            gone: 0,
            retired_before: 0,
            active: Box::new(Index::new()),
            build: Box::new(Build::new()),
            is_building: false,
            builds: 0,
            swaps: 0,
            is_changed: false,
            is_starved: false,
        }
    }

    /// Octets of the heap that so many take at worst, with what finds them and what will.
    pub fn octets(most: usize) -> usize {
        let most = most.min(MAX_RULES);
        if most == 0 {
            return 0;
        }
        let slots = SLOTS
            * most
            * (size_of::<Option<Slot>>() + size_of::<Option<T>>() + 2 * size_of::<u16>());
        let order = most * size_of::<(u32, u16)>();
        most * RULE_OCTETS + slots + order + index::octets(most)
    }

    /// How many there are, in force or not yet.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none, in force or not yet.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Whether none is in force: no packet finds one.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.active.len() == 0
    }

    /// Adds a rule at `priority`, or behind all others; gives its priority. In force when [`work`](Self::work) is
    /// done.
    ///
    /// # Errors
    ///
    /// The priority is taken, a name is unknown, no packet could match, or there is no room.
    pub fn insert(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        priority: Option<u32>,
        wanted: &Match,
        payload: T,
    ) -> Result<u32, RuleError> {
        let priority = match priority {
            Some(priority) => priority,
            None => self.behind_all()?,
        };
        let place = self.place(priority);
        let place = place.err().ok_or(RuleError::Exists(priority))?;
        if self.order.len() >= self.most {
            return Err(RuleError::Full(self.most));
        }
        let slot = self.fill(tables, names, wanted, payload)?;
        self.order.insert(place, (priority, slot));
        (self.is_changed, self.is_starved) = (true, false);
        Ok(priority)
    }

    /// Puts a rule in the place of the one at `priority`, or adds it if there is none. In force when
    /// [`work`](Self::work) is done; the one before is, until then.
    ///
    /// # Errors
    ///
    /// A name is unknown, no packet could match, or there is no room. The one before stays.
    pub fn replace(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        priority: Option<u32>,
        wanted: &Match,
        payload: T,
    ) -> Result<u32, RuleError> {
        let place = priority.and_then(|priority| self.place(priority).ok());
        let Some(place) = place else {
            return self.insert(tables, names, priority, wanted, payload);
        };
        let new = self.fill(tables, names, wanted, payload)?;
        let replaced = self.order.get_mut(place).map(|(priority, slot)| {
            let old = core::mem::replace(slot, new);
            (*priority, old)
        });
        let (priority, old) = replaced.ok_or(RuleError::Unnamed)?;
        self.retire(tables, old);
        (self.is_changed, self.is_starved) = (true, false);
        Ok(priority)
    }

    /// Removes the rule at `priority`. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn remove(&mut self, tables: &mut Tables, priority: u32) -> Result<(), RuleError> {
        let place = self.place(priority);
        let place = place.map_err(|_| RuleError::Missing(priority))?;
        let (_, slot) = self.order.remove(place);
        self.retire(tables, slot);
        (self.is_changed, self.is_starved) = (true, false);
        Ok(())
    }

    /// Works on bringing changes into force, for about as long as `budget` says ([`SLICE`]). True: nothing is
    /// left to do, since all that was changed is in force, or for want of memory ([`is_starved`](Self::is_starved)).
    pub fn work(&mut self, tables: &mut Tables, mut budget: u32) -> bool {
        loop {
            while self.gone > 0 && budget > 0 {
                self.forget(tables);
                budget = budget.saturating_sub(FORGET);
            }
            if !self.is_building && self.gone == 0 {
                if !self.is_changed || self.is_starved {
                    return true;
                }
                self.begin(&mut budget);
                if self.is_starved {
                    return true;
                }
            }
            if budget == 0 || !self.is_building {
                return false;
            }
            let slots = &self.slots;
            if !self.build.work(|slot| condition(slots, slot), &mut budget) {
                return false;
            }
            self.build.swap(&mut self.active);
            self.swaps += 1;
            self.gone = self.retired_before;
            self.is_building = false;
        }
    }

    /// Whether there was no memory to bring what was changed into force: the next change tries again, and rules stay
    /// in force as they were until then. More rules are refused meanwhile if there is still none.
    pub fn is_starved(&self) -> bool {
        self.is_starved
    }

    /// The first rule in force that each packet matches.
    #[inline]
    pub fn first_burst(
        &mut self,
        tables: &Tables,
        packets: &[Fields],
        first: &mut [Option<RuleId>],
    ) {
        for (packets, first) in packets.chunks(BURST).zip(first.chunks_mut(BURST)) {
            let mut found = [0; BURST];
            if !self.is_idle() {
                let slots = &self.slots;
                let condition = |slot| condition(slots, slot);
                self.active
                    .find_burst(condition, tables, packets, &mut found);
            }
            for (first, found) in first.iter_mut().zip(found) {
                *first = NonZeroU16::new(found).map(RuleId);
            }
        }
    }

    /// How often other rules have come into force: as long as it is the same, what packets found can be kept, if
    /// [`Tables::changes`] is the same, too.
    #[inline]
    pub fn swaps(&self) -> u64 {
        self.swaps
    }

    /// What all packets find, if the rules in force look at nothing of them.
    #[inline]
    pub fn common(&self) -> Option<RuleId> {
        NonZeroU16::new(self.active.common()).map(RuleId)
    }

    /// The payload of a rule that a packet found.
    #[inline]
    pub fn payload_mut(&mut self, rule: RuleId) -> Option<&mut T> {
        self.payloads.get_mut(rule.slot())?.as_mut()
    }

    /// Priority, match and payload of the rules behind `after`, in their order, in force or not yet.
    pub fn list(&self, after: Option<u32>) -> impl Iterator<Item = (u32, &Match, &T)> {
        let behind = match after.map(|after| self.place(after)) {
            None => 0,
            Some(Ok(place)) => place + 1,
            Some(Err(place)) => place,
        };
        let behind = self.order.get(behind..).unwrap_or_default();
        behind.iter().filter_map(|(priority, slot)| {
            let (wanted, payload) = self.filled(*slot)?;
            Some((*priority, wanted, payload))
        })
    }

    /// Match and payload of the rule at `priority`, in force or not yet.
    pub fn get(&self, priority: u32) -> Option<(&Match, &T)> {
        let place = self.place(priority).ok()?;
        let (_, slot) = self.order.get(place)?;
        self.filled(*slot)
    }

    /// What a slot is filled with.
    fn filled(&self, slot: u16) -> Option<(&Match, &T)> {
        let filled = self.slots.get(usize::from(slot))?.as_ref()?;
        let payload = self.payloads.get(usize::from(slot))?.as_ref()?;
        Some((&*filled.wanted, payload))
    }

    /// Where `priority` is in the order, or would be.
    fn place(&self, priority: u32) -> Result<usize, usize> {
        self.order.binary_search_by_key(&priority, |(of, _)| *of)
    }

    fn behind_all(&self) -> Result<u32, RuleError> {
        let last = self.order.last().map_or(0, |(priority, _)| *priority);
        let behind = last.checked_add(PRIORITY_STEP);
        behind.ok_or(RuleError::NoPriority(last))
    }

    /// Puts a rule in a free slot; there is room for it in the order, too.
    fn fill(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        wanted: &Match,
        payload: T,
    ) -> Result<u16, RuleError> {
        if self.free.is_empty() && self.slots.len() >= SLOTS * self.most {
            return Err(RuleError::Busy);
        }
        self.reserve().map_err(|_| RuleError::OutOfMemory)?;
        let condition = Condition::resolve(wanted, tables, names)?;
        let filled = Some(Slot {
            wanted: Box::new(wanted.clone()),
            condition,
            builds: self.builds,
        });
        // Below SLOTS.
        let slot = self.free.pop().unwrap_or(self.slots.len() as u16);
        put(&mut self.slots, slot, filled);
        put(&mut self.payloads, slot, Some(payload));
        Ok(slot)
    }

    /// Makes room for all rules that there may be, with the first of them: so no change has to move others later.
    fn reserve(&mut self) -> Result<(), TryReserveError> {
        let more = |most: usize, len: usize| most.saturating_sub(len);
        self.order
            .try_reserve_exact(more(self.most, self.order.len()))?;
        let slots = SLOTS * self.most;
        self.slots
            .try_reserve_exact(more(slots, self.slots.len()))?;
        self.payloads
            .try_reserve_exact(more(slots, self.payloads.len()))?;
        self.free.try_reserve_exact(more(slots, self.free.len()))?;
        // Each slot is free or retired at worst.
        self.retired
            .try_reserve_exact(more(slots, self.retired.len()))?;
        if self.is_building {
            Ok(())
        } else {
            self.build.prepare(self.most)
        }
    }

    /// Begins to make an index of the rules as they are.
    fn begin(&mut self, budget: &mut u32) {
        if self.build.prepare(self.most).is_err() {
            self.is_starved = true;
            return;
        }
        self.build.begin(self.order.iter().map(|(_, slot)| *slot));
        self.retired_before = self.retired.len();
        self.builds += 1;
        (self.is_building, self.is_changed) = (true, false);
        // Copies, of 6 octets a rule, and what is cleared.
        *budget = budget.saturating_sub(100 + self.order.len() as u32 / 8);
    }

    /// Keeps a rule that is not in the list any more as long as it is in force, or may come into force.
    fn retire(&mut self, tables: &mut Tables, slot: u16) {
        let filled = self.slots.get(usize::from(slot)).and_then(Option::as_ref);
        if filled.is_some_and(|filled| filled.builds == self.builds) {
            self.empty(tables, slot);
        } else {
            self.retired.push_back(slot);
        }
    }

    /// Forgets the rule that is not in force any more for longest.
    fn forget(&mut self, tables: &mut Tables) {
        self.gone -= 1;
        if let Some(slot) = self.retired.pop_front() {
            self.empty(tables, slot);
        }
    }

    fn empty(&mut self, tables: &mut Tables, slot: u16) {
        let filled = self.slots.get_mut(usize::from(slot));
        put(&mut self.payloads, slot, None);
        if let Some(filled) = filled.and_then(Option::take) {
            filled.condition.release(tables);
            self.free.push(slot);
        }
    }
}

/// Fills a slot that there is, or the one behind all.
fn put<T>(slots: &mut Vec<Option<T>>, slot: u16, filled: Option<T>) {
    match slots.get_mut(usize::from(slot)) {
        Some(there) => *there = filled,
        None => slots.push(filled),
    }
}

/// The condition of the rule in a slot.
fn condition(slots: &[Option<Slot>], slot: u16) -> Option<&Condition> {
    let slot = slots.get(usize::from(slot))?.as_ref()?;
    Some(&slot.condition)
}
