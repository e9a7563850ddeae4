//! Frames per second from a memif master to a slave in the same process, and back: one thread (what both ends
//! cost together) and two (what passes between two cores).

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_ports::{BURST, MemifPort, Port, RxBurst, TxMeta, TxSlots};

/// Octets with FCS, as sizes are given elsewhere.
const SIZES: [u16; 2] = [79, 1518];
const FCS: u16 = 4;

/// Sends up to a burst. The frames' octets are written, as a worker writes them.
fn send(port: &mut MemifPort, len: u16) -> usize {
    let mut slots = TxSlots::new();
    port.tx_slots(BURST, &mut slots);
    for slot in &mut slots {
        slot[..usize::from(len)].fill(black_box(1));
    }
    let count = slots.len();
    drop(slots);
    let metas = [TxMeta { len, start_ns: 0 }; BURST];
    port.tx_commit(&metas[..count])
}

/// Receives up to a burst, and reads an octet of each frame.
fn receive(port: &mut MemifPort) -> usize {
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    black_box(
        burst
            .iter()
            .map(|frame| usize::from(frame[0]))
            .sum::<usize>(),
    );
    burst.len()
}

/// A connected pair: master, slave.
fn pair(folder: &tempfile::TempDir) -> [MemifPort; 2] {
    let mut ports = ["master", "slave"].map(|role| {
        let spec = format!("{},role={role}", folder.path().join("s").display());
        let ports = MemifPort::open(&spec.parse().expect("parses"), 1500, 1);
        ports.expect("opens").remove(0)
    });
    while !ports.iter_mut().all(|port| {
        receive(port);
        port.is_connected()
    }) {
        std::thread::yield_now();
    }
    ports
}

/// How long `frames` take from one thread to another.
fn across(from: &mut MemifPort, to: &mut MemifPort, len: u16, frames: u64) -> Duration {
    let begun = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !begun.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            let mut sent = 0;
            while sent < frames {
                sent += send(from, len) as u64;
            }
            // The receiver counts to `frames`; what went beyond is taken below.
        });
        begun.store(true, Ordering::Release);
        let start = Instant::now();
        let mut received = 0;
        while received < frames {
            received += receive(to) as u64;
        }
        let taken = start.elapsed();
        // Lets the sender put its last burst.
        for _ in 0..10_000 {
            receive(to);
        }
        taken
    })
}

fn frames(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let [mut master, mut slave] = pair(&folder);
    let mut group = c.benchmark_group("memif, burst of 64, one thread");
    group.throughput(Throughput::Elements(BURST as u64));
    for size in SIZES {
        let len = size - FCS;
        group.bench_function(BenchmarkId::new("master to slave", size), |bench| {
            bench.iter(|| (send(&mut master, len), receive(&mut slave)));
        });
        group.bench_function(BenchmarkId::new("slave to master", size), |bench| {
            bench.iter(|| (send(&mut slave, len), receive(&mut master)));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("memif, two threads");
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        let len = size - FCS;
        group.bench_function(BenchmarkId::new("master to slave", size), |bench| {
            bench.iter_custom(|frames| across(&mut master, &mut slave, len, frames));
        });
        group.bench_function(BenchmarkId::new("slave to master", size), |bench| {
            bench.iter_custom(|frames| across(&mut slave, &mut master, len, frames));
        });
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
