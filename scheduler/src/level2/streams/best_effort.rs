//! Connections of best effort that have frames, each in its turn: surplus round robin.
//!
//! Whose turn it is sends while it has octets left of its quantum; what it sends beyond is taken off the
//! next. So each gets as much as the others, whatever its frames' sizes, and no turn is passed over.
//! A head that does not fit in what is left of a window keeps its turn, and another's may go: that
//! is time which nobody before it could have used. Must never look at more heads than it was told.

use super::shaped::{NONE, Shaped};
use crate::rate::OVERHEAD_OCTETS;

/// Octets of wire for each turn: a largest frame of an ordinary link.
const QUANTUM: i32 = 1518 + OVERHEAD_OCTETS as i32;

/// The turns: a list through the connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns {
    first: u32,
    last: u32,
    /// Frames that wait in all of them.
    pub(super) frames: u32,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            frames: 0,
        }
    }
}

impl Turns {
    /// Whose turn it is.
    #[inline]
    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// Who comes behind `place`.
    pub(super) fn behind(all: &[Shaped], place: u32) -> Option<u32> {
        let behind = all.get(place as usize)?.turn.behind;
        (behind != NONE).then_some(behind)
    }

    /// The connection has frames from now on.
    pub(super) fn joins(&mut self, all: &mut [Shaped], place: u32) {
        if let Some(shaped) = all.get_mut(place as usize) {
            shaped.turn.left = QUANTUM;
        }
        self.append(all, place);
    }

    /// The connection sent `octets`. `in_turn`: because it was its turn, and not at the end of a window.
    pub(super) fn sent(&mut self, all: &mut [Shaped], place: u32, octets: u32, in_turn: bool) {
        let Some(shaped) = all.get_mut(place as usize) else {
            return;
        };
        if shaped.line.len() == 0 {
            self.leaves(all, place);
        } else if in_turn {
            let wire = i32::try_from(u64::from(octets) + OVERHEAD_OCTETS).unwrap_or(i32::MAX);
            let left = shaped.turn.left.saturating_sub(wire);
            if left > 0 {
                shaped.turn.left = left;
                return;
            }
            // Octets are a claim: whatever they are, its next turn lets one frame go.
            shaped.turn.left = left.saturating_add(QUANTUM).max(1);
            self.leaves(all, place);
            self.append(all, place);
        }
    }

    /// The connection has no frames any more.
    pub(super) fn leaves(&mut self, all: &mut [Shaped], place: u32) {
        let Some(shaped) = all.get_mut(place as usize) else {
            return;
        };
        let (before, behind) = (shaped.turn.before, shaped.turn.behind);
        (shaped.turn.before, shaped.turn.behind) = (NONE, NONE);
        match all.get_mut(before as usize) {
            Some(other) => other.turn.behind = behind,
            None if self.first == place => self.first = behind,
            // It has no turn.
            None => return,
        }
        match all.get_mut(behind as usize) {
            Some(other) => other.turn.before = before,
            None => self.last = before,
        }
    }

    fn append(&mut self, all: &mut [Shaped], place: u32) {
        let last = std::mem::replace(&mut self.last, place);
        if let Some(shaped) = all.get_mut(place as usize) {
            shaped.turn.before = last;
        }
        match all.get_mut(last as usize) {
            Some(other) => other.turn.behind = place,
            None => self.first = place,
        }
    }
}
