//! ICMPv6 of the router itself, as RFC 4443 and the protocols on top of it describe it.

mod checksum;
mod echo;
mod limit;
mod message;
mod packets;
mod problem;
