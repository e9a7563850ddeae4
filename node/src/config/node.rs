//! A node's configuration after resolution: parsed once, cannot be wrong.
//!
//! What refers to a PI refers to its slot: its index in [`NodeConfig::pis`], 0 to 31.

use std::fmt;
use std::path::PathBuf;

use pinode_classifier::{PiCode, Vn, VnSet};
use pinode_ports::BackendSpec;
use pinode_scheduler::bounds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cpu::CpuShare;
use super::identity::Identity;
use super::level2::Level2Config;
use super::pi::NOBODY;
use super::schedule::Needs;
use super::signaling::SignalingConfig;
use crate::status::{GateStatus, PhaseEntry, PortPhases, Schedule};

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// Its name.
    pub name: String,
    /// What tells it from other nodes on its links.
    pub identity: Identity,
    /// The EtherType of frames with a PIH.
    pub ethertype: u16,
    /// How guest functions run.
    pub isolation: Isolation,
    /// Data-plane workers, 1 to 64: queue pairs of each vif, queues of a port that has several.
    pub workers: u16,
    /// What a worker does that has nothing to do.
    pub idle: IdleMode,
    /// Other programs run on the guests' CPUs: a guest is woken no oftener than this, nanoseconds.
    pub wake_interval_ns: Option<u64>,
    /// Where threads run.
    pub cpus: Cpus,
    /// 1 to 32, in the order of the file; a guest's vif i is that of port i.
    pub ports: Vec<PortConfig>,
    /// 1 to 32, in the order of the file; the index is the PI's slot.
    pub pis: Vec<PiConfig>,
}

impl NodeConfig {
    /// What PIs ask of the schedules, by slot.
    #[must_use]
    pub fn needs(&self) -> Vec<Needs> {
        self.pis.iter().map(|pi| pi.needs).collect()
    }

    /// The same with their names.
    #[must_use]
    pub fn named_needs(&self) -> Vec<(&str, Needs)> {
        let named = self.pis.iter().map(|pi| (pi.name.as_str(), pi.needs));
        named.collect()
    }

    /// The same for another schedule of `port` while the node runs: rates of strict classes that are left
    /// to be filled in are those of the schedule that it started with.
    #[must_use]
    pub fn needs_in_force(&self, port: &PortConfig) -> Vec<(&str, Needs)> {
        let started = port.schedule(&self.needs()).ok();
        let mut named = self.named_needs();
        for (slot, (_, needs)) in (0u8..).zip(&mut named) {
            let largest = port.largest_frame_of(*needs);
            let own = started.as_ref();
            let own = own.and_then(|cycle| bounds::of_pi(cycle, slot, largest));
            needs.diffserv = match own {
                Some(own) => needs.diffserv.map(|classes| classes.in_force(&own)),
                None => needs.diffserv,
            };
        }
        named
    }

    /// Phases by the names of their PIs.
    #[must_use]
    pub fn phase_entries(&self, phases: &[PhaseConfig]) -> Vec<PhaseEntry> {
        let name = |owner: Option<u8>| {
            let pi = owner.and_then(|slot| self.pis.get(usize::from(slot)));
            pi.map_or_else(|| NOBODY.to_owned(), |pi| pi.name.clone())
        };
        let entry = |phase: &PhaseConfig| PhaseEntry {
            pi: name(phase.owner),
            duration_ns: phase.duration_ns,
        };
        phases.iter().map(entry).collect()
    }

    /// The schedule of `port` as the configuration has it.
    #[must_use]
    pub fn port_phases(&self, port: &PortConfig) -> PortPhases {
        PortPhases {
            port: port.name.clone(),
            oper: Schedule {
                base_tai_ns: port.base_tai_ns,
                cycle_ns: port.cycle_ns(),
                guard_ns: port.guard_ns,
                extension_ns: port.extension_ns,
                phases: self.phase_entries(&port.phases),
            },
            admin: None,
            gates: self.gates(port),
        }
    }

    /// The gates of `port`, in the order of the bits of gate masks.
    #[must_use]
    pub fn gates(&self, port: &PortConfig) -> Vec<GateStatus> {
        let gate = |pi: &PiConfig| GateStatus {
            pi: pi.name.clone(),
            max_sdu: port.sdu_of(pi.needs),
            limited: port.sdu_of(pi.needs) < port.mtu,
        };
        self.pis.iter().map(gate).collect()
    }

    /// Whether vCPUs have to share cores, with each other or with what the node does not know of: then
    /// workers hand them the baton, else each is woken at once.
    #[must_use]
    pub fn guests_share_cores(&self) -> bool {
        self.guests_share(machine_cores())
    }

    /// Whether a worker has to share its core, with guests or with another worker: then it lets go
    /// of it as soon as there is nothing to do.
    #[must_use]
    pub fn workers_share_cores(&self) -> bool {
        self.workers_share(machine_cores())
    }

    /// The CPU that vCPU 0 of the guest in `slot` is pinned to, and those of its other vCPUs behind
    /// it: guests are dealt out over the CPUs, so that each has its own while there are enough.
    #[must_use]
    pub fn guest_cpus(&self, slot: usize) -> Vec<usize> {
        let mut cpus = self.cpus.guests.clone();
        let before: usize = self
            .pis
            .iter()
            .take(slot)
            .map(|pi| usize::from(pi.vcpus))
            .sum();
        if !cpus.is_empty() {
            let by = before % cpus.len();
            cpus.rotate_left(by);
        }
        cpus
    }

    fn guests_share(&self, machine: usize) -> bool {
        let vcpus: usize = self.pis.iter().map(|pi| usize::from(pi.vcpus)).sum();
        self.wake_interval_ns.is_some() || vcpus > self.guest_cores(machine)
    }

    /// Cores that no worker is on.
    fn guest_cores(&self, machine: usize) -> usize {
        let Cpus { workers, guests } = &self.cpus;
        match (&workers[..], &guests[..]) {
            (_, []) => machine.saturating_sub(usize::from(self.workers)),
            // Workers go where the kernel puts them: among the guests only if nothing else is left.
            ([], guests) => {
                let elsewhere = machine.saturating_sub(guests.len());
                let among = usize::from(self.workers).saturating_sub(elsewhere);
                guests.len().saturating_sub(among)
            }
            (workers, guests) => guests.iter().filter(|cpu| !workers.contains(cpu)).count(),
        }
    }

    fn workers_share(&self, machine: usize) -> bool {
        let Cpus { workers, guests } = &self.cpus;
        let count = usize::from(self.workers);
        match (&workers[..], &guests[..]) {
            ([], []) => count >= machine,
            ([], guests) => count > machine.saturating_sub(guests.len()),
            (workers, []) => workers.len() >= machine,
            (workers, guests) => workers.iter().any(|cpu| guests.contains(cpu)),
        }
    }
}

/// Cores that this process may use.
fn machine_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What a worker does that has nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleMode {
    /// It sleeps until a frame, a guest or an instant wakes it.
    Sleep,
    /// It goes on looking: its core is never free, and no frame waits for it to wake.
    Poll,
}

/// How guest functions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// In virtual machines.
    Kvm,
    /// As threads of the host.
    Thread,
}

impl Isolation {
    /// As in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Thread => "thread",
        }
    }
}

/// Which CPUs threads are pinned to; empty: the kernel decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cpus {
    /// One per worker, or none.
    pub workers: Vec<usize>,
    /// Shared by all guests.
    pub guests: Vec<usize>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortConfig {
    /// Its name, unique.
    pub name: String,
    /// What stands behind it; paths are resolved against the file's folder.
    pub backend: BackendSpec,
    /// What frames on it look like.
    pub mode: PortMode,
    /// The rate that gates reckon with, in bits per second.
    pub capacity_bps: u64,
    /// Octets behind the Ethernet header, at most (the PIH is one of them on a trunk).
    pub mtu: u16,
    /// Kept free at the end of each phase, in nanoseconds.
    pub guard_ns: u64,
    /// When a cycle begins, in nanoseconds of CLOCK_TAI: others begin whole cycles later, and before
    /// it every gate is closed.
    pub base_tai_ns: u64,
    /// By how much the last cycle before a new schedule may be extended (IEEE 802.1Q-2018 8.6.9.4.4
    /// AdminCycleTimeExtension), nanoseconds; at most the cycle.
    pub extension_ns: u64,
    /// In the order of the cycle; its PI's largest frame fits each that a PI owns.
    pub phases: Vec<PhaseConfig>,
}

impl PortConfig {
    /// The largest frame in octets with FCS, as sizes are counted (RFC 2544).
    #[must_use]
    pub fn largest_frame(&self) -> u32 {
        u32::from(self.mtu) + ETHERNET_HEADER + FCS
    }

    /// Octets of the largest PDU behind Ethernet header and PIH.
    #[must_use]
    pub fn largest_pdu(&self) -> u16 {
        match self.mode {
            PortMode::Trunk => self.mtu.saturating_sub(1),
            PortMode::Access { .. } => self.mtu,
        }
    }

    /// The length of the cycle, in nanoseconds; of phases that are no cycle yet, the longest there is.
    #[must_use]
    pub fn cycle_ns(&self) -> u64 {
        let durations = self.phases.iter().map(|phase| phase.duration_ns);
        durations.fold(0, u64::saturating_add)
    }
}

/// Octets of an Ethernet header.
pub const ETHERNET_HEADER: u32 = 14;
/// Octets of the FCS, which frames in memory do not carry and sizes count.
pub const FCS: u32 = 4;

/// What frames on a port look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortMode {
    /// With PIH, of all PIs.
    Trunk,
    /// Plain, of one PI and VN.
    Access {
        /// The PI's slot.
        slot: u8,
        /// The virtual network; one that the PI carries.
        vn: Vn,
        /// The EtherType of the plain frames.
        ethertype: u16,
    },
}

/// A phase of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseConfig {
    /// The slot whose gate is open; none: all are closed.
    pub owner: Option<u8>,
    /// In nanoseconds, not 0.
    pub duration_ns: u64,
}

/// A PI and its guest.
#[derive(Debug, Clone, PartialEq)]
pub struct PiConfig {
    /// Its name, unique; its guest's too.
    pub name: String,
    /// 1 to 7; with each of `vns` unique.
    pub code: PiCode,
    /// What its guest runs.
    pub guest: GuestImage,
    /// The virtual networks carried; one at least.
    pub vns: VnSet,
    /// Virtual CPUs, 1 to 32.
    pub vcpus: u8,
    /// What bounds the share of the CPUs that its threads get.
    pub cpu: CpuShare,
    /// Guest memory in octets: whole pages, 8 MiB to 3 GiB.
    pub memory: u64,
    /// Whether the guest sees the PIH.
    pub pih: PihMode,
    /// The EtherType of the PI's frames where they are plain; by its code if not set.
    pub ethertype: Option<u16>,
    /// What each port may give the guest.
    pub police: Option<Police>,
    /// What it asks of the schedules.
    pub needs: Needs,
    /// In which order its frames go.
    pub level2: Level2Config,
    /// Descriptors of each virtqueue of a vif: a power of two, 64 to 4096.
    pub queue: u16,
    /// What is handed to the guest: always an object.
    pub config: serde_json::Value,
    /// The signalling daemon beside it, if it has one.
    pub signaling: Option<SignalingConfig>,
}

/// What a guest runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestImage {
    /// A function that comes with the node, by its name without `builtin:`.
    Builtin(String),
    /// A kernel of the user's.
    File {
        /// An ELF or bzImage.
        kernel: PathBuf,
        /// Its initial RAM disk.
        initrd: Option<PathBuf>,
        /// What is put behind the node's own command line.
        cmdline: String,
    },
}

impl fmt::Display for GuestImage {
    /// As in the configuration: `builtin:NAME` or the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "builtin:{name}"),
            Self::File { kernel, .. } => write!(f, "{}", kernel.display()),
        }
    }
}

impl PiConfig {
    /// The function that the guest is asked for on its control channel: the built-in's name, or
    /// the PI's for an image of the user's.
    #[must_use]
    pub fn function(&self) -> &str {
        match &self.guest {
            GuestImage::Builtin(name) => name,
            GuestImage::File { .. } => &self.name,
        }
    }
}

/// Whether a guest sees the PIH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PihMode {
    /// Frames cross the vif with their PIH.
    Keep,
    /// Frames cross the vif plain; the PI carries one VN.
    Strip {
        /// The EtherType of the plain frames.
        ethertype: u16,
    },
}

/// An ingress policer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Police {
    /// Bits per second, counted over frames with FCS.
    pub rate_bps: u64,
    /// Octets that may come at once; not less than the largest frame.
    pub burst: u64,
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
