//! The demands file.
//!
//! Read as node.toml is: every mistake with its line and key, all of them at once, and an unknown key is one.

use std::path::Path;

use toml::de::DeTable;

use super::demands::{Cycles, Demands, PiDemand, PortDemand, Rate, Sizes};
use crate::config::reader::{Item, Section, check_name};
use crate::config::{
    BitRate, ConfigError, Isolation, Nanoseconds, Octets, Problem, Report, read_cpu_list,
};

/// The smallest frame of Ethernet and the largest that a port may have, octets with FCS.
const SIZES: std::ops::RangeInclusive<u64> = 64..=9018;
/// More frames a second than a link of 400 Gb/s carries.
const FRAMES_MOST: u64 = 1_000_000_000;
const MTU_DEFAULT: u64 = 1500;
/// What a port without launch time is told to keep free (docs/configuration.md).
const GUARD_DEFAULT_NS: u64 = 2_000;
/// Cycles looked at unless the file says otherwise.
const CYCLES: Cycles = Cycles {
    from_ns: 100_000,
    to_ns: 10_000_000,
    step_ns: 1_000,
    grain_ns: 1,
    slack: 1,
};
/// Most cycles that are looked at.
const CYCLES_MOST: u64 = 1_000_000;

/// Reads the demands in the file `path`.
///
/// # Errors
///
/// Everything that is wrong with it, or why the file cannot be read.
pub fn load(path: &Path) -> Result<Demands, ConfigError> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&file, &text),
        Err(error) => Err(ConfigError {
            file,
            problems: vec![Problem {
                line: None,
                at: String::new(),
                what: format!("cannot be read: {error}"),
            }],
        }),
    }
}

/// Reads the demands `text`, which stood in `file`.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Demands, ConfigError> {
    let report = Report::new(text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let what = error.message().replace('\n', "; ");
        report.add(&error.span().unwrap_or(0..0), "", what);
    }
    // After a mistake in the syntax the tree has holes, which would be reported as missing keys.
    let demands = match errors.is_empty() {
        true => read(Section::root(tree.get_ref(), &report)),
        false => None,
    };
    let problems = report.into_problems();
    match demands {
        Some(demands) if problems.is_empty() => Ok(demands),
        _ => Err(ConfigError {
            file: file.to_owned(),
            problems,
        }),
    }
}

fn read(mut root: Section<'_, '_>) -> Option<Demands> {
    let node = match root.optional("node") {
        Some(item) => item.section().and_then(read_node),
        None => Some(Node::default()),
    };
    let cycles = match root.optional("cycle") {
        Some(item) => item.section().and_then(read_cycles),
        None => Some(CYCLES),
    };
    let ports = root.required("port", "a table [[port]] for each link");
    let ports = ports.and_then(|item| read_ports(&item));
    let names: Vec<String> = ports
        .iter()
        .flatten()
        .map(|port| port.name.clone())
        .collect();
    let pis = root.required("pi", "a table [pi.NAME] for each Parallel Internet");
    let pis = pis.and_then(|item| read_pis(item.section()?, &names));
    root.finish();
    let node = node?;
    Some(Demands {
        name: node.name,
        isolation: node.isolation,
        cpus: node.cpus,
        worker_cap: node.worker_cap,
        stall_ns: node.stall_ns,
        cycles: cycles?,
        ports: ports?,
        pis: pis?,
    })
}

/// `[node]`.
struct Node {
    name: String,
    isolation: Isolation,
    cpus: Vec<usize>,
    worker_cap: Option<f64>,
    stall_ns: Option<u64>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            name: "n1".to_owned(),
            isolation: Isolation::Kvm,
            cpus: Vec::new(),
            worker_cap: None,
            stall_ns: None,
        }
    }
}

fn read_node(mut section: Section<'_, '_>) -> Option<Node> {
    let default = Node::default();
    let name = match section.optional("name") {
        Some(item) => item.name(),
        None => Some(default.name),
    };
    let isolation = match section.optional("isolation") {
        Some(item) => item.one_of(&[("kvm", Isolation::Kvm), ("thread", Isolation::Thread)]),
        None => Some(default.isolation),
    };
    let cpus = match section.optional("cpus") {
        Some(item) => read_cpu_list(&item),
        None => Some(default.cpus),
    };
    let worker_cap = read_cap(&mut section, "worker_cap");
    let stall = match section.optional("stall") {
        Some(item) => item.parsed::<Nanoseconds>().map(|stall| Some(stall.0)),
        None => Some(None),
    };
    section.finish();
    Some(Node {
        name: name?,
        isolation: isolation?,
        cpus: cpus?,
        worker_cap: worker_cap?,
        stall_ns: stall?,
    })
}

fn read_time(section: &mut Section<'_, '_>, key: &'static str, default: u64) -> Option<u64> {
    match section.optional(key) {
        Some(item) => item.parsed::<Nanoseconds>().map(|time| time.0),
        None => Some(default),
    }
}

/// A share of a CPU in whole percent.
fn read_cap(section: &mut Section<'_, '_>, key: &'static str) -> Option<Option<f64>> {
    match section.optional(key) {
        Some(item) => item.integer(1..=100).map(|percent| Some(percent as f64)),
        None => Some(None),
    }
}

fn read_cycles(mut section: Section<'_, '_>) -> Option<Cycles> {
    let exact = section.optional("is");
    let from = section.optional("from");
    let to = section.optional("to");
    let step = section.optional("step");
    let grain = section.optional("grain");
    let slack = match section.optional("slack") {
        Some(item) => item
            .integer(0..=100)
            .and_then(|slack| u8::try_from(slack).ok()),
        None => Some(CYCLES.slack),
    };
    let time = |item: Option<Item<'_, '_>>, default: u64| match item {
        Some(item) => {
            let Nanoseconds(found) = item.parsed()?;
            let allowed = 1..=pinode_scheduler::MAX_CYCLE_NS;
            if !allowed.contains(&found) {
                item.problem(format!(
                    "{} is not allowed; allowed: 1ns to {}",
                    Nanoseconds(found),
                    Nanoseconds(*allowed.end())
                ));
                return None;
            }
            Some(found)
        }
        None => Some(default),
    };
    if exact.is_some() {
        for item in [&from, &to, &step].into_iter().flatten() {
            item.problem("is not allowed beside is, which names the one cycle");
        }
    }
    let grain_ns = time(grain, CYCLES.grain_ns);
    let cycles = match exact {
        Some(item) => time(Some(item), 0).map(|only| (only, only, 1)),
        None => time(from, CYCLES.from_ns)
            .zip(time(to, CYCLES.to_ns))
            .zip(time(step, CYCLES.step_ns))
            .map(|((from, to), step)| (from, to, step)),
    };
    let (from_ns, to_ns, step_ns) = cycles?;
    if to_ns < from_ns {
        section.problem(format!(
            "goes from {} to {}; allowed: to not below from",
            Nanoseconds(from_ns),
            Nanoseconds(to_ns)
        ));
    } else if (to_ns - from_ns) / step_ns >= CYCLES_MOST {
        section.problem(format!(
            "has {} cycles; allowed: at most {CYCLES_MOST}, by a longer step",
            (to_ns - from_ns) / step_ns + 1
        ));
    }
    section.finish();
    Some(Cycles {
        from_ns,
        to_ns,
        step_ns,
        grain_ns: grain_ns?,
        slack: slack?,
    })
}

fn read_ports(item: &Item<'_, '_>) -> Option<Vec<PortDemand>> {
    const MOST: usize = 32;
    let elements = item.elements()?;
    if elements.is_empty() || elements.len() > MOST {
        let len = elements.len();
        item.problem(format!("there are {len} ports; allowed: 1 to {MOST}"));
        return None;
    }
    let mut ports: Vec<PortDemand> = Vec::new();
    let mut sound = true;
    for element in elements {
        match element.section().and_then(read_port) {
            Some(port) if ports.iter().any(|other| other.name == port.name) => {
                element.problem(format!(
                    "{:?} is the name of another port already",
                    port.name
                ));
            }
            Some(port) => ports.push(port),
            None => sound = false,
        }
    }
    sound.then_some(ports)
}

fn read_port(mut section: Section<'_, '_>) -> Option<PortDemand> {
    let name = section.required("name", "a name, such as \"west\"");
    let name = name.and_then(|item| item.name());
    let backend = match section.optional("backend") {
        Some(item) => item.str().map(str::to_owned),
        None => name.as_ref().map(|name| format!("memory:{name}")),
    };
    let capacity = section.required("capacity", "a rate, such as \"1Gbps\"");
    let capacity = capacity.and_then(|item| item.parsed::<BitRate>());
    let mtu = match section.optional("mtu") {
        Some(item) => item.integer(64..=9000),
        None => Some(MTU_DEFAULT),
    };
    let launch_time = match section.optional("launch_time") {
        Some(item) => item.boolean(),
        None => Some(false),
    };
    let guard = match launch_time {
        Some(true) => 0,
        _ => GUARD_DEFAULT_NS,
    };
    let guard = read_time(&mut section, "guard", guard);
    section.finish();
    Some(PortDemand {
        name: name?,
        backend: backend?,
        capacity_bps: capacity?.0,
        mtu: u16::try_from(mtu?).ok()?,
        guard_ns: guard?,
        launch_time: launch_time?,
    })
}

fn read_pis(mut section: Section<'_, '_>, ports: &[String]) -> Option<Vec<PiDemand>> {
    let entries = section.entries();
    let most = pinode_classifier::MAX_PIS;
    if entries.is_empty() || entries.len() > most {
        let len = entries.len();
        section.problem(format!("there are {len} PIs; allowed: 1 to {most}"));
        return None;
    }
    let mut pis = Some(Vec::new());
    for (name, item) in entries {
        if let Err(what) = check_name(name) {
            item.problem(what);
        }
        let pi = item
            .section()
            .and_then(|section| read_pi(name, section, ports));
        pis = pis.zip(pi).map(|(mut pis, pi)| {
            pis.push(pi);
            pis
        });
    }
    pis
}

fn read_pi(name: &str, mut section: Section<'_, '_>, ports: &[String]) -> Option<PiDemand> {
    let code = section.required("code", "1 to 7");
    let code = code.and_then(|item| u8::try_from(item.integer(1..=7)?).ok());
    let guest = section.required("guest", "\"builtin:NAME\" or the path of an ELF or bzImage");
    let guest = guest.and_then(|item| item.str().map(str::to_owned));
    let rate = read_rate(&mut section);
    let sizes = section.required(
        "sizes",
        "a size, a list of sizes, or { from = 79, to = 1518 }",
    );
    let sizes = sizes.and_then(|item| read_sizes(&item));
    let burst_item = section.optional("burst");
    let burst = match &burst_item {
        Some(item) => item.parsed::<Octets>().map(|burst| Some(burst.0)),
        None => Some(None),
    };
    if let (Some(item), Some(Some(burst)), Some(sizes)) = (&burst_item, burst, &sizes)
        && burst < u64::from(sizes.largest())
    {
        let largest = sizes.largest();
        item.problem(format!(
            "{} is not allowed: a frame of {largest} octets would be no burst; allowed: {largest}B or more",
            Octets(burst)
        ));
    }
    let delay = match section.optional("delay") {
        Some(item) => item.parsed::<Nanoseconds>().map(|delay| Some(delay.0)),
        None => Some(None),
    };
    let cpu_cap = read_cap(&mut section, "cpu_cap");
    let sends = match section.optional("ports") {
        Some(item) => read_port_names(&item, ports),
        None => Some(Vec::new()),
    };
    section.finish();
    let sizes = sizes?;
    Some(PiDemand {
        name: name.to_owned(),
        code: code?,
        guest: guest?,
        rate: rate?,
        burst: burst?.unwrap_or(u64::from(sizes.largest())),
        sizes,
        delay_ns: delay?,
        cpu_cap: cpu_cap?,
        ports: sends?,
    })
}

fn read_rate(section: &mut Section<'_, '_>) -> Option<Rate> {
    match (section.optional("rate"), section.optional("frames")) {
        (Some(_), Some(frames)) => {
            frames.problem("is not allowed beside rate; allowed: one of the two");
            None
        }
        (Some(rate), None) => rate.parsed::<BitRate>().map(|rate| Rate::Bits(rate.0)),
        (None, Some(frames)) => frames.integer(1..=FRAMES_MOST).map(Rate::Frames),
        (None, None) => {
            section
                .problem("has no rate; needed: rate = \"100Mbps\", or frames = 100000 (a second)");
            None
        }
    }
}

fn read_sizes(item: &Item<'_, '_>) -> Option<Sizes> {
    let size = |item: &Item<'_, '_>| {
        item.integer(SIZES)
            .and_then(|size| u32::try_from(size).ok())
    };
    if item.raw().is_array() {
        let mut sizes = Vec::new();
        for element in item.elements()? {
            sizes.push(size(&element)?);
        }
        sizes.sort_unstable();
        sizes.dedup();
        if sizes.is_empty() {
            item.problem("is empty; needed: one size at least");
            return None;
        }
        return Some(Sizes::List(sizes));
    }
    if !item.raw().is_table() {
        return size(item).map(|size| Sizes::List(vec![size]));
    }
    let mut section = item.section()?;
    let from = section.required("from", "the smallest size");
    let from = from.and_then(|item| size(&item));
    let to = section.required("to", "the largest size");
    let to = to.and_then(|item| size(&item));
    section.finish();
    let (from, to) = (from?, to?);
    if to < from {
        item.problem(format!(
            "goes from {from} to {to}; allowed: to not below from"
        ));
        return None;
    }
    Some(Sizes::Range(from, to))
}

fn read_port_names(item: &Item<'_, '_>, ports: &[String]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for element in item.elements()? {
        let name = element.str()?;
        if !ports.iter().any(|port| port == name) {
            let allowed = ports.join(", ");
            element.problem(format!("there is no port {name:?}; allowed: {allowed}"));
            return None;
        }
        names.push(name.to_owned());
    }
    if names.is_empty() {
        item.problem("is empty; needed: one port at least");
        return None;
    }
    Some(names)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
