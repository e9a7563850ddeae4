//! Frames of connections on an Ethernet link, as hosts send and receive them on access ports.
//!
//! ```text
//! frame     layout: Ethernet, label stack entry, control word, payload
//! sequence  numbers of frames, and what of them is missing
//! filter    which frames the kernel hands to a socket        (std)
//! socket    a packet socket on one interface                 (std)
//! pool      packet sockets that are used again               (std)
//! ```
//!
//! Must never trust a frame: each is a claim of whoever is on the link.

pub mod frame;
pub mod sequence;

#[cfg(feature = "std")]
mod filter;
#[cfg(feature = "std")]
mod pool;
#[cfg(feature = "std")]
mod socket;
#[cfg(feature = "std")]
#[allow(unsafe_code)] // The calls take C structures.
mod unsafe_socket;

pub use frame::{Frame, FrameError, Header};
#[cfg(feature = "std")]
pub(crate) use pool::{Lent, Pool};
#[cfg(feature = "std")]
pub use socket::{Interface, PacketError, Socket};

#[cfg(all(test, feature = "std"))]
mod tshark_tests;
