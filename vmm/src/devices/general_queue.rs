//! A virtqueue of a general device (console, control), served chain by chain with the `virtio-queue` crate.
//!
//! Everything in the rings is a claim: chains are bounded by the queue's size, reads by the caller's limit, a round
//! by an allowance of work, and a ring that breaks the rules is an error for good, never a panic or an endless loop.

use std::sync::Arc;

use virtio_queue::desc::split::Descriptor;
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Address, Bytes, GuestAddress, GuestMemoryMmap};

use crate::irq::Interrupt;
use crate::memory::GuestRam;
use crate::mmio::transport::QueueSetup;

/// Octets that one round of service may move before it takes no further chain. The rest waits for the next round,
/// so that a driver that never stops holds up nobody else.
pub const ROUND_MOST: usize = 32 << 10;
/// What following a descriptor counts for in a round, in octets moved: empty buffers cost time too.
const DESCRIPTOR_PRICE: usize = 64;
/// Octets of a descriptor in its table (VIRTIO 1.2, 2.7.5).
const DESCRIPTOR_OCTETS: u64 = 16;

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
    /// What is left of this round's [`ROUND_MOST`].
    allowance: usize,
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
            allowance: ROUND_MOST,
        })
    }

    fn view(&self) -> &GuestMemoryMmap<()> {
        self.ram.view()
    }

    /// Takes the next chain; `None` when the driver has offered nothing more, or the round has used up its
    /// allowance ([`finish`](Self::finish) tells which).
    pub fn pop(&mut self) -> Result<Option<Chain>, String> {
        if self.allowance == 0 {
            return Ok(None);
        }
        let name = self.name;
        let mut available = self
            .queue
            .iter(self.ram.view())
            .map_err(|error| format!("{name}: {error}"))?;
        let Some(head) = available.next().map(|chain| chain.head_index()) else {
            return Ok(None);
        };
        let mut chain = Chain {
            head,
            readable: Vec::new(),
            writable: Vec::new(),
        };
        // Not by the crate's own walk: that one follows indirect tables, which are not offered here, and ends a
        // chain that breaks the rules as if it were whole.
        let mut next = Some(head);
        for _ in 0..self.queue.size() {
            let Some(index) = next else { break };
            let descriptor = self.descriptor(head, index)?;
            self.charge(DESCRIPTOR_PRICE);
            let buffer = (descriptor.addr(), descriptor.len());
            if descriptor.is_write_only() {
                chain.writable.push(buffer);
            } else {
                chain.readable.push(buffer);
            }
            next = descriptor.has_next().then(|| descriptor.next());
        }
        if next.is_some() {
            return Err(format!(
                "{name}: chain of descriptor {head} has more than {} descriptors",
                self.queue.size()
            ));
        }
        Ok(Some(chain))
    }

    /// Reads a descriptor of the chain of `head`, once.
    fn descriptor(&self, head: u16, index: u16) -> Result<Descriptor, String> {
        let (name, size) = (self.name, self.queue.size());
        if index >= size {
            return Err(format!(
                "{name}: chain of descriptor {head} names descriptor {index}: the queue has {size}"
            ));
        }
        let table = GuestAddress(self.queue.desc_table());
        let descriptor: Descriptor = table
            .checked_add(DESCRIPTOR_OCTETS * u64::from(index))
            .and_then(|address| self.view().read_obj(address).ok())
            .ok_or_else(|| format!("{name}: descriptor {index} does not lie in guest memory"))?;
        if descriptor.refers_to_indirect_table() {
            return Err(format!(
                "{name}: chain of descriptor {head} has an indirect descriptor: not negotiated"
            ));
        }
        Ok(descriptor)
    }

    /// Counts work done against the round's allowance.
    fn charge(&mut self, octets: usize) {
        self.allowance = self.allowance.saturating_sub(octets);
    }

    /// Copies out what the driver wrote, at most `most` octets. Buffers outside RAM read as nothing.
    pub fn gather(&mut self, chain: &Chain, most: usize) -> Vec<u8> {
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
        self.charge(octets.len());
        octets
    }

    /// Copies as many of `octets` as the chain's writable buffers take; says how many.
    pub fn scatter(&mut self, chain: &Chain, octets: &[u8]) -> usize {
        let mut rest = octets;
        for (address, length) in &chain.writable {
            let take = usize::try_from(*length).map_or(rest.len(), |length| length.min(rest.len()));
            let (now, later) = rest.split_at(take);
            if self.view().write_slice(now, *address).is_err() {
                break;
            }
            rest = later;
        }
        let written = octets.len() - rest.len();
        self.charge(written);
        written
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
    /// more to do already. The next round has a new allowance.
    pub fn finish(&mut self) -> Result<bool, String> {
        self.allowance = ROUND_MOST;
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
}
