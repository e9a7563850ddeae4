//! Frames committed ahead, to the window that follows the open one.
//!
//! A port with launch time puts a frame on the wire at an instant of its own, so it may be handed
//! one before the frame's window opens. The rules are those of an open window, and so is what they
//! are charged to: a use of the next window, which becomes the open window's when the gate turns
//! into it. A change of the schedule must never take time from under a frame that was committed.

use crate::cycle::{Cycle, PS_PER_NS};
use crate::delay::left_over_ps;
use crate::extension::Extension;
use crate::gate::{Gate, Place, Use, Window};
use crate::starts::Starts;

impl Gate {
    /// The window that follows the one that was open at the last [`advance`](Self::advance), as
    /// the schedules known now have it. `None` before the first, and at the end of the clock.
    #[must_use]
    pub fn next(&self) -> Option<Window> {
        self.following().map(|(window, _)| window)
    }

    /// The frames that the PI `slot` may start in the [`next`](Self::next) window, one after the
    /// other; none if that is not its own, or opens later than the lookahead from the last
    /// [`advance`](Self::advance) on. None of them starts before the window opens; for the rest it
    /// is as if the gate had been [opened](Self::open) there, with the lookahead still reckoned
    /// from the last advance.
    pub fn open_ahead(&mut self, slot: u8) -> Option<Starts<'_>> {
        let (window, cycle) = self.following().filter(|next| next.0.owner == Some(slot))?;
        let ahead_ps = (window.opens_ns - self.now_ns).saturating_mul(PS_PER_NS);
        let horizon_ps = self.lookahead_ps.checked_sub(ahead_ps)?;
        let closes_ps = (window.closes_ns - window.opens_ns) * PS_PER_NS;
        let guard_ps = cycle.guard_ns().saturating_mul(PS_PER_NS);
        let latest_ps = closes_ps.saturating_sub(guard_ps);
        let link = cycle.link();
        // What the link still carries of the open window's frames, if they left late.
        let left_over_ps = left_over_ps(&self.usage, &self.window, window.opens_ns);
        self.ahead.free_ps = self.ahead.free_ps.max(left_over_ps);
        Some(Starts::new(
            &mut self.ahead,
            link,
            [window.opens_ns, 0, horizon_ps, latest_ps],
        ))
    }

    /// Whether no frame of `octets_with_fcs` can start in the open window any more, whatever comes.
    #[inline]
    #[must_use]
    pub fn is_over(&self, octets_with_fcs: u32) -> bool {
        // Before the base time it may be open for longer than picoseconds count.
        if self.window.owner.is_none() {
            return true;
        }
        let opens_ns = self.window.opens_ns;
        let guard_ns = self.oper.guard_ns();
        let latest_ns = self
            .window
            .closes_ns
            .saturating_sub(opens_ns)
            .saturating_sub(guard_ns);
        let start_ps = ((self.now_ns - opens_ns) * PS_PER_NS).max(self.usage.free_ps);
        let end_ps = start_ps.saturating_add(self.oper.link().wire_time_ps(octets_with_fcs));
        end_ps > latest_ns * PS_PER_NS
    }

    /// Whether the frame that the open window's PI offered last no longer fits in it, and none went since.
    #[inline]
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.usage.starved_ps.is_some()
    }

    /// The next window, and the cycle that it belongs to.
    pub(crate) fn following(&self) -> Option<(Window, &Cycle)> {
        let opens_ns = self.window.closes_ns;
        if opens_ns <= self.now_ns {
            return None;
        }
        let (cycle, span, closes_ns) = match self.change() {
            Some(change) if change.base_ns == opens_ns => {
                let span = change.cycle.span(0);
                let closes_ns = opens_ns.saturating_add(span.duration_ns());
                let after = self.settled.as_ref().and(self.admin.as_ref());
                let until_ns = after.map_or(u64::MAX, |after| after.base_ns);
                let extension = after.and_then(|after| after.extension);
                let closes_ns = Extension::close_ns([self.held, extension], closes_ns);
                (&change.cycle, span, closes_ns.min(until_ns))
            }
            _ => {
                let resumes = self.held.is_some_and(|held| held.until_ns == opens_ns);
                let (cycle, phase) = match self.place {
                    _ if resumes => self.located(opens_ns, opens_ns - self.base_ns),
                    Place::Before => (0, 0),
                    Place::In { cycle, phase } if phase + 1 < self.oper.spans().len() => {
                        (cycle, phase + 1)
                    }
                    Place::In { cycle, .. } => (cycle.saturating_add(1), 0),
                };
                let span = self.oper.span(phase);
                let closes_ns = self.end_ns(cycle, phase);
                (&self.oper, span, closes_ns.min(self.oper_until_ns()))
            }
        };
        let window = Window {
            owner: span.owner,
            opens_ns,
            closes_ns,
        };
        (closes_ns > opens_ns).then_some((window, cycle))
    }

    /// The instant from which on nothing is promised to a frame yet: now, or when the last frame
    /// started or committed and the guard behind it have passed.
    pub(crate) fn uncommitted_ns(&self) -> u64 {
        let end_ns = |usage: &Use, opens_ns: u64, guard_ns| {
            let free_ns = usage.free_ps.div_ceil(PS_PER_NS).saturating_add(guard_ns);
            opens_ns.saturating_add(free_ns)
        };
        let ahead = self.following().filter(|_| self.ahead.busy_ps > 0);
        if let Some((window, cycle)) = ahead {
            let end_ns = end_ns(&self.ahead, window.opens_ns, cycle.guard_ns());
            return self.now_ns.max(end_ns);
        }
        if self.usage.free_ps == 0 {
            return self.now_ns;
        }
        let end_ns = end_ns(&self.usage, self.window.opens_ns, self.oper.guard_ns());
        self.now_ns.max(end_ns)
    }

    /// Whether frames were committed to the first window of the change that comes next.
    pub(crate) fn committed_to_change(&self) -> bool {
        self.ahead.busy_ps > 0 && self.oper_until_ns() == self.window.closes_ns
    }

    /// After a change of the schedules to come: a frame that was refused in the next window may
    /// have a longer one now, or none.
    pub(crate) fn forget_uncommitted(&mut self) {
        if self.ahead.busy_ps == 0 {
            self.ahead = Use::default();
        }
    }
}
