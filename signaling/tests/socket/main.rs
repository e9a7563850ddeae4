//! Sockets of applications against a daemon that follows a script, over a real SEQPACKET socket, with frames over a
//! real pair of interfaces.
//!
//! What is waited for has a condition and a deadline. Must never leave an interface behind: each test has a network
//! namespace of its own, which goes with its thread and sockets.

mod asynchronous;
mod bench;
mod calls;
mod ends;
mod frames;
mod listening;
mod script;
#[allow(unsafe_code)] // unshare(2)
mod unsafe_namespace;
