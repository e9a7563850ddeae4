//! The control API: HTTP/1.1 and JSON over a Unix socket.
//!
//! ```text
//! socket   the socket in the file system: in use, stale, mode 0600
//! server   its thread and event loop; the only tokio of the node
//! routes   what there is under /v1
//! listing  the same list for the router and for its OpenAPI document
//! items    bodies that are lists
//! ipv6     what routers of PI IPv6 QoS are told and asked
//! problem  errors: where and what
//! stream   console and capture, which have no end of their own
//! streams  connections of PIs whose discipline they are
//! metrics  /metrics for Prometheus
//! ```
//!
//! It asks the node by [`crate::control::Control`] and nothing else, and must never hold up the
//! data plane: calls are made off the event loop, and a reader that does not read holds up itself.

mod dss;
mod ipv6;
mod items;
mod listing;
mod metrics;
mod problem;
mod routes;
mod server;
mod socket;
mod stream;
mod streams;

#[cfg(test)]
mod tests;

pub use dss::CallRoute;
pub use problem::Problem;
pub use server::{ServeError, Server};
pub use socket::{DEFAULT_DIRECTORY, Socket, SocketError, default_path};
pub(crate) use stream::{ENDED, NODE_ENDED};
