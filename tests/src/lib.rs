//! What the end-to-end tests share: a running node, real interfaces, frames and their accounts.
//!
//! The tests see the product from outside only: the `pinode` command, interfaces, files. This library must never link a
//! crate of the product (`launch-check` alone has a port), and never wait by a blind sleep: everything waited for has a condition and a deadline
//! ([`poll`]). What a test makes on the machine (namespaces, interfaces, processes, files) goes when its owner is
//! dropped, also when the test fails.

pub mod background;
pub mod browser;
pub mod config;
pub mod conservation;
pub mod cpio;
pub mod frame;
pub mod gate_trace;
pub mod host;
pub mod lab;
pub mod load;
pub mod machine;
pub mod namespace;
pub mod need;
pub mod node;
pub mod pcap;
pub mod ping;
pub mod poll;
pub mod program;
pub mod recorder;
pub mod resident;
pub mod router;
pub mod routing_socket;
pub mod stock_kernel;
pub mod sweep;
pub mod tshark;
#[allow(unsafe_code)]
pub mod unsafe_departures;
#[allow(unsafe_code)]
pub mod unsafe_packet_socket;

pub use unsafe_departures::{Departures, set_priority};
pub use unsafe_packet_socket::PacketSocket;
