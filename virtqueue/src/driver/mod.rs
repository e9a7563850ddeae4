//! The driver's half of a queue, for guests and for host threads that play one.
//!
//! The device is not trusted with more than the buffers it was given: the used ring is a claim.
//! All bookkeeping is private, the descriptor table in shared memory is only ever written.
//! Must never allocate after [`DriverQueue::new`].

mod queue;
mod tokens;

pub use queue::DriverQueue;
