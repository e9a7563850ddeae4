//! Connections with a label: constant rates, each shaped to its peak, so that none can take another's;
//! best effort behind them; and signalling before all.
//!
//! A connection is a virtual network and a label, the 20 bits that an MPLS label stack entry at the
//! beginning of the PDU carries (RFC 3032 2.1). Its frames go in order. Those of a constant rate go at
//! the earliest when the generic cell rate algorithm GCRA(T, tau) has them conform (ITU-T I.371 Annex A,
//! virtual scheduling): T is what a frame takes at the peak rate, preamble and gap included, and tau how
//! much it may be early. Among connections the one goes first that could go earliest. Frames with
//! label 1 are signalling: shaped likewise, and first. Best effort goes when no head of these may start.
//!
//! There is no statistical gain: [`Streams::connect`] refuses a connection when the peak rates, or
//! the buffers, would sum up to more than there is. Best effort reserves nothing, and its frames share
//! what buffers are left.
//!
//! A gate lets a connection go only in its window. A frame that is held up by it is late, and what
//! comes behind may be early by as much if tau allows: a connection whose tau is at least the longest
//! wait for a window, T_c - S, gets its whole rate, one with less does not.
//!
//! A frame costs O(1) to queue and O(log n) to take with n connections, a set-up and what is taken down
//! O(log n). Memory is taken when the discipline is made, but for labels. Must never queue a frame of a
//! connection that was not set up.

mod admission;
mod best_effort;
mod contract;
mod eligible;
mod labels;
mod pool;
mod shaped;

pub use self::admission::Released;
use self::best_effort::Turns;
pub use self::contract::{
    ConnectError, Connection, Reserved, Room, Service, Signalling, Terms, Tolerance,
};
use self::eligible::Eligible;
pub use self::labels::Block;
use self::labels::Labels;
use self::pool::Pool;
use self::shaped::Shaped;
use super::{Arrival, ClassCounters, ClassName, Discipline, Refused, Why};

/// Lowest label that is no special-purpose one (RFC 7274 2.1).
pub const LABEL_LEAST: u32 = 16;
/// Highest label: 20 bits.
pub const LABEL_MOST: u32 = (1 << 20) - 1;
/// Virtual networks.
const NETWORKS: u8 = 32;
/// Octets of a label stack entry.
const ENTRY_OCTETS: usize = 4;
/// The label of signalling (router alert, RFC 3032 2.1).
pub const ROUTER_ALERT: u32 = 1;
/// Where labels say that signalling is: never a place of a connection.
const SIGNALLING: u32 = u32::MAX - 1;
/// Connections of which the head is offered before no more is looked for: as many as may be eligible
/// must not make a call that finds no room in the window dearer.
const MOST_OFFERED: usize = 4;

/// Connections of one PI at one port.
#[derive(Debug, Clone)]
pub struct Streams<T> {
    connections: Vec<Shaped>,
    /// Places in `connections` that are free again.
    free: Vec<u32>,
    /// Places of those that there are.
    listed: Vec<u32>,
    most: u32,
    labels: Labels,
    frames: Pool<T>,
    most_frames: u32,
    eligible: Eligible,
    turns: Turns,
    /// Without a buffer if there is none.
    signalling: Shaped,
    rate_bps: u64,
    reserved: Reserved,
    /// tau of connections that have none of their own.
    untold_ns: u64,
    /// All connections together, with those that were taken down.
    total: ClassCounters,
}

impl<T: Copy> Streams<T> {
    /// No connection yet. Takes the memory for all that there is room for.
    #[must_use]
    pub fn new(room: Room) -> Self {
        let Room {
            rate_bps,
            frames,
            connections,
            networks,
        } = room;
        let most = connections as usize;
        let mut eligible = Eligible::default();
        eligible.reserve(most);
        let none = Connection {
            vn: 0,
            label: ROUTER_ALERT,
            service: Service::Cbr,
            peak: None,
            tolerance: Tolerance::Shared(0),
            buffer: 0,
            largest: u32::MAX,
        };
        Self {
            connections: Vec::with_capacity(most),
            free: Vec::with_capacity(most),
            listed: Vec::with_capacity(most),
            most: connections,
            labels: Labels::new(networks),
            frames: Pool::new(frames),
            most_frames: frames,
            eligible,
            turns: Turns::default(),
            signalling: Shaped::new(none, 0),
            rate_bps,
            reserved: Reserved::default(),
            untold_ns: 0,
            total: ClassCounters::default(),
        }
    }

    /// Takes the head of the connection at `place`, if it may start.
    #[inline]
    fn take(&mut self, place: u32, now_ns: u64, may_start: impl FnOnce(&T) -> bool) -> Option<T> {
        let shaped = self.connections.get_mut(place as usize)?;
        let head = self.frames.head(&shaped.line)?;
        if !may_start(head) {
            return None;
        }
        let (frame, octets) = self.frames.pop(&mut shaped.line)?;
        shaped.goes(now_ns, octets);
        self.total.dequeued += 1;
        self.total.dequeued_octets += u64::from(octets);
        if shaped.line.len() == 0 {
            self.eligible.remove(place);
        } else {
            // The next is the head from now on.
            let from_ns = shaped.conforms_ns(self.untold_ns).max(now_ns);
            self.eligible.put(place, from_ns);
        }
        Some(frame)
    }

    /// Takes the head of signalling, if it conforms and may start.
    #[cold]
    fn take_signalling(&mut self, now_ns: u64, may_start: impl FnOnce(&T) -> bool) -> Option<T> {
        if self.signalling.conforms_ns(0) > now_ns {
            return None;
        }
        let head = self.frames.head(&self.signalling.line)?;
        if !may_start(head) {
            return None;
        }
        let (frame, octets) = self.frames.pop(&mut self.signalling.line)?;
        self.signalling.goes(now_ns, octets);
        Some(frame)
    }

    /// Takes the head of best effort whose turn it is, or of one of the next if that may not start.
    fn take_turn(&mut self, mut may_start: impl FnMut(&T) -> bool) -> Option<T> {
        let mut place = self.turns.first()?;
        for offered in 0..MOST_OFFERED {
            let shaped = self.connections.get_mut(place as usize)?;
            let head = self.frames.head(&shaped.line)?;
            if may_start(head) {
                let (frame, octets) = self.frames.pop(&mut shaped.line)?;
                shaped.counts(octets);
                self.total.dequeued += 1;
                self.total.dequeued_octets += u64::from(octets);
                self.turns.frames -= 1;
                let in_turn = offered == 0;
                self.turns
                    .sent(&mut self.connections, place, octets, in_turn);
                return Some(frame);
            }
            place = Turns::behind(&self.connections, place)?;
        }
        None
    }

    /// A frame of no connection: of signalling, or of none at all.
    #[cold]
    fn enqueue_other(
        &mut self,
        place: Option<u32>,
        frame: T,
        arrival: &Arrival<'_>,
    ) -> Result<(), Refused<T>> {
        let refused = |why| Err(Refused { frame, why });
        if place != Some(SIGNALLING) {
            return refused(Why::Unknown);
        }
        let own = &mut self.signalling;
        let has_room = own.line.len() < own.contract.buffer;
        if !has_room || !self.frames.push(&mut own.line, frame, arrival.octets) {
            own.counted.full += 1;
            return refused(Why::Full);
        }
        Ok(())
    }

    /// A frame of best effort.
    fn enqueue_best_effort(&mut self, place: u32, frame: T, octets: u32) -> Result<(), Refused<T>> {
        // What is reserved is not theirs, whether it is used or not.
        let shared = self.most_frames.saturating_sub(self.reserved.frames);
        let why = Why::Full;
        let Some(shaped) = self.connections.get_mut(place as usize) else {
            return Err(Refused { frame, why });
        };
        let has_room = self.turns.frames < shared && shaped.line.len() < shaped.contract.buffer;
        if !has_room || !self.frames.push(&mut shaped.line, frame, octets) {
            shaped.counted.full += 1;
            self.total.full += 1;
            return Err(Refused { frame, why });
        }
        self.turns.frames += 1;
        self.total.enqueued += 1;
        if shaped.line.len() == 1 {
            self.turns.joins(&mut self.connections, place);
        }
        Ok(())
    }
}

/// The label of the entry at the beginning of `pdu`.
#[inline]
fn label(pdu: &[u8]) -> Option<u32> {
    let entry = pdu.first_chunk::<ENTRY_OCTETS>()?;
    Some(u32::from_be_bytes(*entry) >> 12)
}

impl<T: Copy> Discipline<T> for Streams<T> {
    fn looks(&self) -> usize {
        ENTRY_OCTETS
    }

    #[inline]
    fn enqueue(&mut self, frame: T, arrival: &Arrival<'_>) -> Result<(), Refused<T>> {
        let label = label(arrival.pdu);
        let place = label.and_then(|label| self.labels.get(arrival.vn, label));
        let shaped = place.and_then(|place| self.connections.get_mut(place as usize));
        let (Some(at), Some(shaped)) = (place, shaped) else {
            return self.enqueue_other(place, frame, arrival);
        };
        if arrival.octets > shaped.contract.largest {
            shaped.counted.policed += 1;
            self.total.policed += 1;
            let why = Why::Policed;
            return Err(Refused { frame, why });
        }
        if !shaped.is_cbr() {
            return self.enqueue_best_effort(at, frame, arrival.octets);
        }
        let has_room = shaped.line.len() < shaped.contract.buffer;
        if !has_room || !self.frames.push(&mut shaped.line, frame, arrival.octets) {
            shaped.counted.full += 1;
            self.total.full += 1;
            let why = Why::Full;
            return Err(Refused { frame, why });
        }
        self.total.enqueued += 1;
        if shaped.line.len() == 1 {
            let from_ns = shaped.conforms_ns(self.untold_ns).max(arrival.now_ns);
            self.eligible.put(at, from_ns);
        }
        Ok(())
    }

    #[inline]
    fn dequeue_if(&mut self, now_ns: u64, mut may_start: impl FnMut(&T) -> bool) -> Option<T> {
        if self.signalling.line.len() > 0
            && let Some(frame) = self.take_signalling(now_ns, &mut may_start)
        {
            return Some(frame);
        }
        if let Some(first) = self.eligible.first(now_ns) {
            if let Some(frame) = self.take(first, now_ns, &mut may_start) {
                return Some(frame);
            }
            let others = self.eligible.some::<MOST_OFFERED>(now_ns);
            let others = others.into_iter().flatten().filter(|place| *place != first);
            for place in others {
                if let Some(frame) = self.take(place, now_ns, &mut may_start) {
                    return Some(frame);
                }
            }
        }
        self.take_turn(may_start)
    }

    fn clear(&mut self, mut frame: impl FnMut(T)) {
        while let Some((waiting, _)) = self.frames.pop(&mut self.signalling.line) {
            self.signalling.counted.cleared += 1;
            frame(waiting);
        }
        while let Some(place) = self.eligible.first(u64::MAX).or(self.turns.first()) {
            self.eligible.remove(place);
            self.turns.leaves(&mut self.connections, place);
            let Some(shaped) = self.connections.get_mut(place as usize) else {
                continue;
            };
            while let Some((waiting, _)) = self.frames.pop(&mut shaped.line) {
                shaped.counted.cleared += 1;
                self.total.cleared += 1;
                frame(waiting);
            }
        }
        self.turns.frames = 0;
    }

    #[inline]
    fn len(&self) -> usize {
        self.frames.len()
    }

    #[inline]
    fn due_ns(&self, now_ns: u64) -> Option<u64> {
        if self.turns.first().is_some() {
            return Some(now_ns);
        }
        let due_ns = self.eligible.earliest_ns();
        if self.signalling.line.len() == 0 {
            return due_ns;
        }
        let own_ns = self.signalling.conforms_ns(0);
        Some(due_ns.map_or(own_ns, |due_ns| due_ns.min(own_ns)))
    }

    /// All connections together, signalling if there is some, then each connection.
    fn classes(&self, most: usize, mut each: impl FnMut(ClassName, ClassCounters)) {
        let mut left = most;
        let mut told = |name, counters| {
            if left > 0 {
                each(name, counters);
                left -= 1;
            }
            left > 0
        };
        let total = ClassCounters {
            queued: self.frames.len() as u64 - u64::from(self.signalling.line.len()),
            ..self.total
        };
        told(ClassName::Named("connections"), total);
        if self.signalling.contract.buffer > 0 {
            told(ClassName::Named("signalling"), self.signalling.counters());
        }
        self.list(0, |contract, counters| {
            let Connection { vn, label, .. } = *contract;
            told(ClassName::Connection { vn, label }, counters)
        });
    }
}
