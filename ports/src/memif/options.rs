//! The string form of a memif port: `memif:SOCKET,role=slave,id=3,ring=2048,secret=...`.
//!
//! Parsed once into values that cannot be wrong. Must never print the secret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::message::SECRET_OCTETS;

/// Octets of a socket's path: `sun_path` less its zero (unix(7)).
const PATH_OCTETS: usize = 107;
/// Descriptors of a ring, allowed, as log2.
const LOG2_SMALLEST: u8 = 7;
const LOG2_LARGEST: u8 = 14;

/// Why a memif backend's string form says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemifError {
    /// No path, or one the kernel does not take.
    #[error(
        "the socket has {octets} octets; allowed: 1 to {PATH_OCTETS}, with @ in front for an abstract one"
    )]
    Socket {
        /// Octets given.
        octets: usize,
    },
    /// An option that there is not.
    #[error("unknown option {given:?}; allowed: role=master|slave, id=N, ring=N, secret=TEXT")]
    Option {
        /// What was written.
        given: String,
    },
    /// An option written twice.
    #[error("option {name} is there twice")]
    Twice {
        /// Its name.
        name: &'static str,
    },
    /// A value that the option does not take.
    #[error("{name}={given}: allowed is {allowed}")]
    Value {
        /// The option's name.
        name: &'static str,
        /// What was written.
        given: String,
        /// What may be written.
        allowed: &'static str,
    },
}

/// Which end of a memif connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemifRole {
    /// Listens on the socket and maps what the slave sends.
    Master,
    /// Connects, and brings the memory.
    Slave,
}

impl MemifRole {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
        }
    }
}

/// What both ends must know; zeros where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Secret(pub(super) [u8; SECRET_OCTETS]);

impl Secret {
    pub(super) fn is_none(&self) -> bool {
        self.0.iter().all(|octet| *octet == 0)
    }

    /// Takes as long for every wrong answer.
    pub(super) fn is(&self, given: &[u8; SECRET_OCTETS]) -> bool {
        let differ = self
            .0
            .iter()
            .zip(given)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        differ == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "none" } else { "***" })
    }
}

/// A memif interface: its socket, and how it is spoken to.
///
/// ```
/// use pinode_ports::{MemifRole, MemifSpec};
/// let spec: MemifSpec = "/run/pinode/west.sock,role=slave,ring=2048".parse()?;
/// assert_eq!((spec.role(), spec.ring()), (MemifRole::Slave, 2048));
/// assert_eq!(spec.to_string(), "/run/pinode/west.sock,role=slave,id=0,ring=2048");
/// assert!("/run/w.sock,ring=1000".parse::<MemifSpec>().is_err());
/// # Ok::<(), pinode_ports::MemifError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemifSpec {
    socket: PathBuf,
    is_abstract: bool,
    role: MemifRole,
    pub(super) id: u32,
    pub(super) log2_ring: u8,
    pub(super) secret: Secret,
}

impl MemifSpec {
    /// The socket's path, or its name where it [is abstract](Self::is_abstract).
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the socket has a name of its own instead of a path.
    #[must_use]
    pub fn is_abstract(&self) -> bool {
        self.is_abstract
    }

    /// Which end this is.
    #[must_use]
    pub fn role(&self) -> MemifRole {
        self.role
    }

    /// Descriptors: of a slave's rings, of the largest rings that a master takes.
    #[must_use]
    pub fn ring(&self) -> u16 {
        1 << self.log2_ring
    }

    /// Whether two ports cannot both have these: one socket, and the same role and id, or two masters.
    #[must_use]
    pub fn clashes_with(&self, other: &Self) -> bool {
        let same_socket = self.socket == other.socket && self.is_abstract == other.is_abstract;
        let masters = self.role == MemifRole::Master;
        same_socket && self.role == other.role && (masters || self.id == other.id)
    }

    /// The same with a path that is relative to `folder`.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        if !self.is_abstract {
            self.socket = folder.join(self.socket);
        }
        self
    }
}

impl FromStr for MemifSpec {
    type Err = MemifError;

    fn from_str(given: &str) -> Result<Self, MemifError> {
        let (socket, options) = given.split_once(',').unwrap_or((given, ""));
        let (name, is_abstract) = match socket.strip_prefix('@') {
            Some(name) => (name, true),
            None => (socket, false),
        };
        if name.is_empty() || socket.len() > PATH_OCTETS || name.contains('\0') {
            return Err(MemifError::Socket {
                octets: socket.len(),
            });
        }
        let (mut role, mut id, mut ring, mut secret) = (None, None, None, None);
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key {
                "role" => once(&mut role, "role", read_role(value)?)?,
                "id" => once(&mut id, "id", read_id(value)?)?,
                "ring" => once(&mut ring, "ring", read_ring(value)?)?,
                "secret" => once(&mut secret, "secret", read_secret(value)?)?,
                _ => {
                    return Err(MemifError::Option {
                        given: option.to_owned(),
                    });
                }
            }
        }
        Ok(Self {
            socket: PathBuf::from(name),
            is_abstract,
            role: role.unwrap_or(MemifRole::Master),
            id: id.unwrap_or(0),
            log2_ring: ring.unwrap_or(10),
            secret: secret.unwrap_or_default(),
        })
    }
}

fn once<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), MemifError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(MemifError::Twice { name }),
    }
}

fn wrong(name: &'static str, given: &str, allowed: &'static str) -> MemifError {
    MemifError::Value {
        name,
        given: given.to_owned(),
        allowed,
    }
}

fn read_role(value: &str) -> Result<MemifRole, MemifError> {
    match value {
        "master" => Ok(MemifRole::Master),
        "slave" => Ok(MemifRole::Slave),
        _ => Err(wrong("role", value, "master or slave")),
    }
}

fn read_id(value: &str) -> Result<u32, MemifError> {
    let number = value.parse();
    number.map_err(|_| wrong("id", value, "0 to 4294967295"))
}

fn read_ring(value: &str) -> Result<u8, MemifError> {
    let fits = |size: &u16| size.is_power_of_two();
    let log2 = value.parse().ok().filter(fits).map(u16::ilog2);
    log2.and_then(|log2| u8::try_from(log2).ok())
        .filter(|log2| (LOG2_SMALLEST..=LOG2_LARGEST).contains(log2))
        .ok_or_else(|| wrong("ring", value, "a power of two from 128 to 16384"))
}

fn read_secret(value: &str) -> Result<Secret, MemifError> {
    // Others keep the last octet of the field zero.
    if value.is_empty() || value.len() >= SECRET_OCTETS || value.contains('\0') {
        return Err(wrong("secret", "***", "1 to 23 octets"));
    }
    let mut secret = Secret::default();
    for (to, from) in secret.0.iter_mut().zip(value.bytes()) {
        *to = from;
    }
    Ok(secret)
}

impl fmt::Display for MemifSpec {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_abstract { "@" } else { "" };
        write!(
            f,
            "{mark}{},role={},id={},ring={}",
            self.socket.display(),
            self.role.as_str(),
            self.id,
            self.ring()
        )
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
