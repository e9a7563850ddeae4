//! A histogram of ticks with 64 cells for each doubling: a value is known to 1.6 %.

/// log2 of the cells of a doubling.
const BITS: u32 = 6;
/// Cells for every value of 64 bits.
pub(super) const CELLS: usize = 64 << BITS;

/// The cell of a value: the value itself below 64, above its exponent and 6 bits of its mantissa.
#[inline]
pub(super) fn cell(value: u64) -> usize {
    if value < 1 << BITS {
        return value as usize;
    }
    let top = 63 - value.leading_zeros();
    let mantissa = (value >> (top - BITS)) as usize & ((1 << BITS) - 1);
    ((top - BITS + 1) as usize) << BITS | mantissa
}

/// The largest value of a cell.
fn upper(cell: usize) -> u64 {
    let exponent = (cell >> BITS) as u32;
    if exponent == 0 {
        return cell as u64;
    }
    let mantissa = (cell & ((1 << BITS) - 1)) as u128 | 1 << BITS;
    let next = (mantissa + 1) << (exponent - 1);
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

/// Latencies of a trial.
#[derive(Debug, Clone)]
pub struct Cells {
    counts: Vec<u64>,
    hz: u64,
}

impl Cells {
    /// None yet; `hz` ticks (at least 1) are a second.
    #[must_use]
    pub fn new(hz: u64) -> Self {
        Self {
            counts: vec![0; CELLS],
            hz: hz.max(1),
        }
    }

    /// Adds frames to a cell; `None` where there is no such cell.
    pub fn add(&mut self, cell: usize, frames: u64) -> Option<()> {
        *self.counts.get_mut(cell)? += frames;
        Some(())
    }

    /// Frames in all cells.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The latency that this share (0.0 to 1.0) of the frames did not exceed, nanoseconds: the upper end
    /// of its cell. 0 where there are no frames.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> f64 {
        let wanted = ((self.frames() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (cell, frames) in self.counts.iter().enumerate() {
            seen += frames;
            if seen >= wanted {
                return upper(cell) as f64 * 1e9 / self.hz as f64;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_cell_that_ends_at_or_above_it() {
        let edges = (0..64).flat_map(|bit| {
            let value = 1u64 << bit;
            [value - 1, value, value + 1, value + value / 3]
        });
        for value in edges.chain([u64::MAX]) {
            let end = upper(cell(value));
            assert!(end >= value, "{value}: {end}");
            assert!(end - value <= value / 64, "{value}: {end}");
            assert!(cell(value) < CELLS);
        }
    }

    #[test]
    fn cells_rise_with_values() {
        let cells: Vec<_> = (0..100_000u64).map(cell).collect();
        assert!(cells.is_sorted());
    }

    #[test]
    fn quantiles_are_those_of_the_frames() {
        let mut cells = Cells::new(1_000_000_000);
        for value in 1..=100u64 {
            cells.add(cell(value), 10).unwrap();
        }
        assert_eq!(cells.quantile_ns(0.5), 50.0);
        assert_eq!(cells.quantile_ns(0.99), 99.0);
        assert_eq!(cells.quantile_ns(0.0), 1.0);
        assert_eq!(Cells::new(1).quantile_ns(0.5), 0.0);
        assert_eq!(cells.add(CELLS, 1), None);
    }
}
