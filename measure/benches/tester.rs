//! Source and sink in bursts, as they run inside the worker: their cost is part of what is measured. And both
//! with a cable in memory between them, on one core: the tester's largest rate.
//!
//! `cargo bench -p pinode-measure --bench tester`: time a burst of 64 frames, throughput in frames.

use std::hint::black_box;
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pinode_measure::burst;
use pinode_measure::plan::Plan;
use pinode_measure::stream::{Stream, StreamSpec};
use pinode_measure::wire::TesterWire;
use pinode_ports::{BURST, InlinePort, Port, RxBurst, TxMeta, Wire, memory};

const CAPACITY: u64 = 10_000_000_000;

/// Three streams that together send one frame each nanosecond step of the benches' clock.
fn streams(size: u16) -> Vec<Stream> {
    Stream::all((1..=3).map(|pi| StreamSpec::new(pi.into(), pi, size, 1e8))).expect("valid streams")
}

fn inject(c: &mut Criterion) {
    let mut group = c.benchmark_group("source_burst");
    group.throughput(Throughput::Elements(BURST as u64));
    for size in [79, 512, 1518] {
        let (wire, probe) = TesterWire::new(&streams(size), &[], CAPACITY);
        let mut port = InlinePort::new(wire, 2048);
        probe.start(0);
        let mut now_ns = 1_000;
        group.bench_function(format!("{size}"), |b| {
            b.iter(|| {
                now_ns += 300; // 90 frames due: every burst is full
                let mut burst = RxBurst::new();
                port.rx_burst(now_ns, &mut burst);
                assert_eq!(burst.len(), BURST);
                black_box(burst.last().map(|frame| frame[60]));
            });
        });
    }
    group.finish();
}

fn absorb(c: &mut Criterion) {
    let mut group = c.benchmark_group("sink_burst");
    group.throughput(Throughput::Elements(BURST as u64));
    for size in [79, 512, 1518] {
        let streams = streams(size);
        let (wire, probe) = TesterWire::new(&streams, &[], CAPACITY);
        let mut source = InlinePort::new(wire, 2048);
        probe.start(0);
        let (mut sink, _probe) = TesterWire::new(&[], &streams, CAPACITY);
        let mut now_ns = 1_000;
        group.bench_function(format!("{size}"), |b| {
            b.iter_batched_ref(
                || {
                    now_ns += 300;
                    let mut burst = RxBurst::new();
                    source.rx_burst(now_ns, &mut burst);
                    let frames: Vec<_> = burst.iter().map(|f| f.to_vec()).collect();
                    (now_ns, frames)
                },
                |(now_ns, frames)| {
                    for frame in frames {
                        let meta = TxMeta {
                            len: frame.len() as u16,
                            start_ns: *now_ns + 500,
                        };
                        sink.absorb(*now_ns, frame, &meta);
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Source, cable, sink: as over interfaces, with the clock read at every burst.
fn cable(c: &mut Criterion) {
    let mut group = c.benchmark_group("source_cable_sink_burst");
    group.throughput(Throughput::Elements(BURST as u64));
    for size in [79, 512, 1518] {
        let streams = Stream::all([StreamSpec::new(1, 1, size, 1e8)]).expect("a valid stream");
        let mut plan = Plan::new(&streams, &streams, 0);
        let (mut near, mut far) = memory::cable(256, 2048);
        let clock = Instant::now();
        let now_ns = || clock.elapsed().as_nanos() as u64;
        plan.source.start(0);
        group.bench_function(format!("{size}"), |b| {
            b.iter(|| {
                // At 100 M frames/s a burst is always due; what is later than the backlog is given up.
                let now = now_ns();
                let sent = burst::send(&mut near, &mut plan, now, now_ns);
                assert_eq!(burst::absorb(&mut far, &mut plan, now_ns(), now_ns), sent);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, inject, absorb, cable);
criterion_main!(benches);
