//! A table: what is in it, apart from where it is shown (a page or a terminal).

use serde::Serialize;

/// A table of finished words and numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// What it shows, and what its columns mean.
    pub caption: String,
    /// Heads of the columns.
    pub columns: Vec<Column>,
    /// As many cells in each as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its head, with the unit.
    pub head: String,
    /// Words, which stand on the left; numbers stand on the right.
    pub words: bool,
}

/// A cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cell {
    /// What stands in it.
    pub text: String,
    /// Not as it should be, such as a loss.
    pub bad: bool,
}

impl Table {
    /// An empty table. Heads that begin with `<` are columns of words.
    pub fn new(caption: &str, heads: &[&str]) -> Self {
        let column = |head: &&str| match head.strip_prefix('<') {
            Some(words) => Column {
                head: words.to_owned(),
                words: true,
            },
            None => Column {
                head: (*head).to_owned(),
                words: false,
            },
        };
        Self {
            caption: caption.to_owned(),
            columns: heads.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Another row.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "{}", self.caption);
        self.rows.push(cells.into());
    }

    /// Whether a column has nothing to say, such as isolation where there is one kind of it.
    pub fn without_empty_columns(mut self) -> Self {
        let said: Vec<bool> = (0..self.columns.len())
            .map(|i| self.rows.iter().any(|row| !row[i].text.is_empty()))
            .collect();
        let keep = |i: &mut usize| {
            *i += 1;
            said[*i - 1]
        };
        let mut i = 0;
        self.columns.retain(|_| keep(&mut i));
        for row in &mut self.rows {
            let mut i = 0;
            row.retain(|_| keep(&mut i));
        }
        self
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, bad: false }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Cell {
    /// Marked as bad where `bad`.
    pub fn marked(text: String, bad: bool) -> Self {
        Self { text, bad }
    }
}
