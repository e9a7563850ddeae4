//! Frames that left later than they were to, on a link that sends what it is handed.
//!
//! The link is busy for so much longer, however late it is: what it still carries after a window's
//! close makes the window a late one, and the next window's frames wait for it.

use crate::cycle::PS_PER_NS;
use crate::gate::{Gate, Use, Window};
use crate::rate::LinkRate;

impl Gate {
    /// The frames last started leave `by_ns` later than at their starts. `ahead`: they were started in the
    /// next window, and not in the open one.
    #[inline]
    pub fn delay(&mut self, ahead: bool, by_ns: u64) {
        if by_ns > 0 {
            let usage = self.usage_of(ahead);
            let by_ps = by_ns.saturating_mul(PS_PER_NS);
            usage.free_ps = usage.free_ps.saturating_add(by_ps);
            usage.late_ps = usage.late_ps.saturating_add(by_ps);
        }
    }

    /// The frames started last in a window, of `wire_ps` picoseconds on the wire together, do not leave
    /// after all.
    pub fn keep_back(&mut self, ahead: bool, wire_ps: u64) {
        let usage = self.usage_of(ahead);
        usage.free_ps = usage.free_ps.saturating_sub(wire_ps);
        usage.busy_ps = usage.busy_ps.saturating_sub(wire_ps);
    }

    /// The link, and the close (ns) of the open window or the next. The guard before it is for frames that
    /// leave late.
    #[must_use]
    pub fn deadline(&self, ahead: bool) -> Option<(LinkRate, u64)> {
        let (window, cycle) = match ahead {
            true => self.following()?,
            false => (self.window, &self.oper),
        };
        Some((cycle.link(), window.closes_ns))
    }

    fn usage_of(&mut self, ahead: bool) -> &mut Use {
        match ahead {
            true => &mut self.ahead,
            false => &mut self.usage,
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
