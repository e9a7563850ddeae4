//! What is asked of a node: its links, and what each PI is to have of them.
//!
//! Must never fill in what was demanded; what is left out demands nothing.

use crate::config::{BitRate, Demand, ETHERNET_HEADER, FCS, Isolation};

/// What is asked of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Demands {
    /// Its name.
    pub name: String,
    /// How guest functions are to run: of the fits, those count.
    pub isolation: Isolation,
    /// CPUs that it may have; empty: nobody has said.
    pub cpus: Vec<usize>,
    /// Percent of a CPU that the worker may take.
    pub worker_cap: Option<f64>,
    /// For how long the host may hold up a worker or a guest without a frame being lost, nanoseconds.
    pub stall_ns: Option<u64>,
    /// Cycles that come into question.
    pub cycles: Cycles,
    /// One at least.
    pub ports: Vec<PortDemand>,
    /// One at least, in the order of the file.
    pub pis: Vec<PiDemand>,
}

/// The grid of the search, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycles {
    /// Shortest cycle.
    pub from_ns: u64,
    /// Longest, at most.
    pub to_ns: u64,
    /// From one to the next.
    pub step_ns: u64,
    /// Phases are whole multiples of it.
    pub grain_ns: u64,
    /// Percent of the link that a shorter cycle may take more than the one that takes least.
    pub slack: u8,
}

impl Cycles {
    /// From the shortest on.
    pub fn lengths(self) -> impl Iterator<Item = u64> {
        let steps = (self.to_ns - self.from_ns) / self.step_ns;
        (0..=steps).map(move |step| self.from_ns + step * self.step_ns)
    }
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortDemand {
    /// Its name.
    pub name: String,
    /// As in node.toml.
    pub backend: String,
    /// Bits per second.
    pub capacity_bps: u64,
    /// Octets behind the Ethernet header.
    pub mtu: u16,
    /// Kept free at the end of each phase, nanoseconds.
    pub guard_ns: u64,
    /// Whether the port lets frames go at their instant.
    pub launch_time: bool,
}

impl PortDemand {
    /// Octets with FCS.
    #[must_use]
    pub fn largest_frame(&self) -> u32 {
        u32::from(self.mtu) + ETHERNET_HEADER + FCS
    }
}

/// What a PI asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct PiDemand {
    /// Its name; that of its fits too.
    pub name: String,
    /// Its code in the PIH.
    pub code: u8,
    /// As in node.toml.
    pub guest: String,
    /// On each port that it sends on.
    pub rate: Rate,
    /// Frame sizes.
    pub sizes: Sizes,
    /// Octets that come at once; a largest frame at least.
    pub burst: u64,
    /// The longest time from a frame's arrival to its end on the wire, nanoseconds.
    pub delay_ns: Option<u64>,
    /// Percent of a CPU that its guest may take.
    pub cpu_cap: Option<f64>,
    /// Ports on which it sends at its rate, for the reckoning of CPU time; empty: all.
    pub ports: Vec<String>,
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Of frames with FCS, a second.
    Bits(u64),
    /// Frames a second.
    Frames(u64),
}

/// Octets with FCS. Nothing is known of how sizes follow each other, so each may be that of all frames for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sizes {
    /// These, one at least, rising.
    List(Vec<u32>),
    /// All from the first to the second.
    Range(u32, u32),
}

impl Sizes {
    /// Of the smallest frame.
    #[must_use]
    pub fn smallest(&self) -> u32 {
        match self {
            Self::List(sizes) => sizes.first().copied().unwrap_or(0),
            Self::Range(from, _) => *from,
        }
    }

    /// Of the largest.
    #[must_use]
    pub fn largest(&self) -> u32 {
        match self {
            Self::List(sizes) => sizes.last().copied().unwrap_or(0),
            Self::Range(_, to) => *to,
        }
    }
}

impl std::fmt::Display for Sizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::List(sizes) => {
                let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
                write!(f, "{} octets", sizes.join(", "))
            }
            Self::Range(from, to) => write!(f, "{from} to {to} octets"),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bits(bps) => write!(f, "{}", BitRate(*bps)),
            Self::Frames(fps) => write!(f, "{fps} frames/s"),
        }
    }
}

impl PiDemand {
    /// The same as node.toml has it: a rate and a burst in frames of the smallest size, which weigh most on the wire.
    ///
    /// A rate in frames weighs most in the largest; what that takes of the wire is said in frames of the smallest size
    /// then, rounded up to a bit a second.
    #[must_use]
    pub fn as_configured(&self) -> Demand {
        const OVERHEAD: u128 = pinode_scheduler::rate::OVERHEAD_OCTETS as u128;
        let (small, large) = (self.sizes.smallest(), self.sizes.largest());
        let rate_bps = match self.rate {
            Rate::Bits(bps) => bps,
            Rate::Frames(fps) => {
                let wire = 8 * u128::from(fps) * (u128::from(large) + OVERHEAD);
                let small = u128::from(small);
                u64::try_from((wire * small).div_ceil(small + OVERHEAD)).unwrap_or(u64::MAX)
            }
        };
        Demand {
            rate_bps,
            burst: self.burst,
            size: small,
            delay_ns: self.delay_ns,
            frames: match self.rate {
                Rate::Bits(_) => None,
                Rate::Frames(fps) => Some(fps),
            },
            own_latency_ns: None,
        }
    }

    /// Frames a second that its rate is of, if all have `size` octets.
    #[must_use]
    pub fn frames_of(&self, size: u32) -> f64 {
        match self.rate {
            Rate::Bits(bps) => bps as f64 / (8.0 * f64::from(size)),
            Rate::Frames(fps) => fps as f64,
        }
    }

    /// Octets behind the Ethernet header of its largest frame.
    #[must_use]
    pub fn max_sdu(&self) -> u32 {
        self.sizes.largest() - ETHERNET_HEADER - FCS
    }
}
