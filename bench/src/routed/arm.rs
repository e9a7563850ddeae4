//! What is run: tables of the router, and the frames that go with them.

use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

use super::tables;
use super::traffic::{NEXT, ROUTER, Source, Variety};
use crate::stand::Stand;

/// Items of a request: few enough that no frame waits long.
const CHUNK: usize = 32;
const VIA: &str = "2001:db8:2::9";

/// What the router holds, and destinations of the frames if that is not what is said for all: a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// What the router holds.
    pub arm: Arm,
    /// Destinations.
    pub destinations: Option<usize>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arm.fmt(f)?;
        match self.destinations {
            Some(count) => write!(f, ", {count} destinations"),
            None => Ok(()),
        }
    }
}

/// What the router holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// So many routes.
    Routes(usize),
    /// One route and so many filter rules.
    Rules(usize),
    /// One route, one rule that tracks, and a power of two of flows.
    Flows(u32),
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arm::Routes(count) => write!(f, "{count} routes"),
            Arm::Rules(count) => write!(f, "{count} rules"),
            Arm::Flows(count) => write!(f, "{count} flows"),
        }
    }
}

impl Arm {
    fn prefixes(self) -> Vec<(u128, u8)> {
        match self {
            Arm::Routes(1) | Arm::Flows(_) => vec![(0x2a00 << 112, 16)],
            Arm::Routes(count) => tables::prefixes(count),
            Arm::Rules(count) => tables::prefixes(count),
        }
    }

    /// What its frames are, to so many destinations: of flows no more than there are flows.
    fn variety(self, destinations: usize) -> Variety {
        let (most, flows) = match self {
            Arm::Flows(count) => (count as usize, count),
            _ => (destinations, 1),
        };
        Variety {
            destinations: tables::destinations(&self.prefixes(), destinations.min(most)),
            flows,
        }
    }

    /// What is added to the router's tables once it runs.
    fn items(self) -> Vec<Value> {
        let one = json!({ "route": { "prefix": "default", "via": VIA } });
        match self {
            Arm::Routes(1) => vec![one],
            Arm::Routes(_) => tables::routes(&self.prefixes(), VIA),
            Arm::Rules(count) => {
                let mut items = tables::rules(&self.prefixes(), count);
                items.push(one);
                items
            }
            Arm::Flows(_) => vec![
                one,
                json!({ "filter": { "priority": 1, "match": { "protocol": "udp" }, "action": "track" } }),
            ],
        }
    }

    /// Limits with room for it, in node.toml's words.
    fn limits(self) -> String {
        match self {
            Arm::Routes(count) => format!("limits = {{ routes = {} }}\n", count + 1000),
            Arm::Rules(count) => format!("limits = {{ filter_rules = {count} }}\n"),
            // A hash table wants room.
            Arm::Flows(count) => format!(
                "filter = {{ flows = {{ limit = {} }} }}\n",
                count * 3 / 2 + 1000
            ),
        }
    }

    /// Octets of the tables that packets go to at random, at their smallest, as the floor's configuration has them:
    /// those of flows, groups of eight places in 16 octets and a line each (docs/adr/0019). Others stay in the caches.
    fn tables(self) -> String {
        match self {
            Arm::Flows(count) => {
                let places = u64::from(count) * 6 / 5 + 8;
                format!("[{}, {}]", places * 2 + 64, places * 64)
            }
            _ => "[]".to_owned(),
        }
    }

    fn memory(self) -> &'static str {
        match self {
            Arm::Routes(count) if count <= 1000 => "64MiB",
            Arm::Flows(count) if count > 1 << 16 => "512MiB",
            _ => "128MiB",
        }
    }
}

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Crossing {
    /// Octets of a frame, with FCS.
    pub size: u16,
    /// Descriptors of each ring.
    pub queue: u16,
    /// Host threads instead of virtual machines.
    pub threads: bool,
    /// Core of the worker, core of the guest.
    pub cpus: (usize, usize),
    /// Destinations of the frames, a power of two.
    pub destinations: usize,
}

/// What guest frames go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest<'a> {
    /// The plainest, `builtin:patch`.
    Patch,
    /// The least that one can do that looks into frames: an image's file.
    Floor(&'a Path),
    /// The router, with tables: the built-in one, or another image's file.
    Router(Option<&'a Path>),
}

fn toml(how: &Crossing, arm: Arm, guest: Guest<'_>) -> String {
    let isolation = if how.threads { "thread" } else { "kvm" };
    let (worker, core) = how.cpus;
    let mut toml = format!(
        "[node]\nname = \"bench\"\nisolation = \"{isolation}\"\ncpus = {{ workers = [{worker}], guests = [{core}] }}\n"
    );
    for port in ["west", "east"] {
        let _ = write!(
            toml,
            "[[port]]\nname = \"{port}\"\nbackend = \"memory:{port}\"\nmode = \"trunk\"\ncapacity = \"100Gbps\"\n\
             mtu = 1501\ncycle = {{ phases = [{{ pi = \"ipv6qos\", for = \"100us\" }}] }}\n"
        );
    }
    let image = match guest {
        Guest::Patch => "builtin:patch".to_owned(),
        Guest::Floor(file) | Guest::Router(Some(file)) => file.display().to_string(),
        Guest::Router(None) => "builtin:ipv6qos".to_owned(),
    };
    let _ = write!(
        toml,
        "[pi.ipv6qos]\ncode = 1\nguest = \"{image}\"\nqueue = {}\nmemory = \"{}\"\n",
        how.queue,
        arm.memory()
    );
    if let Guest::Floor(_) = guest {
        let _ = write!(toml, "[pi.ipv6qos.config]\ntables = {}\n", arm.tables());
    }
    if let Guest::Router(_) = guest {
        let mac = |mac: [u8; 6]| mac.map(|octet| format!("{octet:02x}")).join(":");
        let _ = write!(
            toml,
            "[pi.ipv6qos.config]\n{}neighbour = [{{ address = \"{VIA}\", dev = \"east\", lladdr = \"{}\" }}]\n\
             [pi.ipv6qos.config.interface]\n\
             west = {{ mac = \"{}\", address = [\"2001:db8:1::1/64\"] }}\n\
             east = {{ mac = \"02:00:00:01:02:01\", address = [\"2001:db8:2::1/64\"] }}\n",
            arm.limits(),
            mac(NEXT),
            mac(ROUTER),
        );
    }
    toml
}

/// Adds `items` to the router's tables.
fn load(stand: &Stand, items: &[Value]) -> anyhow::Result<()> {
    for chunk in items.chunks(CHUNK) {
        let request = json!({ "change": { "op": "add", "items": chunk } });
        let answer = stand.ask("ipv6qos", request)?;
        let error = &answer["changed"]["error"];
        ensure!(error.is_null(), "the router refuses an item: {error}");
    }
    Ok(())
}

/// Starts a node with `guest`; the router holds what `case` says.
///
/// # Errors
///
/// Whatever keeps the node from running, or the router from holding what it should.
pub fn start(how: &Crossing, case: Case, guest: Guest<'_>) -> anyhow::Result<Stand> {
    let arm = case.arm;
    let variety = arm.variety(case.destinations.unwrap_or(how.destinations));
    let source = |tally| Source::new(how.size, variety, tally);
    let stand = Stand::start(&toml(how, arm, guest), how.size, source)?;
    if let Guest::Router(_) = guest {
        load(&stand, &arm.items())?;
    }
    Ok(stand)
}

/// Looks whether the router knew the flows that `arm` wants, and forgets them.
///
/// # Errors
///
/// It did not: they were made while it was measured.
pub fn flows_were_there(stand: &Stand, arm: Arm) -> anyhow::Result<()> {
    let Arm::Flows(wanted) = arm else {
        return Ok(());
    };
    let request = json!({ "flush": { "what": "flow" } });
    let answer = stand.ask("ipv6qos", request)?;
    let flows = answer["flushed"].as_u64().unwrap_or(0);
    // At saturation some frames find no room: now and then the same flow's each time.
    ensure!(
        flows >= u64::from(wanted) / 100 * 99,
        "there are {flows} flows of {wanted}: --warm-up is too short"
    );
    Ok(())
}
