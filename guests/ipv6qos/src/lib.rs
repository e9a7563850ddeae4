//! The guest of PI IPv6 QoS: an IPv6 router (RFC 8200) with a routing instance for each virtual network,
//! neighbour discovery (RFC 4861), DiffServ (RFC 2474, 2475) and a packet filter.
//!
//! Everything here is pure: time and randomness are given, frames come in bursts, and nothing is known of
//! where it runs. What may grow at run time is bounded by configuration and allocated when it is configured.
//!
//! Must never trust an octet of a packet: lengths, offsets and chains are claims.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod config;
pub mod control;
mod counters;
pub mod diffserv;
pub mod filter;
pub mod icmp;
pub mod interface;
pub mod lpm;
pub mod neighbour;
pub mod packet;
mod path;
pub mod prefix;
pub mod reassembly;
mod router;
pub mod routing;
pub mod rules;
mod start;
pub mod units;
pub mod vn;

pub use prefix::Prefix;
pub use router::Router;
pub use vn::{InterfaceId, Vn};
