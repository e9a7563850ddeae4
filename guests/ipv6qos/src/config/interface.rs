//! What can be set of an interface.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::control::item::Mac;
use crate::neighbour::Advertise;
use crate::prefix::InterfaceAddress;

/// Settings of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceSettings {
    /// Its MAC address; the port's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Its addresses beside the link-local one.
    #[serde(default)]
    pub address: Vec<InterfaceAddress>,
    /// Octets of the largest IPv6 packet, 1280 to the port's; the port's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// Whether and what it advertises; if left out access ports with an address do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ra: Option<Advertise>,
    /// Whether addresses are used only once nobody else on the link was found to have them (RFC 4862 5.4).
    #[serde(default = "yes")]
    pub dad: bool,
}

fn yes() -> bool {
    true
}

impl Default for InterfaceSettings {
    fn default() -> Self {
        InterfaceSettings {
            mac: None,
            address: Vec::new(),
            mtu: None,
            ra: None,
            dad: true,
        }
    }
}
