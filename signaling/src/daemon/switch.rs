//! What a daemon asks of the switch whose links it speaks for, and is told by it.
//!
//! The switch of a node is its guest (where frames go) and its scheduler (at which rate). On a host there is none:
//! connections end there.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::q2931::Cause;
use crate::qos::Traffic;

/// A connection on one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A link has not so much rate left.
    #[error("{0}")]
    Rate(String),
    /// A table or buffer is full.
    #[error("{0}")]
    Full(String),
    /// The switch cannot do it now.
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    /// The cause with which a call is refused for it (ITU-T Q.850).
    #[must_use]
    pub const fn cause(&self) -> Cause {
        match self {
            Refusal::Rate(_) => Cause::UserCellRateNotAvailable,
            Refusal::Full(_) => Cause::ResourcesUnavailable,
            Refusal::Failed(_) => Cause::TemporaryFailure,
        }
    }
}

/// A message between daemon and node, one packet each. What is no PDU is JSON.
#[cfg(feature = "std")]
pub mod packet {
    use super::{Deserialize, Op, OpId, Refusal, Serialize, String, Vec};
    use crate::daemon::Configuration;
    use crate::daemon::view::View;

    /// Most octets of a packet.
    pub const OCTETS: usize = 256 * 1024;
    /// Operations in a packet, at most.
    pub const OPS: usize = 256;
    const PDU: u8 = b'P';
    const HEADER: usize = 4;

    /// What the node says.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ToDaemon {
        /// What to be; sent once, first.
        Start(Configuration),
        /// What became of operations.
        Switched(Vec<(OpId, Result<(), Refusal>)>),
        /// Asked for a view; answered with the same number.
        Show {
            /// Names the answer.
            id: u64,
            /// The calls behind this one.
            after: u64,
        },
        /// A call is released by an operator; answered with the same number.
        Release {
            /// Names the answer.
            id: u64,
            /// The call, as a view has it.
            call: u64,
        },
        /// A route is added, or taken away; answered with the same number.
        Route {
            /// Names the answer.
            id: u64,
            /// Whether it goes.
            delete: bool,
            /// The route.
            route: crate::daemon::RouteConfiguration,
        },
    }

    /// What the daemon says.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ToNode {
        /// To be done, in order.
        Switch(Vec<Op>),
        /// A view.
        Shown(u64, alloc::boxed::Box<View>),
        /// What became of a route, or of a call that was to be released.
        Done(u64, Result<(), String>),
    }

    /// A packet, read.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Packet<M> {
        /// A PDU of label 1: the port, the virtual network, what stands behind the header.
        Pdu(u16, u8, Vec<u8>),
        /// Anything else.
        Message(M),
    }

    /// A packet with a PDU.
    #[must_use]
    pub fn pdu(port: u16, vn: u8, pdu: &[u8]) -> Vec<u8> {
        let [high, low] = port.to_be_bytes();
        let mut octets = alloc::vec![PDU, high, low, vn];
        octets.extend_from_slice(pdu);
        octets
    }

    /// A packet with anything else.
    #[must_use]
    pub fn message<M: Serialize>(message: &M) -> Vec<u8> {
        // The message types hold nothing that JSON cannot carry.
        serde_json::to_vec(message).unwrap_or_default()
    }

    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read<'a, M: Deserialize<'a>>(octets: &'a [u8]) -> Result<Packet<M>, serde_json::Error> {
        match octets {
            [PDU, high, low, vn, ..] => Ok(Packet::Pdu(
                u16::from_be_bytes([*high, *low]),
                *vn,
                octets.get(HEADER..).unwrap_or_default().to_vec(),
            )),
            _ => serde_json::from_slice(octets).map(Packet::Message),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn there_and_back() {
            let read = |octets: &[u8]| read::<ToDaemon>(octets).unwrap();
            assert_eq!(
                read(&pdu(0x1234, 5, b"abc")),
                Packet::Pdu(0x1234, 5, b"abc".to_vec())
            );
            let switched = ToDaemon::Switched(alloc::vec![
                (OpId(1), Ok(())),
                (OpId(2), Err(Refusal::Rate("no".into())))
            ]);
            assert_eq!(read(&message(&switched)), Packet::Message(switched));
            for nonsense in [&b""[..], b"P", b"P\0\0", b"{", b"\"show\""] {
                assert!(super::read::<ToDaemon>(nonsense).is_err());
            }
        }
    }
}
