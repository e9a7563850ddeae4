//! Deficit round robin: several classes share what is left of a link by weight, in octets on the
//! wire, whatever their frames' sizes (Shreedhar and Varghese, 1996).
//!
//! A class whose head fits its deficit goes on; then the next one gets its quantum. A head that the
//! gate refuses keeps its turn and its deficit, and another class's head may go before it: that one
//! runs into debt for it, which its next quanta pay, up to a largest frame. What it sends beyond that
//! is what no other class could have sent: it takes nothing from them, and it is not to pay for it.
//! So what is left of a window is used, and no class gets less by it.
//!
//! Must never do work that grows with the sizes of frames, which are claims.

use super::class::Class;
use super::{ClassCounters, Refused};
use crate::rate::OVERHEAD_OCTETS;

/// One bit a class.
const MOST_CLASSES: usize = 32;

/// Octets on the wire of a largest frame: the least quantum, so that each visit lets one go, and the
/// deepest debt.
const LARGEST_OCTETS: i64 = 1518 + OVERHEAD_OCTETS as i64;

/// Classes that take turns.
#[derive(Debug, Clone)]
pub(super) struct Round<T> {
    members: Box<[Member<T>]>,
    /// One bit a class: which have frames.
    backlogged: u32,
    /// Whose turn it is; it has had its quantum.
    turn: usize,
    len: usize,
}

#[derive(Debug, Clone)]
struct Member<T> {
    class: Class<T>,
    /// Octets on the wire for each visit.
    quantum: i64,
    /// What it may still send on this visit, or owes.
    deficit: i64,
}

impl<T> Member<T> {
    /// Octets that its head holds the wire.
    #[inline]
    fn head(&self) -> i64 {
        self.class.head_octets().map_or(0, on_the_wire)
    }
}

#[inline]
fn on_the_wire(octets: u32) -> i64 {
    i64::from(octets) + OVERHEAD_OCTETS as i64
}

impl<T> Round<T> {
    /// Classes of so many frames at most, each with its weight; those beyond the 32nd are left out.
    pub(super) fn new(classes: impl IntoIterator<Item = (usize, u8)>) -> Self {
        let classes: Vec<_> = classes.into_iter().take(MOST_CLASSES).collect();
        let weights = classes.iter().map(|&(_, weight)| i64::from(weight.max(1)));
        // Whole octets for a weight of 1: a share that is rounded would drift for ever.
        let unit = -(-LARGEST_OCTETS).div_euclid(weights.min().unwrap_or(1));
        let members = classes.iter().map(|&(limit, weight)| Member {
            class: Class::new(limit),
            quantum: unit * i64::from(weight.max(1)),
            deficit: 0,
        });
        Self {
            members: members.collect(),
            backlogged: 0,
            turn: 0,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Queues a frame of a class, with room for it up to `threshold`.
    #[inline]
    pub(super) fn enqueue(
        &mut self,
        class: usize,
        frame: T,
        octets: u32,
        threshold: usize,
    ) -> Result<(), Refused<T>> {
        let Some(member) = self.members.get_mut(class) else {
            let why = super::Why::Unknown;
            return Err(Refused { frame, why });
        };
        member.class.enqueue(frame, octets, threshold, || true)?;
        self.backlogged |= 1 << class;
        self.len += 1;
        Ok(())
    }

    /// Takes the head of the class whose turn it is, or if that may not start, of the next one that
    /// has a head which may.
    #[inline]
    pub(super) fn dequeue_if(&mut self, mut may_start: impl FnMut(&T) -> bool) -> Option<T> {
        let first = self.settle()?;
        let mut others = self.backlogged & !(1 << first);
        let mut at = first;
        loop {
            let member = self.members.get_mut(at)?;
            if let Some((frame, octets)) = member.class.dequeue_if(&mut may_start) {
                let left = member.deficit - on_the_wire(octets);
                member.deficit = left.max(-LARGEST_OCTETS);
                self.len -= 1;
                if member.class.len() == 0 {
                    // What it did not use is lost, what it owes is not.
                    member.deficit = member.deficit.min(0);
                    self.backlogged &= !(1 << at);
                }
                return Some(frame);
            }
            if others == 0 {
                return None;
            }
            at = after(others, at);
            others &= !(1 << at);
        }
    }

    /// Passes the turn on until it is with a class whose head fits its deficit.
    #[inline]
    fn settle(&mut self) -> Option<usize> {
        if self.backlogged == 0 {
            return None;
        }
        if self.backlogged & 1 << self.turn != 0 {
            let member = self.members.get(self.turn)?;
            if member.deficit >= member.head() {
                return Some(self.turn);
            }
        }
        if let Some(class) = self.go_round() {
            return Some(class);
        }
        self.skip_rounds();
        self.go_round()
    }

    /// One visit to each class, up to the first whose head fits.
    fn go_round(&mut self) -> Option<usize> {
        for _ in 0..self.backlogged.count_ones() {
            self.turn = after(self.backlogged, self.turn);
            let member = self.members.get_mut(self.turn)?;
            member.deficit += member.quantum;
            if member.deficit >= member.head() {
                return Some(self.turn);
            }
        }
        None
    }

    /// The rounds in which no head fits, all at once.
    #[cold]
    fn skip_rounds(&mut self) {
        let backlogged = self.backlogged;
        let waiting = |(class, _): &(u32, &mut Member<T>)| backlogged & 1 << class != 0;
        let all = (0u32..).zip(self.members.iter_mut());
        let rounds = all.filter(waiting).map(|(_, member)| {
            let lacks = member.head() - member.deficit;
            // Rounded up, less the round in which it fits.
            (lacks - 1).max(0) / member.quantum
        });
        let rounds = rounds.min().unwrap_or(0);
        let all = (0u32..).zip(self.members.iter_mut());
        for (_, member) in all.filter(waiting) {
            member.deficit += rounds * member.quantum;
        }
    }

    pub(super) fn clear(&mut self, mut each: impl FnMut(T)) {
        for member in &mut self.members {
            member.class.clear(&mut each);
            member.deficit = member.deficit.min(0);
        }
        self.backlogged = 0;
        self.len = 0;
    }

    pub(super) fn counters(&self, class: usize) -> ClassCounters {
        let member = self.members.get(class);
        member.map_or_else(ClassCounters::default, |m| m.class.counters())
    }
}

/// The next class behind `at`, around the end, of those in `set`, which is not empty.
#[inline]
fn after(set: u32, at: usize) -> usize {
    let from = at + 1;
    let ahead = set.rotate_right(from as u32 % u32::BITS).trailing_zeros();
    (from + ahead as usize) % MOST_CLASSES
}
