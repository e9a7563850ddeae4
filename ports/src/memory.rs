//! Cables inside the process: two ports joined, or a port (of one or several queues) and a far end on
//! another thread.
//!
//! Octets do not move: a frame is written, lent and read in its slot of a lock-free ring. It is on the wire
//! until its start: a port receives nothing before that instant (launch time). An end that
//! rests is woken by an eventfd, which costs the sender a fence a burst while nobody rests. Must never
//! allocate or wait after [`pair`] or [`cable`].

mod doorbell;
#[allow(unsafe_code)] // Slots are shared by two threads.
mod unsafe_ring;

use self::unsafe_ring::{Receiver, Sender, directions};
use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake};
use crate::rss::Rss;

/// Slots of each direction where the caller has no wish of its own.
pub const DEFAULT_SLOTS: usize = 512;

/// A port at one end of a cable in memory.
pub struct MemoryPort {
    tx: Sender,
    rx: Receiver,
    name: Box<str>,
}

impl MemoryPort {
    /// The name in [`describe`](Port::describe).
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }
}

impl Port for MemoryPort {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        self.rx.receive_burst(now_ns, burst);
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.tx.lend(want, slots);
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        self.tx.send(frames)
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        self.rx.rest(now_ns)
    }

    fn resume(&mut self) {
        self.rx.resume();
    }

    fn slot_octets(&self) -> usize {
        self.tx.slot_octets()
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        if self.tx.is_abandoned() {
            format!("memory {}: no far end, sent frames vanish", self.name)
        } else {
            format!("memory {}: cable in the process, launch time", self.name)
        }
    }
}

/// The other end of a [`MemoryPort`] or of all queues of one, for a tester or a test, on any thread.
pub struct FarEnd {
    queues: Box<[(Sender, Receiver)]>,
    rss: Rss,
    /// Where a frame is written before its queue is known; empty with one queue.
    draft: Box<[u8]>,
    turn: usize,
}

impl FarEnd {
    fn new(queues: Vec<(Sender, Receiver)>, slot_octets: usize) -> Self {
        let draft = if queues.len() > 1 { slot_octets } else { 0 };
        Self {
            rss: Rss::new(queues.len()),
            queues: queues.into(),
            draft: vec![0; draft].into(),
            turn: 0,
        }
    }

    /// Puts a frame on the cable. False, and nothing sent: the cable is full or the frame exceeds a slot.
    #[must_use]
    pub fn send(&mut self, frame: &[u8]) -> bool {
        let queue = match self.queues.len() {
            1 => 0,
            _ => self.rss.queue(frame),
        };
        let sender = self.queues.get_mut(queue);
        sender
            .is_some_and(|(sender, _)| put(sender, frame.len(), |slot| slot.copy_from_slice(frame)))
    }

    /// Puts a frame of `len` octets on the cable, written in place by `write`. False as with [`send`](Self::send).
    /// With several queues it costs a copy: the queue is known by what was written.
    #[must_use]
    pub fn send_with(&mut self, len: usize, write: impl FnOnce(&mut [u8])) -> bool {
        if let [(sender, _)] = &mut *self.queues {
            return put(sender, len, write);
        }
        let Some(draft) = self.draft.get_mut(..len) else {
            return false;
        };
        write(draft);
        let queue = self.rss.queue(draft);
        let sender = self.queues.get_mut(queue);
        sender.is_some_and(|(sender, _)| put(sender, len, |slot| slot.copy_from_slice(draft)))
    }

    /// Takes up to [`BURST`] frames off the cable: `each(frame, start_ns)`. Returns how many.
    ///
    /// It knows no clock and gives what is there, also frames whose start on the wire, `start_ns`, is to
    /// come: a tester reckons with that instant, not with the one at which it asked.
    ///
    /// With several queues these are of one queue after the other, another one first each time; only
    /// what left by one queue is in order.
    pub fn recv(&mut self, mut each: impl FnMut(&[u8], u64)) -> usize {
        let queues = self.queues.len();
        let mut count = 0;
        for i in 0..queues {
            if let Some((_, receiver)) = self.queues.get_mut((self.turn + i) % queues) {
                let frames = receiver.receive(BURST - count);
                count += frames.len();
                frames.for_each(|(frame, start_ns)| each(frame, start_ns));
                receiver.release();
            }
        }
        self.turn = (self.turn + 1) % queues;
        count
    }
}

fn put(sender: &mut Sender, len: usize, write: impl FnOnce(&mut [u8])) -> bool {
    let slot = sender.lend_one().and_then(|slot| slot.get_mut(..len));
    let (Some(slot), Ok(octets)) = (slot, u16::try_from(len)) else {
        return false;
    };
    write(slot);
    let meta = TxMeta {
        len: octets,
        start_ns: 0,
    };
    sender.send(&[meta]) == 1
}

/// A port and its far end: `slots` frames of up to `slot_octets` octets fit into each direction.
#[must_use]
pub fn pair(slots: usize, slot_octets: usize) -> (MemoryPort, FarEnd) {
    let (near, far) = cable(slots, slot_octets);
    let queues = vec![(far.tx, far.rx)];
    (near.named("pair"), FarEnd::new(queues, slot_octets))
}

/// A port of `queues` queues (at least 1), each a whole port with the slots of a [`pair`], and the one far
/// end of all: it spreads what it sends by [`Rss`].
#[must_use]
pub fn pair_with_queues(
    queues: usize,
    slots: usize,
    slot_octets: usize,
) -> (Vec<MemoryPort>, FarEnd) {
    let ends = (0..queues.max(1)).map(|queue| {
        let (near, far) = cable(slots, slot_octets);
        let name = format!("pair, queue {queue}");
        (near.named(&name), (far.tx, far.rx))
    });
    let (near, far) = ends.unzip();
    (near, FarEnd::new(far, slot_octets))
}

/// Two ports joined by a cable. Each is told the time of the same clock and sends in order of start.
#[must_use]
pub fn cable(slots: usize, slot_octets: usize) -> (MemoryPort, MemoryPort) {
    let [(a_to_b, b_from_a), (b_to_a, a_from_b)] = directions(slots, slot_octets);
    let end = |tx, rx| MemoryPort {
        tx,
        rx,
        name: "cable".into(),
    };
    (end(a_to_b, a_from_b), end(b_to_a, b_from_a))
}

#[cfg(test)]
#[path = "memory_rest_tests.rs"]
mod rest_tests;
#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
