//! The `pinode` command: reads the command line, calls the part that does it, and turns the
//! outcome into output and an exit code.
//!
//! ```text
//! args      what can be written
//! client    the control socket's other end
//! inspect   check, status
//! change    phases, guest
//! dss       dss
//! ipv6      ipv6
//! notation  phases export, phases import
//! provision provision
//! watch     console, capture
//! measure   measure
//! machine   what `run` needs of this machine
//! cpu       what the program itself needs of it
//! failure   exit codes
//! ```
//!
//! Results go to stdout, everything else to stderr; with `--json` stdout is one document.

pub mod args;
mod change;
pub mod client;
mod cpu;
mod dss;
mod failure;
mod inspect;
mod ipv6;
mod machine;
mod measure;
mod notation;
mod provision;
mod watch;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use serde::Serialize;
use tracing::level_filters::LevelFilter;

use args::{Cli, Command};
use failure::Failure;

use crate::api;
use crate::assemble;
use crate::config::{self, ConfigError, NodeConfig};
use crate::dataplane::clock;
use crate::demo::{self, DemoOptions};
use crate::run;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    if let Err(error) = cpu::check() {
        return Failure::Failed(error).report();
    }
    let outcome = match Cli::parse().command {
        None => Cli::command().print_help().map_err(Failure::from),
        Some(command) => execute(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => {
            log(LevelFilter::WARN)?;
            let args::Demo {
                seconds,
                out,
                isolation,
                format,
            } = args;
            let isolation = isolation.into();
            demo::run(&DemoOptions {
                seconds,
                out,
                json: format.json,
                isolation,
                program: std::env::args().next().unwrap_or_else(|| "pinode".into()),
            })
            .map_err(Failure::Failed)
        }
        Command::Run(args) => {
            log(LevelFilter::INFO)?;
            let config = load(&args.config)?;
            machine::check(&args.config, &config).map_err(Failure::Failed)?;
            base_times(&args.config, &config)?;
            let socket = args
                .socket
                .unwrap_or_else(|| api::default_path(&config.name));
            // Found out before guests are booted and interfaces taken.
            api::Socket::check(&socket).map_err(|error| Failure::Failed(error.into()))?;
            run::run(config, &socket).map_err(Failure::Failed)
        }
        Command::Check(args) => inspect::check(&args),
        Command::Status(args) => inspect::status(&args),
        Command::Phases(args) => change::phases(args),
        Command::Guest(args) => change::guest(args),
        Command::Ipv6(args) => ipv6::run(args),
        Command::Dss(args) => {
            log(LevelFilter::WARN)?;
            dss::run(args)
        }
        Command::Measure(args) => measure::measure(*args),
        Command::Provision(args) => provision::run(&args),
        Command::Capture(args) => watch::capture(&args),
    }
}

/// Base times have to be right now, and not only at some time: no configuration is wrong by itself
/// because of one.
fn base_times(file: &Path, config: &NodeConfig) -> Result<(), Failure> {
    let now_tai_ns = clock::tai_ns();
    for port in &config.ports {
        assemble::check_base_time(port.base_tai_ns, now_tai_ns).map_err(|far| {
            let at = format!("port.{}.cycle.base_time", port.name);
            Failure::Usage(format!("{}: {at}: {far}", file.display()))
        })?;
    }
    Ok(())
}

fn load(path: &Path) -> Result<NodeConfig, ConfigError> {
    config::load(path, pinode_images::BUILTIN_NAMES)
}

/// Logs to stderr: `PINODE_LOG`, or `default`.
fn log(default: LevelFilter) -> Result<(), Failure> {
    let level = match std::env::var("PINODE_LOG") {
        Err(_unset) => default,
        Ok(word) => word.parse().map_err(|_| {
            let allowed = "off, error, warn, info, debug, trace";
            Failure::Usage(format!(
                "PINODE_LOG: {word:?} is not allowed; allowed: {allowed}"
            ))
        })?,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    Ok(())
}

/// Prints a result.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Failure::from)
}

/// Prints a result as one JSON document.
fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(|e| Failure::Failed(e.into()))?;
    print(&(text + "\n"))
}
