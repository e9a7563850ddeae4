//! Level 2: what waits inside a PI for its window, and in which order it goes.
//!
//! A discipline orders frames of one PI at one port. It must never look at time or at another PI:
//! whether a frame may start is the gate's to say.

mod fifo;

pub use fifo::Fifo;

/// The order in which a PI's frames go. `T` stands for a frame: a descriptor, not its octets.
pub trait Discipline<T> {
    /// Queues a frame behind those of its class.
    ///
    /// # Errors
    /// Gives the frame back if its class has no room.
    fn enqueue(&mut self, frame: T) -> Result<(), T>;

    /// Takes the first frame that `may_start` lets go. Offered are only the heads of the classes,
    /// each once, in the order of the discipline; a FIFO has one head.
    fn dequeue_if(&mut self, may_start: impl FnMut(&T) -> bool) -> Option<T>;

    /// Takes up to `most` frames in the order of the discipline, as
    /// [`dequeue_if`](Self::dequeue_if) one by one would, until one may not start. Returns how many
    /// were taken; `may_start` keeps what it wants of them.
    fn dequeue_while(&mut self, most: usize, mut may_start: impl FnMut(&T) -> bool) -> usize {
        let next = |_: &usize| self.dequeue_if(&mut may_start).is_some();
        (0..most).take_while(next).count()
    }

    /// Queues frames one after the other, as [`enqueue`](Self::enqueue) does, and gives back those
    /// whose class has no room.
    fn enqueue_all(&mut self, frames: &[T], mut refused: impl FnMut(T))
    where
        T: Copy,
    {
        for frame in frames {
            if let Err(frame) = self.enqueue(*frame) {
                refused(frame);
            }
        }
    }

    /// How many frames wait.
    fn len(&self) -> usize;

    /// Whether no frame waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many frames of any class there is room for at least.
    fn room(&self) -> usize;
}
