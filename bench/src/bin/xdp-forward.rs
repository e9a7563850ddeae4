//! A bare AF_XDP forwarder between two interfaces, until it is ended: what the node is held against.

use std::time::Duration;

use clap::Parser;
use pinode_bench::xdp::Forwarder;

/// Forwards every frame between two interfaces by AF_XDP.
#[derive(Parser)]
#[command(name = "xdp-forward")]
struct Args {
    /// One interface.
    west: String,
    /// The other.
    east: String,
    /// Core of the forwarding thread.
    #[arg(long)]
    cpu: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let _forwarder = Forwarder::start(&args.west, &args.east, args.cpu)?;
    println!("forwarding between {} and {}", args.west, args.east);
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
