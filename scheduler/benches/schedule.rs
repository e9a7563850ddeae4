//! What a frame's turn at the gate costs: advance and try_start with 3, 16 and 64 phases.
//!
//! `cargo bench -p pinode-scheduler`
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};

const FRAMES: u64 = 64;
const LOOKAHEAD_NS: u64 = 10_000;

fn gate(phases: usize) -> Gate {
    let phases: Vec<_> = (0..phases)
        .map(|i| Phase {
            owner: Some((i % 3) as u8),
            duration_ns: 100_000,
        })
        .collect();
    let link = LinkRate::new(10_000_000_000).expect("not 0");
    Gate::new(
        Cycle::new(&phases, 0, link, |_| 1518).expect("valid"),
        0,
        LOOKAHEAD_NS,
    )
}

fn schedule(c: &mut Criterion) {
    let mut group = c.benchmark_group("schedule");
    group.throughput(Throughput::Elements(FRAMES));
    for phases in [3, 16, 64] {
        // A poll every 5 us with as many frames of the open window's PI as go.
        let mut gate_polled = gate(phases);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("burst", phases), |b| {
            b.iter(|| {
                now_ns += 5_000;
                let window = gate_polled.advance(black_box(now_ns));
                for _ in 0..FRAMES {
                    let _ = black_box(gate_polled.try_start(window.owner.unwrap_or(0), 79));
                }
            });
        });
        // The same, with what is alike for all frames looked up once.
        let mut gate_opened = gate(phases);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("starts", phases), |b| {
            b.iter(|| {
                now_ns += 5_000;
                let window = gate_opened.advance(black_box(now_ns));
                if let Some(mut starts) = gate_opened.open(window.owner.unwrap_or(0)) {
                    for _ in 0..FRAMES {
                        let start = starts.ask(black_box(79));
                        let _ = black_box(start.map(|start| starts.charge(start)));
                    }
                }
            });
        });
        // One advance for each frame, every eighth of them into another window.
        let mut gate_asked = gate(phases);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("each", phases), |b| {
            b.iter(|| {
                for _ in 0..FRAMES {
                    now_ns += 12_500;
                    let window = gate_asked.advance(black_box(now_ns));
                    let _ = black_box(gate_asked.try_start(window.owner.unwrap_or(0), 79));
                }
            });
        });
        // A worker that was away: each advance passes over many cycles.
        let mut gate_left = gate(phases);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("after_a_stall", phases), |b| {
            b.iter(|| {
                for _ in 0..FRAMES {
                    now_ns += 3_000_000_123;
                    black_box(gate_left.advance(black_box(now_ns)));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, schedule);
criterion_main!(benches);
