//! What is run: connections of the switch, and the frames that go over them.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

use super::traffic::{FIRST, Source};
use crate::stand::Stand;

/// Octets of a cache line: what a switch has to keep of a connection.
const LINE: u64 = 64;
/// Connections of a request.
const CHUNK: usize = 256;
/// Peak rate of each, above all that there is: all conform.
const RATE_BPS: u64 = 1_000_000_000_000;

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
    /// Whether connections are policed.
    pub policed: bool,
    /// Whether frames are numbered. What finds no room at saturation is missing then.
    pub numbered: bool,
}

/// What frames go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest<'a> {
    /// The plainest, `builtin:patch`.
    Patch,
    /// The least that one can do that looks into frames, and keeps a line for each connection: an image's file.
    Floor(&'a Path),
    /// The switch: the built-in one, or another image's file.
    Switch(Option<&'a Path>),
}

fn toml(how: &Crossing, connections: u32, guest: Guest<'_>) -> String {
    let isolation = if how.threads { "thread" } else { "kvm" };
    let (worker, core) = how.cpus;
    let mut toml = format!(
        "[node]\nname = \"bench\"\nisolation = \"{isolation}\"\ncpus = {{ workers = [{worker}], guests = [{core}] }}\n"
    );
    for port in ["west", "east"] {
        let _ = write!(
            toml,
            "[[port]]\nname = \"{port}\"\nbackend = \"memory:{port}\"\nmode = \"trunk\"\ncapacity = \"100Gbps\"\n\
             mtu = 1501\ncycle = {{ phases = [{{ pi = \"dss\", for = \"100us\" }}] }}\n"
        );
    }
    let image = match guest {
        Guest::Patch => "builtin:patch".to_owned(),
        Guest::Floor(file) | Guest::Switch(Some(file)) => file.display().to_string(),
        Guest::Switch(None) => "builtin:dss".to_owned(),
    };
    let _ = write!(
        toml,
        "[pi.dss]\ncode = 3\nguest = \"{image}\"\nqueue = {}\nmemory = \"256MiB\"\n",
        how.queue
    );
    let _ = match guest {
        Guest::Patch => Ok(()),
        Guest::Floor(_) => {
            let octets = u64::from(connections) * LINE;
            write!(toml, "[pi.dss.config]\ntables = [{octets}]\n")
        }
        Guest::Switch(_) => write!(toml, "[pi.dss.config]\nconnections = {connections}\n"),
    };
    toml
}

/// Starts a node with `guest`; the switch has so many connections.
///
/// # Errors
///
/// Whatever keeps the node from running, or the switch from having them.
pub fn start(how: &Crossing, connections: u32, guest: Guest<'_>) -> anyhow::Result<Stand> {
    let source = |tally| Source::new(how.size, connections, how.numbered, tally);
    let stand = Stand::start(&toml(how, connections, guest), how.size, source)?;
    if let Guest::Switch(_) = guest {
        connect(&stand, connections, how.policed)?;
    }
    Ok(stand)
}

fn connect(stand: &Stand, connections: u32, policed: bool) -> anyhow::Result<()> {
    let item = |label: u32| {
        json!({
            "port": 0, "vn": 0, "label": label, "to_port": 1, "to_label": label,
            "rate_bps": RATE_BPS, "tolerance_ns": 1_000_000, "police": policed,
        })
    };
    let items: Vec<Value> = (FIRST..FIRST + connections).map(item).collect();
    for items in items.chunks(CHUNK) {
        let answer = stand.ask("dss", json!({ "connect": { "items": items } }))?;
        let error = &answer["connected"]["error"];
        ensure!(error.is_null(), "the switch refuses a connection: {error}");
    }
    Ok(())
}
