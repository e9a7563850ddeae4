//! Rules in the order of their priorities, and the first of them that a packet matches.
//!
//! ```text
//! condition  what a rule wants of a packet: the meaning of rules, one packet and one rule at a time
//! tables     named sets of prefixes
//! members    which tables the addresses of a packet are in
//! error      why a rule or an entry of a table is refused
//! ```
//!
//! A change is in force when [`Rules::work`] says that nothing is left to do: until then packets meet the rules as
//! they were, all of them, and from then on the rules as they are, all of them.

mod condition;
pub mod error;
mod members;
pub mod tables;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use condition::Condition;
pub use condition::Names;
pub use error::{RuleError, TableError};
use members::Members;
pub use tables::{TableId, Tables};

use crate::control::matching::Match;
use crate::packet::Fields;

/// Most rules of an ordered list.
pub const MAX_RULES: usize = 4096;
/// Most tables.
pub const MAX_TABLES: usize = 32;
/// Distance of a rule without a priority to the one before.
pub const PRIORITY_STEP: u32 = 10;
/// Work that takes at most about 30 us: what [`Rules::work`] may do between two bursts.
pub const SLICE: u32 = 100;

/// A rule as a packet finds it: good until the next call of [`Rules::work`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(NonZeroU16);

impl RuleId {
    fn new(slot: u16) -> Option<Self> {
        NonZeroU16::new(slot.checked_add(1)?).map(RuleId)
    }

    fn slot(self) -> usize {
        usize::from(self.0.get()) - 1
    }
}

/// What a rule is, for who lists it.
#[derive(Debug)]
struct Rule {
    wanted: Match,
    condition: Condition,
}

#[derive(Debug)]
struct Slot<T> {
    rule: Box<Rule>,
    payload: T,
}

/// Rules, each with a payload: what is to be done and what was counted.
#[derive(Debug)]
pub struct Rules<T> {
    /// Priority and slot, in the order of priorities.
    order: Vec<(u32, u16)>,
    slots: Vec<Option<Slot<T>>>,
    /// Tables that rules name.
    wanted: Members,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Rules<T> {
    /// No rules.
    pub const fn new() -> Self {
        Rules {
            order: Vec::new(),
            slots: Vec::new(),
            wanted: Members {
                source: 0,
                destination: 0,
            },
        }
    }

    /// How many there are, in force or not yet.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none, and none is in force.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
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
        if self.order.len() >= MAX_RULES {
            return Err(RuleError::Full);
        }
        let slot = self.fill(tables, names, wanted, payload)?;
        self.order.insert(place, (priority, slot));
        Ok(priority)
    }

    /// Puts a rule in the place of the one at `priority`, or adds it if there is none. In force when
    /// [`work`](Self::work) is done.
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
        let old = self.order.get_mut(place).map(|(priority, slot)| {
            let old = core::mem::replace(slot, new);
            (*priority, old)
        });
        let (priority, old) = old.ok_or(RuleError::Unnamed)?;
        self.empty(tables, old);
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
        self.empty(tables, slot);
        Ok(())
    }

    /// Works on bringing changes into force, `budget` of work at most ([`SLICE`]: about 30 us). True: all that was
    /// changed is in force.
    pub fn work(&mut self, _tables: &mut Tables, _budget: u32) -> bool {
        true
    }

    /// The first rule in force that each packet matches.
    pub fn first_burst(
        &mut self,
        tables: &Tables,
        packets: &[Fields],
        first: &mut [Option<RuleId>],
    ) {
        for (packet, first) in packets.iter().zip(first) {
            let mut members = [Members::default()];
            tables.members_burst(self.wanted, core::slice::from_ref(packet), &mut members);
            let [members] = members;
            let slots = self.order.iter().map(|(_, slot)| *slot);
            let found = { slots }.find(|slot| {
                let slot = self.slots.get(usize::from(*slot)).and_then(Option::as_ref);
                slot.is_some_and(|slot| slot.rule.condition.matches(packet, members))
            });
            *first = found.and_then(RuleId::new);
        }
    }

    /// The payload of a rule that a packet found.
    #[inline]
    pub fn payload_mut(&mut self, rule: RuleId) -> Option<&mut T> {
        let slot = self.slots.get_mut(rule.slot())?.as_mut()?;
        Some(&mut slot.payload)
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
            let slot = self.slots.get(usize::from(*slot))?.as_ref()?;
            Some((*priority, &slot.rule.wanted, &slot.payload))
        })
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

    /// Puts a rule in a free slot.
    fn fill(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        wanted: &Match,
        payload: T,
    ) -> Result<u16, RuleError> {
        let condition = Condition::resolve(wanted, tables, names)?;
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            if self.slots.try_reserve(1).is_err() {
                condition.release(tables);
                return Err(RuleError::OutOfMemory);
            }
            self.slots.push(None);
        }
        if let Some(free) = self.slots.get_mut(slot) {
            let wanted = wanted.clone();
            *free = Some(Slot {
                rule: Box::new(Rule { wanted, condition }),
                payload,
            });
        }
        self.wanted.add(condition.members());
        // Below twice the number of rules.
        Ok(slot as u16)
    }

    fn empty(&mut self, tables: &mut Tables, slot: u16) {
        let slot = self.slots.get_mut(usize::from(slot));
        if let Some(slot) = slot.and_then(Option::take) {
            slot.rule.condition.release(tables);
        }
    }
}
