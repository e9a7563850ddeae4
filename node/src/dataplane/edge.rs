//! What a worker does around an edge: the instant at which a gate opens for frames that wait.
//!
//! A turn takes microseconds, and a gate that opens in the middle of one would find the worker late.
//! Ahead of an edge that the turn at hand would run past, the worker looks at nothing but the clock
//! ([`Watch`]). A port that has launch time is given the first frames of a window before it opens and needs
//! no such care. Either way the error of each edge is measured ([`Edge`]): how long after the opening
//! the first of the frames that waited for it left.
//!
//! Pure: it is told the time. Must never hold up a worker for longer than [`WATCH_NS`] at an edge.

use pinode_ports::BURST;

use super::counters::GateError;

/// Longest that a worker looks at nothing but the clock ahead of an edge, nanoseconds: as long as a turn
/// takes that moves a full burst on each of a few ports.
pub const WATCH_NS: u64 = 10_000;

/// Longest before an edge that it wakes no guest any more, nanoseconds: the system call takes tens of
/// microseconds on some hosts.
pub const WAKE_NS: u64 = 20_000;

/// Frames of the first burst of a window on a port without launch time; each burst behind it may be twice
/// as large. The link is idle until the first frames are handed over, and those of a burst are handed over
/// together; each burst is made ready while the link carries the one before.
const FIRST: usize = 4;

/// How far ahead of an edge something is not begun any more: as long as it has taken of late.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    most_ns: u64,
    ns: u64,
}

impl Watch {
    /// Nothing is taken to last longer than `most_ns`.
    pub(super) const fn upto(most_ns: u64) -> Self {
        Self { most_ns, ns: 0 }
    }

    /// It took so long. The longest counts, and is forgotten by an eighth each time.
    #[inline]
    pub(super) fn took(&mut self, ns: u64) {
        let faded_ns = self.ns - self.ns / 8;
        self.ns = faded_ns.max(ns).min(self.most_ns);
    }

    /// Whether what begins at `now_ns` would run past an edge at `edge_ns`.
    #[inline]
    pub(super) fn is_near(self, now_ns: u64, edge_ns: u64) -> bool {
        edge_ns <= now_ns.saturating_add(self.ns)
    }
}

/// The edge of one gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edge {
    /// A window whose opening frames wait or waited for, of which none has left yet.
    awaited_ns: Option<u64>,
    /// The opening of a window that frames were handed over for ahead.
    ahead_ns: Option<u64>,
    /// Most frames of the next burst in the open window.
    burst: usize,
}

impl Edge {
    /// A window has opened; `waits`: frames wait for it.
    #[inline]
    pub(super) fn opened(&mut self, opens_ns: u64, waits: bool) {
        self.awaited_ns = (waits && self.ahead_ns != Some(opens_ns)).then_some(opens_ns);
        self.burst = FIRST;
    }

    /// Most frames of a burst in the open window, on a port without launch time.
    #[inline]
    pub(super) fn next_burst(&mut self) -> usize {
        let burst = self.burst;
        self.burst = (2 * burst).clamp(FIRST, BURST);
        burst
    }

    /// Whether frames were handed over for the window that opens at `opens_ns`. Those of the window before
    /// it are then over: what was handed over leaves in its order.
    #[inline]
    pub(super) fn is_ahead(self, opens_ns: u64) -> bool {
        self.ahead_ns == Some(opens_ns)
    }

    /// A frame leaves in the open window.
    #[inline]
    pub(super) fn left(&mut self, at_ns: u64, errors: &mut GateError) {
        if let Some(opens_ns) = self.awaited_ns.take() {
            errors.saturating_record(at_ns.saturating_sub(opens_ns));
        }
    }

    /// A frame was handed over that will leave at `at_ns` in the window that opens at `opens_ns`.
    #[inline]
    pub(super) fn leaves_ahead(&mut self, opens_ns: u64, at_ns: u64, errors: &mut GateError) {
        if self.ahead_ns.replace(opens_ns) != Some(opens_ns) {
            errors.saturating_record(at_ns.saturating_sub(opens_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::counters::gate_error;
    use super::*;

    #[test]
    fn the_watch_is_as_long_as_turns_and_no_longer_than_its_bound() {
        let mut watch = Watch::upto(WATCH_NS);
        assert!(!watch.is_near(1_000, 1_001));
        watch.took(3_000);
        assert!(watch.is_near(1_000, 4_000) && !watch.is_near(1_000, 4_001));
        // One short turn does not make it forget the long one, many do.
        watch.took(100);
        assert!(watch.is_near(1_000, 3_500));
        for _ in 0..40 {
            watch.took(100);
        }
        assert!(!watch.is_near(1_000, 1_200));
        watch.took(5_000_000);
        assert!(watch.is_near(0, WATCH_NS) && !watch.is_near(0, WATCH_NS + 1));
    }

    #[test]
    fn an_edge_is_measured_once_by_its_first_frame() {
        let (mut edge, mut errors) = (Edge::default(), gate_error());
        edge.opened(1_000, true);
        edge.left(1_040, &mut errors);
        edge.left(1_900, &mut errors);
        assert_eq!((errors.len(), errors.max()), (1, 40));
    }

    #[test]
    fn bursts_grow_from_the_opening_on() {
        let mut edge = Edge::default();
        for opens_ns in [1_000, 2_000] {
            edge.opened(opens_ns, true);
            let bursts = [0; 6].map(|_| edge.next_burst());
            assert_eq!(bursts, [4, 8, 16, 32, 64, 64]);
        }
    }

    #[test]
    fn an_edge_that_nobody_waited_for_is_not_measured() {
        let (mut edge, mut errors) = (Edge::default(), gate_error());
        edge.opened(1_000, false);
        edge.left(9_000, &mut errors);
        // Nor one whose frames did not leave before the next opened.
        edge.opened(10_000, true);
        edge.opened(20_000, true);
        edge.left(20_007, &mut errors);
        assert_eq!((errors.len(), errors.max()), (1, 7));
    }

    #[test]
    fn frames_handed_over_ahead_measure_their_edge() {
        let (mut edge, mut errors) = (Edge::default(), gate_error());
        edge.leaves_ahead(1_000, 1_000, &mut errors);
        edge.leaves_ahead(1_000, 1_800, &mut errors);
        edge.opened(1_000, true);
        edge.left(1_950, &mut errors);
        assert_eq!((errors.len(), errors.max()), (1, 0));
        edge.opened(2_000, true);
        edge.left(2_030, &mut errors);
        assert_eq!(errors.len(), 2);
        assert!(edge.is_ahead(1_000) && !edge.is_ahead(2_000));
    }
}
