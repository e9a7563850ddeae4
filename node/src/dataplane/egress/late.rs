//! A burst that its worker was held up with, between the gate's decision and the hand-over.
//!
//! The last look at the clock before frames are handed over: those that would end behind the close of
//! their window are held back for the next. Must never take long: what leaves leaves
//! later by it.

use arrayvec::ArrayVec;
use pinode_ports::{BURST, TxMeta};
use pinode_scheduler::level2::{Discipline, Fifo};
use pinode_scheduler::{Gate, LinkRate};
use pinode_virtqueue::TxFrame;

use super::super::lane::FCS;
use super::Sent;

/// Time from the look at the clock to the hand-over, at most, while nothing holds up the worker:
/// nanoseconds.
const HAND_OVER_NS: u64 = 1_000;

/// How much later than computed a burst leaves that is handed over at `handed_ns`.
#[inline]
pub(super) fn late_ns(out: &Sent, handed_ns: u64) -> u64 {
    match out.metas.first() {
        Some(first) if out.sent > 0 => handed_ns.saturating_sub(first.start_ns),
        _ => 0,
    }
}

/// Holds back what of a burst that leaves `late_ns` late ends behind its window, which opens at
/// `opens_ns`. `ahead`: the next one, and not the open one.
///
/// A frame that leaves right at the opening is not held back: where a window is hardly longer than a
/// frame there is no better instant in any of them, and it would wait for ever.
#[inline]
pub(super) fn keep_back(
    gate: &mut Gate,
    (ahead, opens_ns): (bool, u64),
    late_ns: u64,
    out: &mut Sent,
    going: &mut [TxFrame; BURST],
    held: &mut Fifo<TxFrame>,
) {
    let Some((link, latest_ns)) = gate.deadline(ahead) else {
        return;
    };
    let mut wires = Wires::new(link);
    let metas = out.metas.get(..out.sent).unwrap_or_default();
    let mut ends_in_time = |meta: &TxMeta| {
        let end_ns = wires.ps(meta.len).div_ceil(1_000) + meta.start_ns;
        end_ns.saturating_add(late_ns + HAND_OVER_NS) <= latest_ns
    };
    if metas.last().is_none_or(&mut ends_in_time) {
        return;
    }
    // Frames follow one another, so their ends do.
    let mut sent = metas.partition_point(ends_in_time);
    if let Some(first) = metas.first()
        && first.start_ns.saturating_add(late_ns) <= opens_ns.saturating_add(HAND_OVER_NS)
    {
        sent = sent.max(1);
    }
    if sent == metas.len() {
        return;
    }
    let kept = metas.get(sent..).unwrap_or_default();
    let kept_ps = kept.iter().map(|meta| wires.ps(meta.len)).sum();
    gate.keep_back(ahead, kept_ps);
    hold(sent, out, going, held);
}

/// Wire times; those of a burst are often alike.
struct Wires {
    link: LinkRate,
    len: u16,
    ps: u64,
}

impl Wires {
    fn new(link: LinkRate) -> Self {
        let ps = link.wire_time_ps(FCS);
        Self { link, len: 0, ps }
    }

    /// Of a frame of `len` octets without FCS, picoseconds.
    fn ps(&mut self, len: u16) -> u64 {
        if len != self.len {
            self.len = len;
            self.ps = self.link.wire_time_ps(u32::from(len) + FCS);
        }
        self.ps
    }
}

/// Only the first `sent` frames of a burst leave; the others wait in front of all that waits.
#[cold]
fn hold(sent: usize, out: &mut Sent, going: &mut [TxFrame; BURST], held: &mut Fifo<TxFrame>) {
    let mut kept = out.from.get(sent..out.sent).unwrap_or_default().iter();
    let mut next = kept.next();
    let first = next.map_or(out.picked, |first| usize::from(*first));
    let (mut waits, mut left) = (ArrayVec::<TxFrame, BURST>::new(), first);
    // Behind the first that is kept only those stay in the burst that do not go at all.
    for at in first..out.picked.min(BURST) {
        if next.is_some_and(|next| usize::from(*next) == at) {
            waits.push(going[at]);
            next = kept.next();
        } else {
            going[left] = going[at];
            left += 1;
        }
    }
    (out.sent, out.picked) = (sent, left);
    // Frames of a burst come from the queue or from here, so there is room for all of it.
    held.clear(|frame| {
        let _ = waits.try_push(frame);
    });
    held.enqueue_all(&waits, |_frame| ());
}
