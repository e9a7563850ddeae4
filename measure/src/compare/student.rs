//! Student's t on two data sets, as ministat(1) judges them.
//!
//! Must never say that two data sets differ, or how far, without at least two values on each side.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The confidence of every verdict.
pub const CONFIDENCE: f64 = 0.95;

/// What is told of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// Values.
    pub n: usize,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// The middle one, or the mean of the two middle ones.
    pub median: f64,
    /// Mean.
    pub average: f64,
    /// Standard deviation with n - 1; 0 of one value.
    pub stddev: f64,
}

impl Statistics {
    /// Of finite values; `None` of no value.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        let (low, high) = (sorted.get((n - 1) / 2)?, sorted.get(n / 2)?);
        // Halves first: a sum of two large values may be beyond a double. About the smallest value, so that
        // equal values have exactly their own average and no deviation.
        let average = min + sorted.iter().map(|value| value - min).sum::<f64>() / n as f64;
        let squares: f64 = sorted.iter().map(|value| (value - average).powi(2)).sum();
        let stddev = match n {
            1 => 0.0,
            n => (squares / (n as f64 - 1.0)).sqrt(),
        };
        Some(Self {
            n,
            min,
            max,
            median: low / 2.0 + high / 2.0,
            average,
            stddev,
        })
    }
}

/// What the test says of a data set beside the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// They differ, with 95 % confidence.
    Difference(Difference),
    /// What they differ by may be chance.
    NoDifferenceProven(Difference),
    /// One of them has a single value, which says nothing of how far values lie apart.
    NoTest {
        /// Values of the data set and of the reference.
        values: [usize; 2],
    },
}

/// How far two data sets lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Average less that of the reference.
    pub difference: f64,
    /// It lies within this of the true one.
    pub interval: f64,
    /// The difference in percent of the reference's average; none: that is 0.
    pub percent: Option<f64>,
    /// It lies within this of the true one; what the reference's own average is uncertain by counts too.
    pub percent_interval: Option<f64>,
    /// Standard deviation of both, weighed by their degrees of freedom.
    pub pooled_stddev: f64,
    /// n + n - 2.
    pub degrees_of_freedom: usize,
}

impl Verdict {
    /// On `other` beside `reference`.
    ///
    /// The pooled variance is s^2 = ((n1 - 1) s1^2 + (n2 - 1) s2^2) / (n1 + n2 - 2), the interval of the difference
    /// t s sqrt(1/n1 + 1/n2). The percentage is a ratio r = x1 / x2 less 1, and its interval that of the ratio to
    /// first order: d r = (d x1 - r d x2) / x2, so the reference's deviation counts r times in the same formula, and
    /// all of it is over x2.
    #[must_use]
    pub fn of(other: &Statistics, reference: &Statistics) -> Self {
        let (n1, n2) = (other.n, reference.n);
        if n1 < 2 || n2 < 2 {
            return Self::NoTest { values: [n1, n2] };
        }
        let degrees = n1 + n2 - 2;
        let (free1, free2) = (n1 as f64 - 1.0, n2 as f64 - 1.0);
        let pooled =
            |s1: f64, s2: f64| ((free1 * s1 * s1 + free2 * s2 * s2) / (degrees as f64)).sqrt();
        let reach = t_quantile(degrees) * (1.0 / n1 as f64 + 1.0 / n2 as f64).sqrt();
        let pooled_stddev = pooled(other.stddev, reference.stddev);
        let difference = other.average - reference.average;
        let interval = reach * pooled_stddev;
        let ratio = other.average / reference.average;
        let within = reach * pooled(other.stddev, ratio * reference.stddev);
        let percent = |share: f64| Some(100.0 * share).filter(|percent| percent.is_finite());
        let found = Difference {
            difference,
            interval,
            percent: percent(difference / reference.average),
            percent_interval: percent(within / reference.average.abs()),
            pooled_stddev,
            degrees_of_freedom: degrees,
        };
        if difference.abs() > interval {
            Self::Difference(found)
        } else {
            Self::NoDifferenceProven(found)
        }
    }
}

/// What |t| exceeds with a probability of 5 %, with so many degrees of freedom, 1 at least; to three decimals, as
/// ministat and printed tables have it, so that figures agree with theirs to the last digit.
#[must_use]
pub fn t_quantile(degrees_of_freedom: usize) -> f64 {
    let both_tails = f64::midpoint(1.0, CONFIDENCE);
    // The distribution exists for every positive number of degrees of freedom.
    let exact = StudentsT::new(0.0, 1.0, degrees_of_freedom.max(1) as f64)
        .expect("one degree of freedom at least")
        .inverse_cdf(both_tails);
    (exact * 1e3).round() / 1e3
}

#[cfg(test)]
#[path = "student_tests.rs"]
mod tests;
