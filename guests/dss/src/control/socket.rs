//! Sockets of the switch: the socket side ("kernel") of the internal signalling protocol, for devices that do not signal.
//!
//! The host says which sockets there are to be and carries messages between them and the signalling daemon, octet for
//! octet as over a Unix socket ([`pinode_signaling::isp::layout`]). All sockets together are one transport, which has a
//! *life*: a number that the host chooses anew whenever daemon or switch begin anew, so that nothing said in one life is
//! heard in another.

use alloc::vec::Vec;

use pinode_signaling::daemon::switch::Span;
use pinode_signaling::{Address, Qos};
use serde::{Deserialize, Serialize};

use super::Octets;

/// Most messages of one request or event, as frames wait while they are heard.
pub const MOST_MESSAGES: usize = 32;
/// Most sockets of a page.
pub const MOST_SOCKETS: u32 = 64;

/// What is asked of sockets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SocketRequest {
    /// Begins another life: all sockets are forgotten, the daemon is not told. Answered with [`Answer::Started`].
    ///
    /// [`Answer::Started`]: super::Answer::Started
    Start {
        /// Its number, not 0.
        life: u64,
    },
    /// A socket that asks for a connection; answered with [`Answer::Socket`], as are all that follow but the last.
    ///
    /// [`Answer::Socket`]: super::Answer::Socket
    Open {
        /// The host's number of it, which no other has.
        socket: u32,
        /// The connection's place at a port: one label.
        at: Span,
        /// Who calls; null: nobody that could be called.
        local: Address,
        /// Who is called.
        called: Address,
        /// What is asked for, as the device sees it.
        qos: Qos,
    },
    /// A socket that listens, and accepts as many calls as it has labels.
    Listen {
        /// The host's number of it, which no other has.
        socket: u32,
        /// The places of its calls.
        at: Span,
        /// What it listens on.
        address: Address,
        /// The most that it takes, as the device sees it.
        qos: Qos,
    },
    /// A socket, and all calls that it accepted, are given up. What was asked of the daemon before is answered first.
    Close {
        /// Which.
        socket: u32,
    },
    /// Lists sockets by their numbers, a page at a time; answered with [`Answer::Sockets`].
    ///
    /// [`Answer::Sockets`]: super::Answer::Sockets
    List {
        /// Those behind this one.
        #[serde(default)]
        after: Option<u32>,
    },
}

/// Messages of the signalling daemon, in their order; answered with [`Answer::Sockets`]: those that are not as before.
///
/// [`Answer::Sockets`]: super::Answer::Sockets
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IspRequest {
    /// The life that they are of; those of another are not heard.
    pub life: u64,
    /// [`MOST_MESSAGES`] at most.
    pub messages: Vec<Octets>,
}

/// Messages for the signalling daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IspEvent {
    /// The life that they are of.
    pub life: u64,
    /// So many were said before in this life: another number means that some were lost.
    pub before: u64,
    /// In their order.
    pub messages: Vec<Said>,
}

/// A message for the signalling daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The place that its socket stands for, where it begins a call or listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// The message.
    pub octets: Octets,
}

/// How far a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketState {
    /// The daemon was asked for a connection.
    Connecting,
    /// It is there.
    Connected,
    /// The daemon was asked to send calls here.
    Registering,
    /// It does.
    Listening,
    /// It was given up; the daemon has not acknowledged that.
    Closing,
    /// It is no more; shown once.
    Ended,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketView {
    /// The host's number of it.
    pub socket: u32,
    /// How far it is.
    pub state: SocketState,
    /// What it stands for.
    pub at: Span,
    /// What was granted, once it is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<Qos>,
    /// Calls that it accepted and that are there.
    #[serde(default)]
    pub calls: u32,
    /// Why it has ended: an error code of the protocol; none: normally.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<i32>,
}
