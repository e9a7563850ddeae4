//! Differentiated services (RFC 2475): a packet is classified by the first rule that matches, marked, policed, counted.
//!
//! ```text
//! phb           what level 2 of the host does with a code point
//! meter         srTCM and trTCM
//! policer       a meter and what becomes of each colour
//! policers      all of them, by name and number
//! class_counts  packets by per-hop behaviour
//! error         why something cannot be
//! ```

pub mod class_counts;
pub mod error;
pub mod meter;
pub mod phb;
pub mod policer;
pub mod policers;

pub use phb::Phb;
