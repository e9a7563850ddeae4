//! Out of the node: transmit ring -> level 2 -> gate -> copy, PIH checked on the copy -> port.
//!
//! A frame is copied once, from the guest's memory into the port's. What is checked is the copy,
//! which the guest cannot change any more: a guest cannot speak for another PI. `pass_on` does it for
//! frames that are the same on both sides, `convert` for the others.

mod convert;
mod harvest;
mod pass_on;

use arrayvec::ArrayVec;
use pinode_classifier::TxDrop;
use pinode_ports::{BURST, TxMeta, TxSlots};
use pinode_scheduler::Window;
use pinode_scheduler::level2::Discipline;
use pinode_virtqueue::{QueueError, TxFrame};

use convert::convert_all;
use harvest::{Seen, harvest};
use pass_on::{Way, pass_on};

use super::lane::{Outbound, PiOut, PortLane};
use super::level2::each;
use super::slots::SlotSet;
use super::vif::{Broken, VifOut};
use super::worker::Burst;
use crate::capture::Direction;

/// Harvests what guests sent, and puts on the wire what the open gate allows. `touched`: the guests
/// that got buffers back.
pub(super) fn burst(lane: &mut PortLane, now_ns: u64, touched: &mut SlotSet) -> Burst {
    let mut burst = Burst::default();
    let PortLane {
        shape,
        outbound: Some(out),
        ..
    } = lane
    else {
        return burst;
    };
    let window = out.look(now_ns);
    for slot in out.attached {
        let Some(pi) = out.pis.get_mut(slot) else {
            continue;
        };
        if !pi.rings.iter().any(|ring| ring.transmit.pending()) {
            continue;
        }
        let before = pi.counters.from_guest;
        let seen = Seen {
            shape,
            slot,
            now_ns,
        };
        match harvest(pi, seen) {
            Ok(given_back) => touched.set_if(slot, given_back),
            Err(error) => burst.broken = Some(Broken { slot, error }),
        }
        burst.frames += usize::try_from(pi.counters.from_guest - before).unwrap_or(usize::MAX);
    }
    let waits = |owner: &u8| out.waits_at(usize::from(*owner), now_ns);
    let Some(owner) = window.owner.filter(waits) else {
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
            && (pi.queue.due_ns(window.opens_ns)).is_some_and(|at_ns| at_ns <= window.opens_ns)
        {
            pi.gate_error
                .saturating_record(now_ns.saturating_sub(window.opens_ns));
        }
        window
    }
}

/// Sends a burst from the level 2 queue of the open window's PI. Returns how many frames were let go
/// of, sent or dropped.
#[inline(never)]
fn send(lane: &mut PortLane, owner: u8, now_ns: u64) -> Result<usize, QueueError> {
    let mut sum = Part::default();
    loop {
        let part = part(lane, owner, now_ns);
        sum.gone += part.gone;
        sum.rings |= part.rings;
        sum.outcome = part.outcome;
        let again = lane.in_parts && part.all && sum.gone < BURST;
        if !again || sum.outcome.is_err() {
            break;
        }
    }
    let out = lane.outbound.as_mut();
    if sum.rings != 0
        && let Some(pi) = out.and_then(|out| out.pis.get_mut(usize::from(owner)))
    {
        for (ring, vif) in (0u32..).zip(&mut pi.rings) {
            if sum.rings & 1u64.wrapping_shl(ring) != 0 {
                vif.transmit.publish();
            }
        }
    }
    sum.outcome.map(|()| sum.gone)
}

/// What came of a part of a burst.
struct Part {
    /// Frames that left the queue.
    gone: usize,
    /// One bit a ring: which have buffers to give back.
    rings: u64,
    /// Every slot that the port offered was filled, and taken.
    all: bool,
    /// A ring that broke the protocol.
    outcome: Result<(), QueueError>,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            gone: 0,
            rings: 0,
            all: false,
            outcome: Ok(()),
        }
    }
}

/// Sends as much as the port takes at once.
#[inline(always)]
fn part(lane: &mut PortLane, owner: u8, now_ns: u64) -> Part {
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
        return Part::default();
    };
    let Some(PiOut {
        rings,
        queue,
        counters: counted,
        tap: vif_tap,
        longest,
        ..
    }) = pis.get_mut(usize::from(owner))
    else {
        return Part::default();
    };
    let Some(mut starts) = gate.open(owner).filter(|_| !queue.is_empty()) else {
        return Part::default();
    };
    let longest = shape.largest_frame().min(port.slot_octets()).min(*longest);
    let mut slots = TxSlots::new();
    port.tx_slots(queue.len().min(BURST), &mut slots);
    *refused = slots.is_empty();
    let mut out = Sent::default();
    if shape.passes_as_is(owner) {
        let way = Way {
            shape,
            owner,
            now_ns,
            longest: longest.min(usize::from(u16::MAX)),
        };
        each!(queue, queue => pass_on(way, rings, queue, &mut starts, &mut slots, &mut out));
    } else {
        let way = (owner, now_ns, longest);
        each!(queue, queue => {
            convert_all(shape, way, rings, queue, &mut starts, &mut slots, &mut out);
        });
    }
    drop(starts);
    let Sent {
        gone,
        rings: completed,
        unread,
        outcome,
        ..
    } = out;
    for cause in &out.dropped {
        counted.count_tx_drop(*cause);
    }
    counted.tx_malformed += unread;
    let metas = out.metas.get(..out.sent).unwrap_or_default();
    for tap in [vif_tap, tap].into_iter().flatten() {
        for (slot, meta) in slots.iter().zip(metas) {
            let copy = slot.get(..usize::from(meta.len)).unwrap_or_default();
            tap.record(Direction::Outbound, now_ns, copy, &[]);
        }
    }
    let offered = slots.len();
    drop(slots);
    let mut accepted = 0;
    if !metas.is_empty() {
        accepted = port.tx_commit(metas).min(metas.len());
        let octets: u64 = metas[..accepted].iter().map(|m| u64::from(m.len)).sum();
        counters.tx_frames += accepted as u64;
        counters.tx_bytes += octets;
        counted.sent += accepted as u64;
        counted.sent_bytes += octets;
        counted.tx_port_error += (metas.len() - accepted) as u64;
    }
    Part {
        gone,
        rings: completed,
        all: offered > 0 && accepted == offered,
        outcome,
    }
}

const NO_META: TxMeta = TxMeta {
    len: 0,
    start_ns: 0,
};

/// What came of a burst.
struct Sent {
    /// Of the frames that lie in the port's slots, from the first on.
    metas: [TxMeta; BURST],
    /// How many those are.
    sent: usize,
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
            metas: [NO_META; BURST],
            sent: 0,
            gone: 0,
            rings: 0,
            dropped: ArrayVec::new(),
            unread: 0,
            outcome: Ok(()),
        }
    }
}

impl Sent {
    /// Counts why a frame does not go.
    #[cold]
    fn stays(&mut self, why: Stays) {
        match why {
            Stays::Dropped(cause) => self.dropped.push(cause),
            Stays::Broken(error) => {
                self.unread += 1;
                self.outcome = Err(error);
            }
            Stays::Waits => {}
        }
    }

    /// The frame at `from` goes from the slot `to`: some before it do not go.
    #[cold]
    fn move_up(&mut self, from: usize, to: usize) {
        if let Some(meta) = self.metas.get(from).copied()
            && let Some(place) = self.metas.get_mut(to)
        {
            *place = meta;
        }
    }

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

/// Why the frame at the head of a class does not go.
enum Stays {
    /// It may not start now.
    Waits,
    /// It must not be sent at all.
    Dropped(TxDrop),
    /// Its ring broke the protocol.
    Broken(QueueError),
}
