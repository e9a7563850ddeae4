//! The whole node measured beside what a user would pick instead.
//!
//! Nothing here is part of the node, and no figure is judged here: the programs print what they
//! measured, as ratios of runs that alternate on the same machine.

mod chance;
pub mod classes;
pub mod compare;
pub mod dpdk;
pub mod gated;
pub mod growth;
mod landing;
pub mod latency;
pub mod machine;
pub mod node;
pub mod routed;
pub mod stand;
mod stolen;
pub mod streams;
pub mod switched;
#[allow(unsafe_code)]
mod unsafe_tsc;
pub mod xdp;
