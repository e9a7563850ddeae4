//! Out of the node: transmit ring -> level 2 -> gate -> copy, PIH checked on the copy -> port.
//!
//! A frame is copied once, from the guest's memory into the port's. What is checked is the copy,
//! which the guest cannot change any more: a guest cannot speak for another PI.

use arrayvec::ArrayVec;
use pinode_classifier::{PortClassifier, Splice, TxDrop};
use pinode_ports::{BURST, TxMeta, TxSlots};
use pinode_scheduler::level2::Discipline;
use pinode_scheduler::{Gate, Window};
use pinode_virtqueue::{QueueError, TxFrame};

use super::lane::{FCS, HEAD_OCTETS, PiLane, PortLane};
use super::vif::{Broken, Vif};
use crate::capture::Direction;

/// Harvests what guests sent, and puts on the wire what the open gate allows. Returns a guest
/// whose ring turned out broken, if any did.
pub(super) fn burst(lane: &mut PortLane, now_ns: u64) -> Option<Broken> {
    let mut broken = None;
    for (slot, pi) in lane.pis.iter_mut().enumerate() {
        if let Err(error) = harvest(pi) {
            broken = Some(Broken { slot, error });
        }
    }
    let window = lane.gate.advance(now_ns);
    let Some(owner) = window.owner else {
        return broken;
    };
    note_edge(lane, &window, owner, now_ns);
    if let Err(error) = send(lane, owner, now_ns) {
        broken = Some(Broken {
            slot: usize::from(owner),
            error,
        });
    }
    broken
}

fn harvest(pi: &mut PiLane) -> Result<(), QueueError> {
    let PiLane {
        vif: Some(vif),
        queue,
        counters,
        ..
    } = pi
    else {
        return Ok(());
    };
    let room = queue.room().min(BURST);
    let mut refused = ArrayVec::<TxFrame, BURST>::new();
    // Counted here and not from the answer, which a ring that breaks half-way does not give.
    let taken = vif.transmit.harvest(room, |frame| {
        counters.from_guest += 1;
        if let Err(frame) = queue.enqueue(frame) {
            refused.push(frame);
        }
    })?;
    counters.from_guest += u64::from(taken.malformed);
    counters.tx_malformed += u64::from(taken.malformed);
    counters.tx_class_full += refused.len() as u64;
    let gone = taken.malformed > 0 || !refused.is_empty();
    for frame in refused {
        vif.transmit.complete(frame);
    }
    if gone {
        vif.transmit.publish();
    }
    Ok(())
}

/// The first look into a new window tells how late the worker is at this edge.
fn note_edge(lane: &mut PortLane, window: &Window, owner: u8, now_ns: u64) {
    if window.opens_ns == lane.window_opened_ns {
        return;
    }
    lane.window_opened_ns = window.opens_ns;
    if let Some(pi) = lane.pis.get_mut(usize::from(owner))
        && !pi.queue.is_empty()
    {
        pi.gate_error
            .saturating_record(now_ns.saturating_sub(window.opens_ns));
    }
}

fn send(lane: &mut PortLane, owner: u8, now_ns: u64) -> Result<(), QueueError> {
    let PortLane {
        port,
        shape,
        gate,
        counters,
        tap,
        pis,
        ..
    } = lane;
    let Some(pi) = pis.get_mut(usize::from(owner)) else {
        return Ok(());
    };
    let PiLane {
        vif: Some(vif),
        queue,
        counters: counted,
        tap: vif_tap,
        ..
    } = pi
    else {
        return Ok(());
    };
    if queue.is_empty() {
        return Ok(());
    }
    let mut slots = TxSlots::new();
    port.tx_slots(queue.len().min(BURST), &mut slots);
    let mut metas = ArrayVec::<TxMeta, BURST>::new();
    let mut outcome = Ok(());
    let mut done = false;
    // Bounded by frames looked at, not by frames sent: a guest that queues what may not go would
    // otherwise hold the worker until its queue is empty, and the instant would grow stale.
    for _ in 0..BURST {
        let Some(slot) = slots.get_mut(metas.len()) else {
            break;
        };
        let mut fate = Fate::Waits;
        let taken = queue.dequeue_if(|frame| {
            fate = decide(vif, shape, gate, owner, frame, slot.len());
            !matches!(fate, Fate::Waits | Fate::Broken(_))
        });
        match fate {
            Fate::Waits => break,
            Fate::Broken(broken) => {
                outcome = Err(broken);
                break;
            }
            Fate::Drop(cause) => counted.count_tx_drop(cause),
            Fate::Go {
                splice,
                len,
                start_ns,
            } => {
                let copy = &mut slot[..usize::from(len)];
                let Some(frame) = &taken else { break };
                if let Err(broken) = copy_out(vif, frame, &splice, copy) {
                    counted.tx_malformed += 1;
                    outcome = Err(broken);
                    break;
                }
                for tap in [&mut *vif_tap, &mut *tap].into_iter().flatten() {
                    tap.record(Direction::Outbound, now_ns, copy, &[]);
                }
                metas.push(TxMeta { len, start_ns });
            }
        }
        if let Some(frame) = taken {
            vif.transmit.complete(frame);
            done = true;
        }
    }
    drop(slots);
    if !metas.is_empty() {
        let accepted = port.tx_commit(&metas).min(metas.len());
        let octets: u64 = metas[..accepted].iter().map(|m| u64::from(m.len)).sum();
        counters.tx_frames += accepted as u64;
        counters.tx_bytes += octets;
        counted.sent += accepted as u64;
        counted.sent_bytes += octets;
        counted.tx_port_error += (metas.len() - accepted) as u64;
    }
    if done {
        vif.transmit.publish();
    }
    outcome
}

/// What becomes of the frame at the head of a class.
enum Fate {
    /// It may not start now.
    Waits,
    /// It must not be sent at all.
    Drop(TxDrop),
    /// It goes: under this head, `len` octets on the wire without FCS.
    Go {
        splice: Splice,
        len: u16,
        start_ns: u64,
    },
    /// Its ring broke the protocol.
    Broken(QueueError),
}

/// Looks at the host's own copy of the head, then asks the gate for the frame's time on the wire.
fn decide(
    vif: &Vif,
    shape: &PortClassifier,
    gate: &mut Gate,
    owner: u8,
    frame: &TxFrame,
    room: usize,
) -> Fate {
    let mut head = [0u8; HEAD_OCTETS];
    let octets = frame.len() as usize;
    let head = &mut head[..octets.min(HEAD_OCTETS)];
    if let Err(broken) = vif.transmit.read(frame, 0, head) {
        return Fate::Broken(broken);
    }
    let splice = match shape.to_wire(owner, head, octets) {
        Ok(splice) => splice,
        Err(cause) => return Fate::Drop(cause),
    };
    let padded = splice.padded_octets(octets);
    let (true, Ok(len)) = (padded <= room, u16::try_from(padded)) else {
        return Fate::Drop(TxDrop::Oversize);
    };
    match gate.try_start(owner, u32::from(len) + FCS) {
        Ok(start_ns) => Fate::Go {
            splice,
            len,
            start_ns,
        },
        Err(_) => Fate::Waits,
    }
}

/// The one copy: the checked head, then the rest from the guest's memory, then padding.
fn copy_out(
    vif: &Vif,
    frame: &TxFrame,
    splice: &Splice,
    slot: &mut [u8],
) -> Result<(), QueueError> {
    let prefix = splice.prefix();
    let octets = splice.octets(frame.len() as usize);
    let (head, rest) = slot.split_at_mut(prefix.len());
    head.copy_from_slice(prefix);
    let (body, padding) = rest.split_at_mut(octets - prefix.len());
    padding.fill(0);
    vif.transmit.read(frame, splice.skip() as u32, body)
}
