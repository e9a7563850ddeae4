//! What the tester does over two interfaces that are joined: whether it sends what it is to send when it is to, and
//! whether all of it comes back.
//!
//! `cargo run --release -p pinode-measure --example interfaces -- BACKEND:IF BACKEND:IF [frames/s] [size] [seconds] [trials]`,
//! where BACKEND is `af_packet` or `af_xdp`. Both ways at once.

use std::error::Error;
use std::time::Duration;

use pinode_measure::path::{Interfaces, Options};
use pinode_measure::stats::Summary;
use pinode_measure::stream::StreamSpec;
use pinode_measure::trial::{Device, Load, LoadStream, Path, PathKind, Side};
use pinode_ports::{Cables, Port, PortSpec, open};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut port = || -> Result<Box<dyn Port>, Box<dyn Error>> {
        let backend = arguments.next().ok_or("two interfaces are needed")?;
        let spec = PortSpec {
            backend: backend.parse()?,
            mtu: 1500,
            queues: 1,
        };
        let ports = open(&spec, &mut Cables::default())?;
        ports.into_iter().next().ok_or("no queue".into())
    };
    let ports = [port()?, port()?];
    let described = ports[0].describe();
    let mut number = |default: f64| arguments.next().map_or(Ok(default), |a| a.parse());
    let (fps, size) = (number(100_000.0)?, number(128.0)? as u16);
    let (seconds, trials) = (number(1.0)?, number(5.0)? as usize);
    let path = Path {
        kind: PathKind::AfPacket,
        capacity_bps: [10_000_000_000; 2],
        largest: 1518,
        description: described.clone(),
    };
    let mut device = Interfaces::new(ports, path, Options::default())?;
    let stream = |(id, from)| LoadStream {
        from,
        spec: StreamSpec::new(id, 1, size, fps),
    };
    let load = Load {
        streams: [(1, Side::West), (2, Side::East)].map(stream).to_vec(),
        duration: Duration::from_secs_f64(seconds),
        step: None,
        drain: Duration::from_millis(500),
    };
    println!("{described}: {fps} frames/s of {size} B each way for {seconds} s");
    for _ in 0..trials {
        let trial = device.offer(&load, &mut |_| true)?;
        let unsent: u64 = trial.streams.iter().map(|s| s.sent.unsent).sum();
        let count: u64 = trial.pauses.iter().map(|pauses| pauses.count).sum();
        let latency = trial.streams[0].latency_ns();
        let pacing = Summary::of(&trial.pacing);
        println!(
            "sent {}, lost {}, unsent {unsent}, missed {}, foreign {}; {count} pauses, {:.2} ms, longest {:.2} ms, {:.3} %; pacing p50 {} p99 {} max {} us; latency p50 {} p99 {} us: {}",
            trial.sent(),
            trial.lost(),
            trial.missed + trial.tx_lost,
            trial.foreign,
            trial.paused_s() * 1e3,
            trial.longest_pause_s() * 1e3,
            trial.paused_s() / trial.duration_s * 100.0,
            pacing.p50 / 1000,
            pacing.p99 / 1000,
            pacing.max / 1000,
            latency.p50 / 1000,
            latency.p99 / 1000,
            trial.why_refused().unwrap_or_else(|| "valid".into())
        );
    }
    Ok(())
}
