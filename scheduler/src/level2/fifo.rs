//! One class, first in, first out, bounded.
//!
//! Full is not loss: what does not fit stays with its guest, as back-pressure on the ring.

use std::collections::VecDeque;

use super::{Arrival, Discipline, Refused, Why};

/// A bounded FIFO. It allocates once, when it is made.
#[derive(Debug, Clone)]
pub struct Fifo<T> {
    frames: VecDeque<T>,
    capacity: usize,
}

impl<T> Fifo<T> {
    /// A queue for at most `capacity` frames.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            frames: VecDeque::with_capacity(capacity),
            capacity,
        }
    }

    /// Queues frames one after the other, as [`enqueue`](Discipline::enqueue) does, and gives back
    /// those for which there is no room. None is looked at.
    #[inline]
    pub fn enqueue_all(&mut self, frames: &[T], refused: impl FnMut(T))
    where
        T: Copy,
    {
        let (fit, rest) = frames.split_at(frames.len().min(self.room()));
        self.frames.extend(fit);
        rest.iter().copied().for_each(refused);
    }
}

impl<T> Discipline<T> for Fifo<T> {
    #[inline]
    fn enqueue(&mut self, frame: T, _arrival: &Arrival<'_>) -> Result<(), Refused<T>> {
        if self.frames.len() >= self.capacity {
            let why = Why::Full;
            return Err(Refused { frame, why });
        }
        self.frames.push_back(frame);
        Ok(())
    }

    #[inline]
    fn dequeue_if(&mut self, _now_ns: u64, mut may_start: impl FnMut(&T) -> bool) -> Option<T> {
        self.frames.pop_front_if(|frame| may_start(frame))
    }

    #[inline]
    fn dequeue_while(
        &mut self,
        _now_ns: u64,
        most: usize,
        mut may_start: impl FnMut(&T) -> bool,
    ) -> usize {
        let (front, back) = self.frames.as_slices();
        let mut taken = 0;
        'halves: for half in [front, back] {
            for frame in half {
                if taken == most || !may_start(frame) {
                    break 'halves;
                }
                taken += 1;
            }
        }
        self.frames.drain(..taken);
        taken
    }

    fn clear(&mut self, frame: impl FnMut(T)) {
        self.frames.drain(..).for_each(frame);
    }

    #[inline]
    fn len(&self) -> usize {
        self.frames.len()
    }

    #[inline]
    fn room(&self) -> usize {
        self.capacity - self.frames.len()
    }
}
