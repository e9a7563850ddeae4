//! When frames are handed over, and when they leave by that.

use std::sync::{Arc, Mutex};

use pinode_ports::memory::MemoryPort;
use pinode_ports::{Port, RxBurst, TxMeta, TxSlots, Wake};

use super::VirtualClock;

/// A frame that a port was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedOver {
    pub port: usize,
    pub at_ns: u64,
    pub meta: TxMeta,
}

/// What all ports of a rig were handed, in that order.
#[derive(Clone, Default)]
pub struct Exit {
    /// As [`Port::launch_lead_ns`].
    pub launch_lead_ns: Option<u64>,
    pub frames: Arc<Mutex<Vec<HandedOver>>>,
}

/// A cable that notes when it is handed what.
pub struct ExitPort {
    cable: MemoryPort,
    port: usize,
    exit: Exit,
    clock: VirtualClock,
}

impl ExitPort {
    pub fn new(cable: MemoryPort, port: usize, exit: &Exit, clock: &VirtualClock) -> Self {
        Self {
            cable,
            port,
            exit: exit.clone(),
            clock: clock.clone(),
        }
    }
}

impl Port for ExitPort {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        self.cable.rx_burst(now_ns, burst);
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.cable.tx_slots(want, slots);
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        let taken = self.cable.tx_commit(frames);
        let at_ns = self.clock.peek();
        let noted = frames.iter().take(taken).map(|meta| HandedOver {
            port: self.port,
            at_ns,
            meta: *meta,
        });
        self.exit.frames.lock().unwrap().extend(noted);
        taken
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        self.cable.rest(now_ns)
    }

    fn resume(&mut self) {
        self.cable.resume();
    }

    fn slot_octets(&self) -> usize {
        self.cable.slot_octets()
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        self.exit.launch_lead_ns
    }

    fn describe(&self) -> String {
        self.cable.describe()
    }
}
