//! `[[port]]`: a link, what it carries, and its cycle.

use std::path::{Path, PathBuf};

use pinode_ports::BackendSpec;
use pinode_scheduler::{MAX_CYCLE_NS, MAX_PHASES};

use super::node::{PhaseConfig, PortConfig, PortMode};
use super::pi::NOBODY;
use super::reader::{Item, Section};
use super::schedule::{Needs, read_base_time, schedule_problems};
use super::unit::{BitRate, Nanoseconds};
use super::{PiKey, read_ethertype};

const MOST_PORTS: usize = 32;
const MTU_DEFAULT: u64 = 1500;

/// All ports in the order of the file.
pub(super) fn read_all(
    item: &Item<'_, '_>,
    directory: &Path,
    trunk_ethertype: Option<u16>,
    pis: &[PiKey],
) -> Option<Vec<Option<PortConfig>>> {
    let elements = item.elements()?;
    if elements.is_empty() || elements.len() > MOST_PORTS {
        item.problem(format!(
            "there are {} ports; allowed: 1 to {MOST_PORTS}",
            elements.len()
        ));
    }
    let mut names = Vec::new();
    let mut ports: Vec<Option<PortConfig>> = Vec::new();
    for element in elements {
        let reader = PortReader {
            directory,
            trunk_ethertype,
            pis,
            names: &mut names,
            before: &ports,
        };
        let port = element.section().and_then(|section| reader.read(section));
        ports.push(port);
    }
    Some(ports)
}

struct PortReader<'a> {
    directory: &'a Path,
    trunk_ethertype: Option<u16>,
    pis: &'a [PiKey],
    names: &'a mut Vec<String>,
    before: &'a [Option<PortConfig>],
}

impl PortReader<'_> {
    fn read(mut self, mut section: Section<'_, '_>) -> Option<PortConfig> {
        let name = section.required("name", "a name, such as \"west\"");
        let name = name.and_then(|item| self.name(&item));
        if let Some(name) = &name {
            section.path = format!("port.{name}");
        }
        let backend = section
            .required(
                "backend",
                "memory:NAME, af_xdp:IF, af_packet:IF, tap:IF, memif:SOCKET or pcap:IN.pcap,OUT.pcap",
            )
            .and_then(|item| self.backend(&item));
        let mode = self.mode(&mut section);
        let capacity = section.required("capacity", "a rate, such as \"1Gbps\"");
        let capacity = capacity.and_then(|item| item.parsed::<BitRate>());
        let mtu = match section.optional("mtu") {
            Some(item) => item.integer(64..=9000),
            None => Some(MTU_DEFAULT),
        };
        let mtu = mtu.and_then(|mtu| u16::try_from(mtu).ok());
        let cycle = section.required("cycle", "a table [port.cycle] with phases");
        let cycle_at = cycle.as_ref().map(|item| item.span.clone());
        let cycle = cycle
            .and_then(|item| item.section())
            .and_then(|s| self.cycle(s));
        let config = build(name, backend, mode, capacity, mtu, cycle);
        if let (Some(config), Some(span)) = (&config, cycle_at) {
            self.check_cycle(&section, &span, config);
        }
        section.finish();
        config
    }

    fn name(&mut self, item: &Item<'_, '_>) -> Option<String> {
        let name = item.name()?;
        if self.names.contains(&name) {
            item.problem(format!("{name:?} is the name of another port already"));
        }
        self.names.push(name.clone());
        Some(name)
    }

    fn backend(&self, item: &Item<'_, '_>) -> Option<BackendSpec> {
        let backend = match item.parsed()? {
            BackendSpec::Pcap { input, output } => {
                let resolve = |path: PathBuf| self.directory.join(path);
                BackendSpec::Pcap {
                    input: input.map(resolve),
                    output: output.map(resolve),
                }
            }
            BackendSpec::Memif(memif) => BackendSpec::Memif(memif.in_folder(self.directory)),
            other => other,
        };
        let same = self
            .before
            .iter()
            .flatten()
            .filter(|port| clash(&port.backend, &backend));
        let taken: Vec<&str> = same.map(|port| port.name.as_str()).collect();
        let (ends, allowed) = match backend {
            BackendSpec::Memory { .. } => (2, "two ports of one memory name, a cable's ends"),
            BackendSpec::Pcap { .. } => (1, "a trace to write for each port"),
            BackendSpec::Memif(_) => (1, "a socket, or a slave of another id, for each port"),
            _ => (1, "an interface for each port"),
        };
        if taken.len() >= ends {
            let taken = taken.join(" and ");
            item.problem(format!(
                "is taken by port {taken} already; allowed: {allowed}"
            ));
        }
        Some(backend)
    }

    fn mode(&self, section: &mut Section<'_, '_>) -> Option<PortMode> {
        let word = section.required("mode", "\"trunk\" or \"access\"");
        let word = word.and_then(|item| item.one_of(&[("trunk", false), ("access", true)]));
        let (pi, vn) = (section.optional("pi"), section.optional("vn"));
        let ethertype = section.optional("ethertype");
        if !word? {
            for item in [pi, vn, ethertype].iter().flatten() {
                item.problem("is not allowed on a trunk; allowed: with mode = \"access\"");
            }
            return Some(PortMode::Trunk);
        }
        let Some(pi) = pi else {
            section.problem("is an access port without the key pi; needed: the PI it belongs to");
            return None;
        };
        let slot = self.slot(&pi)?;
        let key = self.pis.get(usize::from(slot))?;
        let number = match &vn {
            Some(item) => super::pi::read_vn(item)?,
            None => pinode_classifier::Vn::DEFAULT,
        };
        if let Some(vns) = key.vns.filter(|vns| !vns.contains(number)) {
            vn.as_ref().unwrap_or(&pi).problem(format!(
                "virtual network {number} is not one of PI {:?}; allowed: {vns}",
                key.name
            ));
        }
        let plain = match &ethertype {
            Some(item) => read_ethertype(item)?,
            None => key.ethertype.or_else(|| {
                // Without a code the PI has been reported already.
                key.code?;
                pi.problem(format!(
                    "{:?} has no EtherType of its own; needed: the key ethertype here or in pi.{}",
                    key.name, key.name
                ));
                None
            })?,
        };
        if self.trunk_ethertype == Some(plain) {
            ethertype.as_ref().unwrap_or(&pi).problem(format!(
                "{plain:#06X} is the EtherType of frames with PIH; allowed: another"
            ));
        }
        Some(PortMode::Access {
            slot,
            vn: number,
            ethertype: plain,
        })
    }

    /// The slot of a PI that is named.
    fn slot(&self, item: &Item<'_, '_>) -> Option<u8> {
        let name = item.str()?;
        let slot = self.pis.iter().position(|pi| pi.name == name);
        if slot.is_none() {
            item.problem(self.no_pi(name, &[]));
        }
        u8::try_from(slot?).ok()
    }

    fn no_pi(&self, name: &str, more: &[&str]) -> String {
        let names = self.pis.iter().map(|pi| pi.name.as_str());
        let allowed: Vec<&str> = names.chain(more.iter().copied()).collect();
        format!("there is no PI {name:?}; allowed: {}", allowed.join(", "))
    }

    fn cycle(&self, mut section: Section<'_, '_>) -> Option<CycleKeys> {
        let mut duration = |key| match section.optional(key) {
            Some(item) => item.parsed::<Nanoseconds>(),
            None => Some(Nanoseconds(0)),
        };
        let (guard, extension) = (duration("guard"), duration("extension"));
        let base_time = match section.optional("base_time") {
            Some(item) => read_base_time(&item),
            None => Some(0),
        };
        let phases = section.required("phases", "an array of { pi = \"NAME\", for = \"100us\" }");
        let phases = phases.and_then(|item| {
            let elements = item.elements()?;
            if elements.is_empty() || elements.len() > MAX_PHASES {
                let len = elements.len();
                item.problem(format!("has {len} phases; allowed: 1 to {MAX_PHASES}"));
                return None;
            }
            let read = |element: Item<'_, '_>| element.section().and_then(|s| self.phase(s));
            let phases: Vec<_> = elements.into_iter().map(read).collect();
            let phases: Vec<PhaseConfig> = phases.into_iter().collect::<Option<_>>()?;
            let cycle = phases
                .iter()
                .map(|phase| phase.duration_ns)
                .fold(0, u64::saturating_add);
            if cycle > MAX_CYCLE_NS {
                item.problem(format!(
                    "make a cycle of {}; allowed: at most {}",
                    Nanoseconds(cycle),
                    Nanoseconds(MAX_CYCLE_NS)
                ));
                return None;
            }
            Some(phases)
        });
        section.finish();
        Some(CycleKeys {
            guard_ns: guard?.0,
            base_tai_ns: base_time?,
            extension_ns: extension?.0,
            phases: phases?,
        })
    }

    fn phase(&self, mut section: Section<'_, '_>) -> Option<PhaseConfig> {
        let owner = section
            .required("pi", "the name of a PI, or \"none\"")
            .and_then(|item| {
                if item.str()? == NOBODY {
                    return Some(None);
                }
                let name = item.str()?;
                let slot = self.pis.iter().position(|pi| pi.name == name);
                if slot.is_none() {
                    item.problem(self.no_pi(name, &[NOBODY]));
                }
                Some(Some(u8::try_from(slot?).ok()?))
            });
        let duration = section
            .required("for", "a duration, such as \"100us\"")
            .and_then(|item| {
                let Nanoseconds(duration) = item.parsed()?;
                if duration == 0 {
                    item.problem(format!(
                        "{:?} is not allowed; allowed: more than 0",
                        item.str()?
                    ));
                    return None;
                }
                Some(duration)
            });
        section.finish();
        Some(PhaseConfig {
            owner: owner?,
            duration_ns: duration?,
        })
    }

    /// What only the whole port shows: each phase holds a largest frame, every guest that can
    /// send here has a phase, and what it demands.
    fn check_cycle(
        &self,
        section: &Section<'_, '_>,
        span: &std::ops::Range<usize>,
        port: &PortConfig,
    ) {
        let pis = self.pis.iter().map(|pi| (pi.name.as_str(), pi.needs));
        let pis: Vec<(&str, Needs)> = pis.collect();
        for what in schedule_problems(port, &pis) {
            section.problem_at(span, "cycle", what);
        }
    }
}

/// Whether two ports cannot both have these backends (two memory ports of a name can).
fn clash(a: &BackendSpec, b: &BackendSpec) -> bool {
    match (a, b) {
        (BackendSpec::Memory { name: a }, BackendSpec::Memory { name: b }) => a == b,
        (BackendSpec::Pcap { output: a, .. }, BackendSpec::Pcap { output: b, .. }) => {
            a.is_some() && a == b
        }
        // A master has its socket to itself; slaves of different ids may share one of another process.
        (BackendSpec::Memif(a), BackendSpec::Memif(b)) => a.clashes_with(b),
        _ => interface(a).is_some() && interface(a) == interface(b),
    }
}

fn interface(backend: &BackendSpec) -> Option<&str> {
    match backend {
        BackendSpec::AfXdp { interface }
        | BackendSpec::AfPacket { interface }
        | BackendSpec::Tap { interface } => Some(interface.as_str()),
        BackendSpec::Memory { .. } | BackendSpec::Pcap { .. } | BackendSpec::Memif(_) => None,
    }
}

/// `[port.cycle]`.
struct CycleKeys {
    guard_ns: u64,
    base_tai_ns: u64,
    extension_ns: u64,
    phases: Vec<PhaseConfig>,
}

fn build(
    name: Option<String>,
    backend: Option<BackendSpec>,
    mode: Option<PortMode>,
    capacity: Option<BitRate>,
    mtu: Option<u16>,
    cycle: Option<CycleKeys>,
) -> Option<PortConfig> {
    let CycleKeys {
        guard_ns,
        base_tai_ns,
        extension_ns,
        phases,
    } = cycle?;
    Some(PortConfig {
        name: name?,
        backend: backend?,
        mode: mode?,
        capacity_bps: capacity?.0,
        mtu: mtu?,
        guard_ns,
        base_tai_ns,
        extension_ns,
        phases,
    })
}
