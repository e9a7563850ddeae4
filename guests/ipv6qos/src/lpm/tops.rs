//! The points at the first 16 bits, of all routing instances: looked up by index, as nearly every look-up passes one.
//!
//! The Internet uses some tens of the 65,536 blocks: each that is used has a number, and words by that number.

use alloc::vec::Vec;

use super::OutOfMemory;
use super::word::Word;
use crate::vn::{VNS, Vn};

const BLOCKS: usize = 1 << 16;
/// Bits of the address that number a block.
pub(super) const BITS: u8 = 16;

/// What is known of one block.
#[derive(Debug, Clone, Copy)]
struct Top {
    words: [Word; VNS],
    /// Numbers of leads.
    leads: [u32; VNS],
}

impl Top {
    const VOID: Self = Top {
        words: [Word::NONE; VNS],
        leads: [0; VNS],
    };
}

/// Where the word of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopPlace {
    block: u16,
    vn: Vn,
}

/// All blocks.
#[derive(Debug, Default)]
pub(super) struct Tops {
    /// By block its number; 0: nobody has anything in it. Empty before the first.
    numbers: Vec<u32>,
    /// By number; 0 is void.
    tops: Vec<Top>,
    free: Vec<u32>,
}

const fn block(high: u64) -> u16 {
    (high >> 48) as u16
}

impl Tops {
    /// The word of the block that an address with these high bits is in.
    #[inline(always)]
    pub(super) fn word(&self, vn: Vn, high: u64) -> Word {
        let number = self.numbers.get(usize::from(block(high)));
        let top = number.and_then(|number| self.tops.get(*number as usize));
        top.map_or(Word::NONE, |top| top.words[vn.index()])
    }

    /// Makes room for one more block.
    pub(super) fn reserve(&mut self) -> Result<(), OutOfMemory> {
        let enough = self
            .numbers
            .try_reserve_exact(BLOCKS - self.numbers.len())
            .is_ok()
            && self.tops.try_reserve(2).is_ok()
            && self
                .free
                .try_reserve(self.tops.len() + 2 - self.free.len())
                .is_ok();
        if !enough {
            return Err(OutOfMemory);
        }
        self.numbers.resize(BLOCKS, 0);
        if self.tops.is_empty() {
            self.tops.push(Top::VOID);
        }
        Ok(())
    }

    fn top(&self, high: u64) -> Option<&Top> {
        self.tops
            .get(*self.numbers.get(usize::from(block(high)))? as usize)
    }

    fn top_mut(&mut self, block: u16) -> Option<&mut Top> {
        let number = *self.numbers.get(usize::from(block))? as usize;
        self.tops.get_mut(number).filter(|_| number != 0)
    }

    /// Where the word is, if there is one.
    pub(super) fn place(&self, vn: Vn, high: u64) -> Option<TopPlace> {
        let word = self.top(high)?.words[vn.index()];
        let block = block(high);
        word.is_some().then_some(TopPlace { block, vn })
    }

    /// Puts a word in where there is none; room was reserved.
    pub(super) fn put(&mut self, vn: Vn, high: u64, word: Word) -> Result<TopPlace, OutOfMemory> {
        let block = block(high);
        let number = self
            .numbers
            .get_mut(usize::from(block))
            .ok_or(OutOfMemory)?;
        if *number == 0 {
            *number = match self.free.pop() {
                Some(free) => free,
                None => {
                    self.tops.push(Top::VOID);
                    // Fits: there are 65,536 blocks.
                    self.tops.len() as u32 - 1
                }
            };
        }
        let place = TopPlace { block, vn };
        self.set(place, word);
        Ok(place)
    }

    pub(super) fn get(&self, place: TopPlace) -> Word {
        let top = self.top(u64::from(place.block) << 48);
        top.map_or(Word::NONE, |top| top.words[place.vn.index()])
    }

    pub(super) fn set(&mut self, place: TopPlace, word: Word) {
        if let Some(top) = self.top_mut(place.block) {
            top.words[place.vn.index()] = word;
        }
    }

    pub(super) fn aside(&self, place: TopPlace) -> u32 {
        let top = self.top(u64::from(place.block) << 48);
        top.map_or(0, |top| top.leads[place.vn.index()])
    }

    pub(super) fn set_aside(&mut self, place: TopPlace, number: u32) {
        if let Some(top) = self.top_mut(place.block) {
            top.leads[place.vn.index()] = number;
        }
    }

    /// Takes a word out.
    pub(super) fn take(&mut self, place: TopPlace) {
        self.set(place, Word::NONE);
        self.set_aside(place, 0);
        let is_void = self
            .top_mut(place.block)
            .is_some_and(|top| top.words.iter().all(|word| !word.is_some()));
        let number = self.numbers.get_mut(usize::from(place.block));
        if let (true, Some(number)) = (is_void, number) {
            self.free.push(core::mem::take(number));
        }
    }

    /// Words there are.
    pub(super) fn used(&self) -> usize {
        self.tops
            .iter()
            .flat_map(|top| &top.words)
            .filter(|word| word.is_some())
            .count()
    }

    /// Octets for tables like the Internet's, which has some tens of blocks in use, and a block a prefix below that.
    pub(super) fn memory(prefixes: usize) -> usize {
        const USED: usize = 128;
        BLOCKS * size_of::<u32>() + prefixes.min(USED) * 2 * size_of::<Top>()
    }

    pub(super) fn octets(&self) -> usize {
        (self.numbers.capacity() + self.free.capacity()) * size_of::<u32>()
            + self.tops.capacity() * size_of::<Top>()
    }
}
