//! One direction of a cable: a ring of slots that frames are written to, lent from and read in place.
//!
//! Unsafe: both ends share the slots. Two counts say whose a slot is: those from `freed` up to `filled`
//! are the receiver's, the others the sender's; each count has one writer, stored with Release behind
//! the last access to the slots it hands over and loaded with Acquire before the first. Must never lend a
//! slot of the other end, and never wait or allocate behind [`directions`].

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::doorbell::Doorbell;
use crate::port::{BURST, RxBurst, TxMeta, TxSlots, Wake};
use crate::unsafe_area::{Area, stride_of};

/// On lines of its own, with the neighbour that the prefetcher takes along.
#[repr(align(128))]
#[derive(Default)]
struct Lines<T>(T);

/// What is known of the frame in a slot.
#[derive(Clone, Copy, Default)]
struct Meta {
    len: usize,
    start_ns: u64,
}

/// What the ends read and seldom write.
#[derive(Default)]
struct Ends {
    doorbell: Doorbell,
    sender_gone: AtomicBool,
    receiver_gone: AtomicBool,
}

struct Ring {
    /// Slots of both directions of a cable, and where those of this one begin.
    slots: Arc<Area>,
    first: usize,
    metas: Box<[UnsafeCell<Meta>]>,
    slot_octets: usize,
    /// Most slots filled at a time; the ring has the next power of two.
    limit: usize,
    filled: Lines<AtomicUsize>,
    freed: Lines<AtomicUsize>,
    ends: Lines<Ends>,
}

// SAFETY: the only shared mutable state besides atomics are slots and metas, whose owner the counts say;
// `Sender` and `Receiver` exist once each and access their own only.
unsafe impl Sync for Ring {}

impl Ring {
    fn at(&self, position: usize) -> usize {
        position & (self.metas.len() - 1)
    }

    /// First octet of the slot of a position.
    fn slot(&self, position: usize) -> *mut u8 {
        let offset = self.first + self.at(position) * stride_of(self.slot_octets);
        // SAFETY: `at` is below the slots there are, for each of which the area has its stride from `first` on.
        unsafe { self.slots.base().add(offset).as_ptr() }
    }

    /// What is known of the frame at a position.
    ///
    /// # Safety
    /// The position must be the caller's: filled and not freed.
    unsafe fn meta(&self, position: usize) -> Meta {
        let place = self.metas.get(self.at(position));
        // SAFETY: the caller's; written before `filled` was stored.
        place.map_or(Meta::default(), |place| unsafe { place.get().read() })
    }

    /// Octets of the frame at a position.
    ///
    /// # Safety
    /// As [`meta`](Self::meta), and for as long as the slice lives.
    unsafe fn frame<'a>(&self, position: usize, len: usize) -> &'a [u8] {
        let len = len.min(self.slot_octets);
        // SAFETY: the caller vouches for the place and the time. A slot has `slot_octets` octets, zeroed
        // at first.
        unsafe { std::slice::from_raw_parts(self.slot(position), len) }
    }
}

/// Sending end of one direction.
pub(super) struct Sender {
    ring: Arc<Ring>,
    filled: usize,
    /// `freed` when last looked at.
    freed: usize,
}

/// Receiving end of one direction.
pub(super) struct Receiver {
    ring: Arc<Ring>,
    /// Behind the last slot lent.
    taken: usize,
    /// Before the first slot lent.
    freed: usize,
    /// `filled` when last looked at.
    filled: usize,
    armed: bool,
}

/// Both directions of a cable: `slots` frames of up to `slot_octets` octets on their way in each.
pub(super) fn directions(slots: usize, slot_octets: usize) -> [(Sender, Receiver); 2] {
    let limit = slots.max(1);
    let octets = limit.next_power_of_two() * stride_of(slot_octets);
    let slots = Arc::new(Area::new(2 * octets));
    [0, octets].map(|first| direction(slots.clone(), first, limit, slot_octets))
}

fn direction(
    slots: Arc<Area>,
    first: usize,
    limit: usize,
    slot_octets: usize,
) -> (Sender, Receiver) {
    let count = limit.next_power_of_two();
    let ring = Arc::new(Ring {
        slots,
        first,
        metas: (0..count).map(|_| UnsafeCell::default()).collect(),
        slot_octets,
        limit,
        filled: Lines::default(),
        freed: Lines::default(),
        ends: Lines::default(),
    });
    let sender = Sender {
        ring: ring.clone(),
        filled: 0,
        freed: 0,
    };
    let receiver = Receiver {
        ring,
        taken: 0,
        freed: 0,
        filled: 0,
        armed: false,
    };
    (sender, receiver)
}

impl Sender {
    pub(super) fn slot_octets(&self) -> usize {
        self.ring.slot_octets
    }

    /// True once the receiver is gone: what is sent vanishes.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ring.ends.0.receiver_gone.load(Ordering::Acquire)
    }

    /// Slots of this end, counted up to `want`.
    fn free(&mut self, want: usize) -> usize {
        let used = |freed| self.filled.wrapping_sub(freed);
        if self.ring.limit - used(self.freed) < want {
            self.freed = if self.is_abandoned() {
                self.filled
            } else {
                self.ring.freed.0.load(Ordering::Acquire)
            };
        }
        (self.ring.limit - used(self.freed)).min(want)
    }

    /// Slot number `ahead` of those to be filled next.
    ///
    /// # Safety
    /// `ahead` must be below what [`free`](Self::free) answered, and the slot in no other slice.
    unsafe fn slot_mut<'a>(&self, ahead: usize) -> &'a mut [u8] {
        let first = self.ring.slot(self.filled.wrapping_add(ahead));
        // SAFETY: a free slot is this end's; the caller vouches that it is lent once, for as long as it
        // holds this value.
        unsafe { std::slice::from_raw_parts_mut(first, self.ring.slot_octets) }
    }

    /// Lends up to `want` slots to be filled next.
    pub(super) fn lend<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let want = want.min(slots.remaining_capacity());
        for ahead in 0..self.free(want) {
            // SAFETY: free, each another slot, and borrowed from self as long as the slices.
            slots.push(unsafe { self.slot_mut(ahead) });
        }
    }

    /// Lends the slot to be filled next.
    pub(super) fn lend_one(&mut self) -> Option<&mut [u8]> {
        // SAFETY: free, and borrowed from self as long as the slice.
        (self.free(1) == 1).then(|| unsafe { self.slot_mut(0) })
    }

    /// Sends the first slots lent. Stops at a length that no slot has. Returns how many.
    pub(super) fn send(&mut self, frames: &[TxMeta]) -> usize {
        let room = self.free(frames.len().min(BURST));
        let mut count = 0;
        for meta in frames.iter().take(room) {
            let len = usize::from(meta.len);
            if len > self.ring.slot_octets {
                break;
            }
            let at = self.ring.at(self.filled.wrapping_add(count));
            if let Some(place) = self.ring.metas.get(at) {
                let start_ns = meta.start_ns;
                // SAFETY: of a free slot, which is this end's.
                unsafe { place.get().write(Meta { len, start_ns }) };
            }
            count += 1;
        }
        if count > 0 && !self.is_abandoned() {
            self.filled = self.filled.wrapping_add(count);
            self.ring.filled.0.store(self.filled, Ordering::Release);
            self.ring.ends.0.doorbell.published();
        }
        count
    }
}

impl Receiver {
    /// True where a frame is there beside those lent.
    fn has_frames(&mut self) -> bool {
        if self.taken == self.filled {
            self.filled = self.ring.filled.0.load(Ordering::Acquire);
        }
        self.taken != self.filled
    }

    /// Gives the slots lent back to the sender.
    pub(super) fn release(&mut self) {
        if self.freed != self.taken {
            self.freed = self.taken;
            self.ring.freed.0.store(self.freed, Ordering::Release);
        }
    }

    /// Gives the slots lent before back. Returns the position of the first frame there, and how many
    /// there are, counted up to `room`.
    fn look(&mut self, room: usize) -> (usize, usize) {
        self.release();
        if self.filled.wrapping_sub(self.taken) < room {
            self.filled = self.ring.filled.0.load(Ordering::Acquire);
        }
        let count = self.filled.wrapping_sub(self.taken).min(room);
        (self.taken, count)
    }

    /// Lends the first `count` of the frames that [`look`](Self::look) found: octets and start on the wire.
    fn lend(&mut self, first: usize, count: usize) -> impl ExactSizeIterator<Item = (&[u8], u64)> {
        self.taken = first.wrapping_add(count);
        let ring = &*self.ring;
        (0..count).map(move |ahead| {
            let position = first.wrapping_add(ahead);
            // SAFETY: filled and not freed, so this end's; self is borrowed as long as the slices, and only
            // `release`, which takes &mut self, gives the slot away.
            let meta = unsafe { ring.meta(position) };
            // SAFETY: as above.
            (unsafe { ring.frame(position, meta.len) }, meta.start_ns)
        })
    }

    /// Gives the slots lent before back, and lends up to `room` frames, also those whose start is to come.
    pub(super) fn receive(&mut self, room: usize) -> impl ExactSizeIterator<Item = (&[u8], u64)> {
        let (first, count) = self.look(room);
        self.lend(first, count)
    }

    /// As [`receive`](Self::receive), into a burst, up to the first frame whose start is behind `now_ns`:
    /// that one and all behind it are still on the wire. Frames are in order of start, so the last one
    /// says of most bursts that all have come (benches/memory.rs: a look at each costs a burst 3 %).
    pub(super) fn receive_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        let (first, count) = self.look(burst.remaining_capacity());
        let has_come = |ahead: usize| {
            // SAFETY: filled and not freed, so this end's.
            let meta = unsafe { self.ring.meta(first.wrapping_add(ahead)) };
            meta.start_ns <= now_ns
        };
        let due = match count.checked_sub(1) {
            Some(last) if !has_come(last) => (0..last).take_while(|ahead| has_come(*ahead)).count(),
            _ => count,
        };
        burst.extend(self.lend(first, due).map(|(frame, _)| frame));
    }

    /// What the frame at the head means to a rest, where there is one: what comes behind it starts later.
    fn head(&mut self, now_ns: u64) -> Option<Wake<'static>> {
        if !self.has_frames() {
            return None;
        }
        // SAFETY: as in `receive`.
        let start_ns = unsafe { self.ring.meta(self.taken) }.start_ns;
        Some(if start_ns > now_ns {
            Wake::At(start_ns)
        } else {
            Wake::Frames
        })
    }

    /// What ends a rest of the receiver.
    pub(super) fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        /// Longest that a frame waits where no descriptor could be made, nanoseconds.
        const LOOK_NS: u64 = 50_000;
        // A sender that waits for slots must not wait for a receiver at rest.
        self.release();
        // Looked at before the frames: what was sent before the sender left is still found.
        let alone = self.ring.ends.0.sender_gone.load(Ordering::Acquire);
        if let Some(wake) = self.head(now_ns) {
            return wake;
        }
        if alone {
            return Wake::Nothing;
        }
        self.armed = true;
        let armed = self.ring.ends.0.doorbell.arm();
        if let Some(wake) = self.head(now_ns) {
            self.resume();
            return wake;
        }
        match self.ring.ends.0.doorbell.descriptor() {
            Some(event) if armed => Wake::Readable(event),
            _ => Wake::At(now_ns.saturating_add(LOOK_NS)),
        }
    }

    /// The receiver is awake.
    pub(super) fn resume(&mut self) {
        if std::mem::take(&mut self.armed) {
            self.ring.ends.0.doorbell.disarm();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.ring.ends.0.sender_gone.store(true, Ordering::Release);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ring
            .ends
            .0
            .receiver_gone
            .store(true, Ordering::Release);
    }
}
