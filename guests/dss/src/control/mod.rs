//! What the host asks a switch at run time, what it answers, and what it says unasked.
//!
//! ```text
//! request   what is asked, and the answers
//! event     what is said unasked
//! socket    sockets of the switch, and messages between them and the signalling daemon
//! octets    octets of signalling, as text
//! mac       addresses of stations, as text
//! ```
//!
//! Both ends use these types, so that they cannot disagree. Each fits a line of the control channel. Must hold nothing
//! but what is said: how it is done is the switch's.

mod event;
mod mac;
mod octets;
mod request;
mod socket;

pub use event::{Event, Punted};
pub use mac::Mac;
pub use octets::Octets;
pub use request::{
    Answer, Connection, Counters, Counts, Held, Key, Kind, MOST_ITEMS, MOST_LISTED, PortCounters,
    Request,
};
pub use socket::{
    IspEvent, IspRequest, MOST_MESSAGES, MOST_SOCKETS, Said, SocketRequest, SocketState, SocketView,
};
