//! The sending side of a ring: puts frames into shared memory, remembers where, takes back what was not read.
//!
//! What the peer writes (how far it read, which buffers it offers) is a claim, checked at each use. The places
//! of frames are remembered in memory of this process's own. Must never allocate after `new` but in
//! [`Sender::take_back`], and never do more than one index update a burst.

use std::sync::atomic::{Ordering, fence};

use arrayvec::ArrayVec;

use super::layout::{Descriptor, MASK_INT, TAKEN_BACK, pair, unpair};
use super::refusal::Refusal;
use super::resend::Resend;
use super::unsafe_region::RingMemory;
use crate::port::BURST;

/// Least octets of a buffer offered by a slave: below, one frame takes too many.
const BUFFER_LEAST: u32 = 512;
/// Buffers planned for one burst.
const PLAN: usize = 4 * BURST;

/// The buffers of a slave's own ring, one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnBuffers {
    pub(super) first: u32,
    pub(super) stride: u32,
    pub(super) octets: u32,
}

impl OwnBuffers {
    /// The empty buffer of a descriptor, in region 0.
    #[inline]
    pub(super) fn at(&self, ring: &RingMemory, index: u16) -> Descriptor {
        let slot = index & (ring.size() - 1);
        Descriptor {
            next: false,
            region: 0,
            length: self.octets,
            offset: self
                .first
                .wrapping_add(self.stride.wrapping_mul(u32::from(slot))),
        }
    }
}

/// Where a part of a frame was put.
#[derive(Debug, Clone, Copy, Default)]
struct Placed {
    at: Descriptor,
    first: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sender {
    ring: RingMemory,
    /// A slave sends in its own buffers, a master in those that the slave offers.
    own: Option<OwnBuffers>,
    /// Index of the next descriptor.
    next: u16,
    /// Index up to which there is room, as last seen.
    limit: u16,
    /// Most room ever seen: what a slave keeps on offer when it has read everything (M2S).
    window: u16,
    /// Descriptors sent, up to the most that an index can tell.
    sent: u32,
    placed: Box<[Placed]>,
    plan: ArrayVec<Descriptor, PLAN>,
    planned: usize,
}

impl Sender {
    /// `own`: the buffers of a slave; a master has none.
    pub(super) fn new(ring: RingMemory, own: Option<OwnBuffers>) -> Self {
        let placed = vec![Placed::default(); usize::from(ring.size())].into_boxed_slice();
        // Indices begin at 0; M2S has no room before the slave offers some.
        let limit = if own.is_some() { ring.size() } else { 0 };
        Self {
            ring,
            own,
            next: 0,
            limit,
            window: 0,
            sent: 0,
            placed,
            plan: ArrayVec::new(),
            planned: 0,
        }
    }

    /// Believes the index that the reader published, if it can be.
    #[inline]
    fn believe(&mut self, published: u16) -> Result<(), Refusal> {
        let size = self.ring.size();
        let limit = match self.own {
            Some(_) => published.wrapping_add(size),
            None => published,
        };
        let room = limit.wrapping_sub(self.next);
        if room > size {
            return Err(Refusal::RingOverrun);
        }
        self.limit = limit;
        self.window = self.window.max(room);
        Ok(())
    }

    /// Looks how far the reader is.
    #[inline]
    fn look(&mut self) -> Result<(), Refusal> {
        // Acquire: what it read of a buffer came before.
        let published = match self.own {
            Some(_) => unpair(self.ring.tail_and_pad().load(Ordering::Acquire)).0,
            None => unpair(self.ring.flags_and_head().load(Ordering::Acquire)).1,
        };
        self.believe(published)
    }

    /// How many frames of up to `octets` there is room for, at most `want`. Those may then be
    /// [`put`](Self::put).
    #[inline]
    pub(super) fn room(&mut self, want: usize, octets: usize) -> Result<usize, Refusal> {
        if usize::from(self.limit.wrapping_sub(self.next)) < want {
            self.look()?;
        }
        let room = self.limit.wrapping_sub(self.next);
        match self.own {
            Some(own) => {
                let count = want.min(usize::from(room));
                for slot in (0..room).take(count) {
                    let at = own.at(&self.ring, self.next.wrapping_add(slot));
                    self.ring.regions().expect_write(0, at.offset);
                }
                Ok(count)
            }
            None => self.plan(want, room, octets),
        }
    }

    /// Reads and checks the buffers that the slave offers for the next frames.
    fn plan(&mut self, want: usize, room: u16, octets: usize) -> Result<usize, Refusal> {
        self.plan.clear();
        self.planned = 0;
        let (mut frames, mut held) = (0, 0);
        for slot in 0..room {
            if frames == want || self.plan.is_full() {
                break;
            }
            let at = Descriptor::from_halves(self.ring.load(self.next.wrapping_add(slot)));
            if at.length < BUFFER_LEAST {
                return Err(Refusal::BufferSize {
                    length: at.length,
                    least: BUFFER_LEAST,
                });
            }
            let regions = self.ring.regions();
            if !regions.holds(at.region, at.offset, at.length as usize) {
                return Err(Refusal::DescriptorPlace);
            }
            regions.expect_write(at.region, at.offset);
            self.plan.push(at);
            held += at.length as usize;
            if held >= octets {
                (frames, held) = (frames + 1, 0);
            }
        }
        if frames == 0 && (room == self.ring.size() || self.plan.is_full()) {
            return Err(Refusal::RingTooSmall {
                octets: u32::try_from(octets).unwrap_or(u32::MAX),
            });
        }
        Ok(frames)
    }

    /// Puts a frame behind the others, for which [`room`](Self::room) was found. False: there is none.
    #[inline]
    pub(super) fn put(&mut self, frame: &[u8]) -> bool {
        if let Some(own) = self.own {
            let fits = frame.len() <= own.octets as usize && self.limit != self.next;
            return fits && self.place(own.at(&self.ring, self.next), frame, true, false);
        }
        let (mut rest, mut first) = (frame, true);
        loop {
            let Some(at) = self.plan.get(self.planned).copied() else {
                return false;
            };
            let (part, behind) = rest.split_at(rest.len().min(at.length as usize));
            if !self.place(at, part, first, !behind.is_empty()) {
                return false;
            }
            self.planned += 1;
            if behind.is_empty() {
                return true;
            }
            (rest, first) = (behind, false);
        }
    }

    /// Writes one descriptor and its buffer.
    #[inline]
    fn place(&mut self, at: Descriptor, part: &[u8], first: bool, next: bool) -> bool {
        let at = Descriptor {
            next,
            // A part is at most a buffer, whose length is a u32.
            length: u32::try_from(part.len()).unwrap_or(0),
            ..at
        };
        let written = self.ring.regions().write(at.region, at.offset, part);
        let slot = usize::from(self.next & (self.ring.size() - 1));
        let (Some(()), Some(placed)) = (written, self.placed.get_mut(slot)) else {
            return false;
        };
        *placed = Placed { at, first };
        match self.own {
            Some(_) => self.ring.store(self.next, at.to_halves()),
            None => self.ring.store_low(self.next, at.to_halves()[0]),
        }
        self.next = self.next.wrapping_add(1);
        self.sent = self.sent.saturating_add(1);
        true
    }

    /// Lets the reader see all frames put. True: it asked for an interrupt.
    #[inline]
    pub(super) fn publish(&mut self) -> bool {
        // Release: frames and descriptors come before.
        match self.own {
            Some(_) => self.ring.head().store(self.next, Ordering::Release),
            None => self.ring.tail().store(self.next, Ordering::Release),
        }
        // The reader takes its mask off and then looks at the index; this end does it the other way round.
        fence(Ordering::SeqCst);
        match self.own {
            Some(_) => self.ring.flags().load(Ordering::Relaxed) & MASK_INT == 0,
            None => unpair(self.ring.flags_and_head().load(Ordering::Relaxed)).0 & MASK_INT == 0,
        }
    }

    /// Ends the ring and takes back the frames that the reader has not read, as far as the ring says, in
    /// front of what `resend` holds. Of frames a slave has begun to offer buffers again for, none.
    pub(super) fn take_back(&mut self, resend: &mut Resend) {
        let size = self.ring.size();
        let unread = if self.own.is_some() {
            let mark = pair(0, TAKEN_BACK);
            let word = self.ring.tail_and_pad().fetch_or(mark, Ordering::AcqRel);
            // What cannot be believed leaves the last that could.
            let _ = self.believe(unpair(word).0);
            size.wrapping_sub(self.limit.wrapping_sub(self.next))
        } else {
            let mark = pair(TAKEN_BACK, 0);
            let word = self.ring.flags_and_head().fetch_or(mark, Ordering::AcqRel);
            let _ = self.believe(unpair(word).1);
            self.window - self.limit.wrapping_sub(self.next).min(self.window)
        };
        let sent = u16::try_from(self.sent).unwrap_or(u16::MAX);
        let unread = unread.min(size).min(sent);
        let mut frames = Vec::new();
        for back in (1..=unread).rev() {
            let slot = usize::from(self.next.wrapping_sub(back) & (size - 1));
            let Some(placed) = self.placed.get(slot) else {
                continue;
            };
            match frames.last_mut() {
                _ if placed.first => frames.push(vec![placed.at]),
                Some(parts) => parts.push(placed.at),
                // The end of a frame whose beginning was read.
                None => {}
            }
        }
        let regions = self.ring.regions();
        resend.put_in_front(frames.iter().map(|parts| {
            let mut frame = Vec::new();
            for part in parts {
                let at = frame.len();
                frame.resize(at + part.length as usize, 0);
                if let Some(to) = frame.get_mut(at..) {
                    let _ = regions.read(part.region, part.offset, to);
                }
            }
            frame.into_boxed_slice()
        }));
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
