//! The baton: which guest of a shared core is woken next.
//!
//! Guests that share a core would slow each other down if each were woken by its next frame: the
//! kernel slices them in milliseconds. So a guest idles as soon as its rings are empty, and the
//! worker wakes the next guest that has work when the one before shows idle. It sees that in the
//! rings themselves (the driver has armed its interrupt, VIRTIO 1.2 2.7.10), at no cost to the
//! guest. A guest that keeps the baton past its turn is passed over, not waited for.
//!
//! Pure: it is told the time and each guest's state, and answers whom to wake.

/// What the rings of a guest show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mood {
    /// The driver has armed its interrupt on every queue: it sleeps, or is about to.
    pub idle: bool,
    /// Something was published that the driver asked to be woken for, and it was not woken yet.
    pub wants_wake: bool,
}

/// How long a guest may run before the next is woken beside it, in nanoseconds.
///
/// Several times what draining a full ring of 4096 frames takes: a guest that runs longer does not
/// come to rest at all.
pub const TURN_NS: u64 = 800_000;

/// Least time between two wake-ups of a guest, in nanoseconds.
///
/// A guest needs longer than that to come to run, so an honest one never notices; one that asks for
/// an interrupt without ever sleeping would have the worker make a system call at every turn. The
/// wish stays until it is granted, so nothing is lost.
pub const REST_NS: u64 = 20_000;

/// Most guests of a node.
const SLOTS: usize = pinode_classifier::MAX_PIS;

/// Who runs, on cores that guests share.
#[derive(Debug)]
pub struct Baton {
    shared: bool,
    /// By slot: when it was last woken.
    woken_ns: [Option<u64>; SLOTS],
    holder: Option<usize>,
    since_ns: u64,
    last: usize,
}

impl Baton {
    /// `shared`: there are more vCPUs than cores for them. Otherwise every guest is woken at once.
    #[must_use]
    pub fn new(shared: bool) -> Self {
        Self {
            shared,
            woken_ns: [None; SLOTS],
            holder: None,
            since_ns: 0,
            last: 0,
        }
    }

    /// Calls `wake` for each guest to be woken now. `moods` is indexed by the guest's slot.
    pub fn pass(&mut self, now_ns: u64, moods: &[Mood], mut wake: impl FnMut(usize)) {
        let rested = |woken: &[Option<u64>; SLOTS], slot: usize| {
            let last = woken.get(slot).copied().flatten();
            last.is_none_or(|at| now_ns.saturating_sub(at) >= REST_NS)
        };
        if !self.shared {
            for (slot, mood) in moods.iter().enumerate() {
                if mood.wants_wake && rested(&self.woken_ns, slot) {
                    self.note(slot, now_ns);
                    wake(slot);
                }
            }
            return;
        }
        if let Some(holder) = self.holder {
            let runs = moods.get(holder).is_some_and(|m| !m.idle);
            if runs && now_ns.saturating_sub(self.since_ns) < TURN_NS {
                return;
            }
            self.holder = None;
        }
        let n = moods.len();
        let ready = |&slot: &usize| moods[slot].wants_wake && rested(&self.woken_ns, slot);
        let next = (1..=n).map(|step| (self.last + step) % n).find(ready);
        if let Some(next) = next {
            self.holder = Some(next);
            self.last = next;
            self.since_ns = now_ns;
            self.note(next, now_ns);
            wake(next);
        }
    }

    fn note(&mut self, slot: usize, now_ns: u64) {
        if let Some(woken) = self.woken_ns.get_mut(slot) {
            *woken = Some(now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Mood = Mood {
        idle: true,
        wants_wake: false,
    };
    const ASLEEP_WITH_WORK: Mood = Mood {
        idle: true,
        wants_wake: true,
    };
    const RUNS: Mood = Mood {
        idle: false,
        wants_wake: false,
    };

    fn woken(baton: &mut Baton, now: u64, moods: &[Mood]) -> Vec<usize> {
        let mut out = Vec::new();
        baton.pass(now, moods, |i| out.push(i));
        out
    }

    #[test]
    fn one_guest_at_a_time_in_turn() {
        let mut b = Baton::new(true);
        let at = |n: u64| n * REST_NS;
        let all = [ASLEEP_WITH_WORK; 3];
        assert_eq!(woken(&mut b, at(0), &all), [1]);
        let first_runs = [ASLEEP_WITH_WORK, RUNS, ASLEEP_WITH_WORK];
        assert_eq!(woken(&mut b, at(1), &first_runs), Vec::<usize>::new());
        let first_rests = [ASLEEP_WITH_WORK, IDLE, ASLEEP_WITH_WORK];
        assert_eq!(woken(&mut b, at(2), &first_rests), [2]);
        assert_eq!(
            woken(&mut b, at(3), &[ASLEEP_WITH_WORK, ASLEEP_WITH_WORK, IDLE]),
            [0]
        );
        assert_eq!(woken(&mut b, at(4), &[IDLE, ASLEEP_WITH_WORK, IDLE]), [1]);
    }

    #[test]
    fn a_guest_that_keeps_the_baton_is_passed_over() {
        let mut b = Baton::new(true);
        assert_eq!(woken(&mut b, 0, &[IDLE, ASLEEP_WITH_WORK]), [1]);
        let state = [ASLEEP_WITH_WORK, RUNS];
        assert_eq!(woken(&mut b, TURN_NS - 1, &state), Vec::<usize>::new());
        assert_eq!(woken(&mut b, TURN_NS, &state), [0]);
    }

    #[test]
    fn a_holder_that_sleeps_with_new_work_is_woken_again() {
        let mut b = Baton::new(true);
        assert_eq!(woken(&mut b, 0, &[ASLEEP_WITH_WORK]), [0]);
        assert_eq!(woken(&mut b, REST_NS, &[ASLEEP_WITH_WORK]), [0]);
    }

    #[test]
    fn a_guest_that_asks_at_every_turn_is_woken_now_and_then() {
        for shared in [true, false] {
            let mut b = Baton::new(shared);
            let turns = (0..100)
                .filter(|turn| !woken(&mut b, turn * REST_NS / 10, &[ASLEEP_WITH_WORK]).is_empty());
            assert_eq!(turns.count(), 10, "shared: {shared}");
        }
    }

    #[test]
    fn cores_of_their_own_are_woken_at_once() {
        let mut b = Baton::new(false);
        assert_eq!(
            woken(&mut b, 0, &[ASLEEP_WITH_WORK, RUNS, ASLEEP_WITH_WORK]),
            [0, 2]
        );
    }

    #[test]
    fn no_guests_no_wake() {
        assert_eq!(woken(&mut Baton::new(true), 0, &[]), Vec::<usize>::new());
    }
}
