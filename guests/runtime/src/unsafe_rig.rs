//! For tests: vifs in plain memory, with the host's sides of their rings at hand.
//!
//! Unsafe because an arena is made from raw memory. The memory is leaked, so nothing can outlive it.

use alloc::vec;
use alloc::vec::Vec;

use pinode_virtqueue::{DriverQueue, QueueLayout, Ram, Receiveq, Refused, Transmitq, TxFrame};

use crate::unsafe_arena::Arena;
use crate::vif::{Net, Queues};

/// The host's side of one lane.
pub(crate) struct Host {
    pub receive: Receiveq,
    pub transmit: Transmitq,
    pub layouts: [QueueLayout; 2],
    pub ram: Ram,
}

/// Packet memory of its own.
pub(crate) fn arena(octets: usize) -> Arena {
    let memory = vec![0u128; octets / 16].leak();
    // SAFETY: leaked, and used by nobody else.
    unsafe { Arena::new(memory.as_mut_ptr().cast(), octets as u64, 64, octets as u64) }
}

/// `lanes` lanes of rings of `size`, with `octets` of memory; one queue pair a vif.
pub(crate) fn rig(lanes: usize, size: u16, octets: usize) -> (Net, Vec<Host>) {
    let mut arena = arena(octets);
    let (mut queues, mut hosts) = (Vec::new(), Vec::new());
    for _ in 0..lanes {
        let mut layout = |size: u16| {
            let base = arena.allocate(32 * u64::from(size) + 256, 64).unwrap();
            QueueLayout::contiguous(base, size, true)
        };
        let layouts = [layout(size), layout(2 * size)];
        let ram = arena.ram();
        queues.push(Queues {
            receive: DriverQueue::new(ram, &layouts[0]).unwrap(),
            transmit: arena.headed(&layouts[1]).unwrap().unwrap(),
        });
        hosts.push(Host {
            receive: Receiveq::new(ram, &layouts[0], false).unwrap(),
            transmit: Transmitq::new(ram, &layouts[1]).unwrap(),
            layouts,
            ram,
        });
    }
    let mut net = Net::with_buffers(&mut arena, queues, 1, 1515).unwrap();
    net.publish(|_, _| {});
    (net, hosts)
}

impl Host {
    /// Gives the guest a frame. False: no buffer.
    pub fn give(&mut self, frame: &[u8]) -> bool {
        let taken = match self.receive.deliver(&[], frame) {
            Ok(()) => true,
            Err(Refused::Full) => false,
            Err(Refused::Broken(error)) => panic!("{error}"),
        };
        self.receive.publish();
        taken
    }

    /// What the guest sent, at most `max` frames, not given back yet.
    pub fn harvest(&mut self, max: usize) -> Vec<(TxFrame, Vec<u8>)> {
        let mut found = Vec::new();
        self.transmit
            .harvest(max, |frame| found.push(frame))
            .unwrap();
        let read = |frame: TxFrame| {
            let mut octets = vec![0; frame.len() as usize];
            self.transmit.read(&frame, 0, &mut octets).unwrap();
            (frame, octets)
        };
        found.into_iter().map(read).collect()
    }

    /// Gives sent buffers back.
    pub fn complete(&mut self, frames: impl IntoIterator<Item = TxFrame>) {
        frames
            .into_iter()
            .for_each(|frame| self.transmit.complete(frame));
        self.transmit.publish();
    }

    /// Takes what was sent and gives the buffers back.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        let (frames, octets): (Vec<_>, Vec<_>) = self.harvest(usize::MAX).into_iter().unzip();
        self.complete(frames);
        octets
    }

    /// The driver asked for an interrupt for what is published; it is raised now.
    pub fn interrupts(&mut self) -> bool {
        let wanted = self.receive.wants_interrupt() || self.transmit.wants_interrupt();
        self.receive.signalled();
        self.transmit.signalled();
        wanted
    }

    /// The driver shows on both queues that it sleeps.
    pub fn sees_sleep(&self) -> bool {
        self.receive.driver_idle() && self.transmit.driver_idle()
    }
}
