//! What measurements leave behind: `results.json`, whose shape is a promise (`pinode-results/1`), and the same as
//! lines of CSV.
//!
//! Types first: every test writes them, every report reads them. Keys may be added, none is renamed.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fit::LineFit;
use crate::stats::{Quantile, Summary};
use crate::trial::PathKind;

pub mod csv;
pub mod json;
#[cfg(any(test, feature = "sample"))]
pub mod sample;

/// Why results were not written or read.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file ends in its middle.
    #[error("{}: ends in the middle, at line {line}: it was cut off; measure again, or fetch it whole", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where it ends.
        line: usize,
    },
    /// The file is no JSON, or a key lacks or holds something else than it must.
    #[error("{}: {source}; a results file is JSON of schema {SCHEMA}, as `pinode measure` writes it", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// The file is something else.
    #[error("{}: {found}; allowed is \"{SCHEMA}\", as `pinode measure` writes it", .path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// A number that no file can hold.
    #[error("{place}: holds a number that is not finite, shown as null: {record}")]
    NotFinite {
        /// The record.
        place: String,
        /// The record as JSON.
        record: String,
    },
    /// JSON was not made.
    #[error("the results as JSON: {0}")]
    Unwritten(serde_json::Error),
    /// CSV was not made.
    #[error("the results as CSV: {0}")]
    Csv(String),
}

/// The value of `schema`.
pub const SCHEMA: &str = "pinode-results/1";

/// A results file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// The machine that measured.
    pub host: Host,
    /// `rfc2544`, `seed`, `quick`, `single` (one test), `import`.
    pub profile: String,
    /// What carried the frames. `None`: imported from another tester.
    pub path: Option<PathKind>,
    /// The path in one line for people.
    #[serde(default)]
    pub path_description: String,
    /// Version of the program.
    #[serde(default)]
    pub version: String,
    /// Command that repeats the measurement.
    #[serde(default)]
    pub command: String,
    /// When it ended, RFC 3339.
    #[serde(default)]
    pub finished: String,
    /// It was ended before its time: only what was done by then is here.
    #[serde(default)]
    pub partial: bool,
    /// What the tester itself can do, measured beforehand.
    #[serde(default)]
    pub tester: Option<TesterLimits>,
    /// Frames of all trials and of what warmed up, as the counters of interfaces have them; none: not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<Frames>,
    /// What should be known when reading the figures, one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Every trial, in the order in which they were made.
    pub trials: Vec<TrialRecord>,
    /// What the throughput searches found.
    pub throughput: Vec<Throughput>,
    /// RFC 9004.
    #[serde(default)]
    pub back_to_back: Vec<BackToBack>,
    /// RFC 2544 26.5 and 26.6.
    #[serde(default)]
    pub recovery: Vec<Recovery>,
    /// Whether what was demanded of each PI was met.
    #[serde(default)]
    pub demands: Vec<DemandRecord>,
    /// CPU use while trials of the seed's experiments ran, a point for each trial and PI.
    #[serde(default)]
    pub cpu: Vec<CpuPoint>,
    /// CPU = a x + b, by PI and size.
    pub cpu_fit: Vec<CpuFit>,
    /// The accounting of CPU time, held against the kernel's.
    #[serde(default)]
    pub cpu_check: Vec<CpuCheck>,
}

/// Frames of a whole measurement. Those that teach a switch its addresses are in neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// That the tester handed over.
    pub sent: u64,
    /// That came to it: intact, again, changed, late, or of nobody.
    pub received: u64,
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Model of the CPU.
    pub cpu: String,
    /// CPUs the process may run on.
    pub cores: u32,
    /// Flavour of KVM; empty where none was used.
    pub kvm: String,
    /// Release of the kernel.
    pub kernel: String,
}

/// Which test a trial belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// RFC 2544 26.1, RFC 9971.
    Throughput,
    /// RFC 2544 26.2.
    Latency,
    /// RFC 2544 26.3.
    Loss,
    /// RFC 9004.
    BackToBack,
    /// RFC 2544 26.5.
    Recovery,
    /// RFC 2544 26.6, RFC 6201.
    Reset,
    /// All streams above their ceilings.
    Saturation,
    /// What was demanded of each PI, and nothing more (ITU-T Y.1564).
    Demand,
}

/// A size of frames: octets with FCS, or the name of a mix (`imix`, `random 79..1518`). In JSON a number or a
/// string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SizeLabel {
    /// All frames alike.
    Octets(u16),
    /// A mix.
    Mix(String),
}

impl std::fmt::Display for SizeLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Octets(size) => write!(f, "{size}"),
            Self::Mix(name) => f.write_str(name),
        }
    }
}

/// A trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// The test.
    pub test: Test,
    /// Frames.
    pub size: SizeLabel,
    /// How guest functions ran (`kvm`, `thread`); none: not this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// Time in which frames were due, without the tester's pauses.
    pub duration_s: f64,
    /// Time for which the tester's sender paused because it came late, seconds, in which nothing was due; of the side
    /// where it is longer. What was offered is what was asked for times `duration_s / (duration_s + paused_s)`.
    #[serde(default)]
    pub paused_s: f64,
    /// The longest of those pauses, seconds.
    #[serde(default)]
    pub longest_pause_s: f64,
    /// The tester sent less than it was to: the trial says nothing about the device and is in no result.
    #[serde(default)]
    pub refused: bool,
    /// Frames of no stream of the trial.
    #[serde(default)]
    pub foreign: u64,
    /// Frames of an earlier trial.
    #[serde(default)]
    pub stale: u64,
    /// How late frames were handed over.
    #[serde(default)]
    pub pacing_error_ns: Summary,
    /// The streams.
    pub streams: Vec<StreamRecord>,
}

/// A stream of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its PI.
    pub pi: String,
    /// Where it entered, and where it was expected.
    #[serde(default)]
    pub from: String,
    /// Where it was expected.
    #[serde(default)]
    pub to: String,
    /// Rate asked for.
    pub offered_fps: f64,
    /// Frames sent.
    pub sent: u64,
    /// Frames due that the tester did not send.
    #[serde(default)]
    pub unsent: u64,
    /// Different intact frames that arrived.
    pub received: u64,
    /// `sent - received`.
    pub lost: u64,
    /// Of `received`: behind a later one.
    pub reordered: u64,
    /// Arrived again.
    pub duplicated: u64,
    /// Arrived changed (lost, too).
    pub corrupted: u64,
    /// `received` over the time of the trial, frames per second; over the time in which frames arrived where that was
    /// longer, because buffers were still full.
    #[serde(default)]
    pub received_fps: f64,
    /// Octets of those frames with FCS, bits per second.
    #[serde(default)]
    pub received_l2_bps: f64,
    /// What the schedule lets out at most; none: no gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling_fps: Option<f64>,
    /// Latencies.
    pub latency_ns: Summary,
    /// Computed mean wait for the phase; what the mean latency is above it is the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_wait_ns: Option<f64>,
    /// Computed longest wait of a lone frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_wait_ns: Option<f64>,
    /// The distribution of latencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<Quantile>,
}

/// What a throughput search found for a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Frames.
    pub size: SizeLabel,
    /// Its PI.
    pub pi: String,
    /// How guest functions ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// `binary` or `mlrsearch`.
    #[serde(default)]
    pub method: String,
    /// The loss ratio that was allowed: 0 is RFC 2544's throughput.
    #[serde(default)]
    pub goal_loss_ratio: f64,
    /// The rate: of a binary search the highest that held, of MLRsearch the conditional throughput (RFC 9971).
    pub fps: f64,
    /// The same as octets with FCS, bits per second.
    pub l2_bps: f64,
    /// MLRsearch: the relevant lower bound as a load, frames per second; of a binary search `fps`.
    #[serde(default)]
    pub lower_fps: f64,
    /// The relevant upper bound: the lowest rate that did not hold; none: everything up to the line rate held.
    #[serde(default)]
    pub upper_fps: Option<f64>,
    /// What the schedule lets out at most, or the line rate where there is no gate.
    pub ceiling_fps: f64,
    /// `fps / ceiling_fps`.
    pub share_of_ceiling: f64,
    /// Trials made.
    #[serde(default)]
    pub trials: u32,
    /// Why it is no more: `device`, `schedule` (the ceiling of the phases), `line`, `tester` (it could not send more, and says so), or `unknown` (the search ended
    /// before it had an upper bound).
    #[serde(default)]
    pub limited_by: String,
    /// Trials that each had to lose before a rate was said not to hold, beyond the first; 0 is RFC 2544's search.
    #[serde(default)]
    pub confirmations: u32,
}

/// RFC 9004.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackToBack {
    /// Frames.
    pub size: SizeLabel,
    /// Its PI.
    pub pi: String,
    /// Longest bursts without loss of each repetition, frames.
    pub bursts: Vec<u64>,
    /// Their mean, smallest, largest, standard deviation: see RFC 9004 6.4.
    pub mean_frames: f64,
    /// Smallest.
    pub min_frames: u64,
    /// Largest.
    pub max_frames: u64,
    /// Standard deviation (n - 1).
    pub stddev_frames: f64,
    /// Rate within the burst, frames per second.
    pub burst_fps: f64,
    /// Implied device buffer time: mean burst over the rate, seconds.
    pub implied_buffer_s: f64,
    /// The same less what was forwarded meanwhile, with the measured throughput; none: not measured.
    pub corrected_buffer_s: Option<f64>,
    /// No burst up to the longest that was tried lost a frame.
    pub is_at_least: bool,
}

/// How long a device takes to be itself again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// `recovery` (from overload, RFC 2544 26.5) or `reset` (RFC 6201).
    pub test: Test,
    /// Frames.
    pub size: SizeLabel,
    /// Its PI.
    pub pi: String,
    /// Offered before and after, frames per second (reset: the same).
    pub offered_fps: [f64; 2],
    /// Seconds; of each repetition.
    pub seconds: Vec<f64>,
    /// Their mean.
    pub mean_s: f64,
    /// Frames lost, of each repetition.
    pub lost: Vec<u64>,
    /// Reset by the frame-loss method of RFC 6201: `lost` over the rate, seconds; `seconds` is by its timestamp
    /// method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loss_seconds: Vec<f64>,
    /// The device was not itself again by the end of some repetition: it takes longer.
    #[serde(default)]
    pub is_at_least: bool,
}

/// What was demanded of a PI and what came of exactly that (ITU-T Y.1564): sums over all repetitions whose
/// sender did its part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DemandRecord {
    /// Its PI.
    pub pi: String,
    /// Where it entered.
    pub from: String,
    /// Where it was expected.
    pub to: String,
    /// Frames.
    pub size: SizeLabel,
    /// How guest functions ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// The rate that is demanded, frames per second of this size.
    pub demanded_fps: f64,
    /// Frames that came at once at the beginning of each repetition.
    pub burst_frames: u32,
    /// The delay that is demanded; none: it is not bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_ns: Option<u64>,
    /// Trials.
    pub repetitions: u32,
    /// Of these, trials in which nothing was lost and 99 % of the frames came within the bound.
    pub held: u32,
    /// Time in which frames were due, of all of them.
    pub duration_s: f64,
    /// Frames sent over that time, the bursts with them.
    pub offered_fps: f64,
    /// Frames that arrived over that time.
    pub received_fps: f64,
    /// Frames sent.
    pub sent: u64,
    /// Frames due that the tester did not send.
    pub unsent: u64,
    /// Different intact frames that arrived.
    pub received: u64,
    /// `sent - received`.
    pub lost: u64,
    /// Latencies.
    pub latency_ns: Summary,
    /// Of the frames sent, those that came within the bound, 0.0 to 1.0; none: there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_within: Option<f64>,
    /// How late the tester handed frames over, of all streams: in memory the worker does, so this is how long it was
    /// away itself.
    pub pacing_error_ns: Summary,
    /// CPU time that its guest spent on frames, percent of a CPU; none: it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// The same of the node's workers, for all PIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_percent: Option<f64>,
    /// More than half of the repetitions held.
    pub met: bool,
    /// By what the others did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<String>,
}

/// CPU use in a trial: time spent on frames as a share of the time passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CpuPoint {
    /// Whose: a PI's name (its first vCPU), or `host` (the data-plane workers, less the tester's own time).
    pub pi: String,
    /// `kvm` or `thread`.
    pub isolation: String,
    /// Frames.
    pub size: SizeLabel,
    /// Offered to each PI, bits per second with FCS.
    pub offered_l2_bps: f64,
    /// Frames per second that it handled, in thousands: x of the fit.
    pub kfps: f64,
    /// Percent of one CPU: y of the fit.
    pub percent: f64,
    /// No frame of the PI was lost: only such points are in fits.
    pub lossless: bool,
}

/// CPU = a x + b.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CpuFit {
    /// As of the points.
    pub pi: String,
    /// `kvm` or `thread`.
    #[serde(default)]
    pub isolation: String,
    /// Frames.
    pub size: SizeLabel,
    /// The fit: `a` percent for each thousand frames per second, `b` percent; with `r2`, the points it is of and
    /// the range in which it was measured.
    #[serde(flatten)]
    pub fit: LineFit,
}

/// Accounted CPU time against the kernel's, of a thread in an interrupt-driven run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CpuCheck {
    /// A PI's name, or `host`.
    pub pi: String,
    /// `kvm` or `thread`.
    pub isolation: String,
    /// Frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeLabel>,
    /// Frames per second while it ran.
    pub fps: f64,
    /// Time on frames that was accounted, nanoseconds.
    pub busy_ns: u64,
    /// Time of polling in vain that was accounted, nanoseconds.
    pub poll_ns: u64,
    /// Time in which it had either to do and the host ran something else on its CPU, nanoseconds: in neither. Of
    /// the workers it is not known apart, and in both.
    #[serde(default)]
    pub away_ns: u64,
    /// CPU time of the thread as the kernel has it, nanoseconds.
    pub thread_cpu_ns: u64,
    /// Times that it woke up.
    pub wakeups: u64,
    /// Wall time, nanoseconds.
    pub wall_ns: u64,
}

/// What the tester itself can do on this machine, measured before anything else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TesterLimits {
    /// Frames of this size, octets with FCS.
    pub size: u16,
    /// Source to sink over a memory port on one core, frames per second.
    pub memory_fps: f64,
    /// How late frames are handed over at a tenth of that rate.
    pub pacing_error_ns: Summary,
    /// Latency that is measured of a cable: the floor of every latency.
    pub latency_floor_ns: Summary,
    /// The cable of the floor: `memory`, or the interfaces.
    pub floor_path: String,
}
