//! Frames per second through the label switch's guest, beside the plainest guest with the same frames.
//!
//! `bench/switched` is the command.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use pinode_bench::compare::{Spread, order, ratios};
use pinode_bench::machine::Machine;
use pinode_bench::stand::{Stand, by_turns};
use pinode_bench::switched::{Crossing, Guest, start};
use serde::Serialize;

/// Most connections: labels of one port and network, but for those that mean something else.
const MOST: u32 = (1 << 20) - 16;

/// Frames per second through builtin:dss with few and many connections, beside builtin:patch with the same frames.
#[derive(Parser)]
#[command(name = "switched")]
struct Args {
    /// Connections of the switch, which frames go over by turns.
    #[arg(long, value_delimiter = ',', default_value = "1,100000")]
    connections: Vec<u32>,
    /// Octets of a frame, with FCS.
    #[arg(long, default_value_t = 79)]
    size: u16,
    /// Rounds; each runs every number of connections once, and beside it the plainest guest.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a measurement, of each guest.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Seconds of a slice: guests take turns, so that the machine's moods meet all alike.
    #[arg(long, default_value_t = 0.04)]
    slice: f64,
    /// Seconds before each measurement.
    #[arg(long, default_value_t = 0.3)]
    warm_up: f64,
    /// Connections that are not policed.
    #[arg(long)]
    unpoliced: bool,
    /// Frames with sequence numbers. What finds no room at saturation is missing then, and counted.
    #[arg(long)]
    numbered: bool,
    /// Guests as host threads.
    #[arg(long)]
    threads: bool,
    /// Core of the worker, core of the guest.
    #[arg(long, value_delimiter = ',', default_value = "0,1", num_args = 1)]
    cpus: Vec<usize>,
    /// Descriptors of each ring.
    #[arg(long, default_value_t = 1024)]
    queue: u16,
    /// Another image of the switch, that takes turns with the built-in one: what a change gives. More than once for
    /// more.
    #[arg(long, conflicts_with = "threads")]
    beside: Vec<PathBuf>,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Run {
    round: usize,
    connections: u32,
    patch_fps: f64,
    switch_fps: f64,
    /// None where guests are host threads.
    floor_fps: Option<f64>,
    /// Of each image of `--beside`.
    beside_fps: Vec<f64>,
    /// Nanoseconds of the guest's time for a frame: of patch, switch, floor and those.
    guest_ns: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    size: u16,
    queue: u16,
    threads: bool,
    policed: bool,
    numbered: bool,
    cpus: Vec<usize>,
    warm_up: f64,
    seconds: f64,
    slice: f64,
    beside: Vec<PathBuf>,
    runs: Vec<Run>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let &[worker, guest] = args.cpus.as_slice() else {
        bail!("--cpus: two are needed, of the worker and of the guest");
    };
    if let Some(wrong) = args.connections.iter().find(|n| !(1..=MOST).contains(*n)) {
        bail!("--connections: {wrong}; allowed: 1 to {MOST}");
    }
    if !(args.slice > 0.0 && args.seconds >= args.slice) {
        bail!("--slice: {}; allowed: above 0, up to --seconds", args.slice);
    }
    let how = Crossing {
        size: args.size,
        queue: args.queue,
        threads: args.threads,
        cpus: (worker, guest),
        policed: !args.unpoliced,
        numbered: args.numbered,
    };
    let slices = (args.seconds / args.slice).round() as usize;
    let slice = Duration::from_secs_f64(args.slice);
    let folder = tempfile::tempdir()?;
    let floor = folder.path().join("floor");
    std::fs::write(&floor, pinode_images::floor().unwrap_or_default())?;
    let mut guests = vec![Guest::Patch, Guest::Switch(None)];
    if !args.threads {
        guests.push(Guest::Floor(&floor));
    }
    guests.extend(args.beside.iter().map(|file| Guest::Switch(Some(file))));
    let machine = Machine::this();
    println!("{machine}");
    println!(
        "frames of {} octets (with FCS) at saturation, west to east; {} rounds of {slices} slices of {} ms each\n",
        args.size,
        args.rounds,
        args.slice * 1e3
    );
    let mut runs: Vec<Run> = Vec::new();
    for round in 0..args.rounds {
        for at in order(args.connections.len(), round) {
            let connections = args.connections[at];
            let measured = measure(&how, connections, &guests, (args.warm_up, slices, slice));
            let (fps, guest_ns) = measured.with_context(|| format!("{connections} connections"))?;
            let run = Run {
                round,
                connections,
                patch_fps: fps[0],
                switch_fps: fps[1],
                floor_fps: fps.get(2).copied(),
                beside_fps: fps.get(3..).unwrap_or_default().to_vec(),
                guest_ns,
            };
            eprintln!(
                "round {}, {connections} connections: patch {:.2}, switch {:.2} M frames/s",
                round + 1,
                run.patch_fps / 1e6,
                run.switch_fps / 1e6
            );
            runs.push(run);
        }
    }
    table(&args, &runs);
    if let Some(file) = &args.json {
        let document = Document {
            schema: "pinode-bench-switched/1",
            machine,
            size: args.size,
            queue: args.queue,
            threads: args.threads,
            policed: how.policed,
            numbered: how.numbered,
            cpus: args.cpus,
            warm_up: args.warm_up,
            seconds: args.seconds,
            slice: args.slice,
            beside: args.beside,
            runs,
        };
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(file, text + "\n").with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

/// Frames per second of each of `guests`, which take turns, and nanoseconds that they spend on a frame.
fn measure(
    how: &Crossing,
    connections: u32,
    guests: &[Guest<'_>],
    (warm_up, slices, slice): (f64, usize, Duration),
) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let stands = { guests.iter() }
        .map(|guest| start(how, connections, *guest))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let measured = by_turns(&stands, warm_up, slices, slice)?;
    stands.into_iter().for_each(Stand::stop);
    Ok(measured)
}

/// A row for each number of connections and each guest but the plainest.
fn table(args: &Args, runs: &[Run]) {
    println!(
        "| connections | guest | M frames/s | to patch | in the guest, ns a frame |\n|---|---|---|---|---|"
    );
    for connections in &args.connections {
        let runs: Vec<&Run> = { runs.iter() }
            .filter(|run| run.connections == *connections)
            .collect();
        let patch: Vec<f64> = runs.iter().map(|run| run.patch_fps).collect();
        let row = |name: &str, at: usize, fps: &dyn Fn(&Run) -> Option<f64>| {
            let fps: Vec<f64> = runs.iter().filter_map(|run| fps(run)).collect();
            let spent = runs.iter().filter_map(|run| run.guest_ns.get(at).copied());
            let spent: Vec<f64> = spent.collect();
            let (Some(all), Some(ratio), Some(spent)) = (
                Spread::of(&fps),
                Spread::of(&ratios(&fps, &patch)),
                Spread::of(&spent),
            ) else {
                return;
            };
            println!(
                "| {connections} | {name} | {} | {ratio} | {:.1} |",
                all.scaled(1e-6),
                spent.median
            );
        };
        row("patch", 0, &|run| Some(run.patch_fps));
        row("floor", 2, &|run| run.floor_fps);
        row("switch", 1, &|run| Some(run.switch_fps));
        for (at, image) in args.beside.iter().enumerate() {
            let fps = |run: &Run| run.beside_fps.get(at).copied();
            row(&image.display().to_string(), 3 + at, &fps);
        }
    }
}
