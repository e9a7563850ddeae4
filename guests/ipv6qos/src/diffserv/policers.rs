//! The policers by name and by number.
//!
//! Rules hold numbers, which stay what they are as long as a policer is there. Names are searched in their order; room
//! for all is there from the beginning. Must never give a number away that a rule still holds.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::PolicerError;
use super::policer::Policer;
use crate::control::item;

/// Most policers.
pub const MOST_POLICERS: usize = 1024;

/// The number of a policer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicerId(u16);

/// All policers.
#[derive(Debug, Default)]
pub struct Policers {
    slots: Vec<Option<Slot>>,
    /// Numbers, in the order of the names.
    by_name: Vec<PolicerId>,
}

#[derive(Debug)]
struct Slot {
    policer: Policer,
    /// Rules that hold its number.
    held: u32,
}

impl Policers {
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
        let Err(place) = self.place(&item.name) else {
            return Err(PolicerError::Exists(item.name.to_string()));
        };
        let id = self.free_slot(&item.name)?;
        self.by_name.insert(place, id);
        if let Some(slot) = self.slots.get_mut(usize::from(id.0)) {
            *slot = Some(Slot { policer, held: 0 });
        }
        Ok(())
    }

    /// One in place of that with the same name, which keeps its counters and its rules; a new one, if there is none.
    ///
    /// # Errors
    ///
    /// It is wrong, or there is no room for it.
    pub fn replace(&mut self, item: &item::Policer) -> Result<(), PolicerError> {
        let policer = Policer::new(item)?;
        match self.find(&item.name).and_then(|id| self.slot_mut(id)) {
            Some(slot) => {
                slot.policer = policer.in_place_of(&slot.policer);
                Ok(())
            }
            None => self.add(item),
        }
    }

    /// Takes one away that no rule holds; gives it as it was configured. `rules` names those that hold it.
    ///
    /// # Errors
    ///
    /// It is not there, or rules hold it.
    pub fn delete(
        &mut self,
        name: &str,
        rules: impl FnOnce(PolicerId) -> String,
    ) -> Result<item::Policer, PolicerError> {
        let unknown = || PolicerError::Unknown(name.to_string());
        let place = self.place(name).map_err(|_| unknown())?;
        let id = *self.by_name.get(place).ok_or_else(unknown)?;
        let slot = self.slots.get_mut(usize::from(id.0)).ok_or_else(unknown)?;
        match slot.take_if(|slot| slot.held == 0) {
            Some(slot) => {
                self.by_name.remove(place);
                Ok(slot.policer.item().clone())
            }
            None => Err(PolicerError::Named {
                policer: name.to_string(),
                rules: rules(id),
            }),
        }
    }

    /// The number of the policer with this name.
    pub fn find(&self, name: &str) -> Option<PolicerId> {
        let place = self.place(name).ok()?;
        self.by_name.get(place).copied()
    }

    /// A rule holds its number from now on.
    pub fn hold(&mut self, id: PolicerId) {
        if let Some(slot) = self.slot_mut(id) {
            slot.held = slot.held.saturating_add(1);
        }
    }

    /// A rule holds its number no more.
    pub fn release(&mut self, id: PolicerId) {
        if let Some(slot) = self.slot_mut(id) {
            slot.held = slot.held.saturating_sub(1);
        }
    }

    /// The policer of this number.
    #[inline]
    pub fn get_mut(&mut self, id: PolicerId) -> Option<&mut Policer> {
        self.slot_mut(id).map(|slot| &mut slot.policer)
    }

    /// Those whose names are behind `after`, in the order of the names.
    pub fn list(&self, after: Option<&str>) -> impl Iterator<Item = &Policer> {
        let first = match after.map(|name| self.place(name)) {
            None => 0,
            Some(Ok(place)) => place + 1,
            Some(Err(place)) => place,
        };
        let ids = self.by_name.get(first..).unwrap_or(&[]);
        ids.iter().filter_map(|id| self.policer(*id))
    }

    fn policer(&self, id: PolicerId) -> Option<&Policer> {
        let slot = self.slots.get(usize::from(id.0))?.as_ref()?;
        Some(&slot.policer)
    }

    #[inline]
    fn slot_mut(&mut self, id: PolicerId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(id.0))?.as_mut()
    }

    /// Where the name is among the names, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.by_name
            .binary_search_by(|id| self.policer(*id).map_or("", Policer::name).cmp(name))
    }

    /// A number that nothing has, with room for it.
    fn free_slot(&mut self, name: &str) -> Result<PolicerId, PolicerError> {
        let memory = |_| PolicerError::Memory(name.to_string());
        if self.by_name.len() >= MOST_POLICERS {
            return Err(PolicerError::Full {
                policer: name.to_string(),
                most: MOST_POLICERS,
            });
        }
        self.by_name.try_reserve(1).map_err(memory)?;
        let free = self.slots.iter().position(Option::is_none);
        let index = match free {
            Some(index) => index,
            None => {
                self.slots.try_reserve(1).map_err(memory)?;
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        // Below MOST_POLICERS, which 16 bits hold.
        Ok(PolicerId(index as u16))
    }
}
