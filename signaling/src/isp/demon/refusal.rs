//! What the daemon's side refuses: calls of the daemon, and messages of the kernel side.
//!
//! Must always name the rule.

use thiserror::Error;

use crate::isp::field::Vcc;
use crate::isp::table::Row;

/// A call of the daemon that the state of a socket does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotNow {
    /// The demon knows no such socket.
    #[error("{call} for socket {vcc}, which is not known")]
    Unknown {
        /// Its number.
        vcc: Vcc,
        /// What was tried.
        call: &'static str,
    },
    /// The socket is in another state.
    #[error("{call} for socket {vcc}, which is {state}; allowed: {allowed}")]
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
    /// Too many calls wait for an answer.
    #[error("{calls} calls wait for an answer; allowed: {calls}")]
    TooMany {
        /// How many.
        calls: usize,
    },
}

/// A message of the kernel side that the protocol does not allow. Its transport is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// A message while `as_bind` or `as_listen` is answered (3.5, 3.7).
    #[error(
        "{row} for socket {vcc}, which is {state}; allowed: nothing before the answer (3.5, 3.7)"
    )]
    Waiting {
        /// The message.
        row: Row,
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// A request for a socket that has state (2.3, 3.6, 3.7, 3.9).
    #[error("{row} for socket {vcc}, which is {state}; allowed: for new sockets (2.3)")]
    InUse {
        /// The message.
        row: Row,
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// A call answered at a socket that does not listen (3.9, 3.10).
    #[error("{row} at socket {listen_vcc}, which does not listen (3.9, 3.10)")]
    NotListening {
        /// The message.
        row: Row,
        /// The socket.
        listen_vcc: Vcc,
    },
    /// A call answered where none waits: each `as_indicate` is answered once (3.8).
    #[error(
        "{row} at socket {listen_vcc}, where no call waits; allowed: one answer to each as_indicate (3.8)"
    )]
    NoCall {
        /// The message.
        row: Row,
        /// The socket.
        listen_vcc: Vcc,
    },
    /// A call answered between `as_close` and its acknowledgement, or accepted after it (3.8).
    #[error(
        "{row} at socket {listen_vcc}, which is closing; allowed: as_reject after the acknowledgement (3.8)"
    )]
    Deregistering {
        /// The message.
        row: Row,
        /// The socket.
        listen_vcc: Vcc,
    },
    /// A second close (3.4).
    #[error("as_close for socket {vcc}, which is {state}; allowed: once (3.4)")]
    ClosedTwice {
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
}
