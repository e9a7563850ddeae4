//! Out of the node: transmit ring -> level 2 -> gate -> copy, PIH checked on the copy -> port.
//!
//! A frame is copied once, from the guest's memory into the port's. What is checked is the copy,
//! which the guest cannot change any more: a guest cannot speak for another PI. `pass_on` does it for
//! frames that are the same on both sides, `convert` for the others.

mod convert;
mod harvest;
mod late;
mod pass_on;
mod window;

use arrayvec::ArrayVec;
use pinode_classifier::TxDrop;
use pinode_ports::{BURST, TxMeta, TxSlots};
use pinode_scheduler::Starts;
use pinode_scheduler::level2::Discipline;
use pinode_virtqueue::{QueueError, TxFrame};

use convert::convert_all;
use harvest::{Seen, harvest};
use pass_on::{Way, pass_on};
use window::When;

use super::clock::Clock;
use super::lane::{Outbound, PiOut, PortLane};
use super::level2::each;
use super::slots::SlotSet;
use super::vif::{Broken, VifOut};
use super::worker::Burst;
use crate::capture::Direction;

/// Harvests what guests sent, and puts on the wire what the open gate allows. `touched`: the guests
/// that got buffers back.
pub(super) fn burst(
    lane: &mut PortLane,
    clock: &impl Clock,
    now_ns: u64,
    touched: &mut SlotSet,
) -> Burst {
    let mut burst = Burst::default();
    let PortLane {
        shape,
        outbound: Some(out),
        ..
    } = lane
    else {
        return burst;
    };
    out.look(now_ns);
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
    send_in(When::Open, lane, clock, now_ns, touched, &mut burst);
    if lane
        .outbound
        .as_ref()
        .is_some_and(|out| out.is_over(now_ns))
    {
        send_in(When::Ahead, lane, clock, now_ns, touched, &mut burst);
    }
    burst
}

/// Ahead of an edge, on a port that has launch time: what the open window still has time for, then the
/// first frames of the next.
pub(super) fn ahead(
    lane: &mut PortLane,
    clock: &impl Clock,
    now_ns: u64,
    touched: &mut SlotSet,
) -> Burst {
    let mut burst = burst(lane, clock, now_ns, touched);
    send_in(When::Ahead, lane, clock, now_ns, touched, &mut burst);
    burst
}

/// At an edge: puts on the wire what the gate allows that has just opened, and looks at nothing else.
pub(super) fn open(
    lane: &mut PortLane,
    clock: &impl Clock,
    now_ns: u64,
    touched: &mut SlotSet,
) -> Burst {
    let mut burst = Burst::default();
    if let Some(out) = &mut lane.outbound {
        out.look(now_ns);
        send_in(When::Open, lane, clock, now_ns, touched, &mut burst);
    }
    burst
}

/// Sends frames of the PI whose window it is, if any wait.
fn send_in(
    when: When,
    lane: &mut PortLane,
    clock: &impl Clock,
    now_ns: u64,
    touched: &mut SlotSet,
    burst: &mut Burst,
) {
    let Some(owner) = lane
        .outbound
        .as_ref()
        .and_then(|out| out.sends(when, now_ns))
    else {
        return;
    };
    let slot = usize::from(owner);
    match send(lane, clock, owner, when, now_ns) {
        Ok(0) => {}
        Ok(gone) => {
            burst.frames += gone;
            touched.set(slot, true);
        }
        Err(error) => burst.broken = Some(Broken { slot, error }),
    }
}

/// Sends a burst from the level 2 queue of a window's PI. Returns how many frames were let go of, sent
/// or dropped.
#[inline(never)]
fn send(
    lane: &mut PortLane,
    clock: &impl Clock,
    owner: u8,
    when: When,
    now_ns: u64,
) -> Result<usize, QueueError> {
    let mut sum = Part::default();
    loop {
        let part = part(lane, clock, owner, when, now_ns);
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
fn part(lane: &mut PortLane, clock: &impl Clock, owner: u8, when: When, now_ns: u64) -> Part {
    let PortLane {
        port,
        shape,
        counters,
        tap,
        outbound:
            Some(Outbound {
                gate,
                pis,
                window,
                next,
                launch_lead_ns,
                edge,
                refused,
                ..
            }),
        ..
    } = lane
    else {
        return Part::default();
    };
    let Some(PiOut {
        rings,
        queue,
        held,
        counters: counted,
        gate_error,
        tap: vif_tap,
        longest,
        ..
    }) = pis.get_mut(usize::from(owner))
    else {
        return Part::default();
    };
    let starts = match when {
        When::Open => gate.open(owner),
        When::Ahead => gate.open_ahead(owner),
    };
    // What was held back goes first.
    let waits = match held.len() {
        0 => queue.len(),
        held => held,
    };
    let Some(mut starts) = starts.filter(|_| waits > 0) else {
        return Part::default();
    };
    let launches = launch_lead_ns.is_some();
    let longest = shape.largest_frame().min(port.slot_octets()).min(*longest);
    let mut slots = TxSlots::new();
    let most = if launches { BURST } else { edge.next_burst() };
    port.tx_slots(waits.min(most), &mut slots);
    *refused = slots.is_empty();
    let mut out = Sent::default();
    let mut going = [TxFrame::default(); BURST];
    if shape.passes_as_is(owner) {
        let way = Way {
            shape,
            owner,
            now_ns,
            longest: longest.min(usize::from(u16::MAX)),
        };
        let io = (&mut starts, &mut slots, &mut going, &mut out);
        if held.is_empty() {
            each!(queue, queue => pass_on(way, rings, queue, io));
        } else {
            pass_on(way, rings, held, io);
        }
    } else {
        let way = (owner, now_ns, longest);
        let io = (&mut starts, &mut slots, &mut going, &mut out);
        if held.is_empty() {
            each!(queue, queue => convert_all(shape, way, rings, queue, io));
        } else {
            convert_all(shape, way, rings, held, io);
        }
    }
    drop(starts);
    for cause in &out.dropped {
        counted.count_tx_drop(*cause);
    }
    counted.tx_malformed += out.unread;
    let offered = slots.len();
    let metas = out.metas.get(..out.sent).unwrap_or_default();
    // In front of the last look at the clock: a frame that is held back is seen again when it goes.
    for tap in [vif_tap, tap].into_iter().flatten() {
        for (slot, meta) in slots.iter().zip(metas) {
            let copy = slot.get(..usize::from(meta.len)).unwrap_or_default();
            tap.record(Direction::Outbound, now_ns, copy, &[]);
        }
    }
    let ahead = when == When::Ahead;
    let handed_ns = clock.now_ns();
    let late_ns = late::late_ns(&out, handed_ns);
    if late_ns > 0 {
        let opens_ns = match (when, &next) {
            (When::Ahead, Some(next)) => next.opens_ns,
            _ => window.opens_ns,
        };
        let window = (ahead, opens_ns);
        late::keep_back(gate, window, late_ns, &mut out, &mut going, held);
    }
    let metas = out.metas.get(..out.sent).unwrap_or_default();
    drop(slots);
    let mut accepted = 0;
    if let (Some(first), Some(last)) = (metas.first(), metas.last()) {
        accepted = port.tx_commit(metas).min(metas.len());
        let left_ns = first.start_ns + late_ns;
        match (when, next) {
            _ if accepted == 0 => {}
            (When::Ahead, Some(next)) => edge.leaves_ahead(next.opens_ns, left_ns, gate_error),
            _ => edge.left(left_ns, gate_error),
        }
        // What leaves after its computed start holds the link for so much longer.
        let behind_ns = match launches {
            true => 0,
            false => clock.now_ns().saturating_sub(last.start_ns),
        };
        gate.delay(ahead, late_ns.max(behind_ns));
        let octets: u64 = metas[..accepted].iter().map(|m| u64::from(m.len)).sum();
        counters.tx_frames += accepted as u64;
        counters.tx_bytes += octets;
        counted.sent += accepted as u64;
        counted.sent_bytes += octets;
        counted.tx_port_error += (metas.len() - accepted) as u64;
    }
    out.give_back_all(rings, going.get(..out.picked).unwrap_or_default());
    Part {
        gone: out.gone,
        rings: out.rings,
        all: offered > 0 && accepted == offered,
        outcome: out.outcome,
    }
}

/// What a burst is sent with: the right to start, the port's slots, the frames that are picked, and what
/// comes of them.
type Io<'io, 'gate, 'port> = (
    &'io mut Starts<'gate>,
    &'io mut TxSlots<'port>,
    &'io mut [TxFrame; BURST],
    &'io mut Sent,
);

const NO_META: TxMeta = TxMeta {
    len: 0,
    start_ns: 0,
};

const IN_ORDER: [u8; BURST] = {
    let mut order = [0; BURST];
    let mut at = 0u8;
    while (at as usize) < BURST {
        order[at as usize] = at;
        at += 1;
    }
    order
};

/// What came of a burst.
struct Sent {
    /// Of the frames that lie in the port's slots, from the first on.
    metas: [TxMeta; BURST],
    /// How many those are.
    sent: usize,
    /// Which of the frames that were picked each of them is.
    from: [u8; BURST],
    /// Frames that were picked from the queue and have their buffers still.
    picked: usize,
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
            from: IN_ORDER,
            picked: 0,
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
        if from < BURST && to < BURST {
            self.metas[to] = self.metas[from];
            self.from[to] = self.from[from];
        }
    }

    /// The frames have left the queue, as [`give_back`](Self::give_back) for each.
    #[inline]
    fn give_back_all(&mut self, rings: &mut [VifOut], frames: &[TxFrame]) {
        let mut rest = frames;
        while let Some(tag) = rest.first().map(TxFrame::tag) {
            let others = |frame: &TxFrame| frame.tag() != tag;
            let run = match rings {
                [_] => rest.len(),
                _ => rest.iter().position(others).unwrap_or(rest.len()),
            };
            let run = rest.split_off(..run).unwrap_or_default();
            if let Some(vif) = rings.get_mut(usize::from(tag)) {
                vif.transmit.complete_all(run);
                self.rings |= 1u64.wrapping_shl(u32::from(tag));
            }
        }
        self.gone += frames.len();
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
