//! Constant-rate streams over connections: each is shaped to its peak rate, none can take another's.
//!
//! A connection is a virtual network and a label, the 20 bits that an MPLS label stack entry at the
//! beginning of the PDU carries (RFC 3032 2.1). Its frames go in order, at the earliest when the
//! generic cell rate algorithm GCRA(T, tau) has them conform (ITU-T I.371 Annex A, virtual scheduling):
//! T is what a frame takes at the peak rate, preamble and gap included, and tau how much it may be
//! early. Among connections the one goes first that could go earliest.
//!
//! There is no statistical gain: [`Streams::connect`] refuses a connection when the peak rates, or
//! the buffers, would sum up to more than there is.
//!
//! A gate lets a connection go only in its window. A frame that is held up by it is late, and what
//! comes behind may be early by as much if tau allows: a connection whose tau is at least the longest
//! wait for a window, T_c - S, gets its whole rate, one with less does not.
//!
//! A frame costs O(1) to queue and O(log n) to take with n connections. Memory is taken when a
//! connection is set up. Must never queue a frame of a connection that was not.

mod eligible;
mod labels;
mod pool;

use thiserror::Error;

use self::eligible::Eligible;
use self::labels::Labels;
use self::pool::{Line, Pool};
use super::{Arrival, ClassCounters, ClassName, Discipline, Refused, Why};
use crate::cycle::PS_PER_NS;
use crate::rate::LinkRate;

/// Lowest label that is no special-purpose one (RFC 7274 2.1).
pub const LABEL_LEAST: u32 = 16;
/// Highest label: 20 bits.
pub const LABEL_MOST: u32 = (1 << 20) - 1;
/// Virtual networks.
const NETWORKS: u8 = 32;
/// Octets of a label stack entry.
const ENTRY_OCTETS: usize = 4;
/// Connections of which the head is offered before no more is looked for: as many as may be eligible
/// must not make a call that finds no room in the window dearer.
const MOST_OFFERED: usize = 4;

/// A connection that is to be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Its virtual network, 0 to 31.
    pub vn: u8,
    /// Its label, [`LABEL_LEAST`] to [`LABEL_MOST`].
    pub label: u32,
    /// The rate that it never exceeds for longer than its tolerance, on the wire: preamble and gap
    /// count.
    pub peak: LinkRate,
    /// tau, ns: how much earlier than its rate alone would have it a frame may go.
    pub tolerance_ns: u64,
    /// Most frames that wait.
    pub buffer: u32,
}

/// Why a connection is not set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// Networks are five bits.
    #[error("virtual network {vn} is out of range: allowed are 0 to 31")]
    Network {
        /// The network asked for.
        vn: u8,
    },
    /// Labels are 20 bits, the first 16 of which mean something else.
    #[error("label {label} is out of range: allowed are {LABEL_LEAST} to {LABEL_MOST}")]
    Label {
        /// The label asked for.
        label: u32,
    },
    /// There is one already.
    #[error("virtual network {vn} has a connection with label {label} already")]
    Taken {
        /// The network asked for.
        vn: u8,
        /// The label asked for.
        label: u32,
    },
    /// A connection without a buffer carries nothing.
    #[error("a buffer of 0 frames carries nothing: allowed is 1 and more")]
    NoBuffer,
    /// The sum of the peak rates would be more than there is.
    #[error(
        "peak rate {asked_bps} bit/s is {} bit/s more than the {spare_bps} bit/s that are left", 
        asked_bps - spare_bps
    )]
    Rate {
        /// What was asked for, bits/s.
        asked_bps: u64,
        /// What is left, bits/s; less than that.
        spare_bps: u64,
    },
    /// The sum of the buffers would be more than there is.
    #[error(
        "a buffer of {asked} frames is {} more than the {spare} that are left",
        asked - spare
    )]
    Buffer {
        /// Frames asked for.
        asked: u32,
        /// Frames that are left; less than that.
        spare: u32,
    },
}

/// Connections of one PI at one port.
#[derive(Debug, Clone)]
pub struct Streams<T> {
    connections: Vec<Shaped>,
    /// Places in `connections` that are free again.
    free: Vec<u32>,
    labels: Labels,
    frames: Pool<T>,
    eligible: Eligible,
    spare_bps: u64,
    spare_frames: u32,
    /// All connections together, with those that were taken down.
    total: ClassCounters,
}

/// A connection that was set up.
#[derive(Debug, Clone)]
struct Shaped {
    contract: Connection,
    line: Line,
    /// The theoretical time of the next frame.
    theoretical: Instant,
    counters: ClassCounters,
}

/// An instant to the picosecond: without it, a rate would be off by what rounding takes from T.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Instant {
    ns: u64,
    /// Below 1000.
    ps: u64,
}

impl Instant {
    #[inline]
    fn after_ps(self, ps: u64) -> Self {
        let ps = self.ps + ps % PS_PER_NS + ps / PS_PER_NS * PS_PER_NS;
        Self {
            ns: self.ns.saturating_add(ps / PS_PER_NS),
            ps: ps % PS_PER_NS,
        }
    }

    #[inline]
    fn rounded_up_ns(self) -> u64 {
        self.ns.saturating_add(u64::from(self.ps > 0))
    }
}

impl Shaped {
    /// The first instant at which its next frame conforms.
    #[inline]
    fn conforms_ns(&self) -> u64 {
        let theoretical_ns = self.theoretical.rounded_up_ns();
        theoretical_ns.saturating_sub(self.contract.tolerance_ns)
    }

    /// A frame of so many octets goes at `now_ns`.
    #[inline]
    fn goes(&mut self, now_ns: u64, octets: u32) {
        let now = Instant { ns: now_ns, ps: 0 };
        let interval_ps = self.contract.peak.wire_time_ps(octets);
        self.theoretical = self.theoretical.max(now).after_ps(interval_ps);
        self.counters.dequeued += 1;
        self.counters.dequeued_octets += u64::from(octets);
    }
}

impl<T: Copy> Streams<T> {
    /// No connection yet; `rate_bps`: what their peak rates may sum up to, bits/s on the wire;
    /// `frames`: what their buffers may.
    #[must_use]
    pub fn new(rate_bps: u64, frames: u32) -> Self {
        Self {
            connections: Vec::new(),
            free: Vec::new(),
            labels: Labels::default(),
            frames: Pool::default(),
            eligible: Eligible::default(),
            spare_bps: rate_bps,
            spare_frames: frames,
            total: ClassCounters::default(),
        }
    }

    /// Sets a connection up (CAC). Allocates what its frames will need.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has changed then.
    pub fn connect(&mut self, contract: Connection) -> Result<(), ConnectError> {
        let Connection {
            vn,
            label,
            peak,
            buffer,
            ..
        } = contract;
        if vn >= NETWORKS {
            return Err(ConnectError::Network { vn });
        }
        if !(LABEL_LEAST..=LABEL_MOST).contains(&label) {
            return Err(ConnectError::Label { label });
        }
        if self.labels.get(vn, label).is_some() {
            return Err(ConnectError::Taken { vn, label });
        }
        if buffer == 0 {
            return Err(ConnectError::NoBuffer);
        }
        let (asked_bps, spare_bps) = (peak.bits_per_s(), self.spare_bps);
        let Some(rest_bps) = spare_bps.checked_sub(asked_bps) else {
            return Err(ConnectError::Rate {
                asked_bps,
                spare_bps,
            });
        };
        let (asked, spare) = (buffer, self.spare_frames);
        let Some(rest) = spare.checked_sub(asked) else {
            return Err(ConnectError::Buffer { asked, spare });
        };
        (self.spare_bps, self.spare_frames) = (rest_bps, rest);
        self.frames.reserve(buffer);
        let shaped = Shaped {
            contract,
            line: Line::default(),
            theoretical: Instant::default(),
            counters: ClassCounters::default(),
        };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(old) = self.connections.get_mut(place as usize) {
                    *old = shaped;
                }
                place
            }
            None => {
                // No more than there are networks times labels, 2^25.
                let place = self.connections.len() as u32;
                self.connections.push(shaped);
                place
            }
        };
        self.eligible.reserve(self.connections.len());
        self.labels.set(vn, label, place);
        Ok(())
    }

    /// Takes a connection down, and gives what it counted. What still waits is handed back in order,
    /// for its buffers to be given back and to be counted. None: there is no such connection.
    pub fn disconnect(
        &mut self,
        vn: u8,
        label: u32,
        mut waiting: impl FnMut(T),
    ) -> Option<ClassCounters> {
        let place = self.labels.get(vn, label)?;
        self.labels.unset(vn, label);
        self.eligible.remove(place);
        let shaped = self.connections.get_mut(place as usize)?;
        while let Some((frame, _)) = self.frames.pop(&mut shaped.line) {
            shaped.counters.cleared += 1;
            self.total.cleared += 1;
            waiting(frame);
        }
        self.frames.release(shaped.contract.buffer);
        self.spare_bps += shaped.contract.peak.bits_per_s();
        self.spare_frames += shaped.contract.buffer;
        self.free.push(place);
        Some(shaped.counters)
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len() - self.free.len()
    }

    /// What is left for further connections: bits/s, and frames of buffer.
    #[must_use]
    pub fn spare(&self) -> (u64, u32) {
        (self.spare_bps, self.spare_frames)
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
            self.eligible.put(place, shaped.conforms_ns().max(now_ns));
        }
        Some(frame)
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
        let (Some(place), Some(shaped)) = (place, shaped) else {
            let why = Why::Unknown;
            return Err(Refused { frame, why });
        };
        if shaped.line.len() >= shaped.contract.buffer {
            shaped.counters.full += 1;
            self.total.full += 1;
            let why = Why::Full;
            return Err(Refused { frame, why });
        }
        self.frames.push(&mut shaped.line, frame, arrival.octets);
        shaped.counters.enqueued += 1;
        self.total.enqueued += 1;
        if shaped.line.len() == 1 {
            let from_ns = shaped.conforms_ns().max(arrival.now_ns);
            self.eligible.put(place, from_ns);
        }
        Ok(())
    }

    #[inline]
    fn dequeue_if(&mut self, now_ns: u64, mut may_start: impl FnMut(&T) -> bool) -> Option<T> {
        let first = self.eligible.first(now_ns)?;
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
        None
    }

    fn clear(&mut self, mut frame: impl FnMut(T)) {
        while let Some(place) = self.eligible.first(u64::MAX) {
            self.eligible.remove(place);
            let Some(shaped) = self.connections.get_mut(place as usize) else {
                continue;
            };
            while let Some((waiting, _)) = self.frames.pop(&mut shaped.line) {
                shaped.counters.cleared += 1;
                self.total.cleared += 1;
                frame(waiting);
            }
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.frames.len()
    }

    #[inline]
    fn due_ns(&self, _now_ns: u64) -> Option<u64> {
        self.eligible.earliest_ns()
    }

    /// All connections together, then each.
    fn classes(&self, most: usize, mut each: impl FnMut(ClassName, ClassCounters)) {
        let Some(most) = most.checked_sub(1) else {
            return;
        };
        let total = ClassCounters {
            queued: self.len() as u64,
            ..self.total
        };
        each(ClassName::Named("connections"), total);
        let alive = (0u32..).zip(&self.connections).filter(|(place, shaped)| {
            let Connection { vn, label, .. } = shaped.contract;
            self.labels.get(vn, label) == Some(*place)
        });
        for (_, shaped) in alive.take(most) {
            let Connection { vn, label, .. } = shaped.contract;
            let counters = ClassCounters {
                queued: u64::from(shaped.line.len()),
                ..shaped.counters
            };
            each(ClassName::Connection { vn, label }, counters);
        }
    }
}
