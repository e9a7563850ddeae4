//! Signalling of PI DSS: how an application asks for a stream of a given rate to an address, and how nodes
//! agree on it.
//!
//! ```text
//! application -- socket -- seqpacket -- daemon -- entity -- label 1 frames -- the next daemon
//!                   \-- packet -- frames of its connections
//!
//! address    NSAP-style addresses of 20 octets, and prefixes
//! qos        service classes and peak rates
//! isp        the internal signalling protocol: sockets and daemon
//! link       a reliable link layer between neighbours
//! q2931      messages, states and timers of calls between neighbours
//! entity     one port's signalling: link and calls
//! route      which port leads to an address
//! daemon     what speaks for a node or a host: joins sockets, calls and the switch
//! process    the daemon as a process
//! packet     frames of connections, and sockets on the interfaces that carry them
//! seqpacket  what carries messages between an application and its daemon
//! socket     sockets of applications: streams and listeners
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
pub mod packet;
#[cfg(feature = "std")]
pub mod process;
pub mod q2931;
pub mod qos;
#[cfg(feature = "std")]
mod ready;
pub mod route;
#[cfg(feature = "std")]
pub mod seqpacket;
#[cfg(feature = "std")]
pub mod socket;

pub use address::{Address, Prefix};
pub use qos::{Class, Peak, Qos, Traffic};
