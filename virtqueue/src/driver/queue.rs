//! Posting buffers and taking them back (VIRTIO 1.2, 2.7.13 and 2.7.14).
//!
//! Must never give out a token that is not in flight, or a length beyond what was posted.

use core::sync::atomic::{
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

use super::tokens::{Refused, Tokens};
use crate::error::QueueError;
use crate::index::Index;
use crate::layout::{
    AVAIL_F_NO_INTERRUPT, DESC_F_NEXT, DESC_F_WRITE, QueueLayout, RingOctets, USED_F_NO_NOTIFY,
    never, passed, renew_after,
};
use crate::split::Split;
use crate::unsafe_ram::Ram;

/// Driver side of one queue: one descriptor a buffer, known to the caller by a token.
#[derive(Debug)]
pub struct DriverQueue {
    ram: Ram,
    /// Octets of RAM that buffers may lie in: all, or none of a broken queue.
    postable: u64,
    size: u16,
    event_idx: bool,
    words: Split,
    tokens: Tokens,
    /// How far behind its head, the descriptor of the header, the descriptor of a buffer stands;
    /// 0: there is no header.
    body: u16,
    /// Next entry of the available ring to fill.
    next_avail: Index,
    /// `avail.idx` as the device may see it.
    exposed: Index,
    /// Next entry of the used ring to take.
    next_used: Index,
    /// The device's index as last looked at; `next_used` to here may be taken.
    seen_used: Index,
    armed: bool,
    /// `exposed` as of which the device's wish for a kick is settled.
    settled: Index,
    /// `next_used` when `used_event` was last moved away.
    event_written: u16,
    broken: Option<QueueError>,
}

impl DriverQueue {
    /// Lengths and alignments of the areas of a queue of `size` descriptors (2.7).
    pub const fn octets(size: u16) -> RingOctets {
        RingOctets::of(size)
    }

    /// The queue at `layout` in `ram`, all zero, nothing posted, and interrupts not asked for.
    /// Allocates its bookkeeping: 18 octets a descriptor.
    ///
    /// # Errors
    ///
    /// The layout is not allowed; nothing was written then.
    pub fn new(ram: Ram, layout: &QueueLayout) -> Result<Self, QueueError> {
        let QueueLayout {
            size, event_idx, ..
        } = *layout;
        let mut queue = DriverQueue {
            ram,
            postable: ram.len(),
            size,
            event_idx,
            words: Split::new(&ram, layout)?,
            tokens: Tokens::new(size),
            body: 0,
            next_avail: Index::default(),
            exposed: Index::default(),
            next_used: Index::default(),
            seen_used: Index::default(),
            armed: true,
            settled: Index::default(),
            event_written: 0,
            broken: None,
        };
        queue.zero();
        queue.disarm();
        Ok(queue)
    }

    /// As [`new`](Self::new), for a queue whose every chain begins with the same octets, which the
    /// device reads: the `octets` at guest-physical `header`, say an empty `virtio_net_hdr`.
    ///
    /// The first half of the descriptors is written here, once, and says where the header lies; the
    /// second half is for buffers, so half as many fit. A device reads a head that never changes out
    /// of its own cache, and the driver need not write to a buffer to give it a header of its own.
    ///
    /// # Errors
    ///
    /// As `new`; the queue has fewer than 2 descriptors; the header is empty or not in RAM.
    pub fn with_header(
        ram: Ram,
        layout: &QueueLayout,
        header: u64,
        octets: u32,
    ) -> Result<Self, QueueError> {
        let mut queue = Self::new(ram, layout)?;
        let body = queue.size / 2;
        if body == 0 {
            return Err(QueueError::Size { size: queue.size });
        }
        if octets == 0 || header > ram.len() || u64::from(octets) > ram.len() - header {
            return Err(queue.refused(header, octets));
        }
        for head in 0..body {
            queue.describe(head, header, octets, DESC_F_NEXT, head + body);
        }
        queue.tokens = Tokens::new(body);
        queue.body = body;
        Ok(queue)
    }

    /// Buffers that can be posted.
    #[inline]
    pub fn free(&self) -> u16 {
        self.tokens.free()
    }

    /// Posts one buffer of `len` octets at guest-physical `addr`, on one descriptor; the device
    /// sees it after [`publish`](Self::publish). `token` comes back from [`take`](Self::take).
    ///
    /// # Errors
    ///
    /// [`QueueError::RingFull`], [`QueueError::EmptyBuffer`], [`QueueError::BufferOutside`]: the
    /// caller's mistake, nothing changed. Others: the queue is broken.
    #[inline]
    pub fn post(
        &mut self,
        token: u32,
        addr: u64,
        len: u32,
        device_writes: bool,
    ) -> Result<(), QueueError> {
        self.post_all(device_writes, core::iter::once((token, addr, len)))
            .map(|_| ())
    }

    /// [`post`](Self::post) for each of `buffers`, token, address and length, no more than are [free](Self::free): at
    /// half its cost. Returns how many were posted.
    ///
    /// # Errors
    ///
    /// As `post`; what was posted before stays so, and the caller has the rest.
    #[inline]
    pub fn post_all(
        &mut self,
        device_writes: bool,
        buffers: impl Iterator<Item = (u32, u64, u32)>,
    ) -> Result<usize, QueueError> {
        let ram = self.postable;
        let (descriptors, avail_ring) = (self.words.descriptors, self.words.avail_ring);
        let body = self.body;
        let flags = if device_writes { DESC_F_WRITE } else { 0 };
        let first = self.next_avail.get();
        let mut posted = 0u16;
        let mut wrong = None;
        let mut claims = self.tokens.claims();
        for (token, addr, len) in buffers {
            if len == 0 || addr > ram || u64::from(len) > ram - addr {
                wrong = Some((addr, len));
                break;
            }
            let limit = if device_writes { len } else { 0 };
            let Some(id) = claims.claim(token, limit) else {
                wrong = Some((addr, len));
                break;
            };
            let [at, rest] = descriptors.at(id.wrapping_add(body));
            at.store(addr.to_le(), Relaxed);
            let word = u64::from(len) | u64::from(flags) << 32;
            rest.store(word.to_le(), Relaxed);
            let entry = first.wrapping_add(posted);
            avail_ring.at(entry).store(id.to_le(), Relaxed);
            posted = posted.wrapping_add(1);
        }
        drop(claims);
        self.next_avail.advance(posted);
        match wrong {
            Some((addr, len)) => Err(self.refused(addr, len)),
            None => Ok(posted.into()),
        }
    }

    /// Shows the device all that was posted: one store of `avail.idx`, for a burst. Returns
    /// whether the device wants a kick for it (2.7.10). Costs a full fence if there is something
    /// to show: the device may have fallen asleep just before.
    #[inline]
    pub fn publish(&mut self) -> bool {
        if self.next_avail == self.exposed {
            return false;
        }
        self.expose();
        fence(SeqCst);
        let wants = self.wants_kick();
        self.kicked();
        wants
    }

    /// Shows the device all that was posted, as [`publish`](Self::publish), without the fence,
    /// which waits for every store before it and costs more than the frames of a burst.
    ///
    /// In return the caller has to ask [`wants_kick`](Self::wants_kick) again and again: after this,
    /// every round, and once after [`arm`](Self::arm) (which is the fence) before it sleeps. A device
    /// that fell asleep at the very moment of this store shows its wish by one of the later looks.
    #[inline]
    pub fn expose(&mut self) {
        let new = self.next_avail.since(self.exposed);
        if new == 0 {
            return;
        }
        // A device asleep asked for an entry that it had not seen, so its event lies no further back
        // than the entries it has not taken, at most the queue size: what is older is settled.
        let behind = u32::from(self.exposed.since(self.settled));
        if behind + u32::from(new) > u32::from(self.size) {
            self.settled = Index::new(self.next_avail.get().wrapping_sub(self.size));
        }
        // Release: descriptors and entries were written before it.
        self.words
            .avail_idx
            .at(0)
            .store(self.next_avail.get().to_le(), Release);
        self.exposed = self.next_avail;
    }

    /// Asks the CPU for what [`expose`](Self::expose) will write: the device looks at it all the time, so its core has
    /// it. Worth it some hundreds of nanoseconds before.
    #[inline]
    pub fn approach(&self) {
        if self.next_avail != self.exposed {
            self.words.avail_idx.prefetch_to_write(0);
        }
    }

    /// Whether the device asks for a kick for something exposed since the last
    /// [`kicked`](Self::kicked) (2.7.10). Stays true until then. Costs one load.
    #[inline]
    pub fn wants_kick(&self) -> bool {
        if self.event_idx {
            let event = u16::from_le(self.words.avail_event.at(0).load(Relaxed));
            passed(event, self.exposed.get(), self.settled.get())
        } else {
            self.exposed != self.settled
                && u16::from_le(self.words.used_flags.at(0).load(Relaxed)) & USED_F_NO_NOTIFY == 0
        }
    }

    /// The device is being kicked for all that is exposed. Call it before kicking.
    #[inline]
    pub fn kicked(&mut self) {
        self.settled = self.exposed;
    }

    /// Takes up to `max` used buffers back and hands `each` its token and the octets that the
    /// device wrote (0 for a buffer it only read). Returns how many.
    ///
    /// # Errors
    ///
    /// The device broke the protocol; for good. Buffers handed out before stay valid.
    #[inline]
    pub fn take(
        &mut self,
        max: usize,
        mut each: impl FnMut(u32, u32),
    ) -> Result<usize, QueueError> {
        self.intact()?;
        let seen = usize::from(self.seen_used.since(self.next_used));
        // The index comes from another core's cache: not asked for while as many were seen as are wanted.
        let used = if seen < max { self.look()? } else { seen };
        let count = used.min(max);
        let (used_ring, first) = (self.words.used_ring, self.next_used.get());
        let mut taken = 0u16;
        let mut wrong = None;
        let mut releases = self.tokens.releases();
        // Fits: no more than the queue has.
        while taken < count as u16 {
            let [id, len] = used_ring.at(first.wrapping_add(taken));
            let id = u32::from_le(id.load(Relaxed));
            let len = u32::from_le(len.load(Relaxed));
            match releases.release(id, len) {
                Ok((token, len)) => each(token, len),
                Err(refused) => {
                    wrong = Some((id, len, refused));
                    break;
                }
            }
            taken = taken.wrapping_add(1);
        }
        drop(releases);
        self.next_used.advance(taken);
        if let Some((id, len, refused)) = wrong {
            return Err(self.fail(match refused {
                Refused::NotInFlight => QueueError::UsedId { id },
                Refused::Longer { posted } => QueueError::UsedLength { id, len, posted },
            }));
        }
        self.renew_event();
        Ok(count)
    }

    /// Hands `each` the tokens of up to `max` buffers that [`take`](Self::take) would give and saw when it last looked,
    /// which stay where they are: a hint of what will be needed, as the device may still break the protocol.
    #[inline]
    pub fn peek(&self, max: usize, mut each: impl FnMut(u32)) {
        let ready = self.seen_used.since(self.next_used);
        let max = u16::try_from(max).unwrap_or(u16::MAX);
        for ahead in 0..ready.min(max) {
            let [id, _] = self.words.used_ring.at(self.next_used.plus(ahead));
            if let Some(token) = self.tokens.peek(u32::from_le(id.load(Relaxed))) {
                each(token);
            }
        }
    }

    /// Looks at the device's index. Returns how many buffers may be taken.
    #[inline]
    fn look(&mut self) -> Result<usize, QueueError> {
        // Acquire: the used entries, and the buffers, are read after it.
        let idx = u16::from_le(self.words.used_idx.at(0).load(Acquire));
        let used = idx.wrapping_sub(self.next_used.get());
        let in_flight = self.exposed.since(self.next_used);
        if used > in_flight {
            let next = self.next_used.get();
            return Err(self.fail(QueueError::UsedIndex {
                idx,
                next,
                in_flight,
            }));
        }
        self.seen_used = Index::new(idx);
        Ok(used.into())
    }

    /// Whether there is something to [`take`](Self::take).
    #[inline]
    pub fn has_used(&self) -> bool {
        self.ready() > 0
    }

    /// Asks for an interrupt once `after` more buffers are used than were taken so far. At least
    /// 1; more than are in flight would never come. Returns true when they are there already:
    /// then there may be no interrupt, take again. Costs a full fence.
    ///
    /// Without EVENT_IDX the device interrupts at the first (2.7.7).
    pub fn arm(&mut self, after: u16) -> bool {
        let after = after.clamp(1, self.size);
        self.armed = true;
        if self.event_idx {
            let event = self.next_used.plus(after - 1);
            self.words.used_event.at(0).store(event.to_le(), Relaxed);
        } else {
            self.words.avail_flags.at(0).store(0, Relaxed);
        }
        // The wish is visible before the device's index is read: either the device sees the wish,
        // or its entries are seen here.
        fence(SeqCst);
        self.ready() >= if self.event_idx { after } else { 1 }
    }

    /// Asks for no interrupts (the state of a new queue). Cheap when there is nothing to do.
    #[inline]
    pub fn disarm(&mut self) {
        if self.armed {
            self.armed = false;
            self.quieten();
        }
    }

    fn quieten(&mut self) {
        if self.event_idx {
            let event = never(self.next_used.get(), self.size);
            self.words.used_event.at(0).store(event.to_le(), Relaxed);
            self.event_written = self.next_used.get();
        } else {
            self.words
                .avail_flags
                .at(0)
                .store(AVAIL_F_NO_INTERRUPT.to_le(), Relaxed);
        }
    }

    /// Moves the event away in time, before the device's index comes around to it.
    #[inline]
    fn renew_event(&mut self) {
        let moved = self.next_used.get().wrapping_sub(self.event_written);
        if self.event_idx && !self.armed && moved > renew_after(self.size) {
            self.quieten();
        }
    }

    #[inline]
    fn ready(&self) -> u16 {
        u16::from_le(self.words.used_idx.at(0).load(Acquire)).wrapping_sub(self.next_used.get())
    }

    #[inline]
    fn describe(&self, id: u16, addr: u64, len: u32, flags: u16, next: u16) {
        let [at, rest] = self.words.descriptors.at(id);
        let word = u64::from(len) | u64::from(flags) << 32 | u64::from(next) << 48;
        at.store(addr.to_le(), Relaxed);
        rest.store(word.to_le(), Relaxed);
    }

    /// Why a buffer was not posted.
    #[cold]
    fn refused(&self, addr: u64, len: u32) -> QueueError {
        let full = QueueError::RingFull { size: self.size };
        if let Some(error) = self.broken {
            return error;
        }
        if len == 0 {
            return QueueError::EmptyBuffer;
        }
        let ram = self.ram.len();
        match self.tokens.next_free() {
            Some(head) if addr > ram || u64::from(len) > ram - addr => QueueError::BufferOutside {
                head,
                addr,
                len: u64::from(len),
                ram,
            },
            _ => full,
        }
    }

    #[inline]
    fn intact(&self) -> Result<(), QueueError> {
        self.broken.map_or(Ok(()), Err)
    }

    #[cold]
    fn fail(&mut self, error: QueueError) -> QueueError {
        // No buffer lies in there, so none can be posted from now on.
        self.postable = 0;
        *self.broken.get_or_insert(error)
    }

    /// Clears all three areas, indices last read by the device first.
    fn zero(&mut self) {
        for word in [
            &self.words.avail_idx,
            &self.words.used_idx,
            &self.words.avail_flags,
            &self.words.used_flags,
            &self.words.used_event,
            &self.words.avail_event,
        ] {
            word.at(0).store(0, Relaxed);
        }
        for index in 0..self.size {
            self.words.avail_ring.at(index).store(0, Relaxed);
            for half in self.words.used_ring.at(index) {
                half.store(0, Relaxed);
            }
            for half in self.words.descriptors.at(index) {
                half.store(0, Relaxed);
            }
        }
    }
}
