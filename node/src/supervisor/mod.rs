//! Guests from launch to end: what the node does when they boot, fault, hang or are told to stop.
//!
//! ```text
//! lifecycle   when a guest is launched, taken down, held in quarantine (pure)
//! requests    what a guest's function is asked at run time (pure)
//! asking      how it is asked, and told again what was changed when it has come up anew
//! listening   who hears what it says unasked, and that it comes and goes
//! engine      what runs it: a virtual machine or a host thread
//! agent       what is said on the control channel
//! lines       how much a guest may say before it is heard
//! pairs       whether a driver uses a queue pair for each worker
//! share       what bounds its part of the CPUs, by the kernel's means
//! weight      weights and the nice levels that stand for them (pure)
//! progress    whether a guest does anything with its frames (pure)
//! reading     asking guests what they do with their time, on demand (pure)
//! handle      how others reach the supervisor
//! watch       the thread that joins them: events, wishes and time, one after the other
//! words       what guests say and do, as it hears it
//! machines    how it launches and ends what runs them
//! ```
//!
//! Never on the frame path: a guest's rings go to the worker when the guest has set them up, and
//! come back when it goes.

mod agent;
mod asking;
mod engine;
mod handle;
pub mod lifecycle;
mod lines;
mod listening;
mod machines;
mod pairs;
mod progress;
mod reading;
mod requests;
pub mod share;
#[allow(unsafe_code)]
mod unsafe_sched;
#[allow(unsafe_code)]
mod unsafe_thread_time;
mod watch;
mod weight;
mod words;

pub use asking::{Journal, Untold};
pub use engine::LaunchError;
pub use handle::{Action, GuestView, SupervisorHandle};
pub use listening::{GuestNotice, Listener, Waker};
#[cfg(test)]
pub(crate) use listening::{Listeners, listener};
pub use requests::RequestError;
pub use watch::Supervisor;
