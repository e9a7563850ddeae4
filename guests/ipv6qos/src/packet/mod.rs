//! Packets as octets: where things are in a frame, and what is looked at.
//!
//! ```text
//! header   the 40 octets that each packet begins with
//! chain    extension headers, walked with a bound
//! fields   what rules, classes and flows look at in a packet
//! ```

pub mod chain;
pub mod fields;
pub mod header;

pub use chain::Chain;
pub use fields::Fields;
pub use header::Header;
