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
