//! A virtqueue of a general device (console, control), served chain by chain with the `virtio-queue` crate.
//!
//! Everything in the rings is a claim: chains are bounded by the queue's size, reads by the caller's limit, and a
//! ring that breaks the rules is an error for good, never a panic or an endless loop.

use std::sync::Arc;

use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::irq::Interrupt;
use crate::memory::GuestRam;
use crate::mmio::transport::QueueSetup;

/// A descriptor chain taken from the ring: where its buffers are.
#[derive(Debug)]
pub struct Chain {
    head: u16,
    readable: Vec<(GuestAddress, u32)>,
    writable: Vec<(GuestAddress, u32)>,
}

/// A queue in service.
#[derive(Debug)]
pub struct GeneralQueue {
    queue: Queue,
    ram: Arc<GuestRam>,
    interrupt: Interrupt,
    name: &'static str,
}

impl GeneralQueue {
    /// Takes a queue into service; its place and alignment are checked here.
    pub fn new(
        name: &'static str,
        ram: &Arc<GuestRam>,
        interrupt: &Interrupt,
        setup: &QueueSetup,
        event_idx: bool,
    ) -> Result<Self, String> {
        let refused = |error: virtio_queue::Error| format!("{name}: {error}");
        let mut queue = Queue::new(setup.size).map_err(refused)?;
        queue.try_set_size(setup.size).map_err(refused)?;
        queue
            .try_set_desc_table_address(GuestAddress(setup.desc))
            .map_err(refused)?;
        queue
            .try_set_avail_ring_address(GuestAddress(setup.avail))
            .map_err(refused)?;
        queue
            .try_set_used_ring_address(GuestAddress(setup.used))
            .map_err(refused)?;
        queue.set_event_idx(event_idx);
        queue.set_ready(true);
        if !queue.is_valid(ram.view()) {
            return Err(format!("{name}: the rings do not lie in guest memory"));
        }
        Ok(Self {
            queue,
            ram: ram.clone(),
            interrupt: interrupt.clone(),
            name,
        })
    }

    fn view(&self) -> &GuestMemoryMmap<()> {
        self.ram.view()
    }

    /// Takes the next chain; `None` when the driver has offered nothing more.
    pub fn pop(&mut self) -> Result<Option<Chain>, String> {
        let name = self.name;
        let mut available = self
            .queue
            .iter(self.ram.view())
            .map_err(|error| format!("{name}: {error}"))?;
        let Some(descriptors) = available.next() else {
            return Ok(None);
        };
        let head = descriptors.head_index();
        let (mut readable, mut writable) = (Vec::new(), Vec::new());
        for descriptor in descriptors {
            let buffer = (descriptor.addr(), descriptor.len());
            if descriptor.is_write_only() {
                writable.push(buffer);
            } else {
                readable.push(buffer);
            }
        }
        Ok(Some(Chain {
            head,
            readable,
            writable,
        }))
    }

    /// Copies out what the driver wrote, at most `most` octets. Buffers outside RAM read as nothing.
    pub fn gather(&self, chain: &Chain, most: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        for (address, length) in &chain.readable {
            let room = most - octets.len();
            let take = usize::try_from(*length).map_or(room, |length| length.min(room));
            let begin = octets.len();
            octets.resize(begin + take, 0);
            let into = octets.get_mut(begin..).unwrap_or(&mut []);
            if self.view().read_slice(into, *address).is_err() {
                octets.truncate(begin);
                break;
            }
        }
        octets
    }

    /// Copies as many of `octets` as the chain's writable buffers take; says how many.
    pub fn scatter(&self, chain: &Chain, octets: &[u8]) -> usize {
        let mut rest = octets;
        for (address, length) in &chain.writable {
            let take = usize::try_from(*length).map_or(rest.len(), |length| length.min(rest.len()));
            let (now, later) = rest.split_at(take);
            if self.view().write_slice(now, *address).is_err() {
                break;
            }
            rest = later;
        }
        octets.len() - rest.len()
    }

    /// Gives a chain back, `written` octets written into it.
    pub fn complete(&mut self, chain: &Chain, written: usize) -> Result<(), String> {
        let written = u32::try_from(written).unwrap_or(u32::MAX);
        let name = self.name;
        self.queue
            .add_used(self.ram.view(), chain.head, written)
            .map_err(|error| format!("{name}: {error}"))
    }

    /// Ends a round of service: interrupts the driver if it asked, and asks for its kicks. Says whether there is
    /// more to do already.
    pub fn finish(&mut self) -> Result<bool, String> {
        let name = self.name;
        let refused = |error: virtio_queue::Error| format!("{name}: {error}");
        if self
            .queue
            .needs_notification(self.ram.view())
            .map_err(refused)?
        {
            self.interrupt.raise();
        }
        self.queue
            .enable_notification(self.ram.view())
            .map_err(refused)
    }

    /// Chains to take in one round at most.
    pub fn round(&self) -> u16 {
        self.queue.size()
    }
}
