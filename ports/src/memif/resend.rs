//! Frames that a broken connection did not deliver, until the next one takes them.
//!
//! Holds at most what one ring holds: nothing new is sent before it is empty. Must never drop a frame.

use std::collections::VecDeque;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Resend {
    frames: VecDeque<Box<[u8]>>,
    again: u64,
}

impl Resend {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames sent again so far.
    pub(super) fn again(&self) -> u64 {
        self.again
    }

    /// Puts older frames in front of those that wait.
    pub(super) fn put_in_front(&mut self, older: impl DoubleEndedIterator<Item = Box<[u8]>>) {
        for frame in older.rev() {
            self.frames.push_front(frame);
        }
    }

    /// Hands over up to `most` frames, oldest first, as long as `put` takes them.
    pub(super) fn pass(&mut self, most: usize, mut put: impl FnMut(&[u8]) -> bool) {
        for _ in 0..most {
            match self.frames.front() {
                Some(frame) if put(frame) => self.again += 1,
                _ => return,
            }
            self.frames.pop_front();
        }
    }
}
