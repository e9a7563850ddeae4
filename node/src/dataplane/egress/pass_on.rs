//! Frames that are the same on the wire and at the guest: copied whole, a burst at once.
//!
//! The check is of the copy.

use pinode_classifier::{MIN_FRAME_OCTETS, PortClassifier, TxDrop};
use pinode_ports::{BURST, TxMeta};
use pinode_scheduler::Starts;
use pinode_scheduler::level2::Discipline;
use pinode_virtqueue::TxFrame;

use super::super::lane::FCS;
use super::super::vif::VifOut;
use super::{Io, Sent, Stays};

/// Sends frames that are the same on the wire and at the guest, as many as there are slots for.
///
/// First which frames may start, then their copies, each checked where the guest cannot change it any
/// more, ring by ring.
#[inline]
pub(super) fn pass_on(
    way: Way<'_>,
    rings: &mut [VifOut],
    queue: &mut impl Discipline<TxFrame>,
    (starts, slots, going, out): Io<'_, '_, '_>,
) {
    let mut count = 0;
    let most = slots.len().min(BURST);
    loop {
        let mut fits = true;
        // Of the last frame: those of a burst are often alike. None has 0.
        let (mut octets, mut len) = (0, 0);
        let metas = &mut out.metas;
        // What never goes counts too: a guest that queues what may not go would otherwise hold the worker
        // until its queue is empty, and the instant would grow stale.
        let budget = most.saturating_sub(count + out.dropped.len());
        queue.dequeue_while(way.now_ns, budget, |frame| {
            if frame.len() as usize != octets {
                octets = frame.len() as usize;
                // Fits where it is used: `longest` does.
                len = octets.max(MIN_FRAME_OCTETS) as u16;
                starts.size(u32::from(len) + FCS);
                fits = octets <= way.longest;
            }
            if !fits {
                return false;
            }
            let (Some(place), Some(meta)) = (going.get_mut(count), metas.get_mut(count)) else {
                return false;
            };
            let Ok(start_ns) = starts.start() else {
                return false;
            };
            *place = *frame;
            *meta = TxMeta { len, start_ns };
            // Perhaps it has waited for its window since it was last near.
            if let Some(vif) = rings.get(usize::from(frame.tag())) {
                vif.transmit.prefetch(frame);
            }
            count += 1;
            true
        });
        if count + out.dropped.len() >= most {
            break;
        }
        // What can never go must not wait. It need not be the first head that is offered.
        let never = |frame: &TxFrame| frame.len() as usize > way.longest;
        match queue.dequeue_if(way.now_ns, never) {
            Some(frame) => {
                out.dropped.push(TxDrop::Oversize);
                out.give_back(rings, frame);
            }
            None => break,
        }
    }
    let mut rest = going.get(..count).unwrap_or_default();
    while let Some(tag) = rest.first().map(TxFrame::tag) {
        let others = |frame: &TxFrame| frame.tag() != tag;
        let run = match rings {
            [_] => rest.len(),
            _ => rest.iter().position(others).unwrap_or(rest.len()),
        };
        let run = rest.split_off(..run).unwrap_or_default();
        let at = count - rest.len() - run.len();
        match rings.get(usize::from(tag)) {
            Some(vif) => {
                way.copy_all(vif, run, at, slots, out);
            }
            // Frames of a ring that is gone have gone with it.
            None => out.unread += run.len() as u64,
        }
    }
    out.picked = count;
    if out.sent < count {
        charge_again(starts, out.metas.get_mut(..out.sent).unwrap_or_default());
    }
}

/// A PI's way out of a port, where frames pass as they are.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) shape: &'a PortClassifier,
    pub(super) owner: u8,
    pub(super) now_ns: u64,
    /// Octets of the longest frame, at most `u16::MAX`.
    pub(super) longest: usize,
}

impl Way<'_> {
    /// Copies frames of one ring, of which the first is that at `at` in the burst, into the slots that
    /// are next. A frame that does not go leaves its slot to the next.
    #[inline]
    fn copy_all(
        self,
        vif: &VifOut,
        frames: &[TxFrame],
        at: usize,
        slots: &mut [&mut [u8]],
        out: &mut Sent,
    ) {
        let mut sent = out.sent;
        for (at, frame) in (at..).zip(frames) {
            let Some(slot) = slots.get_mut(sent) else {
                break;
            };
            let octets = frame.len() as usize;
            let good = octets >= MIN_FRAME_OCTETS
                && slot.get_mut(..octets).is_some_and(|copy| {
                    vif.transmit.copy(frame, copy) && self.shape.slot(copy) == self.owner
                });
            if !good && let Err(why) = self.copy(vif, frame, slot) {
                out.stays(why);
                continue;
            }
            if sent < at {
                out.move_up(at, sent);
            }
            sent += 1;
        }
        out.sent = sent;
    }

    /// As [`copy_all`](Self::copy_all) for one frame that is short, in pieces, or not as it should be.
    #[cold]
    fn copy(self, vif: &VifOut, frame: &TxFrame, slot: &mut [u8]) -> Result<(), Stays> {
        let octets = frame.len() as usize;
        let place = slot.get_mut(..octets.max(MIN_FRAME_OCTETS));
        let parts = place.and_then(|place| place.split_at_mut_checked(octets));
        let Some((copy, padding)) = parts else {
            return Err(Stays::Dropped(TxDrop::Oversize));
        };
        padding.fill(0);
        vif.transmit.read(frame, 0, copy).map_err(Stays::Broken)?;
        self.shape
            .check_copy(self.owner, copy)
            .map_err(Stays::Dropped)
    }
}

/// Some frames of a burst do not go after all: the others take the link without them.
#[cold]
fn charge_again(starts: &mut Starts<'_>, metas: &mut [TxMeta]) {
    starts.rewind();
    for meta in metas {
        if let Ok(start) = starts.ask(u32::from(meta.len) + FCS) {
            meta.start_ns = starts.charge(start);
        }
    }
}
