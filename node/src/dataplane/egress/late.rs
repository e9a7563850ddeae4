//! A burst that its worker was held up with, between the gate's decision and the hand-over.
//!
//! The last look at the clock before frames are handed over: those that would end behind the close of
//! their window are held back for the next. Must never hold back a frame that ends in time.

use arrayvec::ArrayVec;
use pinode_ports::BURST;
use pinode_scheduler::Gate;
use pinode_scheduler::level2::{Discipline, Fifo};
use pinode_virtqueue::TxFrame;

use super::super::lane::FCS;
use super::Sent;

/// How much later than computed a burst leaves that is handed over at `handed_ns`.
#[inline]
pub(super) fn late_ns(out: &Sent, handed_ns: u64) -> u64 {
    match out.metas.first() {
        Some(first) if out.sent > 0 => handed_ns.saturating_sub(first.start_ns),
        _ => 0,
    }
}

/// Holds back what of a burst that leaves `late_ns` late ends behind its window.
#[inline]
pub(super) fn keep_back(
    gate: &mut Gate,
    ahead: bool,
    late_ns: u64,
    out: &mut Sent,
    going: &mut [TxFrame; BURST],
    held: &mut Fifo<TxFrame>,
) {
    let Some((link, latest_ns)) = gate.deadline(ahead) else {
        return;
    };
    let wire_ps = |len: u16| link.wire_time_ps(u32::from(len) + FCS);
    let metas = out.metas.get(..out.sent).unwrap_or_default();
    let in_time = |start_ns: u64, len: u16| {
        let end_ns = wire_ps(len).div_ceil(1_000).saturating_add(start_ns);
        end_ns.saturating_add(late_ns) <= latest_ns
    };
    if metas
        .last()
        .is_none_or(|last| in_time(last.start_ns, last.len))
    {
        return;
    }
    let ends = |meta: &pinode_ports::TxMeta| in_time(meta.start_ns, meta.len);
    let sent = metas.iter().take_while(|meta| ends(meta)).count();
    let kept_ps = metas.iter().skip(sent).map(|meta| wire_ps(meta.len)).sum();
    gate.keep_back(ahead, kept_ps);
    hold(sent, out, going, held);
}

/// Only the first `sent` frames of a burst leave; the others wait in front of all that waits.
#[cold]
fn hold(sent: usize, out: &mut Sent, going: &mut [TxFrame; BURST], held: &mut Fifo<TxFrame>) {
    let kept = out.from.get(sent..out.sent).unwrap_or_default();
    let (mut waits, mut left) = (ArrayVec::<TxFrame, BURST>::new(), 0);
    for at in 0..out.picked.min(BURST) {
        if kept.iter().any(|kept| usize::from(*kept) == at) {
            waits.push(going[at]);
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
