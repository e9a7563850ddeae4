//! When frames are handed over, and when they leave by that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use pinode_ports::memory::{FarEnd, MemoryPort};
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

impl Exit {
    /// What was handed over since the last call, each with the frame that came out of its port's far end
    /// (one queue each); as many came as were handed over.
    pub fn take(&self, far: &mut [FarEnd]) -> Vec<(HandedOver, Vec<u8>)> {
        let handed = std::mem::take(&mut *self.frames.lock().unwrap());
        let mut came: Vec<VecDeque<Vec<u8>>> = vec![VecDeque::new(); far.len()];
        for (far, came) in far.iter_mut().zip(&mut came) {
            while far.recv(|frame, _| came.push_back(frame.to_vec())) > 0 {}
        }
        let frame = |handed: HandedOver| {
            let frame = came[handed.port].pop_front();
            (handed, frame.expect("a frame for each hand-over"))
        };
        let frames: Vec<_> = handed.into_iter().map(frame).collect();
        assert!(
            came.iter().all(VecDeque::is_empty),
            "more came than handed over"
        );
        frames
    }
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
