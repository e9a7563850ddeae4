//! Level 1 for a burst: the frames that one PI may start at one instant.
//!
//! The same rules as [`Gate::try_start`], with what does not change from frame to frame looked up
//! once: the open window, its close less the guard, and the wire time of a size while it repeats.
//! Must never let more start than frame by frame asking would.

use crate::cycle::PS_PER_NS;
use crate::gate::{Gate, Refusal, Use};
use crate::rate::LinkRate;

/// The right to start frames in a window that is open, at the instant of the last
/// [`Gate::advance`]. What was started is charged to the link when this is dropped.
#[derive(Debug)]
pub struct Starts<'gate> {
    gate: &'gate mut Gate,
    link: LinkRate,
    opens_ns: u64,
    now_ps: u64,
    /// Latest start.
    horizon_ps: u64,
    /// Latest end.
    latest_ps: u64,
    /// When the next frame starts, if it may: now, or when the link is free.
    next_ps: u64,
    /// Wire time of what was charged.
    charged_ps: u64,
    /// As in [`Use`].
    starved_ps: Option<u64>,
    /// Time lost to the guard between frames that were charged.
    guard_ps: u64,
    known: Known,
}

/// What is known of the size last asked for.
#[derive(Debug, Clone, Copy)]
struct Known {
    octets_with_fcs: u32,
    wire_ps: u64,
    /// The first instant at which it may not start any more.
    too_late_ps: u64,
}

/// A start that was found possible and is not charged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a frame that starts is charged"]
pub struct Start {
    start_ps: u64,
    wire_ps: u64,
}

impl<'gate> Starts<'gate> {
    pub(crate) fn new(gate: &'gate mut Gate, link: LinkRate, ends: [u64; 4]) -> Self {
        let [opens_ns, now_ps, horizon_ps, latest_ps] = ends;
        let Use {
            free_ps,
            starved_ps,
            ..
        } = gate.usage;
        let mut starts = Self {
            gate,
            link,
            opens_ns,
            now_ps,
            horizon_ps,
            latest_ps,
            next_ps: now_ps.max(free_ps),
            charged_ps: 0,
            starved_ps,
            guard_ps: 0,
            known: Known {
                octets_with_fcs: 0,
                wire_ps: 0,
                too_late_ps: 0,
            },
        };
        starts.learn(0);
        starts
    }

    /// Whether a frame of `octets_with_fcs` may start now, or as soon after as the link is free.
    /// Nothing is charged before [`charge`](Self::charge).
    ///
    /// # Errors
    /// [`Refusal`], never `Closed`. After [`Refusal::NoTimeLeft`] the time up to the window's close,
    /// or to the start of a shorter frame, counts as lost to the guard.
    #[inline]
    pub fn ask(&mut self, octets_with_fcs: u32) -> Result<Start, Refusal> {
        if octets_with_fcs != self.known.octets_with_fcs {
            self.learn(octets_with_fcs);
        }
        let Known {
            wire_ps,
            too_late_ps,
            ..
        } = self.known;
        if self.next_ps >= too_late_ps {
            return Err(self.refuse(wire_ps));
        }
        Ok(Start {
            start_ps: self.next_ps,
            wire_ps,
        })
    }

    #[inline]
    fn learn(&mut self, octets_with_fcs: u32) {
        let wire_ps = self.link.wire_time_ps(octets_with_fcs);
        let last_ps = self.latest_ps.checked_sub(wire_ps);
        let last_ps = last_ps.map(|last_ps| last_ps.min(self.horizon_ps));
        self.known = Known {
            octets_with_fcs,
            wire_ps,
            too_late_ps: last_ps.map_or(0, |last_ps| last_ps.saturating_add(1)),
        };
    }

    #[cold]
    fn refuse(&mut self, wire_ps: u64) -> Refusal {
        if self.next_ps.saturating_add(wire_ps) > self.latest_ps {
            self.starved_ps.get_or_insert(self.next_ps);
            return Refusal::NoTimeLeft;
        }
        Refusal::LinkBusy
    }

    /// Takes back everything charged since the gate was opened, for a burst of which not all goes
    /// after all. Charging those that do again never fails, and starts none later than before.
    pub fn rewind(&mut self) {
        let Use {
            free_ps,
            starved_ps,
            ..
        } = self.gate.usage;
        self.next_ps = self.now_ps.max(free_ps);
        self.charged_ps = 0;
        self.starved_ps = starved_ps;
        self.guard_ps = 0;
    }

    /// Charges the link with a frame that goes, and gives the instant of its start (ns, rounded
    /// down).
    #[inline]
    pub fn charge(&mut self, start: Start) -> u64 {
        let Start { start_ps, wire_ps } = start;
        if let Some(starved_ps) = self.starved_ps {
            self.starved_ps = None;
            self.guard_ps += start_ps.saturating_sub(starved_ps);
        }
        self.charged_ps += wire_ps;
        self.next_ps = start_ps + wire_ps;
        self.opens_ns + start_ps / PS_PER_NS
    }
}

impl Drop for Starts<'_> {
    #[inline]
    fn drop(&mut self) {
        let usage = &mut self.gate.usage;
        usage.starved_ps = self.starved_ps;
        if self.charged_ps > 0 {
            usage.free_ps = self.next_ps;
            usage.busy_ps += self.charged_ps;
            usage.guard_ps += self.guard_ps;
        }
    }
}
