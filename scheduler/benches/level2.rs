//! What a frame costs at level 2: queued and taken again, by discipline, with a burst waiting; and
//! with level 1 around it, as a worker asks, for 3, 16 and 64 PIs.
//!
//! `cargo bench -p pinode-scheduler --bench level2`
#![allow(missing_docs)]

use std::hint::black_box;
use std::num::NonZeroU8;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::streams::{Connection, Room, Service, Tolerance};
use pinode_scheduler::level2::{Arrival, Content, Diffserv, Discipline, Fifo, Streams};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};

const BURST: u64 = 64;
const OCTETS: u32 = 79;
const CONNECTIONS: [u32; 4] = [1, 100, 10_000, 100_000];

/// As large as a node's descriptor of a frame.
type Frame = [u64; 2];

/// First octets of packets that end up in different classes.
type Heads = Vec<(u8, [u8; 4])>;

fn diffserv() -> (Diffserv<Frame>, Heads) {
    let policed = Policed {
        rate: LinkRate::new(400_000_000_000).expect("not 0"),
        burst_octets: u32::MAX,
        limit: 128,
    };
    let weighted = |weight| Weighted {
        weight: NonZeroU8::new(weight).expect("not 0"),
        limit: 128,
    };
    let queue = Diffserv::new(&Classes {
        nc: policed,
        rt: policed,
        assured: weighted(2),
        be: weighted(1),
    });
    // CS6, EF, AF11, AF13, DF, LE.
    let heads = [48u8, 46, 10, 14, 0, 1].map(|dscp| (0, [0x60 | dscp >> 2, dscp << 6, 0, 0]));
    (queue, heads.to_vec())
}

fn content() -> (Content<Frame>, Heads) {
    let heads = (0..32).flat_map(|vn| [[5, 40, 7, 38], [6, 40, 7, 38]].map(|pdu| (vn, pdu)));
    (Content::new(u32::MAX, 64, 64), heads.collect())
}

/// All of them get a frame in turn, in no order of their labels.
fn streams(connections: u32) -> (Streams<Frame>, Heads) {
    let mut queue = Streams::new(Room::of(u64::MAX, 64.max(2 * connections) * 2));
    let mut heads = Vec::new();
    for n in 0..connections {
        let label = 16 + (n * 7_919) % 1_000_003;
        let asked = Connection {
            vn: 0,
            label,
            service: Service::Cbr,
            peak: Some(LinkRate::new(1_000_000).expect("not 0")),
            tolerance: Tolerance::Own(u64::MAX),
            buffer: if connections < 100 { 64 } else { 2 },
            largest: 1518,
        };
        queue.connect(asked).expect("room for all");
        heads.push((0, (label << 12).to_be_bytes()));
    }
    (queue, heads)
}

/// A burst comes, a burst goes.
fn churn(c: &mut Criterion, name: &str, (mut queue, heads): (impl Discipline<Frame>, Heads)) {
    let mut group = c.benchmark_group("level2");
    group.throughput(Throughput::Elements(BURST));
    let mut heads = heads.iter().cycle();
    let mut now_ns = 0;
    group.bench_function(name, |b| {
        b.iter(|| {
            now_ns += 5_000;
            for _ in 0..BURST {
                let Some((vn, pdu)) = heads.next() else { break };
                let arrival = Arrival {
                    now_ns,
                    octets: OCTETS,
                    vn: *vn,
                    pdu,
                };
                let _ = black_box(queue.enqueue([now_ns; 2], black_box(&arrival)));
            }
            black_box(queue.dequeue_while(now_ns, usize::MAX, |frame| black_box(frame)[0] > 0))
        });
    });
    group.finish();
}

/// The heap's full depth: every connection has a frame waiting, one goes and one comes.
fn backlogged(c: &mut Criterion) {
    let mut group = c.benchmark_group("level2/backlogged");
    group.throughput(Throughput::Elements(1));
    for connections in CONNECTIONS {
        let (mut queue, heads) = streams(connections);
        for (at, (vn, pdu)) in (0..).zip(&heads) {
            let arrival = Arrival {
                now_ns: 0,
                octets: OCTETS,
                vn: *vn,
                pdu,
            };
            let _ = queue.enqueue([at, 0], &arrival);
        }
        let mut now_ns = 0;
        group.bench_function(BenchmarkId::new("streams", connections), |b| {
            b.iter(|| {
                now_ns += 100;
                let Some(frame) = queue.dequeue_if(black_box(now_ns), |_| true) else {
                    return;
                };
                let (vn, pdu) = heads[frame[0] as usize];
                let arrival = Arrival {
                    now_ns,
                    octets: OCTETS,
                    vn,
                    pdu: &pdu,
                };
                let _ = black_box(queue.enqueue(frame, &arrival));
            });
        });
    }
    group.finish();
}

/// Both levels: a turn looks at the gate, queues a burst of the open window's PI, and sends what may.
fn decision(c: &mut Criterion) {
    let mut group = c.benchmark_group("level1+level2");
    group.throughput(Throughput::Elements(BURST));
    for pis in [3u8, 16, 64] {
        both(&mut group, "fifo", pis, || {
            (Fifo::new(256), vec![(0, [0; 4])])
        });
        both(&mut group, "diffserv", pis, diffserv);
        both(&mut group, "content", pis, content);
        both(&mut group, "streams of 100", pis, || streams(100));
    }
    group.finish();
}

fn both<D: Discipline<Frame>>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    pis: u8,
    make: impl Fn() -> (D, Heads),
) {
    let phases: Vec<_> = (0..pis)
        .map(|pi| Phase {
            owner: Some(pi),
            duration_ns: 10_000,
        })
        .collect();
    let link = LinkRate::new(10_000_000_000).expect("not 0");
    let cycle = Cycle::new(&phases, 0, link, |_| 1518).expect("valid");
    let mut gate = Gate::new(cycle, 0, 10_000);
    let (mut queues, heads): (Vec<D>, Vec<Heads>) = (0..pis).map(|_| make()).unzip();
    let mut heads = heads.first().into_iter().flatten().cycle();
    let mut now_ns = 0;
    group.bench_function(BenchmarkId::new(name, pis), |b| {
        b.iter(|| {
            now_ns += 5_000;
            let window = gate.advance(black_box(now_ns));
            let slot = window.owner.unwrap_or(0);
            let queue = &mut queues[usize::from(slot)];
            for _ in 0..BURST {
                let Some((vn, pdu)) = heads.next() else { break };
                let arrival = Arrival {
                    now_ns,
                    octets: OCTETS,
                    vn: *vn,
                    pdu,
                };
                let _ = black_box(queue.enqueue([now_ns; 2], &arrival));
            }
            let Some(mut starts) = gate.open(slot) else {
                return 0;
            };
            queue.dequeue_while(now_ns, usize::MAX, |_| {
                let start = starts.ask(black_box(OCTETS));
                start.map(|start| black_box(starts.charge(start))).is_ok()
            })
        });
    });
}

fn level2(c: &mut Criterion) {
    churn(c, "fifo", (Fifo::new(256), vec![(0, [0; 4])]));
    churn(c, "diffserv", diffserv());
    churn(c, "content", content());
    for connections in CONNECTIONS {
        churn(c, &format!("streams/{connections}"), streams(connections));
    }
    backlogged(c);
    decision(c);
}

criterion_group!(benches, level2);
criterion_main!(benches);
