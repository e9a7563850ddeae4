//! How much of what nobody asked for a guest tells the host: never more than the host hears.
//!
//! The host gives a guest up whose lines it has no room for, or that says too many in a second. So no more events are
//! under way than [`EVENTS_UNHEARD`], however late the host is, and no more go a second than [`A_SECOND`], however
//! quick it is. Must never lose an event: what may not be said yet stays with the function.

use crate::control::EVENTS_UNHEARD;

/// Most events a second: with what else is said half of what a guest is given up for.
pub const A_SECOND: u64 = 800;
/// Of these, how many may be said at once.
const AT_ONCE: u64 = 32;
const EACH_NS: u64 = 1_000_000_000 / A_SECOND;

/// What may be said.
#[derive(Debug, Default)]
pub struct Voice {
    said: u64,
    heard: u64,
    /// When all that was said would have been said at [`A_SECOND`], nanoseconds: a token bucket, as GCRA has it.
    due_ns: u64,
}

impl Voice {
    /// The host has heard so many since the guest started; a number that cannot be says nothing.
    pub fn heard(&mut self, events: u64) {
        self.heard = self.heard.max(events.min(self.said));
    }

    /// Whether the host has room: if not, there is nothing to do before it says so.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.said - self.heard < EVENTS_UNHEARD
    }

    /// Whether an event may be said at `now_ns`.
    #[inline]
    pub fn may_speak(&self, now_ns: u64) -> bool {
        self.has_room() && self.due_ns <= now_ns.saturating_add((AT_ONCE - 1) * EACH_NS)
    }

    /// An event was said.
    pub fn spoke(&mut self, now_ns: u64) {
        self.said += 1;
        self.due_ns = self.due_ns.max(now_ns).saturating_add(EACH_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says all it may at each of `times`; how many that is in all.
    fn speak(voice: &mut Voice, times: impl Iterator<Item = u64>, hears: bool) -> u64 {
        for now_ns in times {
            while voice.may_speak(now_ns) {
                voice.spoke(now_ns);
            }
            if hears {
                voice.heard(voice.said);
            }
        }
        voice.said
    }

    #[test]
    fn a_host_that_hears_nothing_has_room_for_what_waits() {
        let mut voice = Voice::default();
        let said = speak(&mut voice, (0..1000).map(|ms| ms * 1_000_000), false);
        assert_eq!(said, EVENTS_UNHEARD);
        assert!(!voice.has_room());
        voice.heard(3);
        assert!(voice.has_room());
        let said = speak(&mut voice, (1000..2000).map(|ms| ms * 1_000_000), false);
        assert_eq!(said, EVENTS_UNHEARD + 3);
    }

    #[test]
    fn a_host_that_hears_all_at_once_is_not_flooded() {
        let mut voice = Voice::default();
        let said = speak(&mut voice, (0..=10_000).map(|ms| ms * 1_000_000), true);
        assert_eq!(said, AT_ONCE + 10 * A_SECOND);
    }

    #[test]
    fn what_cannot_have_been_heard_gives_no_room() {
        let mut voice = Voice::default();
        voice.heard(u64::MAX);
        assert_eq!(speak(&mut voice, 0..1, false), EVENTS_UNHEARD);
        voice.heard(u64::MAX);
        voice.heard(2);
        assert!(voice.has_room());
        assert_eq!((voice.said, voice.heard), (32, 32));
    }
}
