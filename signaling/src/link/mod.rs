//! A small reliable link layer between neighbours, after SSCOP (ITU-T Q.2110): messages arrive in order and
//! once, over PDUs that get lost, come twice or out of order.
//!
//! ```text
//! pdu        octets
//! lives      instance numbers: each life of a side has its own
//! sending    window, acknowledgement, repetition
//! receiving  order
//! peer       the neighbour's life that this side talks to: keep-alive
//! machine    Link: who the neighbour is, and whether it is heard
//! ```
//!
//! Both sides send BGN until they hear; BGAK, and whatever else names the hearer's instance, says that one is
//! heard. The greater instance takes the odd labels. A pause loses nothing: the session goes on where it was.
//! Another instance of the neighbour ends the session, and all that both had in common.
//!
//! Differs from SSCOP in what two neighbours do not need: STAT says with a bit for each SD what has come and
//! follows SDs unasked, the window is fixed, and there is no resynchronisation, since another life is one.
//!
//! Must not trust what is heard: a PDU is taken for what it is only if both instances are those that talk.
//! What keeps others from speaking for the neighbour is that labels are not punted from elsewhere; there is no
//! secret.

mod lives;
mod machine;
mod pdu;
mod peer;
mod receiving;
mod sending;
mod side;
mod timers;

pub use machine::{Counters, Indication, Link, SendError};
pub use pdu::{Body, HEADER_OCTETS, MOST_OCTETS, MOST_PAYLOAD, Pdu, WINDOW};
pub use side::Side;
pub use timers::Timers;
