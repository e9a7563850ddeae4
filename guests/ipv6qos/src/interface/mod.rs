//! Interfaces: a vif in a virtual network each.
//!
//! ```text
//! names   what they are called
//! ```

mod names;

pub use names::Names;
