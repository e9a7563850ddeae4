//! What crosses the guests when a node is offered all that it takes: the node's arm of `pvp` alone.

use std::time::Duration;

use clap::Parser;
use pinode_bench::node::{Setup, saturate};

/// Offers a node all that it takes and prints what crossed its guests.
#[derive(Parser)]
struct Args {
    /// Guests, each of a PI of its own.
    #[arg(long, default_value_t = 1)]
    guests: usize,
    /// Octets of a frame, with FCS.
    #[arg(long, value_delimiter = ',', default_value = "79")]
    sizes: Vec<u16>,
    /// Policers, far above the rate.
    #[arg(long)]
    police: bool,
    /// Guests as host threads.
    #[arg(long)]
    threads: bool,
    /// Descriptors of each ring.
    #[arg(long, default_value_t = 1024)]
    queue: u16,
    /// Seconds of a run.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Runs of each size.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    for &size in &args.sizes {
        for _ in 0..args.rounds {
            let setup = Setup {
                guests: args.guests,
                policed: args.police,
                threads: args.threads,
                queue: args.queue,
                ..Setup::one(size)
            };
            let span = Duration::from_secs_f64(args.seconds);
            let crossed = saturate(&setup, span / 4, span)?;
            let each: Vec<String> = crossed
                .fps
                .iter()
                .map(|fps| format!("{:.2}", fps / 1e6))
                .collect();
            println!(
                "{size:5} octets: {:.2} M frames/s crossed ({}), {:.2} M/s offered",
                crossed.total_fps() / 1e6,
                each.join(" "),
                crossed.offered_fps / 1e6
            );
        }
    }
    Ok(())
}
