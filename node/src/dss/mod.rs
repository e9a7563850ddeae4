//! What the node does for a switch of PI DSS (`builtin:dss`): it runs the signalling daemon, and does what that asks
//! of the guest and of level 2.
//!
//! ```text
//! neighbours' PDUs -- guest -- events --\                   /-- table -- guest: where frames go
//!                                        signalling -- daemon
//! operators ------------------ shown ---/                   \-- reserve -- level 2: at which rate
//!
//! permanents, ends -- sockets -- guest: its own sockets, whose messages go to the daemon and back
//! ```
//!
//! Must never be on the frame path, nor keep what a daemon that is gone has set: it knows no more what it is for.

mod ends;
#[cfg(test)]
mod ends_tests;
mod keeper;
mod permanent;
mod permanents;
mod post;
mod reserve;
mod signalling;
mod sockets;
mod table;
#[cfg(test)]
mod tests;

pub use ends::Ends as PermanentEnds;
pub use keeper::Keeper;
pub use permanent::{End, Permanent, PermanentCall, PermanentShown, PermanentState};
pub use signalling::{Shown, Signalling, SignallingError};

/// The built-in guest that is such a switch.
pub const GUEST: &str = "dss";
