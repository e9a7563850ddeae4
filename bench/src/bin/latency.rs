//! Latency through one guest at shares of the no-drop rate, DPDK's vhost-user path and the node in turn.
//!
//! `bench/latency` is the command: it sees to DPDK, to huge pages and to the host's side for DPDK.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use pinode_bench::compare::{Spread, order, ratios};
use pinode_bench::dpdk::{self, Pacer, Place, Ring, Variant};
use pinode_bench::latency::{Arm, Criterion, Load, NodeArm, Search};
use pinode_bench::machine::Machine;
use pinode_bench::node::Setup;
use serde::Serialize;

/// Latency through a guest at 10, 50 and 90 % of the no-drop rate: DPDK (packed ring) and the node.
#[derive(Parser)]
#[command(name = "latency")]
struct Args {
    /// Octets of a frame, with FCS.
    #[arg(long, default_value_t = 79)]
    size: u16,
    /// Shares of the no-drop rate, percent.
    #[arg(long, value_delimiter = ',', default_value = "10,50,90")]
    loads: Vec<f64>,
    /// Rounds; each runs both arms at every load.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Part of the frames that the part-drop rate may lose, percent.
    #[arg(long, default_value_t = 0.1)]
    part: f64,
    /// Core of the host's side, core of the guest.
    #[arg(long, value_delimiter = ',', default_value = "0,1", num_args = 1)]
    cpus: Vec<usize>,
    /// Descriptors of each ring of the node (DPDK's have 1024).
    #[arg(long, default_value_t = 1024)]
    queue: u16,
    /// The node's guest as a host thread: without what the hypervisor adds.
    #[arg(long)]
    threads: bool,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// A mounted hugetlbfs of 2 MiB pages, for DPDK; without it only the node runs.
    #[arg(long)]
    huge_dir: Option<PathBuf>,
    /// The built pvp-latency/latency.c.
    #[arg(long)]
    pacer: Option<PathBuf>,
}

/// What an arm carries.
#[derive(Debug, Clone, Copy, Serialize)]
struct Rates {
    saturated_fps: f64,
    ndr_fps: f64,
    pdr_fps: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Dpdk,
    Node,
    /// The node at the rates of DPDK.
    NodeAtDpdkRate,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Dpdk => "DPDK packed",
            Self::Node => "node",
            Self::NodeAtDpdkRate => "node at DPDK's rate",
        }
    }
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Run {
    round: usize,
    side: Side,
    load_percent: f64,
    fps: f64,
    p50_ns: f64,
    p99_ns: f64,
    lost_share: f64,
    late_share: f64,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    dpdk: String,
    size: u16,
    cpus: Vec<usize>,
    seconds: f64,
    dpdk_rates: Option<Rates>,
    node_rates: Rates,
    runs: Vec<Run>,
}

/// What both arms are started with.
struct Bench {
    args: Args,
    dpdk: Option<(Place, PathBuf)>,
    _run_dir: tempfile::TempDir,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(args.cpus.len() == 2, "--cpus takes two cores, such as 0,1");
    ensure!(
        (79..=1518).contains(&args.size),
        "--size: allowed are 79 to 1518 octets, with FCS"
    );
    let bench = Bench::new(args)?;
    let machine = Machine::this();
    println!("{machine}, DPDK {}", dpdk::version());
    println!(
        "{} octets with FCS; host side on core {}, guest on core {}\n",
        bench.args.size, bench.args.cpus[0], bench.args.cpus[1]
    );
    let dpdk_rates = match &bench.dpdk {
        Some(_) => Some(bench.rates("DPDK packed", &mut bench.start_dpdk()?)?),
        None => None,
    };
    let node_rates = bench.rates("node", &mut bench.start_node()?)?;
    let runs = bench.rounds(dpdk_rates, node_rates)?;
    table(&bench.args, &runs);
    if let Some(file) = &bench.args.json {
        let document = Document {
            schema: "pinode-bench-latency/1",
            machine,
            dpdk: dpdk::version(),
            size: bench.args.size,
            cpus: bench.args.cpus.clone(),
            seconds: bench.args.seconds,
            dpdk_rates,
            node_rates,
            runs,
        };
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(file, text + "\n").with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

impl Bench {
    fn new(args: Args) -> anyhow::Result<Self> {
        let run_dir = tempfile::tempdir().context("no folder for the socket")?;
        let dpdk = match (&args.huge_dir, &args.pacer) {
            (Some(huge_dir), Some(pacer)) => {
                let place = Place {
                    host_cpu: args.cpus[0],
                    guest_cpu: args.cpus[1],
                    huge_dir: huge_dir.clone(),
                    run_dir: run_dir.path().to_owned(),
                };
                Some((place, pacer.clone()))
            }
            _ => None,
        };
        Ok(Self {
            args,
            dpdk,
            _run_dir: run_dir,
        })
    }

    fn start_dpdk(&self) -> anyhow::Result<Pacer> {
        let (place, program) = self.dpdk.as_ref().context("DPDK was not asked for")?;
        let variant = Variant::all(Ring::Packed)[0];
        Ok(Pacer::start(place, variant, self.args.size, program)?)
    }

    fn start_node(&self) -> anyhow::Result<NodeArm> {
        NodeArm::start(&Setup {
            queue: self.args.queue,
            threads: self.args.threads,
            cpus: (vec![self.args.cpus[0]], vec![self.args.cpus[1]]),
            ..Setup::one(self.args.size)
        })
    }

    fn rates(&self, name: &str, arm: &mut impl Arm) -> anyhow::Result<Rates> {
        let search = Search::default();
        let saturated_fps = search.saturation(arm)?;
        // Some more than came back at saturation, which was itself measured beside losses.
        let ceiling = saturated_fps * 1.25;
        let part = Criterion::PartDrop(self.args.part / 100.0);
        let rates = Rates {
            saturated_fps,
            ndr_fps: search.rate(arm, Criterion::NoDrop, ceiling)?,
            pdr_fps: search.rate(arm, part, ceiling)?,
        };
        println!(
            "{name}: {:.2} M frames/s saturated, no-drop rate {:.2} M, {} % drop rate {:.2} M",
            rates.saturated_fps / 1e6,
            rates.ndr_fps / 1e6,
            self.args.part,
            rates.pdr_fps / 1e6
        );
        ensure!(
            rates.ndr_fps > 0.0,
            "{name}: frames were lost at every rate; is the machine busy?"
        );
        Ok(rates)
    }

    fn measure(
        &self,
        arm: &mut impl Arm,
        side: Side,
        round: usize,
        ndr_fps: f64,
    ) -> anyhow::Result<Vec<Run>> {
        let mut runs = Vec::new();
        for &load_percent in &self.args.loads {
            let fps = ndr_fps * load_percent / 100.0;
            let trial = arm.trial(Load {
                fps,
                warm_up: Duration::from_millis(100),
                span: Duration::from_secs_f64(self.args.seconds),
            })?;
            let share = |frames: u64| frames as f64 / trial.due.max(1) as f64;
            let run = Run {
                round,
                side,
                load_percent,
                fps,
                p50_ns: trial.cells.quantile_ns(0.5),
                p99_ns: trial.cells.quantile_ns(0.99),
                lost_share: share(trial.lost),
                late_share: share(trial.late),
            };
            eprintln!(
                "round {}, {:20} {:3.0} % = {:6.2} M/s: p50 {:7.1} us, p99 {:8.1} us, lost {:.4} %, given up {:.4} %",
                round + 1,
                side.name(),
                load_percent,
                fps / 1e6,
                run.p50_ns / 1e3,
                run.p99_ns / 1e3,
                run.lost_share * 100.0,
                run.late_share * 100.0
            );
            runs.push(run);
        }
        Ok(runs)
    }

    fn rounds(&self, dpdk: Option<Rates>, node: Rates) -> anyhow::Result<Vec<Run>> {
        let mut runs = Vec::new();
        for round in 0..self.args.rounds {
            for side in order(2, round) {
                if side == 1 {
                    let mut arm = self.start_node()?;
                    runs.extend(self.measure(&mut arm, Side::Node, round, node.ndr_fps)?);
                    if let Some(dpdk) = dpdk {
                        let at = Side::NodeAtDpdkRate;
                        runs.extend(self.measure(&mut arm, at, round, dpdk.ndr_fps)?);
                    }
                } else if let Some(dpdk) = dpdk {
                    let mut arm = self.start_dpdk()?;
                    runs.extend(self.measure(&mut arm, Side::Dpdk, round, dpdk.ndr_fps)?);
                }
            }
        }
        Ok(runs)
    }
}

fn table(args: &Args, runs: &[Run]) {
    println!(
        "\nLatency from the instant a frame is due until it is back, microseconds: median of the rounds (smallest to largest);"
    );
    println!("to DPDK: the ratio round by round, median\n");
    println!(
        "| load | arm | M frames/s | p50 us | p99 us | p50 to DPDK | p99 to DPDK | lost % |\n|---|---|---|---|---|---|---|---|"
    );
    for &load in &args.loads {
        let of = |side: Side, what: fn(&Run) -> f64| -> Vec<f64> {
            let mut of: Vec<&Run> = runs
                .iter()
                .filter(|run| run.side == side && run.load_percent == load)
                .collect();
            of.sort_by_key(|run| run.round);
            of.into_iter().map(what).collect()
        };
        for side in [Side::Dpdk, Side::Node, Side::NodeAtDpdkRate] {
            let cell = |what: fn(&Run) -> f64, by: f64, digits: usize| {
                let spread = Spread::of(&of(side, what));
                spread.map_or("-".to_owned(), |s| format!("{:.digits$}", s.scaled(by)))
            };
            let to = |what: fn(&Run) -> f64| {
                let pairs = ratios(&of(side, what), &of(Side::Dpdk, what));
                let spread = Spread::of(&pairs).filter(|_| side != Side::Dpdk);
                spread.map_or("-".to_owned(), |s| format!("{:.2}", s.median))
            };
            let Some(rate) = of(side, |run| run.fps).first().copied() else {
                continue;
            };
            println!(
                "| {load} % | {} | {:.2} | {} | {} | {} | {} | {} |",
                side.name(),
                rate / 1e6,
                cell(|run| run.p50_ns, 1e-3, 1),
                cell(|run| run.p99_ns, 1e-3, 1),
                to(|run| run.p50_ns),
                to(|run| run.p99_ns),
                cell(|run| run.lost_share, 100.0, 4)
            );
        }
    }
}
