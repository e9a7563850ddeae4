//! Out of the node: transmit ring -> level 2 -> gate -> copy, PIH checked on the copy -> port.
//!
//! A frame is copied once, from the guest's memory into the port's. What is checked is the copy,
//! which the guest cannot change any more: a guest cannot speak for another PI.

use arrayvec::ArrayVec;
use pinode_classifier::{MIN_FRAME_OCTETS, PortClassifier, TxDrop};
use pinode_ports::{BURST, TxMeta, TxSlots};
use pinode_scheduler::level2::Discipline;
use pinode_scheduler::{Starts, Window};
use pinode_virtqueue::{QueueError, TxFrame};

use super::lane::{FCS, HEAD_OCTETS, Outbound, PiOut, PortLane, Queued};
use super::slots::SlotSet;
use super::vif::{Broken, VifOut};
use super::worker::Burst;
use crate::capture::Direction;

/// Harvests what guests sent, and puts on the wire what the open gate allows. `touched`: the guests
/// that got buffers back.
pub(super) fn burst(lane: &mut PortLane, now_ns: u64, touched: &mut SlotSet) -> Burst {
    let mut burst = Burst::default();
    let Some(out) = &mut lane.outbound else {
        return burst;
    };
    let window = out.look(now_ns);
    for slot in out.attached {
        let Some(pi) = out.pis.get_mut(slot) else {
            continue;
        };
        let before = pi.counters.from_guest;
        match harvest(pi) {
            Ok(given_back) => touched.set_if(slot, given_back),
            Err(error) => burst.broken = Some(Broken { slot, error }),
        }
        burst.frames += usize::try_from(pi.counters.from_guest - before).unwrap_or(usize::MAX);
    }
    let Some(owner) = window.owner else {
        return burst;
    };
    match send(lane, owner, now_ns) {
        Ok(0) => {}
        Ok(gone) => {
            burst.frames += gone;
            touched.set(usize::from(owner), true);
        }
        Err(error) => {
            let slot = usize::from(owner);
            burst.broken = Some(Broken { slot, error });
        }
    }
    burst
}

impl Outbound {
    /// Moves the gate to `now_ns`. The first look into a new window tells how late the worker is at
    /// its edge, for frames that waited for it.
    pub(super) fn look(&mut self, now_ns: u64) -> Window {
        let window = self.gate.advance(now_ns);
        let known = std::mem::replace(&mut self.window, window);
        if window.opens_ns == known.opens_ns {
            return window;
        }
        if let Some(pi) = window
            .owner
            .and_then(|owner| self.pis.get_mut(usize::from(owner)))
            && !pi.queue.is_empty()
        {
            pi.gate_error
                .saturating_record(now_ns.saturating_sub(window.opens_ns));
        }
        window
    }
}

/// Takes a burst off each transmit ring, in turn, as far as there is room for it. Whether buffers
/// were given back already.
#[inline(never)]
fn harvest(pi: &mut PiOut) -> Result<bool, QueueError> {
    let rings = pi.rings.len();
    let first = pi.turn;
    pi.turn = if first + 1 < rings { first + 1 } else { 0 };
    let mut given_back = false;
    for ring in (first..rings).chain(0..first.min(rings)) {
        given_back |= harvest_ring(pi, ring)?;
    }
    Ok(given_back)
}

fn harvest_ring(pi: &mut PiOut, ring: usize) -> Result<bool, QueueError> {
    let PiOut {
        rings,
        queue,
        counters,
        ..
    } = pi;
    let Some(vif) = rings.get_mut(ring) else {
        return Ok(false);
    };
    // A vif has at most 64 pairs.
    let ring = u8::try_from(ring).unwrap_or(u8::MAX);
    let room = queue.room().min(BURST);
    let mut refused = ArrayVec::<TxFrame, BURST>::new();
    // Counted here and not from the answer, which a ring that breaks half-way does not give.
    let taken = vif.transmit.harvest(room, |frame| {
        counters.from_guest += 1;
        if let Err(Queued { frame, .. }) = queue.enqueue(Queued { frame, ring }) {
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
    Ok(gone)
}

/// Sends from the level 2 queue of the open window's PI. Returns how many frames were let go of,
/// sent or dropped.
#[inline(never)]
fn send(lane: &mut PortLane, owner: u8, now_ns: u64) -> Result<usize, QueueError> {
    let PortLane {
        port,
        shape,
        counters,
        tap,
        outbound: Some(Outbound { gate, pis, .. }),
        ..
    } = lane
    else {
        return Ok(0);
    };
    let Some(PiOut {
        rings,
        queue,
        counters: counted,
        tap: vif_tap,
        ..
    }) = pis.get_mut(usize::from(owner))
    else {
        return Ok(0);
    };
    let Some(mut starts) = gate.open(owner) else {
        return Ok(0);
    };
    if queue.is_empty() {
        return Ok(0);
    }
    let as_is = shape.passes_as_is(owner);
    let mut slots = TxSlots::new();
    port.tx_slots(queue.len().min(BURST), &mut slots);
    let mut metas = ArrayVec::<TxMeta, BURST>::new();
    let mut outcome = Ok(());
    let mut done = 0;
    // One bit a ring: which have buffers to give back.
    let mut completed = 0u64;
    // Bounded by frames looked at, not by frames sent: a guest that queues what may not go would
    // otherwise hold the worker until its queue is empty, and the instant would grow stale.
    for _ in 0..BURST {
        let Some(slot) = slots.get_mut(metas.len()) else {
            break;
        };
        // All of it here, by reference: what leaves the queue is not moved on the way.
        let gone = queue.dequeue_if(|queued| {
            let Some(vif) = rings.get_mut(usize::from(queued.ring)) else {
                // Frames of a ring that is gone have gone with it.
                return false;
            };
            let fate = if as_is {
                pass(vif, shape, &mut starts, owner, &queued.frame, slot)
            } else {
                convert(vif, shape, &mut starts, owner, &queued.frame, slot)
            };
            match fate {
                Ok(meta) => metas.push(meta),
                Err(Stays::Waits) => return false,
                Err(Stays::Dropped(cause)) => counted.count_tx_drop(cause),
                Err(Stays::Broken(error)) => {
                    counted.tx_malformed += 1;
                    outcome = Err(error);
                }
            }
            vif.transmit.complete(queued.frame);
            completed |= 1u64.wrapping_shl(u32::from(queued.ring));
            true
        });
        if gone.is_none() {
            break;
        }
        done += 1;
        if outcome.is_err() {
            break;
        }
    }
    drop(starts);
    for tap in [vif_tap, tap].into_iter().flatten() {
        for (slot, meta) in slots.iter().zip(&metas) {
            let copy = slot.get(..usize::from(meta.len)).unwrap_or_default();
            tap.record(Direction::Outbound, now_ns, copy, &[]);
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
    for (ring, vif) in (0u32..).zip(rings) {
        if completed & 1u64.wrapping_shl(ring) != 0 {
            vif.transmit.publish();
        }
    }
    outcome.map(|()| done)
}

/// Why the frame at the head of a class does not go.
enum Stays {
    /// It may not start now.
    Waits,
    /// It must not be sent at all.
    Dropped(TxDrop),
    /// Its ring broke the protocol.
    Broken(QueueError),
}

/// A frame that is the same on the wire and at the guest: copied whole, then checked, for the guest
/// cannot change the copy any more.
#[inline]
fn pass(
    vif: &VifOut,
    shape: &PortClassifier,
    starts: &mut Starts<'_>,
    owner: u8,
    frame: &TxFrame,
    slot: &mut [u8],
) -> Result<TxMeta, Stays> {
    let octets = frame.len() as usize;
    // Before the gate is asked: what can never go must not wait.
    if octets > shape.largest_frame() {
        return Err(Stays::Dropped(TxDrop::Oversize));
    }
    let padded = octets.max(MIN_FRAME_OCTETS);
    let (Some(copy), Ok(len)) = (slot.get_mut(..padded), u16::try_from(padded)) else {
        return Err(Stays::Dropped(TxDrop::Oversize));
    };
    let Ok(start) = starts.ask(u32::from(len) + FCS) else {
        return Err(Stays::Waits);
    };
    let (copy, padding) = copy.split_at_mut(octets);
    if let Err(broken) = vif.transmit.read(frame, 0, copy) {
        return Err(Stays::Broken(broken));
    }
    if let Err(cause) = shape.check_copy(owner, copy) {
        return Err(Stays::Dropped(cause));
    }
    if !padding.is_empty() {
        padding.fill(0);
    }
    let start_ns = starts.charge(start);
    Ok(TxMeta { len, start_ns })
}

/// A frame whose head the wire has otherwise than the guest: the host's own copy of the head is
/// checked, and goes out in its new form before the rest. Apart from the loop: what it holds would
/// push what the common case holds out of the registers.
#[inline(never)]
fn convert(
    vif: &VifOut,
    shape: &PortClassifier,
    starts: &mut Starts<'_>,
    owner: u8,
    frame: &TxFrame,
    slot: &mut [u8],
) -> Result<TxMeta, Stays> {
    let mut head = [0u8; HEAD_OCTETS];
    let octets = frame.len() as usize;
    let head = &mut head[..octets.min(HEAD_OCTETS)];
    if let Err(broken) = vif.transmit.read(frame, 0, head) {
        return Err(Stays::Broken(broken));
    }
    let splice = match shape.to_wire(owner, head, octets) {
        Ok(splice) => splice,
        Err(cause) => return Err(Stays::Dropped(cause)),
    };
    let padded = splice.padded_octets(octets);
    let (Some(copy), Ok(len)) = (slot.get_mut(..padded), u16::try_from(padded)) else {
        return Err(Stays::Dropped(TxDrop::Oversize));
    };
    let Ok(start) = starts.ask(u32::from(len) + FCS) else {
        return Err(Stays::Waits);
    };
    let prefix = splice.prefix();
    let (head, rest) = copy.split_at_mut(prefix.len());
    head.copy_from_slice(prefix);
    let (body, padding) = rest.split_at_mut(splice.octets(octets) - prefix.len());
    padding.fill(0);
    match vif.transmit.read(frame, splice.skip() as u32, body) {
        Err(broken) => Err(Stays::Broken(broken)),
        Ok(()) => Ok(TxMeta {
            len,
            start_ns: starts.charge(start),
        }),
    }
}
