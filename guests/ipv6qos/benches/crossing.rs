//! Frames through guests as host threads, both sides polling, a core each for guest and host: what a guest costs, and
//! what looking into a frame costs that another core wrote and another core reads.
//!
//! `cargo bench -p pinode-guest-ipv6qos --bench crossing` prints the time a frame takes for three guests: the plainest,
//! `builtin:patch` (of three sizes), one that joins its ports, too, and writes to each header, and the router with one
//! route. The host's part here is a copy in and a copy out; there is no classifier, gate or port.

use std::hint::black_box;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_guest_ipv6qos::Router;
use pinode_guest_patch::Patch;
use pinode_guest_runtime::hosted::{Hosted, HostedConfig, HostedEvent, HostedPair, HostedVif};
use pinode_guest_runtime::{Config, Frames, Function, Output, VifIndex};
use serde_json::json;

const BURST: usize = 64;

/// West to east and back, as the patch does; looks into frames.
struct Looking;

impl Function for Looking {
    fn name(&self) -> &'static str {
        "looking"
    }

    fn configure(&mut self, _config: &Config) -> Result<(), String> {
        Ok(())
    }

    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        while let Some(frame) = frames.next() {
            let octets = frames.octets(&frame);
            // The hop limit, and the end of the header, which is in another line.
            let last = octets[54];
            octets[22] = octets[22].wrapping_sub(last & 1);
            out.send(VifIndex(from.0 ^ 1), frame);
        }
    }
}

fn guest(function: Box<dyn Function + Send>) -> (Hosted, HostedPair, HostedPair) {
    let (sender, events) = channel();
    let sender = Mutex::new(sender);
    let sink = Arc::new(move |event| {
        let _ = sender.lock().unwrap().send(event);
    });
    let config = HostedConfig {
        name: "bench".into(),
        memory: 16 << 20,
        vifs: vec![
            HostedVif {
                queue_size: 1024,
                queue_pairs: 1
            };
            2
        ],
        cpus: vec![1],
    };
    let hosted = Hosted::start(config, function, sink).unwrap();
    let line = json!({ "config": {
        "function": "ipv6qos", "vns": [0], "code": 1, "ethertype": 0x88b5, "idle_after_rounds": u32::MAX,
        "vifs": [
            { "name": "west", "mac": "02:00:00:00:00:00", "mtu": 1500 },
            { "name": "east", "mac": "02:00:00:00:00:01", "mtu": 1500 },
        ],
        "pi": {
            "interface": { "east": { "address": ["2001:db8:2::1/64"], "dad": false } },
            "neighbour": [{ "address": "2001:db8:2::9", "lladdr": "02:00:00:00:01:01", "dev": "east" }],
            "route": [{ "prefix": "::/0", "via": "2001:db8:2::9" }],
        },
    } });
    hosted.send_line(&line.to_string());
    let mut pairs = Vec::new();
    while pairs.len() < 2 {
        if let HostedEvent::NetUp { pairs: mut up, .. } = events.recv().unwrap() {
            pairs.append(&mut up);
        }
    }
    let east = pairs.pop().unwrap();
    (hosted, pairs.pop().unwrap(), east)
}

/// A packet for the router, `octets` long without FCS.
fn frame(octets: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0x88, 0xb5, 0x20];
    let [high, low] = ((octets - 55) as u16).to_be_bytes();
    frame.extend([0x60, 0, 0, 0, high, low, 17, 64]);
    frame.extend([0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    frame.extend([0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    frame.resize(octets, 0xa5);
    frame
}

/// Time for `frames` frames from west to east; what else the guest says is not counted.
fn cross(west: &mut HostedPair, east: &mut HostedPair, frame: &[u8], frames: u64) -> Duration {
    let (mut sent, mut received) = (0, 0);
    let mut copy = [0u8; 2048];
    let mut burst = Vec::with_capacity(BURST);
    let start = Instant::now();
    while received < frames {
        for _ in 0..BURST {
            if sent == frames || west.receive.deliver(&[], frame).is_err() {
                break;
            }
            sent += 1;
        }
        west.receive.publish();
        east.transmit
            .harvest(BURST, |frame| burst.push(frame))
            .unwrap();
        for taken in burst.drain(..) {
            received += u64::from(taken.len() as usize == frame.len());
            let octets = &mut copy[..taken.len() as usize];
            east.transmit.read(&taken, 0, octets).unwrap();
            black_box(octets);
            east.transmit.complete(taken);
        }
        east.transmit.publish();
        // The router's own words on west.
        west.transmit
            .harvest(BURST, |frame| burst.push(frame))
            .unwrap();
        for taken in burst.drain(..) {
            west.transmit.complete(taken);
        }
        west.transmit.publish();
    }
    start.elapsed()
}

fn crossing(c: &mut Criterion) {
    let mut group = c.benchmark_group("crossing");
    group
        .throughput(Throughput::Elements(1))
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    let guests: [(&str, Box<dyn Function + Send>, &[usize]); 3] = [
        ("patch", Box::new(Patch), &[75, 508, 1514]),
        ("looking", Box::new(Looking), &[75]),
        ("router", Box::new(Router::default()), &[75]),
    ];
    for (name, function, sizes) in guests {
        let (hosted, mut west, mut east) = guest(function);
        for octets in sizes {
            let frame = frame(*octets);
            group.bench_function(BenchmarkId::new(name, octets + 4), |b| {
                b.iter_custom(|frames| cross(&mut west, &mut east, &frame, frames));
            });
        }
        hosted.stop();
    }
    group.finish();
}

criterion_group!(benches, crossing);
criterion_main!(benches);
