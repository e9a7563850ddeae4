//! A node of the plainest kind: what comes into one port leaves by the other, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use pinode_ports::{Port, RxBurst, TxMeta, TxSlots};

/// A running node; it stops when this goes away.
pub struct Node {
    orders: Arc<Orders>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Orders {
    is_over: AtomicBool,
    /// So many of the next frames are lost.
    lose: AtomicU64,
    /// Lost by order.
    lost: AtomicU64,
}

impl Node {
    /// Forwards between two ports. `now_ns` is the worker's clock.
    pub fn between(
        mut west: impl Port + 'static,
        mut east: impl Port + 'static,
        now_ns: fn() -> u64,
    ) -> Self {
        let orders = Arc::new(Orders::default());
        let seen = Arc::clone(&orders);
        let worker = std::thread::spawn(move || {
            while !seen.is_over.load(Ordering::Relaxed) {
                let now = now_ns();
                forward(now, &mut west, &mut east, &seen);
                forward(now, &mut east, &mut west, &seen);
                std::thread::yield_now();
            }
        });
        Self {
            orders,
            worker: Some(worker),
        }
    }

    /// The next `frames` frames are lost.
    pub fn lose(&self, frames: u64) {
        self.orders.lose.store(frames, Ordering::Relaxed);
    }

    /// How many were, by order.
    pub fn lost(&self) -> u64 {
        self.orders.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.orders.is_over.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.worker.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

fn forward(now_ns: u64, from: &mut impl Port, to: &mut impl Port, orders: &Orders) {
    let mut burst = RxBurst::new();
    from.rx_burst(now_ns, &mut burst);
    let mut metas = Vec::new();
    let mut waiting = burst.iter().copied().peekable();
    while waiting.peek().is_some() {
        let mut slots = TxSlots::new();
        to.tx_slots(waiting.len(), &mut slots);
        metas.clear();
        let mut slots = slots.into_iter();
        while let Some(frame) = waiting.peek() {
            if orders.lose.load(Ordering::Relaxed) > 0 {
                orders.lose.fetch_sub(1, Ordering::Relaxed);
                orders.lost.fetch_add(1, Ordering::Relaxed);
                waiting.next();
                continue;
            }
            let Some(slot) = slots.next() else {
                break;
            };
            slot[..frame.len()].copy_from_slice(frame);
            metas.push(TxMeta {
                len: frame.len() as u16,
                start_ns: now_ns,
            });
            waiting.next();
        }
        drop(slots);
        assert_eq!(to.tx_commit(&metas), metas.len());
    }
}

/// CLOCK_MONOTONIC, as the paths have it.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Waits for `condition`, at most 20 seconds.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed().as_secs() < 20, "{what}");
        std::thread::yield_now();
    }
}
