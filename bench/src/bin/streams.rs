//! Many connections of constant rate at nearly all that is guaranteed to them, beside overload: no loss, and delays
//! within the bounds that were said before.
//!
//! `bench/streams` is the command.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use pinode_bench::gated::Floor;
use pinode_bench::machine::Machine;
use pinode_bench::streams::{Arm, Excess, OneMore, Plan, Run, Sizes};
use serde::Serialize;

#[path = "streams/tables.rs"]
mod tables;

/// Connections of constant rate at nearly all that is guaranteed to them, while all else is overloaded.
#[derive(Parser)]
#[command(name = "streams")]
struct Args {
    /// Connections.
    #[arg(long, default_value_t = 1_000)]
    connections: u32,
    /// Octets of their frames, with FCS, by turns.
    #[arg(long, default_value = "200,512,1400")]
    sizes: Sizes,
    /// What their rates sum up to, by what is guaranteed to them.
    #[arg(long, default_value_t = 0.95)]
    share: f64,
    /// By how much the times between their frames differ to either side, so that they drift past each other.
    #[arg(long, default_value_t = 0.01)]
    spread: f64,
    /// All begin at the same instant, and not anywhere.
    #[arg(long)]
    together: bool,
    /// Capacity of the links, Mb/s.
    #[arg(long, default_value_t = 1_000)]
    capacity: u32,
    /// Phase of each of the three PIs, microseconds.
    #[arg(long, default_value_t = 100)]
    phase: u32,
    /// What each of the other PIs is offered, by its ceiling.
    #[arg(long, default_value_t = 3.0)]
    others: f64,
    /// Best effort beside the connections, by the ceiling of their PI; 0 is none.
    #[arg(long, default_value_t = 1.0)]
    best_effort: f64,
    /// Rounds: each once with all as they may, and once with one that is too fast.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of a run.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How much faster than its peak rate the one is.
    #[arg(long, default_value_t = 2.0)]
    excess: f64,
    /// By how much frames may be held up by the machine, milliseconds; if left out, half as much again as a bare loop is
    /// kept from both cores beforehand, 5 at least, and as much at most as rings have buffers for.
    #[arg(long)]
    jitter: Option<f64>,
    /// Descriptors of each ring.
    #[arg(long, default_value_t = 4096)]
    queue: u16,
    /// Guests as host threads instead of virtual machines.
    #[arg(long)]
    threads: bool,
    /// Core of the worker, core of the guests.
    #[arg(long, value_delimiter = ',', default_value = "0,1", num_args = 1)]
    cpus: Vec<usize>,
    /// What instants are drawn by.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What a bare loop saw on the cores of worker and guests, one behind the other, beside a busy other one.
type Floors = [Floor; 2];

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    machine: &'a Machine,
    plan: &'a Plan,
    guaranteed_bps: u64,
    signalling_bps: u64,
    granted_ns: &'a [u64],
    allowed_ns: u64,
    floors: &'a [Floors],
    connections: &'a [pinode_bench::streams::Connection],
    runs: &'a [Run],
    one_more: &'a [OneMore],
    holds: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let &[worker, guests] = args.cpus.as_slice() else {
        anyhow::bail!("--cpus takes two cores, such as 0,1");
    };
    ensure!(
        (1..=100_000).contains(&args.connections),
        "--connections: {}; allowed: 1 to 100000",
        args.connections
    );
    ensure!(
        (0.0..0.5).contains(&args.spread) && args.share > 0.0 && args.excess > 0.0,
        "--spread is 0 to below 0.5, --share and --excess are above 0"
    );
    let machine = Machine::this();
    println!("{machine}");
    let mut floors = vec![floor(worker, guests)?];
    let plan = args.plan((worker, guests), &floors[0])?;
    tables::machine(&plan, &floors[0]);
    let mut arm = Arm::start(plan)?;
    tables::before(&arm);
    let (runs, one_more) = args.measure(&arm)?;
    arm.end();
    floors.push(floor(worker, guests)?);
    let document = Document {
        schema: "pinode-bench-streams/1",
        machine: &machine,
        plan: &arm.plan,
        guaranteed_bps: arm.guaranteed_bps,
        signalling_bps: arm.signalling_bps,
        granted_ns: &arm.granted_ns,
        allowed_ns: arm.allowed_ns(),
        floors: &floors,
        connections: &arm.connections,
        runs: &runs,
        one_more: &one_more,
        holds: holds(&runs, &one_more),
    };
    tables::after(&document);
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(file, text + "\n").with_context(|| format!("{}", file.display()))?;
    }
    Ok(if document.holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Looked for on each core, while the other is busy: that is how the node has them.
fn floor(worker: usize, guests: usize) -> anyhow::Result<Floors> {
    const EVERY: Duration = Duration::from_micros(100);
    const SPAN: Duration = Duration::from_secs(2);
    let of = |own, other| Floor::measure(own, Some(other), EVERY, SPAN);
    Ok([of(worker, guests)?, of(guests, worker)?])
}

/// Whether everything was as it has to be.
fn holds(runs: &[Run], one_more: &[OneMore]) -> bool {
    /// User cell rate not available (ITU-T Q.850).
    const CAUSE: Option<u8> = Some(37);
    runs.iter().all(Run::holds) && one_more.iter().all(|one| one.cause == CAUSE)
}

impl Args {
    fn plan(&self, cpus: (usize, usize), floors: &Floors) -> anyhow::Result<Plan> {
        const LEAST_MS: f64 = 5.0;
        let mut plan = Plan {
            capacity_mbps: self.capacity,
            phase_us: self.phase,
            connections: self.connections,
            sizes: self.sizes.clone(),
            share: self.share,
            spread: self.spread,
            together: self.together,
            others: self.others,
            best_effort: self.best_effort,
            jitter_ns: 0,
            queue: self.queue,
            threads: self.threads,
            cpus: Some(cpus),
            seed: self.seed,
        };
        let longest_ns: u64 = floors.iter().map(|floor| floor.gaps.longest_ns).sum();
        let measured_ms = (1.5 * longest_ns as f64 / 1e6).ceil().max(LEAST_MS);
        let most_ms = (plan.most_jitter_ns()? / 1_000_000) as f64;
        let jitter_ms = self.jitter.unwrap_or(measured_ms.min(most_ms));
        plan.jitter_ns = (jitter_ms * 1e6) as u64;
        Ok(plan)
    }

    fn measure(&self, arm: &Arm) -> anyhow::Result<(Vec<Run>, Vec<OneMore>)> {
        let span = Duration::from_secs_f64(self.seconds);
        let (mut runs, mut one_more) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            let number = round as u64 * 2;
            let (run, ()) = arm.run(number, span, None, |_| Ok(()))?;
            tables::run(round, &run);
            runs.push(run);
            let excess = Excess {
                connection: (round * 331 + 7) % arm.connections.len(),
                times: self.excess,
            };
            let (run, refused) = arm.run(number + 1, span, Some(excess), Arm::one_more)?;
            tables::run(round, &run);
            runs.push(run);
            one_more.push(refused);
        }
        Ok((runs, one_more))
    }
}
