//! Unix sockets that keep messages apart (unix(7), SOCK_SEQPACKET): reliable, in order, and the end is noticed.
//!
//! ```text
//! listener    where applications find a daemon: a socket in the file system
//! connection  messages, one a packet
//! ```
//!
//! Must never block, and never hand on a part of a message for the whole.

mod connection;
mod listener;

pub use connection::{Connection, Received};
pub use listener::{Listener, ListenerError};
