//! Tables: named sets of prefixes, which rules name instead of a prefix.
//!
//! A table exists as long as it has prefixes or rules name it. Whether an address is in one costs the same
//! whatever there is in it.

use alloc::string::{String, ToString};

use pinode_guest_runtime::BURST;

use super::MAX_TABLES;
use super::error::TableError;
use super::members::Members;
use crate::control::item::TableEntry;
use crate::control::matching::check_name;
use crate::control::view::{Cursor, TableView};
use crate::lpm::{Lpm, OutOfMemory};
use crate::packet::Fields;
use crate::prefix::Prefix;
use crate::vn::{VNS, Vn};

// The trie has a root for each table.
const _: () = assert!(MAX_TABLES <= VNS);

/// What the trie tells of a prefix: that it is there.
const THERE: u32 = 1;

/// A table, below [`MAX_TABLES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId(u8);

impl TableId {
    /// Its number, below [`MAX_TABLES`].
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Its root in the trie.
    #[inline]
    const fn root(self) -> Vn {
        // Its number: a table is below 32.
        Vn::of_pih(self.0)
    }

    /// All there can be.
    fn all() -> impl Iterator<Item = Self> {
        (0..).map(TableId).take(MAX_TABLES)
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
    prefixes: Lpm,
    most: Option<usize>,
    changes: u64,
}

impl Tables {
    /// No tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// No tables, with room for so many prefixes and no more.
    ///
    /// # Errors
    ///
    /// There is no memory for them.
    pub fn with_room(prefixes: usize) -> Result<Self, OutOfMemory> {
        Ok(Tables {
            prefixes: Lpm::with_capacity(prefixes)?,
            most: Some(prefixes),
            ..Tables::default()
        })
    }

    /// Octets of heap for so many prefixes.
    pub fn memory(prefixes: usize) -> usize {
        Lpm::memory(prefixes)
    }

    /// How often a prefix was added or removed, or that was tried.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Adds a prefix; in force from the next packet on.
    ///
    /// # Errors
    ///
    /// It is there already; the name is none; there are too many tables or prefixes; no memory is left.
    pub fn add(&mut self, entry: &TableEntry) -> Result<(), TableError> {
        self.changes += 1;
        let id = self.named(&entry.table)?;
        if self.most.is_some_and(|most| self.prefixes.len() >= most)
            && self.prefixes.exact(id.root(), entry.prefix).is_none()
        {
            self.forget_unused(id);
            return Err(TableError::Full(self.prefixes.len()));
        }
        match self.prefixes.insert(id.root(), entry.prefix, THERE) {
            Ok(None) => {
                if let Some(table) = self.table_mut(id) {
                    table.prefixes += 1;
                }
                Ok(())
            }
            Ok(Some(_)) => Err(TableError::Exists {
                table: entry.table.clone(),
                prefix: entry.prefix,
            }),
            Err(OutOfMemory) => {
                self.forget_unused(id);
                Err(TableError::OutOfMemory)
            }
        }
    }

    /// Removes a prefix; in force from the next packet on.
    ///
    /// # Errors
    ///
    /// There is no such prefix or table.
    pub fn remove(&mut self, entry: &TableEntry) -> Result<(), TableError> {
        self.changes += 1;
        let id = self.find(&entry.table)?;
        if self.prefixes.remove(id.root(), entry.prefix).is_none() {
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
        self.prefixes.lookup(table.root(), address) != 0
    }

    /// Octets of the heap that prefixes take.
    pub fn octets(&self) -> usize {
        self.prefixes.octets()
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
        let vn = id.root();
        let entries = match after {
            None => self.prefixes.iter_from(Cursor {
                vn,
                prefix: Prefix::DEFAULT,
            }),
            Some(prefix) => self.prefixes.iter_after(Cursor { vn, prefix }),
        };
        let entries = entries.take_while(move |(at, _)| at.vn == vn);
        Ok(entries.map(move |(at, _)| TableEntry {
            table: table.clone(),
            prefix: at.prefix,
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

    /// Which of the tables `wanted` the addresses of the packets of a burst are in.
    pub(super) fn members_burst(
        &self,
        wanted: Members,
        packets: &[Fields],
        members: &mut [Members; BURST],
    ) {
        let packets = packets.get(..BURST).unwrap_or(packets);
        *members = [Members::NONE; BURST];
        for side in 0..2 {
            let mut keys = [(Vn::default(), 0); BURST];
            for ((_, address), packet) in keys.iter_mut().zip(packets) {
                *address = if side == 0 {
                    packet.source
                } else {
                    packet.destination
                };
            }
            let keys = keys.get_mut(..packets.len()).unwrap_or_default();
            for table in TableId::all() {
                let one = Members::of(side, table);
                if !wanted.contains(one) {
                    continue;
                }
                keys.iter_mut().for_each(|(vn, _)| *vn = table.root());
                let mut values = [0; BURST];
                self.prefixes.lookup_burst(keys, &mut values);
                for (members, value) in members.iter_mut().zip(values) {
                    if value == THERE {
                        members.add(one);
                    }
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
