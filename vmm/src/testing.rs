//! A driver for device tests without KVM: registers through the slot, rings through the driver side of our own
//! virtqueues, memory by hand.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};

use pinode_virtqueue::{DriverQueue, QueueLayout};

use crate::console::Log;
use crate::event::MachineEvent;
use crate::memory::{GuestRam, LEAST_MEMORY};
use crate::mmio::registers::{feature, offset, status};
use crate::mmio::slot::Slot;
use crate::vcpu::Shared;

/// Rings begin here, 64 KiB a queue.
const RINGS: u64 = 0x10_0000;
/// Buffers begin here, 4 KiB each.
const BUFFERS: u64 = 0x20_0000;

pub fn shared() -> (Arc<Shared>, Receiver<MachineEvent>) {
    let (sender, receiver) = channel();
    let sender = std::sync::Mutex::new(sender);
    let shared = Shared {
        name: "test".into(),
        stopping: AtomicBool::new(false),
        ended: AtomicBool::new(false),
        events: Arc::new(move |event| {
            let _ = sender.lock().unwrap().send(event);
        }),
        log: Arc::new(Log::default()),
    };
    (Arc::new(shared), receiver)
}

pub fn ram() -> Arc<GuestRam> {
    GuestRam::new(LEAST_MEMORY).unwrap()
}

pub struct Driver {
    pub slot: Arc<Slot>,
    pub ram: Arc<GuestRam>,
    pub queues: Vec<DriverQueue>,
    next_buffer: u64,
}

impl Driver {
    pub fn new(slot: Arc<Slot>, ram: Arc<GuestRam>) -> Self {
        Self {
            slot,
            ram,
            queues: vec![],
            next_buffer: BUFFERS,
        }
    }

    pub fn put(&self, at: u64, value: u32) {
        self.slot.write(at, &value.to_le_bytes()).unwrap();
    }

    pub fn get(&self, at: u64) -> u32 {
        let mut word = [0; 4];
        self.slot.read(at, &mut word);
        u32::from_le_bytes(word)
    }

    /// Negotiates `features` (VERSION_1 is added) up to FEATURES_OK.
    pub fn negotiate(&self, features: u64) {
        let features = features | feature::VERSION_1;
        self.put(offset::STATUS, u32::from(status::ACKNOWLEDGE));
        self.put(
            offset::STATUS,
            u32::from(status::ACKNOWLEDGE | status::DRIVER),
        );
        for half in 0..2u32 {
            self.put(offset::DRIVER_FEATURES_SEL, half);
            self.put(offset::DRIVER_FEATURES, (features >> (32 * half)) as u32);
        }
        self.put(offset::STATUS, 11);
        assert_eq!(
            self.get(offset::STATUS),
            11,
            "features {features:#x} were refused"
        );
    }

    /// Sets up queue `index` with `size` entries and makes it ready.
    pub fn queue(&mut self, index: u32, size: u16, event_idx: bool) {
        let layout = self.layout(index, size, event_idx);
        let queue = DriverQueue::new(self.ram.ram(), &layout).unwrap();
        self.put(offset::QUEUE_SEL, index);
        self.put(offset::QUEUE_NUM, u32::from(size));
        for (low, high, address) in [
            (offset::QUEUE_DESC_LOW, offset::QUEUE_DESC_HIGH, layout.desc),
            (
                offset::QUEUE_DRIVER_LOW,
                offset::QUEUE_DRIVER_HIGH,
                layout.avail,
            ),
            (
                offset::QUEUE_DEVICE_LOW,
                offset::QUEUE_DEVICE_HIGH,
                layout.used,
            ),
        ] {
            self.put(low, address as u32);
            self.put(high, (address >> 32) as u32);
        }
        self.put(offset::QUEUE_READY, 1);
        assert_eq!(self.get(offset::QUEUE_READY), 1);
        self.queues.push(queue);
    }

    pub fn layout(&self, index: u32, size: u16, event_idx: bool) -> QueueLayout {
        let begin = RINGS + 0x1_0000 * u64::from(index);
        let (avail, used) = (begin + 0x8000, begin + 0xc000);
        QueueLayout {
            size,
            desc: begin,
            avail,
            used,
            event_idx,
        }
    }

    pub fn up(&self) -> Result<(), String> {
        self.slot.write(offset::STATUS, &15u32.to_le_bytes())
    }

    pub fn reset(&self) {
        self.put(offset::STATUS, 0);
    }

    /// Posts a buffer holding `octets` for the device to read.
    pub fn send(&mut self, queue: usize, octets: &[u8]) {
        let address = self.buffer();
        self.ram.write(address, octets).unwrap();
        let queue = &mut self.queues[queue];
        queue
            .post(address as u32, address, octets.len() as u32, false)
            .unwrap();
        queue.publish();
    }

    /// Posts an empty buffer of `octets` for the device to write.
    pub fn offer(&mut self, queue: usize, octets: u32) {
        let address = self.buffer();
        let queue = &mut self.queues[queue];
        queue.post(address as u32, address, octets, true).unwrap();
        queue.publish();
    }

    /// What the device wrote into the buffers it used.
    pub fn received(&mut self, queue: usize) -> Vec<Vec<u8>> {
        let mut used = Vec::new();
        self.queues[queue]
            .take(64, |address, octets| used.push((address, octets)))
            .unwrap();
        used.into_iter()
            .map(|(address, octets)| {
                let mut buffer = vec![0; octets as usize];
                self.ram.read(u64::from(address), &mut buffer).unwrap();
                buffer
            })
            .collect()
    }

    fn buffer(&mut self) -> u64 {
        self.next_buffer += 0x1000;
        self.next_buffer
    }
}
