//! What is known of a prefix, in one word.
//!
//! | bits | |
//! |---|---|
//! | 0..24 | its value; 0: it is no prefix of the table, but leads to longer ones |
//! | 24..40 | lengths, of the 16 above its own, that prefixes below it have |
//! | 40 | whether longer ones than these are below it |
//! | 41..49 | its length |
//! | 49..54 | its virtual network |
//! | 54 | there is an entry |
//! | 55..64 | of the first word of a bucket: entries of this bucket that lie elsewhere, 511 for more |

use crate::vn::Vn;

/// Largest value.
pub const VALUE_MAX: u32 = (1 << 24) - 1;

const LENGTHS: u32 = 24;
const DEEPER: u64 = 1 << 40;
const TAG: u64 = 0x3fff << 41;
const THERE: u64 = 1 << 54;
const ELSEWHERE: u32 = 55;
const ELSEWHERE_MAX: u32 = 511;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    /// No entry.
    pub(super) const NONE: Self = Word(0);

    /// An entry without a value that leads nowhere: also what tells it from others.
    #[inline(always)]
    pub(super) const fn of(vn: Vn, length: u8) -> Self {
        Word(THERE | (vn.get() as u64) << 49 | (length as u64) << 41)
    }

    /// What tells it from others.
    #[inline(always)]
    pub(super) const fn tag(self) -> Self {
        Word(self.0 & TAG)
    }

    #[inline(always)]
    pub(super) const fn has_tag(self, tag: Word) -> bool {
        (self.0 ^ tag.0) & TAG == 0
    }

    /// The tag as it goes into a hash: apart from a key's high bits.
    #[inline(always)]
    pub(super) const fn mixed(self) -> u64 {
        (self.0 & TAG) >> 41
    }

    /// It, or [`Word::NONE`]; without a branch.
    #[inline(always)]
    pub(super) const fn only_if(self, wanted: bool) -> Self {
        Word(self.0 & (wanted as u64).wrapping_neg())
    }

    /// Both, of which one is [`Word::NONE`].
    #[inline(always)]
    pub(super) const fn or(self, other: Word) -> Self {
        Word(self.0 | other.0)
    }

    #[inline(always)]
    pub(super) const fn is_some(self) -> bool {
        self.0 & THERE != 0
    }

    #[inline(always)]
    pub(super) const fn value(self) -> u32 {
        (self.0 & VALUE_MAX as u64) as u32
    }

    pub(super) const fn with_value(self, value: u32) -> Self {
        Word(self.0 & !(VALUE_MAX as u64) | (value & VALUE_MAX) as u64)
    }

    /// Bit n: there are prefixes n + 1 bits longer below it.
    #[inline(always)]
    pub(super) const fn lengths(self) -> u16 {
        (self.0 >> LENGTHS) as u16
    }

    /// Whether there are prefixes more than 16 bits longer below it.
    #[inline(always)]
    pub(super) const fn is_deeper(self) -> bool {
        self.0 & DEEPER != 0
    }

    pub(super) const fn leading(self, lengths: u16, deeper: bool) -> Self {
        let without = self.0 & !(0xffff << LENGTHS | DEEPER);
        Word(without | (lengths as u64) << LENGTHS | if deeper { DEEPER } else { 0 })
    }

    /// Whether it says nothing.
    pub(super) const fn is_void(self) -> bool {
        self.value() == 0 && self.lengths() == 0 && !self.is_deeper()
    }

    #[inline(always)]
    pub(super) const fn elsewhere(self) -> u32 {
        (self.0 >> ELSEWHERE) as u32
    }

    pub(super) const fn with_elsewhere(self, count: u32) -> Self {
        let count = if count > ELSEWHERE_MAX {
            ELSEWHERE_MAX
        } else {
            count
        };
        Word(self.0 & !((ELSEWHERE_MAX as u64) << ELSEWHERE) | (count as u64) << ELSEWHERE)
    }

    pub(super) const fn without_elsewhere(self) -> Self {
        self.with_elsewhere(0)
    }
}
