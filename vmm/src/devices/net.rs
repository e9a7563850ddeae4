//! virtio-net (VIRTIO 1.2, 5.1): configuration and lifecycle only. The frames are the owner's business: when the
//! driver is up the data queues are handed out, and a reset waits until they have been let go.
//!
//! It must never touch a frame.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use pinode_virtqueue::{QueueLayout, Receiveq, Transmitq};

use super::net_control::NetControl;
use crate::event::MachineEvent;
use crate::irq::Interrupt;
use crate::memory::GuestRam;
use crate::mmio::registers::feature;
use crate::mmio::slot::VirtioDevice;
use crate::mmio::transport::{Identity, QueueSetup};
use crate::vcpu::Shared;

/// Device type of virtio-net.
const DEVICE_ID: u32 = 1;
const F_MTU: u64 = 1 << 3;
const F_MAC: u64 = 1 << 5;
const F_MRG_RXBUF: u64 = 1 << 15;
const F_STATUS: u64 = 1 << 16;
const F_CTRL_VQ: u64 = 1 << 17;
const F_MQ: u64 = 1 << 22;
const LINK_UP: u16 = 1;
/// Entries of the control queue.
const CONTROL_ENTRIES: u16 = 64;
/// How often a reset that waits for its queues looks whether the machine stops.
const PATIENCE: Duration = Duration::from_millis(2);

/// A vif of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetConfig {
    /// MAC address.
    pub mac: [u8; 6],
    /// Largest payload of a frame, in octets.
    pub mtu: u16,
    /// Most queue pairs the driver may use, 1 to [`MOST_PAIRS`].
    pub queue_pairs: u16,
    /// Most entries of a queue: a power of two up to 32768.
    pub queue_size: u16,
}

/// Most queue pairs of a vif.
pub const MOST_PAIRS: u16 = 64;

/// A vif's registers for the transport.
pub fn identity(config: &NetConfig) -> Identity {
    let several = config.queue_pairs > 1;
    let mut features = feature::VERSION_1 | feature::EVENT_IDX;
    features |= F_MAC | F_MTU | F_STATUS | F_MRG_RXBUF;
    // A frame to the host may take a descriptor for its header, which the driver then writes once
    // for all: as many frames fit either way.
    let sizes = [config.queue_size, config.queue_size.saturating_mul(2)];
    let mut queue_sizes = sizes.repeat(usize::from(config.queue_pairs));
    if several {
        features |= F_CTRL_VQ | F_MQ;
        queue_sizes.push(CONTROL_ENTRIES);
    }
    let mut space = config.mac.to_vec();
    for field in [LINK_UP, config.queue_pairs, config.mtu] {
        space.extend(field.to_le_bytes());
    }
    Identity {
        device_id: DEVICE_ID,
        features,
        queue_sizes,
        config: space,
        accepts: consistent,
    }
}

/// MQ needs CTRL_VQ (VIRTIO 1.2, 5.1.3.1).
fn consistent(features: u64) -> bool {
    features & F_MQ == 0 || features & F_CTRL_VQ != 0
}

/// A queue pair of a running vif, the host's side. Dropping it lets go of the queues.
#[derive(Debug)]
pub struct QueuePair {
    /// Host to guest.
    pub receive: Receiveq,
    /// Guest to host.
    pub transmit: Transmitq,
    /// Tells the guest that buffers were used.
    pub interrupt: Interrupt,
    index: u16,
    active: Arc<AtomicU16>,
    /// Keeps the guest's RAM mapped as long as the queues are.
    pub memory: Arc<GuestRam>,
}

impl QueuePair {
    /// Has the driver this pair in use? The first pair always; further ones once it says so by VQ_PAIRS_SET
    /// (VIRTIO 1.2, 5.1.6.5.6). Frames must not be delivered to a pair that is not active.
    pub fn is_active(&self) -> bool {
        self.index < self.active.load(Ordering::Acquire)
    }

    /// Which pair of its vif this is.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// How many pairs the driver has in use now, the first ones: to be looked at when this pair has been taken apart.
    pub fn pairs_in_use(&self) -> Arc<AtomicU16> {
        self.active.clone()
    }
}

/// Holds up a guest's reset of a vif until it is dropped.
#[derive(Debug)]
pub struct Released {
    gate: Arc<Gate>,
}

impl Drop for Released {
    fn drop(&mut self) {
        *self
            .gate
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.gate.opened.notify_all();
    }
}

#[derive(Debug, Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn wait(&self, shared: &Shared) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open && !shared.is_stopping() {
            let waited = self.opened.wait_timeout(open, PATIENCE);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The device behind the registers.
pub struct Net {
    index: usize,
    most_pairs: u16,
    ram: Arc<GuestRam>,
    interrupt: Interrupt,
    shared: Arc<Shared>,
    control: Arc<NetControl>,
    up: Mutex<bool>,
}

impl Net {
    pub(crate) fn new(
        index: usize,
        config: &NetConfig,
        ram: Arc<GuestRam>,
        interrupt: Interrupt,
        shared: Arc<Shared>,
        control: Arc<NetControl>,
    ) -> Self {
        let most_pairs = config.queue_pairs;
        Self {
            index,
            most_pairs,
            ram,
            interrupt,
            shared,
            control,
            up: Mutex::new(false),
        }
    }

    fn pair(
        &self,
        index: u16,
        features: u64,
        rx: &QueueSetup,
        tx: &QueueSetup,
        active: &Arc<AtomicU16>,
    ) -> Result<QueuePair, String> {
        let event_idx = features & feature::EVENT_IDX != 0;
        let merge = features & F_MRG_RXBUF != 0;
        let ram = self.ram.ram();
        let receive = Receiveq::new(ram, &layout(rx, event_idx), merge)
            .map_err(|error| format!("receive queue {index}: {error}"))?;
        let transmit = Transmitq::new(ram, &layout(tx, event_idx))
            .map_err(|error| format!("transmit queue {index}: {error}"))?;
        Ok(QueuePair {
            receive,
            transmit,
            interrupt: self.interrupt.clone(),
            index,
            active: active.clone(),
            memory: self.ram.clone(),
        })
    }

    fn control_index(&self, features: u64) -> Option<usize> {
        // VIRTIO 1.2, 5.1.2: behind all pairs with MQ, behind the first without.
        let pairs = if features & F_MQ != 0 {
            self.most_pairs
        } else {
            1
        };
        (features & F_CTRL_VQ != 0).then(|| 2 * usize::from(pairs))
    }
}

fn layout(queue: &QueueSetup, event_idx: bool) -> QueueLayout {
    QueueLayout {
        size: queue.size,
        desc: queue.desc,
        avail: queue.avail,
        used: queue.used,
        event_idx,
    }
}

impl VirtioDevice for Net {
    fn start(&self, features: u64, queues: &[QueueSetup]) -> Result<(), String> {
        let most = if features & F_MQ != 0 {
            self.most_pairs
        } else {
            1
        };
        let active = Arc::new(AtomicU16::new(1));
        let mut pairs = Vec::new();
        for (index, pair) in (0..most).zip(queues.chunks_exact(2)) {
            let [rx, tx] = pair else { break };
            match (rx.ready, tx.ready) {
                (true, true) => pairs.push(self.pair(index, features, rx, tx, &active)?),
                (false, false) if index > 0 => break,
                _ => return Err(format!("queue pair {index} is not ready at DRIVER_OK")),
            }
        }
        let usable = u16::try_from(pairs.len()).unwrap_or(u16::MAX);
        let control = self
            .control_index(features)
            .and_then(|index| queues.get(index));
        if let Some(queue) = control.filter(|queue| queue.ready) {
            let event_idx = features & feature::EVENT_IDX != 0;
            self.control
                .start(&self.ram, queue, event_idx, usable, active)?;
        }
        *self.up.lock().unwrap_or_else(PoisonError::into_inner) = true;
        (self.shared.events)(MachineEvent::NetUp {
            net: self.index,
            pairs,
        });
        Ok(())
    }

    fn stop(&self) {
        self.control.stop();
        let was_up = std::mem::take(&mut *self.up.lock().unwrap_or_else(PoisonError::into_inner));
        if was_up {
            let gate = Arc::new(Gate::default());
            let released = Released { gate: gate.clone() };
            (self.shared.events)(MachineEvent::NetDown {
                net: self.index,
                released,
            });
            gate.wait(&self.shared);
        }
    }

    fn notify(&self, queue: u16) {
        if queue >= 2 {
            self.control.kick();
        }
    }
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
