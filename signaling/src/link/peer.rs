//! The neighbour's life that this side talks to, and what the two have exchanged.

use super::pdu::Body;
use super::receiving::Receiving;
use super::sending::Sending;
use super::timers::Timers;

/// A session: a life of the neighbour and this life. Numbers of SDs begin at 0 with it, and it goes on where it
/// was when the neighbour is heard again after a pause.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) instance: u64,
    pub(super) up: bool,
    /// When it was heard last.
    heard_ns: u64,
    /// When it was polled last.
    polled_ns: u64,
    pub(super) stat_owed: bool,
    pub(super) poll_owed: bool,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
}

impl Peer {
    pub(super) fn new(instance: u64, now_ns: u64, sending: Sending) -> Self {
        Self {
            instance,
            up: false,
            heard_ns: now_ns,
            polled_ns: now_ns,
            stat_owed: false,
            poll_owed: false,
            sending,
            receiving: Receiving::default(),
        }
    }

    pub(super) fn heard(&mut self, now_ns: u64) {
        self.heard_ns = now_ns;
    }

    /// Whether it has been silent for too long.
    pub(super) fn is_lost(&self, now_ns: u64, timers: &Timers) -> bool {
        self.up && now_ns >= self.heard_ns.saturating_add(timers.no_response_ns)
    }

    fn poll_due_ns(&self, timers: &Timers) -> u64 {
        self.heard_ns
            .max(self.polled_ns)
            .saturating_add(timers.keep_alive_ns)
    }

    /// What to say next to a neighbour that is heard.
    pub(super) fn next(&mut self, now_ns: u64, timers: &Timers) -> Option<Body<'_>> {
        if !self.up {
            return None;
        }
        if self.stat_owed {
            self.stat_owed = false;
            let (expected, beyond) = self.receiving.stat();
            return Some(Body::Stat { expected, beyond });
        }
        if self.poll_owed || now_ns >= self.poll_due_ns(timers) {
            self.poll_owed = false;
            self.polled_ns = now_ns;
            return Some(Body::Poll);
        }
        let (number, payload) = self.sending.next(now_ns)?;
        Some(Body::Data { number, payload })
    }

    /// When something is to be sent to it or to be noticed, if it is heard.
    pub(super) fn due_ns(&self, timers: &Timers) -> Option<u64> {
        if !self.up {
            return None;
        }
        if self.stat_owed || self.poll_owed {
            return Some(0);
        }
        let lost_ns = self.heard_ns.saturating_add(timers.no_response_ns);
        let due_ns = lost_ns.min(self.poll_due_ns(timers));
        Some(self.sending.due_ns().map_or(due_ns, |ns| ns.min(due_ns)))
    }
}
