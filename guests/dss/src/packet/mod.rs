//! Frames: what stands where, read and written without a look at anything else.
//!
//! ```text
//! form     what a frame begins with: Ethernet header, PIH if there is one
//! header   what a PDU begins with: label stack entry, control word
//! ```
//!
//! Must never decide what becomes of a frame.

mod form;
mod header;

pub(crate) use form::{Form, HEAD, MARKED, PLAIN, Station};
pub(crate) use header::{Header, ROUTER_ALERT};
pub use header::{LABEL_LEAST, LABEL_MOST};
