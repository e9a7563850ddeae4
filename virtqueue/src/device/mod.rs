//! The device's half of the network queues: [`Receiveq`] to the guest, [`Transmitq`] from it.
//!
//! The driver is a guest and not trusted: every number it wrote is checked at each use, and what
//! was checked is kept on this side. Must never allocate, and never do more work for one call than
//! the burst asked for: at most [`MAX_SEGMENTS`] descriptors a frame, and in one harvest a few for
//! each frame asked for.

mod chain;
mod notify;
mod receiveq;
mod ring;
mod transmitq;

pub use chain::MAX_SEGMENTS;
pub use receiveq::Receiveq;
pub use transmitq::{
    HARVEST_DESCRIPTORS, Harvest, MAX_FRAME, MAX_MALFORMED, MIN_FRAME, Transmitq, TxFrame,
};
