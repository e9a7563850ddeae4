//! A port as the worker holds it, and a PI on that port.

use pinode_classifier::{Policer, PortClassifier};
use pinode_ports::Port;
use pinode_scheduler::Gate;
use pinode_scheduler::level2::{Discipline, Fifo};
use pinode_virtqueue::TxFrame;

use super::counters::{GateError, PiCounters, PiSnapshot, PortCounters, PortSnapshot, gate_error};
use super::vif::Vif;
use crate::capture::Tap;

/// Octets of the FCS, which frames in memory do not carry and sizes count (RFC 2544).
pub const FCS: u32 = 4;
/// Ethernet header and PIH: what is checked of a frame from a guest.
pub const HEAD_OCTETS: usize = 15;

/// A port with everything that belongs to it alone.
pub struct PortLane {
    pub(super) port: Box<dyn Port>,
    pub(super) shape: PortClassifier,
    pub(super) gate: Gate,
    pub(super) counters: PortCounters,
    pub(super) tap: Option<Box<Tap>>,
    pub(super) pis: Vec<PiLane>,
    /// When the window that was open at the last look had opened; tells a new window from an old.
    pub(super) window_opened_ns: u64,
}

impl PortLane {
    /// `pis` is indexed by slot, as everywhere.
    #[must_use]
    pub fn new(port: Box<dyn Port>, shape: PortClassifier, gate: Gate, pis: Vec<PiLane>) -> Self {
        Self {
            port,
            shape,
            gate,
            counters: PortCounters::default(),
            tap: None,
            pis,
            window_opened_ns: 0,
        }
    }

    /// Copies everything that is counted. What the system lost in front of the port or behind it is
    /// asked for here and not per frame: it may cost a system call.
    pub(super) fn snapshot(&mut self, into: &mut PortSnapshot) {
        self.counters.missed = self.port.missed();
        self.counters.tx_lost = self.port.tx_lost();
        into.port = self.counters;
        for (slot, (pi, copy)) in (0u8..).zip(self.pis.iter().zip(&mut into.pis)) {
            pi.snapshot(copy);
            copy.gate = self.gate.counters(slot);
        }
    }
}

/// A PI on a port.
pub struct PiLane {
    pub(super) vif: Option<Vif>,
    pub(super) policer: Option<Policer>,
    pub(super) queue: Fifo<TxFrame>,
    pub(super) counters: PiCounters,
    pub(super) gate_error: GateError,
    pub(super) tap: Option<Box<Tap>>,
}

impl PiLane {
    /// `queue`: as many frames as a transmit ring can hold, so that a full queue is back-pressure
    /// on the ring and never loss.
    #[must_use]
    pub fn new(policer: Option<Policer>, queue: usize) -> Self {
        Self {
            vif: None,
            policer,
            queue: Fifo::new(queue),
            counters: PiCounters::default(),
            gate_error: gate_error(),
            tap: None,
        }
    }

    /// Lets go of the guest. What it had queued is lost with its memory, and counted.
    pub(super) fn detach(&mut self) -> Option<Vif> {
        while self.queue.dequeue_if(|_frame| true).is_some() {
            self.counters.tx_guest_down += 1;
        }
        self.vif.take()
    }

    fn snapshot(&self, into: &mut PiSnapshot) {
        into.counters = self.counters;
        into.queued = self.queue.len() as u64;
        into.gate_error.reset();
        // Same bounds on both sides, so this neither grows nor fails.
        let _ = into.gate_error.add(&self.gate_error);
    }
}
