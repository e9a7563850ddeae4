//! What a report is made of: sections of tables and figures, in one shape for all of them.

use serde::Serialize;

use super::super::table::Table;

/// A part of the report under a heading.
#[derive(Debug, Default, Serialize)]
pub struct Section {
    /// Its anchor.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What a reader should know first.
    pub words: Vec<String>,
    /// What it shows.
    pub blocks: Vec<Block>,
}

/// A table or figures.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A table.
    Table(Table),
    /// A long table, which waits until it is asked for.
    Folded(Table),
    /// Figures: one over the whole width, or several in pairs.
    Figures(Vec<Figure>),
}

/// A figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What it shows, in short.
    pub label: String,
    /// The drawing, which is markup of this crate.
    pub svg: String,
    /// What stands beneath it.
    pub caption: String,
}

impl Section {
    /// An empty section.
    pub fn new(id: &'static str, title: &'static str) -> Self {
        Self {
            id,
            title,
            ..Self::default()
        }
    }

    /// Another paragraph at the head.
    pub fn say(&mut self, words: impl Into<String>) {
        self.words.push(words.into());
    }

    /// A table, if it has a row.
    pub fn table(&mut self, table: Table) {
        if !table.rows.is_empty() {
            self.blocks
                .push(Block::Table(table.without_empty_columns()));
        }
    }

    /// A long table, if it has a row.
    pub fn folded(&mut self, table: Table) {
        if !table.rows.is_empty() {
            self.blocks
                .push(Block::Folded(table.without_empty_columns()));
        }
    }

    /// A figure over the whole width, if there is anything to draw.
    pub fn figure(
        &mut self,
        label: impl Into<String>,
        svg: Option<String>,
        caption: impl Into<String>,
    ) {
        self.blocks.extend(svg.map(|svg| {
            Block::Figures(vec![Figure {
                label: label.into(),
                svg,
                caption: caption.into(),
            }])
        }));
    }

    /// Figures in pairs, as far as there is anything to draw.
    pub fn pairs(&mut self, figures: Vec<Figure>) {
        if !figures.is_empty() {
            self.blocks.push(Block::Figures(figures));
        }
    }

    /// The section, if it shows anything.
    pub fn shown(self) -> Option<Self> {
        (!self.blocks.is_empty()).then_some(self)
    }
}
