//! A port as one worker holds it: a queue to receive from and, at the port's owner, the gate.
//!
//! A port with several queues has a lane at each worker that holds one of them. Everything that
//! must have one writer to be exact (the gate, the level 2 queues, all transmit rings of the port's
//! vifs) is in the lane of the owner alone.

use std::sync::Arc;

use pinode_classifier::{Policer, PortClassifier};
use pinode_ports::{BURST, Port};
use pinode_scheduler::level2::{Discipline, Fifo};
use pinode_scheduler::{Gate, Window};
use pinode_virtqueue::TxFrame;

use super::counters::{GateError, PiCounters, PortCounters, PortSnapshot, gate_error};
use super::edge::Edge;
use super::level2::Level2;
use super::slots::SlotSet;
use super::vif::{Mood, VifIn, VifOut, VifPart};
use crate::capture::Tap;

/// Octets of the FCS, which frames in memory do not carry and sizes count (RFC 2544).
pub const FCS: u32 = 4;
/// Octets of an Ethernet header.
pub(super) const ETHERNET_OCTETS: usize = 14;
/// Ethernet header and PIH: what is checked of a frame from a guest.
pub const HEAD_OCTETS: usize = 15;

/// One queue of a port with everything that belongs to it alone.
#[repr(align(64))]
pub struct PortLane {
    /// Which port of the node.
    pub(super) index: usize,
    pub(super) port: Box<dyn Port>,
    /// As the port says.
    pub(super) in_parts: bool,
    pub(super) shape: PortClassifier,
    pub(super) counters: PortCounters,
    pub(super) tap: Option<Box<Tap>>,
    /// By slot.
    pub(super) inbound: Vec<PiIn>,
    /// At the port's owner.
    pub(super) outbound: Option<Outbound>,
}

/// What sends on a port.
pub struct Outbound {
    pub(super) gate: Gate,
    /// By slot.
    pub(super) pis: Vec<PiOut>,
    /// The slots of guests that have set up their vif of this port.
    pub(super) attached: SlotSet,
    /// The window that was open at the last look.
    pub(super) window: Window,
    /// The one behind it.
    pub(super) next: Option<Window>,
    /// See [`Port::launch_lead_ns`].
    pub(super) launch_lead_ns: Option<u64>,
    pub(super) edge: Edge,
    /// The port took nothing of what its gate would have let go: its far end is away, or full.
    pub(super) refused: bool,
}

/// When there is something to do on a port without anything happening to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// At every turn: frames wait for the link in an open window.
    Now,
    /// At this instant: frames wait for a window.
    At(u64),
    /// When the port takes frames again, which it does not announce: they wait for nothing else.
    Refused,
    /// Never.
    Never,
}

/// A PI on the way in.
#[repr(align(64))]
pub struct PiIn {
    pub(super) vif: Option<VifIn>,
    /// Shared by all workers that receive from the port: the rate is the port's.
    pub(super) policer: Option<Arc<Policer>>,
    pub(super) counters: PiCounters,
    pub(super) tap: Option<Box<Tap>>,
}

/// A PI on the way out.
#[repr(align(64))]
pub struct PiOut {
    /// The transmit rings of the guest's vif, by queue pair; empty without a guest.
    pub(super) rings: Vec<VifOut>,
    /// The ring that is harvested first next time.
    pub(super) turn: usize,
    /// Frames that wait for their window, each tagged with the transmit ring in which it lies.
    pub(super) queue: Level2,
    /// Frames that the discipline let go and whose window ended before the port had them: they go first in
    /// the next.
    pub(super) held: Fifo<TxFrame>,
    /// The network of its frames, if they come without a PIH.
    pub(super) plain_vn: Option<u8>,
    /// Octets of its longest frame on the wire, without FCS (queueMaxSDU and the header).
    pub(super) longest: usize,
    pub(super) counters: PiCounters,
    pub(super) gate_error: GateError,
    pub(super) tap: Option<Box<Tap>>,
}

impl PortLane {
    /// A lane that receives from `port`, a queue of port `index`. `inbound` is indexed by slot, as
    /// everywhere; `outbound` is for the port's owner.
    #[must_use]
    pub fn new(
        index: usize,
        port: Box<dyn Port>,
        shape: PortClassifier,
        inbound: Vec<PiIn>,
        mut outbound: Option<Outbound>,
    ) -> Self {
        if let Some(out) = &mut outbound {
            out.launch_lead_ns = port.launch_lead_ns();
        }
        Self {
            index,
            in_parts: port.in_parts(),
            port,
            shape,
            counters: PortCounters::default(),
            tap: None,
            inbound,
            outbound,
        }
    }

    /// Takes over what is this worker's of a guest's vif. Gives back what was there before.
    pub(super) fn attach(&mut self, slot: usize, part: VifPart) -> VifPart {
        let old = self.detach(slot);
        if let Some(pi) = self.inbound.get_mut(slot) {
            pi.vif = part.inbound;
        }
        if let Some(out) = &mut self.outbound
            && let Some(pi) = out.pis.get_mut(slot)
        {
            pi.rings = part.outbound;
            pi.turn = 0;
            out.attached.set(slot, !pi.rings.is_empty());
        }
        old
    }

    /// Lets go of a guest. What it had queued is lost with its memory, and counted.
    pub(super) fn detach(&mut self, slot: usize) -> VifPart {
        let mut part = VifPart::default();
        if let Some(pi) = self.inbound.get_mut(slot) {
            part.inbound = pi.vif.take();
        }
        if let Some(out) = &mut self.outbound
            && let Some(pi) = out.pis.get_mut(slot)
        {
            let counters = &mut pi.counters;
            pi.queue.clear(|_frame| counters.tx_guest_down += 1);
            pi.held.clear(|_frame| counters.tx_guest_down += 1);
            part.outbound = std::mem::take(&mut pi.rings);
            out.attached.set(slot, false);
        }
        part
    }

    /// What this lane's rings show of a guest.
    #[inline]
    pub(super) fn mood(&self, slot: usize) -> Mood {
        let mut mood = Mood::ABSENT;
        if let Some(vif) = self.inbound.get(slot).and_then(|pi| pi.vif.as_ref()) {
            mood.add(vif.mood());
        }
        if let Some(pi) = self.outbound.as_ref().and_then(|out| out.pis.get(slot)) {
            for ring in &pi.rings {
                mood.add(ring.mood());
            }
        }
        mood
    }

    /// The next edge for frames that wait, also if some were handed over ahead already; and whether the port
    /// has launch time.
    pub(super) fn next_edge(&self) -> Option<(u64, bool)> {
        let out = self.outbound.as_ref()?;
        let next = out.next?;
        let waits = out.waits_at(usize::from(next.owner?), next.opens_ns);
        waits.then_some((next.opens_ns, out.launch_lead_ns.is_some()))
    }

    /// See [`Outbound::edge_ns`]; and whether the port has launch time.
    #[inline]
    pub(super) fn edge(&self) -> Option<(u64, bool)> {
        let out = self.outbound.as_ref()?;
        Some((out.edge_ns()?, out.launch_lead_ns.is_some()))
    }

    /// Interrupts a guest, once, for whatever it waits for on this lane's rings: they are all of one
    /// vif, and it has one interrupt.
    pub(super) fn wake(&mut self, slot: usize) {
        let mut wake = None;
        if let Some(vif) = self.inbound.get_mut(slot).and_then(|pi| pi.vif.as_mut()) {
            wake = vif.settle();
        }
        if let Some(pi) = self.outbound.as_mut().and_then(|o| o.pis.get_mut(slot)) {
            for ring in &mut pi.rings {
                wake = ring.settle().or(wake);
            }
        }
        if let Some(wake) = wake {
            wake();
        }
    }

    /// Asks guests for a kick at the next frame they send, or for none. Whether there are frames that
    /// could be taken already; a guest whose level 2 queue is full is asked when there is room again.
    pub(super) fn ask_kicks(&mut self, on: bool) -> bool {
        let Some(out) = &mut self.outbound else {
            return false;
        };
        let mut pending = false;
        for slot in out.attached {
            let Some(pi) = out.pis.get_mut(slot) else {
                continue;
            };
            let on = on && pi.queue.room() > 0;
            for ring in &mut pi.rings {
                pending |= ring.transmit.ask_kick(on) && on;
            }
        }
        pending
    }

    /// Adds everything that is counted here. What the system lost in front of the port or behind it
    /// is asked for here and not per frame: it may cost a system call.
    pub(super) fn add_to(&mut self, sum: &mut PortSnapshot) {
        self.counters.missed = self.port.missed();
        self.counters.tx_lost = self.port.tx_lost();
        sum.port.add(&self.counters);
        for (pi, sum) in self.inbound.iter().zip(&mut sum.pis) {
            sum.counters.add(&pi.counters);
        }
        let Some(out) = &self.outbound else { return };
        sum.launch_time = out.launch_lead_ns.is_some();
        for (slot, (pi, sum)) in (0u8..).zip(out.pis.iter().zip(&mut sum.pis)) {
            sum.counters.add(&pi.counters);
            sum.queued += (pi.queue.len() + pi.held.len()) as u64;
            pi.queue.classes(sum.classes.capacity(), |name, counters| {
                // As many as there is room for.
                let _ = sum.classes.try_push((name, counters));
            });
            sum.gate = out.gate.counters(slot);
            // Same bounds on both sides, so this neither grows nor fails.
            let _ = sum.gate_error.add(&pi.gate_error);
        }
    }
}

impl Outbound {
    /// `pis` is indexed by slot.
    #[must_use]
    pub fn new(gate: Gate, pis: Vec<PiOut>) -> Self {
        Self {
            gate,
            pis,
            attached: SlotSet::default(),
            window: Window {
                owner: None,
                opens_ns: 0,
                closes_ns: 0,
            },
            next: None,
            launch_lead_ns: None,
            edge: Edge::default(),
            refused: false,
        }
    }
}

impl Outbound {
    /// When the gate lets go of a frame that waits, as far as is known: another window may open for
    /// it when the one that is open closes. With launch time that is seen ahead of the close.
    pub(super) fn due(&self, now_ns: u64) -> Due {
        let owner = self.window.owner.map(usize::from);
        let lead_ns = self.launch_lead_ns.unwrap_or(0);
        let next_ns = self.window.closes_ns.saturating_sub(lead_ns);
        let mut due_ns: Option<u64> = None;
        for slot in self.attached {
            let pi = self.pis.get(slot);
            let Some(by_itself_ns) = pi.and_then(|pi| pi.due_ns(now_ns)) else {
                continue;
            };
            let at_ns = match owner == Some(slot) {
                true => by_itself_ns,
                false => by_itself_ns.max(next_ns),
            };
            due_ns = Some(due_ns.map_or(at_ns, |due_ns| due_ns.min(at_ns)));
        }
        match due_ns {
            None => Due::Never,
            Some(_) if self.refused => Due::Refused,
            Some(at_ns) if at_ns <= now_ns => Due::Now,
            Some(at_ns) => Due::At(at_ns),
        }
    }

    /// Whether frames of the PI `slot` wait that may go at `at_ns` by their discipline.
    pub(super) fn waits_at(&self, slot: usize, at_ns: u64) -> bool {
        let due_ns = self.pis.get(slot).and_then(|pi| pi.due_ns(at_ns));
        due_ns.is_some_and(|due_ns| due_ns <= at_ns)
    }

    /// The next edge that the worker has to be at: where a window opens for frames that wait, of which
    /// none was handed over ahead.
    #[inline]
    pub(super) fn edge_ns(&self) -> Option<u64> {
        let next = self
            .next
            .filter(|next| !self.edge.is_ahead(next.opens_ns))?;
        let at_ns = next.opens_ns;
        self.waits_at(usize::from(next.owner?), at_ns)
            .then_some(at_ns)
    }
}

impl PiIn {
    /// A PI without a guest yet.
    #[must_use]
    pub fn new(policer: Option<Arc<Policer>>) -> Self {
        Self {
            vif: None,
            policer,
            counters: PiCounters::default(),
            tap: None,
        }
    }
}

impl PiOut {
    /// `queue`: as many frames as all transmit rings of a vif can hold, so that a full queue is
    /// back-pressure on the rings and never loss.
    #[must_use]
    pub fn new(queue: usize) -> Self {
        Self {
            rings: Vec::new(),
            turn: 0,
            queue: Level2::Fifo(Fifo::new(queue)),
            held: Fifo::new(BURST),
            plain_vn: None,
            longest: usize::MAX,
            counters: PiCounters::default(),
            gate_error: gate_error(),
            tap: None,
        }
    }

    /// From when on a frame may go, as far as its discipline is asked; none waits.
    #[inline]
    pub(super) fn due_ns(&self, now_ns: u64) -> Option<u64> {
        if self.held.is_empty() {
            self.queue.due_ns(now_ns)
        } else {
            Some(now_ns)
        }
    }

    /// Its frames go in the order of `queue`. `plain_vn`: their virtual network, if the guest sends
    /// them without a PIH.
    #[must_use]
    pub fn ordered_by(self, queue: Level2, plain_vn: Option<u8>) -> Self {
        Self {
            queue,
            plain_vn,
            ..self
        }
    }

    /// Its guest may send at most `octets` behind the Ethernet header, as the frame is on the wire
    /// (queueMaxSDU of IEEE 802.1Q-2018 8.6.8.4).
    #[must_use]
    pub fn with_max_sdu(self, octets: u16) -> Self {
        Self {
            longest: usize::from(octets) + ETHERNET_OCTETS,
            ..self
        }
    }
}
