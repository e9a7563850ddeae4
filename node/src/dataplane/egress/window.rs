//! The windows that a worker sends in: the open one, and by launch time the next.
//!
//! What was handed over leaves in that order, so the first frame handed over for the next window ends the
//! open one. Must never send ahead while the worker could still see a frame that goes in the open window:
//! either none fits any more, or it would look at the port again only behind the edge.

use pinode_classifier::MIN_FRAME_OCTETS;
use pinode_scheduler::level2::Discipline;

use super::super::lane::{FCS, Outbound};

/// Octets of the shortest frame, with FCS.
const SHORTEST: u32 = MIN_FRAME_OCTETS as u32 + FCS;

/// The window that frames are sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// That which is open.
    Open,
    /// The one behind it.
    Ahead,
}

impl Outbound {
    /// Moves the gate to `now_ns`, or as far ahead of it as launch time wants its frames.
    #[inline]
    pub(in super::super) fn look(&mut self, now_ns: u64) {
        let lead_ns = self.launch_lead_ns.unwrap_or(0);
        let window = self.gate.advance(now_ns.saturating_add(lead_ns));
        if window.opens_ns != self.window.opens_ns {
            let at_ns = window.opens_ns;
            let waits = (window.owner).is_some_and(|owner| self.waits_at(owner.into(), at_ns));
            self.edge.opened(at_ns, waits);
            self.next = self.gate.next();
        }
        self.window = window;
    }

    /// The schedule has changed.
    pub(in super::super) fn rescheduled(&mut self) {
        self.next = self.gate.next();
    }

    /// Whose frames wait for such a window, and may go at `now_ns` by their discipline.
    #[inline]
    pub(super) fn sends(&self, when: When, now_ns: u64) -> Option<u8> {
        let window = match when {
            When::Open if self.edge.is_ahead(self.window.closes_ns) => None,
            When::Open => Some(self.window),
            When::Ahead => self.next,
        };
        let owner = window?.owner?;
        self.waits_at(owner.into(), now_ns).then_some(owner)
    }

    /// Whether the next window's turn has come: no frame can start in the open one any more, and the port
    /// holds what it is handed.
    #[inline]
    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        self.launch_lead_ns.is_some()
            && self.sends(When::Ahead, now_ns).is_some()
            && (self.gate.is_over(SHORTEST) || self.is_stuck())
    }

    /// Whether the frame at the head of a PI's only queue no longer fits in the open window.
    fn is_stuck(&self) -> bool {
        let pi = (self.window.owner).and_then(|owner| self.pis.get(usize::from(owner)));
        pi.is_some_and(|pi| pi.queue.has_one_head() && !pi.queue.is_empty())
            && self.gate.is_starved()
    }
}
