//! What a frame pays for its next hop, a tick for all links, a flush for a full cache, an error for its checksum.
//!
//! `cargo bench -p pinode-guest-ipv6qos --bench neighbour`
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pinode_guest_ipv6qos::control::item::Mac;
use pinode_guest_ipv6qos::icmp::{Problem, checksum, problem};
use pinode_guest_ipv6qos::neighbour::{Discovery, Filter, Limits, LinkConfig, Outbox};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const FIRST: u128 = 0x2001_0db8_0001_0000_0001 << 48;

fn interface(number: u8) -> InterfaceId {
    InterfaceId::new(VifIndex(number / 32), Vn::of_pih(number))
}

/// So many links, and a neighbour in all places there are for them.
fn discovery(links: u8, neighbours: u32) -> (Discovery<()>, Outbox<()>) {
    let limits = Limits {
        neighbours,
        ..Limits::default()
    };
    let mut discovery = Discovery::new(limits, 256, 7);
    let mut out = Outbox::default();
    for number in 0..links {
        let config = LinkConfig {
            mac: MAC,
            mtu: 1500,
            advertise: None,
            if_addressed: false,
            verify: false,
        };
        discovery
            .add_link(0, interface(number), config)
            .expect("a link");
    }
    for number in 0..neighbours / 4 * 3 {
        let of = FIRST + u128::from(number);
        discovery
            .set_neighbour(0, interface(0), of, MAC, &mut out)
            .expect("room");
    }
    (discovery, out)
}

fn next_hop(c: &mut Criterion) {
    let mut group = c.benchmark_group("neighbour/next_hop");
    for neighbours in [16, 4096, 32_768] {
        let (discovery, _) = discovery(1, neighbours);
        let mut number = 0u32;
        group.bench_function(BenchmarkId::from_parameter(neighbours), |b| {
            b.iter(|| {
                number = number.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
                let of = u128::from((number >> 8) % (neighbours / 4 * 3));
                let found = discovery.find(interface(0), black_box(FIRST + of));
                found.map(|id| discovery.hop(id).mac())
            });
        });
    }
    group.finish();
}

fn tick(c: &mut Criterion) {
    let mut group = c.benchmark_group("neighbour/tick");
    for links in [2, 64, 255] {
        let (mut discovery, mut out) = discovery(links, 4096);
        let mut now_ns = 0;
        for _ in 0..10_000 {
            now_ns += 1_000_000;
            discovery.tick(now_ns, &mut out);
            out.messages.clear();
            out.events.clear();
        }
        group.bench_function(BenchmarkId::new("links", links), |b| {
            b.iter(|| {
                now_ns += 1000;
                discovery.tick(black_box(now_ns), &mut out);
            });
        });
    }
    group.finish();
}

fn flush(c: &mut Criterion) {
    let mut group = c.benchmark_group("neighbour/flush");
    for neighbours in [4096, 32_768] {
        let (mut discovery, mut out) = discovery(1, neighbours);
        group.bench_function(BenchmarkId::from_parameter(neighbours), |b| {
            b.iter(|| black_box(discovery.flush(Filter::default(), &mut out)));
        });
    }
    group.finish();
}

fn errors(c: &mut Criterion) {
    let mut group = c.benchmark_group("icmp");
    for octets in [64, 1232] {
        let message = vec![0x5a; octets];
        group.bench_function(BenchmarkId::new("checksum", octets), |b| {
            b.iter(|| checksum::sum(black_box(&message)));
        });
    }
    let packet = [0x60; 1500];
    group.bench_function("packet_too_big", |b| {
        b.iter(|| {
            let mut buffer = packet;
            problem::tell(black_box(&mut buffer), 1500, 1, Problem::TooBig(1400))
        });
    });
    group.finish();
}

criterion_group!(benches, next_hop, tick, flush, errors);
criterion_main!(benches);
