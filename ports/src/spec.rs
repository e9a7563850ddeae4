//! The string form of a port's backend, parsed once.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::SpecError;
use crate::memif::MemifSpec;

/// Name of a network interface, as the kernel accepts it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InterfaceName {
    type Err = SpecError;

    fn from_str(given: &str) -> Result<Self, SpecError> {
        let refused = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        let dots = given == "." || given == "..";
        // IFNAMSIZ counts the terminating zero.
        if given.is_empty() || given.len() >= libc::IFNAMSIZ || dots || given.contains(refused) {
            return Err(SpecError::InterfaceName {
                given: given.to_owned(),
            });
        }
        Ok(Self(given.to_owned()))
    }
}

/// What carries the frames of a port.
///
/// ```
/// use pinode_ports::BackendSpec;
/// let spec: BackendSpec = "pcap:,out.pcap".parse()?;
/// assert_eq!(spec, BackendSpec::Pcap { input: None, output: Some("out.pcap".into()) });
/// assert_eq!(spec.to_string(), "pcap:,out.pcap");
/// assert!("ether:eth0".parse::<BackendSpec>().is_err());
/// # Ok::<(), pinode_ports::SpecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BackendSpec {
    /// `memory:NAME`: a cable to the other port of the node with this name.
    Memory {
        /// The cable's name.
        name: String,
    },
    /// `af_xdp:IF`
    AfXdp {
        /// The interface.
        interface: InterfaceName,
    },
    /// `af_packet:IF`
    AfPacket {
        /// The interface.
        interface: InterfaceName,
    },
    /// `tap:IF`: created where it does not exist.
    Tap {
        /// The interface.
        interface: InterfaceName,
    },
    /// `pcap:IN.pcap,OUT.pcap`: IN is replayed, OUT written. Either may be empty, not both.
    Pcap {
        /// Trace to replay; `None` receives nothing.
        input: Option<PathBuf>,
        /// Trace to write; `None` lets sent frames vanish.
        output: Option<PathBuf>,
    },
    /// `memif:SOCKET,role=master,id=0,ring=1024`: memory shared with another process.
    Memif(MemifSpec),
}

const MEMORY: &str = "memory:NAME";
const MEMIF: &str = "memif:SOCKET (then role=, id=, ring=, secret=, with commas)";
const PCAP: &str = "pcap:IN.pcap,OUT.pcap (one of them may be empty)";

impl FromStr for BackendSpec {
    type Err = SpecError;

    fn from_str(given: &str) -> Result<Self, SpecError> {
        let (kind, rest) = given.split_once(':').unwrap_or((given, ""));
        let incomplete = |what, form| SpecError::Incomplete {
            given: given.to_owned(),
            what,
            form,
        };
        let interface = |form| {
            if rest.is_empty() {
                return Err(incomplete("interface name", form));
            }
            rest.parse::<InterfaceName>()
        };
        match kind {
            "memory" if rest.is_empty() => Err(incomplete("cable name", MEMORY)),
            "memory" => Ok(Self::Memory {
                name: rest.to_owned(),
            }),
            "af_xdp" => Ok(Self::AfXdp {
                interface: interface("af_xdp:IF")?,
            }),
            "af_packet" => Ok(Self::AfPacket {
                interface: interface("af_packet:IF")?,
            }),
            "tap" => Ok(Self::Tap {
                interface: interface("tap:IF")?,
            }),
            "pcap" => {
                let Some((input, output)) = rest.split_once(',') else {
                    return Err(incomplete("comma between the two traces", PCAP));
                };
                let path = |side: &str| (!side.is_empty()).then(|| PathBuf::from(side));
                if input.is_empty() && output.is_empty() {
                    return Err(incomplete("traces", PCAP));
                }
                Ok(Self::Pcap {
                    input: path(input),
                    output: path(output),
                })
            }
            "memif" if rest.is_empty() => Err(incomplete("socket", MEMIF)),
            "memif" => Ok(Self::Memif(rest.parse()?)),
            _ => Err(SpecError::UnknownBackend {
                given: given.to_owned(),
            }),
        }
    }
}

impl fmt::Display for BackendSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { name } => write!(f, "memory:{name}"),
            Self::AfXdp { interface } => write!(f, "af_xdp:{interface}"),
            Self::AfPacket { interface } => write!(f, "af_packet:{interface}"),
            Self::Tap { interface } => write!(f, "tap:{interface}"),
            Self::Memif(spec) => write!(f, "memif:{spec}"),
            Self::Pcap { input, output } => {
                let side = |path: &Option<PathBuf>| {
                    path.as_ref()
                        .map(|p| p.display().to_string())
                        .unwrap_or_default()
                };
                write!(f, "pcap:{},{}", side(input), side(output))
            }
        }
    }
}

/// A port to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    /// What carries the frames.
    pub backend: BackendSpec,
    /// Largest payload behind the Ethernet header, octets.
    pub mtu: u16,
    /// Receive queues wanted, at least 1: one for each worker. A backend without queues has one.
    pub queues: usize,
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
