//! Level 1 for a burst: the frames that one PI may start at one instant.
//!
//! The same rules as [`Gate::try_start`](crate::Gate::try_start), with what does not change from frame to frame looked up
//! once: the open window, its close less the guard, and the wire time of a size while it repeats.
//! Must never let more start than frame by frame asking would.

use crate::cycle::PS_PER_NS;
use crate::gate::{Refusal, Use};
use crate::rate::LinkRate;

/// The right to start frames in one window, that is open or the next, at the instant of the last
/// [`Gate::advance`](crate::Gate::advance). What was started is charged to the link when this is
/// dropped.
#[derive(Debug)]
pub struct Starts<'gate> {
    usage: &'gate mut Use,
    link: LinkRate,
    opens_ns: u64,
    /// Latest start.
    horizon_ps: u64,
    /// Latest end.
    latest_ps: u64,
    /// When the first frame starts: now, or when the link is free.
    first_ps: u64,
    /// When the next frame starts, if it may: when the one before has ended.
    next_ps: u64,
    /// As in [`Use`].
    starved_ps: Option<u64>,
    /// Time lost to the guard between frames that were charged.
    guard_ps: u64,
    /// The size last asked for, with FCS, and its wire time.
    octets: u32,
    wire_ps: u64,
    /// From this instant on there is more to look at before a frame of that size starts: it may not, or
    /// one was starved before it.
    look_ps: u64,
}

/// A start that was found possible and is not charged yet.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a frame that starts is charged"]
pub struct Start {
    start_ps: u64,
    wire_ps: u64,
}

impl<'gate> Starts<'gate> {
    pub(crate) fn new(usage: &'gate mut Use, link: LinkRate, ends: [u64; 4]) -> Self {
        let [opens_ns, now_ps, horizon_ps, latest_ps] = ends;
        let Use {
            free_ps,
            starved_ps,
            ..
        } = *usage;
        let first_ps = now_ps.max(free_ps);
        let mut starts = Self {
            usage,
            link,
            opens_ns,
            horizon_ps,
            latest_ps,
            first_ps,
            next_ps: first_ps,
            starved_ps,
            guard_ps: 0,
            octets: 0,
            wire_ps: link.wire_time_ps(0),
            look_ps: 0,
        };
        starts.find_look();
        starts
    }

    /// The size of the frames that [`start`](Self::start) is asked for from now on.
    #[inline]
    pub fn size(&mut self, octets_with_fcs: u32) {
        if octets_with_fcs != self.octets {
            self.octets = octets_with_fcs;
            self.wire_ps = self.link.wire_time_ps(octets_with_fcs);
            self.find_look();
        }
    }

    /// Starts a frame of that size now, or as soon after as the link is free: charges the link with it,
    /// and gives the instant (ns, rounded down).
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    #[inline]
    pub fn start(&mut self) -> Result<u64, Refusal> {
        if self.next_ps >= self.look_ps {
            self.look()?;
            self.feed();
        }
        let start_ps = self.next_ps;
        self.next_ps = start_ps + self.wire_ps;
        Ok(self.opens_ns + start_ps / PS_PER_NS)
    }

    /// Whether a frame of `octets_with_fcs` may start now, or as soon after as the link is free.
    /// Nothing is charged before [`charge`](Self::charge).
    ///
    /// # Errors
    /// [`Refusal`], never `Closed`. After [`Refusal::NoTimeLeft`] the time up to the window's close,
    /// or to the start of a shorter frame, counts as lost to the guard.
    #[inline]
    pub fn ask(&mut self, octets_with_fcs: u32) -> Result<Start, Refusal> {
        self.size(octets_with_fcs);
        if self.next_ps >= self.look_ps {
            self.look()?;
        }
        Ok(Start {
            start_ps: self.next_ps,
            wire_ps: self.wire_ps,
        })
    }

    /// Charges the link with a frame that goes, and gives the instant of its start (ns, rounded
    /// down).
    #[inline]
    pub fn charge(&mut self, start: Start) -> u64 {
        let Start { start_ps, wire_ps } = start;
        if self.starved_ps.is_some() {
            self.feed();
        }
        self.next_ps = start_ps + wire_ps;
        self.opens_ns + start_ps / PS_PER_NS
    }

    /// Takes back everything charged since the gate was opened, for a burst of which not all goes
    /// after all. Charging those that do again never fails, and starts none later than before.
    pub fn rewind(&mut self) {
        self.next_ps = self.first_ps;
        self.starved_ps = self.usage.starved_ps;
        self.guard_ps = 0;
        self.find_look();
    }

    #[inline]
    fn find_look(&mut self) {
        let last_ps = self.latest_ps.checked_sub(self.wire_ps);
        let last_ps = last_ps.map(|last_ps| last_ps.min(self.horizon_ps));
        self.look_ps = match (last_ps, self.starved_ps) {
            (Some(last_ps), None) => last_ps.saturating_add(1),
            _ => 0,
        };
    }

    /// Whether a frame of the size may start.
    #[cold]
    fn look(&mut self) -> Result<(), Refusal> {
        if self.next_ps.saturating_add(self.wire_ps) > self.latest_ps {
            self.starved_ps.get_or_insert(self.next_ps);
            self.find_look();
            return Err(Refusal::NoTimeLeft);
        }
        if self.next_ps > self.horizon_ps {
            return Err(Refusal::LinkBusy);
        }
        Ok(())
    }

    /// A frame starts after one that was starved.
    #[cold]
    fn feed(&mut self) {
        if let Some(starved_ps) = self.starved_ps.take() {
            self.guard_ps += self.next_ps.saturating_sub(starved_ps);
            self.find_look();
        }
    }
}

impl Drop for Starts<'_> {
    #[inline]
    fn drop(&mut self) {
        let usage = &mut *self.usage;
        usage.starved_ps = self.starved_ps;
        // Frames follow one another without a gap.
        let charged_ps = self.next_ps - self.first_ps;
        if charged_ps > 0 {
            usage.free_ps = self.next_ps;
            usage.busy_ps += charged_ps;
            usage.guard_ps += self.guard_ps;
        }
    }
}
