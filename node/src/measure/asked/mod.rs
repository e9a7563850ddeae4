//! What is asked of a measurement, as people write it: sizes, rates, streams, tests.
//!
//! Parsed once, here, into what the [plan](super::plan) is made of. Must never look at a node, an interface or
//! a clock.

mod rate;
mod size;
mod stream;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pinode_measure::results::Test;
use pinode_ports::InterfaceName;

use crate::config::Isolation;

pub use rate::{Rate, Share};
pub use size::FrameSize;
pub use stream::StreamAsked;

/// What a measurement is made of where no test is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A minute's look: throughput, latency, loss and saturation at a few sizes.
    Quick,
    /// RFC 2544's tests, times and sizes, and RFC 9004's bursts.
    Rfc2544,
    /// The experiments of the node of 2012: three streams, CPU use, fits.
    Seed,
}

/// How throughput is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// RFC 2544 26.1 by halving.
    Binary,
    /// RFC 9971.
    Mlrsearch,
}

/// Which socket carries the frames of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// AF_XDP.
    AfXdp,
    /// AF_PACKET.
    AfPacket,
}

/// Where the frames go.
#[derive(Debug, Clone, PartialEq)]
pub enum Under {
    /// A node in this process: three PIs through `builtin:patch`, or a configuration's.
    Node {
        /// The configuration; none: the built-in one.
        config: Option<PathBuf>,
        /// How guests run; none: as the configuration says, or in virtual machines.
        isolation: Option<Isolation>,
    },
    /// Whatever is between two interfaces.
    Interfaces {
        /// Frames enter there.
        tx: InterfaceName,
        /// Frames are expected there.
        rx: InterfaceName,
        /// The socket; none: AF_XDP, or AF_PACKET where that cannot be had.
        backend: Option<Backend>,
        /// Rate of the links, bits per second; none: what the interfaces say of themselves.
        capacity_bps: Option<u64>,
    },
}

impl Asked {
    /// The quick profile of a node of `config`, or of the built-in one, and nothing else said.
    #[must_use]
    pub fn of_node(config: Option<&Path>) -> Self {
        Self {
            under: Under::Node {
                config: config.map(Path::to_owned),
                isolation: None,
            },
            profile: None,
            tests: Vec::new(),
            sizes: Vec::new(),
            duration: None,
            quick: false,
            search: None,
            loss_ratio: 0.0,
            resolution: None,
            repeat: None,
            rate: None,
            streams: Vec::new(),
            bidirectional: false,
            reset_command: None,
            out: PathBuf::new(),
            json: false,
            command: String::new(),
        }
    }
}

/// A measurement as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What is measured.
    pub under: Under,
    /// Its profile; none: quick, or the named tests alone.
    pub profile: Option<Profile>,
    /// The tests; none: those of the profile.
    pub tests: Vec<Test>,
    /// The sizes; none: those of the profile.
    pub sizes: Vec<FrameSize>,
    /// Time of a trial; none: the profile's.
    pub duration: Option<Duration>,
    /// A minute's work where the RFCs have an hour's.
    pub quick: bool,
    /// How throughput is searched.
    pub search: Option<Search>,
    /// The loss ratio that throughput allows, 0.0 to 1.0.
    pub loss_ratio: f64,
    /// Width of the interval at which a search ends, as a part of the rate; none: the profile's.
    pub resolution: Option<f64>,
    /// Repetitions; none: the profile's.
    pub repeat: Option<u32>,
    /// Rate of each stream; none: what each test has.
    pub rate: Option<Rate>,
    /// The streams; none: one of each PI.
    pub streams: Vec<StreamAsked>,
    /// Both ways at once.
    pub bidirectional: bool,
    /// What resets the device.
    pub reset_command: Option<String>,
    /// Folder of the results.
    pub out: PathBuf,
    /// `results.json` on stdout and nothing else.
    pub json: bool,
    /// The command line that repeats it.
    pub command: String,
}
