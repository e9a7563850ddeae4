//! Level 1: whose window is open, and may this frame start?
//!
//! A gate runs an oper cycle from its base time on. It is asked twice: [`Gate::advance`] moves it
//! to an instant, [`Gate::try_start`] charges the link with one frame of the open window's PI. A
//! frame may start when its window is open, the link is free, and it ends at least the guard
//! before the window closes. What the gate must never do is lend a window's time to another PI or
//! make up for a missed one.

use thiserror::Error;

use crate::account::{End, GateCounters, Tally};
use crate::cycle::{Cycle, PS_PER_NS, Span};
use crate::delay::left_over_ps;
use crate::extension::Extension;
use crate::reconfigure::{Admin, Retired};
use crate::starts::Starts;

/// Slots are a `u8`, so that none is out of range.
const SLOTS: usize = 1 << u8::BITS;

/// The open window: from `opens_ns` up to, not including, `closes_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Slot of the PI whose window it is; `None`: all gates are closed.
    pub owner: Option<u8>,
    /// When it opened. Before the base time: when the gate was first asked.
    pub opens_ns: u64,
    /// When it closes: the end of the phase, or the start of a new schedule if that is earlier.
    pub closes_ns: u64,
}

/// Why a frame may not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The open window is not this PI's.
    #[error("the gate is closed")]
    Closed,
    /// It fits in the window, but only after the link was busy for longer than the lookahead.
    #[error("the link is busy beyond the lookahead")]
    LinkBusy,
    /// It no longer fits before the window's close and guard. A shorter one may.
    #[error("no time left in the window")]
    NoTimeLeft,
}

/// Where the gate stands in its oper cycle.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// In no window of the oper cycle yet.
    Before,
    /// In a window: number of the cycle since the base time, index of the phase.
    In { cycle: u64, phase: usize },
}

/// Use of a window, picoseconds from its opening.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Use {
    /// From here on its time is accounted: 0, or when the gate was first asked.
    from_ps: u64,
    /// When the link is free again.
    pub(crate) free_ps: u64,
    /// Since when a frame waits that no longer fits, if the link has not been used since.
    pub(crate) starved_ps: Option<u64>,
    /// Wire time of its frames.
    pub(crate) busy_ps: u64,
    /// Time lost to the guard between frames.
    pub(crate) guard_ps: u64,
    /// How much later than by the computed starts the link is free.
    pub(crate) late_ps: u64,
}

impl Use {
    fn is_used(&self) -> bool {
        self.busy_ps > 0 || self.starved_ps.is_some()
    }
}

/// The gate of one port: one window at a time, by the cycle and nothing else.
#[derive(Debug)]
pub struct Gate {
    pub(crate) oper: Cycle,
    pub(crate) base_ns: u64,
    /// A change that frames were committed to and that cannot be replaced any more; the one in
    /// `admin` follows it.
    pub(crate) settled: Option<Admin>,
    pub(crate) admin: Option<Admin>,
    pub(crate) retired: Retired,
    pub(crate) now_ns: u64,
    asked: bool,
    pub(crate) lookahead_ps: u64,
    pub(crate) place: Place,
    pub(crate) window: Window,
    pub(crate) usage: Use,
    /// Use of the window that follows the open one.
    pub(crate) ahead: Use,
    /// An extension for a change that was replaced when it could not be undone any more.
    pub(crate) held: Option<Extension>,
    tallies: Box<[Tally; SLOTS]>,
}

impl Gate {
    /// A gate that runs `cycle` from `base_ns` on. A base time in the past gives the same windows
    /// as the next boundary `base_ns + n * T_c` would. A frame may be started up to `lookahead_ns`
    /// before the link is free for it, never before its window is open.
    #[must_use]
    pub fn new(cycle: Cycle, base_ns: u64, lookahead_ns: u64) -> Self {
        Self {
            oper: cycle,
            base_ns,
            settled: None,
            admin: None,
            retired: Retired::default(),
            now_ns: 0,
            asked: false,
            lookahead_ps: lookahead_ns.saturating_mul(PS_PER_NS),
            place: Place::Before,
            window: Window {
                owner: None,
                opens_ns: 0,
                closes_ns: 0,
            },
            usage: Use::default(),
            ahead: Use::default(),
            held: None,
            tallies: Box::new([Tally::default(); SLOTS]),
        }
    }

    /// Moves the gate to `now_ns` and gives the window that is open then. Windows that closed
    /// since the last call are accounted, an admin schedule whose time has come becomes the oper
    /// schedule. Costs at most O(phases), however long the last call is ago. An instant before
    /// that of the last call counts as that one.
    #[inline]
    pub fn advance(&mut self, now_ns: u64) -> Window {
        self.now_ns = self.now_ns.max(now_ns);
        if self.now_ns >= self.window.closes_ns {
            self.turn();
        }
        self.window
    }

    /// Starts a frame of `octets_with_fcs` of the PI `slot` at the instant of the last
    /// [`advance`](Self::advance), or as soon after as the link is free, and gives the instant of
    /// its start (ns, rounded down). The link is then charged with its wire time.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is charged then. After [`Refusal::NoTimeLeft`] the time up to the
    /// window's close, or to the start of a shorter frame, counts as lost to the guard.
    #[inline]
    pub fn try_start(&mut self, slot: u8, octets_with_fcs: u32) -> Result<u64, Refusal> {
        let mut starts = self.open(slot).ok_or(Refusal::Closed)?;
        let start = starts.ask(octets_with_fcs)?;
        Ok(starts.charge(start))
    }

    /// The frames that the PI `slot` may start at the instant of the last
    /// [`advance`](Self::advance), one after the other; none if the open window is not its own.
    #[inline]
    pub fn open(&mut self, slot: u8) -> Option<Starts<'_>> {
        if self.window.owner != Some(slot) {
            return None;
        }
        let Window {
            opens_ns,
            closes_ns,
            ..
        } = self.window;
        let now_ps = (self.now_ns - opens_ns) * PS_PER_NS;
        let closes_ps = (closes_ns - opens_ns) * PS_PER_NS;
        let guard_ps = self.oper.guard_ns().saturating_mul(PS_PER_NS);
        // A guard as long as the window leaves no time for any frame, and no time is less than none.
        let latest_ps = closes_ps.saturating_sub(guard_ps);
        let horizon_ps = now_ps.saturating_add(self.lookahead_ps);
        Some(Starts::new(
            &mut self.usage,
            self.oper.link(),
            [opens_ns, now_ps, horizon_ps, latest_ps],
        ))
    }

    /// Counters of the PI `slot`, over the windows that have closed since the gate was first
    /// asked.
    #[must_use]
    pub fn counters(&self, slot: u8) -> GateCounters {
        self.tallies[usize::from(slot)].counters(self.oper.phase_ns(slot))
    }

    /// The schedule that runs, and its base time.
    #[must_use]
    pub fn oper(&self) -> (&Cycle, u64) {
        (&self.oper, self.base_ns)
    }

    /// Puts the close of the open window where its phase ends, or the admin schedule starts.
    pub(crate) fn set_close(&mut self) {
        let closes_ns = match self.place {
            Place::Before => self.base_ns,
            Place::In { cycle, phase } => self.end_ns(cycle, phase),
        };
        self.window.closes_ns = closes_ns.min(self.oper_until_ns());
    }

    /// The change that comes next.
    pub(crate) fn change(&self) -> Option<&Admin> {
        self.settled.as_ref().or(self.admin.as_ref())
    }

    pub(crate) fn oper_until_ns(&self) -> u64 {
        self.change().map_or(u64::MAX, |change| change.base_ns)
    }

    pub(crate) fn instant(&self, cycle: u64, offset_ns: u64) -> u64 {
        let start_ns = cycle
            .saturating_mul(self.oper.length_ns())
            .saturating_add(self.base_ns);
        start_ns.saturating_add(offset_ns)
    }

    /// Leaves the open window, which `now_ns` is past.
    fn turn(&mut self) {
        while self.ahead.is_used() || self.held.is_some() {
            self.step();
            if self.now_ns < self.window.closes_ns {
                return;
            }
        }
        self.turn_at(self.now_ns);
    }

    /// Enters the next window even if its time has passed: for the account of what was committed to
    /// it, or because an extension has put its opening elsewhere than the cycle alone does.
    #[cold]
    fn step(&mut self) {
        let ahead = std::mem::take(&mut self.ahead);
        self.turn_at(self.window.closes_ns);
        if ahead.is_used() {
            let free_ps = ahead.free_ps.max(self.usage.free_ps);
            self.usage = Use { free_ps, ..ahead };
        }
    }

    /// Enters the window that is open at `at_ns`, of the schedule that runs then.
    fn turn_at(&mut self, at_ns: u64) {
        while let Some(from_ns) = self.change().map(|change| change.base_ns)
            && from_ns <= at_ns
        {
            self.finish_oper(from_ns);
            let Some(change) = self.settled.take().or_else(|| self.admin.take()) else {
                break;
            };
            let old = std::mem::replace(&mut self.oper, change.cycle);
            self.retired.put(old);
            self.base_ns = from_ns;
            self.held = self.held.take().filter(|held| held.from_ns > from_ns);
            self.place = Place::Before;
        }
        self.enter(at_ns);
    }

    /// Accounts the oper cycle up to `until_ns`, where its last window is cut.
    fn finish_oper(&mut self, until_ns: u64) {
        let last_ns = until_ns.saturating_sub(1);
        if last_ns >= self.window.closes_ns && self.asked {
            self.enter(last_ns);
        }
        self.window.closes_ns = self.window.closes_ns.min(until_ns);
        self.close_window();
    }

    /// Enters the window that is open at `at_ns`; accounts the one left and those in between.
    fn enter(&mut self, at_ns: u64) {
        let first_look = !std::mem::replace(&mut self.asked, true);
        let from = self.place;
        if let Place::In { .. } = from {
            self.close_window();
        }
        let (left, left_usage) = (self.window, std::mem::take(&mut self.usage));
        let Some(since_base_ns) = at_ns.checked_sub(self.base_ns) else {
            self.place = Place::Before;
            self.window = Window {
                owner: None,
                opens_ns: at_ns,
                closes_ns: 0,
            };
            self.set_close();
            return;
        };
        let resumes = self.held.take_if(|held| held.until_ns <= at_ns);
        let (cycle, phase) = self.located(at_ns, since_base_ns);
        if !first_look && resumes.is_none() {
            self.pass(from, cycle, phase);
        }
        let Span {
            owner, opens_ns, ..
        } = self.oper.span(phase);
        self.place = Place::In { cycle, phase };
        self.window = Window {
            owner,
            opens_ns: match resumes {
                Some(held) => held.until_ns,
                None => self.instant(cycle, opens_ns),
            },
            closes_ns: 0,
        };
        self.usage.free_ps = left_over_ps(&left_usage, &left, self.window.opens_ns);
        self.usage.late_ps = self.usage.free_ps;
        self.set_close();
        if first_look {
            self.usage.from_ps = (at_ns - self.window.opens_ns) * PS_PER_NS;
        }
    }

    /// Accounts the windows between `from` and phase `phase` of cycle `cycle`, both excluded.
    fn pass(&mut self, from: Place, cycle: u64, phase: usize) {
        let next = self.oper.spans().len();
        if let Place::In {
            cycle: last_cycle,
            phase: last_phase,
        } = from
        {
            let follows = (last_cycle == cycle && last_phase + 1 == phase)
                || (last_cycle + 1 == cycle && last_phase + 1 == next && phase == 0);
            if follows {
                return;
            }
        }
        for (index, span) in self.oper.spans().iter().enumerate() {
            let Some(slot) = span.owner else { continue };
            // Cycles up to and with this one in which the phase has come: those before, and this
            // one if the phase lies before the one entered.
            let come = cycle + u64::from(index < phase);
            let gone = match from {
                Place::Before => 0,
                Place::In { cycle, phase } => cycle + u64::from(index <= phase),
            };
            let passed = come.saturating_sub(gone);
            if passed > 0 {
                self.tallies[usize::from(slot)].passed(passed, span.duration_ns());
            }
        }
    }

    /// Accounts the window that the gate stands in.
    fn close_window(&mut self) {
        let (Place::In { .. }, Some(slot)) = (self.place, self.window.owner) else {
            return;
        };
        let usage = &self.usage;
        let closes_ps = (self.window.closes_ns - self.window.opens_ns) * PS_PER_NS;
        let open_ps = closes_ps.saturating_sub(usage.from_ps);
        if open_ps == 0 {
            return;
        }
        let starved_ps = usage
            .starved_ps
            .map_or(0, |from_ps| closes_ps.saturating_sub(from_ps));
        let end = End {
            overrun: usage.free_ps - usage.late_ps.min(usage.free_ps) > closes_ps,
            late: usage.late_ps > 0 && usage.free_ps > closes_ps,
        };
        let tally = &mut self.tallies[usize::from(slot)];
        tally.window(
            open_ps / PS_PER_NS,
            usage.busy_ps,
            usage.guard_ps + starved_ps,
            end,
        );
    }
}
