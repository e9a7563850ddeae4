//! Out of the node: transmit ring -> level 2 -> gate -> copy, PIH checked on the copy -> port.
//!
//! A frame is copied once, from the guest's memory into the port's. What is checked is the copy,
//! which the guest cannot change any more: a guest cannot speak for another PI.

use arrayvec::ArrayVec;
use pinode_classifier::{MIN_FRAME_OCTETS, PortClassifier, TxDrop};
use pinode_ports::{BURST, TxMeta, TxSlots};
use pinode_scheduler::level2::{Discipline, Fifo};
use pinode_scheduler::{Starts, Window};
use pinode_virtqueue::{QueueError, TxFrame};

use super::lane::{FCS, HEAD_OCTETS, Outbound, PiOut, PortLane};
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
        if let Err(frame) = queue.enqueue(frame.tagged(ring)) {
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
        outbound: Some(Outbound {
            gate, pis, refused, ..
        }),
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
    let mut slots = TxSlots::new();
    port.tx_slots(queue.len().min(BURST), &mut slots);
    *refused = slots.is_empty();
    let mut out = Sent::default();
    if shape.passes_as_is(owner) {
        pass_on(
            shape,
            owner,
            rings,
            queue,
            &mut starts,
            &mut slots,
            &mut out,
        );
    } else {
        convert_all(
            shape,
            owner,
            rings,
            queue,
            &mut starts,
            &mut slots,
            &mut out,
        );
    }
    let Sent {
        metas,
        gone,
        rings: completed,
        dropped,
        unread,
        outcome,
    } = out;
    for cause in dropped {
        counted.count_tx_drop(cause);
    }
    counted.tx_malformed += unread;
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
    outcome.map(|()| gone)
}

/// What came of a burst.
struct Sent {
    /// The frames that lie in the port's slots, from the first on.
    metas: ArrayVec<TxMeta, BURST>,
    /// Frames that left the queue.
    gone: usize,
    /// One bit a ring: which have buffers to give back.
    rings: u64,
    /// Frames that must not be sent.
    dropped: ArrayVec<TxDrop, BURST>,
    /// Frames that could not be read.
    unread: u64,
    /// Why: a ring that broke the protocol.
    outcome: Result<(), QueueError>,
}

impl Default for Sent {
    #[inline]
    fn default() -> Self {
        Self {
            metas: ArrayVec::new(),
            gone: 0,
            rings: 0,
            dropped: ArrayVec::new(),
            unread: 0,
            outcome: Ok(()),
        }
    }
}

/// Sends frames that are the same on the wire and at the guest, as many as there are slots for.
///
/// In three passes, each of which fits the registers: which frames may start, the copies, the checks
/// of the copies, which the guest cannot change any more.
fn pass_on(
    shape: &PortClassifier,
    owner: u8,
    rings: &mut [VifOut],
    queue: &mut Fifo<TxFrame>,
    starts: &mut Starts<'_>,
    slots: &mut TxSlots<'_>,
    out: &mut Sent,
) {
    let largest = shape.largest_frame();
    let room = slots.iter().map(|slot| slot.len()).min().unwrap_or(0);
    let mut going = ArrayVec::<TxFrame, BURST>::new();
    let longest = largest.min(room).min(usize::from(u16::MAX));
    for _ in 0..slots.len().min(BURST) {
        let mut start_ns = None;
        let mut len = 0;
        let taken = queue.dequeue_if(|frame| {
            let octets = frame.len() as usize;
            if octets > longest {
                // What can never go must not wait.
                return true;
            }
            // Fits: `longest` does.
            len = octets.max(MIN_FRAME_OCTETS) as u16;
            let start = starts.ask(u32::from(len) + FCS);
            start_ns = start.ok().map(|start| starts.charge(start));
            start_ns.is_some()
        });
        match (taken, start_ns) {
            (Some(frame), Some(start_ns)) => {
                going.push(frame);
                out.metas.push(TxMeta { len, start_ns });
            }
            (Some(frame), None) => {
                out.dropped.push(TxDrop::Oversize);
                out.give_back(rings, frame);
            }
            (None, _) => break,
        }
    }
    // One bit a frame.
    let mut unread = 0u64;
    let pairs = going.iter().zip(&out.metas).zip(slots.iter_mut());
    for (at, ((frame, meta), slot)) in pairs.enumerate() {
        let filled = rings.get(usize::from(frame.tag())).and_then(|vif| {
            let slot = slot.get_mut(..usize::from(meta.len))?;
            let (copy, padding) = slot.split_at_mut_checked(frame.len() as usize)?;
            if !padding.is_empty() {
                padding.fill(0);
            }
            Some(vif.transmit.read(frame, 0, copy))
        });
        if filled != Some(Ok(())) {
            unread |= 1 << at;
            if let Some(Err(error)) = filled {
                out.outcome = Err(error);
            }
        }
    }
    let mut good = 0;
    for (at, frame) in going.into_iter().enumerate() {
        let copy = slots
            .get(at)
            .and_then(|slot| slot.get(..frame.len() as usize));
        if unread & 1 << at != 0 {
            out.unread += 1;
        } else {
            match shape.check_copy(owner, copy.unwrap_or_default()) {
                Ok(()) => {
                    if good < at {
                        close_up(slots, &mut out.metas, good, at);
                    }
                    good += 1;
                }
                Err(cause) => out.dropped.push(cause),
            }
        }
        out.give_back(rings, frame);
    }
    if good < out.metas.len() {
        out.metas.truncate(good);
        charge_again(starts, &mut out.metas);
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

/// Moves a frame to the slot `to`, ahead of its own, where one was not let through: a port sends
/// slots from the first on.
#[cold]
fn close_up(slots: &mut TxSlots<'_>, metas: &mut [TxMeta], to: usize, from: usize) {
    let Some(meta) = metas.get(from).copied() else {
        return;
    };
    let octets = ..usize::from(meta.len);
    if let Some((ahead, behind)) = slots.split_at_mut_checked(from)
        && let (Some(place), Some(frame)) = (ahead.get_mut(to), behind.first())
        && let (Some(place), Some(frame)) = (place.get_mut(octets), frame.get(octets))
    {
        place.copy_from_slice(frame);
    }
    if let Some(place) = metas.get_mut(to) {
        *place = meta;
    }
}

impl Sent {
    /// The frame has left the queue: the guest gets its buffer back.
    #[inline]
    fn give_back(&mut self, rings: &mut [VifOut], frame: TxFrame) {
        if let Some(vif) = rings.get_mut(usize::from(frame.tag())) {
            vif.transmit.complete(frame);
            self.rings |= 1u64.wrapping_shl(u32::from(frame.tag()));
        }
        self.gone += 1;
    }
}

/// Sends frames whose head the wire has otherwise than the guest, one by one.
fn convert_all(
    shape: &PortClassifier,
    owner: u8,
    rings: &mut [VifOut],
    queue: &mut Fifo<TxFrame>,
    starts: &mut Starts<'_>,
    slots: &mut TxSlots<'_>,
    out: &mut Sent,
) {
    // Bounded by frames looked at, not by frames sent: a guest that queues what may not go would
    // otherwise hold the worker until its queue is empty, and the instant would grow stale.
    for _ in 0..BURST {
        let Some(slot) = slots.get_mut(out.metas.len()) else {
            break;
        };
        let mut stays = None;
        let taken = queue.dequeue_if(|frame| {
            let Some(vif) = rings.get(usize::from(frame.tag())) else {
                // Frames of a ring that is gone have gone with it.
                return false;
            };
            match convert(vif, shape, starts, owner, frame, slot) {
                Ok(meta) => out.metas.push(meta),
                Err(Stays::Waits) => return false,
                Err(why) => stays = Some(why),
            }
            true
        });
        let Some(frame) = taken else {
            break;
        };
        out.give_back(rings, frame);
        match stays {
            Some(Stays::Dropped(cause)) => out.dropped.push(cause),
            Some(Stays::Broken(error)) => {
                out.unread += 1;
                out.outcome = Err(error);
                break;
            }
            Some(Stays::Waits) | None => {}
        }
    }
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

/// The host's own copy of the head is checked, and goes out in its new form before the rest.
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
    vif.transmit.read(frame, 0, head).map_err(Stays::Broken)?;
    let splice = shape.to_wire(owner, head, octets).map_err(Stays::Dropped)?;
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
    let rest = vif.transmit.read(frame, splice.skip() as u32, body);
    rest.map_err(Stays::Broken)?;
    Ok(TxMeta {
        len,
        start_ns: starts.charge(start),
    })
}
