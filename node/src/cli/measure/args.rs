//! The command line of `pinode measure` as it is written. Nothing is done here.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use pinode_measure::compare::{DataSet, Metric};
use pinode_measure::export;
use pinode_measure::results::Test;
use pinode_ports::InterfaceName;

use super::super::args::{Format, IsolationArg};
use crate::config::{BitRate, Nanoseconds};
use crate::measure::DEFAULT_OUT;
use crate::measure::asked::{Backend, FrameSize, Profile, Rate, Search, Share, StreamAsked};

/// `pinode measure`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Measure {
    /// With results, or as the far end of another tester.
    #[command(subcommand)]
    pub command: Option<MeasureCommand>,
    /// A measurement.
    #[command(flatten)]
    pub run: MeasureRun,
}

/// Examples of `pinode measure`.
pub const EXAMPLE: &str = "Example:
  pinode measure
  pinode measure --profile rfc2544 --sizes 79,128,256,512,1024,1280,1518 --duration 60s --out DIR
  pinode measure --profile seed --quick
  pinode measure -c node.toml --test latency --sizes imix
  pinode measure --test saturation --sizes 79
  pinode measure --tx eth1 --rx eth2 --capacity 10Gbps
  pinode measure --tx eth1 --rx eth2 --stream encap=plain,dst=02:00:00:00:00:02,size=512
  pinode measure compare before/results.json after/results.json

Results go to results.json, results.csv and report.html in --out. Ctrl-C ends the trial that runs; what was measured
by then is kept and marked as partial, and the exit code is 130.";

/// What to measure.
#[derive(Debug, Args)]
pub struct MeasureRun {
    /// Which tests at which sizes and times [default: quick]
    #[arg(long, value_enum)]
    pub profile: Option<ProfileArg>,
    /// These tests alone [default: those of the profile]
    #[arg(long = "test", value_enum, value_name = "TEST", value_delimiter = ',')]
    pub tests: Vec<TestArg>,
    /// Frame sizes: octets with FCS, imix, imix:7x79+4x594+1x1518, random:FROM-TO [default: those of the profile]
    #[arg(long, value_name = "SIZE", value_delimiter = ',')]
    pub sizes: Vec<FrameSize>,
    /// Time of a trial [default: the profile's; RFC 2544 has 60s]
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<Nanoseconds>,
    /// Short trials and few of them
    #[arg(long)]
    pub quick: bool,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    pub out: PathBuf,
    /// A node of this configuration, in this process, its ports in memory [default: three PIs through builtin:patch]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["tx", "rx"])]
    pub config: Option<PathBuf>,
    /// How guest functions run [default: as the configuration says, or kvm]
    #[arg(long, value_enum, conflicts_with_all = ["tx", "rx"])]
    pub isolation: Option<IsolationArg>,
    /// Measure what is between two interfaces: frames enter here
    #[arg(long, value_name = "IF", requires = "rx")]
    pub tx: Option<InterfaceName>,
    /// Frames are expected here
    #[arg(long, value_name = "IF", requires = "tx")]
    pub rx: Option<InterfaceName>,
    /// Socket on the interfaces [default: af_xdp, or af_packet where that cannot be had]
    #[arg(long, value_enum, requires = "tx")]
    pub backend: Option<BackendArg>,
    /// Rate of the links [default: what the interfaces say of themselves]
    #[arg(long, value_name = "RATE", requires = "tx")]
    pub capacity: Option<BitRate>,
    /// How throughput is searched [default: mlrsearch; rfc2544: binary]
    #[arg(long, value_enum)]
    pub search: Option<SearchArg>,
    /// Loss ratio that throughput allows: RFC 2544 has 0
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub loss_ratio: Share,
    /// Width of the interval at which a search ends, as a share of the rate [default: the profile's]
    #[arg(long, value_name = "SHARE")]
    pub resolution: Option<Share>,
    /// Repetitions of a test that is repeated, 1 to 1000 [default: the profile's; RFC 2544 has 20, RFC 9004 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: Option<u32>,
    /// Rate of each stream: frames per second (20kfps), bits per second (100Mbps), or share of its ceiling (80%)
    /// [default: what each test has]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// A stream: pi=,vn=,size=,rate=,from=west|east,dst=,src=,dst_ip=,src_ip=,encap=pih|plain,udp,dscp=
    /// (repeatable) [default: one of each PI]
    #[arg(long = "stream", value_name = "SPEC")]
    pub streams: Vec<StreamAsked>,
    /// Streams both ways at once
    #[arg(long)]
    pub bidirectional: bool,
    /// What resets the device, run by sh [default: the guests of the node start again]
    #[arg(long, value_name = "CMD")]
    pub reset_command: Option<String>,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// What else there is.
#[derive(Debug, Subcommand)]
pub enum MeasureCommand {
    /// Say whether results differ, by Student's t at 95 %
    #[command(
        after_help = "Example:\n  pinode measure compare before/results.json after/results.json\n  pinode measure compare a1.json,a2.json,a3.json b1.json,b2.json,b3.json --metric throughput\n\nFiles joined by commas are repetitions of one measurement. Files of plain numbers, one a line, are compared, too."
    )]
    Compare(CompareArgs),
    /// Be one end alone, whose other end is another tester
    #[command(
        after_help = "Example:\n  pinode measure serve --rx eth2\n  pinode measure serve --tx eth1 --stream pi=can,size=512,rate=100Mbps --duration 60s --json\n\nEnds with SIGINT or after --duration, and says what passed."
    )]
    Serve(ServeArgs),
    /// Write the same streams for another tester
    #[command(
        after_help = "Example:\n  pinode measure export --format trex --size 79 --rate 100kfps --out streams\n  pinode measure export --format pcap --stream pi=can,size=imix,rate=50Mbps --out streams"
    )]
    Export(ExportArgs),
    /// Read what another tester found (CSV) and make a report of it
    #[command(
        after_help = "Example:\n  pinode measure import spirent.csv --capacity 10Gbps --out DIR\n\ndocs/testers.md names the columns."
    )]
    Import(ImportArgs),
}

/// `pinode measure compare`
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Results; the first is what the others are held against
    #[arg(required = true, num_args = 2.., value_name = "FILE[,FILE]")]
    pub sets: Vec<DataSet>,
    /// These figures alone: throughput, latency_mean, latency_p99, loss, received, back_to_back, recovery, cpu
    /// [default: of each test what it is made for]
    #[arg(long = "metric", value_name = "METRIC", value_delimiter = ',')]
    pub metrics: Vec<Metric>,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode measure serve`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("ends").args(["tx", "rx"]).required(true).multiple(true))]
pub struct ServeArgs {
    /// Send here
    #[arg(long, value_name = "IF")]
    pub tx: Option<InterfaceName>,
    /// Count what comes here
    #[arg(long, value_name = "IF")]
    pub rx: Option<InterfaceName>,
    /// Socket [default: af_xdp, or af_packet where that cannot be had]
    #[arg(long, value_enum)]
    pub backend: Option<BackendArg>,
    /// Rate of the link [default: what the interface says of itself]
    #[arg(long, value_name = "RATE")]
    pub capacity: Option<BitRate>,
    /// Frame size of streams that name none
    #[arg(long, value_name = "SIZE", default_value = "79")]
    pub size: FrameSize,
    /// Rate of streams that name none [default: an equal share of the link]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// A stream, as of `pinode measure` (repeatable) [default: one of each PI]
    #[arg(long = "stream", value_name = "SPEC")]
    pub streams: Vec<StreamAsked>,
    /// End then [default: with SIGINT]
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<Nanoseconds>,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode measure export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Whom it is for: pcap, trafgen, scapy, trex
    #[arg(long, value_name = "FORMAT")]
    pub format: export::Format,
    /// Frame size of streams that name none
    #[arg(long, value_name = "SIZE", default_value = "79")]
    pub size: FrameSize,
    /// Rate of streams that name none [default: their ceilings]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// A stream, as of `pinode measure` (repeatable) [default: one of each PI]
    #[arg(long = "stream", value_name = "SPEC")]
    pub streams: Vec<StreamAsked>,
    /// Streams for a node of this configuration [default: three PIs through builtin:patch]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Frames of the slowest stream
    #[arg(long, value_name = "N", default_value_t = export::FRAMES, value_parser = clap::value_parser!(u32).range(1..))]
    pub frames: u32,
    /// Folder of the files
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `pinode measure import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What the other tester wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// PI of lines that name none [default: all]
    #[arg(long, value_name = "NAME")]
    pub pi: Option<String>,
    /// Rate of the link, for percentages and ceilings
    #[arg(long, value_name = "RATE")]
    pub capacity: Option<BitRate>,
    /// Test of lines that name none
    #[arg(long, value_enum, value_name = "TEST")]
    pub test: Option<TestArg>,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    pub out: PathBuf,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// Which tests at which sizes and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// A minute's look: throughput, latency, loss, saturation
    Quick,
    /// RFC 2544's and RFC 9004's tests, times and sizes (hours; --quick: a minute's work)
    Rfc2544,
    /// Three streams at 10 to 330 Mb/s, CPU use by PI, fits
    Seed,
}

impl From<ProfileArg> for Profile {
    fn from(arg: ProfileArg) -> Self {
        match arg {
            ProfileArg::Quick => Self::Quick,
            ProfileArg::Rfc2544 => Self::Rfc2544,
            ProfileArg::Seed => Self::Seed,
        }
    }
}

/// A test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum TestArg {
    /// RFC 2544 26.1, RFC 9971
    Throughput,
    /// RFC 2544 26.2
    Latency,
    /// RFC 2544 26.3
    Loss,
    /// RFC 9004
    BackToBack,
    /// RFC 2544 26.5
    Recovery,
    /// RFC 2544 26.6, RFC 6201
    Reset,
    /// All streams above their ceilings
    Saturation,
    /// What node.toml demands of each PI, and nothing more (ITU-T Y.1564)
    Demand,
}

impl From<TestArg> for Test {
    fn from(arg: TestArg) -> Self {
        match arg {
            TestArg::Throughput => Self::Throughput,
            TestArg::Latency => Self::Latency,
            TestArg::Loss => Self::Loss,
            TestArg::BackToBack => Self::BackToBack,
            TestArg::Recovery => Self::Recovery,
            TestArg::Reset => Self::Reset,
            TestArg::Saturation => Self::Saturation,
            TestArg::Demand => Self::Demand,
        }
    }
}

/// How throughput is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SearchArg {
    /// RFC 2544 26.1 by halving
    Binary,
    /// RFC 9971
    Mlrsearch,
}

impl From<SearchArg> for Search {
    fn from(arg: SearchArg) -> Self {
        match arg {
            SearchArg::Binary => Self::Binary,
            SearchArg::Mlrsearch => Self::Mlrsearch,
        }
    }
}

/// Which socket carries frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum BackendArg {
    /// AF_XDP sockets
    AfXdp,
    /// AF_PACKET sockets
    AfPacket,
}

impl From<BackendArg> for Backend {
    fn from(arg: BackendArg) -> Self {
        match arg {
            BackendArg::AfXdp => Self::AfXdp,
            BackendArg::AfPacket => Self::AfPacket,
        }
    }
}
