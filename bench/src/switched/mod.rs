//! The label switch's guest beside the plainest guest, with the same frames, in the same node.
//!
//! ```text
//! case     what is run: connections of the switch, and the frames that go over them
//! traffic  the source in its port's own bursts
//! ```
//!
//! Must never give one guest other frames than the other.

mod case;
mod traffic;

pub use case::{Crossing, Guest, start};
