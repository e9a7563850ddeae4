//! The IPv6 router's guest beside the plainest guest, with the same frames, in the same node.
//!
//! ```text
//! arm      what is run: tables of the router, and the frames that go with them
//! tables   prefixes and rules, many and like real ones
//! traffic  source and sink in the ports' own bursts
//! ```
//!
//! Must never give one guest other frames than the other.

mod arm;
mod tables;
mod traffic;

pub use arm::{Arm, Case, Crossing, Guest, Stand};
