//! Which tables the addresses of a packet are in.

use super::MAX_TABLES;
use super::tables::TableId;

// A bit per table.
const _: () = assert!(MAX_TABLES <= 32);

/// Tables: those that the source of a packet is in, or is to be in, and those for its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Members {
    pub(super) source: u32,
    pub(super) destination: u32,
}

impl Members {
    /// No tables.
    pub(super) const NONE: Self = Members {
        source: 0,
        destination: 0,
    };

    /// `table`, for the source (0) or the destination.
    pub(super) fn of(side: usize, table: TableId) -> Self {
        let mut members = Self::NONE;
        if side == 0 {
            members.add_source(table);
        } else {
            members.add_destination(table);
        }
        members
    }

    #[inline]
    pub(super) const fn word(self) -> u64 {
        (self.source as u64) << 32 | self.destination as u64
    }

    #[inline]
    pub(super) const fn of_word(word: u64) -> Self {
        Members {
            source: (word >> 32) as u32,
            destination: word as u32,
        }
    }

    /// The source is in `table`.
    #[inline]
    pub(super) fn add_source(&mut self, table: TableId) {
        self.source |= 1 << table.get();
    }

    /// The destination is in `table`.
    #[inline]
    pub(super) fn add_destination(&mut self, table: TableId) {
        self.destination |= 1 << table.get();
    }

    /// Of the one table for the one side that these are: below twice [`MAX_TABLES`].
    pub(super) const fn place(self) -> usize {
        self.word().trailing_zeros() as usize
    }

    /// Those of `other`, too.
    pub(super) fn add(&mut self, other: Members) {
        self.source |= other.source;
        self.destination |= other.destination;
    }

    /// Whether all of `other` are among these.
    #[inline]
    pub(super) const fn contains(self, other: Members) -> bool {
        other.source & !self.source == 0 && other.destination & !self.destination == 0
    }
}
