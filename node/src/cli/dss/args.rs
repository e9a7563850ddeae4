//! `pinode dss` as clap reads it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use pinode_signaling::{Address, Class, Peak, Prefix, Qos, Traffic};

use crate::cli::args::{Format, Node};
use crate::config::{BitRate, Nanoseconds};

/// Help of `pinode dss`.
pub const EXAMPLE: &str = "\
Example:
  pinode dss daemon --interface eth1 --address 4700000000000000000000000000000000000200
  pinode dss pipe --listen > film.ts
  pinode dss pipe 4700000000000000000000000000000000000200 --rate 10Mbps < film.ts

Beside a running node:
  pinode dss list
  pinode dss show 17
  pinode dss close 17
  pinode dss route add 47.0005.80/24 east
  pinode dss permanent add camera west 100 --called 4700000000000000000000000000000000000205 --rate 10Mbps";

/// Help of `pinode dss pipe`.
const PIPE: &str = "\
Example:
  pinode dss pipe --listen > film.ts
  pinode dss pipe 4700000000000000000000000000000000000200 --rate 10Mbps < film.ts

Exit code 1 if anything was lost on the way; 128 and the number of the signal if one ends it before the stream does.";

/// Help of `pinode dss permanent add`.
const PERMANENT: &str = "\
Example:
  pinode dss permanent add camera west 100 --called 4700000000000000000000000000000000000205 --rate 10Mbps
  pinode dss permanent add screen east 200 --listen 4700000000000000000000000000000000000205
  pinode dss permanent list
  pinode dss permanent del camera";

/// `pinode dss`
#[derive(Debug, Subcommand)]
pub enum Dss {
    /// Neighbours and calls of a running node
    #[command(after_help = "Example:\n  pinode dss list --json")]
    List(List),
    /// One call of a running node
    #[command(after_help = "Example:\n  pinode dss show 17")]
    Show(OneCall),
    /// Release a call of a running node
    #[command(after_help = "Example:\n  pinode dss close 17")]
    Close(OneCall),
    /// Where a running node sends calls
    #[command(
        subcommand,
        after_help = "Example:\n  pinode dss route add 47.0005.80/24 east"
    )]
    Route(Route),
    /// Connections of devices that do not signal, which a running node signals for
    #[command(subcommand, after_help = PERMANENT)]
    Permanent(Permanent),
    /// Send stdin on a connection, or receive one to stdout
    #[command(after_help = PIPE)]
    Pipe(Pipe),
    /// Set a connection up and keep it until SIGINT or SIGTERM
    #[command(
        after_help = "Example:\n  pinode dss connect 4700000000000000000000000000000000000205 --rate 10Mbps"
    )]
    Connect(Connect),
    /// Accept connections and say what comes, until SIGINT or SIGTERM
    #[command(after_help = "Example:\n  pinode dss listen --json")]
    Listen(Listen),
    /// Speak the signalling of a host: one daemon for all of its applications
    #[command(
        after_help = "Example:\n  pinode dss daemon --interface eth1 --address 4700000000000000000000000000000000000200"
    )]
    Daemon(Daemon),
}

/// Which switch.
#[derive(Debug, Clone, Args)]
pub struct Switch {
    /// Name of the guest, if there are several of them
    #[arg(long, value_name = "GUEST")]
    pub guest: Option<String>,
    /// The node.
    #[command(flatten)]
    pub node: Node,
}

/// `pinode dss list`
#[derive(Debug, Args)]
pub struct List {
    /// Which switch.
    #[command(flatten)]
    pub switch: Switch,
    /// How it is printed.
    #[command(flatten)]
    pub format: Format,
}

/// A call.
#[derive(Debug, Args)]
pub struct OneCall {
    /// Its number, as `pinode dss list` has it
    #[arg(value_name = "ID")]
    pub call: u64,
    /// Which switch.
    #[command(flatten)]
    pub switch: Switch,
    /// How it is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode dss route`
#[derive(Debug, Subcommand)]
pub enum Route {
    /// Send calls to addresses that begin so out of a port, until the daemon ends
    #[command(after_help = "Example:\n  pinode dss route add 47.0005.80/24 east")]
    Add(OneRoute),
    /// Take a route away; calls that went by it stay
    #[command(after_help = "Example:\n  pinode dss route del 47.0005.80/24 east")]
    Del(OneRoute),
}

/// A route.
#[derive(Debug, Args)]
pub struct OneRoute {
    /// Hexadecimal digits and how many bits of them, as in 47.0005.80/24
    #[arg(value_name = "PREFIX")]
    pub prefix: Prefix,
    /// Name of the port
    #[arg(value_name = "PORT")]
    pub port: String,
    /// Which switch.
    #[command(flatten)]
    pub switch: Switch,
}

/// `pinode dss permanent`
#[derive(Debug, Subcommand)]
pub enum Permanent {
    /// Signal for a device at a port, until the node ends
    #[command(after_help = PERMANENT)]
    Add(AddPermanent),
    /// Take a permanent end away; its connections are released
    #[command(after_help = "Example:\n  pinode dss permanent del camera")]
    Del(OnePermanent),
    /// Permanent ends, and how far each is
    #[command(after_help = "Example:\n  pinode dss permanent list --json")]
    List(List),
}

/// `pinode dss permanent add`
#[derive(Debug, Args)]
pub struct AddPermanent {
    /// What it is called: letters, digits and dashes, up to 15
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Name of the port that the device is at
    #[arg(value_name = "PORT")]
    pub port: String,
    /// The label that the device sends with and hears, 16 to 1048575; with --labels the first of them
    #[arg(value_name = "LABEL", value_parser = clap::value_parser!(u32).range(16..=1_048_575))]
    pub label: u32,
    /// Virtual network [default: that of the access port, or the lowest of the PI]
    #[arg(long, value_name = "VN", value_parser = clap::value_parser!(u8).range(0..=31))]
    pub vn: Option<u8>,
    /// Address of the other end, 40 hexadecimal digits: it is called, and again whenever the connection is gone
    #[arg(long, value_name = "ADDRESS", required_unless_present = "listen")]
    pub called: Option<Address>,
    /// Address of the device, if it is to be told to who is called
    #[arg(long, value_name = "ADDRESS", requires = "called")]
    pub address: Option<Address>,
    /// Accept calls to this address
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["called", "rate", "back", "ubr", "cdvt"])]
    pub listen: Option<Address>,
    /// Labels, and so calls at most
    #[arg(long, value_name = "N", default_value_t = 1, requires = "listen", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub labels: u16,
    /// What the connection is promised.
    #[command(flatten)]
    pub promise: Promise,
    /// Which switch.
    #[command(flatten)]
    pub switch: Switch,
}

/// A permanent end.
#[derive(Debug, Args)]
pub struct OnePermanent {
    /// What it is called
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which switch.
    #[command(flatten)]
    pub switch: Switch,
}

/// `pinode dss daemon`
#[derive(Debug, Args)]
pub struct Daemon {
    /// As a node's child, which it hears on its standard input
    #[arg(long, hide = true, conflicts_with_all = ["interface", "address"])]
    pub node: bool,
    /// The interface to the node
    #[arg(long, value_name = "IF", required_unless_present = "node")]
    pub interface: Option<String>,
    /// Address of this host, 40 hexadecimal digits; applications choose the last two
    #[arg(long, value_name = "ADDRESS", required_unless_present = "node")]
    pub address: Option<Address>,
    /// Where applications find it.
    #[command(flatten)]
    pub at: DaemonSocket,
}

/// The daemon of this host.
#[derive(Debug, Clone, Args)]
pub struct DaemonSocket {
    /// Socket of this host's signalling daemon
    #[arg(
        long = "daemon",
        env = "PINODE_DSS",
        value_name = "PATH",
        default_value = "/run/pinode/dss"
    )]
    pub path: PathBuf,
}

/// A connection to be asked for.
#[derive(Debug, Clone, Args)]
pub struct Call {
    /// Address of the other end, 40 hexadecimal digits
    #[arg(value_name = "ADDRESS")]
    pub called: Address,
    /// What it is promised.
    #[command(flatten)]
    pub promise: Promise,
}

/// What a connection is promised, each way as seen from here.
#[derive(Debug, Clone, Args)]
pub struct Promise {
    /// Peak rate of what is sent: on the wire (10Mbps), or in frames of the largest payload a second (1000fps)
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// The same of what is received; nothing is, if left out
    #[arg(long, value_name = "RATE")]
    pub back: Option<Rate>,
    /// Best effort: nothing is reserved, --rate is the most that is sent
    #[arg(long)]
    pub ubr: bool,
    /// Octets of payload in a frame at most, 1 to 1491 [default: 1400; of who listens 1491]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1491))]
    pub size: Option<u16>,
    /// By how much frames may come early (CDVT)
    #[arg(long, value_name = "TIME", default_value = "2ms")]
    pub cdvt: Nanoseconds,
}

/// `pinode dss connect`
#[derive(Debug, Args)]
pub struct Connect {
    /// The connection.
    #[command(flatten)]
    pub call: Call,
    /// Set up and release so many, and say how long that takes
    #[arg(long, value_name = "N")]
    pub times: Option<u64>,
    /// So many of them at once
    #[arg(long, value_name = "N", default_value_t = 1, requires = "times", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub at_once: u16,
    /// Who is asked for it.
    #[command(flatten)]
    pub at: DaemonSocket,
    /// How it is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode dss listen`
#[derive(Debug, Args)]
pub struct Listen {
    /// Address of this host to listen on [default: the host's own]
    #[arg(value_name = "ADDRESS")]
    pub address: Option<Address>,
    /// Octets of payload in a frame at most, 1 to 1491
    #[arg(long, value_name = "N", default_value_t = 1491, value_parser = clap::value_parser!(u16).range(1..=1491))]
    pub size: u16,
    /// End after so many connections have ended
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Who is asked.
    #[command(flatten)]
    pub at: DaemonSocket,
    /// How it is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode dss pipe`
#[derive(Debug, Args)]
pub struct Pipe {
    /// Address of the other end; without one, one connection is waited for, and what it carries goes to stdout
    #[arg(value_name = "ADDRESS", required_unless_present = "listen")]
    pub called: Option<Address>,
    /// Wait for a connection, on this address of this host, or the host's own
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, conflicts_with = "called")]
    pub listen: Option<Option<Address>>,
    /// What it is promised.
    #[command(flatten)]
    pub promise: Promise,
    /// Who is asked.
    #[command(flatten)]
    pub at: DaemonSocket,
}

/// Payload of a connection that is asked for, octets.
const SIZE: u16 = 1400;
/// The same of one that is listened for.
const LISTENING: u16 = 1491;

/// A peak rate as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(pub Peak);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let peak = match text.strip_suffix("fps") {
            Some(frames) => frames.parse().ok().map(Peak::Frames),
            None => text.parse::<BitRate>().ok().map(|rate| Peak::Bits(rate.0)),
        };
        match peak {
            Some(peak @ (Peak::Frames(1..) | Peak::Bits(1..))) => Ok(Self(peak)),
            _ => Err(format!(
                "{text:?} is no rate; allowed: bits a second on the wire (10Mbps), or frames a second (1000fps)"
            )),
        }
    }
}

impl Promise {
    /// The largest payload of a connection that is asked for, octets.
    pub fn sending(&self) -> u16 {
        self.size.unwrap_or(SIZE)
    }

    /// The largest payload that who listens takes, octets.
    pub fn listening(&self) -> u16 {
        self.size.unwrap_or(LISTENING)
    }

    /// As the daemon is asked for it.
    pub fn qos(&self) -> Qos {
        let traffic = |rate: Option<Rate>| Traffic {
            class: if self.ubr { Class::Ubr } else { Class::Cbr },
            peak: rate.map(|rate| rate.0),
            cdvt_ns: self.cdvt.0,
            max_sdu: self.sending(),
        };
        Qos {
            transmit: (self.rate.is_some() || self.ubr).then(|| traffic(self.rate)),
            receive: self.back.map(|rate| traffic(Some(rate))),
        }
    }
}
