//! The guest of the bench: the runtime's own rings and buffers in memory of this process.
//!
//! Unsafe because an arena is made from raw memory. The memory is leaked, so nothing outlives it.

use std::sync::Arc;

use pinode_guest_runtime::unsafe_arena::Arena;
use pinode_guest_runtime::vif::{Net, Queues};
use pinode_node::dataplane::vif::Vif;
use pinode_virtqueue::{DriverQueue, QueueLayout, Receiveq, Transmitq};

const OCTETS: usize = 16 << 20;

/// A guest of `ports` vifs with rings of `queue`, and what the node holds of them.
pub fn guest(queue: u16, ports: usize) -> (Net, Vec<Vec<Vif>>) {
    let memory = vec![0u128; OCTETS / 16].leak();
    // SAFETY: leaked, and used by nobody else.
    let mut arena =
        unsafe { Arena::new(memory.as_mut_ptr().cast(), OCTETS as u64, 64, OCTETS as u64) };
    let (mut queues, mut vifs) = (Vec::new(), Vec::new());
    for _ in 0..ports {
        let mut layout = |size: u16| {
            let base = arena.allocate(32 * u64::from(size) + 256, 64).unwrap();
            QueueLayout::contiguous(base, size, true)
        };
        let (receive, transmit) = (layout(queue), layout(2 * queue));
        let ram = arena.ram();
        queues.push(Queues {
            receive: DriverQueue::new(ram, &receive).unwrap(),
            transmit: arena.headed(&transmit).unwrap().unwrap(),
        });
        vifs.push(vec![Vif::new(
            Receiveq::new(ram, &receive, true).unwrap(),
            Transmitq::new(ram, &transmit).unwrap(),
            Arc::new(|| {}),
            Arc::new(()),
        )]);
    }
    let mut net = Net::with_buffers(&mut arena, queues, 1, 1515).unwrap();
    net.publish(|_, _| {});
    (net, vifs)
}
