//! Calls between neighbours: messages, causes, states and timers after ITU-T Q.2931.

mod cause;
mod connection;
mod setup;
mod state;
mod timers;

pub use cause::Cause;
pub use connection::{
    ConnectionIdentifier, ConnectionIdentifierError, FIRST_LABEL, LAST_LABEL, LAST_VN,
};
pub use setup::{BLLI_OCTETS, MOST_BLLI, Setup, SetupError};
pub use state::CallState;
pub use timers::Timers;
