//! The policers by name and by number.
//!
//! Rules hold numbers, which stay what they are as long as a policer is there, and are never those of another: a rule that
//! was deleted may be in force a little longer. Names are searched in their order.
//!
//! Must never let a policer go that a rule names.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::PolicerError;
use super::policer::Policer;
use crate::control::item;

/// The number of a policer: its slot, and how many the slot had before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicerId {
    slot: u16,
    tenant: u32,
}

/// All policers.
#[derive(Debug)]
pub struct Policers {
    most: usize,
    slots: Vec<Slot>,
    /// Numbers, in the order of the names.
    by_name: Vec<PolicerId>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Policers that were here before.
    tenant: u32,
    /// Rules that name the one that is.
    held: u32,
    policer: Option<Policer>,
}

impl Policers {
    /// Room for `most`, 65536 of them at most; none yet.
    pub fn with_room(most: u32) -> Self {
        let most = most.min(1 << u16::BITS) as usize;
        Policers {
            most,
            slots: Vec::with_capacity(most),
            by_name: Vec::with_capacity(most),
        }
    }

    /// Octets that room for `most` takes, beside those of names.
    pub const fn octets(most: u32) -> u64 {
        most as u64 * (size_of::<Slot>() + size_of::<PolicerId>()) as u64
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// A new one.
    ///
    /// # Errors
    ///
    /// It is wrong, it is there already, or there is no room for it.
    pub fn add(&mut self, item: &item::Policer) -> Result<(), PolicerError> {
        let policer = Policer::new(item)?;
        match self.place(&item.name) {
            Ok(_) => Err(PolicerError::Exists(item.name.clone())),
            Err(place) => self.insert(place, policer),
        }
    }

    /// One in place of that with the same name, which keeps its counters and its rules; a new one, if there is none.
    ///
    /// # Errors
    ///
    /// It is wrong, or there is no room for it.
    pub fn replace(&mut self, item: &item::Policer) -> Result<(), PolicerError> {
        let policer = Policer::new(item)?;
        let place = match self.place(&item.name) {
            Ok(place) => place,
            Err(place) => return self.insert(place, policer),
        };
        let id = self.by_name.get(place).copied();
        if let Some(old) = id.and_then(|id| self.get_mut(id)) {
            *old = policer.in_place_of(old);
        }
        Ok(())
    }

    /// Takes one away that no rule names; gives it as it was configured. `rules` tells those that do.
    ///
    /// # Errors
    ///
    /// It is not there, or rules name it.
    pub fn delete(
        &mut self,
        name: &str,
        rules: impl FnOnce(PolicerId) -> String,
    ) -> Result<item::Policer, PolicerError> {
        let unknown = || PolicerError::Unknown(name.to_string());
        let place = self.place(name).map_err(|_| unknown())?;
        let id = *self.by_name.get(place).ok_or_else(unknown)?;
        let slot = self.slot_mut(id).ok_or_else(unknown)?;
        if slot.held > 0 {
            return Err(PolicerError::Named {
                policer: name.to_string(),
                rules: rules(id),
            });
        }
        let policer = slot.policer.take().ok_or_else(unknown)?;
        slot.tenant = slot.tenant.wrapping_add(1);
        self.by_name.remove(place);
        Ok(policer.item().clone())
    }

    /// The number of the policer with this name.
    pub fn find(&self, name: &str) -> Option<PolicerId> {
        let place = self.place(name).ok()?;
        self.by_name.get(place).copied()
    }

    /// A rule names it from now on.
    pub fn hold(&mut self, id: PolicerId) {
        if let Some(slot) = self.slot_mut(id) {
            slot.held = slot.held.saturating_add(1);
        }
    }

    /// A rule names it no more.
    pub fn release(&mut self, id: PolicerId) {
        if let Some(slot) = self.slot_mut(id) {
            slot.held = slot.held.saturating_sub(1);
        }
    }

    /// The policer of this number, if it is there still.
    pub fn get(&self, id: PolicerId) -> Option<&Policer> {
        let slot = self.slots.get(usize::from(id.slot))?;
        { slot.policer.as_ref() }.filter(|_| slot.tenant == id.tenant)
    }

    /// Likewise, to police a packet.
    #[inline]
    pub fn get_mut(&mut self, id: PolicerId) -> Option<&mut Policer> {
        self.slot_mut(id)?.policer.as_mut()
    }

    /// Those whose names are behind `after`, in the order of the names.
    pub fn list(&self, after: Option<&str>) -> impl Iterator<Item = &Policer> {
        let first = match after.map(|name| self.place(name)) {
            None => 0,
            Some(Ok(place)) => place + 1,
            Some(Err(place)) => place,
        };
        let ids = self.by_name.get(first..).unwrap_or_default();
        ids.iter().filter_map(|id| self.get(*id))
    }

    #[inline]
    fn slot_mut(&mut self, id: PolicerId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::from(id.slot))?;
        (slot.tenant == id.tenant).then_some(slot)
    }

    /// Where the name is among the names, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.by_name
            .binary_search_by(|id| self.get(*id).map_or("", Policer::name).cmp(name))
    }

    /// Puts a policer in a free slot, and its name where it belongs.
    fn insert(&mut self, place: usize, policer: Policer) -> Result<(), PolicerError> {
        let name = policer.name();
        if self.by_name.len() >= self.most {
            return Err(PolicerError::Full {
                policer: name.to_string(),
                most: self.most,
            });
        }
        let free = self.slots.iter().position(|slot| slot.policer.is_none());
        let at = free.unwrap_or(self.slots.len());
        if at == self.slots.len() {
            self.slots.push(Slot::default());
        }
        if let Some(slot) = self.slots.get_mut(at) {
            slot.policer = Some(policer);
            slot.held = 0;
            let id = PolicerId {
                // Below `most`, which is 2^16 at most.
                slot: at as u16,
                tenant: slot.tenant,
            };
            self.by_name.insert(place, id);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "policers_tests.rs"]
mod tests;
