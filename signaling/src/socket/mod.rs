//! Sockets of applications: streams of a given rate to an address, asked for of this host's daemon.
//!
//! ```text
//! Stream, Listener -- wait here, or asynchronous -- on tokio
//!    |         \
//!    |          held, asked   a socket of the internal protocol, a request to the daemon
//!    |             |
//!   flow        signaling     the connection to the daemon that all of them share, and its thread
//!    |             |
//!   packet      isp::Kernel, seqpacket
//! ```
//!
//! One thread listens to the daemon, whatever the number of streams. Frames come and go past it, in the threads that
//! send and receive.
//!
//! Must never send on a connection after the daemon was told that it is closed: its label is another's then.

mod asked;
#[cfg(feature = "async")]
pub mod asynchronous;
mod error;
mod flow;
mod inner;
mod listener;
pub mod pace;
mod signal;
mod signaling;
mod stream;

pub use error::Error;
pub use flow::Received;
pub use listener::Listener;
pub use signaling::Signaling;
pub use stream::{Call, Stream};
