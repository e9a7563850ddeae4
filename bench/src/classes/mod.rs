//! Classes of PI IPv6 QoS under overload: a node with the router's guest between two memory ports, offered more of AF and
//! BE than its phase holds, and EF within its rate.
//!
//! ```text
//! case  what is offered, and the node that it is offered to
//! run   what became of it
//! ```
//!
//! Losses and delays are the tester's, frame by frame; shares are of what level 2 let go between two instants.

mod case;
mod run;

pub use case::{Case, Machinery, WEIGHTS};
pub use run::{Bounds, Found, Policer, StreamFound, bounds, run};
