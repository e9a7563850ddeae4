//! Why a measurement is not begun: what was asked cannot be right, or is not there.

use pinode_measure::results::SizeLabel;
use pinode_measure::stream::StreamError;
use pinode_measure::trial::Side;
use thiserror::Error;

use crate::assemble::AssembleError;
use crate::config::{BitRate, ConfigError};

/// Why a measurement is not begun.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its schedule is.
    #[error(transparent)]
    Schedule(#[from] AssembleError),
    /// A tester has two ends.
    #[error(
        "the configuration has {found} ports; allowed for `measure -c`: two, west and east of the node"
    )]
    Ports {
        /// How many it has.
        found: usize,
    },
    /// Frames that enter at one port leave changed at the other.
    #[error(
        "ports of different modes change the frames between them; allowed for `measure -c`: two trunks, or two access ports of the same PI and VN"
    )]
    Modes,
    /// The tester's plain frames are IPv6, and nothing else enters.
    #[error(
        "port {port}: an access port for frames of EtherType {found:#06X} alone; allowed for `measure -c`: 0x86DD, since what is sent is IPv6"
    )]
    Ethertype {
        /// The port.
        port: String,
        /// What it takes.
        found: u16,
    },
    /// No PI is on both ports.
    #[error("no PI is on both ports of the configuration; there is nothing to send")]
    NoPi,
    /// A PI that is not there.
    #[error("--stream pi={name}: no such PI; allowed: {}", known.join(", "))]
    UnknownPi {
        /// What was written.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The router of a PI refuses its configuration, or to say what it would do.
    #[error("the router of PI {pi}: {what}")]
    Router {
        /// The PI.
        pi: String,
        /// In its words.
        what: String,
    },
    /// Frames that nobody would ever see again.
    #[error(
        "the router of PI {pi} sends nothing that comes in at {enters} out of {leaves} (virtual network {vn}); allowed: \
         an address on {leaves} in [pi.{pi}.config.interface], or a route that leads there in [[pi.{pi}.config.route]]"
    )]
    Unrouted {
        /// The PI.
        pi: String,
        /// The virtual network.
        vn: u8,
        /// The interface where they come in.
        enters: String,
        /// Where they should leave.
        leaves: String,
    },
    /// The same with an address of the user's.
    #[error(
        "--stream dst_ip={to}: the router of PI {pi} has {goes} for it; allowed: an address whose packets leave at \
         {leaves}, or no dst_ip: it is found then"
    )]
    Elsewhere {
        /// The PI.
        pi: String,
        /// The destination.
        to: std::net::Ipv6Addr,
        /// Where packets to it should leave.
        leaves: String,
        /// What the router does with them.
        goes: String,
    },
    /// A virtual network that the PI does not carry.
    #[error(
        "--stream pi={pi},vn={vn}: PI {pi} carries no such virtual network; allowed: {}",
        list(known)
    )]
    UnknownVn {
        /// The PI.
        pi: String,
        /// What was written.
        vn: u8,
        /// What it carries.
        known: Vec<u8>,
    },
    /// A key of `--stream` that has no meaning here.
    #[error("--stream {key}=: not here; {allowed}")]
    Stream {
        /// The key.
        key: &'static str,
        /// What there may be instead.
        allowed: &'static str,
    },
    /// A stream that cannot be.
    #[error("--stream: {0}")]
    Impossible(#[from] StreamError),
    /// A frame that has no room for what the tester signs with.
    #[error("{option}{size}: cannot be sent; allowed: {smallest} to {largest} octets with FCS")]
    TooSmall {
        /// Where it stands: `--sizes `, or that of a stream.
        option: &'static str,
        /// The size.
        size: SizeLabel,
        /// Smallest of the layout.
        smallest: u16,
        /// Largest of all.
        largest: u16,
    },
    /// A frame that does not fit the path.
    #[error("--sizes {size}: the path carries frames of up to {largest} octets with FCS")]
    TooLarge {
        /// The size.
        size: SizeLabel,
        /// What fits.
        largest: u32,
    },
    /// A frame that fits in no phase.
    #[error(
        "--sizes {size}: a frame of PI {pi} fits in none of its phases on port {port}; `pinode check` says what does"
    )]
    NoRoom {
        /// The PI.
        pi: String,
        /// The size.
        size: SizeLabel,
        /// Where it would leave.
        port: String,
    },
    /// More than the link carries.
    #[error(
        "--rate {asked}: frames of {size} octets take {wire} of the {side} link, with preamble and gap; it carries {capacity}",
        wire = BitRate(*asked_bps as u64), side = named(*side), capacity = BitRate(*capacity_bps)
    )]
    AboveLine {
        /// What was written.
        asked: String,
        /// Frames.
        size: SizeLabel,
        /// Where.
        side: Side,
        /// What all streams take of it, bits per second.
        asked_bps: f64,
        /// What it has.
        capacity_bps: u64,
    },
    /// An interface that is not there.
    #[error("{option} {name}: no such interface; there are: {}", known.join(", "))]
    NoInterface {
        /// `--tx` or `--rx`.
        option: &'static str,
        /// What was written.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// One interface twice.
    #[error("--tx {name} --rx {name}: the two must differ")]
    SameInterface {
        /// The one.
        name: String,
    },
    /// Nobody knows its rate.
    #[error(
        "{option} {name}: the interface does not say its rate; give it with --capacity, such as --capacity 10Gbps"
    )]
    NoCapacity {
        /// `--tx` or `--rx`.
        option: &'static str,
        /// The interface.
        name: String,
    },
    /// A combination of options that means nothing.
    #[error("{0}")]
    Options(String),
}

impl PlanError {
    /// The machine lacks what was asked for: it may be right elsewhere, or later.
    #[must_use]
    pub fn is_of_the_machine(&self) -> bool {
        matches!(self, Self::NoInterface { .. })
    }
}

/// As people call the sides.
#[must_use]
pub fn named(side: Side) -> &'static str {
    match side {
        Side::West => "west",
        Side::East => "east",
    }
}

fn list(numbers: &[u8]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
    numbers.join(", ")
}
