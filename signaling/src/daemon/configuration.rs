//! What a daemon is told when it starts.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::address::{Address, Prefix};
use crate::isp::Limits;
use crate::q2931::LAST_VN;
use crate::qos::Qos;
use crate::route::Routes;

/// Calls that a daemon has at most, unless it is told otherwise.
pub const CALLS: usize = 65_536;
/// Most CDVT of a connection, unless it is told otherwise, nanoseconds.
pub const CDVT_NS: u64 = 100_000_000;
/// Ranges of labels that nobody signals, at most: a packet has to hold them.
const LABEL_RANGES: usize = 2_048;
/// Applications that it speaks to at most, unless it is told otherwise.
pub const CLIENTS: usize = 1_024;

/// What a daemon speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The links.
    pub ports: Vec<PortConfiguration>,
    /// Virtual networks carried, 0 to 31.
    pub vns: Vec<u8>,
    /// Where addresses are reached.
    #[serde(default)]
    pub routes: Vec<RouteConfiguration>,
    /// The address of the host whose applications this daemon serves; they choose the last octet, the selector.
    /// None: a node, whose addresses are those that it listens on for its ports.
    #[serde(default)]
    pub host: Option<Address>,
    /// Whether there is a switch to set; none: connections end where this daemon is.
    #[serde(default)]
    pub switch: bool,
    /// Most cell delay variation tolerance that a connection may have, nanoseconds: buffers hold what comes early.
    #[serde(default = "cdvt")]
    pub cdvt_ns: u64,
    /// Most calls at once.
    #[serde(default = "calls")]
    pub calls: usize,
    /// Most sockets of an application.
    #[serde(default = "sockets")]
    pub sockets: usize,
    /// Most applications at once.
    #[serde(default = "clients")]
    pub clients: usize,
}

fn cdvt() -> u64 {
    CDVT_NS
}

fn calls() -> usize {
    CALLS
}

fn sockets() -> usize {
    Limits::default().sockets
}

fn clients() -> usize {
    CLIENTS
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortConfiguration {
    /// Its number: that of the node's port, or of the host's interface.
    pub number: u16,
    /// Its name.
    pub name: String,
    /// Whether the network begins here: what comes in is held to its peak rate.
    #[serde(default)]
    pub edge: bool,
    /// The one virtual network of a link whose frames do not name it: calls over it name network 0 then.
    #[serde(default)]
    pub vn: Option<u8>,
    /// Labels that connections have which nobody signals: neither side of the link gets them.
    #[serde(default)]
    pub labels: Vec<LabelRange>,
}

/// Labels of a network, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRange {
    /// The network.
    pub vn: u8,
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// Where addresses of a prefix are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfiguration {
    /// The addresses.
    pub prefix: Prefix,
    /// Number of the port.
    pub port: u16,
}

impl Default for Configuration {
    /// A node without links, in network 0.
    fn default() -> Self {
        Self {
            ports: Vec::new(),
            vns: alloc::vec![0],
            routes: Vec::new(),
            host: None,
            switch: false,
            cdvt_ns: CDVT_NS,
            calls: CALLS,
            sockets: sockets(),
            clients: CLIENTS,
        }
    }
}

impl Configuration {
    /// What an application may hold.
    pub(super) fn sockets(&self) -> Limits {
        Limits {
            sockets: self.sockets,
            ..Limits::default()
        }
    }

    /// Whether connections may vary as much as this one asks for.
    pub(super) fn carries(&self, qos: &Qos) -> bool {
        let mut ways = [qos.transmit, qos.receive].into_iter().flatten();
        ways.all(|traffic| traffic.cdvt_ns <= self.cdvt_ns)
    }

    /// Whether this is an address of the host's applications: all octets but the selector are the host's.
    pub(super) fn is_own(&self, address: &Address) -> bool {
        self.host.is_some_and(|host| {
            let Address([host @ .., _]) = host;
            let Address([asked @ .., _]) = address;
            host == *asked
        })
    }
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {what}")]
pub struct Problem {
    /// Where.
    pub place: String,
    /// What, and what is allowed.
    pub what: String,
}

impl Configuration {
    /// Its routes, if it can hold.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn check(&self) -> Result<Routes, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |place: String, what: String| problems.push(Problem { place, what });
        for (index, port) in self.ports.iter().enumerate() {
            if self.ports[..index]
                .iter()
                .any(|other| other.number == port.number)
            {
                let what = format!("number {} of {} is another's too", port.number, port.name);
                problem(format!("port[{index}]"), what);
            }
        }
        let ranges: usize = self.ports.iter().map(|port| port.labels.len()).sum();
        if ranges > LABEL_RANGES {
            let what = format!(
                "{ranges} ranges of labels that nobody signals; allowed: {LABEL_RANGES}, each of labels one behind \
                 the other"
            );
            problem("ports".into(), what);
        }
        if self.vns.is_empty() || self.vns.iter().any(|vn| *vn > LAST_VN) {
            let what = format!("needed: one virtual network at least, each 0 to {LAST_VN}");
            problem("vns".into(), what);
        }
        let mut routes = Routes::new();
        for (index, route) in self.routes.iter().enumerate() {
            let place = format!("route[{index}]");
            let port = self.ports.iter().find(|port| port.number == route.port);
            let Some(port) = port else {
                problem(place, format!("there is no port {}", route.port));
                continue;
            };
            if let Err(error) = routes.add(route.prefix, route.port) {
                problem(place, error.naming(&port.name));
            }
        }
        if problems.is_empty() {
            Ok(routes)
        } else {
            Err(problems)
        }
    }
}
