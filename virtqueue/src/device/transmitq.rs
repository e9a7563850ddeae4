//! Guest to host: takes frames off the ring in bursts, copies them out later, gives them back.
//!
//! Between [`Transmitq::harvest`] and [`Transmitq::complete`] a frame stays in the driver's
//! buffer; the host holds a [`TxFrame`], whose length and (for a frame in one piece) address were
//! checked and are private to the host. Must never read a frame beyond that length or follow the
//! driver's descriptors unchecked, however they change meanwhile.

use super::chain::{Budget, Chain, Direction};
use super::notify::notification_methods;
use super::ring::{AHEAD, Burst, LINE, Ring};
use crate::error::QueueError;
use crate::layout::{DESC_F_NEXT, NET_HEADER, QueueLayout};
use crate::unsafe_ram::Ram;

/// Fewest octets of a frame behind `virtio_net_hdr`: an Ethernet header. Less is malformed.
pub const MIN_FRAME: u32 = 14;
/// Most octets of a frame behind `virtio_net_hdr`: an Ethernet header, and what a 16-bit length
/// can say (the largest MTU, 5.1.4). More is malformed.
pub const MAX_FRAME: u32 = 14 + 65535;
/// Most chains in a row that hold no frame. An honest driver sends none; more are an attempt to
/// keep the host busy, and break the queue.
pub const MAX_MALFORMED: u16 = 1024;
/// Descriptors that one harvest may look at for each chain asked for, before it leaves the rest to
/// the next. A chain begun is finished, so one harvest never looks at more than
/// [`MAX_SEGMENTS`](super::MAX_SEGMENTS) and two besides.
pub const HARVEST_DESCRIPTORS: usize = 4;
/// What [`whole`] looks at.
const FIRST_LOOK: usize = 2;

/// A frame in the driver's buffer. `Copy`, but to be completed once.
///
/// Two words without a gap, moved as such: a queue of frames is a queue of these, and a copy that
/// goes field by field waits for each of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TxFrame {
    /// Where the frame lies, if it is whole: behind `virtio_net_hdr`, `len` octets, checked.
    addr: u64,
    /// `len` in bits 31..0, `head` in 47..32, [`WHOLE`], and the caller's tag in 63..56.
    rest: u64,
}

// The level 2 queues hold these: keep them at a quarter of a cache line.
const _: () = assert!(size_of::<TxFrame>() == 16);

/// In one piece. Otherwise every read walks the chain of `head` again.
const WHOLE: u64 = 1 << 48;
const TAG: u32 = 56;

impl TxFrame {
    #[inline]
    fn new(addr: u64, len: u32, head: u16, whole: u64) -> Self {
        TxFrame {
            addr,
            rest: u64::from(len) | u64::from(head) << 32 | whole,
        }
    }

    /// Octets of the frame, without `virtio_net_hdr` and FCS.
    #[inline]
    #[allow(clippy::len_without_is_empty)] // never empty: MIN_FRAME
    pub fn len(&self) -> u32 {
        self.rest as u32
    }

    /// The frame under a tag of the caller's, such as which of several queues it is of.
    #[inline]
    #[must_use]
    pub fn tagged(self, tag: u8) -> Self {
        let untagged = self.rest & !(u64::MAX << TAG);
        TxFrame {
            rest: untagged | u64::from(tag) << TAG,
            ..self
        }
    }

    /// The caller's tag, 0 at first.
    #[inline]
    pub fn tag(&self) -> u8 {
        (self.rest >> TAG) as u8
    }

    #[inline]
    fn head(&self) -> u16 {
        (self.rest >> 32) as u16
    }

    #[inline]
    fn is_whole(&self) -> bool {
        self.rest & WHOLE != 0
    }
}

/// What a harvest took off the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harvest {
    /// Frames handed to the caller, who is to complete each.
    pub frames: u16,
    /// Chains whose frame is shorter than [`MIN_FRAME`] or longer than [`MAX_FRAME`], completed.
    pub malformed: u16,
}

/// Device side of a transmit queue. See [`Transmitq::new`].
#[derive(Debug)]
pub struct Transmitq {
    ring: Ring,
    /// Chains without a frame since the last one with a frame.
    malformed: u16,
}

notification_methods!(Transmitq);

impl Transmitq {
    /// The queue at `layout` in `ram`, at its start (indices 0). It asks for no kicks.
    ///
    /// # Errors
    ///
    /// The layout is not allowed; nothing was written then.
    pub fn new(ram: Ram, layout: &QueueLayout) -> Result<Self, QueueError> {
        Ok(Transmitq {
            ring: Ring::new(ram, layout)?,
            malformed: 0,
        })
    }

    /// Takes up to `max` chains off the available ring and hands their frames to `each`.
    ///
    /// A chain too short or too long for a frame is completed here and counted as malformed; the
    /// driver sees that after the next [`publish`](Self::publish). More than [`MAX_MALFORMED`] of
    /// them in a row are an error.
    ///
    /// Long chains count for several: having looked at [`HARVEST_DESCRIPTORS`] descriptors for each
    /// of `max`, the harvest leaves the rest for the next call. It takes at least one chain if
    /// there is one and `max` is not 0.
    ///
    /// # Errors
    ///
    /// The driver broke the protocol; for good. Frames handed out before are to be completed all
    /// the same, and those in one piece can still be read.
    #[inline]
    pub fn harvest(
        &mut self,
        max: usize,
        mut each: impl FnMut(TxFrame),
    ) -> Result<Harvest, QueueError> {
        self.ring.intact()?;
        let available = self.ring.look()?;
        let mut left = u16::try_from(max).map_or(available, |max| available.min(max));
        let mut harvest = Harvest::default();
        let mut descriptors = max.saturating_mul(HARVEST_DESCRIPTORS);
        while left > 0 && descriptors > 0 {
            let most = usize::from(left).min(descriptors.div_ceil(FIRST_LOOK));
            // Fits: `left` does.
            let whole = self.harvest_whole(most as u16, &mut each);
            harvest.frames += whole;
            left -= whole;
            descriptors = descriptors.saturating_sub(FIRST_LOOK * usize::from(whole));
            if left > 0 && descriptors > 0 {
                left -= 1;
                let spent = self.harvest_any(&mut harvest, &mut each)?;
                descriptors = descriptors.saturating_sub(FIRST_LOOK + spent);
            }
        }
        Ok(harvest)
    }

    /// The common cases, up to `most` in a row: frames in one piece. Returns how many.
    #[inline(always)]
    fn harvest_whole(&mut self, most: u16, each: &mut impl FnMut(TxFrame)) -> u16 {
        let burst = self.ring.burst();
        let seen = self.ring.seen();
        let first = self.ring.next_avail();
        let mut taken = 0;
        burst.prefetch_behind(first, 0, seen.min(most).min(AHEAD));
        while taken < most {
            let at = first.wrapping_add(taken);
            burst.prefetch(at, seen - taken);
            if taken.is_multiple_of(LINE) {
                let from = taken.saturating_add(AHEAD).min(seen);
                burst.prefetch_behind(first, from, from.saturating_add(LINE).min(seen));
            }
            let Some(frame) = burst.head(at).and_then(|head| whole(&burst, head)) else {
                break;
            };
            each(frame);
            taken += 1;
        }
        if taken > 0 {
            self.ring.take(taken);
            self.malformed = 0;
        }
        taken
    }

    /// Any chain, the next one. Returns how many descriptors the walk looked at.
    #[cold]
    fn harvest_any(
        &mut self,
        harvest: &mut Harvest,
        each: &mut impl FnMut(TxFrame),
    ) -> Result<usize, QueueError> {
        let head = self.ring.head(0).map_err(|error| self.ring.fail(error))?;
        let mut budget = Budget::new(&self.ring);
        match self.walk(head, &mut budget) {
            Ok(Some(frame)) => {
                self.ring.take(1);
                self.malformed = 0;
                harvest.frames += 1;
                each(frame);
            }
            Ok(None) if self.malformed == MAX_MALFORMED => {
                let limit = MAX_MALFORMED;
                return Err(self.ring.fail(QueueError::NoFrames { head, limit }));
            }
            Ok(None) => {
                self.malformed += 1;
                self.ring.take(1);
                harvest.malformed += 1;
                self.ring.fill_used(0, head, 0);
                self.ring.give(1);
            }
            Err(error) => return Err(self.ring.fail(error)),
        }
        Ok(budget.spent().into())
    }

    /// Copies `dst.len()` octets from `offset` of the frame.
    ///
    /// The octets are the driver's to change until the frame is completed: check the copy, not
    /// the frame.
    ///
    /// # Errors
    ///
    /// [`QueueError::ReadBeyondFrame`]: the caller's mistake, nothing changed. Others: the driver
    /// changed the chain of a frame in several pieces to what is not allowed; for good.
    #[inline(always)]
    pub fn read(&self, frame: &TxFrame, offset: u32, dst: &mut [u8]) -> Result<(), QueueError> {
        let octets = dst.len();
        let beyond = || QueueError::ReadBeyondFrame {
            offset,
            len: u32::try_from(octets).unwrap_or(u32::MAX),
            frame: frame.len(),
        };
        if u64::from(offset) + octets as u64 > u64::from(frame.len()) {
            return Err(beyond());
        }
        if !frame.is_whole() {
            self.ring.intact()?;
            return self
                .read_pieces(frame, offset, dst)
                .map_err(|error| self.ring.fail(error));
        }
        // Fails only for a frame of another queue.
        match self.ring.ram.read(frame.addr + u64::from(offset), dst) {
            Some(()) => Ok(()),
            None => Err(beyond()),
        }
    }

    /// Asks the CPU to fetch the first two cache lines of the frame, which will be read soon.
    #[inline(always)]
    pub fn prefetch(&self, frame: &TxFrame) {
        self.ring.ram.prefetch(frame.addr);
    }

    /// [`read`](Self::read) of a whole frame in the common case: it is in one piece, and `dst` has
    /// its length. False: another case, of which `read` tells; `dst` is as it was.
    #[inline(always)]
    #[must_use]
    pub fn copy(&self, frame: &TxFrame, dst: &mut [u8]) -> bool {
        frame.is_whole()
            && dst.len() as u64 == u64::from(frame.len())
            && self.ring.ram.read(frame.addr, dst).is_some()
    }

    /// Gives the frame's buffer back; the driver sees it after [`publish`](Self::publish).
    ///
    /// To be called once for each harvested frame, in any order. Without a frame outstanding it
    /// does nothing.
    #[inline]
    pub fn complete(&mut self, frame: TxFrame) {
        if self.ring.outstanding() > 0 {
            self.ring.fill_used(0, frame.head(), 0);
            self.ring.give(1);
        }
    }

    /// [`complete`](Self::complete) for each of `frames`, in their order.
    #[inline]
    pub fn complete_all(&mut self, frames: &[TxFrame]) {
        let used = self.ring.used();
        let most = frames.len().min(usize::from(self.ring.outstanding()));
        for (ahead, frame) in frames.get(..most).unwrap_or_default().iter().enumerate() {
            used.prefetch(ahead as u16);
            used.fill(ahead as u16, frame.head(), 0);
        }
        // Fits: at most what is outstanding.
        self.ring.give(most as u16);
    }

    /// Shows the driver all that was completed: one store of `used.idx`, for a burst.
    #[inline]
    pub fn publish(&mut self) {
        self.ring.publish();
    }

    /// Frames harvested and not completed; never more than the queue size.
    #[inline]
    pub fn outstanding(&self) -> u16 {
        self.ring.outstanding()
    }

    /// Any chain. `None`: malformed.
    #[cold]
    fn walk(&self, head: u16, budget: &mut Budget) -> Result<Option<TxFrame>, QueueError> {
        let mut chain = Chain::new(&self.ring, head, Direction::Reads);
        let mut octets = 0;
        while let Some(segment) = chain.next(budget)? {
            // At most MAX_SEGMENTS u32 values: no overflow.
            octets += u64::from(segment.len);
        }
        let len = octets.saturating_sub(u64::from(NET_HEADER));
        Ok(u32::try_from(len)
            .ok()
            .filter(|len| (MIN_FRAME..=MAX_FRAME).contains(len))
            .map(|len| TxFrame::new(0, len, head, 0)))
    }

    #[cold]
    fn read_pieces(&self, frame: &TxFrame, offset: u32, dst: &mut [u8]) -> Result<(), QueueError> {
        let head = frame.head();
        let changed = QueueError::FrameChanged {
            head,
            len: frame.len(),
        };
        let mut chain = Chain::new(&self.ring, head, Direction::Reads);
        let mut budget = Budget::new(&self.ring);
        // `offset` is below MAX_FRAME.
        let mut skip = offset + NET_HEADER;
        let mut rest = dst;
        while !rest.is_empty() {
            let segment = chain.next(&mut budget)?.ok_or(changed)?;
            let skipped = skip.min(segment.len);
            skip -= skipped;
            let octets = ((segment.len - skipped) as usize).min(rest.len());
            let (now, later) = rest.split_at_mut_checked(octets).ok_or(changed)?;
            self.ring
                .ram
                .read(segment.addr + u64::from(skipped), now)
                .ok_or(changed)?;
            rest = later;
        }
        Ok(())
    }
}

/// The common cases: header and frame in one descriptor, or in one each. `None`: another case, or
/// something is wrong, which the walk will find.
#[inline(always)]
fn whole(burst: &Burst, head: u16) -> Option<TxFrame> {
    let first = burst.descriptor(head);
    if !first.inside(&burst.ram) {
        return None;
    }
    let (addr, len) = match first.flags {
        0 => (
            first.addr + u64::from(NET_HEADER),
            first.len.checked_sub(NET_HEADER)?,
        ),
        DESC_F_NEXT if first.len == NET_HEADER => {
            let second = burst.next(&first)?;
            if second.flags != 0 || !second.inside(&burst.ram) {
                return None;
            }
            (second.addr, second.len)
        }
        _ => return None,
    };
    (MIN_FRAME..=MAX_FRAME)
        .contains(&len)
        .then(|| TxFrame::new(addr, len, head, WHOLE))
}
