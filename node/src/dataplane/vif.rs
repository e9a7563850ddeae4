//! A guest's vif as workers hold it: the device sides of its queue pairs, each ring with one worker.
//!
//! Whether a VM or a host thread stands behind it makes no difference here.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use pinode_virtqueue::{QueueError, Receiveq, Transmitq};

/// Interrupts a guest: one system call, from any thread.
pub type WakeGuest = Arc<dyn Fn() + Send + Sync>;

/// One queue pair of one guest interface, before its rings go to their workers.
pub struct Vif {
    /// Frames to the guest.
    pub receive: Receiveq,
    /// Frames from the guest.
    pub transmit: Transmitq,
    /// Which machine of its guest this is; what is said of an older one is stale.
    pub generation: u64,
    in_use: Option<PairsInUse>,
    wake: WakeGuest,
    // The rings hold addresses in this memory; it must outlive them, whatever becomes of the guest.
    memory: Arc<dyn Any + Send + Sync>,
}

/// Whether the driver has this queue pair in use (VIRTIO 1.2, 5.1.6.5.6).
#[derive(Debug, Clone)]
pub struct PairsInUse {
    /// The pair's index.
    pub index: u16,
    /// How many pairs are in use, from the first.
    pub count: Arc<AtomicU16>,
}

impl PairsInUse {
    /// Frames must not be delivered to a pair that is not in use.
    #[inline]
    #[must_use]
    pub fn holds(&self) -> bool {
        self.index < self.count.load(Ordering::Acquire)
    }

    /// How many pairs are in use.
    #[must_use]
    pub fn used(&self) -> usize {
        usize::from(self.count.load(Ordering::Acquire))
    }
}

/// What the rings of a guest show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mood {
    /// The driver has armed its interrupt on every queue: it sleeps, or is about to.
    pub idle: bool,
    /// Something was published that the driver asked to be woken for, and it was not woken yet.
    pub wants_wake: bool,
}

impl Mood {
    /// Of a guest that is not there.
    pub const ABSENT: Self = Self {
        idle: true,
        wants_wake: false,
    };

    /// What another ring of the same guest shows.
    #[inline]
    pub fn add(&mut self, other: Self) {
        self.idle &= other.idle;
        self.wants_wake |= other.wants_wake;
    }
}

impl Vif {
    /// `wake` interrupts the guest; it is called only for a guest that sleeps.
    #[must_use]
    pub fn new(
        receive: Receiveq,
        transmit: Transmitq,
        wake: WakeGuest,
        memory: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self {
            receive,
            transmit,
            generation: 0,
            in_use: None,
            wake,
            memory,
        }
    }

    /// A pair that the driver has to put into use before frames may be delivered to it.
    #[must_use]
    pub fn while_in_use(mut self, in_use: PairsInUse) -> Self {
        self.in_use = Some(in_use);
        self
    }

    /// Whether the driver takes frames on this pair.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.in_use.as_ref().is_none_or(PairsInUse::holds)
    }

    /// Whether the driver takes frames on this pair, for as long as one likes to ask.
    #[must_use]
    pub fn in_use(&self) -> Option<PairsInUse> {
        self.in_use.clone()
    }

    /// The two rings, which may go to different workers.
    #[must_use]
    pub fn split(self) -> (VifIn, VifOut) {
        let Self {
            receive,
            transmit,
            generation,
            in_use,
            wake,
            memory,
        } = self;
        let inbound = VifIn {
            receive,
            generation,
            in_use,
            wake: Arc::clone(&wake),
            _memory: Arc::clone(&memory),
        };
        let outbound = VifOut {
            transmit,
            generation,
            wake,
            _memory: memory,
        };
        (inbound, outbound)
    }
}

/// A receive ring of a guest's vif.
pub struct VifIn {
    pub(super) receive: Receiveq,
    generation: u64,
    in_use: Option<PairsInUse>,
    wake: WakeGuest,
    _memory: Arc<dyn Any + Send + Sync>,
}

impl VifIn {
    /// Whether the driver takes frames on this pair.
    #[inline]
    pub(super) fn is_in_use(&self) -> bool {
        self.in_use.as_ref().is_none_or(PairsInUse::holds)
    }

    #[inline]
    pub(super) fn mood(&self) -> Mood {
        Mood {
            idle: self.receive.driver_idle(),
            wants_wake: self.receive.wants_interrupt(),
        }
    }

    /// Takes the driver's wish to be woken as granted, and gives what grants it.
    pub(super) fn settle(&mut self) -> Option<&WakeGuest> {
        let wants = self.receive.wants_interrupt();
        wants.then(|| {
            self.receive.signalled();
            &self.wake
        })
    }
}

/// A transmit ring of a guest's vif.
pub struct VifOut {
    pub(super) transmit: Transmitq,
    generation: u64,
    wake: WakeGuest,
    _memory: Arc<dyn Any + Send + Sync>,
}

impl VifOut {
    #[inline]
    pub(super) fn mood(&self) -> Mood {
        Mood {
            idle: self.transmit.driver_idle(),
            wants_wake: self.transmit.wants_interrupt(),
        }
    }

    /// Takes the driver's wish to be woken as granted, and gives what grants it.
    pub(super) fn settle(&mut self) -> Option<&WakeGuest> {
        let wants = self.transmit.wants_interrupt();
        wants.then(|| {
            self.transmit.signalled();
            &self.wake
        })
    }
}

/// What one worker holds of one vif.
#[derive(Default)]
pub struct VifPart {
    /// The receive ring that this worker fills.
    pub inbound: Option<VifIn>,
    /// All transmit rings, by queue pair, at the owner of the vif's port.
    pub outbound: Vec<VifOut>,
}

impl VifPart {
    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inbound.is_none() && self.outbound.is_empty()
    }

    /// Which machine of its guest this is of.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        let inbound = self.inbound.as_ref().map(|vif| vif.generation);
        inbound.or_else(|| self.outbound.first().map(|vif| vif.generation))
    }
}

impl fmt::Debug for VifPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VifPart")
            .field("receives", &self.inbound.is_some())
            .field("transmit_rings", &self.outbound.len())
            .finish_non_exhaustive()
    }
}

/// A guest whose ring broke the protocol.
pub(super) struct Broken {
    pub(super) slot: usize,
    pub(super) error: QueueError,
}
