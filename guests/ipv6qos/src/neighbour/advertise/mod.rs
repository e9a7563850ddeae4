//! When an interface advertises that there is a router (RFC 4861 6.2).

pub mod config;

use arrayvec::ArrayVec;

use super::random::Random;
use crate::prefix::Prefix;
use config::Parameters;

const SECOND: u64 = 1_000_000_000;
/// `MAX_INITIAL_RTR_ADVERTISEMENTS`, and the longest time between them.
const INITIAL: u8 = 3;
const INITIAL_NS: u64 = 16 * SECOND;
/// `MAX_FINAL_RTR_ADVERTISEMENTS`.
const FINAL: u8 = 3;
/// `MIN_DELAY_BETWEEN_RAS`.
pub(super) const SPACING_NS: u64 = 3 * SECOND;
/// `MAX_RA_DELAY_TIME`.
const ANSWER_NS: u64 = SECOND / 2;
/// Most prefixes that were taken away and are still told of.
pub(super) const WITHDRAWN: usize = 8;

/// What an interface advertises, and when.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// None: it does not, and has told so.
    parameters: Option<Parameters>,
    /// It stops: so many last ones are still to be sent.
    ending: Option<u8>,
    /// So many more are sent soon after one another.
    initial: u8,
    /// None: not begun.
    next_ns: Option<u64>,
    last_ns: Option<u64>,
    /// Prefixes that hosts shall no longer prefer, and in how many more advertisements they are told.
    withdrawn: ArrayVec<(Prefix, u8), WITHDRAWN>,
}

impl Schedule {
    /// Whether it advertises.
    pub(super) fn is_on(&self) -> bool {
        self.parameters.is_some() && self.ending.is_none()
    }

    /// What is advertised, also of one that stops.
    pub(super) fn parameters(&self) -> Option<&Parameters> {
        self.parameters.as_ref()
    }

    /// Prefixes that hosts shall no longer prefer.
    pub(super) fn withdrawn(&self) -> impl Iterator<Item = Prefix> {
        self.withdrawn.iter().map(|(prefix, _)| *prefix)
    }

    /// Advertises this from now on, or stops.
    pub(super) fn set(&mut self, now_ns: u64, parameters: Option<Parameters>, random: &mut Random) {
        if parameters.is_some() {
            self.parameters = parameters;
            self.ending = None;
            self.restart(now_ns, random);
        } else if self.is_on() {
            let was_told = self.last_ns.is_some();
            if was_told {
                self.ending = Some(FINAL);
                self.next_ns = Some(now_ns);
            } else {
                self.parameters = None;
            }
        }
    }

    /// What is advertised changed, or may be advertised only now: it is told as at the beginning (RFC 4861 6.2.4).
    pub(super) fn restart(&mut self, now_ns: u64, random: &mut Random) {
        if self.is_on() {
            self.initial = INITIAL;
            self.soon(now_ns, random);
        }
    }

    /// A prefix is on the link, or no longer.
    pub(super) fn change(
        &mut self,
        now_ns: u64,
        prefix: Prefix,
        is_there: bool,
        random: &mut Random,
    ) {
        self.withdrawn.retain(|(withdrawn, _)| *withdrawn != prefix);
        if !is_there && self.is_on() {
            if self.withdrawn.is_full() {
                self.withdrawn.remove(0);
            }
            let _ = self.withdrawn.try_push((prefix, INITIAL));
        }
        self.restart(now_ns, random);
    }

    /// A host asks (RFC 4861 6.2.6).
    pub(super) fn solicited(&mut self, now_ns: u64, random: &mut Random) {
        if self.is_on() {
            self.soon(now_ns, random);
        }
    }

    /// The next one is sent after a short delay, but not too soon after the last, nor later than it would be.
    fn soon(&mut self, now_ns: u64, random: &mut Random) {
        let answer_ns = now_ns.saturating_add(random.between(0, ANSWER_NS));
        let soon_ns = answer_ns.max(self.allowed_ns());
        // However often hosts ask, what is to come does not come later.
        let next_ns = self.next_ns.get_or_insert(soon_ns);
        *next_ns = soon_ns.min(*next_ns);
    }

    /// When one may be sent after the last.
    fn allowed_ns(&self) -> u64 {
        self.last_ns
            .map_or(0, |last_ns| last_ns.saturating_add(SPACING_NS))
    }

    /// One left only now: the next keeps its distance from that (RFC 4861 6.2.4).
    pub(super) fn left(&mut self, now_ns: u64) {
        self.last_ns = self.last_ns.map(|_| now_ns);
    }

    /// It is `now_ns`, and `has_room` to send. Gives whether one is to be sent, and if it is a last one; and when to
    /// look again.
    pub(super) fn tick(
        &mut self,
        now_ns: u64,
        random: &mut Random,
        has_room: bool,
    ) -> (Option<bool>, u64) {
        let Some(parameters) = &self.parameters else {
            return (None, u64::MAX);
        };
        let due_ns = self.next_ns.unwrap_or(0).max(self.allowed_ns());
        if now_ns < due_ns || !has_room {
            return (None, due_ns);
        }
        self.last_ns = Some(now_ns);
        if let Some(left) = self.ending {
            if left == 0 {
                *self = Schedule {
                    last_ns: self.last_ns,
                    ..Schedule::default()
                };
                return (None, u64::MAX);
            }
            self.ending = Some(left - 1);
            // What is sent is written from what is here: it is forgotten at the next look.
            let next_ns = now_ns.saturating_add(SPACING_NS);
            self.next_ns = Some(next_ns);
            return (Some(true), next_ns);
        }
        self.withdrawn.retain(|(_, left)| *left > 0);
        for (_, left) in &mut self.withdrawn {
            *left -= 1;
        }
        let longest_ns = parameters.interval.0;
        let shortest_ns = (longest_ns / 3).max(SPACING_NS);
        let mut wait_ns = random.between(shortest_ns, longest_ns);
        if self.initial > 0 {
            self.initial -= 1;
        }
        if self.initial > 0 {
            wait_ns = wait_ns.min(INITIAL_NS);
        }
        let next_ns = now_ns.saturating_add(wait_ns);
        self.next_ns = Some(next_ns);
        (Some(false), next_ns)
    }
}
