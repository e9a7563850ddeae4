//! Which octets of a packet are there, in units of eight (RFC 8200 4.5), and where fragments begin.

use core::ops::Range;

use super::MOST;

/// Units of the longest packet.
const UNITS: usize = MOST.div_ceil(8);
const WORDS: usize = UNITS.div_ceil(64);

/// A bit for each unit.
#[derive(Debug, Clone, Copy)]
struct Bits([u64; WORDS]);

impl Bits {
    const NONE: Self = Bits([0; WORDS]);

    fn has(&self, unit: usize) -> bool {
        self.0
            .get(unit / 64)
            .is_some_and(|word| word >> (unit % 64) & 1 != 0)
    }

    fn set(&mut self, units: Range<usize>) {
        for (word, mask) in self.0.iter_mut().zip(masks(&units)) {
            *word |= mask;
        }
    }

    fn has_any(&self, units: &Range<usize>) -> bool {
        self.0
            .iter()
            .zip(masks(units))
            .any(|(word, mask)| word & mask != 0)
    }

    fn has_all(&self, units: &Range<usize>) -> bool {
        self.0
            .iter()
            .zip(masks(units))
            .all(|(word, mask)| word & mask == mask)
    }
}

/// The bits of `units` in each word.
fn masks(units: &Range<usize>) -> impl Iterator<Item = u64> {
    let below = |unit: usize, word: usize| match unit.saturating_sub(word * 64) {
        0 => 0,
        few @ 1..64 => (1u64 << few) - 1,
        _ => u64::MAX,
    };
    let (start, end) = (units.start, units.end);
    (0..WORDS).map(move |word| below(end, word) & !below(start, word))
}

/// What of a packet is there.
#[derive(Debug, Clone)]
pub struct Covered {
    there: Bits,
    /// Units that a fragment begins with.
    starts: Bits,
}

impl Default for Covered {
    fn default() -> Self {
        Covered {
            there: Bits::NONE,
            starts: Bits::NONE,
        }
    }
}

impl Covered {
    /// Adds a fragment. False, and nothing done, if something of it is there already, or it reaches behind [`MOST`].
    pub fn add(&mut self, octets: &Range<usize>) -> bool {
        let units = units(octets);
        if octets.end > MOST || units.is_empty() || self.there.has_any(&units) {
            return false;
        }
        self.starts.set(units.start..units.start + 1);
        self.there.set(units);
        true
    }

    /// Whether these octets came as one fragment.
    pub fn has_fragment(&self, octets: &Range<usize>) -> bool {
        let units = units(octets);
        octets.end <= MOST
            && !units.is_empty()
            && self.there.has_all(&units)
            && self.starts.has(units.start)
            && !self.starts.has_any(&(units.start + 1..units.end))
            && (self.starts.has(units.end) || !self.there.has(units.end))
    }
}

/// The units that these octets touch.
fn units(octets: &Range<usize>) -> Range<usize> {
    octets.start / 8..octets.end.div_ceil(8)
}
