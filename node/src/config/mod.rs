//! The configuration of a node: `node.toml` in, types that cannot be wrong out.
//!
//! ```text
//! unit     quantities: 100us, 1Gbps, 32MiB
//! reader   a TOML tree key by key, with lines
//! node     the resolved types
//! port, pi the sections of the file; cpu what bounds a guest's share of a core
//! schedule whether a port's cycle holds, and what each PI demands; strict what NC and RT take,
//!          connections what these need of it
//! guest    what a guest is configured with, and router whether a router takes it
//! identity what tells the node from others in its guests' MAC addresses
//! problem  what is wrong, where, and what is allowed; all of it in one go
//! ```
//!
//! Nothing here opens an interface, a guest image or `/dev/kvm`: a configuration is right or wrong
//! by itself. What the machine lacks is found out by `run`; of the machine only its id is read.
//!
//! A PI needs a phase on every port that its guest can send on: on each trunk, and on the access
//! ports of that PI. A PI that should not send on a trunk has no way to say so; leave its port out.

mod connections;
mod cpu;
mod guest;
mod identity;
mod json;
mod level2;
mod node;
mod permanent;
mod pi;
mod port;
mod problem;
pub(crate) mod reader;
mod router;
mod schedule;
mod signaling;
#[cfg(test)]
mod signaling_tests;
mod strict;
mod unit;

#[cfg(test)]
mod level2_tests;
#[cfg(test)]
mod mistakes_tests;
#[cfg(test)]
mod router_tests;
#[cfg(test)]
mod tests;

use std::path::Path;

use pinode_classifier::{PiCode, VnSet};
use toml::de::DeTable;

pub use connections::{
    Held, admitted, bounds_at, only_signalling, promised, signalling_of, stream_problems,
    sure_tolerance_ns,
};
pub use cpu::{CpuClaim, CpuShare};
pub use identity::Identity;
pub use level2::{
    BUFFER, ContentConfig, DiffservConfig, Level2Config, PolicedBounds, PolicedConfig,
    StreamConfig, StreamsConfig, WeightedConfig, signalling_buffer,
};
pub use node::{
    Cpus, ETHERNET_HEADER, FCS, GuestImage, IdleMode, Isolation, NodeConfig, PhaseConfig, PiConfig,
    PihMode, Police, PortConfig, PortMode,
};
pub use permanent::place_of as permanent_place_of;
pub use pi::NOBODY;
pub use problem::{ConfigError, Problem};
pub(crate) use reader::check_name;
pub use schedule::{Demand, Needs, ScheduleError, schedule_problems};
pub use signaling::{RouteConfig, SignalingConfig, of as signaling_of, sockets_of};
pub use strict::StrictFlows;
pub use unit::{BitRate, Nanoseconds, Octets, UnitError};

pub(crate) use problem::Report;
use reader::{Item, Section};

use crate::dataplane::baton::{APART_MOST_NS, REST_NS};

/// IEEE local experimental EtherType 1.
const DEFAULT_ETHERTYPE: u16 = 0x88B5;
/// EtherTypes begin here; smaller values are lengths (IEEE 802.3-2018 3.2.6).
const SMALLEST_ETHERTYPE: u64 = 0x0600;
/// CPU_SETSIZE.
const MOST_CPUS: u64 = 1023;

/// Reads the configuration in the file `path`. `builtins` names the guest functions that come with
/// the node.
///
/// # Errors
///
/// Everything that is wrong with it, or why the file cannot be read.
pub fn load(path: &Path, builtins: &[&str]) -> Result<NodeConfig, ConfigError> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let directory = path.parent().unwrap_or(Path::new(""));
            parse(&file, directory, &text, builtins)
        }
        Err(error) => {
            let what = format!("cannot be read: {error}");
            let problems = vec![Problem {
                line: None,
                at: String::new(),
                what,
            }];
            Err(ConfigError { file, problems })
        }
    }
}

/// Reads the configuration `text`, which stood in `file`; paths in it are relative to `directory`.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(
    file: &str,
    directory: &Path,
    text: &str,
    builtins: &[&str],
) -> Result<NodeConfig, ConfigError> {
    let report = Report::new(text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let what = error.message().replace('\n', "; ");
        report.add(&error.span().unwrap_or(0..0), "", what);
    }
    // After a mistake in the syntax the tree has holes, which would be reported as missing keys.
    let config = if errors.is_empty() {
        read_node(Section::root(tree.get_ref(), &report), directory, builtins)
    } else {
        None
    };
    let problems = report.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError {
            file: file.to_owned(),
            problems,
        }),
    }
}

/// What a PI is to a port, as far as it could be read.
struct PiKey {
    name: String,
    code: Option<PiCode>,
    vns: Option<VnSet>,
    ethertype: Option<u16>,
    needs: Needs,
}

fn read_node(mut root: Section<'_, '_>, directory: &Path, builtins: &[&str]) -> Option<NodeConfig> {
    let head = root
        .required("node", "a table [node] with a name")
        .and_then(|item| item.section())
        .and_then(read_head);
    let isolation = head.as_ref().map(|head| head.isolation);

    let pi_item = root.required("pi", "a table [pi.NAME] for each Parallel Internet");
    let (keys, pis) = pi_item
        .as_ref()
        .and_then(Item::section)
        .map(|section| pi::read_all(section, directory, builtins, isolation))
        .unwrap_or_default();

    let ports = root
        .required("port", "a table [[port]] for each port")
        .and_then(|item| {
            port::read_all(&item, directory, head.as_ref().map(|h| h.ethertype), &keys)
        });
    root.finish();

    let (head, ports) = (head?, ports?);
    let config = NodeConfig {
        ports: ports.into_iter().collect::<Option<_>>()?,
        pis: pis?,
        ..head
    };
    let pi_item = pi_item?;
    check_bursts(&config, &pi_item);
    check_needs(&config, &pi_item);
    level2::check(&config, &pi_item);
    check_patches(&config, &pi_item);
    router::check(&config, &pi_item);
    signaling::check(&config, &pi_item);
    Some(config)
}

/// A guest has a vif on each port, and a patch is cables between two each.
fn check_patches(config: &NodeConfig, pis: &Item<'_, '_>) {
    let are = match config.ports.len() {
        even if even.is_multiple_of(2) => return,
        1 => "1 is".to_owned(),
        several => format!("{several} are"),
    };
    for pi in &config.pis {
        if matches!(&pi.guest, GuestImage::Builtin(name) if name == "patch") {
            let what = format!("\"{}\" joins ports in pairs; {are} configured", pi.guest);
            pis.problem_below(&[&pi.name, "guest"], what);
        }
    }
}

/// A policer that a largest frame never passes is a mistake, not a policy.
fn check_bursts(config: &NodeConfig, pis: &Item<'_, '_>) {
    let largest = config
        .ports
        .iter()
        .map(PortConfig::largest_frame)
        .max()
        .unwrap_or(0);
    for pi in &config.pis {
        if let Some(police) = pi.police
            && police.burst < u64::from(largest)
        {
            pis.problem_below(
                &[&pi.name, "police", "burst"],
                format!(
                    "{} is not allowed: the largest frame of {largest} octets could never pass; \
                     allowed: {largest}B or more",
                    Octets(police.burst)
                ),
            );
        }
    }
}

/// What a PI asks for has to have a meaning on some port at least.
fn check_needs(config: &NodeConfig, pis: &Item<'_, '_>) {
    let most = config.ports.iter().map(|port| port.mtu).max().unwrap_or(0);
    for pi in &config.pis {
        if let Some(sdu) = pi.needs.max_sdu
            && sdu > most
        {
            pis.problem_below(
                &[&pi.name, "max_sdu"],
                format!("{sdu} is more than any port's mtu; allowed: 46 to {most}"),
            );
        }
        let largest = config.ports.iter().map(|p| p.largest_frame_of(pi.needs));
        if let (Some(demand), Some(largest)) = (pi.needs.demand, largest.max())
            && demand.size > largest
        {
            pis.problem_below(
                &[&pi.name, "demand", "size"],
                format!(
                    "{} is more than its largest frame of {largest} octets; allowed: 64 to {largest}",
                    demand.size
                ),
            );
        }
    }
}

/// `[node]`; ports and PIs are still empty.
fn read_head(mut section: Section<'_, '_>) -> Option<NodeConfig> {
    let name = section
        .required("name", "a name, such as \"n1\"")
        .and_then(|item| item.name());
    let ethertype = match section.optional("ethertype") {
        Some(item) => read_ethertype(&item),
        None => Some(DEFAULT_ETHERTYPE),
    };
    let isolation = match section.optional("isolation") {
        Some(item) => item.one_of(&[("kvm", Isolation::Kvm), ("thread", Isolation::Thread)]),
        None => Some(Isolation::Kvm),
    };
    let workers = match section.optional("workers") {
        Some(item) => read_workers(&item),
        None => Some(1),
    };
    let idle = match section.optional("idle") {
        Some(item) => item.one_of(&[("sleep", IdleMode::Sleep), ("poll", IdleMode::Poll)]),
        None => Some(IdleMode::Sleep),
    };
    let wake_interval_ns = match section.optional("wake_interval") {
        Some(item) => read_wake_interval(&item).map(Some),
        None => Some(None),
    };
    let cpus = match section.optional("cpus") {
        Some(item) => item.section().and_then(|cpus| read_cpus(cpus, workers)),
        None => Some(Cpus::default()),
    };
    let identity = match section.optional("identity") {
        Some(item) => item.name().map(|text| Identity::of(&text)),
        None => name
            .as_ref()
            .map(|name| Identity::of_node(identity::machine(), name)),
    };
    section.finish();
    Some(NodeConfig {
        name: name?,
        identity: identity?,
        ethertype: ethertype?,
        isolation: isolation?,
        workers: workers?,
        idle: idle?,
        wake_interval_ns: wake_interval_ns?,
        cpus: cpus?,
        ports: Vec::new(),
        pis: Vec::new(),
    })
}

fn read_ethertype(item: &Item<'_, '_>) -> Option<u16> {
    let value = item.integer(SMALLEST_ETHERTYPE..=u64::from(u16::MAX))?;
    u16::try_from(value).ok()
}

fn read_wake_interval(item: &Item<'_, '_>) -> Option<u64> {
    let Nanoseconds(interval) = item.parsed()?;
    if !(REST_NS..=APART_MOST_NS).contains(&interval) {
        item.problem(format!(
            "{} is not allowed; allowed: {} to {}",
            Nanoseconds(interval),
            Nanoseconds(REST_NS),
            Nanoseconds(APART_MOST_NS)
        ));
        return None;
    }
    Some(interval)
}

fn read_workers(item: &Item<'_, '_>) -> Option<u16> {
    item.integer(1..=64).and_then(|n| u16::try_from(n).ok())
}

fn read_cpus(mut section: Section<'_, '_>, workers: Option<u16>) -> Option<Cpus> {
    let item = section.optional("workers");
    let pinned = item.as_ref().map_or(Some(Vec::new()), read_cpu_list);
    if let (Some(item), Some(pinned), Some(workers)) = (&item, &pinned, workers)
        && pinned.len() != usize::from(workers)
    {
        item.problem(format!(
            "names {} CPUs; allowed: one for each of {workers}",
            pinned.len()
        ));
    }
    let guests = section
        .optional("guests")
        .as_ref()
        .map_or(Some(Vec::new()), read_cpu_list);
    section.finish();
    Some(Cpus {
        workers: pinned?,
        guests: guests?,
    })
}

pub(crate) fn read_cpu_list(item: &Item<'_, '_>) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for element in item.elements()? {
        let cpu = usize::try_from(element.integer(0..=MOST_CPUS)?).ok()?;
        if cpus.contains(&cpu) {
            element.problem(format!("CPU {cpu} is named twice"));
            return None;
        }
        cpus.push(cpu);
    }
    Some(cpus)
}
