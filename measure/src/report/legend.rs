//! The legend of a plot: samples of lines and marks with their meaning, in as many rows as they need.

use super::chart::mark;
use super::svg::{LEFT, line, text};

/// A line of the legend.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Class of the sample line; none: a mark alone.
    pub line: Option<String>,
    /// Style of the sample mark, and whether it is hollow.
    pub mark: Option<(usize, bool)>,
    /// What it means.
    pub words: String,
    /// Begins a row of its own.
    pub apart: bool,
}

/// A legend that knows its places.
pub struct Legend {
    placed: Vec<(Entry, f64, usize)>,
}

const ROW: f64 = 18.0;
const SAMPLE: f64 = 26.0;

impl Legend {
    /// Entries of the same words stand there once. `width` is the drawing's.
    pub fn of(entries: impl IntoIterator<Item = Entry>, left: f64, width: f64) -> Self {
        let (mut x, mut row) = (left, 0);
        let mut placed: Vec<(Entry, f64, usize)> = Vec::new();
        for entry in entries {
            if entry.words.is_empty() || placed.iter().any(|p| p.0.words == entry.words) {
                continue;
            }
            // What a letter takes, on the whole, at the size of the page's style.
            let taken = SAMPLE + 26.0 + 6.5 * entry.words.chars().count() as f64;
            if x > left && (entry.apart || x + taken > width) {
                (x, row) = (left, row + 1);
            }
            placed.push((entry, x, row));
            x += taken;
        }
        Self { placed }
    }

    /// In a plot: from where its values begin.
    pub fn above(entries: impl IntoIterator<Item = Entry>, width: f64) -> Self {
        Self::of(entries, LEFT, width)
    }

    /// What it takes from the top of the drawing.
    pub fn height(&self) -> f64 {
        self.placed.last().map_or(0.0, |p| ROW * (p.2 + 1) as f64)
    }

    /// Draws it at the top.
    pub fn draw(&self, svg: &mut String) {
        for (entry, x, row) in &self.placed {
            let y = 14.0 + ROW * *row as f64;
            if let Some(class) = &entry.line {
                line(svg, class, (*x, y - 4.0), (x + SAMPLE, y - 4.0));
            }
            if let Some((style, hollow)) = entry.mark {
                mark(svg, style, hollow, (x + SAMPLE / 2.0, y - 4.0));
            }
            text(svg, "legend", (x + SAMPLE + 6.0, y), &entry.words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_long_as_the_drawing_and_no_words_stand_twice() {
        let entry = |words: &str| Entry {
            line: Some("line c0".into()),
            words: words.into(),
            ..Entry::default()
        };
        let names: Vec<String> = (0..20).map(|i| format!("stream {}", i % 15)).collect();
        let legend = Legend::above(names.iter().map(|n| entry(n)), 480.0);
        assert_eq!(legend.placed.len(), 15);
        assert!(
            legend
                .placed
                .iter()
                .all(|p| p.1 + 52.0 + 6.5 * 9.0 <= 490.0)
        );
        let rows = legend.placed.last().map(|p| p.2);
        assert_eq!(rows, Some(4));
        assert_eq!(legend.height(), 90.0);
        assert_eq!(Legend::above([], 480.0).height(), 0.0);
        let apart = Entry {
            apart: true,
            ..entry("waits")
        };
        assert_eq!(Legend::above([entry("a"), apart], 480.0).height(), 36.0);
    }
}
