//! The guest of PI DSS: streams go by label over connections that were signalled before.
//!
//! A frame carries 8 octets behind its PIH: a label stack entry (RFC 3032 2.1) and a control word (RFC 4385 3). Port,
//! virtual network and label say which connection it is of, and that where it goes and by which label. Label 1, router
//! alert, is signalling: the host is told of it, and says what is to be sent.
//!
//! ```text
//! switch      the function: configuration, bursts, time, requests, events
//! config      what it is configured with
//! packet      frames: what stands where
//! path        the way of a frame, in stages over a burst
//! table       connections: from a label to where its frames go, and what is promised to them
//! signalling  PDUs from and to the host, and who is at the other end of a port
//! sockets     the socket side of the internal signalling protocol, for devices that do not signal
//! counters    what became of frames
//! control     what the host asks and is told; shared with it
//! handle      how it is done
//! ```
//!
//! Must never allocate on the way of a frame, send one without a connection, or lose count of one.

#![no_std]

extern crate alloc;

mod config;
pub mod control;
mod counters;
mod handle;
mod packet;
mod path;
mod signalling;
mod sockets;
mod switch;
pub mod table;

pub use config::{ConfigError, Configuration};
pub use counters::Cause;
pub use switch::Switch;
