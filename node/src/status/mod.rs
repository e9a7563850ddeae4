//! What a running node says of itself: the documents of `pinode status --json` and the control API.
//!
//! Types only: nothing here reads a counter. The keys are a promise to scripts; add, never rename.
//! Port names and PI names are the keys of maps in the order of the configuration.

mod conservation;
mod cpu;
mod level2;
#[cfg(test)]
pub(crate) mod sample;
mod table;
mod usage;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Isolation;

pub use conservation::{Violation, violations};
pub use cpu::{CpuBudget, GuestCpu, SchedPolicy};
pub use level2::{ClassDrops, ClassStatus, Level2Status};
pub use table::{guests_table, phases_table, status_table, workers_table};
pub use usage::GuestUsage;

/// Everything that a node counts, at one instant between two bursts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// Since the node started, in seconds.
    pub uptime_s: f64,
    /// How guest functions run.
    pub isolation: Isolation,
    /// The KVM under the guests: `kvm_pvm`, `kvm_intel`, `kvm_amd` or `kvm`; null without VMs.
    pub kvm: Option<String>,
    /// The threads that move frames.
    #[serde(default)]
    pub workers: Vec<WorkerStatus>,
    /// One per PI, in the order of the configuration.
    pub guests: Vec<GuestStatus>,
    /// In the order of the configuration.
    pub ports: Vec<PortStatus>,
}

/// A data-plane worker: a thread that moves frames. The three times add up to its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerStatus {
    /// The CPU it runs on now.
    pub cpu: usize,
    /// It may run on no other.
    pub pinned: bool,
    /// Whether it was asleep when it was asked.
    pub asleep: bool,
    /// How often it has gone to sleep.
    pub sleeps: u64,
    /// Time with work, in nanoseconds.
    pub busy_ns: u64,
    /// Time looking for work and finding none, in nanoseconds.
    pub idle_ns: u64,
    /// Time asleep, in nanoseconds.
    pub asleep_ns: u64,
    /// CPU time of its thread, in nanoseconds, as the kernel has it. Busy and idle together are more where the
    /// kernel ran something else on its CPU meanwhile.
    #[serde(default)]
    pub cpu_ns: u64,
}

impl WorkerStatus {
    /// Shares of its life with work, looking for it, and asleep; 0 to 1.
    #[must_use]
    pub fn shares(&self) -> [f64; 3] {
        let times = [self.busy_ns, self.idle_ns, self.asleep_ns].map(|ns| ns as f64);
        let life: f64 = times.iter().sum();
        times.map(|ns| if life > 0.0 { ns / life } else { 0.0 })
    }
}

/// A guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuestStatus {
    /// Its PI, which is also its name.
    pub pi: String,
    /// What it is doing.
    pub state: GuestState,
    /// How often it was started again, by command or after a fault.
    pub restarts: u64,
    /// From the start of the machine to forwarding, in microseconds; 0 before the first time.
    pub boot_us: u64,
    /// Guest memory, in octets.
    pub memory_bytes: u64,
    /// What it runs: `builtin:NAME` or a path.
    pub image: String,
    /// What bounds its share of the CPUs, as the kernel said when it was launched; of each of its vCPUs.
    /// Missing while it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<GuestCpu>,
    /// What it does with its time: `status` asks it, elsewhere it is what it said last. Missing while it does not
    /// forward, and where the guest does not speak the control protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<GuestUsage>,
    /// Why it last stopped without being told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fault: Option<String>,
    /// Changes made at run time that it did not take again after its last start; the log says which. Missing if none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub not_restored: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What a guest is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuestState {
    /// Booting, not forwarding on all of its vifs yet, or being told again what was changed at run time.
    Starting,
    /// Forwards.
    Running,
    /// Taken off the node after a fault; starts again by itself when its back-off has passed.
    Quarantined,
    /// Stopped by command.
    Stopped,
}

impl GuestState {
    /// As in the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Quarantined => "quarantined",
            Self::Stopped => "stopped",
        }
    }
}

/// A port. Octets are of frames without FCS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PortStatus {
    /// Its name.
    pub name: String,
    /// What stands behind it, as the port describes itself.
    pub backend: String,
    /// What holds its gate's edges.
    #[serde(default)]
    pub departure: Departure,
    /// Frames received.
    pub rx_frames: u64,
    /// Octets received.
    pub rx_bytes: u64,
    /// Frames sent.
    pub tx_frames: u64,
    /// Octets sent.
    pub tx_bytes: u64,
    /// Frames lost in front of the port (its ring was full, say): never received, in no sum.
    #[serde(default)]
    pub missed: u64,
    /// Frames that the port took and the system refused later: counted as sent.
    #[serde(default)]
    pub tx_lost: u64,
    /// Received frames that belong to no PI here.
    pub drops: PortDrops,
    /// By name of the PI.
    pub pi: IndexMap<String, PiStatus>,
}

/// When a frame leaves a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// When the worker hands it over: the worker has to be there when a gate opens.
    #[default]
    HandOver,
    /// At the instant that goes with it (launch time), which the port holds.
    LaunchTime,
}

impl Departure {
    /// As in the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandOver => "hand_over",
            Self::LaunchTime => "launch_time",
        }
    }
}

/// Received frames that belong to no PI here, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortDrops {
    /// Another EtherType than the node's (or the access port's).
    pub bad_ethertype: u64,
    /// The PIH's code is of no configured PI.
    pub unknown_pi: u64,
    /// The PI does not carry this virtual network.
    pub unknown_vn: u64,
    /// Too short to hold Ethernet header and PIH.
    pub truncated: u64,
    /// Longer than the port's MTU allows.
    pub oversize: u64,
}

impl PortDrops {
    /// All causes together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self {
            bad_ethertype,
            unknown_pi,
            unknown_vn,
            truncated,
            oversize,
        } = self;
        bad_ethertype + unknown_pi + unknown_vn + truncated + oversize
    }
}

/// A PI on a port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PiStatus {
    /// Received frames of this PI.
    pub classified: u64,
    /// Frames that its guest was given.
    pub to_guest: u64,
    /// The others.
    pub drops: IngressDrops,
    /// Frames taken from its guest.
    pub from_guest: u64,
    /// Frames that the port took.
    pub sent: u64,
    /// Their octets.
    pub sent_bytes: u64,
    /// Frames waiting for the phase.
    pub queued: u64,
    /// The others.
    pub tx_drops: EgressDrops,
    /// In which order they go, and what became of each class.
    #[serde(default)]
    pub level2: Level2Status,
    /// The PI's time in a cycle of the oper schedule, in nanoseconds.
    pub phase_ns: u64,
    /// Windows that have passed.
    pub windows: u64,
    /// Frames that ended behind their window; stays 0.
    pub window_overruns: u64,
    /// Windows of which frames were handed over so late that the link was busy with them behind the close:
    /// the worker was held up, or a system call took its time. The guard is there for it.
    #[serde(default)]
    pub late_windows: u64,
    /// Time at the end of windows that was too short for the frame at the head, in nanoseconds.
    pub guard_idle_ns: u64,
    /// Time in windows with nothing to send, in nanoseconds.
    pub empty_idle_ns: u64,
    /// How late the opening of the gate was acted on.
    pub gate_error_ns: Quantiles,
}

/// Frames for a guest that it was not given, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IngressDrops {
    /// Over the policer's rate.
    pub policed: u64,
    /// No guest runs, or it has not set up this vif yet.
    pub guest_down: u64,
    /// The guest's receive ring had no free buffer.
    pub ring_full: u64,
}

impl IngressDrops {
    /// All causes together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self {
            policed,
            guest_down,
            ring_full,
        } = self;
        policed + guest_down + ring_full
    }
}

/// Frames from a guest that were not sent, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EgressDrops {
    /// Another PI's code, another EtherType, or too short for a PIH.
    pub spoofed: u64,
    /// A virtual network that the PI does not carry, or that is not the port's.
    pub unknown_vn: u64,
    /// Longer than the port's MTU allows.
    pub oversize: u64,
    /// The bound of a class was reached.
    pub class_full: u64,
    /// Above the rate and burst of its class.
    #[serde(default)]
    pub class_policed: u64,
    /// Of a connection that was not set up.
    #[serde(default)]
    pub no_connection: u64,
    /// The port did not take it.
    pub port_error: u64,
    /// A descriptor chain that holds no frame.
    pub malformed: u64,
    /// Queued when the guest went away.
    pub guest_down: u64,
    /// Queued when their connection was taken down.
    #[serde(default)]
    pub cleared: u64,
}

impl EgressDrops {
    /// All causes together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self {
            spoofed,
            unknown_vn,
            oversize,
            class_full,
            class_policed,
            no_connection,
            port_error,
            malformed,
            guest_down,
            cleared,
        } = self;
        let classes = class_full + class_policed + no_connection + cleared;
        spoofed + unknown_vn + oversize + classes + port_error + malformed + guest_down
    }
}

/// A distribution in nanoseconds, two significant digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quantiles {
    /// Half are not above this.
    pub p50: u64,
    /// 99 % are not above this.
    pub p99: u64,
    /// 99.9 % are not above this.
    pub p999: u64,
    /// The largest.
    pub max: u64,
}

/// The schedule of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortPhases {
    /// The port.
    pub port: String,
    /// The schedule that gates follow now.
    pub oper: Schedule,
    /// The schedule that takes over at its own base time, if one waits (IEEE 802.1Q-2018 8.6.9.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<Schedule>,
    /// The gates of the port: bit i of a gate mask is the i-th.
    #[serde(default)]
    pub gates: Vec<GateStatus>,
}

/// The gate of a PI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateStatus {
    /// The PI.
    pub pi: String,
    /// Octets that its guest may send behind the Ethernet header (queueMaxSDU of IEEE 802.1Q-2018
    /// 8.6.8.4).
    pub max_sdu: u16,
    /// That is less than the port's MTU.
    pub limited: bool,
}

/// A cycle and when it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Base time, in nanoseconds of CLOCK_TAI.
    pub base_tai_ns: u64,
    /// The sum of the phases, in nanoseconds.
    pub cycle_ns: u64,
    /// Kept free at the end of each phase, in nanoseconds.
    pub guard_ns: u64,
    /// By how much its last cycle may be extended before the next schedule, in nanoseconds.
    #[serde(default)]
    pub extension_ns: u64,
    /// In the order of the cycle.
    pub phases: Vec<PhaseEntry>,
}

/// A phase of a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhaseEntry {
    /// The PI whose gate is open, or `none`.
    pub pi: String,
    /// In nanoseconds.
    pub duration_ns: u64,
}
