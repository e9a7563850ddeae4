//! Cycle-time extension (IEEE Std 802.1Q-2018 8.6.9.1, SetCycleStartTime, and 8.6.9.4).
//!
//! Where a change of the schedule comes soon after a boundary of the cycle, the cycle that would be
//! cut short is not begun, and the last phase stays open until the change. It must never take a
//! window away that has opened or that a frame was committed to, nor give back time that a frame
//! was started in.

use crate::cycle::Cycle;
use crate::gate::Gate;

/// No cycle begins from `from_ns`, where one ends, up to `until_ns`: the window that closes there
/// stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extension {
    pub from_ns: u64,
    pub until_ns: u64,
}

impl Extension {
    /// Where a window closes that the cycle alone would close at `end_ns`.
    pub fn close_ns(extensions: [Option<Self>; 2], end_ns: u64) -> u64 {
        let mut extensions = extensions.into_iter().flatten();
        extensions
            .find(|extension| extension.from_ns == end_ns)
            .map_or(end_ns, |extension| extension.until_ns)
    }
}

impl Gate {
    /// The extension for a change at `base_ns` of the schedule `before` that runs until then, with
    /// its base time; if there is to be one.
    pub(crate) fn extension(&self, before: (&Cycle, u64), base_ns: u64) -> Option<Extension> {
        let (cycle, runs_from_ns) = before;
        let cycles = base_ns.checked_sub(runs_from_ns)?.checked_sub(1)? / cycle.length_ns();
        let from_ns = runs_from_ns + cycles * cycle.length_ns();
        let near = base_ns - from_ns <= cycle.extension_ns();
        let begun = from_ns <= self.now_ns
            || (self.ahead.busy_ps > 0 && self.window.closes_ns == from_ns)
            // One at a time: the cycle that it is reckoned from has been put out of step.
            || self.held.is_some();
        (cycles > 0 && near && !begun).then_some(Extension {
            from_ns,
            until_ns: base_ns,
        })
    }

    /// Where the phase of the oper cycle closes.
    pub(crate) fn end_ns(&self, cycle: u64, phase: usize) -> u64 {
        let end_ns = self.instant(cycle, self.oper.span(phase).closes_ns);
        Extension::close_ns(self.extensions(), end_ns)
    }

    /// Cycle and phase of the window that is open at `at_ns`, which is `since_base_ns` after the
    /// base time.
    pub(crate) fn located(&self, at_ns: u64, since_base_ns: u64) -> (u64, usize) {
        let mut extensions = self.extensions().into_iter().flatten();
        let extended = extensions.find(|e| (e.from_ns..e.until_ns).contains(&at_ns));
        let back_ns = extended.map_or(0, |extended| at_ns - extended.from_ns + 1);
        let since_base_ns = since_base_ns.saturating_sub(back_ns);
        let length_ns = self.oper.length_ns();
        let phase = self.oper.phase_at(since_base_ns % length_ns);
        (since_base_ns / length_ns, phase)
    }

    fn extensions(&self) -> [Option<Extension>; 2] {
        let change = self.change().and_then(|change| change.extension);
        [self.held, change]
    }
}
