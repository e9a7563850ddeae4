//! Whether frames lie in their windows: every frame, when it really leaves, held against the schedule.
//!
//! Windows are computed from a base time; the node is not asked. That base is known here as well as two
//! clocks can be read together, some tens of nanoseconds, which is less than a frame but not nothing. So
//! frames are counted by where they start and end around their window's edges, to the nanosecond, and
//! [`Watch::fit`] finds the one shift, the same for all PIs and the whole run, with which fewest are outside: a
//! gate that keeps its windows has one with which none is. Frames of one PI come in the order of their starts; where
//! the port has launch time, those of the next window come while this one is open. Pure: time comes in with the
//! frames.

use hdrhistogram::Histogram;
use pinode_measure::stats::{self, Summary};
use serde::Serialize;

use super::PIS;

const PS_PER_NS: u64 = 1_000;

/// How far around an edge frames are told apart by the nanosecond; beyond it they are outside, whatever
/// the shift.
const REACH_NS: u64 = 1_000;
/// A worker with the gate's lookahead of 20 us has handed over enough for so long, nanoseconds.
const BRIDGED_NS: u64 = 20_000;

const CELLS: usize = 2 * REACH_NS as usize + 1;

/// A PI's place in the cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From the beginning of the cycle, nanoseconds.
    pub opens_ns: u64,
    /// T_p - g.
    pub usable_ns: u64,
}

/// Where windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// A beginning of the cycle, nanoseconds of the worker's clock.
    pub base_ns: u64,
    /// T_c.
    pub cycle_ns: u64,
    /// By PI.
    pub spans: [Span; PIS],
}

/// A frame on its way out. Nanoseconds of the worker's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// When the port got it.
    pub handed_ns: u64,
    /// Its computed start, rounded down.
    pub start_ns: u64,
    /// When it leaves, rounded down.
    pub left_ns: u64,
    /// How long it holds the wire, picoseconds.
    pub wire_ps: u64,
}

/// Watches the frames that leave from one instant up to another.
#[derive(Debug)]
pub struct Watch {
    windows: Windows,
    from_ns: u64,
    until_ns: u64,
    /// It came to be watched when the time had begun already.
    pub is_late: bool,
    /// Frames of no PI.
    pub foreign: u64,
    /// Time between two looks of the worker at the port beyond [`BRIDGED_NS`], nanoseconds.
    pub away_ns: u64,
    last_look_ns: Option<u64>,
    /// By PI.
    pub pis: [PiWatch; PIS],
}

/// What was seen of a PI.
#[derive(Debug)]
pub struct PiWatch {
    /// Frames.
    pub frames: u64,
    /// Windows with frames.
    pub windows: u64,
    /// Frames that were to start before the one ahead of them had ended: above C. Windows do not overlap, so
    /// a look at each PI is enough as long as no frame is outside of its own.
    pub overlaps: u64,
    /// Frames that left later than they were to start.
    pub late: u64,
    /// When the last frame was to end at the earliest, picoseconds since the base.
    free_ps: u64,
    /// Frames more than [`REACH_NS`] outside of their window.
    far: u64,
    /// By nanosecond from the opening: frames that started so long after it, from -`REACH_NS` on.
    starts: Box<[u64; CELLS]>,
    /// By nanosecond from the close: frames that ended so long after it.
    ends: Box<[u64; CELLS]>,
    /// Earliest start after an opening, latest end after a close.
    extremes: Option<(i64, i64)>,
    /// Opening of the last frame's window, since the base.
    current_ns: Option<u64>,
    /// End of the last frame, from the opening.
    last_end_ps: i64,
    /// Picoseconds between frames of a window.
    between_ps: u64,
    /// From each window's last frame to its close, of all windows but the current, picoseconds.
    behind_ps: i64,
    before_ns: i64,
    /// Of each window's first frame: when it left after the opening, and when the port got it, both with `REACH_NS`
    /// added.
    started: Histogram<u64>,
    committed: Histogram<u64>,
}

/// How frames lie, with the shift of the base that suits them best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The shift, nanoseconds.
    pub shift_ns: i64,
    /// Frames that are outside of their window with it.
    pub outside: u64,
    /// Latest end after a close, before the shift; `None` without frames.
    pub latest_end_ns: Option<i64>,
    /// Earliest start after an opening, before the shift.
    pub earliest_start_ns: Option<i64>,
}

impl Windows {
    /// The first beginning of a cycle at or after `ns`.
    #[must_use]
    pub fn cycle_from(&self, ns: u64) -> u64 {
        let cycles = ns.saturating_sub(self.base_ns).div_ceil(self.cycle_ns);
        self.base_ns + cycles * self.cycle_ns
    }
}

impl Watch {
    /// Watches frames that start from `from_ns` up to, not including, `until_ns`; from the second cycle behind
    /// the base on at the earliest.
    #[must_use]
    pub fn new(windows: Windows, from_ns: u64, until_ns: u64) -> Self {
        Self {
            windows,
            from_ns: from_ns.max(windows.base_ns + windows.cycle_ns),
            until_ns,
            is_late: false,
            foreign: 0,
            away_ns: 0,
            last_look_ns: None,
            pis: std::array::from_fn(|_| PiWatch::new()),
        }
    }

    /// The watch begins at `now_ns`.
    pub fn begin(&mut self, now_ns: u64) {
        self.is_late = now_ns >= self.from_ns;
    }

    /// The worker looks at the port.
    #[inline]
    pub fn look(&mut self, now_ns: u64) {
        if now_ns >= self.from_ns
            && now_ns < self.until_ns
            && let Some(last_ns) = self.last_look_ns.replace(now_ns)
        {
            self.away_ns += now_ns.saturating_sub(last_ns).saturating_sub(BRIDGED_NS);
        }
    }

    /// Time that the worker was away for, by the time watched.
    #[must_use]
    pub fn away_share(&self) -> f64 {
        let watched_ns = self.until_ns.saturating_sub(self.from_ns).max(1);
        self.away_ns as f64 / watched_ns as f64
    }

    /// Whether no frame that counts comes any more.
    #[must_use]
    pub fn is_over(&self, now_ns: u64) -> bool {
        // Longer than any lookahead.
        const GRACE_NS: u64 = 1_000_000;
        now_ns >= self.until_ns + GRACE_NS
    }

    /// A frame of `pi`.
    #[inline]
    pub fn frame(&mut self, pi: usize, frame: Departure) {
        if frame.left_ns < self.from_ns || frame.left_ns >= self.until_ns {
            return;
        }
        let base_ns = self.windows.base_ns;
        let since_base = Departure {
            handed_ns: frame.handed_ns.saturating_sub(base_ns),
            start_ns: frame.start_ns.saturating_sub(base_ns),
            left_ns: frame.left_ns - base_ns,
            ..frame
        };
        match (self.pis.get_mut(pi), self.windows.spans.get(pi)) {
            (Some(watch), Some(span)) => watch.frame(span, self.windows.cycle_ns, since_base),
            _ => self.foreign += 1,
        }
    }

    /// The shift of the base, at most `REACH_NS` to either side, with which fewest frames are outside; of
    /// several the one nearest to none.
    #[must_use]
    pub fn fit(&self) -> Fit {
        let extremes = || self.pis.iter().filter_map(|pi| pi.extremes);
        let reach = REACH_NS as i64;
        let mut shifts: Vec<i64> = (-reach..=reach).collect();
        shifts.sort_by_key(|shift| shift.abs());
        let outside = |shift: i64| self.pis.iter().map(|pi| pi.outside(shift)).sum::<u64>();
        let best = shifts.into_iter().min_by_key(|shift| outside(*shift));
        let shift_ns = best.unwrap_or(0);
        Fit {
            shift_ns,
            outside: outside(shift_ns),
            latest_end_ns: extremes().map(|(_, end)| end).max(),
            earliest_start_ns: extremes().map(|(start, _)| start).min(),
        }
    }

    /// Windows of each PI in the time watched.
    #[must_use]
    pub fn windows_of_each(&self) -> u64 {
        self.until_ns
            .saturating_sub(self.from_ns)
            .div_ceil(self.windows.cycle_ns)
    }
}

impl PiWatch {
    fn new() -> Self {
        Self {
            frames: 0,
            windows: 0,
            overlaps: 0,
            late: 0,
            free_ps: 0,
            far: 0,
            starts: Box::new([0; CELLS]),
            ends: Box::new([0; CELLS]),
            extremes: None,
            current_ns: None,
            last_end_ps: 0,
            between_ps: 0,
            behind_ps: 0,
            before_ns: 0,
            started: stats::total(),
            committed: stats::total(),
        }
    }

    #[inline]
    fn frame(&mut self, span: &Span, cycle_ns: u64, frame: Departure) {
        let Departure {
            handed_ns,
            start_ns,
            left_ns,
            wire_ps,
        } = frame;
        self.frames += 1;
        self.late += u64::from(left_ns > start_ns);
        // A start is known to the nanosecond below it, so this is never later than the link is to be free,
        // and the fractions of frames that follow one another add up.
        let start_ps = start_ns * PS_PER_NS;
        self.overlaps += u64::from(start_ps + (PS_PER_NS - 1) < self.free_ps);
        self.free_ps = self.free_ps.max(start_ps) + wire_ps;
        let reached_ns = left_ns + REACH_NS;
        let same = self
            .current_ns
            .filter(|opens_ns| reached_ns.wrapping_sub(*opens_ns) < cycle_ns);
        let opens_ns = match same {
            Some(opens_ns) => opens_ns,
            None => {
                // The span's own cycle: from `REACH_NS` before its opening to the same of the next.
                let into_ns = (reached_ns + cycle_ns - span.opens_ns) % cycle_ns;
                let opens_ns = reached_ns - into_ns;
                let committed_ns = (handed_ns + REACH_NS).saturating_sub(opens_ns);
                self.open(span, opens_ns, into_ns, committed_ns);
                opens_ns
            }
        };
        let from_open_ns = (reached_ns - opens_ns) as i64 - REACH_NS as i64;
        let from_open_ps = from_open_ns * PS_PER_NS as i64;
        if same.is_some() {
            let gap_ps = from_open_ps - self.last_end_ps;
            self.between_ps += u64::try_from(gap_ps).unwrap_or(0);
            // As above.
            self.last_end_ps = self.last_end_ps.max(from_open_ps) + wire_ps as i64;
        } else {
            self.last_end_ps = from_open_ps + wire_ps as i64;
        }
        let ends_ns = from_open_ns + wire_ps.div_ceil(PS_PER_NS) as i64;
        let from_close_ns = ends_ns - span.usable_ns as i64;
        let (earliest, latest) = self.extremes.unwrap_or((from_open_ns, from_close_ns));
        self.extremes = Some((earliest.min(from_open_ns), latest.max(from_close_ns)));
        let reach = REACH_NS as i64;
        if from_close_ns > reach {
            self.far += 1;
            return;
        }
        // Never below -REACH_NS: that is where the window's own cycle begins.
        if let Ok(cell) = usize::try_from(from_open_ns + reach)
            && let Some(count) = self.starts.get_mut(cell)
        {
            *count += 1;
        }
        if let Ok(cell) = usize::try_from(from_close_ns + reach)
            && let Some(count) = self.ends.get_mut(cell)
        {
            *count += 1;
        }
    }

    /// A window's first frame: it starts `started_ns` after the opening and is here `committed_ns` after it, both
    /// with `REACH_NS` added.
    #[cold]
    fn open(&mut self, span: &Span, opens_ns: u64, started_ns: u64, committed_ns: u64) {
        if self.current_ns.is_some() {
            self.behind_ps += (span.usable_ns * PS_PER_NS) as i64 - self.last_end_ps;
        }
        self.current_ns = Some(opens_ns);
        self.windows += 1;
        self.before_ns += started_ns as i64 - REACH_NS as i64;
        self.started.saturating_record(started_ns);
        self.committed.saturating_record(committed_ns);
    }

    fn outside(&self, shift_ns: i64) -> u64 {
        let cell = usize::try_from(shift_ns + REACH_NS as i64).unwrap_or(0);
        let early = self.starts.iter().take(cell).sum::<u64>();
        let late = self.ends.iter().skip(cell + 1).sum::<u64>();
        self.far + early + late
    }

    /// Time from the openings of windows to their first frames, nanoseconds, mean.
    #[must_use]
    pub fn mean_before_ns(&self, shift_ns: i64) -> f64 {
        self.before_ns as f64 / self.windows.max(1) as f64 - shift_ns as f64
    }

    /// Time between the frames of a window, nanoseconds, mean.
    #[must_use]
    pub fn mean_between_ns(&self) -> f64 {
        self.between_ps as f64 / PS_PER_NS as f64 / self.windows.max(1) as f64
    }

    /// Time from the last frames of windows to their closes, nanoseconds, mean over all but the last window.
    #[must_use]
    pub fn mean_behind_ns(&self, shift_ns: i64) -> f64 {
        let closed = self.windows.saturating_sub(1).max(1);
        self.behind_ps as f64 / PS_PER_NS as f64 / closed as f64 + shift_ns as f64
    }

    /// Adds the lateness of first frames to `started` (when they left) and `committed` (when the port got
    /// them), each still with a constant to be taken off by [`lateness`].
    pub fn add_to(&self, started: &mut Histogram<u64>, committed: &mut Histogram<u64>) {
        // All have the same bounds.
        let _ = started.add(&self.started);
        let _ = committed.add(&self.committed);
    }
}

/// Lateness of first frames out of what [`PiWatch::add_to`] added up.
#[must_use]
pub fn lateness(of: &Histogram<u64>, shift_ns: i64) -> Summary {
    let constant = u64::try_from(REACH_NS as i64 + shift_ns).unwrap_or(0);
    let s = Summary::of(of);
    Summary {
        min: s.min.saturating_sub(constant),
        mean: (s.mean - constant as f64).max(0.0),
        p50: s.p50.saturating_sub(constant),
        p99: s.p99.saturating_sub(constant),
        p999: s.p999.saturating_sub(constant),
        max: s.max.saturating_sub(constant),
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
