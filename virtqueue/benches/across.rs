//! The bare path through a guest: two threads on two cores, the device's side copying frames in and
//! out, the driver's side moving each buffer from one ring to the other. No VM, classifier or gate.
//!
//! Run: `cargo bench -p pinode-virtqueue --bench across`. Prints frames that crossed, millions a
//! second; sizes count the FCS, as everywhere (79 is 75 in memory).

#[path = "../tests/unsafe_memory/mod.rs"]
mod unsafe_memory;

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pinode_virtqueue::{
    DriverQueue, NET_HEADER, QueueLayout, Receiveq, Refused, Transmitq, TxFrame,
};
use unsafe_memory::Memory;

const SIZE: u16 = 1024;
const BURST: usize = 64;
const FCS: usize = 4;
const SIZES: [usize; 4] = [79, 256, 512, 1518];
/// An odd number of cache lines, as the guest runtime spreads its buffers.
const STRIDE: u64 = 1600;
const BUFFERS: u64 = 0x4_0000;
const SPAN: Duration = Duration::from_millis(250);

fn addr(token: u32) -> u64 {
    BUFFERS + STRIDE * u64::from(token)
}

/// Device side: a burst in, a burst out, until the time is over. Returns frames that crossed.
fn device(receive: &mut Receiveq, transmit: &mut Transmitq, frame: &[u8]) -> (u64, Duration) {
    let mut slots = vec![0u8; BURST * 2048];
    let mut taken: Vec<TxFrame> = Vec::with_capacity(BURST);
    let mut crossed = 0;
    let began = Instant::now();
    let mut elapsed = Duration::ZERO;
    while elapsed < SPAN {
        for _ in 0..64 {
            for _ in 0..BURST {
                match receive.deliver(&[], black_box(frame)) {
                    Ok(()) => {}
                    Err(Refused::Full) => break,
                    Err(Refused::Broken(error)) => panic!("{error}"),
                }
            }
            receive.publish();
            transmit
                .harvest(BURST, |frame| taken.push(frame))
                .expect("an honest driver");
            crossed += taken.len() as u64;
            for (frame, slot) in taken.iter().zip(slots.chunks_exact_mut(2048)) {
                transmit
                    .read(frame, 0, &mut slot[..frame.len() as usize])
                    .expect("an honest driver");
                black_box(&mut *slot);
            }
            for frame in taken.drain(..) {
                transmit.complete(frame);
            }
            transmit.publish();
        }
        elapsed = began.elapsed();
    }
    (crossed, elapsed)
}

/// Driver side: what came in goes out, what went out is posted again.
fn driver(receive: &mut DriverQueue, transmit: &mut DriverQueue, stop: &AtomicBool) {
    let mut pool: VecDeque<u32> = (0..u32::from(SIZE)).collect();
    let mut burst: Vec<(u32, u32)> = Vec::with_capacity(BURST);
    while !stop.load(Ordering::Relaxed) {
        transmit
            .take(4 * BURST, |token, _| pool.push_back(token))
            .expect("an honest device");
        receive
            .take(BURST, |token, octets| burst.push((token, octets)))
            .expect("an honest device");
        if burst.is_empty() {
            std::hint::spin_loop();
        }
        for (token, octets) in burst.drain(..) {
            transmit
                .post(token, addr(token) + 12, octets - NET_HEADER, false)
                .expect("as many descriptors as buffers");
        }
        transmit.expose();
        while receive.free() > 1
            && let Some(token) = pool.pop_front()
        {
            receive
                .post(token, addr(token), STRIDE as u32, true)
                .expect("a descriptor is free");
        }
        receive.expose();
    }
}

/// A core each, where there are two.
fn pin(cpu: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

fn main() {
    let memory = Memory::new((BUFFERS + STRIDE * u64::from(SIZE)).max(2 << 20) as usize);
    let layouts = [(0x1000, SIZE), (0x1_0000, 2 * SIZE)]
        .map(|(base, size)| QueueLayout::contiguous(base, size, true));
    for size in SIZES {
        let frame = vec![0x5A; size - FCS];
        let [mut to, mut from] =
            layouts.map(|layout| DriverQueue::new(memory.ram(), &layout).expect("a good layout"));
        let mut receive = Receiveq::new(memory.ram(), &layouts[0], false).expect("a good layout");
        let mut transmit = Transmitq::new(memory.ram(), &layouts[1]).expect("a good layout");
        let stop = AtomicBool::new(false);
        let (crossed, elapsed) = std::thread::scope(|scope| {
            scope.spawn(|| {
                pin(1);
                driver(&mut to, &mut from, &stop);
            });
            pin(0);
            let answer = device(&mut receive, &mut transmit, &frame);
            stop.store(true, Ordering::Relaxed);
            answer
        });
        let rate = crossed as f64 / elapsed.as_secs_f64() / 1e6;
        println!(
            "{size:5} octets: {rate:6.2} M frames/s, {:5.1} ns a frame",
            1e3 / rate
        );
    }
}
