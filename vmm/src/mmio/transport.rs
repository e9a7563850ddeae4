//! The register file of one virtio-mmio device: a pure state machine (VIRTIO 1.2, 4.2.2 and 3.1.1).
//!
//! It knows no KVM and no device; a write answers with the [`Effect`] the machine has to carry out. Whatever a
//! guest does to it, it must neither panic nor allocate: an access that makes no sense is ignored and counted.

use super::registers::{MAGIC, VENDOR, VERSION, feature, offset, status};
use crate::irq::{CONFIGURATION, Interrupt, USED_BUFFER};

/// What a device is to the transport: constants for its lifetime.
#[derive(Debug)]
pub struct Identity {
    /// Device type (VIRTIO 1.2, 5).
    pub device_id: u32,
    /// Feature bits offered.
    pub features: u64,
    /// Largest size of each queue; their number is the number of queues.
    pub queue_sizes: Vec<u16>,
    /// Device configuration space.
    pub config: Vec<u8>,
    /// Is this choice of features one the device can work with? (Dependencies between bits.)
    pub accepts: fn(u64) -> bool,
}

/// A queue as the driver has set it up. Addresses are claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueSetup {
    /// Entries.
    pub size: u16,
    /// Is it to be used?
    pub ready: bool,
    /// Descriptor table.
    pub desc: u64,
    /// Driver area (available ring).
    pub avail: u64,
    /// Device area (used ring).
    pub used: u64,
}

/// What the machine has to do after a register write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Nothing.
    None,
    /// The driver is up (DRIVER_OK): start the device.
    Start,
    /// The driver wants a reset: stop the device, then call [`Transport::reset_done`].
    Reset,
    /// The driver took back a queue of a running device: stop the device until it is reset.
    Stop,
    /// The driver kicked this queue (only seen where no ioeventfd took it).
    Notify(u16),
}

/// The register file.
#[derive(Debug)]
pub struct Transport {
    identity: Identity,
    interrupt: Interrupt,
    queues: Vec<QueueSetup>,
    driver_features: u64,
    device_features_sel: u32,
    driver_features_sel: u32,
    queue_sel: u32,
    status: u8,
    resetting: bool,
    generation: u32,
    ignored: u64,
}

impl Transport {
    /// A device just powered up.
    pub fn new(identity: Identity, interrupt: Interrupt) -> Self {
        let queues = fresh_queues(&identity);
        Self {
            identity,
            interrupt,
            queues,
            driver_features: 0,
            device_features_sel: 0,
            driver_features_sel: 0,
            queue_sel: 0,
            status: 0,
            resetting: false,
            generation: 0,
            ignored: 0,
        }
    }

    /// Features the driver accepted; meaningful once FEATURES_OK is set.
    pub fn driver_features(&self) -> u64 {
        self.driver_features
    }

    /// The queues as set up.
    pub fn queues(&self) -> &[QueueSetup] {
        &self.queues
    }

    /// Accesses that made no sense, since the machine started.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The device is broken: the driver sees DEVICE_NEEDS_RESET (VIRTIO 1.2, 2.1.2).
    pub fn needs_reset(&mut self) {
        if self.status == 0 || self.resetting {
            return;
        }
        let first = self.status & status::DEVICE_NEEDS_RESET == 0;
        self.status |= status::DEVICE_NEEDS_RESET;
        if first && self.status & status::DRIVER_OK != 0 {
            self.interrupt.raise_for(CONFIGURATION);
        }
    }

    /// The device has stopped after [`Effect::Reset`]: everything is as at power-up.
    pub fn reset_done(&mut self) {
        self.queues = fresh_queues(&self.identity);
        self.driver_features = 0;
        self.device_features_sel = 0;
        self.driver_features_sel = 0;
        self.queue_sel = 0;
        self.status = 0;
        self.resetting = false;
        self.interrupt.acknowledge(USED_BUFFER | CONFIGURATION);
    }

    /// The driver reads `into.len()` octets at `at`.
    pub fn read(&mut self, at: u64, into: &mut [u8]) {
        into.fill(0);
        if at >= offset::CONFIG {
            return self.read_config(at - offset::CONFIG, into);
        }
        let Ok(word) = <&mut [u8; 4]>::try_from(into) else {
            self.ignored += 1;
            return;
        };
        match self.register(at) {
            Some(value) => *word = value.to_le_bytes(),
            None => self.ignored += 1,
        }
    }

    fn register(&self, at: u64) -> Option<u32> {
        Some(match at {
            offset::MAGIC_VALUE => MAGIC,
            offset::VERSION => VERSION,
            offset::DEVICE_ID => self.identity.device_id,
            offset::VENDOR_ID => VENDOR,
            offset::DEVICE_FEATURES => half(self.identity.features, self.device_features_sel),
            offset::QUEUE_NUM_MAX => u32::from(self.selected_max().unwrap_or(0)),
            offset::QUEUE_READY => self.selected().map_or(0, |queue| u32::from(queue.ready)),
            offset::INTERRUPT_STATUS => self.interrupt.status(),
            offset::STATUS => u32::from(self.status),
            offset::SHM_LEN_LOW
            | offset::SHM_LEN_HIGH
            | offset::SHM_BASE_LOW
            | offset::SHM_BASE_HIGH => u32::MAX,
            offset::CONFIG_GENERATION => self.generation,
            _ => return None,
        })
    }

    fn read_config(&mut self, at: u64, into: &mut [u8]) {
        let from = usize::try_from(at)
            .ok()
            .and_then(|at| self.identity.config.get(at..));
        match from.filter(|from| !from.is_empty()) {
            Some(from) => into
                .iter_mut()
                .zip(from)
                .for_each(|(into, from)| *into = *from),
            None => self.ignored += 1,
        }
    }

    /// The driver writes `from` at `at`.
    pub fn write(&mut self, at: u64, from: &[u8]) -> Effect {
        let Ok(word) = <[u8; 4]>::try_from(from) else {
            return self.ignore();
        };
        if self.resetting {
            return self.ignore();
        }
        let value = u32::from_le_bytes(word);
        match at {
            offset::DEVICE_FEATURES_SEL => self.device_features_sel = value,
            offset::DRIVER_FEATURES_SEL => self.driver_features_sel = value,
            offset::QUEUE_SEL => self.queue_sel = value,
            offset::SHM_SEL => {}
            offset::DRIVER_FEATURES => return self.write_features(value),
            offset::QUEUE_NOTIFY => return self.write_notify(value),
            offset::INTERRUPT_ACK => {
                self.interrupt
                    .acknowledge(value & (USED_BUFFER | CONFIGURATION));
            }
            offset::STATUS => return self.write_status(value),
            offset::QUEUE_READY => return self.write_ready(value),
            offset::QUEUE_NUM
            | offset::QUEUE_DESC_LOW
            | offset::QUEUE_DESC_HIGH
            | offset::QUEUE_DRIVER_LOW
            | offset::QUEUE_DRIVER_HIGH
            | offset::QUEUE_DEVICE_LOW
            | offset::QUEUE_DEVICE_HIGH => return self.write_queue(at, value),
            _ => return self.ignore(),
        }
        Effect::None
    }

    fn ignore(&mut self) -> Effect {
        self.ignored += 1;
        Effect::None
    }

    /// Driver features may be written between DRIVER and FEATURES_OK (VIRTIO 1.2, 3.1.1 step 4).
    fn write_features(&mut self, value: u32) -> Effect {
        if !self.in_phase(status::DRIVER, status::FEATURES_OK) {
            return self.ignore();
        }
        let value = u64::from(value);
        match self.driver_features_sel {
            0 => self.driver_features = self.driver_features & !0xffff_ffff | value,
            1 => self.driver_features = self.driver_features & 0xffff_ffff | value << 32,
            _ if value == 0 => {}
            _ => return self.ignore(),
        }
        Effect::None
    }

    fn write_notify(&mut self, value: u32) -> Effect {
        // Without F_NOTIFICATION_DATA the value is the queue's index (VIRTIO 1.2, 4.2.3.3).
        match u16::try_from(value)
            .ok()
            .filter(|queue| usize::from(*queue) < self.queues.len())
        {
            Some(queue) if self.is_running() => Effect::Notify(queue),
            _ => self.ignore(),
        }
    }

    fn write_status(&mut self, value: u32) -> Effect {
        let Ok(value) = u8::try_from(value) else {
            return self.ignore();
        };
        if value == 0 {
            if self.status == 0 {
                self.reset_done();
                return Effect::None;
            }
            self.resetting = true;
            return Effect::Reset;
        }
        let value = value & !status::DEVICE_NEEDS_RESET;
        let held = self.status & !status::DEVICE_NEEDS_RESET;
        // The driver must not clear a bit (VIRTIO 1.2, 2.1.1), and the bits come in their order.
        if value & held != held || !ordered(value) {
            return self.ignore();
        }
        let new = value & !held;
        let was_running = self.is_running();
        let mut accepted = value;
        if new & status::FEATURES_OK != 0 && !self.features_agree() {
            accepted &= !(status::FEATURES_OK | status::DRIVER_OK);
            self.ignored += 1;
        }
        self.status = self.status & status::DEVICE_NEEDS_RESET | accepted;
        match (was_running, self.is_running()) {
            (false, true) => Effect::Start,
            (true, false) => Effect::Stop,
            _ => Effect::None,
        }
    }

    fn features_agree(&self) -> bool {
        let chosen = self.driver_features;
        chosen & !self.identity.features == 0
            && chosen & feature::VERSION_1 != 0
            && (self.identity.accepts)(chosen)
    }

    fn write_ready(&mut self, value: u32) -> Effect {
        if self.is_running() && value == 0 && self.selected().is_some_and(|queue| queue.ready) {
            // Taking back one queue of a running device (VIRTIO 1.2, 4.2.2.2): all of it stops.
            for queue in &mut self.queues {
                queue.ready = false;
            }
            return Effect::Stop;
        }
        let set_up = self.in_phase(status::FEATURES_OK, status::DRIVER_OK);
        let most = self.selected_max();
        match self.selected_mut() {
            Some(queue) if set_up && value == 0 => queue.ready = false,
            Some(queue)
                if set_up
                    && value == 1
                    && queue.size.is_power_of_two()
                    && most.is_some_and(|most| queue.size <= most) =>
            {
                queue.ready = true;
            }
            _ => return self.ignore(),
        }
        Effect::None
    }

    /// A queue may be described while it is not ready, between FEATURES_OK and DRIVER_OK.
    fn write_queue(&mut self, at: u64, value: u32) -> Effect {
        let set_up = self.in_phase(status::FEATURES_OK, status::DRIVER_OK);
        let Some(queue) = self.selected_mut().filter(|queue| set_up && !queue.ready) else {
            return self.ignore();
        };
        match at {
            offset::QUEUE_NUM => match u16::try_from(value) {
                Ok(size) => queue.size = size,
                Err(_) => return self.ignore(),
            },
            offset::QUEUE_DESC_LOW => set_low(&mut queue.desc, value),
            offset::QUEUE_DESC_HIGH => set_high(&mut queue.desc, value),
            offset::QUEUE_DRIVER_LOW => set_low(&mut queue.avail, value),
            offset::QUEUE_DRIVER_HIGH => set_high(&mut queue.avail, value),
            offset::QUEUE_DEVICE_LOW => set_low(&mut queue.used, value),
            offset::QUEUE_DEVICE_HIGH => set_high(&mut queue.used, value),
            _ => return self.ignore(),
        }
        Effect::None
    }

    fn is_running(&self) -> bool {
        self.status & (status::DRIVER_OK | status::FAILED) == status::DRIVER_OK
    }

    /// Is `from` set, and neither `to` nor FAILED?
    fn in_phase(&self, from: u8, to: u8) -> bool {
        self.status & (from | to | status::FAILED) == from
    }

    fn selected(&self) -> Option<&QueueSetup> {
        self.queues.get(usize::try_from(self.queue_sel).ok()?)
    }

    fn selected_mut(&mut self) -> Option<&mut QueueSetup> {
        self.queues.get_mut(usize::try_from(self.queue_sel).ok()?)
    }

    fn selected_max(&self) -> Option<u16> {
        self.identity
            .queue_sizes
            .get(usize::try_from(self.queue_sel).ok()?)
            .copied()
    }
}

fn fresh_queues(identity: &Identity) -> Vec<QueueSetup> {
    identity
        .queue_sizes
        .iter()
        .map(|size| QueueSetup {
            size: *size,
            ..QueueSetup::default()
        })
        .collect()
}

/// Each step of the initialisation needs the one before (VIRTIO 1.2, 3.1.1); FAILED may join any.
fn ordered(value: u8) -> bool {
    const KNOWN: u8 = status::ACKNOWLEDGE
        | status::DRIVER
        | status::FEATURES_OK
        | status::DRIVER_OK
        | status::FAILED;
    let needs = |bit: u8, before: u8| value & bit == 0 || value & before == before;
    value & !KNOWN == 0
        && needs(status::DRIVER, status::ACKNOWLEDGE)
        && needs(status::FEATURES_OK, status::DRIVER)
        && needs(status::DRIVER_OK, status::FEATURES_OK)
}

fn half(value: u64, selector: u32) -> u32 {
    match selector {
        0 => value as u32,
        1 => (value >> 32) as u32,
        _ => 0,
    }
}

fn set_low(address: &mut u64, value: u32) {
    *address = *address & !0xffff_ffff | u64::from(value);
}

fn set_high(address: &mut u64, value: u32) {
    *address = *address & 0xffff_ffff | u64::from(value) << 32;
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
