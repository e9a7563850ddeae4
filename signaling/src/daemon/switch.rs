//! What a daemon asks of the switch whose links it speaks for, and is told by it.
//!
//! The switch of a node is its guest (where frames go) and its scheduler (at which rate). On a host there is none:
//! connections end there.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::qos::Traffic;

/// A connection on one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The link's port.
    pub port: u16,
    /// Virtual network.
    pub vn: u8,
    /// Label, both ways.
    pub label: u32,
}

/// What a connection needs of a switch in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Where its frames come in; none: they begin in the switch itself.
    pub from: Option<Place>,
    /// Where they go out, with what is reserved there.
    pub to: Place,
    /// What is reserved.
    pub traffic: Traffic,
    /// Whether frames above the peak rate are dropped where they come in: where the network begins.
    pub police: bool,
}

/// Names an operation in its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpId(pub u64);

/// An operation on the switch: all of its ways, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Its name.
    pub id: OpId,
    /// What is to be done.
    pub what: What,
    /// The directions of the connection.
    pub ways: Vec<Way>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Reserve, then let frames through. What cannot be reserved is refused and nothing is kept.
    Set,
    /// Let no frame through, then free what is reserved. Cannot fail: what is not there is gone.
    Unset,
}

/// Why nothing was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A link has not so much rate left.
    Rate(String),
    /// A table or buffer is full.
    Full(String),
    /// The switch cannot do it now.
    Failed(String),
}
