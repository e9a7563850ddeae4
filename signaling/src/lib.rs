//! Signalling of PI DSS: how an application asks for a stream of a given rate to an address, and how nodes
//! agree on it.
//!
//! ```text
//! address     NSAP-style addresses of 20 octets, and prefixes
//! daemon/     what speaks for a node or a host: joins sockets, calls and the switch
//! isp/        the internal signalling protocol: sockets and daemon
//! packet/     frames of connections, and sockets on the interfaces that carry them
//! qos         service classes and peak rates
//! seqpacket/  what carries messages between an application and its daemon
//! socket/     sockets of applications: streams and listeners
//! ```
//!
//! All but what needs the feature `std` is pure: time is given, octets come and go, and nothing is known of
//! sockets. Must never trust an octet of a message: lengths, values and order are claims.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod address;
pub mod daemon;
pub mod isp;
pub mod packet;
pub mod qos;
#[cfg(feature = "std")]
mod ready;
#[cfg(feature = "std")]
pub mod seqpacket;
#[cfg(feature = "std")]
pub mod socket;

pub use address::{Address, Prefix};
pub use qos::{Class, Peak, Qos, Traffic};
