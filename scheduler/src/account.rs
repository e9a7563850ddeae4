//! What became of a PI's window time: sent, lost to the guard, lost empty.
//!
//! Each window is accounted when it has closed, and its three parts are exactly its length. They
//! are picoseconds and the counters nanoseconds: what does not make a whole nanosecond is carried
//! to the next window, so no counter is ever off by more than 2 ns and the sums are exact.

use crate::cycle::PS_PER_NS;

/// Counters of one PI at one gate. All but `phase_ns` only grow, and always
/// `open_ns = busy_ns + guard_idle_ns + empty_idle_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateCounters {
    /// Phase time of the PI in a cycle of the oper schedule, ns.
    pub phase_ns: u64,
    /// Windows that have closed.
    pub windows: u64,
    /// Of those, windows whose last frame held the link beyond their close; 0 by construction.
    pub window_overruns: u64,
    /// Length of those windows, ns.
    pub open_ns: u64,
    /// Of that, wire time of frames, ns.
    pub busy_ns: u64,
    /// Of that, time in which a frame waited but no longer fitted before close and guard, ns.
    pub guard_idle_ns: u64,
    /// Of that, time in which no frame was offered, ns.
    pub empty_idle_ns: u64,
}

/// The running sums behind [`GateCounters`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    windows: u64,
    overruns: u64,
    open_ns: u64,
    busy_ns: u64,
    guard_ns: u64,
    empty_ns: u64,
    /// Sent but not yet a whole nanosecond.
    busy_carry_ps: u64,
    /// Lost to the guard but not yet a whole nanosecond.
    guard_carry_ps: u64,
}

impl Tally {
    /// Accounts a closed window of `open_ns`, of which `busy_ps` sent and `guard_ps` lost to the
    /// guard; the rest was empty.
    pub fn window(&mut self, open_ns: u64, busy_ps: u64, guard_ps: u64, overrun: bool) {
        self.busy_carry_ps = self.busy_carry_ps.saturating_add(busy_ps);
        self.guard_carry_ps = self.guard_carry_ps.saturating_add(guard_ps);
        let busy_ns = (self.busy_carry_ps / PS_PER_NS).min(open_ns);
        let guard_ns = (self.guard_carry_ps / PS_PER_NS).min(open_ns - busy_ns);
        self.busy_carry_ps -= busy_ns * PS_PER_NS;
        self.guard_carry_ps -= guard_ns * PS_PER_NS;
        self.windows += 1;
        self.overruns += u64::from(overrun);
        self.open_ns += open_ns;
        self.busy_ns += busy_ns;
        self.guard_ns += guard_ns;
        self.empty_ns += open_ns - busy_ns - guard_ns;
    }

    /// Accounts `windows` windows of `open_ns` each that passed without a look.
    pub fn passed(&mut self, windows: u64, open_ns: u64) {
        let all_ns = windows.saturating_mul(open_ns);
        self.windows += windows;
        self.open_ns += all_ns;
        self.empty_ns += all_ns;
    }

    pub fn counters(&self, phase_ns: u64) -> GateCounters {
        GateCounters {
            phase_ns,
            windows: self.windows,
            window_overruns: self.overruns,
            open_ns: self.open_ns,
            busy_ns: self.busy_ns,
            guard_idle_ns: self.guard_ns,
            empty_idle_ns: self.empty_ns,
        }
    }
}
