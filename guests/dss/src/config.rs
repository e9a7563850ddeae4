//! What `pi.NAME.config` of node.toml says, and what is told of the node's ports.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_guest_runtime::Config;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::control::Mac;

/// Virtual networks there are: five bits of the PIH.
pub(crate) const VNS: usize = 32;
/// Ports there are at most: a node has no more.
pub(crate) const PORTS: usize = 32;
/// Octets of the header that a PDU of this PI begins with.
pub(crate) const HEADER_OCTETS: usize = 8;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    connections: u32,
    punted: u32,
    sockets: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            connections: 16_384,
            punted: 64,
            sockets: 64,
        }
    }
}

/// A port of the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortConfig {
    /// Its own station.
    pub mac: Mac,
    /// Largest PDU, octets: header and payload.
    pub mtu: u16,
    /// Virtual networks carried, a bit each.
    pub vns: u32,
}

/// A configuration that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Most connections, each way one.
    pub connections: u32,
    /// Most PDUs of signalling that wait at a port, each way.
    pub punted: u32,
    /// Most sockets: those that call, those that listen, and the calls that these accept.
    pub sockets: u32,
    /// The ports, in order.
    pub ports: Vec<PortConfig>,
    /// Virtual networks carried, the lowest first.
    pub vns: Vec<u8>,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A key that is not known, or holds what it cannot.
    #[error("{0}; keys are connections, punted and sockets, all of them numbers")]
    Key(String),
    /// A number that is too low or too high.
    #[error("{key}: {value} is out of range; allowed: {least} to {most}")]
    Range {
        /// Where.
        key: &'static str,
        /// What it is.
        value: u32,
        /// What is allowed at least.
        least: u32,
        /// What is allowed at most.
        most: u32,
    },
    /// The ports cannot be so.
    #[error("{given} ports; allowed: 1 to {PORTS}")]
    Ports {
        /// How many there are.
        given: usize,
    },
    /// A port whose address is none of a station's.
    #[error("port {port}: {what}")]
    Mac {
        /// Its name.
        port: String,
        /// What is wrong with it.
        what: String,
    },
    /// A virtual network that cannot be.
    #[error("virtual network {vn} is out of range; allowed: 0 to 31")]
    Vn {
        /// The network.
        vn: u8,
    },
    /// Without a PIH nothing says which network a frame is of.
    #[error("pih = \"strip\": {given} virtual networks are carried; allowed: one")]
    Strip {
        /// How many there are.
        given: usize,
    },
}

impl Configuration {
    /// Most connections that can be configured, and most labels of a port and network.
    pub const MOST_CONNECTIONS: u32 = 1 << 20;
    /// Most PDUs that can wait at a port.
    pub const MOST_PUNTED: u32 = 1024;
    /// Most sockets that can be configured.
    pub const MOST_SOCKETS: u32 = 4096;

    /// Reads `config`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        let settings = match &config.pi {
            Value::Null => Settings::default(),
            given => {
                Settings::deserialize(given).map_err(|error| ConfigError::Key(error.to_string()))?
            }
        };
        in_range("connections", settings.connections, Self::MOST_CONNECTIONS)?;
        in_range("punted", settings.punted, Self::MOST_PUNTED)?;
        in_range("sockets", settings.sockets, Self::MOST_SOCKETS)?;
        let given = config.vifs.len();
        if !(1..=PORTS).contains(&given) {
            return Err(ConfigError::Ports { given });
        }
        let mut vns = config.vns.clone();
        vns.sort_unstable();
        vns.dedup();
        if let Some(vn) = vns.iter().copied().find(|vn| usize::from(*vn) >= VNS) {
            return Err(ConfigError::Vn { vn });
        }
        if config.code.is_none() && vns.len() != 1 {
            return Err(ConfigError::Strip { given: vns.len() });
        }
        let all = vns.iter().fold(0, |bits, vn| bits | 1u32 << vn);
        let port = |vif: &pinode_guest_runtime::VifConfig| {
            let wrong = |what| ConfigError::Mac {
                port: vif.name.clone(),
                what,
            };
            let mac: Mac = vif.mac.parse().map_err(wrong)?;
            if mac.is_group() {
                return Err(wrong(alloc::format!("{mac} is a group's address")));
            }
            let own = vif
                .access
                .map(|vn| 1u32.checked_shl(vn.into()).unwrap_or(0));
            Ok(PortConfig {
                mac,
                mtu: vif.mtu,
                vns: own.map_or(all, |own| own & all),
            })
        };
        Ok(Configuration {
            connections: settings.connections,
            punted: settings.punted,
            sockets: settings.sockets,
            ports: config.vifs.iter().map(port).collect::<Result<_, _>>()?,
            vns,
        })
    }
}

fn in_range(key: &'static str, value: u32, most: u32) -> Result<(), ConfigError> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Range {
        key,
        value,
        least: 1,
        most,
    })
}
