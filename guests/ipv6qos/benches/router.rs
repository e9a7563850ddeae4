//! What the router costs a frame beyond what the rings cost: beside a guest that joins its ports, on one core.
//!
//! `cargo bench -p pinode-guest-ipv6qos --bench router` puts bursts of 64 frames of 75 octets (79 with FCS) through a
//! guest function on a stand: delivered, handled, harvested. The difference of a line to `patch` is the router's.

mod registry;

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pinode_guest_ipv6qos::Router;
use pinode_guest_runtime::hosted::Stand;
use pinode_guest_runtime::{Config, Frames, Function, Output, VifIndex};
use serde_json::{Value, json};

const BURST: usize = 64;
/// Different destinations: more than a cache of a few would hold.
const DESTINATIONS: usize = 4096;

/// West to east and back.
struct Patch;

impl Function for Patch {
    fn name(&self) -> &'static str {
        "patch"
    }

    fn configure(&mut self, _config: &Config) -> Result<(), String> {
        Ok(())
    }

    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        while let Some(frame) = frames.next() {
            out.send(VifIndex(from.0 ^ 1), frame);
        }
    }
}

fn config(pi: &Value) -> Config {
    let config = json!({
        "function": "ipv6qos", "vns": [0], "code": 1, "ethertype": 0x88b5, "seed": 7, "pi": pi,
        "vifs": [
            { "name": "west", "mac": "02:00:00:00:00:00", "mtu": 1500 },
            { "name": "east", "mac": "02:00:00:00:00:01", "mtu": 1500 },
        ],
    });
    serde_json::from_value(config).unwrap()
}

/// The plain configuration: a static neighbour on east.
fn plain() -> Value {
    json!({
        "interface": {
            "west": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east": { "address": ["2001:db8:2::1/64"], "dad": false },
        },
        "neighbour": [{ "address": "2001:db8:2::9", "lladdr": "02:00:00:00:01:01", "dev": "east" }],
        "limits": { "routes": 300_000, "table_prefixes": 300_000, "filter_rules": 4096 },
    })
}

fn change(router: &mut Router, op: &str, items: &[Value]) {
    for items in items.chunks(64) {
        let request = json!({ "change": { "op": op, "items": items } });
        let answer = router.request(0, &request).unwrap();
        assert!(answer["changed"]["error"].is_null(), "{answer}");
        while !router.work() {}
    }
}

fn route(prefix: &str) -> Value {
    json!({ "route": { "prefix": prefix, "via": "2001:db8:2::9" } })
}

/// Prefix `number` of 200,000, spread as in a table of the Internet: /32 to /48 below 2000::/4.
fn spread(number: u64) -> (u128, u8) {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let length = 32 + (mixed >> 60) as u8;
    let bits = 2 << 124 | u128::from(mixed >> 4) << 64;
    (bits >> (128 - length) << (128 - length), length)
}

/// A frame of 75 octets to `to`.
fn frame(to: u128) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0x88, 0xb5, 0x20];
    frame.extend([0x60, 0, 0, 0, 0, 20, 17, 64]);
    frame.extend("2001:db8:1::9".parse::<Ipv6Addr>().unwrap().octets());
    frame.extend(to.to_be_bytes());
    frame.extend([3, 232, 7, 208, 0, 20, 0, 0]);
    frame.resize(75, 0xa5);
    frame
}

struct Rig<F> {
    function: F,
    stand: Stand,
    frames: Vec<Vec<u8>>,
    next: usize,
    now_ns: u64,
    variety: Option<Variety>,
}

/// Flows, a power of two, that source address and port of packets run through.
struct Variety {
    flows: u32,
    flow: u32,
}

impl Variety {
    /// Makes a frame one of the next flow.
    fn vary(&mut self, frame: &mut [u8]) {
        // A full period of a power of two (Hull and Dobell): all flows, in no order a cache could guess.
        self.flow = self
            .flow
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        let [_, high, a, b] = (self.flow & (self.flows - 1)).to_be_bytes();
        frame[15 + 22] = high;
        frame[15 + 40..15 + 42].copy_from_slice(&[a, b]);
    }
}

impl<F: Function> Rig<F> {
    fn new(mut function: F, pi: &Value, frames: Vec<Vec<u8>>) -> Self {
        let stand = Stand::start(&mut function, &config(pi), 512, 16 << 20).unwrap();
        let mut rig = Rig {
            function,
            stand,
            frames,
            next: 0,
            now_ns: 1,
            variety: None,
        };
        for _ in 0..4000 {
            rig.now_ns += 1_000_000;
            rig.stand.tick(&mut rig.function, rig.now_ns).unwrap();
            for vif in 0..2 {
                rig.stand.vif(vif).take();
            }
        }
        rig
    }

    /// Time for `frames` frames through it, in bursts.
    fn cross(&mut self, frames: u64) -> Duration {
        let mut crossed = 0;
        let start = Instant::now();
        while crossed < frames {
            for _ in 0..BURST {
                let at = self.next % self.frames.len();
                let frame = &mut self.frames[at];
                if let Some(variety) = &mut self.variety {
                    variety.vary(frame);
                }
                let west = self.stand.vif(0);
                west.receive.deliver(&[], frame).unwrap();
                self.next += 1;
            }
            self.stand.vif(0).receive.publish();
            self.now_ns += 2_000;
            self.stand.round(&mut self.function, self.now_ns).unwrap();
            let transmit = &mut self.stand.vif(1).transmit;
            let mut burst = arrayvec::ArrayVec::<_, BURST>::new();
            transmit.harvest(BURST, |frame| burst.push(frame)).unwrap();
            assert_eq!(burst.len(), BURST, "a frame was lost");
            for frame in burst {
                transmit.complete(frame);
            }
            transmit.publish();
            crossed += BURST as u64;
        }
        start.elapsed().mul_f64(frames as f64 / crossed as f64)
    }
}

fn spread_frames() -> Vec<Vec<u8>> {
    let numbers = (0..DESTINATIONS as u64).map(|n| n * 48);
    numbers.map(|n| frame(spread(n).0 | 1)).collect()
}

fn crossing(c: &mut Criterion) {
    let mut group = c.benchmark_group("router");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    group
        .measurement_time(Duration::from_secs(1))
        .warm_up_time(Duration::from_millis(300));
    let neighbour = u128::from("2001:db8:2::9".parse::<Ipv6Addr>().unwrap());
    let mut line = |name: &str, rig: &mut dyn FnMut(u64) -> Duration| {
        group.bench_function(name, |b| b.iter_custom(&mut *rig));
    };
    let one = || vec![frame(neighbour)];

    let mut rig = Rig::new(Patch, &plain(), one());
    line("patch", &mut |frames| rig.cross(frames));

    let mut rig = Rig::new(Router::default(), &plain(), one());
    line("on the link", &mut |frames| rig.cross(frames));

    let mut rig = Rig::new(Router::default(), &plain(), spread_frames());
    change(&mut rig.function, "add", &[route("default")]);
    line("1 route", &mut |frames| rig.cross(frames));

    let mut rig = Rig::new(Router::default(), &plain(), spread_frames());
    let mut routes: Vec<Value> = (0..200_000)
        .map(|n| {
            let (bits, length) = spread(n);
            route(&format!("{}/{length}", Ipv6Addr::from(bits)))
        })
        .collect();
    routes.push(route("default"));
    change(&mut rig.function, "replace", &routes);
    line("200,000 routes", &mut |frames| rig.cross(frames));

    for count in [1u32, 1000] {
        let mut rig = Rig::new(Router::default(), &plain(), spread_frames());
        change(&mut rig.function, "add", &[route("default")]);
        let rules: Vec<Value> = (0..count)
            .map(|n| {
                let from = format!("2001:db8:ffff:{n:x}::/64");
                json!({ "filter": { "match": { "from": from, "protocol": "udp" }, "action": "drop" } })
            })
            .collect();
        change(&mut rig.function, "add", &rules);
        for _ in 0..20_000 {
            rig.now_ns += 1_000_000;
            rig.stand.tick(&mut rig.function, rig.now_ns).unwrap();
        }
        line(&format!("{count} filter rules"), &mut |frames| {
            rig.cross(frames)
        });
    }

    for (flows, tracks) in [(1u32, false), (1, true), (1 << 10, true), (1 << 20, true)] {
        let mut pi = plain();
        pi["filter"] = json!({ "flows": { "limit": flows.max(1 << 16) } });
        let mut rig = Rig::new(Router::default(), &pi, one());
        rig.variety = Some(Variety { flows, flow: 0 });
        let rule = json!({ "filter": { "match": { "protocol": "udp" }, "action": "track" } });
        if tracks {
            change(&mut rig.function, "add", &[rule]);
            rig.cross(u64::from(flows.max(64)));
        }
        let name = match (tracks, flows) {
            (false, _) => "no rule, as flows".to_owned(),
            (true, 1) => "1 flow".to_owned(),
            (true, 1024) => "1,000 flows".to_owned(),
            (true, _) => "1,000,000 flows".to_owned(),
        };
        line(&name, &mut |frames| rig.cross(frames));
    }

    let mut rig = Rig::new(Router::default(), &plain(), one());
    let rule = json!({ "filter": { "action": "accept" } });
    change(&mut rig.function, "add", &[rule]);
    line("a rule for all", &mut |frames| rig.cross(frames));

    // As `bench/routed` has them: rules for prefixes in groups, and destinations that no memo holds.
    let prefixes = registry::prefixes(999);
    let destinations = registry::destinations(&prefixes, 1 << 18);
    let frames = destinations.into_iter().map(frame).collect();
    let mut rig = Rig::new(Router::default(), &plain(), frames);
    change(&mut rig.function, "add", &[route("default")]);
    let rules: Vec<Value> = { registry::matches(&prefixes).into_iter() }
        .map(|wanted| json!({ "filter": { "match": wanted, "action": "accept" } }))
        .collect();
    change(&mut rig.function, "add", &rules);
    for _ in 0..20_000 {
        rig.now_ns += 1_000_000;
        rig.stand.tick(&mut rig.function, rig.now_ns).unwrap();
    }
    line("1000 filter rules of a registry", &mut |frames| {
        rig.cross(frames)
    });

    let mut rig = Rig::new(Router::default(), &plain(), spread_frames());
    let class = json!({ "class": { "match": { "protocol": "udp" }, "dscp": "EF" } });
    change(&mut rig.function, "add", &[route("default"), class]);
    line("a class rule", &mut |frames| rig.cross(frames));
    group.finish();
}

criterion_group!(benches, crossing);
criterion_main!(benches);
