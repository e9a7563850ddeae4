//! How long a worker was not there, and what that adds up to.
//!
//! Pure. Must never take a gap that the gate bridges for one that it does not.

use pinode_node::assemble::LOOKAHEAD_NS;
use serde::Serialize;

/// Part of the time that a schedule makes up for without being told: less than what is left beside the connections.
const MADE_UP: f64 = 0.02;

/// Gaps between two looks that are longer than what is handed over ahead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Away {
    /// The longest, nanoseconds.
    pub longest_ns: u64,
    /// All together, nanoseconds.
    pub total_ns: u64,
    /// The most that came together, less one part in fifty of the time in which it came: what of it is not made up for
    /// meanwhile, nanoseconds.
    pub together_ns: u64,
    #[serde(skip)]
    last_ns: u64,
    #[serde(skip)]
    level_ns: f64,
}

impl Away {
    /// Nothing yet, from `now_ns` on.
    #[must_use]
    pub fn since(now_ns: u64) -> Self {
        Self {
            last_ns: now_ns,
            ..Self::default()
        }
    }

    /// It is there at `now_ns`.
    #[inline]
    pub fn look(&mut self, now_ns: u64) {
        let gap_ns = now_ns.saturating_sub(self.last_ns);
        if gap_ns > LOOKAHEAD_NS {
            self.gap(gap_ns);
        } else {
            self.level_ns = (self.level_ns - gap_ns as f64 * MADE_UP).max(0.0);
        }
        self.last_ns = now_ns;
    }

    #[cold]
    fn gap(&mut self, gap_ns: u64) {
        self.longest_ns = self.longest_ns.max(gap_ns);
        self.total_ns += gap_ns;
        self.level_ns += gap_ns as f64 * (1.0 - MADE_UP);
        self.together_ns = self.together_ns.max(self.level_ns as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_add_up_and_are_made_up_for() {
        let mut away = Away::since(1_000);
        let mut look = |at_ns| {
            away.look(at_ns);
            away
        };
        let found = look(1_000 + LOOKAHEAD_NS);
        assert_eq!((found.longest_ns, found.together_ns), (0, 0));
        // A millisecond at a time, one right behind the other.
        for ms in 1..=2 {
            look(1_000 + LOOKAHEAD_NS + ms * 1_000_000);
        }
        let found = look(2_001_001 + LOOKAHEAD_NS);
        assert_eq!((found.longest_ns, found.total_ns), (1_000_000, 2_000_000));
        assert_eq!(found.together_ns, 1_960_000);
        // 100 ms of looks: as good as never away.
        let from_ns = found.last_ns;
        for looked in 1..=10_000 {
            look(from_ns + looked * 10_000);
        }
        let found = look(from_ns + 100_000_000 + 1_000_000);
        assert_eq!((found.total_ns, found.together_ns), (3_000_000, 1_960_000));
    }
}
