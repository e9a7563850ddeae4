//! What an entity refuses to do.

use thiserror::Error;

use crate::link::Side;
use crate::q2931::{CallState, SetupError};

use super::CallId;

/// What an entity refuses to do. Nothing was sent, and nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallError {
    /// The neighbour is not heard.
    #[error("the neighbour does not answer: no call can be set up until it does")]
    Down,
    /// The port has as many calls as it may.
    #[error("the port has {most} calls, which is all it may have")]
    Full {
        /// How many it may have.
        most: usize,
    },
    /// What waits to be sent is too much already.
    #[error("the neighbour takes messages more slowly than they come: {waiting} wait")]
    Busy {
        /// Messages that wait.
        waiting: usize,
    },
    /// The label is one of the neighbour's.
    #[error("label {label} is for the neighbour to choose; allowed here: {side} ones")]
    Side {
        /// The label.
        label: u32,
        /// This side.
        side: Side,
    },
    /// A call has that label already.
    #[error("{call} has label {label} of VN {vn}")]
    InUse {
        /// The label.
        label: u32,
        /// Its VN.
        vn: u8,
        /// The call.
        call: CallId,
    },
    /// No SETUP or CONNECT can carry what is asked for.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// There is no such call, or it has ended.
    #[error("there is no {call}, or it has ended")]
    Unknown {
        /// The call.
        call: CallId,
    },
    /// The call is in another state.
    #[error("{call} is in state {state}; allowed: Incoming Call Proceeding (U9)")]
    State {
        /// The call.
        call: CallId,
        /// Its state.
        state: CallState,
    },
}
