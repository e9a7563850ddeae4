//! The receiving side of a ring: copies frames out of shared memory, once, and gives the buffers back.
//!
//! Descriptors and indices are claims, read once and checked before use. A frame is believed only in its copy.
//! Must never allocate after `new`, and never do more than one index update a burst.

use std::sync::atomic::{Ordering, fence};

use arrayvec::ArrayVec;

use super::layout::{Descriptor, MASK_INT, TAKEN_BACK, pair};
use super::refusal::Refusal;
use super::sender::OwnBuffers;
use super::unsafe_region::RingMemory;
use crate::port::{BURST, RxBurst};

/// Buffers looked at for one burst, and the most that one frame may have.
const PIECES: usize = 2 * BURST;

/// The copies of one burst, close together: 64 small frames fit the first level of cache.
#[derive(Debug)]
pub(super) struct Arrivals {
    octets: Box<[u8]>,
    /// Longest frame kept; the rest of a longer one is cut.
    longest: usize,
    frames: ArrayVec<(usize, usize), BURST>,
    /// Where the next frame begins, and its octets so far.
    at: usize,
    len: usize,
}

impl Arrivals {
    pub(super) fn new(longest: usize) -> Self {
        let longest = longest.next_multiple_of(64);
        Self {
            octets: vec![0; BURST * longest].into_boxed_slice(),
            longest,
            frames: ArrayVec::new(),
            at: 0,
            len: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        (self.at, self.len) = (0, 0);
    }

    /// Lends the frames.
    pub(super) fn lend<'a>(&'a self, burst: &mut RxBurst<'a>) {
        for (start, len) in &self.frames {
            if let Some(frame) = self.octets.get(*start..start + len) {
                burst.push(frame);
            }
        }
    }

    /// Appends a part to the frame at hand.
    #[inline]
    fn append(&mut self, ring: &RingMemory, part: &Descriptor) -> Option<()> {
        let len = (part.length as usize).min(self.longest - self.len);
        let start = self.at + self.len;
        let to = self.octets.get_mut(start..start + len)?;
        ring.regions().read(part.region, part.offset, to)?;
        self.len += len;
        Some(())
    }

    #[inline]
    fn finish(&mut self) {
        // Room was made for BURST frames of the longest kind, and no more are taken.
        let _ = self.frames.try_push((self.at, self.len));
        self.at += self.len.next_multiple_of(64);
        self.len = 0;
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Receiver {
    ring: RingMemory,
    /// A slave receives in buffers of its own.
    own: Option<OwnBuffers>,
    /// Index of the next descriptor to read.
    next: u16,
    /// Of a broken connection: the index behind the last frame.
    end: Option<u16>,
    /// Interrupts are not wanted.
    polling: bool,
}

impl Receiver {
    /// `own`: the buffers of a slave; a master has none.
    pub(super) fn new(ring: RingMemory, own: Option<OwnBuffers>) -> Self {
        Self {
            ring,
            own,
            next: 0,
            end: None,
            polling: true,
        }
    }

    /// Before the connection stands: polling, and all indices at their beginning.
    pub(super) fn prepare(ring: &RingMemory, own: Option<OwnBuffers>) {
        match own {
            Some(own) => {
                for index in 0..ring.size() {
                    ring.store(index, own.at(ring, index).to_halves());
                }
                let word = pair(MASK_INT, ring.size());
                ring.flags_and_head().store(word, Ordering::Release);
            }
            None => {
                ring.tail_and_pad().store(0, Ordering::Relaxed);
                ring.flags().store(MASK_INT, Ordering::Release);
            }
        }
    }

    /// Descriptors that the sender filled and this end did not read.
    #[inline]
    fn filled(&self) -> Result<u16, Refusal> {
        // Acquire: descriptors and frames come before.
        let index = match (self.end, self.own) {
            (Some(end), _) => end,
            (None, Some(_)) => self.ring.tail().load(Ordering::Acquire),
            (None, None) => self.ring.head().load(Ordering::Acquire),
        };
        let filled = index.wrapping_sub(self.next);
        if filled > self.ring.size() {
            return Err(Refusal::RingOverrun);
        }
        Ok(filled)
    }

    /// The connection broke: what is in the ring now is the last.
    pub(super) fn close(&mut self) {
        if self.end.is_none() {
            let filled = self.filled().unwrap_or(0);
            self.end = Some(self.next.wrapping_add(filled));
        }
    }

    /// Whether a closed ring has been read to its end.
    pub(super) fn is_done(&self) -> bool {
        self.end == Some(self.next)
    }

    /// Descriptors that will never be read.
    pub(super) fn abandoned(&self) -> u16 {
        self.filled().unwrap_or(0)
    }

    /// Copies up to `want` frames.
    #[inline]
    pub(super) fn take(&mut self, want: usize, arrivals: &mut Arrivals) -> Result<(), Refusal> {
        let filled = self.filled()?;
        if filled == 0 {
            return Ok(());
        }
        let mut pieces: ArrayVec<Descriptor, PIECES> = ArrayVec::new();
        let (mut frames, mut whole) = (0, 0);
        for index in 0..filled {
            if frames == want || pieces.is_full() {
                break;
            }
            let piece = self.piece(self.next.wrapping_add(index))?;
            pieces.push(piece);
            if !piece.next {
                (frames, whole) = (frames + 1, pieces.len());
            }
        }
        if whole == 0 {
            return self.no_end(filled, pieces.is_full());
        }
        for piece in pieces.iter().take(whole) {
            arrivals
                .append(&self.ring, piece)
                .ok_or(Refusal::DescriptorPlace)?;
            if !piece.next {
                arrivals.finish();
            }
        }
        // At most PIECES.
        self.release(u16::try_from(whole).unwrap_or(0), arrivals)
    }

    /// A descriptor that was checked.
    #[inline]
    fn piece(&self, index: u16) -> Result<Descriptor, Refusal> {
        let claim = Descriptor::from_halves(self.ring.load(index));
        let piece = match self.own {
            // Where its buffers are, a slave knows best.
            Some(own) => {
                let buffer = own.at(&self.ring, index);
                if claim.length > own.octets {
                    return Err(Refusal::DescriptorPlace);
                }
                Descriptor {
                    region: buffer.region,
                    offset: buffer.offset,
                    ..claim
                }
            }
            None => claim,
        };
        let regions = self.ring.regions();
        if !regions.holds(piece.region, piece.offset, piece.length as usize) {
            return Err(Refusal::DescriptorPlace);
        }
        regions.expect_read(piece.region, piece.offset);
        Ok(piece)
    }

    /// A frame without end: it may come, unless there is no room for more of it.
    fn no_end(&mut self, filled: u16, too_long: bool) -> Result<(), Refusal> {
        if too_long || filled == self.ring.size() {
            return Err(Refusal::ChainLength {
                limit: PIECES as u16,
            });
        }
        if self.end.is_some() {
            self.next = self.next.wrapping_add(filled);
        }
        Ok(())
    }

    /// Gives `count` descriptors back, or learns that the sender took them back first: then what was copied
    /// is not received.
    #[inline]
    fn release(&mut self, count: u16, arrivals: &mut Arrivals) -> Result<(), Refusal> {
        let next = self.next.wrapping_add(count);
        // Release: reading the buffers came before.
        let (moved, taken_back) = match self.own {
            Some(own) => {
                for index in 0..count {
                    let index = self.next.wrapping_add(index);
                    self.ring
                        .store(index, own.at(&self.ring, index).to_halves());
                }
                let size = self.ring.size();
                let flags = if self.polling { MASK_INT } else { 0 };
                let moved = self.ring.flags_and_head().compare_exchange(
                    pair(flags, self.next.wrapping_add(size)),
                    pair(flags, next.wrapping_add(size)),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                (moved, pair(TAKEN_BACK, 0))
            }
            None => {
                let moved = self.ring.tail_and_pad().compare_exchange(
                    pair(self.next, 0),
                    pair(next, 0),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                (moved, pair(0, TAKEN_BACK))
            }
        };
        let Err(found) = moved else {
            self.next = next;
            return Ok(());
        };
        arrivals.clear();
        self.end = Some(self.next);
        if found & taken_back == 0 {
            // Nobody else may write that word.
            return Err(Refusal::RingOverrun);
        }
        Ok(())
    }

    /// Asks for an interrupt at the next frame. True: there is one already.
    pub(super) fn unmask(&mut self) -> bool {
        self.set_polling(false);
        // The sender writes its index and then looks at the mask; this end does it the other way round.
        fence(Ordering::SeqCst);
        self.filled() != Ok(0)
    }

    /// Back to polling.
    pub(super) fn mask(&mut self) {
        self.set_polling(true);
    }

    fn set_polling(&mut self, polling: bool) {
        self.polling = polling;
        if self.own.is_some() {
            // Beside the index that this end alone moves, and the sender's claim to its frames.
            let (bit, word) = (pair(MASK_INT, 0), self.ring.flags_and_head());
            if polling {
                word.fetch_or(bit, Ordering::Relaxed);
            } else {
                word.fetch_and(!bit, Ordering::Relaxed);
            }
        } else {
            let flags = if polling { MASK_INT } else { 0 };
            self.ring.flags().store(flags, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
