//! Cables inside the process: two ports joined, or a port and a far end on another thread.
//!
//! Buffers move, octets do not: each direction owns a fixed set of slots that circulate between a ring of
//! full ones and a ring of free ones, both single-producer single-consumer and lock-free. Must never
//! allocate or wait after [`pair`] or [`cable`], save once when the other end goes away.

use arrayvec::ArrayVec;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake};

/// Slots of each direction where the caller has no wish of its own.
pub const DEFAULT_SLOTS: usize = 512;

/// Longest that a frame waits for a port at rest, nanoseconds.
const LOOK_NS: u64 = 50_000;

/// One frame's buffer on its way around.
struct Slot {
    octets: Box<[u8]>,
    len: usize,
    start_ns: u64,
}

impl Slot {
    fn new(octets: usize) -> Self {
        Self {
            octets: vec![0; octets].into_boxed_slice(),
            len: 0,
            start_ns: 0,
        }
    }

    fn frame(&self) -> &[u8] {
        &self.octets[..self.len.min(self.octets.len())]
    }
}

/// Moves as many slots as are there and fit from a ring into a hand of them.
fn draw(from: &mut Consumer<Slot>, want: usize, hand: &mut ArrayVec<Slot, BURST>) {
    let count = from.slots().min(want).min(hand.remaining_capacity());
    if let Ok(chunk) = from.read_chunk(count) {
        hand.extend(chunk);
    }
}

/// Sending end of one direction.
struct Sender {
    full: Producer<Slot>,
    free: Consumer<Slot>,
    hand: ArrayVec<Slot, BURST>,
    slot_octets: usize,
}

impl Sender {
    fn fill_hand(&mut self, want: usize) {
        let want = want.min(BURST);
        if self.hand.len() >= want {
            return;
        }
        let missing = want - self.hand.len();
        draw(&mut self.free, missing, &mut self.hand);
        if self.hand.is_empty() && want > 0 && self.full.is_abandoned() {
            // The far end took the slots with it; frames sent from here on vanish out of these.
            self.hand
                .extend((0..BURST).map(|_| Slot::new(self.slot_octets)));
        }
    }

    fn send_first(&mut self, count: usize) -> usize {
        let count = count.min(self.hand.len());
        if self.full.is_abandoned() {
            return count;
        }
        match self.full.write_chunk_uninit(count) {
            Ok(chunk) => chunk.fill_from_iter(self.hand.drain(..count)),
            Err(_) => 0,
        }
    }
}

/// Receiving end of one direction.
struct Receiver {
    full: Consumer<Slot>,
    free: Producer<Slot>,
    hand: ArrayVec<Slot, BURST>,
}

impl Receiver {
    fn give_back(&mut self) {
        if let Ok(chunk) = self.free.write_chunk_uninit(self.hand.len()) {
            chunk.fill_from_iter(self.hand.drain(..));
        }
    }

    fn fill_hand(&mut self, want: usize) {
        self.give_back();
        draw(&mut self.full, want, &mut self.hand);
    }
}

fn direction(slots: usize, slot_octets: usize) -> (Sender, Receiver) {
    let slots = slots.max(1);
    let (full_in, full_out) = RingBuffer::new(slots);
    let (mut free_in, free_out) = RingBuffer::new(slots);
    if let Ok(chunk) = free_in.write_chunk_uninit(slots) {
        chunk.fill_from_iter((0..slots).map(|_| Slot::new(slot_octets)));
    }
    let sender = Sender {
        full: full_in,
        free: free_out,
        hand: ArrayVec::new(),
        slot_octets,
    };
    let receiver = Receiver {
        full: full_out,
        free: free_in,
        hand: ArrayVec::new(),
    };
    (sender, receiver)
}

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
    fn rx_burst<'a>(&'a mut self, _now_ns: u64, burst: &mut RxBurst<'a>) {
        self.rx.fill_hand(burst.remaining_capacity());
        burst.extend(self.rx.hand.iter().map(Slot::frame));
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let want = want.min(slots.remaining_capacity());
        self.tx.fill_hand(want);
        slots.extend(
            self.tx
                .hand
                .iter_mut()
                .take(want)
                .map(|slot| &mut *slot.octets),
        );
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        let mut fit = 0;
        for (slot, meta) in self.tx.hand.iter_mut().zip(frames) {
            if usize::from(meta.len) > slot.octets.len() {
                break;
            }
            slot.len = usize::from(meta.len);
            slot.start_ns = meta.start_ns;
            fit += 1;
        }
        self.tx.send_first(fit)
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        if self.rx.full.slots() > 0 {
            return Wake::Frames;
        }
        Wake::At(now_ns.saturating_add(LOOK_NS))
    }

    fn slot_octets(&self) -> usize {
        self.tx.slot_octets
    }

    fn describe(&self) -> String {
        if self.tx.full.is_abandoned() {
            format!("memory {}: no far end, sent frames vanish", self.name)
        } else {
            format!("memory {}: cable in the process", self.name)
        }
    }
}

/// The other end of a [`MemoryPort`], for a tester or a test, on any thread.
pub struct FarEnd {
    tx: Sender,
    rx: Receiver,
}

impl FarEnd {
    /// Puts a frame on the cable. False, and nothing sent: the cable is full or the frame exceeds a slot.
    #[must_use]
    pub fn send(&mut self, frame: &[u8]) -> bool {
        self.send_with(frame.len(), |slot| slot.copy_from_slice(frame))
    }

    /// Puts a frame of `len` octets on the cable, written in place by `write`. False as with [`send`](Self::send).
    #[must_use]
    pub fn send_with(&mut self, len: usize, write: impl FnOnce(&mut [u8])) -> bool {
        self.tx.fill_hand(1);
        let Some(slot) = self.tx.hand.first_mut() else {
            return false;
        };
        let Some(target) = slot.octets.get_mut(..len) else {
            return false;
        };
        write(target);
        slot.len = len;
        self.tx.send_first(1) == 1
    }

    /// Takes up to [`BURST`] frames off the cable: `each(frame, start_ns)`. Returns how many.
    pub fn recv(&mut self, mut each: impl FnMut(&[u8], u64)) -> usize {
        self.rx.fill_hand(BURST);
        for slot in &self.rx.hand {
            each(slot.frame(), slot.start_ns);
        }
        let count = self.rx.hand.len();
        self.rx.give_back();
        count
    }
}

/// A port and its far end: `slots` frames of up to `slot_octets` octets fit into each direction.
#[must_use]
pub fn pair(slots: usize, slot_octets: usize) -> (MemoryPort, FarEnd) {
    let (to_far, from_near) = direction(slots, slot_octets);
    let (to_near, from_far) = direction(slots, slot_octets);
    let port = MemoryPort {
        tx: to_far,
        rx: from_far,
        name: "pair".into(),
    };
    (
        port,
        FarEnd {
            tx: to_near,
            rx: from_near,
        },
    )
}

/// Two ports joined by a cable.
#[must_use]
pub fn cable(slots: usize, slot_octets: usize) -> (MemoryPort, MemoryPort) {
    let (a_to_b, b_from_a) = direction(slots, slot_octets);
    let (b_to_a, a_from_b) = direction(slots, slot_octets);
    let a = MemoryPort {
        tx: a_to_b,
        rx: a_from_b,
        name: "cable".into(),
    };
    (
        a,
        MemoryPort {
            tx: b_to_a,
            rx: b_from_a,
            name: "cable".into(),
        },
    )
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
