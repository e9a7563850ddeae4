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
    usage: Use,
    /// Size and wire time of the last frame asked for.
    known: (u32, u64),
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
        let usage = gate.usage;
        Self {
            gate,
            link,
            opens_ns,
            now_ps,
            horizon_ps,
            latest_ps,
            usage,
            known: (0, link.wire_time_ps(0)),
        }
    }

    /// Whether a frame of `octets_with_fcs` may start now, or as soon after as the link is free.
    /// Nothing is charged before [`charge`](Self::charge).
    ///
    /// # Errors
    /// [`Refusal`], never `Closed`. After [`Refusal::NoTimeLeft`] the time up to the window's close,
    /// or to the start of a shorter frame, counts as lost to the guard.
    #[inline]
    pub fn ask(&mut self, octets_with_fcs: u32) -> Result<Start, Refusal> {
        if octets_with_fcs != self.known.0 {
            self.known = (octets_with_fcs, self.link.wire_time_ps(octets_with_fcs));
        }
        let wire_ps = self.known.1;
        let start_ps = self.now_ps.max(self.usage.free_ps);
        if start_ps.saturating_add(wire_ps) > self.latest_ps {
            self.usage.starved_ps.get_or_insert(start_ps);
            return Err(Refusal::NoTimeLeft);
        }
        if start_ps > self.horizon_ps {
            return Err(Refusal::LinkBusy);
        }
        Ok(Start { start_ps, wire_ps })
    }

    /// Takes back everything charged since the gate was opened, for a burst of which not all goes
    /// after all. Charging those that do again never fails, and starts none later than before.
    pub fn rewind(&mut self) {
        self.usage = self.gate.usage;
    }

    /// Charges the link with a frame that goes, and gives the instant of its start (ns, rounded
    /// down).
    #[inline]
    pub fn charge(&mut self, start: Start) -> u64 {
        let Start { start_ps, wire_ps } = start;
        if let Some(starved_ps) = self.usage.starved_ps.take() {
            self.usage.guard_ps += start_ps.saturating_sub(starved_ps);
        }
        self.usage.busy_ps += wire_ps;
        self.usage.free_ps = start_ps + wire_ps;
        self.opens_ns + start_ps / PS_PER_NS
    }
}

impl Drop for Starts<'_> {
    #[inline]
    fn drop(&mut self) {
        self.gate.usage = self.usage;
    }
}
