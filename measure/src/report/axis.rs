//! Axes: from values to places, and where the ticks are.

/// A scale from values to places in a drawing.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Values `from..=to` lie at `start..=end`.
    pub fn new((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self {
            from,
            to,
            start,
            end,
        }
    }

    /// Where a value lies.
    pub fn at(&self, value: f64) -> f64 {
        self.start + (value - self.from) / (self.to - self.from) * (self.end - self.start)
    }
}

/// Ticks from 0 at 1, 2 or 5 times a power of ten, at most `most`, the last at `max` or above it.
pub fn ticks(max: f64, most: usize) -> Vec<f64> {
    let max = if max.is_finite() && max > 0.0 {
        max
    } else {
        1.0
    };
    let rough = max / most.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= rough * 0.999_999);
    let step = step.unwrap_or(10.0 * power);
    (0..=(max / step - 1e-9).ceil() as u32)
        .map(|i| f64::from(i) * step)
        .collect()
}

/// Ticks of a logarithmic axis: 1, 2 and 5 times powers of ten, from at or below `min` to at or above `max`.
pub fn log_ticks(min: f64, max: f64) -> Vec<f64> {
    let sound = |x: f64| if x.is_finite() && x > 0.0 { x } else { 1.0 };
    let (min, max) = (sound(min) * 1.000_001, sound(max) * 0.999_999);
    let powers = (min.log10().floor() as i32)..=(max.log10().ceil() as i32 + 1);
    let all: Vec<f64> = powers
        .flat_map(|p| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(p)))
        .collect();
    let first = all.iter().rposition(|t| *t <= min).unwrap_or(0);
    let last = all
        .iter()
        .position(|t| *t >= max)
        .unwrap_or(all.len() - 1)
        .max(first + 1);
    all.get(first..=last)
        .map(<[f64]>::to_vec)
        .unwrap_or_default()
}

/// A number on an axis: no more decimals than its ticks need.
pub fn label(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_largest() {
        assert_eq!(ticks(420.0, 5), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(
            ticks(20.0, 10),
            (0..=10).map(|i| f64::from(i) * 2.0).collect::<Vec<_>>()
        );
        assert_eq!(ticks(0.0, 2), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(f64::NAN, 2).len(), 3);
    }

    #[test]
    fn logarithmic_ticks_enclose() {
        assert_eq!(
            log_ticks(9.0, 1_100.0),
            [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0]
        );
        assert_eq!(log_ticks(1.0, 10.0), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(log_ticks(0.03, 0.03), [0.02, 0.05]);
        assert_eq!(log_ticks(0.0, 0.0), [1.0, 2.0]);
        assert_eq!(log_ticks(f64::NAN, f64::INFINITY), [1.0, 2.0]);
    }

    #[test]
    fn a_scale_maps_its_ends() {
        let s = Scale::new((0.0, 10.0), (100.0, 0.0));
        assert_eq!((s.at(0.0), s.at(10.0), s.at(2.5)), (100.0, 0.0, 75.0));
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(
            [label(0.0), label(2.5), label(400.0), label(0.01)],
            ["0", "2.5", "400", "0.01"]
        );
    }
}
