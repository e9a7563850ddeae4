//! The control queue of virtio-net (VIRTIO 1.2, 5.1.6.5): only VQ_PAIRS_SET is offered, everything else is answered
//! with an error, as the standard wants it.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::general_queue::GeneralQueue;
use crate::irq::Interrupt;
use crate::memory::GuestRam;
use crate::mmio::transport::QueueSetup;

const CLASS_MQ: u8 = 4;
const VQ_PAIRS_SET: u8 = 0;
const OK: u8 = 0;
const ERROR: u8 = 1;
/// Longest command looked at; longer ones are not ours.
const COMMAND_MOST: usize = 64;

/// A vif's control queue, served by the device thread.
pub struct NetControl {
    running: Mutex<Option<Running>>,
    interrupt: Interrupt,
    kick: EventFd,
}

struct Running {
    queue: GeneralQueue,
    usable: u16,
    active: Arc<AtomicU16>,
}

impl NetControl {
    pub(crate) fn new(interrupt: Interrupt) -> std::io::Result<Self> {
        let kick = EventFd::new(EFD_NONBLOCK)?;
        Ok(Self {
            running: Mutex::new(None),
            interrupt,
            kick,
        })
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(
        &self,
        ram: &Arc<GuestRam>,
        setup: &QueueSetup,
        event_idx: bool,
        usable: u16,
        active: Arc<AtomicU16>,
    ) -> Result<(), String> {
        let queue = GeneralQueue::new("control queue", ram, &self.interrupt, setup, event_idx)?;
        *self.running() = Some(Running {
            queue,
            usable,
            active,
        });
        self.kick();
        Ok(())
    }

    pub(crate) fn stop(&self) {
        *self.running() = None;
    }

    /// The event the guest's kicks arrive at.
    pub(crate) fn event(&self) -> &EventFd {
        &self.kick
    }

    pub(crate) fn kick(&self) {
        // A full counter is a pending kick.
        let _ = self.kick.write(1);
    }

    /// Answers what the driver has asked. An error: the queue is broken and out of service.
    pub(crate) fn service(&self) -> Result<(), String> {
        let mut running = self.running();
        let Some(control) = running.as_mut() else {
            return Ok(());
        };
        match control.round() {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.kick();
                Ok(())
            }
            Err(why) => {
                *running = None;
                Err(why)
            }
        }
    }
}

impl Running {
    fn round(&mut self) -> Result<bool, String> {
        while let Some(chain) = self.queue.pop()? {
            let command = self.queue.gather(&chain, COMMAND_MOST);
            let answer = self.answer(&command);
            let written = self.queue.scatter(&chain, &[answer]);
            self.queue.complete(&chain, written)?;
        }
        self.queue.finish()
    }

    fn answer(&self, command: &[u8]) -> u8 {
        match command {
            [CLASS_MQ, VQ_PAIRS_SET, low, high] => {
                let pairs = u16::from_le_bytes([*low, *high]);
                if pairs == 0 || pairs > self.usable {
                    return ERROR;
                }
                self.active.store(pairs, Ordering::Release);
                OK
            }
            _ => ERROR,
        }
    }
}
