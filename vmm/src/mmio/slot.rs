//! One virtio-mmio device on the bus: its registers joined to the device behind them.
//!
//! A slow device (a worker that has not yet let go of a queue) holds up only the vCPU that asked for it, never
//! the machine: every wait looks at the machine's stop flag.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::transport::{Effect, QueueSetup, Transport};

/// A device behind the registers. Its lifecycle calls never overlap.
pub trait VirtioDevice: Send + Sync {
    /// The driver is up. The queues' addresses are claims. An error breaks the device until its reset.
    fn start(&self, features: u64, queues: &[QueueSetup]) -> Result<(), String>;
    /// Returns once nothing touches the queues any more. Called also when the device was never started.
    fn stop(&self);
    /// A kick that no ioeventfd took.
    fn notify(&self, queue: u16);
}

impl<D: VirtioDevice> VirtioDevice for Arc<D> {
    fn start(&self, features: u64, queues: &[QueueSetup]) -> Result<(), String> {
        self.as_ref().start(features, queues)
    }
    fn stop(&self) {
        self.as_ref().stop();
    }
    fn notify(&self, queue: u16) {
        self.as_ref().notify(queue);
    }
}

/// A device and its registers.
pub struct Slot {
    transport: Mutex<Transport>,
    /// Held while a write and its effect are carried out, so that effects happen in the order of the writes.
    lifecycle: Mutex<()>,
    device: Box<dyn VirtioDevice>,
    label: String,
}

impl Slot {
    /// Joins `device` to its registers; `label` names it in reports.
    pub fn new(label: String, transport: Transport, device: Box<dyn VirtioDevice>) -> Self {
        Self {
            transport: Mutex::new(transport),
            lifecycle: Mutex::new(()),
            device,
            label,
        }
    }

    fn transport(&self) -> MutexGuard<'_, Transport> {
        self.transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest reads.
    pub fn read(&self, at: u64, into: &mut [u8]) {
        self.transport().read(at, into);
    }

    /// The guest writes. An error says what of the protocol it broke.
    pub fn write(&self, at: u64, from: &[u8]) -> Result<(), String> {
        let _in_order = self
            .lifecycle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let effect = self.transport().write(at, from);
        match effect {
            Effect::None => {}
            Effect::Notify(queue) => self.device.notify(queue),
            Effect::Stop => self.device.stop(),
            Effect::Reset => {
                self.device.stop();
                self.transport().reset_done();
            }
            Effect::Start => {
                let (features, queues) = {
                    let transport = self.transport();
                    (transport.driver_features(), transport.queues().to_vec())
                };
                self.device.start(features, &queues).map_err(|why| {
                    self.transport().needs_reset();
                    format!("{}: {why}", self.label)
                })?;
            }
        }
        Ok(())
    }

    /// The device found itself broken while running.
    pub fn broken(&self) {
        self.transport().needs_reset();
    }

    /// Accesses that made no sense.
    pub fn ignored(&self) -> u64 {
        self.transport().ignored()
    }
}
