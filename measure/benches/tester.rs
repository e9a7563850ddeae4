//! Source and sink in bursts, as they run inside the worker: their cost is part of what is measured.
//!
//! `cargo bench -p pinode-measure`: time a burst of 64 frames, throughput in frames.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pinode_measure::stream::{Stream, StreamSpec};
use pinode_measure::wire::TesterWire;
use pinode_ports::{BURST, InlinePort, Port, RxBurst, TxMeta, Wire};

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

criterion_group!(benches, inject, absorb);
criterion_main!(benches);
