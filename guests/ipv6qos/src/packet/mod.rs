//! Packets as octets: where things are in a frame, and what is looked at.
//!
//! ```text
//! form     frames: Ethernet header, PIH, packet
//! header   the 40 octets that each packet begins with
//! chain    extension headers, walked with a bound
//! alike    what rules can look at in a plain packet, as one
//! ends     what names the flow of a plain packet
//! received what a destination looks at in them
//! fields   what rules, classes and flows look at in a packet
//! ```

pub mod alike;
pub mod chain;
pub mod ends;
pub mod fields;
pub mod form;
pub mod header;
pub mod received;

pub use alike::Alike;
pub use chain::Chain;
pub use ends::Ends;
pub use fields::Fields;
pub use form::{Form, Start, Station};
pub use header::Header;
