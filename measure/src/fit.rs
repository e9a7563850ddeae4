//! A straight line through points by least squares, and how well it lies.

use serde::{Deserialize, Serialize};

/// y = a x + b.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LineFit {
    /// Slope.
    pub a: f64,
    /// Value at 0.
    pub b: f64,
    /// Coefficient of determination: 1 less the part of the variance that is left.
    pub r2: f64,
    /// Points.
    #[serde(default)]
    pub points: u32,
    /// Smallest x that was measured.
    #[serde(default)]
    pub from: f64,
    /// Largest x that was measured.
    #[serde(default)]
    pub to: f64,
}

impl LineFit {
    /// The line with the least sum of squares; `None` below two different x, or where a value is no number or
    /// a sum of squares too large for one.
    /// Points on a level line have an R-square of 1.
    #[must_use]
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        if points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return None;
        }
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
        // About the means: sums of squares of large values would cancel.
        let sum = |of: &dyn Fn(f64, f64) -> f64| {
            points.iter().map(|(x, y)| of(x - mx, y - my)).sum::<f64>()
        };
        let (sxx, sxy, syy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        if points.len() < 2 || sxx <= 0.0 {
            return None;
        }
        let a = sxy / sxx;
        let left = sum(&|x, y| (y - a * x).powi(2));
        let (b, r2) = (my - a * mx, if syy > 0.0 { 1.0 - left / syy } else { 1.0 });
        // Sums beyond a double are no line.
        if [sxx, syy, a, b, r2].iter().any(|sum| !sum.is_finite()) {
            return None;
        }
        let ends =
            |start: f64, pick: fn(f64, f64) -> f64| points.iter().map(|p| p.0).fold(start, pick);
        Some(Self {
            a,
            b,
            r2,
            points: u32::try_from(points.len()).unwrap_or(u32::MAX),
            from: ends(f64::INFINITY, f64::min),
            to: ends(f64::NEG_INFINITY, f64::max),
        })
    }

    /// The line's value at `x`; `None` outside the range that was measured.
    #[must_use]
    pub fn at(&self, x: f64) -> Option<f64> {
        (self.from..=self.to)
            .contains(&x)
            .then_some(self.a * x + self.b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_exactly() {
        let fit = LineFit::of(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]).unwrap();
        assert_eq!((fit.a, fit.b, fit.r2), (2.0, 3.0, 1.0));
        assert_eq!((fit.points, fit.from, fit.to), (3, 1.0, 4.0));
        assert_eq!(
            (fit.at(3.0), fit.at(0.9), fit.at(4.1)),
            (Some(9.0), None, None)
        );
    }

    /// Anscombe's first quartet (1973): y = 3.00 + 0.500 x, R-square 0.667 (0.6665).
    #[test]
    fn anscombes_quartet() {
        let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let y = [
            8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68,
        ];
        let points: Vec<_> = x.into_iter().zip(y).collect();
        let fit = LineFit::of(&points).unwrap();
        assert!((fit.a - 0.500_09).abs() < 1e-4, "{fit:?}");
        assert!((fit.b - 3.000_1).abs() < 1e-3, "{fit:?}");
        assert!((fit.r2 - 0.666_5).abs() < 1e-4, "{fit:?}");
    }

    #[test]
    fn no_line_without_two_different_x() {
        assert_eq!(LineFit::of(&[]), None);
        assert_eq!(LineFit::of(&[(1.0, 1.0)]), None);
        assert_eq!(LineFit::of(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(LineFit::of(&[(1.0, f64::NAN), (2.0, 2.0)]), None);
        assert_eq!(LineFit::of(&[(1e200, 1.0), (-1e200, 2.0)]), None);
        assert_eq!(LineFit::of(&[(1.0, 1e200), (2.0, -1e200)]), None);
        assert_eq!(LineFit::of(&[(f64::MAX, 1.0), (f64::MAX, 2.0)]), None);
    }

    #[test]
    fn a_level_line_fits_wholly() {
        let fit = LineFit::of(&[(1.0, 4.0), (2.0, 4.0), (3.0, 4.0)]).unwrap();
        assert_eq!((fit.a, fit.b, fit.r2), (0.0, 4.0, 1.0));
    }
}
