//! Memory of nodes and jumps: segments of a fixed size, so that growing moves nothing and takes no longer in a
//! large table than in a small one. The lowest free place is taken first, and segments at the end that are free
//! are given back.
//!
//! Must never panic for want of memory.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::OutOfMemory;
use super::entry::{Entry, INDICES, Jump, LARGE, Node};

/// Entries of a unit, which is a small node.
const UNIT: usize = 16;
/// Units of a chunk, which is a large node or up to 16 small ones.
const CHUNK_UNITS: usize = 16;
const CHUNK: usize = UNIT * CHUNK_UNITS;
/// Chunks of a segment.
const CHUNKS: usize = 32;
const UNITS_OF_SEGMENT: usize = CHUNKS * CHUNK_UNITS;
/// Jumps of a segment.
const JUMPS: usize = 1024;

type Entries = [[Entry; CHUNK]; CHUNKS];
type Values = [[u32; CHUNK]; CHUNKS];

/// What is free in a segment of nodes.
#[derive(Debug)]
struct Chunks {
    /// Bit by chunk: nothing of it is taken.
    free: u32,
    /// Bit by chunk: it has small nodes, and room for another.
    partial: u32,
    /// Free units of each chunk.
    units: [u16; CHUNKS],
}

impl Chunks {
    const FREE: Self = Chunks {
        free: u32::MAX,
        partial: 0,
        units: [u16::MAX; CHUNKS],
    };
}

/// All nodes. A node has an [`Entry`] for each slot, its fringe, and for each shorter prefix it may hold a word:
/// value and whether the prefix is there, at the prefix's place in a heap-ordered binary tree over the slots
/// (1 the root, `2n` and `2n + 1` below `n`, `slots + slot` the fringe). A look-up reads the fringe alone.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    fringes: Vec<Box<Entries>>,
    inner: Vec<Box<Values>>,
    books: Vec<Chunks>,
    /// Nothing is free in segments before this one.
    first_free: usize,
    /// Units in use.
    taken: usize,
}

/// In a word of a node's inside: the prefix is there.
const OWN: u32 = 1 << 31;

impl Nodes {
    /// The entry of a slot.
    #[inline]
    pub(super) fn at(&self, unit: u32, slot: usize) -> Option<&Entry> {
        let place = unit as usize % UNITS_OF_SEGMENT;
        let segment = self.fringes.get(unit as usize / UNITS_OF_SEGMENT)?;
        // Slots of small nodes are below 16, and large ones begin a chunk: nothing is carried.
        Some(&segment[place / CHUNK_UNITS][((place % CHUNK_UNITS * UNIT) | slot) % CHUNK])
    }

    /// The entry of a slot.
    pub(super) fn fringe(&self, node: Node, slot: usize) -> Entry {
        self.at(node.unit, slot).copied().unwrap_or(Entry::EMPTY)
    }

    /// Sets the entry of a slot.
    pub(super) fn set_fringe(&mut self, node: Node, slot: usize, entry: Entry) {
        let place = node.unit as usize % UNITS_OF_SEGMENT;
        if let Some(segment) = self.fringes.get_mut(node.unit as usize / UNITS_OF_SEGMENT) {
            segment[place / CHUNK_UNITS][((place % CHUNK_UNITS * UNIT) | slot) % CHUNK] = entry;
        }
    }

    /// Value at a place of the binary tree, and whether the prefix of that place is there.
    pub(super) fn value(&self, node: Node, place: usize) -> (u32, bool) {
        if place >= node.slots() {
            let entry = self.fringe(node, place - node.slots());
            return (entry.value(), entry.is_own());
        }
        let at = node.unit as usize % UNITS_OF_SEGMENT;
        let segment = self.inner.get(node.unit as usize / UNITS_OF_SEGMENT);
        let word = segment.map_or(0, |segment| {
            segment[at / CHUNK_UNITS][((at % CHUNK_UNITS * UNIT) | place) % CHUNK]
        });
        (word & !OWN, word & OWN != 0)
    }

    /// Sets both, of this place alone.
    pub(super) fn set_value(&mut self, node: Node, place: usize, value: u32, own: bool) {
        if place >= node.slots() {
            let slot = place - node.slots();
            let entry = self.fringe(node, slot);
            self.set_fringe(node, slot, entry.with_value(value, own));
            return;
        }
        let at = node.unit as usize % UNITS_OF_SEGMENT;
        if let Some(segment) = self.inner.get_mut(node.unit as usize / UNITS_OF_SEGMENT) {
            segment[at / CHUNK_UNITS][((at % CHUNK_UNITS * UNIT) | place) % CHUNK] =
                value | if own { OWN } else { 0 };
        }
    }

    /// Sets the value of the prefix at a place, or takes the prefix out (0), and tells all places below.
    pub(super) fn allot(&mut self, node: Node, place: usize, value: u32) {
        let above = self.value(node, place / 2).0;
        let shown = if value == 0 { above } else { value };
        self.set_value(node, place, shown, value != 0);
        self.spread(node, place);
    }

    /// Gives all places below one, 510 at most, the value of the one above, but those with a prefix of their own.
    pub(super) fn spread(&mut self, node: Node, place: usize) {
        let (mut first, mut count) = (place * 2, 2);
        while first < 2 * node.slots() {
            for below in first..first + count {
                let (_, own) = self.value(node, below);
                if !own {
                    let (above, _) = self.value(node, below / 2);
                    self.set_value(node, below, above, false);
                }
            }
            first *= 2;
            count *= 2;
        }
    }

    /// A node without prefixes and references.
    ///
    /// # Errors
    /// No memory.
    pub(super) fn take(&mut self, depth: u8, stride: u8) -> Result<Node, OutOfMemory> {
        let large = stride == LARGE;
        let fits = |books: &Chunks| books.free != 0 || !large && books.partial != 0;
        let found = self.books.iter().skip(self.first_free).position(fits);
        let segment = match found {
            Some(behind) => self.first_free + behind,
            None => self.grow()?,
        };
        let books = self.books.get_mut(segment).ok_or(OutOfMemory)?;
        if !large {
            self.first_free = segment;
        }
        let from = if large || books.partial == 0 {
            books.free
        } else {
            books.partial
        };
        let chunk = from.trailing_zeros() as usize % CHUNKS;
        let bit = 1 << chunk;
        books.free &= !bit;
        let within = if large {
            books.units[chunk] = 0;
            0
        } else {
            let units = &mut books.units[chunk];
            let within = units.trailing_zeros() as usize;
            *units &= *units - 1;
            if *units == 0 {
                books.partial &= !bit;
            } else {
                books.partial |= bit;
            }
            within
        };
        self.taken += if large { CHUNK_UNITS } else { 1 };
        let unit = (segment * UNITS_OF_SEGMENT + chunk * CHUNK_UNITS + within) as u32;
        Ok(Node {
            unit,
            depth,
            stride,
        })
    }

    /// Takes a node back, and empties it.
    pub(super) fn give_back(&mut self, node: Node) {
        let segment = node.unit as usize / UNITS_OF_SEGMENT;
        let at = node.unit as usize % UNITS_OF_SEGMENT;
        let (chunk, within) = (at / CHUNK_UNITS, at % CHUNK_UNITS);
        let (Some(fringe), Some(inner), Some(books)) = (
            self.fringes.get_mut(segment),
            self.inner.get_mut(segment),
            self.books.get_mut(segment),
        ) else {
            return;
        };
        let place = within * UNIT..within * UNIT + node.slots();
        if let (Some(entries), Some(values)) = (
            fringe[chunk].get_mut(place.clone()),
            inner[chunk].get_mut(place),
        ) {
            entries.fill(Entry::EMPTY);
            values.fill(0);
        }
        let bit = 1 << chunk;
        if node.stride == LARGE {
            books.units[chunk] = u16::MAX;
            self.taken -= CHUNK_UNITS;
        } else {
            books.units[chunk] |= 1 << within;
            self.taken -= 1;
        }
        if books.units[chunk] == u16::MAX {
            books.free |= bit;
            books.partial &= !bit;
        } else {
            books.partial |= bit;
        }
        self.first_free = self.first_free.min(segment);
        self.shrink();
    }

    /// Sees to it that [`Nodes::take`] of small nodes will not fail `count` times, 16 at most.
    ///
    /// # Errors
    /// No memory.
    pub(super) fn reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        if self.books.len() * UNITS_OF_SEGMENT - self.taken < count {
            self.grow()?;
        }
        Ok(())
    }

    fn grow(&mut self) -> Result<usize, OutOfMemory> {
        let segment = self.books.len();
        if (segment + 1) * UNITS_OF_SEGMENT > INDICES as usize {
            return Err(OutOfMemory);
        }
        self.fringes.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.inner.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.books.try_reserve(1).map_err(|_| OutOfMemory)?;
        let fringe = boxed([Entry::EMPTY; CHUNK])?;
        let inner = boxed([0; CHUNK])?;
        self.fringes.push(fringe);
        self.inner.push(inner);
        self.books.push(Chunks::FREE);
        Ok(segment)
    }

    /// Gives back free segments at the end, but one: a table that grows and shrinks around a segment's edge
    /// is not to ask for memory all the time.
    fn shrink(&mut self) {
        let is_free = |books: Option<&Chunks>| books.is_none_or(|books| books.free == u32::MAX);
        if self.taken == 0 {
            *self = Self::default();
            return;
        }
        while self.books.len() > 1
            && is_free(self.books.last())
            && is_free(self.books.iter().nth_back(1))
        {
            self.fringes.pop();
            self.inner.pop();
            self.books.pop();
        }
    }

    /// Memory held, octets.
    pub(super) fn octets(&self) -> usize {
        self.books.len() * (size_of::<Entries>() + size_of::<Values>())
            + self.books.capacity() * size_of::<Chunks>()
            + (self.fringes.capacity() + self.inner.capacity()) * size_of::<usize>()
    }
}

/// `N` times `value`, on the heap and never on the stack.
pub(super) fn boxed<T: Clone, const N: usize>(value: T) -> Result<Box<[T; N]>, OutOfMemory> {
    let mut list = Vec::new();
    list.try_reserve_exact(N).map_err(|_| OutOfMemory)?;
    list.resize(N, value);
    Box::try_from(list).map_err(|_| OutOfMemory)
}

/// All jumps.
#[derive(Debug, Default)]
pub(super) struct Jumps {
    segments: Vec<Box<[Jump; JUMPS]>>,
    books: Vec<FreeJumps>,
    /// Nothing is free in segments before this one.
    first_free: usize,
    taken: usize,
}

/// Free jumps of a segment: a bit each, and how many.
#[derive(Debug)]
struct FreeJumps {
    bits: [u64; JUMPS / 64],
    count: usize,
}

impl Jumps {
    /// A jump.
    #[inline]
    pub(super) fn at(&self, index: u32) -> Option<&Jump> {
        let segment = self.segments.get(index as usize / JUMPS)?;
        Some(&segment[index as usize % JUMPS])
    }

    /// A jump, to be changed.
    pub(super) fn at_mut(&mut self, index: u32) -> Option<&mut Jump> {
        let segment = self.segments.get_mut(index as usize / JUMPS)?;
        Some(&mut segment[index as usize % JUMPS])
    }

    /// Takes a place and puts `jump` there.
    ///
    /// # Errors
    /// No memory.
    pub(super) fn take(&mut self, jump: Jump) -> Result<u32, OutOfMemory> {
        let room = |books: &FreeJumps| books.count != 0;
        let found = self.books.iter().skip(self.first_free).position(room);
        self.first_free = match found {
            Some(behind) => self.first_free + behind,
            None => self.grow()?,
        };
        let books = self.books.get_mut(self.first_free).ok_or(OutOfMemory)?;
        let word = books.bits.iter().position(|bits| *bits != 0);
        let word = word.ok_or(OutOfMemory)?;
        let bits = &mut books.bits[word];
        let bit = bits.trailing_zeros() as usize;
        *bits &= *bits - 1;
        books.count -= 1;
        self.taken += 1;
        let index = (self.first_free * JUMPS + word * 64 + bit) as u32;
        if let Some(place) = self.at_mut(index) {
            *place = jump;
        }
        Ok(index)
    }

    /// Takes a place back.
    pub(super) fn give_back(&mut self, index: u32) {
        let (segment, at) = (index as usize / JUMPS, index as usize % JUMPS);
        if let Some(books) = self.books.get_mut(segment) {
            books.bits[at / 64] |= 1 << (at % 64);
            books.count += 1;
            self.taken -= 1;
            self.first_free = self.first_free.min(segment);
            self.shrink();
        }
    }

    /// Sees to it that [`Jumps::take`] will not fail `count` times, 1024 at most.
    ///
    /// # Errors
    /// No memory.
    pub(super) fn reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        if self.segments.len() * JUMPS - self.taken < count {
            self.grow()?;
        }
        Ok(())
    }

    fn grow(&mut self) -> Result<usize, OutOfMemory> {
        let segment = self.books.len();
        if (segment + 1) * JUMPS > INDICES as usize {
            return Err(OutOfMemory);
        }
        self.segments.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.books.try_reserve(1).map_err(|_| OutOfMemory)?;
        let jumps = boxed(Jump::EMPTY)?;
        self.segments.push(jumps);
        self.books.push(FreeJumps {
            bits: [u64::MAX; JUMPS / 64],
            count: JUMPS,
        });
        Ok(segment)
    }

    /// As [`Nodes::shrink`].
    fn shrink(&mut self) {
        let is_free = |books: Option<&FreeJumps>| books.is_none_or(|books| books.count == JUMPS);
        if self.taken == 0 {
            *self = Self::default();
            return;
        }
        while self.books.len() > 1
            && is_free(self.books.last())
            && is_free(self.books.iter().nth_back(1))
        {
            self.segments.pop();
            self.books.pop();
        }
    }

    /// Memory held, octets.
    pub(super) fn octets(&self) -> usize {
        self.books.len() * size_of::<[Jump; JUMPS]>()
            + self.books.capacity() * size_of::<FreeJumps>()
            + self.segments.capacity() * size_of::<usize>()
    }
}
