//! One connection: its contract, its frames, and when the next one may go.

use super::super::ClassCounters;
use super::contract::{Connection, Service};
use super::pool::Line;
use crate::cycle::PS_PER_NS;

/// No connection.
pub(super) const NONE: u32 = u32::MAX;

/// A connection that was set up: two cache lines.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Shaped {
    pub(super) contract: Connection,
    pub(super) line: Line,
    /// The theoretical time of the next frame.
    theoretical: Instant,
    pub(super) counted: Counted,
    /// Its place among all that there are.
    pub(super) listed: u32,
    pub(super) turn: Turn,
}

/// Its place among those of best effort that have frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) before: u32,
    pub(super) behind: u32,
    /// Octets of wire that it may still send in its turn.
    pub(super) left: i32,
}

/// What is counted and does not follow from the rest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    dequeued: u64,
    dequeued_octets: u64,
    pub(super) cleared: u64,
    pub(super) full: u64,
    pub(super) policed: u64,
}

/// An instant to the picosecond: without it, a rate would be off by what rounding takes from T.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Instant {
    ns: u64,
    /// Below 1000.
    ps: u64,
}

impl Instant {
    #[inline]
    fn after_ps(self, ps: u64) -> Self {
        let ps = self.ps + ps % PS_PER_NS + ps / PS_PER_NS * PS_PER_NS;
        Self {
            ns: self.ns.saturating_add(ps / PS_PER_NS),
            ps: ps % PS_PER_NS,
        }
    }

    #[inline]
    fn rounded_up_ns(self) -> u64 {
        self.ns.saturating_add(u64::from(self.ps > 0))
    }
}

impl Shaped {
    pub(super) fn new(contract: Connection, listed: u32) -> Self {
        Self {
            contract,
            line: Line::default(),
            theoretical: Instant::default(),
            counted: Counted::default(),
            listed,
            turn: Turn {
                before: NONE,
                behind: NONE,
                left: 0,
            },
        }
    }

    #[inline]
    pub(super) fn is_cbr(&self) -> bool {
        self.contract.service == Service::Cbr
    }

    /// The first instant at which its next frame conforms; `untold_ns`: tau, if it has none of its own.
    #[inline]
    pub(super) fn conforms_ns(&self, untold_ns: u64) -> u64 {
        let tolerance_ns = self.contract.tolerance.ns(untold_ns);
        self.theoretical
            .rounded_up_ns()
            .saturating_sub(tolerance_ns)
    }

    /// A frame of so many octets goes at `now_ns`.
    #[inline]
    pub(super) fn goes(&mut self, now_ns: u64, octets: u32) {
        let now = Instant { ns: now_ns, ps: 0 };
        let interval_ps = self
            .contract
            .peak
            .map_or(0, |peak| peak.wire_time_ps(octets));
        self.theoretical = self.theoretical.max(now).after_ps(interval_ps);
        self.counts(octets);
    }

    /// As [`goes`](Self::goes) without a rate.
    #[inline]
    pub(super) fn counts(&mut self, octets: u32) {
        self.counted.dequeued += 1;
        self.counted.dequeued_octets += u64::from(octets);
    }

    pub(super) fn counters(&self) -> ClassCounters {
        let Counted {
            dequeued,
            dequeued_octets,
            cleared,
            full,
            policed,
        } = self.counted;
        let queued = u64::from(self.line.len());
        ClassCounters {
            queued,
            enqueued: queued + dequeued + cleared,
            dequeued,
            dequeued_octets,
            cleared,
            full,
            precedence: 0,
            policed,
        }
    }
}
