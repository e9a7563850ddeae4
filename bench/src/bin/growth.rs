//! What a frame costs the workers of a node as guests, queue pairs and ports grow.
//!
//! `bench/growth` is the command.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use pinode_bench::compare::{Spread, order, ratios};
use pinode_bench::growth::{Cost, Shape, cost};
use pinode_bench::machine::Machine;
use serde::Serialize;

/// Worker time for each frame that crosses, for growing numbers of guests, workers and ports.
#[derive(Parser)]
#[command(name = "growth")]
struct Args {
    /// Guests of the shapes with one worker and two ports; the first is what all are held against.
    #[arg(long, value_delimiter = ',', default_value = "1,3,8,32")]
    guests: Vec<usize>,
    /// Guests as host threads, likewise.
    #[arg(long, value_delimiter = ',', default_value = "1,3,8,32")]
    threads: Vec<usize>,
    /// Further shapes: guests x workers x ports.
    #[arg(long, value_delimiter = ',', default_value = "1x2x2,3x2x2,1x1x8,3x1x8")]
    shapes: Vec<String>,
    /// Frames per second offered, in bursts of 64.
    #[arg(long, default_value_t = 1e6)]
    fps: f64,
    /// Octets of a frame, with FCS.
    #[arg(long, default_value_t = 79)]
    size: u16,
    /// Rounds; each runs every shape once.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Run {
    round: usize,
    shape: String,
    busy_ns_per_frame: f64,
    crossed_fps: f64,
    lost: f64,
    busy: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    fps: f64,
    size: u16,
    seconds: f64,
    runs: Vec<Run>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let shapes = shapes(&args)?;
    let machine = Machine::this();
    println!("{machine}");
    println!(
        "{} M frames/s of {} octets (with FCS) offered in bursts of 64; {} rounds of {} s\n",
        args.fps / 1e6,
        args.size,
        args.rounds,
        args.seconds
    );
    let span = Duration::from_secs_f64(args.seconds);
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); shapes.len()];
    let mut runs = Vec::new();
    for round in 0..args.rounds {
        for i in order(shapes.len(), round) {
            let shape = &shapes[i];
            let cost = cost(shape, args.fps, span / 4, span).with_context(|| shape.to_string())?;
            eprintln!(
                "round {}, {shape}: {:.1} ns a frame, {:.2} % lost",
                round + 1,
                cost.busy_ns,
                cost.lost * 100.0
            );
            runs.push(Run {
                round,
                shape: shape.to_string(),
                busy_ns_per_frame: cost.busy_ns,
                crossed_fps: cost.crossed_fps,
                lost: cost.lost,
                busy: cost.busy.clone(),
            });
            costs[i].push(cost);
        }
    }
    // Rounds that went back were run back as well: each list is in the order of the rounds.
    table(&shapes, &costs, machine.cores);
    if let Some(file) = &args.json {
        let document = Document {
            schema: "pinode-bench-growth/1",
            machine,
            fps: args.fps,
            size: args.size,
            seconds: args.seconds,
            runs,
        };
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(file, text + "\n").with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

fn shapes(args: &Args) -> anyhow::Result<Vec<Shape>> {
    let of = |guests, workers, ports, threads| Shape {
        guests,
        workers,
        ports,
        threads,
        size: args.size,
    };
    let mut shapes: Vec<_> = args.guests.iter().map(|&n| of(n, 1, 2, false)).collect();
    for text in &args.shapes {
        let numbers: Option<Vec<usize>> = text.split('x').map(|n| n.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[guests, workers, ports]) if ports > 0 && ports.is_multiple_of(2) => {
                shapes.push(of(guests, workers, ports, false));
            }
            _ => anyhow::bail!(
                "--shapes: `{text}` is not guests x workers x ports, such as 3x1x8; ports are even"
            ),
        }
    }
    shapes.extend(args.threads.iter().map(|&n| of(n, 1, 2, true)));
    anyhow::ensure!(!shapes.is_empty(), "no shapes are asked for");
    Ok(shapes)
}

fn table(shapes: &[Shape], costs: &[Vec<Cost>], cores: usize) {
    let of = |i: usize, what: fn(&Cost) -> f64| -> Vec<f64> { costs[i].iter().map(what).collect() };
    println!(
        "\nWorker time for each frame that crossed, nanoseconds: median (smallest to largest); the change against"
    );
    println!(
        "the first shape of its kind, round by round, median; * more workers and vCPUs than the {cores} cores\n"
    );
    println!(
        "| shape | ns a frame | against the first | lost % | workers busy % |\n|---|---|---|---|---|"
    );
    for (i, shape) in shapes.iter().enumerate() {
        let Some(spread) = Spread::of(&of(i, |c| c.busy_ns)) else {
            continue;
        };
        let first = shapes
            .iter()
            .position(|s| s.threads == shape.threads)
            .unwrap_or(0);
        let pairs = ratios(&of(i, |c| c.busy_ns), &of(first, |c| c.busy_ns));
        let change = Spread::of(&pairs).map_or(0.0, |s| (s.median - 1.0) * 100.0);
        let lost = Spread::of(&of(i, |c| c.lost)).map_or(0.0, |s| s.median * 100.0);
        let busy: Vec<String> = (0..shape.workers)
            .map(|worker| {
                let shares: Vec<f64> = costs[i].iter().map(|c| c.busy[worker]).collect();
                Spread::of(&shares).map_or(String::new(), |s| format!("{:.0}", s.median * 100.0))
            })
            .collect();
        println!(
            "| {shape}{} | {spread:.0} | {change:+.0} % | {lost:.2} | {} |",
            if shape.fits(cores) { "" } else { " *" },
            busy.join(", ")
        );
    }
}
