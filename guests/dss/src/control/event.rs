//! What a switch says unasked: signalling that came in, and what its sockets say.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{IspEvent, Mac, Octets};

/// Something that the host did not ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Link layer PDUs that came in with label 1 (router alert), the first first; of one port and virtual network in
    /// their order.
    Signalling(Vec<Punted>),
    /// Messages of its sockets for the signalling daemon.
    Isp(IspEvent),
}

/// A link layer PDU that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Punted {
    /// The port that it came in by.
    pub port: u8,
    /// Its virtual network.
    pub vn: u8,
    /// Who sent it: a claim.
    pub mac: Mac,
    /// What stood behind the PDU header of 8 octets; where its length field is 0, with what the link padded.
    pub pdu: Octets,
}
