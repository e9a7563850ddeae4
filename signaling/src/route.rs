//! Which port leads to an address: static routes by prefix, the longest one first.
//!
//! Must not know what ports there are, or whether they are up: several ports of a prefix are alternatives, and
//! the caller takes the first that will do.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use thiserror::Error;

use crate::address::{Address, BITS, Prefix};

/// Ports that a prefix may have.
pub const MOST_PORTS: usize = 16;

/// Routes by prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// By length and first bits: a look-up asks for each length once, however many routes there are.
    prefixes: BTreeMap<(u8, Address), Vec<u16>>,
}

/// A route of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// Addresses that it is for.
    pub prefix: Prefix,
    /// Ports, the preferred one first.
    pub ports: &'a [u16],
}

/// A change of routes that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RouteError {
    /// The prefix has that port already.
    #[error("{prefix} leads to port {port} already")]
    Exists {
        /// The prefix.
        prefix: Prefix,
        /// The port.
        port: u16,
    },
    /// The prefix has no such port.
    #[error("no route leads from {prefix} to port {port}")]
    Unknown {
        /// The prefix.
        prefix: Prefix,
        /// The port.
        port: u16,
    },
    /// The prefix has as many ports as it may.
    #[error("{prefix} leads to {MOST_PORTS} ports, which is all it may")]
    Full {
        /// The prefix.
        prefix: Prefix,
    },
}

fn key(prefix: &Prefix) -> (u8, Address) {
    (prefix.length(), prefix.address())
}

impl RouteError {
    /// The same, for people who know the port by its name.
    #[must_use]
    pub fn naming(&self, port: &str) -> alloc::string::String {
        match self {
            Self::Exists { prefix, .. } => alloc::format!("{prefix} leads to port {port} already"),
            Self::Unknown { prefix, .. } => {
                alloc::format!("no route leads from {prefix} to port {port}")
            }
            Self::Full { .. } => alloc::format!("{self}"),
        }
    }
}

impl Routes {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a port behind those that the prefix has.
    ///
    /// # Errors
    /// [`RouteError::Exists`], [`RouteError::Full`].
    pub fn add(&mut self, prefix: Prefix, port: u16) -> Result<(), RouteError> {
        let ports = self.prefixes.entry(key(&prefix)).or_default();
        if ports.contains(&port) {
            return Err(RouteError::Exists { prefix, port });
        }
        if ports.len() >= MOST_PORTS {
            return Err(RouteError::Full { prefix });
        }
        ports.push(port);
        Ok(())
    }

    /// Takes a port from a prefix.
    ///
    /// # Errors
    /// [`RouteError::Unknown`].
    pub fn delete(&mut self, prefix: Prefix, port: u16) -> Result<(), RouteError> {
        let unknown = RouteError::Unknown { prefix, port };
        let ports = self.prefixes.get_mut(&key(&prefix)).ok_or(unknown)?;
        let at = ports.iter().position(|&p| p == port).ok_or(unknown)?;
        ports.remove(at);
        if ports.is_empty() {
            self.prefixes.remove(&key(&prefix));
        }
        Ok(())
    }

    /// The ports of the longest prefix that the address begins with, the preferred one first; none if there is
    /// no such prefix. At most 161 questions to the table.
    #[must_use]
    pub fn lookup(&self, address: &Address) -> &[u16] {
        (0..=BITS)
            .rev()
            .filter_map(|length| Prefix::covering(address, length))
            .find_map(|prefix| self.prefixes.get(&key(&prefix)))
            .map_or(&[], Vec::as_slice)
    }

    /// All routes, the shortest first.
    pub fn list(&self) -> impl Iterator<Item = Route<'_>> {
        self.prefixes
            .iter()
            .filter_map(|(&(length, address), ports)| {
                Some(Route {
                    prefix: Prefix::new(address, length)?,
                    ports,
                })
            })
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
