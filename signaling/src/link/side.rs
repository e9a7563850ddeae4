//! Which of two neighbours is which: they choose labels from halves that do not meet.

use core::fmt;

/// The labels that a side chooses from, when it sends SETUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Odd labels: the side with the greater instance number.
    Odd,
    /// Even labels.
    Even,
}

impl Side {
    /// The neighbour's side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Odd => Self::Even,
            Self::Even => Self::Odd,
        }
    }

    /// Whether this side may choose the label.
    #[must_use]
    pub fn chooses(self, label: u32) -> bool {
        (self == Self::Odd) == (label % 2 == 1)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Odd => "odd",
            Self::Even => "even",
        })
    }
}
