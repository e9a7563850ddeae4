//! Signalling of PI DSS: how an application asks for a stream of a given rate to an address, and how nodes
//! agree on it.
//!
//! ```text
//! address   NSAP-style addresses of 20 octets, and prefixes
//! qos       service classes and peak rates
//! isp       the internal signalling protocol: sockets and daemon
//! link      a reliable link layer between neighbours
//! q2931     messages, states and timers of calls between neighbours
//! entity    one port's signalling: link and calls
//! route     which port leads to an address
//! process   the daemon as a process
//! daemon    what speaks for a node or a host: joins sockets, calls and the switch
//! ```
//!
//! All but what needs the feature `std` is pure: time is given, octets come and go, and nothing is known of
//! sockets. Must never trust an octet of a message: lengths, values and order are claims.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod address;
pub mod daemon;
pub mod entity;
pub mod isp;
pub mod link;
#[cfg(feature = "std")]
pub mod process;
pub mod q2931;
pub mod qos;
pub mod route;

pub use address::{Address, Prefix};
pub use qos::{Class, Peak, Qos, Traffic};
