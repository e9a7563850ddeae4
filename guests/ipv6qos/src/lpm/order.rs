//! Prefixes in order, for lists: pieces of a sorted list, each small enough to be moved.

use alloc::vec::Vec;
use core::slice;

use super::OutOfMemory;
use crate::control::view::Cursor;
use crate::prefix::Prefix;
use crate::vn::Vn;

/// Prefixes of a piece at most.
const PIECE: usize = 64;

/// A prefix, in 24 octets; ordered as [`Cursor`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    vn: u8,
    high: u64,
    low: u64,
    length: u8,
}

impl Key {
    fn of(Cursor { vn, prefix }: Cursor) -> Self {
        Key {
            vn: vn.get(),
            high: (prefix.bits() >> 64) as u64,
            low: prefix.bits() as u64,
            length: prefix.length(),
        }
    }

    fn cursor(self) -> Cursor {
        let bits = u128::from(self.high) << 64 | u128::from(self.low);
        Cursor {
            vn: Vn::of_pih(self.vn),
            prefix: Prefix::of(bits, self.length),
        }
    }
}

/// All prefixes in order.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// None is empty; each is in order, and so are they.
    pieces: Vec<Vec<Key>>,
}

fn piece() -> Result<Vec<Key>, OutOfMemory> {
    let mut piece = Vec::new();
    piece.try_reserve_exact(PIECE).map_err(|_| OutOfMemory)?;
    Ok(piece)
}

impl Order {
    /// The piece in which a key is, or would be: the last that does not begin behind it.
    fn piece_of(&self, key: Key) -> usize {
        let behind = |piece: &Vec<Key>| piece.first().is_some_and(|first| *first <= key);
        self.pieces.partition_point(behind).saturating_sub(1)
    }

    /// Puts in a prefix that is not there.
    pub(super) fn insert(&mut self, cursor: Cursor) -> Result<(), OutOfMemory> {
        let key = Key::of(cursor);
        let mut at = self.piece_of(key);
        self.pieces.try_reserve(1).map_err(|_| OutOfMemory)?;
        match self.pieces.get_mut(at) {
            None => {
                self.pieces.push(piece()?);
                at = 0;
            }
            Some(full) if full.len() >= PIECE => {
                let mut half = piece()?;
                // What comes in order leaves full pieces behind.
                let is_last = full.last().is_some_and(|last| *last < key);
                half.extend(full.drain(if is_last { PIECE - 1 } else { PIECE / 2 }..));
                self.pieces.insert(at + 1, half);
                at = self.piece_of(key);
            }
            Some(_) => {}
        }
        if let Some(piece) = self.pieces.get_mut(at) {
            let place = piece.partition_point(|there| *there < key);
            piece.insert(place, key);
        }
        Ok(())
    }

    /// Takes out a prefix that is there.
    pub(super) fn remove(&mut self, cursor: Cursor) {
        let key = Key::of(cursor);
        let at = self.piece_of(key);
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        if let Ok(place) = piece.binary_search(&key) {
            piece.remove(place);
        }
        let left = piece.len();
        if left == 0 {
            self.pieces.remove(at);
        } else if self
            .pieces
            .get(at + 1)
            .is_some_and(|next| left + next.len() <= PIECE / 2)
        {
            let mut next = self.pieces.remove(at + 1);
            if let Some(piece) = self.pieces.get_mut(at) {
                piece.append(&mut next);
            }
        }
    }

    /// Prefixes from this one on; with `behind` without itself.
    pub(super) fn from(&self, cursor: Cursor, behind: bool) -> Prefixes<'_> {
        let key = Key::of(cursor);
        let at = self.piece_of(key);
        let piece = self.pieces.get(at).map_or(&[][..], Vec::as_slice);
        let before = |there: &Key| *there < key || (behind && *there == key);
        let place = piece.partition_point(before);
        Prefixes {
            piece: piece.get(place..).unwrap_or_default().iter(),
            pieces: self.pieces.get(at + 1..).unwrap_or_default().iter(),
        }
    }

    /// Octets of so many prefixes, in pieces that are half full.
    pub(super) fn memory(prefixes: usize) -> usize {
        prefixes * 2 * size_of::<Key>() + (prefixes / PIECE + 1) * 4 * size_of::<Vec<Key>>()
    }

    pub(super) fn octets(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(Vec::capacity).sum();
        pieces * size_of::<Key>() + self.pieces.capacity() * size_of::<Vec<Key>>()
    }
}

/// Prefixes in order.
#[derive(Debug, Clone)]
pub(super) struct Prefixes<'a> {
    piece: slice::Iter<'a, Key>,
    pieces: slice::Iter<'a, Vec<Key>>,
}

impl Iterator for Prefixes<'_> {
    type Item = Cursor;

    fn next(&mut self) -> Option<Cursor> {
        loop {
            if let Some(key) = self.piece.next() {
                return Some(key.cursor());
            }
            self.piece = self.pieces.next()?.iter();
        }
    }
}
