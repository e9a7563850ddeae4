//! Frames per second through one guest, DPDK's vhost-user path and the node in turn on the same cores.
//!
//! `bench/pvp` is the command: it sees to DPDK and to huge pages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use pinode_bench::compare::{Spread, order, ratios};
use pinode_bench::dpdk::{self, Place, Pvp, Ring, Variant};
use pinode_bench::machine::Machine;
use pinode_bench::node::{Setup, saturate};
use serde::Serialize;

/// Frames per second through a guest: DPDK testpmd (net_null, vhost-user, virtio-user) and the node.
#[derive(Parser)]
#[command(name = "pvp")]
struct Args {
    /// Octets of a frame, with FCS.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "79,128,256,512,1024,1280,1518"
    )]
    sizes: Vec<u16>,
    /// Rounds; each runs every arm once for every size.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Seconds before each.
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// What is run.
    #[arg(long, value_delimiter = ',', default_value = "split,packed,node,three")]
    arms: Vec<Arm>,
    /// Times that each of DPDK's variants is tried at the first size, to use the best; 0: what was best before.
    #[arg(long, default_value_t = 3)]
    tune: usize,
    /// Core of the host's side (DPDK's forwarding thread, the node's worker), core of the guests.
    #[arg(long, value_delimiter = ',', default_value = "0,1", num_args = 1)]
    cpus: Vec<usize>,
    /// Descriptors of each ring of the node (DPDK's have 1024).
    #[arg(long, default_value_t = 1024)]
    queue: u16,
    /// The same with three guests: what comes while a guest's window is closed has to find room.
    #[arg(long, default_value_t = 2048)]
    gated_queue: u16,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// A mounted hugetlbfs of 2 MiB pages, for DPDK.
    #[arg(long)]
    huge_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Arm {
    /// DPDK, split ring.
    Split,
    /// DPDK, packed ring.
    Packed,
    /// The node, one guest.
    Node,
    /// The node, three guests on one core, with policers and gates.
    Three,
}

impl Arm {
    fn ring(self) -> Option<Ring> {
        match self {
            Self::Split => Some(Ring::Split),
            Self::Packed => Some(Ring::Packed),
            Self::Node | Self::Three => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Split => "DPDK split",
            Self::Packed => "DPDK packed",
            Self::Node => "node",
            Self::Three => "node, 3 guests",
        }
    }
}

/// One run.
#[derive(Debug, Serialize)]
struct Run {
    round: usize,
    size: u16,
    arm: Arm,
    fps: f64,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    dpdk: String,
    cpus: Vec<usize>,
    seconds: f64,
    /// Variant of DPDK that stood for each ring, with what all tried ones reached, frames per second.
    variants: BTreeMap<&'static str, Tuned>,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Tuned {
    used: String,
    tried: Vec<(String, Spread)>,
}

struct Bench {
    args: Args,
    place: Option<Place>,
    chosen: BTreeMap<&'static str, Variant>,
    _run_dir: tempfile::TempDir,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(
        args.cpus.len() == 2,
        "--cpus takes two cores, such as 0,1: the host's side and the guests'"
    );
    ensure!(
        args.sizes.iter().all(|size| (64..=1518).contains(size)),
        "--sizes: allowed are 64 to 1518 octets, with FCS"
    );
    let mut bench = Bench::new(args)?;
    let machine = Machine::this();
    println!("{machine}, DPDK {}", dpdk::version());
    println!(
        "host side on core {}, guests on core {}; {} rounds of {} s; sizes in octets with FCS\n",
        bench.args.cpus[0], bench.args.cpus[1], bench.args.rounds, bench.args.seconds
    );
    let variants = bench.tune()?;
    let runs = bench.rounds()?;
    table(&bench.args, &runs);
    if let Some(file) = &bench.args.json {
        let document = Document {
            schema: "pinode-bench-pvp/1",
            machine,
            dpdk: dpdk::version(),
            cpus: bench.args.cpus.clone(),
            seconds: bench.args.seconds,
            variants,
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
        let place = args.huge_dir.as_ref().map(|huge_dir| Place {
            host_cpu: args.cpus[0],
            guest_cpu: args.cpus[1],
            huge_dir: huge_dir.clone(),
            run_dir: run_dir.path().to_owned(),
        });
        ensure!(
            place.is_some() || args.arms.iter().all(|arm| arm.ring().is_none()),
            "DPDK needs --huge-dir, a mounted hugetlbfs; bench/pvp sees to it"
        );
        Ok(Self {
            args,
            place,
            chosen: BTreeMap::new(),
            _run_dir: run_dir,
        })
    }

    fn span(&self) -> Duration {
        Duration::from_secs_f64(self.args.seconds)
    }

    fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.args.warm_up)
    }

    fn dpdk(&self, variant: Variant, size: u16, span: Duration) -> anyhow::Result<f64> {
        let place = self.place.as_ref().context("no huge pages for DPDK")?;
        let mut pair = Pvp::start(place, variant, size)?;
        Ok(pair.measure(self.warm_up(), span)?)
    }

    /// Tries the variants of each ring in turn and keeps the best of each.
    fn tune(&mut self) -> anyhow::Result<BTreeMap<&'static str, Tuned>> {
        let mut tuned = BTreeMap::new();
        let size = self.args.sizes.first().copied().unwrap_or(79);
        for ring in self.args.arms.iter().filter_map(|arm| arm.ring()) {
            let variants = Variant::all(ring);
            let mut fps = vec![Vec::new(); variants.len()];
            for round in 0..self.args.tune {
                for i in order(variants.len(), round) {
                    fps[i].push(self.dpdk(
                        variants[i],
                        size,
                        self.span().min(Duration::from_secs(1)),
                    )?);
                }
            }
            let tried: Vec<(Variant, Spread)> = variants
                .iter()
                .zip(&fps)
                .filter_map(|(variant, fps)| Some((*variant, Spread::of(fps)?)))
                .collect();
            for (variant, spread) in &tried {
                println!("tried {variant}: {} M frames/s", spread.scaled(1e-6));
            }
            let best = tried
                .iter()
                .max_by(|(_, a), (_, b)| a.median.total_cmp(&b.median))
                .map_or(variants[0], |(variant, _)| *variant);
            println!("DPDK {}: {best}", ring.name());
            self.chosen.insert(ring.name(), best);
            let tried = tried.iter().map(|(v, s)| (v.to_string(), *s)).collect();
            let used = best.to_string();
            tuned.insert(ring.name(), Tuned { used, tried });
        }
        println!();
        Ok(tuned)
    }

    fn run(&self, arm: Arm, size: u16) -> anyhow::Result<f64> {
        if let Some(ring) = arm.ring() {
            let variant = self.chosen.get(ring.name()).copied();
            let variant = variant.context("no variant was chosen")?;
            return self.dpdk(variant, size, self.span());
        }
        let one = Setup {
            queue: self.args.queue,
            cpus: (vec![self.args.cpus[0]], vec![self.args.cpus[1]]),
            ..Setup::one(size)
        };
        let setup = match arm {
            Arm::Three => Setup {
                guests: 3,
                policed: true,
                queue: self.args.gated_queue,
                ..one
            },
            _ => one,
        };
        Ok(saturate(&setup, self.warm_up(), self.span())?.total_fps())
    }

    fn rounds(&self) -> anyhow::Result<Vec<Run>> {
        let mut runs = Vec::new();
        for round in 0..self.args.rounds {
            for &size in &self.args.sizes {
                for i in order(self.args.arms.len(), round) {
                    let arm = self.args.arms[i];
                    let fps = self
                        .run(arm, size)
                        .with_context(|| format!("{}, {size} octets", arm.name()))?;
                    eprintln!(
                        "round {}, {size:4} octets, {:14} {:6.2} M frames/s",
                        round + 1,
                        arm.name(),
                        fps / 1e6
                    );
                    runs.push(Run {
                        round,
                        size,
                        arm,
                        fps,
                    });
                }
            }
        }
        Ok(runs)
    }
}

/// Rates of one arm at one size, in the order of the rounds.
fn rates(runs: &[Run], arm: Arm, size: u16) -> Vec<f64> {
    let mut of: Vec<&Run> = runs
        .iter()
        .filter(|run| run.arm == arm && run.size == size)
        .collect();
    of.sort_by_key(|run| run.round);
    of.iter().map(|run| run.fps).collect()
}

fn table(args: &Args, runs: &[Run]) {
    println!(
        "M frames/s that crossed the guests: median (smallest to largest); the same per core; and"
    );
    println!("the ratio to DPDK's, round by round: median (smallest to largest)\n");
    println!(
        "| octets | arm | M frames/s | per core | to split | to packed |\n|---|---|---|---|---|---|"
    );
    for &size in &args.sizes {
        for &arm in &args.arms {
            let ours = rates(runs, arm, size);
            let Some(spread) = Spread::of(&ours) else {
                continue;
            };
            let to = |other: Arm| {
                let pairs = ratios(&ours, &rates(runs, other, size));
                Spread::of(&pairs).filter(|_| arm != other)
            };
            let cell = |ratio: Option<Spread>| ratio.map_or("-".to_owned(), |r| r.to_string());
            let (split, packed) = (to(Arm::Split), to(Arm::Packed));
            println!(
                "| {size} | {} | {} | {:.2} | {} | {} |",
                arm.name(),
                spread.scaled(1e-6),
                spread.median / 2e6,
                cell(split),
                cell(packed)
            );
        }
    }
}
