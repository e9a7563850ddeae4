//! What a frame's turn at the gate costs: advance and try_start with 3, 16 and 64 PIs, a phase each.
//!
//! `cargo bench -p pinode-scheduler`
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};

const FRAMES: u64 = 64;
const LOOKAHEAD_NS: u64 = 10_000;

fn gate(pis: u8) -> Gate {
    let phases: Vec<_> = (0..pis)
        .map(|slot| Phase {
            owner: Some(slot),
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
    for pis in [3, 16, 64] {
        // A poll every 5 us with as many frames of the open window's PI as go.
        let mut gate_polled = gate(pis);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("burst", pis), |b| {
            b.iter(|| {
                now_ns += 5_000;
                let window = gate_polled.advance(black_box(now_ns));
                for _ in 0..FRAMES {
                    let _ = black_box(gate_polled.try_start(window.owner.unwrap_or(0), 79));
                }
            });
        });
        // The same, with what is alike for all frames looked up once.
        let mut gate_opened = gate(pis);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("starts", pis), |b| {
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
        let mut gate_asked = gate(pis);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("each", pis), |b| {
            b.iter(|| {
                for _ in 0..FRAMES {
                    now_ns += 12_500;
                    let window = gate_asked.advance(black_box(now_ns));
                    let _ = black_box(gate_asked.try_start(window.owner.unwrap_or(0), 79));
                }
            });
        });
        // Frames for the next window, committed before it opens: 64 just before each opening.
        let mut gate_ahead = gate(pis);
        let mut now_ns = 95_000;
        group.bench_function(BenchmarkId::new("ahead", pis), |b| {
            b.iter(|| {
                now_ns += 100_000;
                gate_ahead.advance(black_box(now_ns));
                let next = gate_ahead.next().and_then(|next| next.owner);
                if let Some(mut starts) = gate_ahead.open_ahead(next.unwrap_or(0)) {
                    starts.size(black_box(79));
                    for _ in 0..FRAMES {
                        let _ = black_box(starts.start());
                    }
                }
            });
        });
        // A worker that was away: each advance passes over many cycles.
        let mut gate_left = gate(pis);
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("after_a_stall", pis), |b| {
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
