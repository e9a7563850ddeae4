//! Latency histograms and what is read out of them.
//!
//! Must never round in the tester's favour: a quantile is the upper end of its histogram cell.

use hdrhistogram::{Counter, Histogram};
use serde::{Deserialize, Serialize};

/// Latencies of an interval, in nanoseconds, to three significant digits up to [`LONGEST_NS`].
///
/// Cells of 32 bits: half the cache of the usual 64, and enough for an hour of 1 M frames/s at one value.
pub type Latency = Histogram<u32>;

/// Longest latency that is told apart; longer ones count as this. One minute.
pub const LONGEST_NS: u64 = 60_000_000_000;

/// An empty histogram. Allocates all it will ever need.
#[must_use]
pub fn latency() -> Latency {
    cells()
}

/// A histogram that adds up those of a whole run.
#[must_use]
pub fn total() -> Histogram<u64> {
    cells()
}

/// Adds what an interval recorded to a whole run.
pub fn add(total: &mut Histogram<u64>, part: &Latency) {
    for cell in part.iter_recorded() {
        total.saturating_record_n(cell.value_iterated_to(), cell.count_at_value().into());
    }
}

fn cells<C: Counter>() -> Histogram<C> {
    const DIGITS: u8 = 3;
    // The bounds are constants inside the range that the histogram allows.
    Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
        .expect("1..LONGEST_NS at 3 digits is a valid range")
}

/// A latency distribution in figures, nanoseconds. All 0 when no frame was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Shortest.
    pub min: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 99 % are not longer.
    pub p99: u64,
    /// 99.9 % are not longer.
    pub p999: u64,
    /// Longest.
    pub max: u64,
}

impl Summary {
    /// Figures of `histogram`.
    #[must_use]
    pub fn of<C: Counter>(histogram: &Histogram<C>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let quantile = |q| histogram.value_at_quantile(q).min(histogram.max());
        Self {
            min: histogram.min(),
            mean: histogram.mean(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: histogram.max(),
        }
    }
}

/// A point of a distribution: this share of the frames (0.0 to 1.0) took at most `ns`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// Share of the frames.
    pub share: f64,
    /// Nanoseconds.
    pub ns: u64,
}

/// The distribution as points, ten for each halving of the share of slower frames, the last at the longest latency.
///
/// No point lies where fewer than one frame would be slower: nothing is drawn that was not measured.
#[must_use]
pub fn quantiles<C: Counter>(histogram: &Histogram<C>) -> Vec<Quantile> {
    const POINTS_PER_HALVING: f64 = 10.0;
    let frames = histogram.len() as f64;
    let mut points = Vec::new();
    if histogram.is_empty() {
        return points;
    }
    for step in 0.. {
        let slower = (-f64::from(step) / POINTS_PER_HALVING).exp2();
        if slower * frames < 1.0 {
            break;
        }
        let ns = histogram
            .value_at_quantile(1.0 - slower)
            .min(histogram.max());
        points.push(Quantile {
            share: 1.0 - slower,
            ns,
        });
    }
    points.push(Quantile {
        share: 1.0,
        ns: histogram.max(),
    });
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_known_distribution() {
        let mut h = total();
        (1..=100_000u64).for_each(|us| h.record(us * 1000).unwrap());
        let s = Summary::of(&h);
        let near = |got: u64, exact: f64| (got as f64 / exact - 1.0).abs() < 0.001;
        assert!(
            near(s.p50, 5e7) && near(s.p99, 9.9e7) && near(s.p999, 9.99e7),
            "{s:?}"
        );
        assert!(
            near(s.min, 1e3) && near(s.max, 1e8) && near(s.mean as u64, 5.00005e7),
            "{s:?}"
        );
    }

    #[test]
    fn an_empty_distribution_is_all_zero() {
        assert_eq!(Summary::of(&latency()), Summary::default());
        assert_eq!(quantiles(&latency()), []);
    }

    #[test]
    fn parts_add_up() {
        let (mut part, mut sum) = (latency(), total());
        for ns in [3, 70_001, 70_001] {
            part.record(ns).unwrap();
        }
        add(&mut sum, &part);
        add(&mut sum, &part);
        assert_eq!((sum.len(), sum.count_at(70_001), sum.min()), (6, 4, 3));
    }

    #[test]
    fn points_rise_and_end_at_the_longest() {
        let mut h = latency();
        (1..=1000u64).for_each(|ns| h.record(ns * 997).unwrap());
        let points = quantiles(&h);
        assert!(points.is_sorted_by(|a, b| a.share < b.share && a.ns <= b.ns));
        let last = points.last().unwrap();
        assert_eq!((last.share, last.ns), (1.0, h.max()));
        assert!(
            points[points.len() - 2].share <= 0.999,
            "no point beyond one frame in a thousand"
        );
    }

    #[test]
    fn longer_than_the_longest_counts_as_the_longest() {
        let mut h = latency();
        h.saturating_record(u64::MAX);
        assert!(Summary::of(&h).max >= LONGEST_NS);
    }
}
