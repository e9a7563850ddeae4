//! Packets as octets: where things are in a frame, and what is looked at.
//!
//! ```text
//! fields   what rules, classes and flows look at in a packet
//! ```

pub mod fields;

pub use fields::Fields;
