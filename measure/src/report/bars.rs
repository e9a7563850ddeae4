//! A plot of bars in groups, each with the most that it could have reached.

use std::fmt::Write;

use super::axis::{Scale, ticks};
use super::chart::{mark, tick_words};
use super::legend::{Entry, Legend};
use super::svg::{LEFT, RIGHT, WIDTH, line, open, text};

/// A plot.
pub struct Bars<'a> {
    /// Heading for those who do not see it.
    pub title: &'a str,
    /// What it shows, in a sentence.
    pub about: &'a str,
    /// Unit of the values upwards, which begin at 0.
    pub unit: &'a str,
    /// What the line over a bar is.
    pub ceiling: &'a str,
    /// The groups from left to right, each under its name.
    pub groups: Vec<(String, Vec<Bar>)>,
}

/// A bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// In the legend; bars of one name stand there once.
    pub name: String,
    /// Colour and mark.
    pub style: usize,
    /// Only its outline.
    pub hollow: bool,
    /// How high it is.
    pub value: f64,
    /// The most that it could be.
    pub ceiling: f64,
}

impl Bars<'_> {
    /// The drawing; none where there is no bar.
    pub fn draw(&self) -> Option<String> {
        let all = || self.groups.iter().flat_map(|(_, bars)| bars);
        let most = self.groups.iter().map(|(_, bars)| bars.len()).max()?;
        let values = all().flat_map(|b| [b.value, b.ceiling]);
        let y_ticks = ticks(values.filter(|v| v.is_finite()).fold(0.0, f64::max), 5);
        all().next()?;
        let legend = Legend::above(self.entries(), WIDTH);
        let top = 26.0 + legend.height();
        let bottom = top + 250.0;
        let right = WIDTH - RIGHT;
        let y = Scale::new((0.0, y_ticks.last().copied().unwrap_or(1.0)), (bottom, top));
        let mut svg = String::new();
        open(&mut svg, (WIDTH, bottom + 24.0), self.title, self.about);
        for tick in &y_ticks {
            let at = y.at(*tick);
            line(&mut svg, "grid", (LEFT, at), (right, at));
            text(
                &mut svg,
                "tick end",
                (LEFT - 8.0, at + 4.0),
                &tick_words(*tick),
            );
        }
        text(&mut svg, "unit", (4.0, top - 12.0), self.unit);
        let group_width = (right - LEFT) / self.groups.len() as f64;
        let width = (group_width * 0.84 / most as f64).min(44.0);
        for (i, (name, bars)) in self.groups.iter().enumerate() {
            let middle = LEFT + (i as f64 + 0.5) * group_width;
            text(&mut svg, "tick middle", (middle, bottom + 18.0), name);
            let start = middle - width * bars.len() as f64 / 2.0;
            for (j, bar) in bars.iter().enumerate() {
                let x = start + width * j as f64;
                bar.draw(&mut svg, &y, (x, width), bottom);
            }
        }
        line(&mut svg, "axis", (LEFT, bottom), (right, bottom));
        legend.draw(&mut svg);
        svg.push_str("</svg>");
        Some(svg)
    }

    fn entries(&self) -> Vec<Entry> {
        let bars = self.groups.iter().flat_map(|(_, bars)| bars);
        let bars = bars.map(|bar| Entry {
            mark: Some((bar.style, bar.hollow)),
            words: bar.name.clone(),
            ..Entry::default()
        });
        let ceiling = Entry {
            line: Some("limit".to_owned()),
            words: self.ceiling.to_owned(),
            ..Entry::default()
        };
        bars.chain([ceiling]).collect()
    }
}

impl Bar {
    fn draw(&self, svg: &mut String, y: &Scale, (x, width): (f64, f64), bottom: f64) {
        let hollow = if self.hollow { " hollow" } else { "" };
        if self.value.is_finite() && self.value >= 0.0 {
            let top = y.at(self.value);
            let _ = write!(
                svg,
                r#"<rect class="bar c{}{hollow}" x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"/>"#,
                self.style,
                x + 1.0,
                width - 2.0,
                bottom - top
            );
            // At the foot, whose it is without its colour.
            mark(
                svg,
                self.style,
                self.hollow,
                (x + width / 2.0, bottom - 9.0),
            );
        }
        if self.ceiling.is_finite() && self.ceiling > 0.0 {
            let at = y.at(self.ceiling);
            line(svg, "limit", (x, at), (x + width, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64]) -> Bars<'static> {
        let bar = |value: &f64| Bar {
            name: "can".into(),
            style: 1,
            hollow: false,
            value: *value,
            ceiling: 10.0,
        };
        Bars {
            title: "t",
            about: "a",
            unit: "Mb/s",
            ceiling: "ceiling",
            groups: vec![("79 B".into(), values.iter().map(bar).collect())],
        }
    }

    #[test]
    fn each_value_is_a_bar_with_its_limit_and_none_is_no_plot() {
        let svg = bars(&[5.0, 10.0]).draw().unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let heights: Vec<f64> = document
            .descendants()
            .filter(|n| n.attribute("class") == Some("bar c1"))
            .map(|n| n.attribute("height").unwrap().parse().unwrap())
            .collect();
        assert_eq!(heights, [125.0, 250.0]);
        assert_eq!(
            svg.matches("class=\"limit\"").count(),
            3,
            "two and the legend's"
        );
        assert_eq!(bars(&[]).draw(), None);
        let odd = bars(&[f64::NAN, 5.0]).draw().unwrap();
        assert!(!odd.contains("NaN"));
    }
}
