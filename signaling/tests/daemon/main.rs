//! Daemons of hosts and nodes with each other, in virtual time.

mod calls;
mod endings;
mod world;
