//! What flows cost a packet, in bursts of 64: packets of 1, 1,000 and 1,000,000 flows at random, packets of none, and
//! new flows in a table with room, in a full one, and when one source is at its limit.
//!
//! `GLIBC_TUNABLES=glibc.malloc.hugetlb=1 cargo bench -p pinode-guest-ipv6qos --bench flows`: with huge pages, as a
//! guest's memory has them.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_guest_ipv6qos::filter::flows::{Flows, Limits};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;

const BURST: usize = 64;
const FLOWS: [u32; 3] = [1, 1000, 1_000_000];

/// A generator that costs next to nothing (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A packet of flow `number`, of the direction of its first packet or of the other.
fn packet(number: u64, answers: bool) -> Fields {
    let near = 0x2001_0db8_0001 << 80 | u128::from(number >> 4);
    let far = 0x2001_0db8_0002 << 80 | u128::from(number & 0xff);
    let (source, destination) = if answers { (far, near) } else { (near, far) };
    let port = 1024 + (number & 0x7fff) as u16;
    let (source_port, destination_port) = if answers { (53, port) } else { (port, 53) };
    Fields {
        source,
        destination,
        interface: InterfaceId::new(VifIndex(0), Vn::default()),
        source_port,
        destination_port,
        identifier: 0,
        protocol: protocol::UDP,
        traffic_class: 0,
        tcp_flags: 0,
        upper: Upper::Read,
        fragment: false,
        fragment_id: 0,
        local: false,
        octets: 60,
    }
}

fn table(limit: u32, per_source: u32, flows: u32) -> Flows {
    let limits = Limits {
        flows: limit,
        per_source,
        ..Limits::default()
    };
    let mut table = Flows::new(&limits, 1, 1).expect("memory");
    for number in 0..u64::from(flows) {
        table.track(0, &packet(number, false)).expect("room");
    }
    table
}

/// Time of look-ups alone: packets are made before, as many as the nearest cache holds, since a router reads them
/// just before they are looked up.
fn find(table: &mut Flows, flows: u32, far: u128, bursts: u64) -> Duration {
    const TOGETHER: usize = 4 * BURST;
    let mut random = Random(7);
    let (mut packets, mut answer) = ([packet(0, false); TOGETHER], [false; TOGETHER]);
    let mut spent = Duration::ZERO;
    for _ in 0..bursts.div_ceil(4) {
        for slot in &mut packets {
            let number = random.next();
            *slot = packet(number % u64::from(flows), number >> 63 != 0);
            slot.destination ^= far;
        }
        let begin = Instant::now();
        table.find_burst(0, black_box(&packets), black_box(&mut answer));
        spent += begin.elapsed();
        assert!(answer.iter().all(|found| *found == (far == 0)));
    }
    spent.mul_f64(bursts as f64 / (4 * bursts.div_ceil(4)) as f64)
}

fn found(c: &mut Criterion) {
    let mut group = c.benchmark_group("find");
    group.throughput(Throughput::Elements(BURST as u64));
    for flows in FLOWS {
        let mut table = table(1_000_000, 0, flows);
        for (what, far) in [("hit", 0), ("miss", 1 << 100)] {
            group.bench_function(BenchmarkId::new(what, flows), |b| {
                b.iter_custom(|bursts| find(&mut table, flows, far, bursts));
            });
        }
    }
    group.finish();
}

fn new(c: &mut Criterion) {
    let mut group = c.benchmark_group("new");
    group.throughput(Throughput::Elements(BURST as u64));
    let mut run = |name: &str, table: &mut Flows, source: bool| {
        let mut number = 1u64 << 32;
        let (mut burst, mut answer) = ([packet(0, false); BURST], [false; BURST]);
        group.bench_function(name, |b| {
            b.iter(|| {
                for packet in &mut burst {
                    number += 1;
                    packet.source_port = number as u16;
                    packet.source = 0x2001_0db8_0001 << 80 | u128::from(number);
                    if source {
                        packet.source += u128::from(number) << 64;
                    }
                }
                table.find_burst(0, &burst, &mut answer);
                burst.iter().for_each(|packet| table.expect(packet));
                for packet in &burst {
                    let _ = black_box(table.track(0, packet));
                }
                if table.len() == 1_000_000 && name == "room" {
                    table.flush(None);
                }
            });
        });
    };
    run("room", &mut table(1_000_000, 0, 1), true);
    run("full", &mut table(1_000_000, 0, 1_000_000), true);
    run("full_by_source", &mut table(1_000_000, 100, 0), true);
    run("at_limit", &mut table(1_000_000, 100, 0), false);
    group.finish();
}

fn besides(c: &mut Criterion) {
    let mut group = c.benchmark_group("besides");
    let mut table = table(1_000_000, 0, 1_000_000);
    group.bench_function("work_256", |b| b.iter(|| table.work(0, 256)));
    group.bench_function("page", |b| {
        b.iter(|| black_box(table.list(0, None, 0, 300)))
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500));
    targets = found, new, besides
}
criterion_main!(benches);
