//! What switching costs a frame beyond what the rings cost, with few and many connections: beside a guest that joins its
//! ports, on one core.
//!
//! `cargo bench -p pinode-guest-dss --bench switch` puts bursts of 64 frames of 75 octets (79 with FCS) through a guest
//! function on a stand: delivered, handled, harvested. The difference of a line to `patch` is the switch's.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pinode_guest_dss::Switch;
use pinode_guest_patch::Patch;
use pinode_guest_runtime::hosted::Stand;
use pinode_guest_runtime::{Config, Function};
use serde_json::{Value, json};

const BURST: usize = 64;
const FIRST: u32 = 16;

fn config(connections: u32) -> Config {
    let vif = |name, mac| json!({ "name": name, "mac": mac, "mtu": 1500 });
    let pi = if connections == 0 {
        Value::Null
    } else {
        json!({ "connections": connections })
    };
    let config = json!({
        "function": "dss", "vns": [0], "code": 3, "pi": pi,
        "vifs": [vif("west", "02:00:00:00:00:00"), vif("east", "02:00:00:00:00:01")],
    });
    serde_json::from_value(config).unwrap()
}

fn connect(switch: &mut Switch, connections: u32) {
    let item = |label: u32| {
        json!({ "port": 0, "vn": 0, "label": label, "to_port": 1, "to_label": label,
            "rate_bps": 1_000_000_000_000_u64, "tolerance_ns": 1_000_000, "police": true })
    };
    let labels: Vec<u32> = (FIRST..FIRST + connections).collect();
    for labels in labels.chunks(256) {
        let items: Vec<Value> = labels.iter().copied().map(item).collect();
        let answer = switch.request(0, &json!({ "connect": { "items": items } }));
        let answer = answer.unwrap();
        assert!(answer["connected"]["error"].is_null(), "{answer}");
    }
}

/// Labels of frames: by turns, or in an order that no cache could guess.
struct Labels {
    connections: u32,
    at: u32,
    at_random: bool,
}

impl Labels {
    fn next(&mut self) -> u32 {
        if !self.at_random {
            self.at = (self.at + 1) % self.connections;
            return FIRST + self.at;
        }
        self.at = self.at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let of = u64::from(self.at) * u64::from(self.connections);
        FIRST + (of >> 32) as u32
    }
}

struct Rig<F> {
    function: F,
    stand: Stand,
    labels: Labels,
    frame: Vec<u8>,
    now_ns: u64,
}

impl<F: Function> Rig<F> {
    fn new(mut function: F, connections: u32, labels: Labels) -> Self {
        let stand = Stand::start(&mut function, &config(connections), 512, 16 << 20).unwrap();
        let mut frame = [&[0xff; 6][..], &[2, 0, 0, 0, 1, 0, 0x88, 0xb5, 3 << 5]].concat();
        frame.resize(75, 0);
        Rig {
            function,
            stand,
            labels,
            frame,
            now_ns: 1,
        }
    }

    /// A burst in, through and out; how long the guest took.
    fn burst(&mut self) -> Duration {
        self.now_ns += 10_000;
        let Rig {
            stand,
            labels,
            frame,
            ..
        } = self;
        let west = stand.vif(0);
        for _ in 0..BURST {
            let entry = labels.next() << 12 | 1 << 8 | 64;
            frame[15..19].copy_from_slice(&entry.to_be_bytes());
            west.receive.deliver(&[], frame).unwrap();
        }
        west.receive.publish();
        let began = Instant::now();
        stand.round(&mut self.function, self.now_ns).unwrap();
        let took = began.elapsed();
        assert_eq!(stand.vif(1).take().len(), BURST);
        // Buffers come back.
        stand.round(&mut self.function, self.now_ns).unwrap();
        took
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("burst of 64");
    group.throughput(Throughput::Elements(BURST as u64));
    let mut run = |name: &str, burst: &mut dyn FnMut() -> Duration| {
        group.bench_function(name, |b| {
            b.iter_custom(|times| (0..times).map(|_| burst()).sum());
        });
    };
    let by_turns = |connections, at_random| Labels {
        connections,
        at: 0,
        at_random,
    };
    let mut patch = Rig::new(Patch, 0, by_turns(1, false));
    run("patch", &mut || patch.burst());
    for connections in [1, 1000, 100_000, 1_000_000] {
        for at_random in [false, true] {
            let labels = by_turns(connections, at_random);
            let mut rig = Rig::new(Switch::default(), connections, labels);
            connect(&mut rig.function, connections);
            let order = if at_random { "at random" } else { "in order" };
            let name = format!("{connections} connections, {order}");
            run(&name, &mut || rig.burst());
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = bench
}
criterion_main!(benches);
