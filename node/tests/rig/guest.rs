//! A guest that the test steps: drivers of one vif a port, frames moved from one to the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pinode_node::dataplane::vif::Vif;
use pinode_virtqueue::{DriverQueue, QueueLayout, Ram, Receiveq, Transmitq};

use super::unsafe_guest_ram::{self, Owned};

const BUFFER: u64 = 2048;
const HEADER: u64 = 12;

struct Driver {
    receive: DriverQueue,
    transmit: DriverQueue,
    rx_layout: QueueLayout,
    tx_layout: QueueLayout,
}

/// A guest with as many lanes (queue pairs of a vif) as there are vifs times pairs; lane
/// `vif * pairs + pair`.
pub struct RigGuest {
    ram: Ram,
    pairs: usize,
    lanes: Vec<Driver>,
    /// Received on a vif and not sent on yet: (to lane, buffer, octets with header).
    held: VecDeque<(usize, u32, u32)>,
    free: Vec<u32>,
    buffers_at: u64,
    pub wakes: Arc<AtomicU64>,
    _memory: Arc<Owned>,
}

impl RigGuest {
    /// The guest, and what it hands to the node: for each vif its queue pairs.
    pub fn new(vifs: usize, pairs: usize, queue: u16) -> (Self, Vec<Vec<Vif>>) {
        let lanes = vifs * pairs;
        let buffers = lanes * usize::from(queue) * 2;
        let rings = QueueLayout::contiguous(0x1000, queue, true)
            .end()
            .next_multiple_of(4096);
        let buffers_at = rings * 2 * (lanes as u64 + 1);
        let octets = buffers_at as usize + buffers * BUFFER as usize;
        let (ram, memory) = unsafe_guest_ram::make(octets);
        let wakes = Arc::new(AtomicU64::new(0));
        let mut drivers = Vec::new();
        let mut devices: Vec<Vec<Vif>> = Vec::new();
        let mut base = 0x1000;
        for lane in 0..lanes {
            let mut layout = || {
                let layout = QueueLayout::contiguous(base, queue, true);
                base = layout.end().next_multiple_of(4096);
                layout
            };
            let (rx_layout, tx_layout) = (layout(), layout());
            let driver = Driver {
                receive: DriverQueue::new(ram, &rx_layout).unwrap(),
                transmit: DriverQueue::new(ram, &tx_layout).unwrap(),
                rx_layout,
                tx_layout,
            };
            drivers.push(driver);
            let count = Arc::clone(&wakes);
            let pair = Vif::new(
                Receiveq::new(ram, &rx_layout, true).unwrap(),
                Transmitq::new(ram, &tx_layout).unwrap(),
                Arc::new(move || {
                    count.fetch_add(1, Ordering::Relaxed);
                }),
                Arc::clone(&memory) as Arc<dyn std::any::Any + Send + Sync>,
            );
            if lane % pairs == 0 {
                devices.push(Vec::new());
            }
            devices.last_mut().unwrap().push(pair);
        }
        assert!(base <= buffers_at);
        let free = (0..buffers as u32).collect();
        let held = VecDeque::with_capacity(buffers);
        let mut guest = Self {
            ram,
            pairs,
            lanes: drivers,
            held,
            free,
            buffers_at,
            wakes,
            _memory: memory,
        };
        guest.refill();
        (guest, devices)
    }

    fn addr(&self, buffer: u32) -> u64 {
        self.buffers_at + u64::from(buffer) * BUFFER
    }

    fn refill(&mut self) {
        for lane in 0..self.lanes.len() {
            while self.lanes[lane].receive.free() > 0 {
                let Some(buffer) = self.free.pop() else { break };
                let addr = self.addr(buffer);
                self.lanes[lane]
                    .receive
                    .post(buffer, addr, BUFFER as u32, true)
                    .unwrap();
            }
            self.lanes[lane].receive.publish();
        }
    }

    /// What `builtin:patch` does: everything that came on one vif goes out on the other, by the queue
    /// pair it came in by.
    pub fn patch(&mut self) {
        let (n, pairs) = (self.lanes.len(), self.pairs);
        for lane in 0..n {
            let Self {
                lanes, held, free, ..
            } = self;
            lanes[lane]
                .receive
                .take(64, |buffer, len| {
                    held.push_back(((lane + pairs) % n, buffer, len));
                })
                .unwrap();
            lanes[lane]
                .transmit
                .take(64, |buffer, _| free.push(buffer))
                .unwrap();
        }
        while let Some(&(to, buffer, len)) = self.held.front() {
            let addr = self.addr(buffer);
            if self.lanes[to].transmit.free() == 0 {
                break;
            }
            self.lanes[to]
                .transmit
                .post(buffer, addr, len, false)
                .unwrap();
            self.held.pop_front();
        }
        for lane in &mut self.lanes {
            lane.transmit.publish();
        }
        self.refill();
    }

    /// Sends `frame` out of lane `vif` as the guest's own. Whether the host wants to be told.
    pub fn send(&mut self, vif: usize, frame: &[u8]) -> bool {
        let buffer = self.free.pop().unwrap();
        let addr = self.addr(buffer);
        self.ram.write(addr, &[0; HEADER as usize]).unwrap();
        self.ram.write(addr + HEADER, frame).unwrap();
        let len = (HEADER as usize + frame.len()) as u32;
        self.lanes[vif]
            .transmit
            .post(buffer, addr, len, false)
            .unwrap();
        self.lanes[vif].transmit.publish()
    }

    /// Whether lane `lane` takes another frame to send.
    pub fn has_room(&self, lane: usize) -> bool {
        self.lanes[lane].transmit.free() > 0 && !self.free.is_empty()
    }

    /// Claims more available entries than the ring has.
    pub fn break_transmit_ring(&mut self, vif: usize) {
        let avail_idx = self.lanes[vif].tx_layout.avail + 2;
        self.ram.write(avail_idx, &u16::MAX.to_le_bytes()).unwrap();
    }

    /// Points the next receive descriptors out of memory.
    pub fn break_receive_ring(&mut self, vif: usize) {
        let layout = self.lanes[vif].rx_layout;
        for i in 0..u64::from(layout.size) {
            self.ram
                .write(layout.desc + 16 * i, &u64::MAX.to_le_bytes())
                .unwrap();
        }
    }

    /// Goes to sleep on all queues.
    pub fn arm(&mut self) {
        for lane in &mut self.lanes {
            lane.receive.arm(1);
            lane.transmit.arm(1);
        }
    }
}
