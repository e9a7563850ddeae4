//! A plot of latency distributions: for each share of the frames the latency that it did not exceed, both scales
//! logarithmic, so that the slowest frame in a million has as much room as the mean.

use super::axis::{Scale, label, log_ticks};
use super::chart::mark;
use super::legend::{Entry, Legend};
use super::number::fixed;
use super::svg::{LEFT, RIGHT, WIDTH, line, open, polyline, text};
use crate::stats::Quantile;

/// Axes that plots share, so that they can be compared.
pub struct Axes {
    ticks_us: Vec<f64>,
    nines: f64,
}

/// A distribution.
pub struct Curve {
    /// In the legend.
    pub name: String,
    /// Colour and mark.
    pub style: usize,
    /// A dashed line.
    pub dashed: bool,
    /// A mark here and there.
    pub marked: bool,
    /// Its points.
    pub quantiles: Vec<Quantile>,
}

/// A plot.
pub struct Distribution<'a> {
    /// Heading for those who do not see it.
    pub title: String,
    /// Of the drawing; half of the page's has smaller legends.
    pub width: f64,
    /// The axes.
    pub axes: &'a Axes,
    /// The curves.
    pub curves: Vec<Curve>,
    /// Longest computed waits in microseconds, and whose they are.
    pub waits: Vec<(f64, String)>,
}

impl Axes {
    /// For all these points and latencies in nanoseconds.
    pub fn of<'q>(
        points: impl Iterator<Item = &'q Quantile> + Clone,
        waits_ns: impl Iterator<Item = f64> + Clone,
    ) -> Self {
        let measured = points.clone().map(|q| q.ns as f64 / 1e3);
        let all = measured.chain(waits_ns.map(|ns| ns / 1e3));
        let max = all.clone().fold(0.0, f64::max);
        let min = all.filter(|us| *us > 0.0).fold(max, f64::min);
        Self {
            ticks_us: log_ticks(min, max),
            nines: points.filter_map(nines).fold(1.0, f64::max),
        }
    }
}

/// 90 % is 1, 99 % is 2; none for the longest, which has no such place.
fn nines(point: &Quantile) -> Option<f64> {
    (point.share < 1.0).then(|| -(1.0 - point.share).log10())
}

impl Distribution<'_> {
    /// The drawing.
    pub fn draw(&self) -> String {
        const MAX_COLUMN: f64 = 40.0;
        const ABOUT: &str = "For each share of the frames the latency that it did not exceed; both scales logarithmic.";
        let legend = Legend::above(self.entries(), self.width);
        let top = 14.0 + legend.height();
        let height = top + 254.0 + 40.0;
        let bottom = height - 40.0;
        let right = self.width - RIGHT;
        let x = Scale::new((0.0, self.axes.nines), (LEFT, right - MAX_COLUMN));
        let ticks_us = &self.axes.ticks_us;
        let low = ticks_us.first().copied().unwrap_or(1.0);
        let high = ticks_us.last().copied().unwrap_or(10.0);
        let y = Scale::new((low.log10(), high.log10()), (bottom, top));
        let y_at = |us: f64| y.at(us.max(low).log10());

        let mut svg = String::new();
        open(&mut svg, (self.width, height), &self.title, ABOUT);
        for us in ticks_us {
            line(&mut svg, "grid", (LEFT, y_at(*us)), (right, y_at(*us)));
            text(
                &mut svg,
                "tick end",
                (LEFT - 8.0, y_at(*us) + 4.0),
                &label(*us),
            );
        }
        let mut end_of_last = 0.0;
        for (share, words) in shares(self.axes.nines) {
            let at = x.at(-(1.0 - share).log10());
            line(&mut svg, "grid", (at, top), (at, bottom));
            let half = 3.4 * words.chars().count() as f64 + 4.0;
            if at - half > end_of_last {
                text(&mut svg, "tick middle", (at, bottom + 18.0), &words);
                end_of_last = at + half;
            }
        }
        line(&mut svg, "grid", (right, top), (right, bottom));
        text(&mut svg, "tick middle", (right, bottom + 18.0), "max");
        line(&mut svg, "axis", (LEFT, bottom), (right, bottom));
        text(&mut svg, "unit", (4.0, 14.0), "µs");
        let below = "share of the frames that were not slower";
        text(&mut svg, "unit end", (right, height - 4.0), below);

        for (i, curve) in self.curves.iter().enumerate() {
            let place =
                |q: &Quantile| (nines(q).map_or(right, |n| x.at(n)), y_at(q.ns as f64 / 1e3));
            let points = curve.quantiles.iter().map(place);
            polyline(&mut svg, &curve.class(), points.clone());
            // Not all at the same places: curves that are alike would hide each other's.
            const EVERY: usize = 12;
            for point in points
                .skip(3 * i % EVERY)
                .step_by(EVERY)
                .filter(|_| curve.marked)
            {
                mark(&mut svg, curve.style, curve.dashed, point);
            }
        }
        for (us, _) in &self.waits {
            line(&mut svg, "ceiling", (LEFT, y_at(*us)), (right, y_at(*us)));
        }
        legend.draw(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn entries(&self) -> Vec<Entry> {
        let curves = self.curves.iter().map(|curve| Entry {
            line: Some(curve.class()),
            mark: curve.marked.then_some((curve.style, curve.dashed)),
            words: curve.name.clone(),
            apart: false,
        });
        let mut words = "longest computed wait of a lone frame".to_owned();
        if self.width >= WIDTH {
            let of = |(us, pis): &(f64, String)| format!("{pis} {} µs", fixed(*us, 1));
            let waits: Vec<_> = self.waits.iter().map(of).collect();
            words = format!("{words}: {}", waits.join("; "));
        }
        let waits = (!self.waits.is_empty()).then(|| Entry {
            line: Some("ceiling".to_owned()),
            words,
            apart: true,
            mark: None,
        });
        curves.chain(waits).collect()
    }
}

impl Curve {
    fn class(&self) -> String {
        format!("line c{} d{}", self.style, usize::from(self.dashed))
    }
}

/// Shares that have a tick, and their words.
fn shares(nines: f64) -> Vec<(f64, String)> {
    let mut shares = vec![(0.0, "0 %".to_owned()), (0.5, "50 %".to_owned())];
    for nine in 1..=nines as usize {
        let words = match nine {
            1 => "90 %".to_owned(),
            2 => "99 %".to_owned(),
            more => format!("99.{} %", "9".repeat(more - 2)),
        };
        shares.push((1.0 - 0.1f64.powi(nine as i32), words));
    }
    shares
}
