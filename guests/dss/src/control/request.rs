//! What is asked at run time, and the answers. Each fits a line of the control channel.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{IspRequest, Mac, Octets, SocketRequest, SocketView};

/// Most items of a request, as frames wait while it is done.
pub const MOST_ITEMS: usize = 256;
/// Most connections of a page.
pub const MOST_LISTED: u32 = 128;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Sets connections up; answered with [`Answer::Connected`].
    Connect {
        /// One after the other, [`MOST_ITEMS`] at most; the first that cannot be ends it, those before it stay done.
        /// One that is there already just so is done.
        items: Vec<Connection>,
    },
    /// Takes connections down; answered with [`Answer::Disconnected`].
    Disconnect {
        /// [`MOST_ITEMS`] at most.
        items: Vec<Key>,
    },
    /// Lists connections in the order of their keys, a page at a time; answered with [`Answer::Page`].
    List {
        /// Go on behind this: [`Answer::Page::next`] of the page before.
        #[serde(default)]
        after: Option<Key>,
        /// Most connections of the page; [`MOST_LISTED`] if more.
        most: u32,
    },
    /// What became of frames; answered with [`Answer::Counters`].
    Counters {},
    /// Sends link layer PDUs with label 1 (router alert); answered with [`Answer::Sent`].
    Send {
        /// The port that they leave by.
        port: u8,
        /// Their virtual network.
        vn: u8,
        /// What stands behind the PDU header, one frame each, in this order.
        pdus: Vec<Octets>,
    },
    /// Takes all connections down; answered with [`Answer::Cleared`] when none is left.
    Clear {},
    /// Sockets of the switch itself.
    Socket(SocketRequest),
    /// Messages of the signalling daemon for them; answered with [`Answer::Sockets`].
    Isp(IspRequest),
}

/// How frames of a connection come in: a virtual network of a port, and a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The port.
    pub port: u8,
    /// The virtual network, 0 to 31.
    pub vn: u8,
    /// The label, 16 to 1,048,575.
    pub label: u32,
}

/// One way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The port that its frames come in by.
    pub port: u8,
    /// Their virtual network, which they leave by too.
    pub vn: u8,
    /// The label that they come with.
    pub label: u32,
    /// The port that they leave by.
    pub to_port: u8,
    /// The label that they leave with.
    pub to_label: u32,
    /// Peak rate, bits a second on the wire (preamble, gap and FCS count); none: as much as goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_bps: Option<u64>,
    /// tau of GCRA(T, tau), nanoseconds: how much earlier than its rate alone would have it a frame may come. What
    /// wait there is before the switch counts: a guest that sleeps finds frames closer together than they came.
    #[serde(default)]
    pub tolerance_ns: u64,
    /// Whether frames that do not conform are dropped here; needs a rate.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub police: bool,
}

impl Connection {
    /// How its frames come in.
    #[must_use]
    pub const fn key(&self) -> Key {
        Key {
            port: self.port,
            vn: self.vn,
            label: self.label,
        }
    }
}

/// What is in the way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The connection itself: a port, virtual network, label or rate that cannot be.
    Invalid,
    /// Another one with this key.
    Taken,
    /// There is no room for more.
    Full,
    /// All connections are being taken down.
    Clearing,
}

/// What became of the frames of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Went on.
    pub frames: u64,
    /// Octets of them, with FCS.
    pub octets: u64,
    /// Dropped by its policer.
    pub policed: u64,
    /// Frames that their sequence numbers say are missing (RFC 4385 4.2).
    pub gaps: u64,
    /// Frames that came twice, or behind one that was sent later.
    pub repeats: u64,
}

/// A connection and what became of its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What was asked for.
    pub connection: Connection,
    /// Since it was set up.
    pub counts: Counts,
}

/// What became of frames at a port. `received` = `switched` + `punted` + all of `dropped`, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortCounters {
    /// Came in.
    pub received: u64,
    /// Of these, went on, whichever way.
    pub switched: u64,
    /// Of these, were signalling and were taken for the host.
    pub punted: u64,
    /// Of these, were dropped, by cause; those of 0 are left out.
    pub dropped: BTreeMap<String, u64>,
    /// Frames of connections that left by this port.
    pub sent: u64,
    /// Link layer PDUs of the host that left by this port.
    pub injected: u64,
    /// Those of the host that wait.
    pub waiting: u32,
    /// PDUs taken for the host that it was not told of yet.
    pub untold: u32,
    /// The station at the other end, as signalling that came in had it.
    pub peer: Option<Mac>,
}

/// What there is in all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Connections that are set up.
    pub connections: u32,
    /// As many there may be.
    pub connections_most: u32,
    /// Blocks of 1,024 labels that are in use.
    pub blocks: u32,
    /// As many there may be.
    pub blocks_most: u32,
    /// By port.
    pub ports: Vec<PortCounters>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// See [`Request::Connect`].
    Connected {
        /// So many items were done.
        done: u32,
        /// Why the next one was not.
        #[serde(default)]
        error: Option<String>,
        /// Of which kind that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<Kind>,
    },
    /// See [`Request::Disconnect`].
    Disconnected {
        /// What became of the frames of each; none: there was no such connection.
        counts: Vec<Option<Counts>>,
    },
    /// See [`Request::List`].
    Page {
        /// In the order of their keys.
        connections: Vec<Held>,
        /// Where the next page begins; none: this was the last. A page may be empty and not the last.
        #[serde(default)]
        next: Option<Key>,
    },
    /// See [`Request::Counters`].
    Counters(Counters),
    /// See [`Request::Send`].
    Sent {
        /// So many of the PDUs, the first ones, were taken; there is no room for the others yet.
        taken: u32,
    },
    /// See [`Request::Clear`].
    Cleared {},
    /// See [`SocketRequest::Start`].
    Started {},
    /// A socket as it is now.
    Socket(SocketView),
    /// Sockets, each as it is now.
    Sockets(Vec<SocketView>),
    /// Nothing was done, as too many messages for the daemon wait: to be asked again once some of them were heard.
    Later {},
}
