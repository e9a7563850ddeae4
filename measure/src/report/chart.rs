//! A plot of lines: values over a value, with axes, a legend, and marks by which lines are told apart without
//! their colour.

use std::fmt::Write;

use super::axis::{Scale, label, log_ticks, ticks};
use super::legend::{Entry, Legend};
use super::number::fixed;
use super::svg::{LEFT, line, open, polyline, text};

/// Whole width of the page, and half of it for plots that stand in pairs.
pub const WHOLE: f64 = 960.0;
/// See [`WHOLE`].
pub const HALF: f64 = 470.0;

/// A plot.
pub struct Chart<'a> {
    /// Heading for those who do not see it.
    pub title: &'a str,
    /// What it shows, in a sentence.
    pub about: &'a str,
    /// Name and unit of the values from left to right, which begin at 0.
    pub x: &'a str,
    /// Unit of the values upwards.
    pub y: &'a str,
    /// Upwards by powers of ten; otherwise from 0.
    pub logarithmic: bool,
    /// [`WHOLE`] or [`HALF`].
    pub width: f64,
    /// The axes reach at least so far, so that plots of one kind share them.
    pub reach: (f64, f64),
    /// What solid lines with full marks and dashed ones with hollow marks are; none: there is but one kind.
    pub kinds: Option<(&'a str, &'a str)>,
    /// The lines.
    pub series: Vec<Series>,
}

/// A line.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// In the legend; lines of one name stand there once.
    pub name: String,
    /// Colour and mark.
    pub style: usize,
    /// Dashed, with hollow marks.
    pub hollow: bool,
    /// Marks at the points; without, a bare line.
    pub marked: bool,
    /// A line from point to point; without, bare marks.
    pub joined: bool,
    /// Where it goes, from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Chart<'_> {
    /// The drawing; none where there is no point to draw.
    pub fn draw(&self) -> Option<String> {
        let drawable = |(x, y): &&(f64, f64)| {
            x.is_finite() && y.is_finite() && *x >= 0.0 && (*y > 0.0 || !self.logarithmic)
        };
        let all = || self.series.iter().flat_map(|s| &s.points).filter(drawable);
        let max = |of: fn(&(f64, f64)) -> f64, reach: f64| all().map(of).fold(reach, f64::max);
        all().next()?;
        let (max_x, max_y) = (max(|p| p.0, self.reach.0), max(|p| p.1, self.reach.1));
        let few = self.width < WHOLE;
        let x_ticks = ticks(max_x, if few { 6 } else { 10 });
        let y_ticks = if self.logarithmic {
            log_ticks(all().map(|p| p.1).fold(max_y, f64::min), max_y)
        } else {
            ticks(max_y, 5)
        };
        let end = |ticks: &[f64]| ticks.last().copied().unwrap_or(1.0);

        let legend = Legend::above(self.entries(), self.width);
        let top = 26.0 + legend.height();
        let height = top + if few { 210.0 } else { 280.0 } + 36.0;
        let (bottom, right) = (height - 36.0, self.width - 16.0);
        let x = Scale::new((0.0, end(&x_ticks)), (LEFT, right));
        let up = |value: f64| match self.logarithmic {
            true => value.log10(),
            false => value,
        };
        let low = y_ticks.first().copied().unwrap_or_default();
        let y = Scale::new((up(low), up(end(&y_ticks))), (bottom, top));

        let mut svg = String::new();
        open(&mut svg, (self.width, height), self.title, self.about);
        for tick in &y_ticks {
            let at = y.at(up(*tick));
            line(&mut svg, "grid", (LEFT, at), (right, at));
            text(
                &mut svg,
                "tick end",
                (LEFT - 8.0, at + 4.0),
                &tick_words(*tick),
            );
        }
        for tick in &x_ticks {
            let at = x.at(*tick);
            line(&mut svg, "axis", (at, bottom), (at, bottom + 4.0));
            text(
                &mut svg,
                "tick middle",
                (at, bottom + 18.0),
                &tick_words(*tick),
            );
        }
        line(&mut svg, "axis", (LEFT, bottom), (right, bottom));
        text(&mut svg, "unit", (4.0, top - 12.0), self.y);
        text(&mut svg, "unit end", (right, height - 2.0), self.x);
        for series in &self.series {
            let points: Vec<_> = series
                .points
                .iter()
                .filter(drawable)
                .map(|p| (x.at(p.0), y.at(up(p.1))))
                .collect();
            series.draw(&mut svg, &points);
        }
        legend.draw(&mut svg);
        svg.push_str("</svg>");
        Some(svg)
    }

    fn entries(&self) -> Vec<Entry> {
        let drawn = self.series.iter().filter(|s| !s.points.is_empty());
        // A line may have its marks from another series of its name.
        let marked = |series: &Series| {
            self.series
                .iter()
                .any(|s| s.marked && s.name == series.name)
        };
        let lines = drawn.map(|series| Entry {
            line: series.joined.then(|| format!("line c{}", series.style)),
            mark: marked(series).then_some((series.style, false)),
            words: series.name.clone(),
            apart: false,
        });
        let kinds = self
            .kinds
            .map(|(solid, hollow)| [(solid, ""), (hollow, " d1")]);
        let kinds = kinds.into_iter().flatten().map(|(words, dash)| Entry {
            line: Some(format!("line kind{dash}")),
            words: words.to_owned(),
            ..Entry::default()
        });
        lines.chain(kinds).collect()
    }
}

impl Series {
    fn class(&self) -> String {
        let dash = if self.hollow { " d1" } else { "" };
        format!("line c{}{dash}", self.style)
    }

    fn draw(&self, svg: &mut String, points: &[(f64, f64)]) {
        if self.joined && points.len() > 1 {
            polyline(svg, &self.class(), points.iter().copied());
        }
        for point in points.iter().filter(|_| self.marked) {
            mark(svg, self.style, self.hollow, *point);
        }
    }
}

/// A number beside an axis.
pub fn tick_words(value: f64) -> String {
    if value >= 10_000.0 {
        fixed(value, 0)
    } else {
        label(value)
    }
}

/// A mark; the shape tells as much as the colour.
pub fn mark(svg: &mut String, style: usize, hollow: bool, (x, y): (f64, f64)) {
    /// Circle, square, triangle, diamond, triangle on its head, plus, cross.
    const SHAPES: [&str; 7] = [
        "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        "m-3.5 -3.5h7v7h-7z",
        "m0 -4.8l4.6 8h-9.2z",
        "m0 -5l4.6 5l-4.6 5l-4.6 -5z",
        "m0 4.8l4.6 -8h-9.2z",
        "m-1.6 -4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z",
        "m-4.5 -2.7l1.8 -1.8l2.7 2.7l2.7 -2.7l1.8 1.8l-2.7 2.7l2.7 2.7l-1.8 1.8l-2.7 -2.7l-2.7 2.7l-1.8 -1.8l2.7 -2.7z",
    ];
    let shape = SHAPES[style % SHAPES.len()];
    let hollow = if hollow { " hollow" } else { "" };
    let _ = write!(
        svg,
        r#"<path class="mark c{style}{hollow}" d="M{x:.1} {y:.1}{shape}"/>"#
    );
}

#[cfg(test)]
#[path = "chart_tests.rs"]
mod tests;
