//! Guests from launch to end: what the node does when they boot, fault, hang or are told to stop.
//!
//! ```text
//! lifecycle   when a guest is launched, taken down, held in quarantine (pure)
//! engine      what runs it: a virtual machine or a host thread
//! agent       what is said on the control channel
//! watch       the thread that joins them
//! ```
//!
//! Never on the frame path: a guest's rings go to the worker when the guest has set them up, and
//! come back when it goes.

mod agent;
mod engine;
pub mod lifecycle;
mod watch;

pub use engine::LaunchError;
pub use watch::{Action, GuestView, Supervisor, SupervisorHandle};
