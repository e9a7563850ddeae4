//! Runs that alternate, and what they say of each other: medians, spread, ratios pair by pair.
//!
//! A ratio is taken between two runs of one round, which the machine's moods meet alike; the median is
//! over those ratios, never the ratio of two medians. Must never drop a run.

use serde::Serialize;

/// Middle and ends of some runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the runs are not above.
    pub median: f64,
    /// Smallest.
    pub least: f64,
    /// Largest.
    pub most: f64,
    /// How many there are.
    pub runs: usize,
}

impl Spread {
    /// Of `values`; `None` where there are none. NaN sorts behind all.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted.len() / 2;
        let lower = (sorted.len() - 1) / 2;
        Some(Self {
            median: (sorted[lower] + sorted[upper]) / 2.0,
            least,
            most,
            runs: sorted.len(),
        })
    }

    /// All three multiplied, for another unit.
    #[must_use]
    pub fn scaled(self, by: f64) -> Self {
        Self {
            median: self.median * by,
            least: self.least * by,
            most: self.most * by,
            ..self
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(
            f,
            "{:.digits$} ({:.digits$} to {:.digits$})",
            self.median, self.least, self.most
        )
    }
}

/// `ours[i] / theirs[i]`, for as many rounds as both have.
#[must_use]
pub fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(a, b)| a / b).collect()
}

/// The order in which round `round` runs its arms: forth and back in turn, so that no arm is always
/// the one behind another.
pub fn order(arms: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..arms).map(move |i| {
        if round.is_multiple_of(2) {
            i
        } else {
            arms - 1 - i
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_few() {
        assert_eq!(Spread::of(&[]), None);
        let of = |values: &[f64]| {
            let s = Spread::of(values).unwrap();
            (s.median, s.least, s.most, s.runs)
        };
        assert_eq!(of(&[3.0]), (3.0, 3.0, 3.0, 1));
        assert_eq!(of(&[4.0, 1.0]), (2.5, 1.0, 4.0, 2));
        assert_eq!(of(&[9.0, 1.0, 2.0]), (2.0, 1.0, 9.0, 3));
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        // Medians alone would say 2.0 / 2.0.
        let pairs = ratios(&[2.0, 8.0, 1.0], &[1.0, 2.0, 4.0]);
        assert_eq!(pairs, [2.0, 4.0, 0.25]);
        assert_eq!(Spread::of(&pairs).unwrap().median, 2.0);
        assert_eq!(ratios(&[1.0], &[]), [] as [f64; 0]);
    }

    #[test]
    fn rounds_go_forth_and_back() {
        assert!(order(3, 0).eq([0, 1, 2]));
        assert!(order(3, 1).eq([2, 1, 0]));
    }

    #[test]
    fn a_spread_reads_as_middle_and_ends() {
        let spread = Spread::of(&[1e6, 2e6, 4e6]).unwrap().scaled(1e-6);
        assert_eq!(spread.to_string(), "2.00 (1.00 to 4.00)");
        assert_eq!(format!("{spread:.1}"), "2.0 (1.0 to 4.0)");
    }
}
