//! Tables: named sets of prefixes, which rules name instead of a prefix.
//!
//! A table exists as long as it has prefixes or rules name it. Whether an address is in one costs the same
//! whatever there is in it.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use core::ops::Bound;

use super::MAX_TABLES;
use super::error::TableError;
use super::members::Members;
use crate::control::item::TableEntry;
use crate::control::matching::check_name;
use crate::control::view::TableView;
use crate::packet::Fields;
use crate::prefix::Prefix;

/// A table, below [`MAX_TABLES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId(u8);

impl TableId {
    /// Its number, below [`MAX_TABLES`].
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }
}

#[derive(Debug)]
struct Table {
    name: String,
    prefixes: u64,
    /// Rules that name it.
    references: u32,
}

/// All tables.
#[derive(Debug, Default)]
pub struct Tables {
    tables: [Option<Table>; MAX_TABLES],
    prefixes: BTreeSet<(TableId, Prefix)>,
}

impl Tables {
    /// No tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a prefix; in force from the next packet on.
    ///
    /// # Errors
    ///
    /// It is there already; the name is none; there are too many tables; no memory is left.
    pub fn add(&mut self, entry: &TableEntry) -> Result<(), TableError> {
        let id = self.named(&entry.table)?;
        if !self.prefixes.insert((id, entry.prefix)) {
            return Err(TableError::Exists {
                table: entry.table.clone(),
                prefix: entry.prefix,
            });
        }
        if let Some(table) = self.table_mut(id) {
            table.prefixes += 1;
        }
        Ok(())
    }

    /// Removes a prefix; in force from the next packet on.
    ///
    /// # Errors
    ///
    /// There is no such prefix or table.
    pub fn remove(&mut self, entry: &TableEntry) -> Result<(), TableError> {
        let id = self.find(&entry.table)?;
        if !self.prefixes.remove(&(id, entry.prefix)) {
            return Err(TableError::Missing {
                table: entry.table.clone(),
                prefix: entry.prefix,
            });
        }
        if let Some(table) = self.table_mut(id) {
            table.prefixes -= 1;
        }
        self.forget_unused(id);
        Ok(())
    }

    /// Whether `address` is in a prefix of `table`.
    pub fn contains(&self, table: TableId, address: u128) -> bool {
        (0..=128).any(|length| {
            self.prefixes
                .contains(&(table, Prefix::of(address, length)))
        })
    }

    /// The tables behind the one named `after`, in the order of their names.
    pub fn list<'a>(&'a self, after: Option<&'a str>) -> impl Iterator<Item = TableView> + 'a {
        let mut last = after;
        core::iter::from_fn(move || {
            let behind = self.tables.iter().flatten();
            let behind = behind.filter(|table| last.is_none_or(|last| *table.name > *last));
            let next = behind.min_by_key(|table| &table.name)?;
            last = Some(&next.name);
            Some(TableView {
                table: next.name.clone(),
                prefixes: next.prefixes,
            })
        })
    }

    /// The prefixes of the table `name` behind `after`, in their order.
    ///
    /// # Errors
    ///
    /// There is no such table.
    pub fn entries(
        &self,
        name: &str,
        after: Option<Prefix>,
    ) -> Result<impl Iterator<Item = TableEntry> + '_, TableError> {
        let id = self.find(name)?;
        let table = name.to_string();
        let from = after.map_or(Bound::Included((id, Prefix::DEFAULT)), |after| {
            Bound::Excluded((id, after))
        });
        let entries = self.prefixes.range((from, Bound::Unbounded));
        let entries = entries.take_while(move |(of, _)| *of == id);
        Ok(entries.map(move |(_, prefix)| TableEntry {
            table: table.clone(),
            prefix: *prefix,
        }))
    }

    /// The table `name`, for a rule that names it; it exists until it is [`release`](Self::release)d.
    pub(super) fn reference(&mut self, name: &str) -> Result<TableId, TableError> {
        let id = self.named(name)?;
        if let Some(table) = self.table_mut(id) {
            table.references += 1;
        }
        Ok(id)
    }

    /// A rule names `table` no more.
    pub(super) fn release(&mut self, id: TableId) {
        if let Some(table) = self.table_mut(id) {
            table.references -= 1;
        }
        self.forget_unused(id);
    }

    /// Which of the tables `wanted` the addresses of packets are in.
    pub(super) fn members_burst(
        &self,
        wanted: Members,
        packets: &[Fields],
        members: &mut [Members],
    ) {
        for (packet, members) in packets.iter().zip(members) {
            *members = Members::default();
            for id in (0..).map(TableId).take(MAX_TABLES) {
                let mut one = Members::default();
                one.add_source(id);
                if wanted.contains(one) && self.contains(id, packet.source) {
                    members.add(one);
                }
                let mut one = Members::default();
                one.add_destination(id);
                if wanted.contains(one) && self.contains(id, packet.destination) {
                    members.add(one);
                }
            }
        }
    }

    fn table_mut(&mut self, id: TableId) -> Option<&mut Table> {
        self.tables.get_mut(usize::from(id.0))?.as_mut()
    }

    fn position(&self, name: &str) -> Option<TableId> {
        let is = |table: &Option<Table>| table.as_ref().is_some_and(|table| table.name == name);
        // Below 32.
        let position = self.tables.iter().position(is)?;
        Some(TableId(position as u8))
    }

    fn find(&self, name: &str) -> Result<TableId, TableError> {
        let found = self.position(name);
        found.ok_or_else(|| TableError::NoTable(name.to_string()))
    }

    /// The table `name`, made if there is none.
    fn named(&mut self, name: &str) -> Result<TableId, TableError> {
        if let Some(id) = self.position(name) {
            return Ok(id);
        }
        check_name("table", name).map_err(TableError::Name)?;
        let free = self.tables.iter_mut().enumerate();
        let (number, free) = { free }
            .find(|(_, table)| table.is_none())
            .ok_or_else(|| TableError::TooMany(name.to_string()))?;
        *free = Some(Table {
            name: name.to_string(),
            prefixes: 0,
            references: 0,
        });
        // Below 32.
        Ok(TableId(number as u8))
    }

    fn forget_unused(&mut self, id: TableId) {
        if let Some(table) = self.tables.get_mut(usize::from(id.0))
            && table
                .as_ref()
                .is_some_and(|table| table.prefixes == 0 && table.references == 0)
        {
            *table = None;
        }
    }
}
