//! Frames through the patch function as a host thread, both sides polling: a core each for guest and host.
//!
//! `cargo bench -p pinode-guest-patch` prints frames a second. The host's part here is a copy in and a copy
//! out; there is no classifier, gate or port.

use std::hint::black_box;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_guest_patch::Patch;
use pinode_guest_runtime::hosted::{Hosted, HostedConfig, HostedEvent, HostedPair, HostedVif};

const BURST: usize = 64;
const CONFIG: &str = concat!(
    r#"{"config":{"function":"patch","idle_after_rounds":4294967295,"vifs":["#,
    r#"{"name":"west","mac":"02:00:00:00:00:01","mtu":1500},"#,
    r#"{"name":"east","mac":"02:00:00:00:00:02","mtu":1500}]}}"#
);

/// The guest, west's pair and east's.
fn guest() -> (Hosted, HostedPair, HostedPair) {
    let (sender, events) = channel();
    let sender = Mutex::new(sender);
    let sink = Arc::new(move |event| drop(sender.lock().unwrap().send(event)));
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
        cpus: Vec::new(),
    };
    let hosted = Hosted::start(config, Box::new(Patch), sink).unwrap();
    hosted.send_line(CONFIG);
    let mut pairs = Vec::new();
    while pairs.len() < 2 {
        if let HostedEvent::NetUp { pairs: mut up, .. } = events.recv().unwrap() {
            pairs.append(&mut up);
        }
    }
    let east = pairs.pop().unwrap();
    (hosted, pairs.pop().unwrap(), east)
}

/// Time for `frames` frames from west to east.
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
        received += burst.len() as u64;
        for frame in burst.drain(..) {
            let octets = &mut copy[..frame.len() as usize];
            east.transmit.read(&frame, 0, octets).unwrap();
            black_box(octets);
            east.transmit.complete(frame);
        }
        east.transmit.publish();
    }
    start.elapsed()
}

fn crossing(c: &mut Criterion) {
    let (hosted, mut west, mut east) = guest();
    let mut group = c.benchmark_group("patch_thread");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for octets in [75, 508, 1514] {
        let frame = vec![7; octets];
        group.bench_function(BenchmarkId::from_parameter(octets + 4), |b| {
            b.iter_custom(|frames| cross(&mut west, &mut east, &frame, frames));
        });
    }
    group.finish();
    hosted.stop();
}

criterion_group!(benches, crossing);
criterion_main!(benches);
