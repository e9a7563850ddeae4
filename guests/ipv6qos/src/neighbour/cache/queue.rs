//! Entries in the order in which their timers end: one queue for each state and virtual network, as all timers of a
//! state run equally long. So starting, stopping and ending a timer costs the same, however many run, and the oldest
//! entry of a network is found at once.

use alloc::vec::Vec;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// An entry's place in its queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    before: u32,
    behind: u32,
}

/// First and last entry.
#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

/// Queues of entries, each of which is in one of them, or in none.
#[derive(Debug)]
pub(super) struct Queues {
    ends: Vec<Ends>,
    links: Vec<Link>,
}

impl Queues {
    /// Octets of memory that so many take.
    pub(super) const fn memory(queues: usize, entries: usize) -> usize {
        queues * size_of::<Ends>() + entries * size_of::<Link>()
    }

    /// So many empty ones, for entries below `entries`.
    pub(super) fn new(queues: usize, entries: usize) -> Self {
        let none = Link {
            before: NONE,
            behind: NONE,
        };
        let ends = Ends {
            first: NONE,
            last: NONE,
        };
        Queues {
            ends: alloc::vec![ends; queues],
            links: alloc::vec![none; entries],
        }
    }

    /// The entry that has been longest in `queue`.
    #[inline]
    pub(super) fn first(&self, queue: usize) -> Option<u32> {
        let first = self.ends.get(queue)?.first;
        (first != NONE).then_some(first)
    }

    /// Puts `entry`, which is in no queue, behind all others of `queue`.
    pub(super) fn push(&mut self, queue: usize, entry: u32) {
        let (Some(ends), true) = (
            self.ends.get_mut(queue),
            (entry as usize) < self.links.len(),
        ) else {
            return;
        };
        let last = ends.last;
        ends.last = entry;
        if last == NONE {
            ends.first = entry;
        }
        if let Some(link) = self.links.get_mut(last as usize) {
            link.behind = entry;
        }
        if let Some(link) = self.links.get_mut(entry as usize) {
            *link = Link {
                before: last,
                behind: NONE,
            };
        }
    }

    /// Takes `entry` out of `queue`, in which it is.
    pub(super) fn remove(&mut self, queue: usize, entry: u32) {
        let (Some(ends), Some(&Link { before, behind })) =
            (self.ends.get_mut(queue), self.links.get(entry as usize))
        else {
            return;
        };
        match self.links.get_mut(before as usize) {
            Some(link) => link.behind = behind,
            None => ends.first = behind,
        }
        match self.links.get_mut(behind as usize) {
            Some(link) => link.before = before,
            None => ends.last = before,
        }
    }
}
