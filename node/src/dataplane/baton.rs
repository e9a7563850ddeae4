//! The baton: which guest of a shared core is woken next.
//!
//! Guests that share a core would slow each other down if each were woken by its next frame: the
//! kernel slices them in milliseconds. So a guest idles as soon as its rings are empty, and the next
//! guest that has work is woken when the one before shows idle. Workers see that in the rings
//! themselves (the driver has armed its interrupt, VIRTIO 1.2 2.7.10), at no cost to the guest. A
//! guest that keeps the baton past its turn is passed over, not waited for.
//!
//! There is one baton for all workers, on a [`Board`] that they share. A worker sees only its own
//! rings of a guest, so each writes down which guests it sees running, and the holder rests when no
//! worker sees it run. Whoever holds a wish to be woken takes the baton by one compare-and-swap; who
//! loses looks again at its next turn. What is on the board only says who goes *first*. That nobody
//! is forgotten follows from elsewhere: a wish stays in its ring until that ring's own worker grants
//! it, a worker with a wish to grant does not sleep, and no holder keeps the baton for longer than
//! [`TURN_NS`], whatever the board says of it.
//!
//! It reads no clock and no ring: it is told the time and what the rings show, and answers whom to
//! wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::slots::SlotSet;

/// How long a guest may run before the next is woken beside it, in nanoseconds.
///
/// Several times what draining a full ring of 4096 frames takes: a guest that runs longer does not
/// come to rest at all.
pub const TURN_NS: u64 = 800_000;

/// Least time between two wake-ups of a guest by one worker, in nanoseconds.
///
/// A guest needs longer than that to come to run, so an honest one never notices; one that asks for
/// an interrupt without ever sleeping would have the worker make a system call at every turn. The
/// wish stays until it is granted, so nothing is lost.
pub const REST_NS: u64 = 20_000;

/// Most that an operator may set in its place ([`Baton::apart`]), in nanoseconds.
pub const APART_MOST_NS: u64 = 10_000_000;

/// How long a holder of the baton has to come to run, in nanoseconds. Then it is woken again for
/// rings that still want it: a driver may sleep on one of its queues and run on another.
pub const CATCH_UP_NS: u64 = 100_000;

/// Most guests of a node.
const SLOTS: usize = pinode_classifier::MAX_PIS;

/// What the rings of one worker show of its guests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guests {
    /// Drivers that have not armed their interrupt on every ring.
    pub running: SlotSet,
    /// Drivers that something was published to which they asked to be woken for.
    pub waiting: SlotSet,
}

/// Where workers write down who has the baton.
#[derive(Debug)]
pub struct Board {
    /// A [`Turn`].
    turn: Line<AtomicU64>,
    /// By worker: the slots that it sees running.
    running: Box<[Line<AtomicU32>]>,
}

/// A cache line (and the one that is fetched beside it), so that one worker's writes do not slow
/// down another's reads of something else.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line<T>(T);

impl Board {
    /// A board for so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            turn: Line::default(),
            running: (0..workers.max(1)).map(|_| Line::default()).collect(),
        })
    }
}

/// Who has the baton and since when, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    slot: usize,
    held: bool,
    /// Modulo [`Turn::SPAN_NS`], nine years.
    since_ns: u64,
}

impl Turn {
    const SPAN_NS: u64 = 1 << 58;

    fn unpack(word: u64) -> Self {
        Self {
            slot: (word & 0x1f) as usize,
            held: word & 0x20 != 0,
            since_ns: word >> 6,
        }
    }

    fn pack(self) -> u64 {
        let since_ns = self.since_ns % Self::SPAN_NS;
        since_ns << 6 | u64::from(self.held) << 5 | self.slot as u64 & 0x1f
    }

    /// How long it has lasted. The clock of another worker may be a little ahead.
    fn age_ns(self, now_ns: u64) -> u64 {
        let age_ns = now_ns.wrapping_sub(self.since_ns) % Self::SPAN_NS;
        if age_ns > Self::SPAN_NS / 2 {
            0
        } else {
            age_ns
        }
    }
}

/// One worker's hand on the baton.
#[derive(Debug)]
pub struct Baton {
    /// With cores that guests share; the worker's index.
    shared: Option<(Arc<Board>, usize)>,
    /// By slot: when this worker last woke it.
    woken_ns: [Option<u64>; SLOTS],
    /// Least time between two wake-ups of a guest, nanoseconds.
    apart_ns: u64,
}

impl Baton {
    /// For vCPUs that have a core each: every guest is woken at once.
    #[must_use]
    pub fn at_once() -> Self {
        Self {
            shared: None,
            woken_ns: [None; SLOTS],
            apart_ns: REST_NS,
        }
    }

    /// For vCPUs that share cores: `worker` passes the baton that is on `board`.
    #[must_use]
    pub fn passed(board: Arc<Board>, worker: usize) -> Self {
        Self {
            shared: Some((board, worker)),
            woken_ns: [None; SLOTS],
            apart_ns: REST_NS,
        }
    }

    /// Wakes a guest at least `apart_ns` after it was last woken (never sooner than [`REST_NS`]).
    ///
    /// For cores on which something else runs too: a guest takes a tenth of a millisecond there to
    /// come to run and to rest again, whatever it does meanwhile. Its ring has to hold what comes in
    /// between. A guest that was left alone for that long is woken by its next frame.
    #[must_use]
    pub fn apart(mut self, apart_ns: u64) -> Self {
        self.apart_ns = apart_ns.clamp(REST_NS, APART_MOST_NS);
        self
    }

    /// Calls `wake` for each guest to be woken now.
    pub fn pass(&mut self, now_ns: u64, guests: Guests, mut wake: impl FnMut(usize)) {
        let Some((board, worker)) = self.shared.clone() else {
            for slot in guests.waiting {
                if self.may_wake(slot, now_ns, self.apart_ns) {
                    wake(slot);
                }
            }
            return;
        };
        let own = board.running.get(worker).map(|line| &line.0);
        let show = |running: SlotSet| {
            if let Some(own) = own
                && own.load(Ordering::Relaxed) != running.bits()
            {
                own.store(running.bits(), Ordering::Relaxed);
            }
        };
        show(guests.running);
        if guests.waiting.is_empty() {
            return;
        }
        let seen = board.turn.0.load(Ordering::Acquire);
        let turn = Turn::unpack(seen);
        let runs = || {
            let mut all = board.running.iter().map(|line| &line.0);
            all.any(|line| SlotSet::from_bits(line.load(Ordering::Relaxed)).has(turn.slot))
        };
        if turn.held && turn.age_ns(now_ns) < TURN_NS && runs() {
            if guests.waiting.has(turn.slot)
                && turn.age_ns(now_ns) >= CATCH_UP_NS
                && self.may_wake(turn.slot, now_ns, CATCH_UP_NS)
            {
                wake(turn.slot);
            }
            return;
        }
        let mut ready = SlotSet::default();
        for slot in guests.waiting {
            ready.set(slot, self.is_rested(slot, now_ns, self.apart_ns));
        }
        let Some(next) = ready.after(turn.slot) else {
            return;
        };
        let taken = Turn {
            slot: next,
            held: true,
            since_ns: now_ns,
        };
        let swap =
            board
                .turn
                .0
                .compare_exchange(seen, taken.pack(), Ordering::AcqRel, Ordering::Relaxed);
        if swap.is_ok() && self.may_wake(next, now_ns, self.apart_ns) {
            let mut running = guests.running;
            running.set(next, true);
            show(running);
            wake(next);
        }
    }

    /// The worker sleeps and sees nobody any more; others go by what they see themselves.
    pub fn look_away(&self) {
        if let Some((board, worker)) = &self.shared
            && let Some(own) = board.running.get(*worker)
        {
            own.0.store(0, Ordering::Relaxed);
        }
    }

    fn is_rested(&self, slot: usize, now_ns: u64, rest_ns: u64) -> bool {
        let last = self.woken_ns.get(slot).copied().flatten();
        last.is_none_or(|at| now_ns.saturating_sub(at) >= rest_ns)
    }

    /// Notes that `slot` is woken now, if it may be.
    fn may_wake(&mut self, slot: usize, now_ns: u64, rest_ns: u64) -> bool {
        let may = self.is_rested(slot, now_ns, rest_ns);
        if may && let Some(woken) = self.woken_ns.get_mut(slot) {
            *woken = Some(now_ns);
        }
        may
    }
}

#[cfg(test)]
#[path = "baton_tests.rs"]
mod tests;
