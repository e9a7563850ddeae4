//! What calls have to do with: the link that messages go to, and events.
//!
//! Must not let answers to a neighbour that takes none take the room of calls' own messages.

use alloc::collections::VecDeque;

use crate::link::{Link, Side};
use crate::q2931::{Body, CallReference, Message, Reason};

use super::{Counters, Event};

/// What a step of calls has to do with.
pub(super) struct Out<'a> {
    pub(super) now_ns: u64,
    pub(super) link: &'a mut Link,
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) counters: &'a mut Counters,
    /// Messages that may wait before answers are left out.
    pub(super) most_answers: usize,
}

impl Out<'_> {
    pub(super) fn side(&self) -> Option<Side> {
        self.link.side()
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Sends a message of a call. One that the link does not take is as good as lost: the timers of the call see
    /// to it.
    pub(super) fn send(&mut self, reference: CallReference, body: Body) {
        let is_answer = matches!(body, Body::Status { .. } | Body::ReleaseComplete { .. });
        if is_answer && self.link.waiting() >= self.most_answers {
            self.counters.unsent += 1;
            return;
        }
        let message = Message { reference, body };
        if self.link.send(message.encode()).is_err() {
            self.counters.unsent += 1;
        }
    }

    /// Answers for a call that there is not.
    pub(super) fn refuse(&mut self, reference: CallReference, reason: Reason) {
        let reason = Some(reason);
        self.send(reference, Body::ReleaseComplete { reason });
    }
}
