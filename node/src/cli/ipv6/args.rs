//! `pinode ipv6` as clap reads it: the object, which node and guest; what follows are words.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::{Format, Node};

/// Help of `pinode ipv6`.
pub const EXAMPLE: &str = "\
Example:
  pinode ipv6 route add 2001:db8:9::/48 via 2001:db8:2::9
  pinode ipv6 route get 2001:db8:9::1
  pinode ipv6 addr
  pinode ipv6 neigh show dev east
  pinode ipv6 batch routes.txt

Objects and verbs may be shortened as far as they stay clear: pinode ipv6 r a ...
What is changed outlives a restart of the guest, and not one of the node: node.toml does.";

/// `pinode ipv6`
#[derive(Debug, Subcommand)]
pub enum Ipv6 {
    /// Addresses of interfaces
    #[command(
        alias = "address",
        after_help = "\
Example:
  pinode ipv6 addr add 2001:db8:1::1/64 dev west
  pinode ipv6 addr show dev west.5

Words:
  add|replace ADDRESS/LENGTH dev DEV
  del ADDRESS/LENGTH dev DEV
  show [DEV] [vn N]"
    )]
    Addr(Words),
    /// Routes
    #[command(after_help = "\
Example:
  pinode ipv6 route add 2001:db8:9::/48 via 2001:db8:2::9
  pinode ipv6 route add default via fe80::1 dev east vn 5
  pinode ipv6 route get 2001:db8:9::1 --json

Words:
  add|replace PREFIX [via ADDRESS] [dev DEV] [vn N] [unicast|blackhole|unreachable|prohibit]
  del PREFIX [vn N]
  show [all] [vn N] [dev DEV]     all: those to the router's own addresses too
  get ADDRESS [vn N]
  flush all|[vn N] [dev DEV]      what was set, not what follows from addresses")]
    Route(Words),
    /// Neighbours
    #[command(aliases = ["neighbour", "neighbor"], after_help = "\
Example:
  pinode ipv6 neigh add 2001:db8:2::9 lladdr 02:00:00:00:00:09 dev east
  pinode ipv6 neigh flush dev east

Words:
  add|replace ADDRESS lladdr MAC dev DEV
  del ADDRESS dev DEV
  show [vn N] [dev DEV]
  flush all|[vn N] [dev DEV]      what was learned")]
    Neigh(Words),
    /// Interfaces: a port in a virtual network each
    #[command(after_help = "\
Example:
  pinode ipv6 link show west

Words:
  show [DEV] [vn N]")]
    Link(Words),
    /// Tables of prefixes that rules name
    #[command(after_help = "\
Example:
  pinode ipv6 table add bad-hosts 2001:db8:bad::/48 2001:db8:6::6
  pinode ipv6 filter add from table:bad-hosts drop

Words:
  add|replace|del NAME PREFIX...
  show [NAME]
  flush NAME")]
    Table(Words),
    /// Policers: srTCM (RFC 2697), trTCM (RFC 2698)
    #[command(after_help = "\
Example:
  pinode ipv6 policer add gold srtcm cir 10Mbps cbs 64KiB ebs 64KiB yellow AF12 red drop
  pinode ipv6 class add proto udp dport 5004 mark AF11 policer gold

Words:
  add|replace NAME srtcm cir RATE cbs OCTETS ebs OCTETS [aware] [green DO] [yellow DO] [red DO]
  add|replace NAME trtcm cir RATE cbs OCTETS pir RATE pbs OCTETS [aware] [green DO] [yellow DO] [red DO]
  del NAME
  show
  DO: pass|precedence|drop|DSCP")]
    Policer(Words),
    /// Rules that give packets a class: the first that matches is taken
    #[command(after_help = "\
Example:
  pinode ipv6 class add prio 10 from 2001:db8:1::/64 proto udp dport 5004-5005 mark EF
  pinode ipv6 class del 10

Words:
  add|replace [prio N] MATCH [mark DSCP] [policer NAME]
  del N
  show
  MATCH: [vn N] [dev DEV] [local yes|no] [from PREFIX|table:NAME] [to PREFIX|table:NAME] [proto PROTOCOL]
         [sport PORTS] [dport PORTS] [type TYPES] [dscp DSCP] [fragment yes|no]")]
    Class(Words),
    /// Filter rules: the first that matches decides, what none matches passes
    #[command(after_help = "\
Example:
  pinode ipv6 filter add prio 10 dev west to 2001:db8:2::/64 proto tcp dport 80 track
  pinode ipv6 filter add prio 20 dev east to 2001:db8:2::/64 drop
  pinode ipv6 filter del 20

Words:
  add|replace [prio N] MATCH accept|drop|reject|track
  del N
  show
  MATCH: [vn N] [dev DEV] [local yes|no] [from PREFIX|table:NAME] [to PREFIX|table:NAME] [proto PROTOCOL]
         [sport PORTS] [dport PORTS] [type TYPES] [dscp DSCP] [fragment yes|no]")]
    Filter(Words),
    /// Flows that are let pass
    #[command(after_help = "\
Example:
  pinode ipv6 flow show vn 5

Words:
  show [vn N] [dev DEV]
  flush all|[vn N] [dev DEV]")]
    Flow(Words),
    /// Counters of the router
    #[command(after_help = "\
Example:
  pinode ipv6 counters --json

Words:
  [show] [vn N] [dev DEV]")]
    Counters(Words),
    /// Many commands from a file, a line each
    #[command(after_help = "\
Example:
  pinode ipv6 batch routes.txt
  printf 'route add 2001:db8:9::/48 via 2001:db8:2::9\\n' | pinode ipv6 batch -

Lines are words as above without `pinode ipv6`, # begins a comment; add, replace and del alone. All lines are read
before anything is done; one that the router refuses ends it, those before it stay done.")]
    Batch(Batch),
}

/// Which router.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// Name of the guest [default: the one that runs builtin:ipv6qos]
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// Which node.
    #[command(flatten)]
    pub node: Node,
}

/// A command in words.
#[derive(Debug, Args)]
pub struct Words {
    /// What to do, in words as below
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Which router.
    #[command(flatten)]
    pub target: Target,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}

/// `pinode ipv6 batch`
#[derive(Debug, Args)]
pub struct Batch {
    /// The file; - for what comes on stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which router.
    #[command(flatten)]
    pub target: Target,
    /// How the result is printed.
    #[command(flatten)]
    pub format: Format,
}
