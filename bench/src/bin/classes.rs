//! Classes of PI IPv6 QoS under overload: delay of EF, loss of AF by drop precedence, shares of AS and BE.
//!
//! `bench/classes` is the command.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use pinode_bench::classes::{self, Case, Found, Machinery, WEIGHTS};
use pinode_bench::machine::Machine;
use serde::Serialize;

/// Classes of PI IPv6 QoS under overload: EF within its rate, three times as much of AF and BE as the phase holds.
#[derive(Parser)]
#[command(name = "classes")]
struct Args {
    /// What is offered; all of them if left out.
    #[arg(value_enum)]
    cases: Vec<Case>,
    /// Seconds of a case.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Guests as host threads instead of virtual machines.
    #[arg(long)]
    threads: bool,
    /// Core of the worker, core of the guests.
    #[arg(long, value_delimiter = ',', default_value = "0,1", num_args = 1)]
    cpus: Vec<usize>,
    /// Writes everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    machine: Machine,
    isolation: &'static str,
    seconds: f64,
    cpus: Vec<usize>,
    cases: Vec<Found>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(args.cpus.len() == 2, "--cpus takes two cores, such as 0,1");
    ensure!(
        args.seconds >= 1.0,
        "--seconds: allowed are 1 and more, as shares are looked at ten times a second"
    );
    let machine = Machine::this();
    let isolation = match args.threads {
        true => "host threads",
        false => "virtual machines",
    };
    println!("{machine}");
    println!(
        "1 Gb/s, three phases of 100 us; worker on core {}, guests ({isolation}) on core {}; {} s a case\n",
        args.cpus[0], args.cpus[1], args.seconds
    );
    let on = Machinery {
        threads: args.threads,
        cpus: (args.cpus[0], args.cpus[1]),
    };
    let all = [Case::Af13, Case::Af12, Case::Af11, Case::Marked];
    let cases = match args.cases.is_empty() {
        true => all.to_vec(),
        false => args.cases.clone(),
    };
    let mut found = Vec::new();
    for case in cases {
        let span = Duration::from_secs_f64(args.seconds);
        let one = classes::run(case, on, span).with_context(|| case.to_string())?;
        print(&one);
        found.push(one);
    }
    if let Some(file) = &args.json {
        let document = Document {
            schema: "pinode-bench-classes/1",
            machine,
            isolation,
            seconds: args.seconds,
            cpus: args.cpus.clone(),
            cases: found,
        };
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(file, text + "\n").with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

fn print(found: &Found) {
    let us = |ns: f64| ns / 1e3;
    println!("{}", found.case);
    println!(
        "  {:<8}{:>14}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}{:>10}",
        "stream",
        "offered Mb/s",
        "sent",
        "lost",
        "lost %",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "max us"
    );
    for stream in &found.streams {
        let latency = &stream.latency_ns;
        println!(
            "  {:<8}{:>14.1}{:>10}{:>10}{:>9.3}{:>10.1}{:>10.1}{:>10.1}{:>10.1}",
            stream.name,
            stream.offered_bps / 1e6,
            stream.sent,
            stream.lost,
            100.0 * stream.lost as f64 / stream.sent.max(1) as f64,
            us(latency.p50 as f64),
            us(latency.p99 as f64),
            us(latency.p999 as f64),
            us(latency.max as f64)
        );
    }
    let all: f64 = WEIGHTS.iter().copied().map(f64::from).sum();
    let shares = ["AS", "BE"]
        .into_iter()
        .zip(found.shared_bps)
        .zip(found.shares());
    for (at, ((name, bps), share)) in shares.enumerate() {
        let due = f64::from(WEIGHTS[at]) / all;
        println!(
            "  {name}: {:.2} Mb/s of wire, {:.3} % of what both got, {:+.3} % beside its weight's {:.3} %; promised {:.1} Mb/s",
            bps / 1e6,
            100.0 * share,
            100.0 * (share / due - 1.0),
            100.0 * due,
            found.bounds.guaranteed_bps[at] / 1e6
        );
    }
    if let Some(voice) = found.streams.first() {
        println!(
            "  EF: bound {:.1} us; {} of {} frames took longer. The worker came for frames up to {:.1} us late (p99.9 {:.1} us)",
            us(found.bounds.rt_delay_ns),
            voice.above_bound,
            voice.sent,
            us(found.late_ns.max as f64),
            us(found.late_ns.p999 as f64)
        );
    }
    for policer in &found.policers {
        let [green, yellow, red] = policer.packets;
        println!(
            "  policer {}: {green} green, {yellow} yellow, {red} red",
            policer.name
        );
    }
    if let Some(why) = &found.refused {
        println!("  says nothing of the node: {why}");
    }
    println!();
}
