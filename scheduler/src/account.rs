//! What became of a PI's window time: sent, lost to the guard, lost empty.
//!
//! Each window is accounted when it has closed, and its three parts are exactly its length. They
//! are picoseconds and the counters nanoseconds: what rounding takes from a counter or gives to it
//! is carried to the next window, so no counter is ever off by a nanosecond and the sums are exact.

use crate::cycle::PS_PER_NS;

/// Counters of one PI at one gate. All but `phase_ns` only grow, and always
/// `open_ns = busy_ns + guard_idle_ns + empty_idle_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateCounters {
    /// Phase time of the PI in a cycle of the oper schedule, ns.
    pub phase_ns: u64,
    /// Windows that have closed.
    pub windows: u64,
    /// Of those, windows whose last frame held the link beyond their close by its computed start; 0 by
    /// construction.
    pub window_overruns: u64,
    /// Of those, windows in which frames left so much later than computed that the link was busy beyond
    /// their close ([`Gate::delay`](crate::Gate::delay)).
    pub late_windows: u64,
    /// Length of those windows, ns.
    pub open_ns: u64,
    /// Of that, wire time of frames, ns.
    pub busy_ns: u64,
    /// Of that, time in which a frame waited but no longer fitted before close and guard, ns.
    pub guard_idle_ns: u64,
    /// Of that, time in which no frame was offered, ns.
    pub empty_idle_ns: u64,
}

/// How a window ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// Its last frame was started so that it ended behind the close.
    pub overrun: bool,
    /// Its last frame left so late that it ended behind the close.
    pub late: bool,
}

/// The running sums behind [`GateCounters`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    windows: u64,
    overruns: u64,
    late: u64,
    open_ns: u64,
    /// Sent, lost to the guard, lost empty.
    parts_ns: [u64; 3],
    /// What the parts are more than their counters say, ps; less than 1 ns each, 0 in sum.
    carry_ps: [i64; 3],
}

impl Tally {
    /// Accounts a closed window of `open_ns`, of which `busy_ps` sent and `guard_ps` lost to the
    /// guard; the rest was empty.
    pub fn window(&mut self, open_ns: u64, busy_ps: u64, guard_ps: u64, end: End) {
        let open_ps = open_ns * PS_PER_NS;
        let busy_ps = busy_ps.min(open_ps);
        let guard_ps = guard_ps.min(open_ps - busy_ps);
        let parts_ps = [busy_ps, guard_ps, open_ps - busy_ps - guard_ps];
        let mut left_ns = open_ns;
        for ((carry_ps, part_ns), part_ps) in self
            .carry_ps
            .iter_mut()
            .zip(&mut self.parts_ns)
            .zip(parts_ps)
        {
            let due_ps = u64::try_from(*carry_ps + part_ps as i64).unwrap_or(0);
            let whole_ns = (due_ps / PS_PER_NS).min(left_ns);
            *carry_ps += part_ps as i64 - (whole_ns * PS_PER_NS) as i64;
            *part_ns += whole_ns;
            left_ns -= whole_ns;
        }
        // What the parts' fractions make together goes to those that miss most.
        while left_ns > 0 {
            let most = (1..3).fold(0, |a, b| {
                if self.carry_ps[b] > self.carry_ps[a] {
                    b
                } else {
                    a
                }
            });
            self.carry_ps[most] -= PS_PER_NS as i64;
            self.parts_ns[most] += 1;
            left_ns -= 1;
        }
        self.windows += 1;
        self.overruns += u64::from(end.overrun);
        self.late += u64::from(end.late);
        self.open_ns += open_ns;
    }

    /// Accounts `windows` windows of `open_ns` each that passed without a look.
    pub fn passed(&mut self, windows: u64, open_ns: u64) {
        let all_ns = windows.saturating_mul(open_ns);
        self.windows += windows;
        self.open_ns += all_ns;
        self.parts_ns[2] += all_ns;
    }

    pub fn counters(&self, phase_ns: u64) -> GateCounters {
        let [busy_ns, guard_idle_ns, empty_idle_ns] = self.parts_ns;
        GateCounters {
            phase_ns,
            windows: self.windows,
            window_overruns: self.overruns,
            late_windows: self.late,
            open_ns: self.open_ns,
            busy_ns,
            guard_idle_ns,
            empty_idle_ns,
        }
    }
}
