//! What rules cost a packet, in bursts of 64: 1 to 4,000 rules of mixed kinds, whichever is hit; a rule with a table
//! of 1 to 200,000 prefixes; then what changes cost, and the longest that frames wait for one.
//!
//! `GLIBC_TUNABLES=glibc.malloc.hugetlb=1 cargo bench -p pinode-guest-ipv6qos --bench rules`: with huge pages, as a
//! guest's memory has them.
#![allow(missing_docs)]

mod registry;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_guest_ipv6qos::control::item::TableEntry;
use pinode_guest_ipv6qos::control::matching::{Addresses, Match, Protocol, Range};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use pinode_guest_ipv6qos::rules::{Rules, SLICE, Tables};
use pinode_guest_ipv6qos::{InterfaceId, Prefix, Vn};
use pinode_guest_runtime::VifIndex;

const BURST: usize = 64;
const PACKETS: usize = 1 << 15;
const RULES: [u64; 5] = [1, 10, 100, 1000, 4000];
const PREFIXES: [u64; 3] = [1, 1000, 200_000];

/// A generator that costs next to nothing (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn interface(_: &str) -> Result<InterfaceId, String> {
    Err("none is asked for".to_string())
}

fn site(number: u64) -> u128 {
    0x2001_0db8 << 96 | u128::from(number) << 80
}

/// Rule `number` of five kinds by turns, and a packet that matches it.
fn rule(number: u64, random: &mut Random) -> (Match, Fields) {
    let range = |from: u16, to: u16| Some(Range { from, to });
    let within = |prefix: Prefix| Some(Addresses::Prefix(prefix));
    let any = u128::from(random.next());
    let port = (number % 60_000) as u16;
    let (near, far) = (site(number) | any, site(number + 30_000) | any);
    let mut packet = packet(near, far);
    packet.source_port = random.next() as u16;
    let wanted = match number % 5 {
        0 => Match {
            from: within(Prefix::of(near, 48)),
            to: within(Prefix::of(far, 64)),
            ..Match::default()
        },
        1 => {
            packet.destination_port = port;
            Match {
                to: within(Prefix::of(far, 128)),
                protocol: Some(Protocol(protocol::TCP)),
                dport: range(port, port),
                ..Match::default()
            }
        }
        2 => {
            packet.protocol = protocol::UDP;
            packet.destination_port = port + 99;
            Match {
                from: within(Prefix::of(near, 64)),
                protocol: Some(Protocol(protocol::UDP)),
                dport: range(port, port + 99),
                ..Match::default()
            }
        }
        3 => {
            packet.source_port = port + 7;
            packet.destination_port = port;
            Match {
                sport: range(port, port + 7),
                dport: range(port, port),
                ..Match::default()
            }
        }
        _ => {
            packet.protocol = protocol::ICMPV6;
            packet.source_port = 128;
            Match {
                from: within(Prefix::of(near, 56)),
                protocol: Some(Protocol(protocol::ICMPV6)),
                icmp_type: range(128, 129),
                ..Match::default()
            }
        }
    };
    (wanted, packet)
}

fn packet(source: u128, destination: u128) -> Fields {
    Fields {
        source,
        destination,
        interface: InterfaceId::new(VifIndex(0), Vn::default()),
        source_port: 0,
        destination_port: 0,
        identifier: 0,
        protocol: protocol::TCP,
        traffic_class: 0,
        tcp_flags: 0,
        upper: Upper::Read,
        fragment: false,
        fragment_id: 0,
        local: false,
        octets: 60,
    }
}

fn made(count: u64) -> (Rules<u64>, Tables) {
    let (mut rules, mut tables) = (Rules::new(), Tables::new());
    for number in 0..count {
        let (wanted, _) = rule(number, &mut Random(1));
        rules
            .insert(&mut tables, &interface, None, &wanted, number)
            .unwrap();
    }
    while !rules.work(&mut tables, u32::MAX) {}
    (rules, tables)
}

fn measure(
    c: &mut Criterion,
    id: BenchmarkId,
    rules: &mut Rules<u64>,
    tables: &Tables,
    packets: &[Fields],
) {
    let mut group = c.benchmark_group("rules");
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(700));
    group.sample_size(20);
    group.throughput(Throughput::Elements(BURST as u64));
    // Packets are near, since a router reads them just before: copied out of the time measured.
    const TOGETHER: usize = 4 * BURST;
    let (mut at, mut first) = (0, [None; TOGETHER]);
    let mut near = [packet(0, 0); TOGETHER];
    group.bench_function(id, |b| {
        b.iter_custom(|bursts| {
            let mut spent = Duration::ZERO;
            for _ in 0..bursts.div_ceil(4) {
                near.copy_from_slice(&packets[at..at + TOGETHER]);
                let begin = Instant::now();
                rules.first_burst(tables, black_box(&near), &mut first);
                black_box(&first);
                spent += begin.elapsed();
                at = (at + TOGETHER) % packets.len();
            }
            spent.mul_f64(bursts as f64 / (4 * bursts.div_ceil(4)) as f64)
        });
    });
    group.finish();
}

fn look_up(c: &mut Criterion) {
    for count in RULES {
        let (mut rules, tables) = made(count);
        let mut random = Random(42);
        // Each packet another rule's.
        let hits: Vec<_> = (0..PACKETS)
            .map(|_| rule(random.below(count), &mut random))
            .map(|(_, packet)| packet)
            .collect();
        measure(
            c,
            BenchmarkId::new("hit", count),
            &mut rules,
            &tables,
            &hits,
        );
        // No rule's.
        let misses: Vec<_> = { hits.iter() }
            .map(|hit| Fields {
                protocol: protocol::ESP,
                upper: Upper::Opaque,
                source: hit.source ^ 1 << 90,
                ..*hit
            })
            .collect();
        measure(
            c,
            BenchmarkId::new("none", count),
            &mut rules,
            &tables,
            &misses,
        );
        // Each field that of another rule's packet: classes that were hardly ever seen together.
        let mut one = || hits[random.below(PACKETS as u64) as usize];
        let mixed: Vec<_> = (0..PACKETS)
            .map(|_| Fields {
                source: one().source,
                destination: one().destination,
                source_port: one().source_port,
                destination_port: one().destination_port,
                ..one()
            })
            .collect();
        measure(
            c,
            BenchmarkId::new("mixed", count),
            &mut rules,
            &tables,
            &mixed,
        );
    }
}

/// Rules for prefixes as registries give them, and a rule for a protocol alone, asked for random destinations.
fn registered(c: &mut Criterion) {
    for count in [0, 9, 99, 999, 3999] {
        let prefixes = registry::prefixes(count);
        let (mut rules, mut tables) = (Rules::new(), Tables::new());
        let mut wanted = registry::matches(&prefixes);
        if count == 0 {
            wanted = vec![serde_json::json!({ "protocol": "tcp" })];
        }
        for (number, wanted) in (0..).zip(wanted) {
            let wanted: Match = serde_json::from_value(wanted).unwrap();
            rules
                .insert(&mut tables, &interface, None, &wanted, number)
                .unwrap();
        }
        while !rules.work(&mut tables, u32::MAX) {}
        let destinations = match count {
            0 => vec![0; PACKETS],
            _ => registry::destinations(&prefixes, PACKETS),
        };
        let packets: Vec<_> = { destinations.into_iter() }
            .map(|to| Fields {
                source_port: 1000,
                destination_port: 2000,
                protocol: protocol::UDP,
                ..packet(0x2001_0db8_0001_0000 << 64 | 9, to)
            })
            .collect();
        let id = BenchmarkId::new("registry", count + 1);
        measure(c, id, &mut rules, &tables, &packets);
    }
}

fn entry(number: u64) -> TableEntry {
    TableEntry {
        table: "t".to_string(),
        prefix: Prefix::of(site(number & 0xffff) | u128::from(number >> 16) << 64, 64),
    }
}

fn tables(c: &mut Criterion) {
    for prefixes in PREFIXES {
        let (mut rules, mut tables) = (Rules::new(), Tables::new());
        for number in 0..prefixes {
            tables.add(&entry(number)).unwrap();
        }
        let wanted = Match {
            from: Some(Addresses::Table("t".to_string())),
            ..Match::default()
        };
        rules
            .insert(&mut tables, &interface, None, &wanted, 1)
            .unwrap();
        while !rules.work(&mut tables, u32::MAX) {}
        let mut random = Random(42);
        // Half of them in the table.
        let packets: Vec<_> = (0..PACKETS)
            .map(|_| entry(random.below(2 * prefixes)).prefix.bits())
            .map(|address| packet(address | 1, site(1)))
            .collect();
        measure(
            c,
            BenchmarkId::new("table", prefixes),
            &mut rules,
            &tables,
            &packets,
        );
    }
}

/// Times, sorted: the middle, and the longest but for one in a thousand, which are the machine's.
fn told(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    let (middle, most, longest) = (at(500), at(999), at(1000));
    println!(
        "{what}: median {middle:?}, 99.9 % {most:?}, longest {longest:?} of {}",
        times.len()
    );
}

/// Slices of a build, and the longest of them where each counts as it was at its quickest of many builds of the same
/// rules: what is the machine's is not in it. Between slices, caches are filled with other things.
fn quickest_slices(rules: &mut Rules<u64>, tables: &mut Tables) -> (usize, Duration) {
    let mut quickest = Vec::<Duration>::new();
    let mut others = vec![0u64; 1 << 19];
    let (wanted, _) = rule(1, &mut Random(1));
    for _ in 0..30 {
        let at = Some(20);
        let replaced = rules.replace(tables, &interface, at, &wanted, 7);
        replaced.expect("room");
        let mut settled = false;
        for slice in 0.. {
            if settled {
                break;
            }
            others.iter_mut().step_by(8).for_each(|word| *word += 1);
            black_box(&mut others);
            let begin = Instant::now();
            settled = rules.work(tables, SLICE);
            let spent = begin.elapsed();
            match quickest.get_mut(slice) {
                Some(before) => *before = spent.min(*before),
                None => quickest.push(spent),
            }
        }
    }
    let longest = quickest.iter().copied().max().unwrap_or_default();
    (quickest.len(), longest)
}

fn changes(_: &mut Criterion) {
    for count in [1000, 4000] {
        let (mut rules, mut tables) = made(count);
        let (mut inserts, mut slices, mut in_force) = (Vec::new(), Vec::new(), Vec::new());
        let mut random = Random(3);
        for _ in 0..20 {
            for change in 0..10 {
                let at = random.below(count) as u32 * 10 + 10;
                let (wanted, _) = rule(random.below(5000), &mut random);
                let begin = Instant::now();
                if change % 2 == 0 {
                    let _ = rules.remove(&mut tables, at);
                } else {
                    let _ = rules.replace(&mut tables, &interface, Some(at), &wanted, 7);
                }
                inserts.push(begin.elapsed());
            }
            let mut settled = false;
            let before = slices.len();
            while !settled {
                let begin = Instant::now();
                settled = rules.work(&mut tables, SLICE);
                slices.push(begin.elapsed());
            }
            in_force.push(slices[before..].iter().sum());
        }
        told(&format!("{count} rules: a change"), inserts);
        told(&format!("{count} rules: a slice"), slices);
        told(&format!("{count} rules: all slices of a build"), in_force);
        let (slices, longest) = quickest_slices(&mut rules, &mut tables);
        println!(
            "{count} rules: the longest of {slices} slices, each at its quickest of 30 builds: {longest:?}"
        );
    }
    let mut tables = Tables::new();
    let (mut adds, mut removes) = (Vec::new(), Vec::new());
    for number in 0..200_000 {
        let entry = entry(number);
        let begin = Instant::now();
        tables.add(&entry).unwrap();
        adds.push(begin.elapsed());
    }
    for number in 0..200_000 {
        let entry = entry(number);
        let begin = Instant::now();
        tables.remove(&entry).unwrap();
        removes.push(begin.elapsed());
    }
    told("200,000 prefixes of a table, added: each", adds);
    told("200,000 prefixes of a table, removed: each", removes);
}

criterion_group!(benches, look_up, registered, tables, changes);
criterion_main!(benches);
