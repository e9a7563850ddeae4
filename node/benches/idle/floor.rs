//! What waking a thread costs on this machine: the same chain of wake-ups as a frame's way through an
//! idle node, with nothing in between.
//!
//! The sender writes an eventfd and goes to sleep, as whoever feeds a port does; a first thread (the
//! worker) sleeps on it, writes another and looks for the answer; a second (the guest) sleeps on that
//! and answers. What the node takes beyond is its own doing, or KVM's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pinode_node::dataplane::clock::{Clock as _, Monotonic};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::{read, write};

/// The times of wake-ups after so much silence each, nanoseconds, unsorted.
pub struct Floor {
    /// From the sender to the first thread.
    pub first: Vec<u64>,
    /// From the sender by way of the first thread to the second, and its answer seen by the first.
    pub both: Vec<u64>,
}

struct Chain {
    rung: [OwnedFd; 2],
    woke_ns: AtomicU64,
    answered: AtomicBool,
    seen_ns: AtomicU64,
    ended: AtomicBool,
}

/// `pins`: the CPUs of the two threads.
pub fn measure(pins: [Option<usize>; 2], silence: Duration, times: usize) -> anyhow::Result<Floor> {
    let event = || eventfd(0, EventfdFlags::CLOEXEC);
    let chain = Arc::new(Chain {
        rung: [event()?, event()?],
        woke_ns: AtomicU64::new(0),
        answered: AtomicBool::new(false),
        seen_ns: AtomicU64::new(0),
        ended: AtomicBool::new(false),
    });
    let threads = [first as fn(&Chain), second].into_iter().zip(pins);
    let threads: Vec<_> = threads
        .map(|(body, pin)| {
            let chain = Arc::clone(&chain);
            std::thread::spawn(move || {
                if let Some(cpu) = pin {
                    let mut set = rustix::thread::CpuSet::new();
                    set.set(cpu);
                    let _ = rustix::thread::sched_setaffinity(None, &set);
                }
                body(&chain);
            })
        })
        .collect();
    let (mut to_first, mut to_both) = (Vec::new(), Vec::new());
    for _ in 0..times {
        std::thread::sleep(silence);
        chain.seen_ns.store(0, Ordering::Release);
        let sent_ns = Monotonic.now_ns();
        ring(&chain.rung[0]);
        // As the sender of the frame: off the core at once.
        while chain.seen_ns.load(Ordering::Acquire) == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        to_first.push(
            chain
                .woke_ns
                .load(Ordering::Acquire)
                .saturating_sub(sent_ns),
        );
        to_both.push(
            chain
                .seen_ns
                .load(Ordering::Acquire)
                .saturating_sub(sent_ns),
        );
    }
    chain.ended.store(true, Ordering::Release);
    chain.rung.iter().for_each(ring);
    for thread in threads {
        let _ = thread.join();
    }
    Ok(Floor {
        first: to_first,
        both: to_both,
    })
}

fn ring(event: &OwnedFd) {
    let _ = write(event, &1u64.to_ne_bytes());
}

/// Waits for a ring; false at the end.
fn wait(chain: &Chain, event: &OwnedFd) -> bool {
    let _ = read(event, &mut [0u8; 8][..]);
    !chain.ended.load(Ordering::Acquire)
}

fn first(chain: &Chain) {
    while wait(chain, &chain.rung[0]) {
        chain.woke_ns.store(Monotonic.now_ns(), Ordering::Release);
        chain.answered.store(false, Ordering::Release);
        ring(&chain.rung[1]);
        let until_ns = Monotonic.now_ns() + 100_000_000;
        while !chain.answered.load(Ordering::Acquire) && Monotonic.now_ns() < until_ns {
            std::hint::spin_loop();
        }
        chain.seen_ns.store(Monotonic.now_ns(), Ordering::Release);
    }
}

fn second(chain: &Chain) {
    while wait(chain, &chain.rung[1]) {
        chain.answered.store(true, Ordering::Release);
    }
}
