//! What gates promise, held against a running node: goodput against ceilings, isolation, precision.
//!
//! `bench/gated` is the command.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use pinode_bench::compare::order;
use pinode_bench::gated::{self, Goodput, Others, Phase, Plan, Ports, Precision};
use pinode_bench::machine::Machine;
use serde::Serialize;

#[path = "gated/tables.rs"]
mod tables;

/// Goodput of gated PIs against their ceilings, their isolation from each other's load, and the precision of the edges.
#[derive(Parser)]
#[command(name = "gated")]
struct Args {
    /// What to measure; everything if left out.
    what: Option<What>,
    /// Links: capacity in Gb/s and phase of each of the three PIs in microseconds.
    #[arg(long, value_delimiter = ',', default_value = "1x100,10x20")]
    links: Vec<Link>,
    /// What the ports can do: hold frames until their computed start, or send at once what they are handed.
    #[arg(long, value_delimiter = ',', default_value = "launch,immediate")]
    ports: Vec<Ports>,
    /// Octets of a frame, with FCS; by default the seven of `pinode check` for goodput, 79 and 512 for isolation,
    /// 79 and 1518 for precision.
    #[arg(long, value_delimiter = ',')]
    sizes: Option<Vec<u16>>,
    /// Rounds; each runs everything once.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// What saturated PIs are offered, by their ceiling.
    #[arg(long, default_value_t = 1.2)]
    load: f64,
    /// What the others are offered in the loaded phases of isolation, by their ceiling.
    #[arg(long, default_value_t = 10.0)]
    others: f64,
    /// Policers of the others in isolation, by their ceiling; none if left out.
    #[arg(long)]
    police: Option<f64>,
    /// Low load for the latency of lone frames, by the ceiling.
    #[arg(long, default_value_t = 0.01)]
    low: f64,
    /// Goodput in both directions at once.
    #[arg(long)]
    both: bool,
    /// Descriptors of each ring.
    #[arg(long, default_value_t = 4096)]
    queue: u16,
    /// Guests as host threads instead of virtual machines.
    #[arg(long)]
    threads: bool,
    /// Least time between two wake-ups of a guest, microseconds; the node's own if left out.
    #[arg(long)]
    wake_interval: Option<u32>,
    /// Core of the worker, core of the guests.
    #[arg(long, value_delimiter = ',', default_value = "0,1", num_args = 1)]
    cpus: Vec<usize>,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Goodput,
    Isolation,
    Precision,
}

/// C and T_p.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Link {
    capacity_gbps: u32,
    phase_us: u32,
}

impl std::str::FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not Gb/s x microseconds, such as 1x100");
        let (capacity, phase) = text.split_once('x').ok_or_else(wrong)?;
        let number = |text: &str| text.parse().ok().filter(|n| *n > 0).ok_or_else(wrong);
        Ok(Self {
            capacity_gbps: number(capacity)?,
            phase_us: number(phase)?,
        })
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} Gb/s, 3 x {} us", self.capacity_gbps, self.phase_us)
    }
}

/// What is measured once a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Case {
    ports: Ports,
    link: Link,
    size: u16,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ports = match self.ports {
            Ports::Launch => "launch time",
            Ports::Immediate => "immediate",
        };
        write!(f, "{} | {ports} | {}", self.link, self.size)
    }
}

/// What came of one measurement.
#[derive(Debug, Serialize)]
struct Run<T> {
    round: usize,
    #[serde(flatten)]
    case: Case,
    found: T,
}

#[derive(Debug, Default, Serialize)]
struct Runs {
    goodput: Vec<Run<Goodput>>,
    isolation: Vec<Run<Phase>>,
    precision: Vec<Run<Precision>>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    isolation: &'static str,
    queue: u16,
    seconds: f64,
    load: f64,
    others: f64,
    police: Option<f64>,
    low: f64,
    cpus: Vec<usize>,
    runs: Runs,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(args.cpus.len() == 2, "--cpus takes two cores, such as 0,1");
    let machine = Machine::this();
    println!("{machine}");
    println!(
        "worker on core {}, three guests ({}) with builtin:patch on core {}, rings of {}; {} rounds of {} s\n",
        args.cpus[0],
        kind(&args),
        args.cpus[1],
        args.queue,
        args.rounds,
        args.seconds
    );
    let mut runs = Runs::default();
    if args.wants(What::Goodput) {
        args.goodput(&mut runs)?;
        tables::goodput(&args, &runs.goodput);
    }
    if args.wants(What::Isolation) {
        args.isolation(&mut runs)?;
        tables::isolation(&args, &runs.isolation);
    }
    if args.wants(What::Precision) {
        args.precision(&mut runs)?;
        tables::precision(&args, &runs.precision);
    }
    if let Some(file) = &args.json {
        let document = Document {
            schema: "pinode-bench-gated/1",
            machine,
            isolation: kind(&args),
            queue: args.queue,
            seconds: args.seconds,
            load: args.load,
            others: args.others,
            police: args.police,
            low: args.low,
            cpus: args.cpus.clone(),
            runs,
        };
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(file, text + "\n").with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

fn kind(args: &Args) -> &'static str {
    if args.threads {
        "host threads"
    } else {
        "virtual machines"
    }
}

impl Args {
    fn wants(&self, what: What) -> bool {
        self.what.is_none_or(|only| only == what)
    }

    /// Every link with every size and kind of port.
    fn cases(&self, sizes: &[u16]) -> Vec<Case> {
        let sizes = self.sizes.as_deref().unwrap_or(sizes);
        let mut cases = Vec::new();
        for &link in &self.links {
            for &size in sizes {
                let case = |&ports| Case { ports, link, size };
                cases.extend(self.ports.iter().map(case));
            }
        }
        cases
    }

    fn plan(&self, case: Case) -> Plan {
        Plan {
            capacity_gbps: case.link.capacity_gbps,
            phase_us: case.link.phase_us,
            size: case.size,
            ports: case.ports,
            queue: self.queue,
            threads: self.threads,
            police: [None; gated::PIS],
            wake_interval_us: self.wake_interval,
            cpus: (self.cpus[0], self.cpus[1]),
        }
    }

    fn span(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn goodput(&self, runs: &mut Runs) -> anyhow::Result<()> {
        let cases = self.cases(&tables::SIZES);
        for round in 0..self.rounds {
            for at in order(cases.len(), round) {
                let case = cases[at];
                let plan = self.plan(case);
                let found = gated::goodput(&plan, self.load, self.both, self.span())
                    .with_context(|| format!("{case}"))?;
                for found in found {
                    eprintln!(
                        "round {}, {case}: least share {:.4}, overruns {}, outside {}, above C {}, late {}",
                        round + 1,
                        found.least_share(),
                        found.overruns(),
                        found.fit.outside,
                        found.overlaps,
                        found.late
                    );
                    runs.goodput.push(Run { round, case, found });
                }
            }
        }
        Ok(())
    }

    fn isolation(&self, runs: &mut Runs) -> anyhow::Result<()> {
        for case in self.cases(&[79, 512]) {
            let mut plan = self.plan(case);
            for police in plan.police.iter_mut().skip(1) {
                *police = self.police;
            }
            let phases = gated::isolation(&plan, self.others, self.rounds, self.span())
                .with_context(|| format!("{case}"))?;
            for found in phases {
                eprintln!(
                    "round {}, {case}, others {:?}: {} sent, {} lost, {} unsent, p99 {:.1} us",
                    found.round + 1,
                    found.others,
                    found.sent,
                    found.lost,
                    found.unsent,
                    found.latency_ns.p99 as f64 / 1e3
                );
                runs.isolation.push(Run {
                    round: found.round,
                    case,
                    found,
                });
            }
        }
        Ok(())
    }

    fn precision(&self, runs: &mut Runs) -> anyhow::Result<()> {
        let cases = self.cases(&[79, 1518]);
        for round in 0..self.rounds {
            for at in order(cases.len(), round) {
                let case = cases[at];
                let plan = self.plan(case);
                let found = gated::precision(&plan, self.load, self.low, self.span())
                    .with_context(|| format!("{case}"))?;
                eprintln!(
                    "round {}, {case}: gate error p99 {} ns, {:.2} times the floor's",
                    round + 1,
                    found.gate_error_ns.p99,
                    found.ratio()
                );
                runs.precision.push(Run { round, case, found });
            }
        }
        Ok(())
    }
}

/// The phases of one kind, in the order of the rounds.
fn phases(runs: &[Run<Phase>], case: Case, others: Others) -> Vec<&Phase> {
    let mut of: Vec<&Phase> = runs
        .iter()
        .filter(|run| (run.case, run.found.others) == (case, others))
        .map(|run| &run.found)
        .collect();
    of.sort_by_key(|phase| phase.round);
    of
}
