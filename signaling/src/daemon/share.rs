//! Who may have how many calls: half of the table is divided among the ports and the sockets of this daemon, and kept
//! for each whether it has calls or not; the other half is for who comes first.
//!
//! So a port over which calls are asked for without end takes its own part and the common half, and leaves the others
//! theirs. Must never count a call twice, nor keep one that is over.

use alloc::collections::BTreeMap;

/// Whom a call is counted for: the port that it came by; none: it began here.
pub(super) type Origin = Option<u16>;

/// The places of the call table, and who has how many of them.
#[derive(Debug)]
pub(super) struct Share {
    /// Kept for each.
    reserve: usize,
    /// For who comes first.
    common: usize,
    taken: BTreeMap<Origin, usize>,
}

impl Share {
    /// So many places for so many ports, and for calls that begin here.
    pub fn new(places: usize, ports: usize) -> Self {
        let origins = ports.saturating_add(1);
        let reserve = (places / 2).checked_div(origins).unwrap_or(0);
        Self {
            reserve,
            common: places - reserve * origins,
            taken: BTreeMap::new(),
        }
    }

    /// Whether there is a place for one more.
    pub fn has_room(&self, origin: Origin) -> bool {
        let beyond = |taken: &usize| taken.saturating_sub(self.reserve);
        self.of(origin) < self.reserve
            || self.taken.values().map(beyond).sum::<usize>() < self.common
    }

    /// How many it has.
    pub fn of(&self, origin: Origin) -> usize {
        self.taken.get(&origin).copied().unwrap_or(0)
    }

    /// A place is taken.
    pub fn take(&mut self, origin: Origin) {
        *self.taken.entry(origin).or_default() += 1;
    }

    /// A place is given back.
    pub fn give(&mut self, origin: Origin) {
        if let Some(taken) = self.taken.get_mut(&origin) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.taken.remove(&origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(share: &mut Share, origin: Origin) -> usize {
        core::iter::from_fn(|| share.has_room(origin).then(|| share.take(origin))).count()
    }

    #[test]
    fn who_takes_all_there_is_leaves_the_others_their_part() {
        // Half of 80 for three ports and what begins here: 10 each.
        let mut share = Share::new(80, 3);
        assert_eq!(fill(&mut share, Some(0)), 50);
        for other in [Some(1), Some(2), None] {
            assert_eq!(fill(&mut share, other), 10, "{other:?}");
        }
        // What is given back of the common half is anybody's, what is given back of a part its own port's.
        share.give(Some(0));
        assert_eq!((fill(&mut share, Some(1)), share.of(Some(1))), (1, 11));
        share.give(Some(2));
        assert!(!share.has_room(Some(0)));
        assert_eq!(fill(&mut share, Some(2)), 1);
    }

    #[test]
    fn never_more_than_there_are_places() {
        for (places, ports) in [(1, 0), (1, 5), (7, 2), (80, 3), (65_536, 32)] {
            let mut share = Share::new(places, ports);
            let ports = (0..ports as u16).map(Some);
            let taken: usize = ports
                .chain([None])
                .map(|origin| fill(&mut share, origin))
                .sum();
            assert_eq!(taken, places);
        }
    }

    #[test]
    fn nothing_is_kept_of_who_has_nothing() {
        let mut share = Share::new(10, 1);
        share.take(Some(1));
        share.give(Some(1));
        share.give(Some(1));
        assert!(share.taken.is_empty());
    }
}
