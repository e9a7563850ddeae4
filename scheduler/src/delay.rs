//! Frames that left later than they were to, on a link that sends what it is handed.
//!
//! The link is busy for so much longer, however late it is: what it still carries after a window's
//! close is an overrun, and the next window's frames wait for it.

use crate::cycle::PS_PER_NS;
use crate::gate::{Gate, Use, Window};

impl Gate {
    /// The frames last started in the open window left `by_ns` later than at their starts.
    #[inline]
    pub fn delay(&mut self, by_ns: u64) {
        if by_ns > 0 {
            let by_ps = by_ns.saturating_mul(PS_PER_NS);
            self.usage.free_ps = self.usage.free_ps.saturating_add(by_ps);
        }
    }
}

/// When a link with this `usage` of `window` is free, picoseconds from the opening at `opens_ns` of
/// a later one.
pub(crate) fn left_over_ps(usage: &Use, window: &Window, opens_ns: u64) -> u64 {
    let passed_ns = opens_ns.saturating_sub(window.opens_ns);
    usage
        .free_ps
        .saturating_sub(passed_ns.saturating_mul(PS_PER_NS))
}
