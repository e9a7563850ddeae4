//! A guest's vif as one worker holds it: the device sides of one queue pair.
//!
//! Whether a VM or a host thread stands behind it makes no difference here.

use std::any::Any;
use std::sync::Arc;

use pinode_virtqueue::{QueueError, Receiveq, Transmitq};

use super::baton::Mood;

/// One queue pair of one guest interface.
pub struct Vif {
    /// Frames to the guest.
    pub receive: Receiveq,
    /// Frames from the guest.
    pub transmit: Transmitq,
    /// Which machine of its guest this is; what is said of an older one is stale.
    pub generation: u64,
    wake: Box<dyn Fn() + Send>,
    // The rings hold addresses in this memory; it must outlive them, whatever becomes of the guest.
    _memory: Arc<dyn Any + Send + Sync>,
}

impl Vif {
    /// `wake` interrupts the guest: one system call, made only for a guest that sleeps.
    #[must_use]
    pub fn new(
        receive: Receiveq,
        transmit: Transmitq,
        wake: Box<dyn Fn() + Send>,
        memory: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self {
            receive,
            transmit,
            generation: 0,
            wake,
            _memory: memory,
        }
    }

    /// What the rings show of the guest.
    #[must_use]
    pub fn mood(&self) -> Mood {
        Mood {
            idle: self.receive.driver_idle() && self.transmit.driver_idle(),
            wants_wake: self.receive.wants_interrupt() || self.transmit.wants_interrupt(),
        }
    }

    /// Interrupts the guest for whatever it waits for on this vif.
    pub fn wake(&mut self) {
        if self.mood().wants_wake {
            self.receive.signalled();
            self.transmit.signalled();
            (self.wake)();
        }
    }
}

/// A guest whose ring broke the protocol.
pub(super) struct Broken {
    pub(super) slot: usize,
    pub(super) error: QueueError,
}
