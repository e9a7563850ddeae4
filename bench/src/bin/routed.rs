//! Frames per second through the IPv6 router's guest, beside the plainest guest with the same frames.
//!
//! `bench/routed` is the command.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use pinode_bench::compare::{Spread, order, ratios};
use pinode_bench::machine::Machine;
use pinode_bench::routed::{Arm, Case, Crossing, Guest, flows_were_there, start};
use pinode_bench::stand::{Stand, by_turns};
use serde::Serialize;

/// Frames per second through builtin:ipv6qos with small and large tables, beside builtin:patch with the same frames.
#[derive(Parser)]
#[command(name = "routed")]
struct Args {
    /// What the router holds: routes=N, rules=N, or flows=N (a power of two); behind it /N for so many destinations.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "routes=1,routes=200000,rules=1,rules=1000,flows=1,flows=1048576,routes=200000/262144,rules=1000/262144"
    )]
    arms: Vec<String>,
    /// Octets of a frame, with FCS.
    #[arg(long, default_value_t = 79)]
    size: u16,
    /// Destinations of the frames, a power of two, at random over all prefixes (RFC 2544 12 has 256 networks).
    #[arg(long, default_value_t = 256)]
    destinations: usize,
    /// Rounds; each runs every arm once, and beside it the plainest guest.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a measurement, of the router and of the plainest guest each.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Seconds of a slice: router and plainest guest take turns, so that the machine's moods meet both alike.
    #[arg(long, default_value_t = 0.04)]
    slice: f64,
    /// Seconds before each measurement; flows are made in them.
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Guests as host threads.
    #[arg(long)]
    threads: bool,
    /// Core of the worker, core of the guest.
    #[arg(long, value_delimiter = ',', default_value = "0,1", num_args = 1)]
    cpus: Vec<usize>,
    /// Descriptors of each ring.
    #[arg(long, default_value_t = 1024)]
    queue: u16,
    /// Another image of the router, that takes turns with the built-in one: what a change gives. More than once for more.
    #[arg(long, conflicts_with = "threads")]
    beside: Vec<PathBuf>,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Run {
    round: usize,
    case: String,
    patch_fps: f64,
    /// None where guests are host threads.
    floor_fps: Option<f64>,
    router_fps: f64,
    /// Of each image of `--beside`.
    beside_fps: Vec<f64>,
    /// Nanoseconds of the guest's time for a frame: of patch, router, floor and those.
    guest_ns: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    size: u16,
    destinations: usize,
    queue: u16,
    threads: bool,
    cpus: Vec<usize>,
    warm_up: f64,
    seconds: f64,
    slice: f64,
    beside: Vec<PathBuf>,
    runs: Vec<Run>,
}

fn case(text: &str) -> anyhow::Result<Case> {
    let (holds, destinations) = match text.split_once('/') {
        Some((holds, count)) => (holds, Some(count)),
        None => (text, None),
    };
    let destinations = destinations.map(|count| match count.parse::<usize>() {
        Ok(count) if count.is_power_of_two() => Ok(count),
        _ => bail!("--arms: {text:?}; allowed behind /: a power of two"),
    });
    let arm = arm(holds)?;
    let destinations = destinations.transpose()?;
    Ok(Case { arm, destinations })
}

fn arm(text: &str) -> anyhow::Result<Arm> {
    let (kind, count) = text.split_once('=').unwrap_or((text, ""));
    match (kind, count.parse::<u32>()) {
        ("routes", Ok(count)) if count > 0 => Ok(Arm::Routes(count as usize)),
        ("rules", Ok(count)) if count > 0 => Ok(Arm::Rules(count as usize)),
        ("flows", Ok(count)) if count.is_power_of_two() && count <= 1 << 24 => {
            Ok(Arm::Flows(count))
        }
        _ => bail!(
            "--arms: {text:?}; allowed: routes=N, rules=N, flows=N with N a power of two up to 2^24"
        ),
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let arms = args
        .arms
        .iter()
        .map(|text| case(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let &[worker, guest] = args.cpus.as_slice() else {
        bail!("--cpus: two are needed, of the worker and of the guest");
    };
    let how = Crossing {
        size: args.size,
        queue: args.queue,
        threads: args.threads,
        cpus: (worker, guest),
        destinations: args.destinations,
    };
    if !how.destinations.is_power_of_two() {
        bail!(
            "--destinations: {}; allowed: a power of two",
            how.destinations
        );
    }
    if !(args.slice > 0.0 && args.seconds >= args.slice) {
        bail!("--slice: {}; allowed: above 0, up to --seconds", args.slice);
    }
    let slices = (args.seconds / args.slice).round() as usize;
    let slice = Duration::from_secs_f64(args.slice);
    let folder = tempfile::tempdir()?;
    let floor = folder.path().join("floor");
    std::fs::write(&floor, pinode_images::floor().unwrap_or_default())?;
    let machine = Machine::this();
    println!("{machine}");
    println!(
        "frames of {} octets (with FCS) to {} destinations at saturation, west to east; {} rounds of {slices} slices of {} ms each\n",
        args.size,
        args.destinations,
        args.rounds,
        args.slice * 1e3
    );
    let mut runs: Vec<Run> = Vec::new();
    for round in 0..args.rounds {
        for at in order(arms.len(), round) {
            let arm = arms[at];
            let mut guests = vec![Guest::Patch, Guest::Router(None)];
            if !args.threads {
                guests.push(Guest::Floor(&floor));
            }
            guests.extend(args.beside.iter().map(|file| Guest::Router(Some(file))));
            let (fps, guest_ns) = measure(&how, arm, &guests, (args.warm_up, slices, slice))
                .with_context(|| arm.to_string())?;
            let (patch_fps, router_fps, floor_fps) = (fps[0], fps[1], fps.get(2).copied());
            let beside = floor_fps.map_or(String::new(), |fps| format!(" floor {:.2},", fps / 1e6));
            eprintln!(
                "round {}, {arm}: patch {:.2},{beside} router {:.2} M frames/s",
                round + 1,
                patch_fps / 1e6,
                router_fps / 1e6
            );
            runs.push(Run {
                round,
                case: arm.to_string(),
                patch_fps,
                floor_fps,
                router_fps,
                beside_fps: fps.get(3..).unwrap_or_default().to_vec(),
                guest_ns,
            });
        }
    }
    table(&arms, &runs);
    if !args.beside.is_empty() {
        table_beside(&arms, &runs, &args.beside);
    }
    if let Some(file) = &args.json {
        let document = Document {
            schema: "pinode-bench-routed/3",
            machine,
            size: args.size,
            destinations: args.destinations,
            queue: args.queue,
            threads: args.threads,
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
    case: Case,
    guests: &[Guest<'_>],
    (warm_up, slices, slice): (f64, usize, Duration),
) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let stands = { guests.iter() }
        .map(|guest| start(how, case, *guest))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (fps, guest_ns) = by_turns(&stands, warm_up, slices, slice)?;
    for (stand, guest) in stands.iter().zip(guests) {
        if let Guest::Router(_) = guest {
            flows_were_there(stand, case.arm)?;
        }
    }
    stands.into_iter().for_each(Stand::stop);
    Ok((fps, guest_ns))
}

fn table(cases: &[Case], runs: &[Run]) {
    println!(
        "| the router holds | patch, M frames/s | floor to patch | router, M frames/s | router to patch | in the guest, ns a frame: patch, floor, router |\n|---|---|---|---|---|---|"
    );
    for case in cases {
        let name = case.to_string();
        let of = |what: fn(&Run) -> Option<f64>| -> Vec<f64> {
            let runs = runs.iter().filter(|run| run.case == name);
            runs.filter_map(what).collect()
        };
        let patch = of(|run| Some(run.patch_fps));
        let (floor, router) = (of(|run| run.floor_fps), of(|run| Some(run.router_fps)));
        let to_patch = |fps: &[f64]| match Spread::of(&ratios(fps, &patch)) {
            Some(spread) => spread.to_string(),
            None => "-".to_owned(),
        };
        let (floor, ratio) = (to_patch(&floor), to_patch(&router));
        if let (Some(patch), Some(router)) = (Spread::of(&patch), Spread::of(&router)) {
            let (patch, router) = (patch.scaled(1e-6), router.scaled(1e-6));
            let spent = [0, 2, 1].map(|guest| {
                let runs = runs.iter().filter(|run| run.case == name);
                let spent: Vec<f64> = { runs }
                    .filter_map(|run| run.guest_ns.get(guest).copied())
                    .collect();
                Spread::of(&spent).map_or("-".to_owned(), |spent| format!("{:.0}", spent.median))
            });
            let spent = spent.join(", ");
            println!("| {name} | {patch} | {floor} | {router} | {ratio} | {spent} |");
        }
    }
}

/// The other images of the router, beside patch and the built-in one.
fn table_beside(cases: &[Case], runs: &[Run], images: &[PathBuf]) {
    println!(
        "\n| the router holds | image | M frames/s | to patch | to the built-in router | in the guest, ns a frame |\n|---|---|---|---|---|---|"
    );
    for case in cases {
        let name = case.to_string();
        let of = |what: &dyn Fn(&Run) -> f64| -> Vec<f64> {
            let runs = runs.iter().filter(|run| run.case == name);
            runs.map(what).collect()
        };
        let (patch, router) = (of(&|run| run.patch_fps), of(&|run| run.router_fps));
        for (at, image) in images.iter().enumerate() {
            let fps = of(&|run| run.beside_fps.get(at).copied().unwrap_or(0.0));
            let spent = of(&|run| run.guest_ns.get(3 + at).copied().unwrap_or(0.0));
            let columns = [
                Spread::of(&fps).map(|spread| spread.scaled(1e-6).to_string()),
                Spread::of(&ratios(&fps, &patch)).map(|spread| spread.to_string()),
                Spread::of(&ratios(&fps, &router)).map(|spread| spread.to_string()),
                Spread::of(&spent).map(|spread| format!("{:.0}", spread.median)),
            ];
            let columns = columns.map(|column| column.unwrap_or("-".to_owned()));
            println!("| {name} | {} | {} |", image.display(), columns.join(" | "));
        }
    }
}
