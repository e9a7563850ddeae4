//! A class: a bounded FIFO that counts what becomes of its frames.
//!
//! Must never let go of a frame other than its head.

use std::collections::VecDeque;

use super::{ClassCounters, Refused, Why};

/// The frames of a class. It allocates once, when it is made.
#[derive(Debug, Clone)]
pub(super) struct Class<T> {
    frames: VecDeque<(T, u32)>,
    limit: usize,
    counters: ClassCounters,
}

impl<T> Class<T> {
    /// A class of at most `limit` frames.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            frames: VecDeque::with_capacity(limit),
            limit,
            counters: ClassCounters::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Octets of the head on the wire, with FCS.
    #[inline]
    pub(super) fn head_octets(&self) -> Option<u32> {
        self.frames.front().map(|&(_, octets)| octets)
    }

    pub(super) fn counters(&self) -> ClassCounters {
        ClassCounters {
            queued: self.frames.len() as u64,
            ..self.counters
        }
    }

    /// Queues a frame of a drop precedence that may fill the class up to `threshold`, if
    /// `conforms`, which is asked only for a frame that has room.
    #[inline]
    pub(super) fn enqueue(
        &mut self,
        frame: T,
        octets: u32,
        threshold: usize,
        conforms: impl FnOnce() -> bool,
    ) -> Result<(), Refused<T>> {
        let why = if self.frames.len() >= self.limit {
            self.counters.full += 1;
            Why::Full
        } else if self.frames.len() >= threshold {
            self.counters.precedence += 1;
            Why::Precedence
        } else if !conforms() {
            self.counters.policed += 1;
            Why::Policed
        } else {
            self.counters.enqueued += 1;
            self.frames.push_back((frame, octets));
            return Ok(());
        };
        Err(Refused { frame, why })
    }

    /// The head and its octets, if it may start.
    #[inline]
    pub(super) fn dequeue_if(&mut self, may_start: impl FnOnce(&T) -> bool) -> Option<(T, u32)> {
        let taken = self.frames.pop_front_if(|(frame, _)| may_start(frame))?;
        self.counters.dequeued += 1;
        self.counters.dequeued_octets += u64::from(taken.1);
        Some(taken)
    }

    pub(super) fn clear(&mut self, mut each: impl FnMut(T)) {
        self.counters.cleared += self.frames.len() as u64;
        self.frames.drain(..).for_each(|(frame, _)| each(frame));
    }
}
