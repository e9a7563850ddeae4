//! When a worker without work sleeps, and until when.
//!
//! Going to sleep and being woken costs a worker and a guest tens of microseconds each, so a worker
//! goes on looking for a while ([`AWAKE_NS`]): traffic that comes back within it never meets a
//! sleeping worker. A worker that shares its core with those it waits for gives it up at once
//! instead. For an instant that is known (a gate that opens for a frame that waits, a source with a
//! pace) it gets up a little ahead ([`AHEAD_NS`]) and looks for the rest, so that the sleep adds no
//! error to a gate.
//!
//! Pure: it is told the time and what happened, and answers.

/// How long a worker with a core of its own goes on looking when it has nothing to do, in nanoseconds.
///
/// Longer than a guest that slept takes to answer (160 to 250 us where its core slept too), so that
/// its answer finds the worker awake.
pub const AWAKE_NS: u64 = 400_000;

/// How long before an instant it waits for a worker is to be awake, in nanoseconds: more than
/// leaving epoll takes, less than [`AWAKE_NS`].
pub const AHEAD_NS: u64 = 120_000;

/// A shorter sleep than this is not worth its system calls, in nanoseconds.
pub const LEAST_NS: u64 = 50_000;

/// How long after something kept it awake it tries again, in nanoseconds.
pub const RETRY_NS: u64 = 50_000;

/// How often a port that takes no frames is tried again while nothing else happens, nanoseconds. What
/// ends that may be the far end taking frames off a full ring, of which nothing tells.
pub const REFUSED_NS: u64 = 10_000_000;

/// How long a worker that shares its core with guests lets them run while one of them waits for its
/// turn, in nanoseconds.
pub const HELD_NS: u64 = 100_000;

/// For how long a worker may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// Not now.
    No,
    /// For so many nanoseconds at most.
    For(u64),
    /// Until something wakes it.
    UntilWoken,
}

/// The idling of one worker.
#[derive(Debug, Clone)]
pub struct Idle {
    awake_ns: u64,
    /// Sleep is not thought of before.
    not_before_ns: u64,
}

impl Idle {
    /// `own_core`: nobody else needs the worker's core.
    #[must_use]
    pub fn new(own_core: bool) -> Self {
        Self {
            awake_ns: if own_core { AWAKE_NS } else { 0 },
            not_before_ns: 0,
        }
    }

    /// Whether nobody else needs the worker's core.
    #[must_use]
    pub fn has_own_core(&self) -> bool {
        self.awake_ns > 0
    }

    /// The sleep of a worker that holds back a guest's wake-up until another guest rests.
    #[must_use]
    pub fn hold_back(&self, sleep: Sleep) -> Sleep {
        match sleep {
            Sleep::UntilWoken => Sleep::For(HELD_NS),
            Sleep::For(ns) => Sleep::For(ns.min(HELD_NS)),
            Sleep::No => Sleep::No,
        }
    }

    /// A turn at `now_ns` had work.
    #[inline]
    pub fn worked(&mut self, now_ns: u64) {
        self.not_before_ns = now_ns.saturating_add(self.awake_ns);
    }

    /// A turn at `now_ns` had none: whether it is time to sleep.
    #[inline]
    #[must_use]
    pub fn is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.not_before_ns
    }

    /// Something kept it awake; it is not tried again at once.
    pub fn kept_awake(&mut self, now_ns: u64) {
        self.not_before_ns = now_ns.saturating_add(RETRY_NS);
    }

    /// How long to sleep if nothing happens before `due_ns` (never if none).
    #[must_use]
    pub fn sleep(&self, now_ns: u64, due_ns: Option<u64>) -> Sleep {
        let Some(due_ns) = due_ns else {
            return Sleep::UntilWoken;
        };
        let sleep_ns = due_ns.saturating_sub(now_ns).saturating_sub(AHEAD_NS);
        if sleep_ns < LEAST_NS {
            Sleep::No
        } else {
            Sleep::For(sleep_ns)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_keeps_a_worker_awake_for_a_while() {
        let mut idle = Idle::new(true);
        idle.worked(1_000_000);
        assert!(!idle.is_due(1_000_000 + AWAKE_NS - 1));
        assert!(idle.is_due(1_000_000 + AWAKE_NS));
    }

    #[test]
    fn a_shared_core_is_given_up_at_once() {
        let mut idle = Idle::new(false);
        idle.worked(1_000_000);
        assert!(idle.is_due(1_000_000));
    }

    #[test]
    fn what_kept_it_awake_is_asked_again_later() {
        for own_core in [true, false] {
            let mut idle = Idle::new(own_core);
            idle.worked(1_000_000);
            idle.kept_awake(2_000_000);
            assert!(!idle.is_due(2_000_000 + RETRY_NS - 1), "{own_core}");
            assert!(idle.is_due(2_000_000 + RETRY_NS), "{own_core}");
        }
    }

    #[test]
    fn it_is_up_ahead_of_every_instant() {
        let idle = Idle::new(true);
        assert_eq!(idle.sleep(0, None), Sleep::UntilWoken);
        for now_ns in [0u64, 1_000_000] {
            for wait_ns in (0..2_000_000).step_by(7919) {
                match idle.sleep(now_ns, Some(now_ns + wait_ns)) {
                    Sleep::UntilWoken => panic!("slept through an instant"),
                    Sleep::No => assert!(wait_ns < AHEAD_NS + LEAST_NS),
                    Sleep::For(ns) => assert_eq!(ns + AHEAD_NS, wait_ns),
                }
            }
        }
        assert_eq!(
            idle.sleep(5_000_000, Some(1)),
            Sleep::No,
            "an instant gone by"
        );
    }

    #[test]
    fn a_guest_that_waits_for_its_turn_is_looked_at_soon() {
        let idle = Idle::new(false);
        assert!(!idle.has_own_core() && Idle::new(true).has_own_core());
        let held = [
            Sleep::UntilWoken,
            Sleep::For(9),
            Sleep::For(u64::MAX),
            Sleep::No,
        ];
        assert_eq!(
            held.map(|sleep| idle.hold_back(sleep)),
            [
                Sleep::For(HELD_NS),
                Sleep::For(9),
                Sleep::For(HELD_NS),
                Sleep::No
            ]
        );
    }

    #[test]
    fn it_does_not_fall_asleep_again_before_the_instant_it_got_up_for() {
        const { assert!(AHEAD_NS < AWAKE_NS) };
    }
}
