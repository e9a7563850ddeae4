//! What is said on a guest's control channel, host side: one JSON object a line.
//!
//! A guest's lines are claims: anything else than the few known messages is an error to report,
//! never to act on.

use std::hash::{BuildHasher as _, RandomState};

use pinode_classifier::Vn;
use pinode_guest_runtime::control::{Config, FromGuest, ToGuest, VifConfig};

use crate::config::{NodeConfig, PiConfig, PihMode, PortMode};

/// Rounds without work after which a guest with a core of its own idles: about a millisecond of
/// looking, so that a frame within it finds the guest awake.
const ROUNDS_ON_OWN_CORE: u32 = 20_000;
/// A guest that shares its core lets go of it at once (docs/adr/0003-baton-read-from-the-rings.md).
const ROUNDS_ON_SHARED_CORE: u32 = 1;

/// The first line: what the guest is to be.
#[must_use]
pub fn config_line(node: &NodeConfig, pi: &PiConfig) -> String {
    let vifs = node
        .ports
        .iter()
        .enumerate()
        .map(|(index, port)| VifConfig {
            name: port.name.clone(),
            mac: mac_text(vif_mac(pi, index)),
            mtu: port.largest_pdu(),
            access: match port.mode {
                PortMode::Trunk => None,
                PortMode::Access { vn, .. } => Some(vn.get()),
            },
        });
    let (code, ethertype) = match pi.pih {
        PihMode::Keep => (Some(pi.code.get()), node.ethertype),
        PihMode::Strip { ethertype } => (None, ethertype),
    };
    line(&ToGuest::Config(Config {
        function: pi.function().to_owned(),
        vifs: vifs.collect(),
        vns: pi.vns.iter().map(Vn::get).collect(),
        code,
        ethertype,
        seed: unguessable(),
        pi: pi.config.clone(),
        idle_after_rounds: if node.guests_share_cores() {
            ROUNDS_ON_SHARED_CORE
        } else {
            ROUNDS_ON_OWN_CORE
        },
    }))
}

/// A number that nobody else knows: the standard library's own randomness.
fn unguessable() -> u64 {
    RandomState::new().hash_one(0u8)
}

/// A question that a living guest answers.
#[must_use]
pub fn ping_line(number: u64) -> String {
    line(&ToGuest::Ping(number))
}

/// A question to the guest's function, and its body back.
#[must_use]
pub fn request_line(id: u64, body: serde_json::Value) -> (String, serde_json::Value) {
    let message = ToGuest::Request { id, body };
    let line = line(&message);
    let ToGuest::Request { body, .. } = message else {
        return (line, serde_json::Value::Null);
    };
    (line, body)
}

/// What a guest said.
///
/// # Errors
///
/// The parser's message if the line is no known message.
pub fn read(line: &str) -> Result<FromGuest, serde_json::Error> {
    serde_json::from_str(line)
}

/// The MAC address of a guest's vif: locally administered, the same at each boot, and no other's: of
/// two PIs with one code each has virtual networks of its own.
#[must_use]
pub fn vif_mac(pi: &PiConfig, port: usize) -> [u8; 6] {
    let [high, low] = u16::try_from(port).unwrap_or(u16::MAX).to_be_bytes();
    let vn = pi.vns.first().map_or(0, Vn::get);
    [0x02, b'P', b'I', vn << 3 | pi.code.get(), high, low]
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

fn line(message: &ToGuest) -> String {
    // The message types hold nothing that JSON cannot carry.
    serde_json::to_string(message).unwrap_or_default()
}
