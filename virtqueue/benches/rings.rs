//! The hot primitives of the rings, one thread, both sides in turn; only the side named is timed.
//!
//! Run: `cargo bench -p pinode-virtqueue`. Sizes count the FCS, as everywhere (79 is 75 in memory);
//! the throughput is of frames.

#[path = "../tests/unsafe_memory/mod.rs"]
mod unsafe_memory;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_virtqueue::{DriverQueue, NET_HEADER, QueueLayout, Receiveq, Transmitq, TxFrame};
use unsafe_memory::Memory;

const SIZE: u16 = 1024;
const BURST: usize = 64;
const FCS: usize = 4;
const SIZES: [usize; 3] = [79, 512, 1518];
/// Between two frame buffers: the frame at its largest, in cache lines of its own.
const STRIDE: u64 = 2048;
const BUFFERS: u64 = 0x1_0000;

struct Bed {
    memory: Memory,
    layout: QueueLayout,
}

impl Bed {
    fn new() -> Self {
        let memory = Memory::new((BUFFERS + STRIDE * u64::from(SIZE)) as usize);
        Bed {
            memory,
            layout: QueueLayout::contiguous(0x1000, SIZE, true),
        }
    }

    fn driver(&self) -> DriverQueue {
        DriverQueue::new(self.memory.ram(), &self.layout).expect("a good layout")
    }
}

fn addr(token: u32) -> u64 {
    BUFFERS + STRIDE * u64::from(token)
}

/// Runs `burst` until `frames` went through it, and adds up what it says it took.
fn frames(frames: u64, mut burst: impl FnMut() -> Duration) -> Duration {
    let bursts = frames.div_ceil(BURST as u64);
    let total: Duration = (0..bursts).map(|_| burst()).sum();
    // What one frame took, times the frames asked for.
    total.mul_f64(frames as f64 / (bursts * BURST as u64) as f64)
}

/// Takes all used buffers and posts them again.
fn recycle(driver: &mut DriverQueue, tokens: &mut Vec<u32>) {
    driver
        .take(usize::MAX, |token, _| tokens.push(token))
        .expect("an honest device");
    for token in tokens.drain(..) {
        driver
            .post(token, addr(token), STRIDE as u32, true)
            .expect("room for it");
    }
    driver.publish();
}

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring_receive");
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        let bed = Bed::new();
        let mut driver = bed.driver();
        let mut device = Receiveq::new(bed.memory.ram(), &bed.layout, false).expect("layout");
        let mut tokens = Vec::with_capacity(SIZE.into());
        post_all(&mut driver);
        let octets = vec![0x5A; size - FCS];
        let (prefix, body) = octets.split_at(15);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|count| {
                frames(count, || {
                    let start = Instant::now();
                    for _ in 0..BURST {
                        device
                            .deliver(black_box(prefix), black_box(body))
                            .expect("buffers");
                    }
                    device.publish();
                    let took = start.elapsed();
                    recycle(&mut driver, &mut tokens);
                    took
                })
            });
        });
    }
    group.finish();
}

/// Posts every buffer a first time.
fn post_all(driver: &mut DriverQueue) {
    for token in 0..SIZE.into() {
        driver
            .post(token, addr(token), STRIDE as u32, true)
            .expect("room for it");
    }
    driver.publish();
}

fn harvest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring_harvest");
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        let bed = Bed::new();
        let mut driver = bed.driver();
        let mut device = Transmitq::new(bed.memory.ram(), &bed.layout).expect("layout");
        let len = (size - FCS) as u32 + NET_HEADER;
        // The whole ring is worked through in turn, a burst available at a time.
        let mut next = 0;
        let mut frames_held: Vec<TxFrame> = Vec::with_capacity(BURST);
        let mut copy = vec![0; size - FCS];
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|count| {
                frames(count, || {
                    for _ in 0..BURST {
                        driver
                            .post(next, addr(next), len, false)
                            .expect("room for it");
                        next = (next + 1) % u32::from(SIZE);
                    }
                    driver.publish();
                    let start = Instant::now();
                    device
                        .harvest(BURST, |frame| frames_held.push(frame))
                        .expect("honest");
                    for frame in frames_held.drain(..) {
                        device
                            .read(&frame, 0, black_box(&mut copy))
                            .expect("in the frame");
                        device.complete(frame);
                    }
                    device.publish();
                    let took = start.elapsed();
                    driver
                        .take(usize::MAX, |_, _| ())
                        .expect("an honest device");
                    took
                })
            });
        });
    }
    group.finish();
}

fn driver(criterion: &mut Criterion) {
    let bed = Bed::new();
    let mut driver = bed.driver();
    let mut device = Receiveq::new(bed.memory.ram(), &bed.layout, false).expect("layout");
    let mut tokens = Vec::with_capacity(SIZE.into());
    post_all(&mut driver);
    let mut group = criterion.benchmark_group("ring_driver");
    group.throughput(Throughput::Elements(1));
    group.bench_function("take_post", |bencher| {
        bencher.iter_custom(|count| {
            frames(count, || {
                for _ in 0..BURST {
                    device.deliver(&[], &[0x5A; 75]).expect("buffers");
                }
                device.publish();
                let start = Instant::now();
                recycle(&mut driver, &mut tokens);
                start.elapsed()
            })
        });
    });
    group.finish();
}

criterion_group!(rings, receive, harvest, driver);
criterion_main!(rings);
