//! What a look-up and a change cost at 1, 1,000 and 200,000 prefixes.
//!
//! `cargo bench -p pinode-guest-ipv6qos --bench lpm`
#![allow(missing_docs)]

use std::hint::black_box;

use arrayvec::ArrayVec;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_guest_ipv6qos::lpm::Lpm;
use pinode_guest_ipv6qos::lpm::sample::{Random, prefixes};
use pinode_guest_ipv6qos::{Prefix, Vn};

const BURST: usize = 64;
/// Different addresses that are looked up: more than any cache holds what they touch of.
const KEYS: usize = 1 << 18;

fn table(count: usize) -> (Lpm, Vec<Prefix>) {
    let vn = Vn::default();
    let list = prefixes(count, 5);
    let mut lpm = Lpm::with_capacity(count).expect("memory");
    for (value, &prefix) in list.iter().enumerate() {
        lpm.insert(vn, prefix, value as u32 + 1).expect("memory");
    }
    (lpm, list)
}

/// Addresses of prefixes chosen at random, so that all match.
fn keys(list: &[Prefix]) -> Vec<(Vn, u128)> {
    let mut random = Random(3);
    (0..KEYS)
        .map(|_| {
            let of = list[random.below(list.len() as u64) as usize];
            (Vn::default(), random.address_in(of))
        })
        .collect()
}

fn lookups(c: &mut Criterion) {
    let mut group = c.benchmark_group("lpm");
    for count in [1, 1_000, 200_000] {
        let (mut lpm, list) = table(count);
        println!("{count} prefixes: {} octets", lpm.octets());
        let keys = keys(&list);
        let mut values = [0; BURST];
        let mut bursts = keys.chunks(BURST).cycle();
        group.throughput(Throughput::Elements(BURST as u64));
        group.bench_function(BenchmarkId::new("burst", count), |b| {
            b.iter(|| {
                let burst = bursts.next().expect("endless");
                lpm.lookup_burst(black_box(burst), &mut values);
                black_box(&values);
            });
        });
        let mut bursts = keys.chunks(BURST).cycle();
        group.bench_function(BenchmarkId::new("again", count), |b| {
            b.iter(|| {
                let burst = bursts.next().expect("endless");
                let mut left = ArrayVec::<(Vn, u128), BURST>::new();
                for (vn, address) in black_box(burst) {
                    if let Err(bits) = lpm.approach(*vn, *address).done() {
                        values[left.len()] = bits;
                        left.push((*vn, *address));
                    }
                }
                lpm.lookup_burst_again(&left, &mut values);
                black_box(&values);
            });
        });
        group.throughput(Throughput::Elements(1));
        let mut single = keys.iter().cycle();
        group.bench_function(BenchmarkId::new("single", count), |b| {
            b.iter(|| {
                let (vn, address) = single.next().expect("endless");
                lpm.lookup(*vn, black_box(*address))
            });
        });
    }
    group.finish();
}

fn changes(c: &mut Criterion) {
    let mut group = c.benchmark_group("lpm");
    let vn = Vn::default();
    for count in [1, 1_000, 200_000] {
        let (mut lpm, list) = table(count);
        let mut cycle = list.iter().cycle();
        group.bench_function(BenchmarkId::new("remove+insert", count), |b| {
            b.iter(|| {
                let prefix = *cycle.next().expect("endless");
                let value = lpm.remove(vn, prefix).expect("there");
                lpm.insert(vn, prefix, value)
            });
        });
    }
    let (mut lpm, _) = table(200_000);
    for text in ["::/0", "2000::/3", "2a00::/16", "2a00::/17"] {
        let prefix: Prefix = text.parse().expect("a prefix");
        group.bench_function(BenchmarkId::new("insert+remove 200000", text), |b| {
            b.iter(|| {
                lpm.insert(vn, prefix, 1).expect("memory");
                lpm.remove(vn, prefix)
            });
        });
    }
    group.finish();
}

/// The longest that one change takes, of all 200,000 in both directions: a figure, not a statistic, and on a machine
/// that is shared it has the machine's own pauses in it.
fn longest(_: &mut Criterion) {
    let vn = Vn::default();
    let list = prefixes(200_000, 5);
    let mut lpm = Lpm::with_capacity(200_000).expect("memory");
    let mut times = Vec::with_capacity(2 * list.len());
    for &prefix in &list {
        let start = std::time::Instant::now();
        lpm.insert(vn, prefix, 1).expect("memory");
        times.push(start.elapsed().as_nanos());
    }
    for &prefix in &list {
        let start = std::time::Instant::now();
        lpm.remove(vn, prefix);
        times.push(start.elapsed().as_nanos());
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100_000];
    println!(
        "a change: median {} ns, 99 % {}, 99.9 % {}, 99.99 % {}, longest {}",
        at(50_000),
        at(99_000),
        at(99_900),
        at(99_990),
        at(100_000)
    );
}

criterion_group!(benches, lookups, changes, longest);
criterion_main!(benches);
