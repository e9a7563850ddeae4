//! Bit vectors over positions of rules, in chunks that classes share.
//!
//! A class of a field has the rules that its values match as a vector of bits, the first rule lowest. Vectors of
//! neighbouring classes differ in few places, so they are made of chunks of a cache line, and equal chunks are
//! mostly stored once. Should the store be full, a chunk of ones stands for what does not fit: a superset, as
//! [`Chunks::is_exact`] says, and rules that are found must be looked at once more.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use super::super::MAX_RULES;

const WORDS: usize = 8;
/// Rules of a chunk.
pub(super) const CHUNK_RULES: usize = WORDS * 64;
/// Chunks of a vector.
pub(super) const CHUNKS: usize = MAX_RULES / CHUNK_RULES;
const _: () = assert!(CHUNKS * CHUNK_RULES == MAX_RULES);

/// A part of a vector: a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Chunk([u64; WORDS]);

impl Chunk {
    pub const NONE: Self = Chunk([0; WORDS]);
    pub const ALL: Self = Chunk([u64::MAX; WORDS]);

    /// The first `rules` of it.
    #[inline]
    pub fn first(rules: usize) -> Self {
        let mut at = 0;
        Chunk([(); WORDS].map(|()| {
            let here = rules.saturating_sub(at).min(64);
            at += 64;
            if here == 64 {
                u64::MAX
            } else {
                (1 << here) - 1
            }
        }))
    }

    #[inline]
    pub fn keep(&mut self, other: &Chunk) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= other;
        }
    }

    #[inline]
    pub fn without(&mut self, other: &Chunk) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= !other;
        }
    }

    /// The positions in it, in their order.
    #[inline]
    pub fn positions(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(at, mut word)| {
            core::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                let any = word != 0;
                word &= word.wrapping_sub(1);
                any.then_some(at * 64 + bit)
            })
        })
    }

    fn hash(&self) -> u64 {
        self.0.iter().fold(0, |hash, word| {
            (hash ^ word)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
        })
    }
}

/// A vector that is being worked on.
#[derive(Debug, Clone)]
pub(super) struct Vector([Chunk; CHUNKS]);

impl Vector {
    pub const NONE: Self = Vector([Chunk::NONE; CHUNKS]);

    pub fn set(&mut self, position: u16) {
        let (word, bit) = self.word(position);
        *word |= bit;
    }

    pub fn clear(&mut self, position: u16) {
        let (word, bit) = self.word(position);
        *word &= !bit;
    }

    #[inline]
    pub fn chunk(&self, number: usize) -> &Chunk {
        self.0.get(number).unwrap_or(&Chunk::NONE)
    }

    fn word(&mut self, position: u16) -> (&mut u64, u64) {
        let position = usize::from(position) % MAX_RULES;
        let chunk = &mut self.0[position / CHUNK_RULES];
        let word = &mut chunk.0[position % CHUNK_RULES / 64];
        (word, 1 << (position % 64))
    }
}

/// A stored vector: a chunk each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored([u16; CHUNKS]);

impl Stored {
    #[inline]
    pub fn chunk(&self, number: usize) -> u16 {
        self.0.get(number).copied().unwrap_or(ALL)
    }

    pub fn hash(&self) -> u64 {
        self.0.iter().fold(0, |hash, chunk| {
            (hash ^ u64::from(*chunk))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
        })
    }
}

/// The chunk of ones.
const ALL: u16 = 0;
/// Places of the memory of what is stored.
const SEEN: usize = 4096;

/// Chunks that are stored.
#[derive(Debug)]
pub(super) struct Chunks {
    chunks: Vec<Chunk>,
    /// Where a chunk of such a hash is stored, perhaps.
    seen: Vec<u16>,
    exact: bool,
}

impl Chunks {
    pub const fn new() -> Self {
        Chunks {
            chunks: Vec::new(),
            seen: Vec::new(),
            exact: true,
        }
    }

    /// Chunks for so many rules: eight fields, most of which differ by a chunk from rule to rule at most. A number of
    /// 16 bits.
    fn room(rules: usize) -> usize {
        (64 + 8 * rules).min(1 << 16)
    }

    /// Octets of the heap for so many rules.
    pub fn octets(rules: usize) -> usize {
        Self::room(rules) * size_of::<Chunk>() + SEEN * size_of::<u16>()
    }

    /// Makes room for the vectors of so many rules; what is stored is forgotten.
    pub fn prepare(&mut self, rules: usize) -> Result<(), TryReserveError> {
        self.chunks.clear();
        self.chunks.try_reserve_exact(Self::room(rules))?;
        self.seen.clear();
        self.seen.try_reserve_exact(SEEN)
    }

    /// Forgets what is stored.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.chunks.push(Chunk::ALL);
        self.seen.clear();
        self.seen.resize(SEEN, ALL);
        self.exact = true;
    }

    /// Whether all vectors are exact; else some are supersets.
    #[inline]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    #[inline]
    pub fn get(&self, number: u16) -> &Chunk {
        self.chunks.get(usize::from(number)).unwrap_or(&Chunk::ALL)
    }

    /// Stores the first `chunks` chunks of `vector`.
    pub fn store(&mut self, vector: &Vector, chunks: usize) -> Stored {
        let mut stored = [ALL; CHUNKS];
        for (stored, chunk) in stored.iter_mut().zip(&vector.0).take(chunks) {
            *stored = self.store_chunk(chunk);
        }
        Stored(stored)
    }

    fn store_chunk(&mut self, chunk: &Chunk) -> u16 {
        // The highest bits of a product are its best; below SEEN.
        let place = (chunk.hash() >> 52) as usize % SEEN;
        let seen = self.seen.get(place).copied().unwrap_or(ALL);
        if self.get(seen) == chunk {
            return seen;
        }
        let number = u16::try_from(self.chunks.len());
        let Some(number) = number
            .ok()
            .filter(|_| self.chunks.len() < self.chunks.capacity())
        else {
            self.exact = false;
            return ALL;
        };
        self.chunks.push(*chunk);
        if let Some(seen) = self.seen.get_mut(place) {
            *seen = number;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal chunks are stored once; what does not fit is a superset, and is said to be.
    #[test]
    fn a_full_store_gives_supersets() {
        let mut chunks = Chunks::new();
        chunks.prepare(1).unwrap();
        chunks.clear();
        let room = chunks.chunks.capacity() - 1;
        let mut vector = Vector::NONE;
        for position in 0..room as u16 {
            vector.set(position);
            let stored = chunks.store(&vector, 1);
            assert_eq!(chunks.get(stored.chunk(0)), vector.chunk(0));
            assert_eq!(chunks.store(&vector, 1), stored);
        }
        assert!(chunks.is_exact());
        vector.clear(0);
        let stored = chunks.store(&vector, 1);
        assert!(!chunks.is_exact());
        assert_eq!(*chunks.get(stored.chunk(0)), Chunk::ALL);
        assert_eq!(*chunks.get(stored.chunk(1)), Chunk::ALL);
    }

    #[test]
    fn positions_come_in_order() {
        let mut vector = Vector::NONE;
        for position in [511, 64, 0, 63, 200] {
            vector.set(position);
        }
        assert!(vector.chunk(0).positions().eq([0, 63, 64, 200, 511]));
        for rules in [0, 1, 63, 64, 65, 511, 512] {
            assert!(Chunk::first(rules).positions().eq(0..rules));
        }
        assert!(Chunk::first(600).positions().eq(0..512));
    }
}
