//! Messages on their way to the daemon, first in first out.
//!
//! Must never be put into without a look at how many wait: whoever asks is told to come again before that. What closes a
//! socket is always taken: each is closed once, and none begins while too many wait.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pinode_signaling::daemon::switch::Span;

use crate::control::{IspEvent, MOST_MESSAGES, Octets, Said};

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Said>,
    /// Messages that were taken away in this life.
    before: u64,
}

impl Queue {
    /// Octets of a message besides its own.
    pub(super) const MESSAGE: usize = size_of::<Said>();
    /// Messages that wait, for each socket: while one request is done for each, what it says or its close, what
    /// the answers say, and a reject of each call that waits; and twice that, as memory doubles.
    pub(super) const PER_SOCKET: usize = 8;

    pub(super) fn new() -> Self {
        Queue {
            waiting: VecDeque::new(),
            before: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn put(&mut self, at: Option<Span>, octets: Vec<u8>) {
        let octets = Octets(octets);
        self.waiting.push_back(Said { at, octets });
    }

    /// The next of them, as an event.
    pub(super) fn event(&mut self, life: u64) -> Option<IspEvent> {
        let count = self.waiting.len().min(MOST_MESSAGES);
        let messages: Vec<Said> = self.waiting.drain(..count).collect();
        let before = self.before;
        self.before += messages.len() as u64;
        (!messages.is_empty()).then_some(IspEvent {
            life,
            before,
            messages,
        })
    }
}
