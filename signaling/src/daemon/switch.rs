//! What a daemon asks of the switch whose links it speaks for, and is told by it.
//!
//! The switch of a node is its guest (where frames go) and its scheduler (at which rate). On a host there is none:
//! connections end there.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::labels::{LEAST, MOST};
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

/// What a socket of a switch itself stands for: labels of a port in one virtual network, for a device there that does not
/// signal. A call has one of them, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The port.
    pub port: u16,
    /// Virtual network.
    pub vn: u8,
    /// The first label.
    pub label: u32,
    /// How many labels, 1 to 1,024.
    pub labels: u16,
}

impl Span {
    /// Most labels.
    pub const MOST: u16 = 1_024;

    /// A place for one call.
    #[must_use]
    pub const fn one(place: Place) -> Self {
        Self {
            port: place.port,
            vn: place.vn,
            label: place.label,
            labels: 1,
        }
    }

    /// Its places, if all of its labels can be those of connections.
    #[must_use]
    pub fn places(self) -> Option<impl Iterator<Item = Place>> {
        let Self {
            port,
            vn,
            label,
            labels,
        } = self;
        let last = label.checked_add(u32::from(labels).checked_sub(1)?)?;
        let fits = labels <= Self::MOST && label >= LEAST && last <= MOST;
        fits.then_some((label..=last).map(move |label| Place { port, vn, label }))
    }

    /// Whether a label is of both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        let behind = |span: Self| u64::from(span.label) + u64::from(span.labels);
        (self.port, self.vn) == (other.port, other.vn)
            && u64::from(self.label) < behind(other)
            && u64::from(other.label) < behind(self)
    }
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
    use super::{Deserialize, Op, OpId, Refusal, Serialize, Span, String, Vec};
    use crate::daemon::Configuration;
    use crate::daemon::view::View;

    /// Most octets of a packet.
    pub const OCTETS: usize = 256 * 1024;
    /// Operations in a packet, at most.
    pub const OPS: usize = 256;
    const PDU: u8 = b'P';
    const HEADER: usize = 4;
    const ISP: u8 = b'I';
    const ISP_HEADER: usize = 18;

    /// What the node says.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ToDaemon {
        /// What to be; sent once, first.
        Start(Configuration),
        /// The switch's own sockets speak over this transport from now on, and over no other; none: they are gone.
        Guest(Option<u64>),
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
        /// The switch's own sockets have broken the protocol over this transport, which is not heard any more.
        Dropped {
            /// Its number.
            life: u64,
            /// Why.
            why: String,
        },
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
        /// A message of the internal signalling protocol, of or for a socket of the switch itself.
        Isp(Isp),
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

    /// A message on the transport of the switch's own sockets, which is the guest's control channel.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Isp {
        /// Number of the transport.
        pub life: u64,
        /// What the socket stands for that calls or listens; to the node none.
        pub at: Option<Span>,
        /// The message.
        pub octets: Vec<u8>,
    }

    /// A packet with such a message: octets 1 to 8 the transport, 9 and 10 the port, 11 the virtual network, 12 to 15
    /// the first label, 16 and 17 how many labels (0: it stands for nothing), the highest octet first; then the message.
    #[must_use]
    pub fn isp(isp: &Isp) -> Vec<u8> {
        let Span {
            port,
            vn,
            label,
            labels,
        } = isp.at.unwrap_or(Span {
            port: 0,
            vn: 0,
            label: 0,
            labels: 0,
        });
        let mut octets = alloc::vec![ISP];
        octets.extend(isp.life.to_be_bytes());
        octets.extend(port.to_be_bytes());
        octets.push(vn);
        octets.extend(label.to_be_bytes());
        octets.extend(labels.to_be_bytes());
        octets.extend_from_slice(&isp.octets);
        octets
    }

    fn read_isp(octets: &[u8; ISP_HEADER], message: &[u8]) -> Isp {
        let [_, life @ .., p1, p0, vn, l3, l2, l1, l0, n1, n0] = *octets;
        let at = Span {
            port: u16::from_be_bytes([p1, p0]),
            vn,
            label: u32::from_be_bytes([l3, l2, l1, l0]),
            labels: u16::from_be_bytes([n1, n0]),
        };
        Isp {
            life: u64::from_be_bytes(life),
            at: (at.labels > 0).then_some(at),
            octets: message.to_vec(),
        }
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
            [ISP, ..] if octets.len() >= ISP_HEADER => {
                let header = octets.first_chunk().copied().unwrap_or([0; ISP_HEADER]);
                let message = octets.get(ISP_HEADER..).unwrap_or_default();
                Ok(Packet::Isp(read_isp(&header, message)))
            }
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
            let span = Span {
                port: 0x0102,
                vn: 3,
                label: 0x0004_0506,
                labels: 0x0102,
            };
            for at in [None, Some(span)] {
                let said = Isp {
                    life: 0x0102_0304_0506_0708,
                    at,
                    octets: b"abc".to_vec(),
                };
                assert_eq!(read(&isp(&said)), Packet::Isp(said));
            }
            let nonsense: [&[u8]; 6] = [b"", b"P", b"P\0\0", b"{", b"\"show\"", &[b'I'; 17]];
            for nonsense in nonsense {
                assert!(super::read::<ToDaemon>(nonsense).is_err());
            }
        }
    }
}
