//! The IPv6 router's guest beside the plainest guest, with the same frames, in the same node.
//!
//! ```text
//! arm      what is run: tables of the router, and the frames that go with them
//! tables   prefixes and rules, many and like real ones
//! traffic  the source in its port's own bursts
//! ```
//!
//! Must never give one guest other frames than the other.

mod arm;
mod tables;
mod traffic;

pub use arm::{Arm, Case, Crossing, Guest, flows_were_there, start};
