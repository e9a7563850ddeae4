//! Calls between neighbours, after ITU-T Q.2931.
//!
//! ```text
//! message    what messages say
//! encode     their octets
//! decode     messages from octets, and what is wrong with them
//! element    information elements: identifier, instruction, length
//! contents   what is in them, octet by octet
//! setup      what is asked for with a SETUP
//! connection VN and label
//! cause      why calls end; reason: with what it is about
//! state      states of calls
//! call       one call: what messages and time do to it
//! timers     times
//! ```
//!
//! Neighbours are equals: each is the other's user and network, and whoever sends SETUP chose the call reference
//! and the label. There is no RESTART: another life of a link's side ends what it had.

pub(crate) mod call;
mod cause;
mod connection;
mod contents;
mod decode;
mod element;
mod encode;
mod message;
mod reason;
mod setup;
mod state;
mod timers;

pub use cause::Cause;
pub use connection::{
    ConnectionIdentifier, ConnectionIdentifierError, FIRST_LABEL, LAST_LABEL, LAST_VN,
};
pub use decode::{DecodeError, Decoded};
pub use element::{MOST_ELEMENTS, identifier};
pub use encode::DISCRIMINATOR;
pub use message::{Body, CallReference, LAST_REFERENCE, Message, MessageType};
pub use reason::{DIAGNOSTIC_OCTETS, Reason, WORDS_OCTETS};
pub(crate) use setup::promised;
pub use setup::{BLLI_OCTETS, MOST_BLLI, Setup, SetupError};
pub use state::CallState;
pub use timers::Timers;
