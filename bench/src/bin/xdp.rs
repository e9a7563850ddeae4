//! AF_XDP over veth: a bare forwarder and the node in turn, between the same tester.
//!
//! `bench/xdp` is the command: it gives it a network namespace of its own.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use pinode_bench::compare::{Spread, order, ratios};
use pinode_bench::machine::Machine;
use pinode_bench::node::Setup;
use pinode_bench::xdp::{Flow, Forwarder, Links, Tester, pin, with_node};
use serde::Serialize;

/// Frames per second over AF_XDP on veth: a bare forwarder, and the node with its guest in its place.
#[derive(Parser)]
#[command(name = "xdp")]
struct Args {
    /// Octets of a frame, with FCS.
    #[arg(long, value_delimiter = ',', default_value = "79")]
    sizes: Vec<u16>,
    /// Rounds; each runs both for every size.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of a measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Core of generator and receiver.
    #[arg(long, default_value_t = 1)]
    tester: usize,
    /// Core of the forwarder, and of the node's worker.
    #[arg(long, default_value_t = 0)]
    worker: usize,
    /// Cores of the node's guest.
    #[arg(long, value_delimiter = ',', default_value = "1", num_args = 1)]
    guest: Vec<usize>,
    /// PIs of the frames in turn, each with a guest in the node. One has the whole cycle of the gates.
    #[arg(long, default_value_t = 1)]
    guests: usize,
    /// The node's `wake_interval`, microseconds: guests share their core with the tester or the worker.
    /// 0 leaves it to the node, which does not know of the tester.
    #[arg(long, default_value_t = 2500)]
    wake_interval: u32,
    /// Descriptors of each of the guests' rings.
    #[arg(long, default_value_t = 4096)]
    queue: u16,
    /// Niceness of generator and receiver, 0 to 19.
    #[arg(long, default_value_t = 19)]
    nice: i32,
    /// Tries all placements on cores 0 and 1 first and uses the one in which the node is best.
    #[arg(long)]
    place: bool,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Arm {
    Bare,
    Node,
}

#[derive(Debug, Clone, Serialize)]
struct Place {
    tester: usize,
    worker: usize,
    guest: Vec<usize>,
    /// PIs of the node.
    guests: usize,
    /// 0: left to the node.
    wake_interval_us: u32,
    queue: u16,
    /// Niceness of the tester.
    nice: i32,
}

#[derive(Debug, Serialize)]
struct Run {
    round: usize,
    size: u16,
    arm: Arm,
    sent_fps: f64,
    received_fps: f64,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    place: Place,
    seconds: f64,
    runs: Vec<Run>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let machine = Machine::this();
    println!("{machine}; frames in octets with FCS");
    let mut place = Place {
        tester: args.tester,
        worker: args.worker,
        guest: args.guest.clone(),
        guests: args.guests,
        wake_interval_us: args.wake_interval,
        queue: args.queue,
        nice: args.nice,
    };
    if args.place {
        place = best_place(&args)?;
    }
    println!(
        "generator and receiver on core {}, forwarder or worker on core {}, {} guests on {:?}; {} rounds of {} s\n",
        place.tester, place.worker, place.guests, place.guest, args.rounds, args.seconds
    );
    let span = Duration::from_secs_f64(args.seconds);
    let mut runs = Vec::new();
    for round in 0..args.rounds {
        for &size in &args.sizes {
            for i in order(2, round) {
                let arm = [Arm::Bare, Arm::Node][i];
                let flow = run(arm, &place, size, span)?;
                eprintln!(
                    "round {}, {size} octets, {arm:?}: {:.3} M/s sent, {:.3} M/s came back",
                    round + 1,
                    flow.sent_fps / 1e6,
                    flow.received_fps / 1e6
                );
                runs.push(Run {
                    round,
                    size,
                    arm,
                    sent_fps: flow.sent_fps,
                    received_fps: flow.received_fps,
                });
            }
        }
    }
    table(&args, &runs);
    if let Some(file) = &args.json {
        let document = Document {
            schema: "pinode-bench-xdp/1",
            machine,
            place,
            seconds: args.seconds,
            runs,
        };
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(file, text + "\n").with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

fn run(arm: Arm, place: &Place, size: u16, span: Duration) -> anyhow::Result<Flow> {
    let _links = Links::make()?;
    let mut tester = Tester::open(size, place.guests)?;
    let (core, nice) = (place.tester, place.nice);
    let test = || {
        // On a thread of its own: the node's threads must not inherit the core.
        let test = move || {
            pin(core)?;
            rustix::process::nice(nice).context("niceness")?;
            anyhow::Ok(tester.run(span / 4, span))
        };
        std::thread::scope(|scope| scope.spawn(test).join())
            .unwrap_or_else(|_| anyhow::bail!("the tester panicked"))
    };
    match arm {
        Arm::Bare => {
            let forwarder = Forwarder::start("west", "east", Some(place.worker))?;
            let flow = test();
            forwarder.stop()?;
            flow
        }
        Arm::Node => {
            let setup = Setup {
                guests: place.guests,
                wake_interval_us: (place.wake_interval_us > 0).then_some(place.wake_interval_us),
                queue: place.queue,
                cpus: (vec![place.worker], place.guest.clone()),
                ..Setup::one(size)
            };
            with_node(&setup, test)
        }
    }
}

fn best_place(args: &Args) -> anyhow::Result<Place> {
    let size = args.sizes.first().copied().unwrap_or(79);
    let span = Duration::from_secs_f64(args.seconds.min(1.0));
    let mut best: Option<(f64, Place)> = None;
    for (tester, worker) in [(1, 0), (0, 1)] {
        for guest in [vec![0], vec![1], vec![0, 1]] {
            let place = Place {
                tester,
                worker,
                guest,
                guests: args.guests,
                wake_interval_us: args.wake_interval,
                queue: args.queue,
                nice: args.nice,
            };
            let bare = run(Arm::Bare, &place, size, span)?.received_fps;
            let node = run(Arm::Node, &place, size, span)?.received_fps;
            println!(
                "tried tester on {tester}, worker on {worker}, guest on {:?}: bare {:.3} M/s, node {:.3} M/s",
                place.guest,
                bare / 1e6,
                node / 1e6
            );
            if best.as_ref().is_none_or(|(most, _)| node > *most) {
                best = Some((node, place));
            }
        }
    }
    best.map(|(_, place)| place).context("no placement")
}

fn table(args: &Args, runs: &[Run]) {
    println!("M frames/s that came back: median (smallest to largest); the ratio round by round\n");
    println!("| octets | bare AF_XDP | node | node to bare |\n|---|---|---|---|");
    for &size in &args.sizes {
        let of = |arm: Arm| -> Vec<f64> {
            let mut of: Vec<&Run> = runs
                .iter()
                .filter(|run| run.arm == arm && run.size == size)
                .collect();
            of.sort_by_key(|run| run.round);
            of.iter().map(|run| run.received_fps).collect()
        };
        let (bare, node) = (of(Arm::Bare), of(Arm::Node));
        let cell = |values: &[f64], by: f64, digits: usize| {
            let spread = Spread::of(values);
            spread.map_or("-".to_owned(), |s| format!("{:.digits$}", s.scaled(by)))
        };
        println!(
            "| {size} | {} | {} | {} |",
            cell(&bare, 1e-6, 3),
            cell(&node, 1e-6, 3),
            cell(&ratios(&node, &bare), 1.0, 2)
        );
    }
}
