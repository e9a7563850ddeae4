//! Captures: what passes a point of the node, as a pcapng stream for Wireshark.
//!
//! [`tap`] is the frame path's side, a bounded ring into which the worker copies frames, and the
//! control side, which makes blocks of them; [`pcapng`] knows the blocks. A capture never holds up a
//! frame: what finds the ring full is missing from the capture, and counted in it.

pub mod pcapng;
pub mod tap;

pub use pcapng::{Direction, LinkType};
pub use tap::{CaptureReader, Poll, Tap, channel};

#[cfg(test)]
mod tshark_tests;
