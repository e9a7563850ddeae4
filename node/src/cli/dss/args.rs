//! `pinode dss` as clap reads it.

use clap::{Args, Subcommand};
use pinode_signaling::Prefix;

use crate::cli::args::{Format, Node};

/// Help of `pinode dss`.
pub const EXAMPLE: &str = "\
Example:
  pinode dss list
  pinode dss show 17
  pinode dss close 17
  pinode dss route add 47.0005.80/24 east";

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
    /// Speak the signalling of a node
    #[command(hide = true)]
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
    /// Send calls to addresses that begin so out of a port, until the node ends
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

/// `pinode dss daemon`
#[derive(Debug, Args)]
pub struct Daemon {
    /// As a node's child, which it hears on its standard input
    #[arg(long, required = true)]
    pub node: bool,
}
