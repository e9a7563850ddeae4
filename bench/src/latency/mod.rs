//! Latency at a share of the no-drop rate: the same trials on whatever carries frames through a guest.
//!
//! A trial paces frames evenly, stamps each with the instant it was due, and reads the time again when it
//! is back. Both arms count with the TSC and in the same cells.

mod cells;
mod node;
mod search;

use std::time::Duration;

pub use cells::Cells;
pub use node::NodeArm;
pub use search::{Criterion, Search};

/// What is asked of a trial.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Frames per second, evenly spaced.
    pub fps: f64,
    /// Time before frames count.
    pub warm_up: Duration,
    /// Time in which frames count.
    pub span: Duration,
}

/// What a trial found.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Frames that were due.
    pub due: u64,
    /// Of those, given up: the source came for them when 4096 more were due already.
    pub late: u64,
    /// Sent and not come back, or refused by a full ring.
    pub lost: u64,
    /// Come back.
    pub received: u64,
    /// Their latencies.
    pub cells: Cells,
}

/// Something that carries frames through a guest and back.
pub trait Arm {
    /// Runs a trial.
    ///
    /// # Errors
    /// The arm is gone.
    fn trial(&mut self, load: Load) -> anyhow::Result<Trial>;
}
