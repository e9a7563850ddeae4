//! A port whose far side is a value in the same thread: source and sink run inside the port's bursts.
//!
//! For testers that have no core of their own. Must never copy a frame: it is written into the receive
//! slot by the source and read from the transmit slot by the sink.

use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake};
use crate::unsafe_area::{Area, HUGE, stride_of};

/// Source and sink behind an [`InlinePort`].
pub trait Wire: Send {
    /// Writes the frames that are on the wire by `now_ns` into `slots`.
    fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>);

    /// When to ask for frames next, nanoseconds of the worker's clock: nothing is injected before. `None`:
    /// nothing will ever be. A wire that takes orders from another thread says when it wants to look for
    /// them; one that says nothing is asked at once, and its port never rests.
    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        Some(now_ns)
    }

    /// Takes a frame that the node sent. `now_ns` is the instant of the port's last receive burst: when
    /// the worker's round began; the start on the wire is in `meta`, and may be to come: the port calls
    /// that launch time, and leaves to the wire what it makes of it.
    fn absorb(&mut self, now_ns: u64, frame: &[u8], meta: &TxMeta);

    /// Frames are about to be absorbed: for a wire that says how much of the worker's time it takes.
    fn absorbing(&mut self) {}

    /// All frames of the burst were absorbed.
    fn absorbed(&mut self) {}
}

/// Octets of frames that are under way at once: they are to stay in the first-level cache, of which
/// they get a sixth each, from the source to the worker, and from the worker to the sink.
const NEAR_OCTETS: usize = 8 << 10;

/// Room for up to [`BURST`] frames that a [`Wire`] injects.
pub struct InjectSlots<'s, 'a> {
    /// The slots that are free.
    octets: &'a mut [u8],
    slot_octets: usize,
    stride: usize,
    burst: &'s mut RxBurst<'a>,
    /// Octets left of [`NEAR_OCTETS`].
    near: usize,
}

impl InjectSlots<'_, '_> {
    /// Frames that can still be pushed in this burst.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        self.burst.remaining_capacity()
    }

    /// Octets of the longest frame that can be pushed.
    #[inline]
    #[must_use]
    pub fn slot_octets(&self) -> usize {
        self.slot_octets
    }

    /// Fills slots until there is no room, as much is under way as is to stay near (there is a next
    /// time in the same turn), or `write` has no more frames: it writes one to the front of a slot and
    /// says how many octets that were (more than the slot has are cut). A slot that it declines is not
    /// offered again in this burst. Returns how many frames were written.
    #[inline]
    pub fn fill(&mut self, mut write: impl FnMut(&mut [u8]) -> Option<usize>) -> usize {
        let before = self.burst.len();
        let mut rest = std::mem::take(&mut self.octets);
        while self.room() > 0
            && self.near > 0
            && let Some((slot, behind)) =
                std::mem::take(&mut rest).split_at_mut_checked(self.stride)
        {
            rest = behind;
            let slot = slot.split_at_mut(self.slot_octets).0;
            let Some(len) = write(slot) else {
                break;
            };
            let len = len.min(slot.len());
            self.burst.push(slot.split_at_mut(len).0);
            self.near = self.near.saturating_sub(len);
        }
        self.octets = rest;
        self.burst.len() - before
    }

    /// Pushes a frame of `len` octets, written in place by `write` (over what an earlier frame left
    /// there). False, and `write` not called: no room, or `len` above the slot.
    #[inline]
    pub fn push(&mut self, len: usize, write: impl FnOnce(&mut [u8])) -> bool {
        if self.room() == 0 || len > self.slot_octets {
            return false;
        }
        let octets = std::mem::take(&mut self.octets);
        let Some((slot, rest)) = octets.split_at_mut_checked(self.stride) else {
            return false;
        };
        self.octets = rest;
        let (frame, _) = slot.split_at_mut(len);
        write(frame);
        self.burst.push(frame);
        true
    }
}

/// A port between the worker and a [`Wire`] of the same thread.
pub struct InlinePort<W> {
    wire: W,
    slot_octets: usize,
    /// Octets from the beginning of a slot to that of the next.
    stride: usize,
    /// Receive slots, then transmit slots.
    slots: Area,
    now_ns: u64,
    /// Transmit slots given at once: as many frames like the last ones as are to be under way.
    near: usize,
}

impl<W: Wire> InlinePort<W> {
    /// A port with slots of `slot_octets` octets (at least 64).
    #[must_use]
    pub fn new(wire: W, slot_octets: usize) -> Self {
        let slot_octets = slot_octets.max(64).next_multiple_of(64);
        let stride = stride_of(slot_octets);
        Self {
            wire,
            slot_octets,
            stride,
            slots: Area::new((2 * BURST * stride).next_multiple_of(HUGE)),
            now_ns: 0,
            near: BURST,
        }
    }

    /// The wire, to read its counts.
    #[must_use]
    pub fn wire(&self) -> &W {
        &self.wire
    }

    /// The wire, to change what it does between bursts.
    #[must_use]
    pub fn wire_mut(&mut self) -> &mut W {
        &mut self.wire
    }

    /// Gives the wire back.
    #[must_use]
    pub fn into_wire(self) -> W {
        self.wire
    }
}

impl<W: Wire> Port for InlinePort<W> {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        self.now_ns = now_ns;
        let mut slots = InjectSlots {
            octets: self.slots.get_mut(..BURST * self.stride).unwrap_or(&mut []),
            slot_octets: self.slot_octets,
            stride: self.stride,
            burst,
            near: NEAR_OCTETS,
        };
        self.wire.inject(now_ns, &mut slots);
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let want = want.min(slots.remaining_capacity());
        let own = self.slots.get_mut(BURST * self.stride..).unwrap_or(&mut []);
        for slot in own.chunks_exact_mut(self.stride).take(want.min(self.near)) {
            slots.push(slot.split_at_mut(self.slot_octets).0);
        }
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        let (mut taken, mut octets) = (0, 0);
        self.wire.absorbing();
        for (slot, meta) in self.slots.chunks_exact(self.stride).skip(BURST).zip(frames) {
            let len = usize::from(meta.len);
            let Some(frame) = slot.get(..len).filter(|_| len <= self.slot_octets) else {
                break;
            };
            self.wire.absorb(self.now_ns, frame, meta);
            octets += len;
            taken += 1;
        }
        self.wire.absorbed();
        if taken > 0 {
            // The next are most likely as long.
            self.near = (NEAR_OCTETS * taken / octets.max(1)).max(1);
        }
        taken
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        match self.wire.next_ns(now_ns) {
            Some(at_ns) if at_ns <= now_ns => Wake::Frames,
            Some(at_ns) => Wake::At(at_ns),
            None => Wake::Nothing,
        }
    }

    fn slot_octets(&self) -> usize {
        self.slot_octets
    }

    fn in_parts(&self) -> bool {
        true
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        "memory inline: source and sink in the port's bursts, launch time".to_owned()
    }
}

#[cfg(test)]
#[path = "inline_tests.rs"]
mod tests;
