//! Many connections of constant rate through a running node at nearly all that its schedule guarantees them, while the
//! other PIs are overloaded.
//!
//! ```text
//! plan     what is run, and the connections that sum up to it
//! source   strictly periodic frames, with a number and the instant they were due; and the overload
//! sink     what came of each connection, and how long it took
//! away     how long the worker was not there, and what that adds up to
//! arm      the node: connections are set up as its signalling daemon does it, bounds asked for, counters read
//! run      one run, and what is said of it
//! ```
//!
//! A bound is what the node says before there is a frame. Must never be judged by the node's own counters alone: what
//! is lost and late is what the sink saw.

mod arm;
mod away;
mod plan;
mod run;
mod sink;
mod source;

pub use arm::{Arm, OneMore};
pub use away::Away;
pub use plan::{Connection, Plan, Sizes};
pub use run::{Excess, Measured, Other, Run, Stages};
