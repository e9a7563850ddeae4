//! The command line as it is written: commands, options, help. Nothing is done here.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::dss::args::{self as dss, Dss};
use super::ipv6::args::{self as ipv6, Ipv6};
use super::measure::args::{self as measure, Measure};
use crate::config::{Isolation, Nanoseconds};
use crate::control::CapturePoint;
use crate::demo::{DEFAULT_OUT, SECONDS};

/// A virtual network node for Parallel Internets.
#[derive(Debug, Parser)]
#[command(
    name = "pinode",
    version,
    subcommand_required = false,
    after_help = "Example:\n  pinode demo\n  pinode check -c node.toml && pinode run -c node.toml\n\nExit codes: 0 ok, 1 failure, 2 usage or configuration error"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the node at work: three guests, real traffic, a report
    #[command(after_help = "Example:\n  pinode demo --seconds 5 --out /tmp/demo")]
    Demo(Demo),
    /// Run a node until SIGTERM or SIGINT; print `ready` when all guests forward
    #[command(
        after_help = "Example:\n  pinode run -c node.toml\n\nPINODE_LOG=debug|info|warn|error sets what is logged to stderr (info)."
    )]
    Run(Run),
    /// Validate a configuration and print what it guarantees
    #[command(after_help = "Example:\n  pinode check -c node.toml --json")]
    Check(Check),
    /// Show the counters of a running node, and whether every frame is accounted for
    #[command(
        after_help = "Example:\n  pinode status\n  pinode status --json --socket /run/pinode/n1.sock"
    )]
    Status(Status),
    /// Read and change the schedule of a running node
    #[command(
        subcommand,
        after_help = "Example:\n  pinode phases show west\n  pinode phases set west ipv6qos=120us can=80us dss=100us"
    )]
    Phases(Phases),
    /// Guests of a running node
    #[command(
        subcommand,
        after_help = "Example:\n  pinode guest list\n  pinode guest restart can"
    )]
    Guest(Guest),
    /// IPv6 routers of a running node: routes, addresses, neighbours, classes, filter; as `ip -6` has it
    #[command(subcommand, infer_subcommands = true, after_help = ipv6::EXAMPLE)]
    Ipv6(Ipv6),
    /// Connections of PI DSS: calls of a running node, streams of this host
    #[command(subcommand, after_help = dss::EXAMPLE)]
    Dss(Dss),
    /// Measure this node, or what is between two interfaces
    #[command(after_help = measure::EXAMPLE)]
    Measure(Box<Measure>),
    /// Find cycle, phases, rings and CPUs that meet what is demanded of a node
    #[command(
        after_help = "Example:\n  pinode provision --demands examples/provision/campus.toml\n  pinode provision --demands demands.toml --fits results.json -o node.toml && pinode check -c node.toml\n\nExit code 2 if the demands cannot be met, with the constraint that fails and by how much."
    )]
    Provision(Provision),
    /// Capture what passes a port or a guest's vif, as pcapng
    #[command(
        after_help = "Example:\n  pinode capture west -w west.pcapng\n  pinode capture can/west | wireshark -k -i -\n\nEnds with SIGINT or after --seconds."
    )]
    Capture(Capture),
}

/// Which running node.
#[derive(Debug, Clone, Args)]
pub struct Node {
    /// Control socket of the node [default: the one node in /run/pinode]
    #[arg(long, env = "PINODE_SOCKET", value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Format {
    /// Print one JSON document and nothing else
    #[arg(long)]
    pub json: bool,
}

/// `pinode demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Seconds of traffic, 2 to 3600
    #[arg(long, value_name = "N", default_value_t = 20.0, value_parser = demo_seconds, allow_negative_numbers = true)]
    pub seconds: f64,
    /// Folder of the report
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    pub out: PathBuf,
    /// How guest functions run
    #[arg(long, value_enum, default_value_t = IsolationArg::Kvm)]
    pub isolation: IsolationArg,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

fn demo_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| SECONDS.contains(s));
    seconds.ok_or_else(|| {
        format!(
            "allowed: a number of seconds from {} to {}",
            SECONDS.start(),
            SECONDS.end()
        )
    })
}

/// As in node.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IsolationArg {
    /// In virtual machines
    Kvm,
    /// As threads of the host, without KVM
    Thread,
}

impl From<IsolationArg> for Isolation {
    fn from(arg: IsolationArg) -> Self {
        match arg {
            IsolationArg::Kvm => Self::Kvm,
            IsolationArg::Thread => Self::Thread,
        }
    }
}

/// `pinode run`
#[derive(Debug, Args)]
pub struct Run {
    /// Configuration of the node
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Control socket [default: /run/pinode/NAME.sock]
    #[arg(long, env = "PINODE_SOCKET", value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// `pinode check`
#[derive(Debug, Args)]
pub struct Check {
    /// Configuration of the node
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode status`
#[derive(Debug, Args)]
pub struct Status {
    /// Which node.
    #[command(flatten)]
    pub node: Node,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode phases`
#[derive(Debug, Subcommand)]
pub enum Phases {
    /// Show the schedule of a port, or of all
    #[command(after_help = "Example:\n  pinode phases show west --json")]
    Show {
        /// Name of the port; all if left out
        port: Option<String>,
        /// Which node.
        #[command(flatten)]
        node: Node,
        /// How the result is printed.
        #[command(flatten)]
        format: Format,
    },
    /// Install a schedule on a port; no frame is lost
    #[command(
        after_help = "Example:\n  pinode phases set west ipv6qos=120us can=80us none=20us dss=100us\n  pinode phases set west ipv6qos=120us can=80us dss=100us --base-time +10ms"
    )]
    Set {
        /// Name of the port
        port: String,
        /// Phases in the order of the cycle; `none` is a phase of nobody
        #[arg(required = true, value_name = "PI=DURATION")]
        phases: Vec<PhaseArg>,
        /// When it takes effect: nanoseconds of CLOCK_TAI, or +DURATION from now
        /// [default: the next cycle boundary]
        #[arg(long, value_name = "T")]
        base_time: Option<BaseTime>,
        /// By how much its last cycle may be extended before the next schedule
        /// [default: as in node.toml]
        #[arg(long, value_name = "DURATION")]
        extension: Option<Nanoseconds>,
        /// Which node.
        #[command(flatten)]
        node: Node,
        /// How the result is printed.
        #[command(flatten)]
        format: Format,
    },
    /// Print schedules as Linux's taprio or IEEE 802.1Q has them
    #[command(
        after_help = "Example:\n  pinode phases export west\n  pinode phases export west --format ieee -c node.toml\n\nBit i of a gate mask is the PI that comes i-th in node.toml, from 0."
    )]
    Export(Export),
    /// Install a schedule that is written as Linux's taprio or IEEE 802.1Q has it
    #[command(
        after_help = "Example:\n  pinode phases import west west.taprio --base-time +10ms\n  pinode phases import -c node.toml west west.json\n\nBit i of a gate mask is the PI that comes i-th in node.toml, from 0. One gate may be open at a time."
    )]
    Import(Import),
}

/// `pinode phases export`
#[derive(Debug, Args)]
pub struct Export {
    /// Name of the port; all if left out
    pub port: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Notation::Taprio)]
    pub format: Notation,
    /// Take the schedule of this configuration [default: of the running node]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which node.
    #[command(flatten)]
    pub node: Node,
}

/// `pinode phases import`
#[derive(Debug, Args)]
pub struct Import {
    /// Name of the port
    pub port: String,
    /// What is read; - for stdin
    pub file: PathBuf,
    /// How it is written [default: ieee if it begins with {, else taprio]
    #[arg(long, value_enum)]
    pub format: Option<Notation>,
    /// When it takes effect: nanoseconds of CLOCK_TAI, or +DURATION from now
    /// [default: the base time that it has]
    #[arg(long, value_name = "T")]
    pub base_time: Option<BaseTime>,
    /// Judge it by this configuration and print it as [port.cycle] for it
    /// [default: install it on the running node]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which node.
    #[command(flatten)]
    pub node: Node,
    /// How the result is printed.
    #[command(flatten)]
    pub json: Format,
}

/// How others write schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Notation {
    /// Options of tc's taprio
    Taprio,
    /// Gate control list of IEEE 802.1Q as JSON (ieee802-dot1q-sched)
    Ieee,
}

/// `pinode guest`
#[derive(Debug, Subcommand)]
pub enum Guest {
    /// List the guests
    #[command(after_help = "Example:\n  pinode guest list --json")]
    List {
        /// Which node.
        #[command(flatten)]
        node: Node,
        /// How the result is printed.
        #[command(flatten)]
        format: Format,
    },
    /// Boot a stopped guest
    #[command(after_help = "Example:\n  pinode guest start can")]
    Start(OneGuest),
    /// Stop a guest; the others forward on
    #[command(after_help = "Example:\n  pinode guest stop can")]
    Stop(OneGuest),
    /// Stop a guest and boot it again
    #[command(after_help = "Example:\n  pinode guest restart can")]
    Restart(OneGuest),
    /// Print what a guest has written on its console
    #[command(after_help = "Example:\n  pinode guest console can --follow")]
    Console {
        /// Name of the guest, which is that of its PI
        name: String,
        /// Go on with what it writes from now on, until SIGINT
        #[arg(short, long)]
        follow: bool,
        /// Which node.
        #[command(flatten)]
        node: Node,
    },
}

/// A guest by name.
#[derive(Debug, Args)]
pub struct OneGuest {
    /// Name of the guest, which is that of its PI
    pub name: String,
    /// Which node.
    #[command(flatten)]
    pub node: Node,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode provision`
#[derive(Debug, Args)]
pub struct Provision {
    /// What is asked for (docs/provision.md)
    #[arg(long, value_name = "FILE")]
    pub demands: PathBuf,
    /// results.json of `pinode measure`, for CPU time and the node's own latency
    #[arg(long, value_name = "FILE")]
    pub fits: Option<PathBuf>,
    /// Where the configuration goes [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode capture`
#[derive(Debug, Args)]
pub struct Capture {
    /// PORT, or GUEST/PORT for the guest's vif
    #[arg(value_name = "PORT|GUEST/PORT")]
    pub at: CapturePoint,
    /// Where to [default: stdout, if it is no terminal]
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    pub seconds: Option<f64>,
    /// Which node.
    #[command(flatten)]
    pub node: Node,
}

/// A phase: `can=80us`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseArg {
    /// Its PI, or `none`.
    pub pi: String,
    /// Its length.
    pub duration: Nanoseconds,
}

impl FromStr for PhaseArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((pi, duration)) = text.split_once('=').filter(|(pi, _)| !pi.is_empty()) else {
            return Err("allowed: PI=DURATION, such as can=80us".to_owned());
        };
        let duration = duration
            .parse::<Nanoseconds>()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            pi: pi.to_owned(),
            duration,
        })
    }
}

/// When a schedule takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseTime {
    /// Nanoseconds of CLOCK_TAI.
    At(u64),
    /// So long from now.
    In(Nanoseconds),
}

impl FromStr for BaseTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.strip_prefix('+') {
            Some(duration) => duration.parse().map(Self::In).ok(),
            None => text.parse().map(Self::At).ok(),
        };
        parsed.ok_or_else(|| {
            "allowed: nanoseconds of CLOCK_TAI, such as 1795000000000000000, or +DURATION, such as \
             +10ms"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                let help = sub
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(help.starts_with("Example:\n  pinode "), "{path}: {help}");
                check(sub, &path);
            }
        }
        let top = Cli::command().get_after_help().map(ToString::to_string);
        assert!(top.is_some_and(|help| help.starts_with("Example:\n  pinode demo\n")));
        check(&Cli::command(), "pinode");
    }

    #[test]
    fn who_listens_asks_for_no_traffic() {
        let address = "47".repeat(20);
        let add = ["pinode", "dss", "permanent", "add", "screen", "east", "200"];
        let listens = add.into_iter().chain(["--listen", &address]);
        let taken = |more: &[&str]| {
            let all = listens.clone().chain(more.iter().copied());
            Cli::try_parse_from(all).is_ok()
        };
        assert!(taken(&[]));
        for more in [["--cdvt", "9ms"], ["--rate", "1Mbps"], ["--back", "1Mbps"]] {
            assert!(!taken(&more), "{more:?}");
        }
    }

    #[test]
    fn the_demo_lasts_from_two_seconds_to_an_hour() {
        for wrong in ["1", "1.99", "-5", "0", "3601", "nan", "inf", "abc", ""] {
            let error = Cli::try_parse_from(["pinode", "demo", "--seconds", wrong]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong}");
            assert!(error.to_string().contains("from 2 to 3600"), "{error}");
        }
        for (right, seconds) in [("2", 2.0), ("2.5", 2.5), ("3600", 3600.0)] {
            let cli = Cli::try_parse_from(["pinode", "demo", "--seconds", right]).unwrap();
            let Some(Command::Demo(demo)) = cli.command else {
                panic!("{right}: no demo")
            };
            assert_eq!(demo.seconds.to_bits(), f64::to_bits(seconds));
        }
    }

    #[test]
    fn phases_and_base_times() {
        let phase = PhaseArg {
            pi: "can".into(),
            duration: Nanoseconds(80_000),
        };
        assert_eq!("can=80us".parse(), Ok(phase));
        assert!("can".parse::<PhaseArg>().is_err());
        assert!("=80us".parse::<PhaseArg>().is_err());
        assert!(
            "can=80"
                .parse::<PhaseArg>()
                .is_err_and(|e| e.contains("ns, us, ms or s"))
        );
        assert_eq!("17".parse(), Ok(BaseTime::At(17)));
        assert_eq!("+10ms".parse(), Ok(BaseTime::In(Nanoseconds(10_000_000))));
        assert!("10ms".parse::<BaseTime>().is_err());
        assert!("-1".parse::<BaseTime>().is_err());
    }
}
