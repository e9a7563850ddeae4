//! Interfaces: a vif in a virtual network each.
//!
//! ```text
//! names      what they are called
//! table      all there are, with what the path of a frame needs of each
//! ```

mod names;
mod table;

pub use names::Names;
pub use table::{Interface, Interfaces};
