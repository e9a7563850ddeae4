//! What is run: tables of the router, and the frames that go with them.

use std::fmt;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use pinode_node::config::{self, NodeConfig};
use pinode_node::control::Control as _;
use pinode_node::running::RunningNode;
use pinode_ports::{InlinePort, Port, slot_octets_for};
use serde_json::{Value, json};

use super::tables;
use super::traffic::{LOOK_NS, NEXT, ROUTER, Sink, Source, Tally, Variety};

const READY: Duration = Duration::from_secs(60);
/// Items of a request: few enough that no frame waits long.
const CHUNK: usize = 32;
/// After frames are offered again it takes a while until worker and guest are awake and rings are full.
const LEAD: Duration = Duration::from_nanos(LOOK_NS + 5_000_000);
/// After the last frame is offered, until rings are empty and worker and guest sleep.
const DRAIN: Duration = Duration::from_millis(5);
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

fn config(text: &str) -> anyhow::Result<NodeConfig> {
    let builtins = pinode_images::BUILTIN_NAMES;
    Ok(config::parse("bench.toml", Path::new(""), text, builtins)?)
}

/// Adds `items` to the router's tables.
fn load(node: &RunningNode, items: &[Value]) -> anyhow::Result<()> {
    for chunk in items.chunks(CHUNK) {
        let request = json!({ "change": { "op": "add", "items": chunk } });
        let answer = node.operator().guest_request("ipv6qos", request)?;
        let error = &answer["changed"]["error"];
        ensure!(error.is_null(), "the router refuses an item: {error}");
    }
    Ok(())
}

/// A node with one guest, and what its frames come from: idle until [`run`](Self::run).
pub struct Stand {
    node: RunningNode,
    tally: Arc<Tally>,
}

impl Stand {
    /// Starts a node with `guest`; the router holds what `case` says.
    ///
    /// # Errors
    ///
    /// Whatever keeps the node from running, or the router from holding what it should.
    pub fn start(how: &Crossing, case: Case, guest: Guest<'_>) -> anyhow::Result<Self> {
        let arm = case.arm;
        let config = config(&toml(how, arm, guest))?;
        let tally = Arc::new(Tally::default());
        let variety = arm.variety(case.destinations.unwrap_or(how.destinations));
        let source = Source::new(how.size, variety, Arc::clone(&tally));
        let sink = Sink::new(how.size, Arc::clone(&tally));
        let octets = slot_octets_for(1501);
        let ports: Vec<Vec<Box<dyn Port>>> = vec![
            vec![Box::new(InlinePort::new(source, octets))],
            vec![Box::new(InlinePort::new(sink, octets))],
        ];
        let node = RunningNode::start(config, ports)?;
        let stand = Stand { node, tally };
        stand
            .node
            .wait_ready(READY, || false)
            .context("the node is not ready")?;
        if let Guest::Router(_) = guest {
            load(&stand.node, &arm.items())?;
        }
        Ok(stand)
    }

    /// Offers frames at saturation for `span`; how many came out in it, a second.
    ///
    /// # Errors
    ///
    /// None came out.
    pub fn run(&self, span: Duration) -> anyhow::Result<f64> {
        self.tally.offer(true);
        std::thread::sleep(LEAD);
        let (began, before) = (Instant::now(), self.tally.crossed());
        std::thread::sleep(span);
        let crossed = self.tally.crossed() - before;
        let took = began.elapsed();
        self.tally.offer(false);
        std::thread::sleep(DRAIN);
        ensure!(
            crossed > 0,
            "nothing crossed of {} frames",
            self.tally.offered()
        );
        Ok(crossed as f64 / took.as_secs_f64())
    }

    /// Time that the guest has spent on frames, nanoseconds, and frames that it has taken, as it said last.
    ///
    /// # Errors
    ///
    /// The node does not answer, or the guest has said nothing yet.
    pub fn usage(&self) -> anyhow::Result<(u64, u64)> {
        let status = self.node.operator().status()?;
        let usage = status.guests.first().and_then(|guest| guest.usage.as_ref());
        let usage = usage.context("the guest has not said what it does")?;
        Ok((usage.busy_ns, usage.frames))
    }

    /// Looks whether the router knew the flows that `arm` wants, and forgets them.
    ///
    /// # Errors
    ///
    /// It did not: they were made while it was measured.
    pub fn flows_were_there(&self, arm: Arm) -> anyhow::Result<()> {
        let Arm::Flows(wanted) = arm else {
            return Ok(());
        };
        let request = json!({ "flush": { "what": "flow" } });
        let answer = self.node.operator().guest_request("ipv6qos", request)?;
        let flows = answer["flushed"].as_u64().unwrap_or(0);
        // At saturation some frames find no room: now and then the same flow's each time.
        ensure!(
            flows >= u64::from(wanted) / 100 * 99,
            "there are {flows} flows of {wanted}: --warm-up is too short"
        );
        Ok(())
    }

    /// Ends the node; with `PINODE_BENCH_STATUS` set, prints its status before.
    pub fn stop(self) {
        if std::env::var_os("PINODE_BENCH_STATUS").is_some()
            && let Ok(status) = self.node.operator().status()
        {
            eprintln!("{status:#?}");
        }
        self.node.stop();
    }
}
