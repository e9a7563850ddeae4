//! Interfaces: a vif in a virtual network each.
//!
//! ```text
//! names      what they are called
//! port       what the path of a frame needs of one
//! table      all there are
//! ```

mod names;
mod port;
mod table;

pub use names::Names;
pub use port::Port;
pub use table::{Interface, Interfaces};
