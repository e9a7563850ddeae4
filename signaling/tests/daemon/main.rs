//! Daemons of hosts and nodes with each other, in virtual time.

mod calls;
mod claims;
mod edges;
mod endings;
mod world;
