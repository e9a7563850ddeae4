//! What the socket side refuses: calls of the application, and messages of the demon.
//!
//! Must always name the rule.

use thiserror::Error;

use crate::isp::field::Vcc;

/// A call of the application that the state of a socket does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotNow {
    /// There is no such socket.
    #[error("there is no socket {vcc}")]
    Unknown {
        /// Its number.
        vcc: Vcc,
    },
    /// The demon is gone (footnote 3).
    #[error("the signalling daemon is gone; allowed: close")]
    Unavailable,
    /// The socket is in another state.
    #[error("{call} on socket {vcc}, which is {state}; allowed: {allowed}")]
    State {
        /// The socket.
        vcc: Vcc,
        /// What was tried.
        call: &'static str,
        /// Its state.
        state: &'static str,
        /// What that state allows.
        allowed: &'static str,
    },
    /// No call waits.
    #[error(
        "no call waits at socket {listen_vcc}; allowed: accept and reject after each that comes in"
    )]
    NoCall {
        /// The listening socket.
        listen_vcc: Vcc,
    },
    /// There are too many sockets.
    #[error("there are {sockets} sockets; allowed: {sockets}")]
    TooMany {
        /// How many.
        sockets: usize,
    },
}

/// A message of the demon that the protocol does not allow. The transport is then best closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// A message for a socket that there is not (4.1.2).
    #[error("a message for socket {vcc}, which there is not (4.1.2)")]
    Unknown {
        /// Its number.
        vcc: Vcc,
    },
    /// An answer to what was not asked (3.2, 3.3).
    #[error("an answer for socket {vcc}, which is {state} and did not ask for it (3.2, 3.3)")]
    Unasked {
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// A close where there is no connection, or of a listening socket (3.4, 3.7).
    #[error(
        "as_close for socket {vcc}, which is {state}; allowed: for connections, once (3.4, 3.7)"
    )]
    Close {
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// A call for a socket that does not listen (3.8).
    #[error("as_indicate for socket {vcc}, which is {state}; allowed: for those that listen (3.8)")]
    Indicate {
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// More calls wait than may.
    #[error("{calls} calls wait; allowed: {calls}")]
    TooMany {
        /// How many.
        calls: usize,
    },
    /// A message after the transport was lost.
    #[error("a message from a daemon that is gone")]
    Gone,
}
