//! From the transmit rings into level 2.
//!
//! A FIFO takes descriptors as they are. A discipline with classes is shown the first octets of each
//! frame, read once into the host's memory: they class it and are forgotten, and what is sent is
//! checked again on its copy. A frame that could never go is dropped here, where it takes no other's
//! place. Must never read more of a frame than the discipline asked for.

use arrayvec::ArrayVec;
use pinode_classifier::PortClassifier;
use pinode_ports::BURST;
use pinode_scheduler::level2::{Arrival, Discipline, Refused, Why};
use pinode_virtqueue::{QueueError, TxFrame};

use super::super::counters::PiCounters;
use super::super::lane::{ETHERNET_OCTETS, FCS, HEAD_OCTETS, PiOut};
use super::super::level2::{Level2, each};
use super::super::vif::VifOut;

/// Octets of a frame that are looked at, at most.
const LOOKED_AT: usize = 96;
/// The VN in a PIH.
const VN: u8 = 0x1F;

/// Where and when frames are seen.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) shape: &'a PortClassifier,
    pub(super) slot: usize,
    pub(super) now_ns: u64,
}

/// Takes a burst off each transmit ring, in turn, as far as there is room for it. Whether buffers
/// were given back already.
#[inline(never)]
pub(super) fn harvest(pi: &mut PiOut, seen: Seen<'_>) -> Result<bool, QueueError> {
    let rings = pi.rings.len();
    let first = pi.turn;
    pi.turn = if first + 1 < rings { first + 1 } else { 0 };
    let mut given_back = false;
    for ring in (first..rings).chain(0..first.min(rings)) {
        given_back |= harvest_ring(pi, ring, seen)?;
    }
    Ok(given_back)
}

fn harvest_ring(pi: &mut PiOut, ring: usize, seen: Seen<'_>) -> Result<bool, QueueError> {
    let PiOut {
        rings,
        queue,
        plain_vn,
        counters,
        ..
    } = pi;
    let Some(vif) = rings.get_mut(ring) else {
        return Ok(false);
    };
    // A vif has at most 64 pairs.
    let ring = u8::try_from(ring).unwrap_or(u8::MAX);
    let room = queue.room().min(BURST);
    let mut frames = ArrayVec::<TxFrame, BURST>::new();
    let harvest = vif.transmit.harvest(room, |frame| {
        // At most `room`.
        let _ = frames.try_push(frame.tagged(ring));
    });
    // From here and not from the answer, which a ring that breaks half-way does not give.
    counters.from_guest += frames.len() as u64;
    let mut refused = 0;
    match queue {
        Level2::Fifo(queue) => {
            queue.enqueue_all(&frames, |frame| {
                refused += 1;
                vif.transmit.complete(frame);
            });
            counters.tx_class_full += refused;
        }
        queue => {
            let looks = Looks {
                seen,
                plain_vn: *plain_vn,
            };
            refused = each!(queue, queue => looks.enqueue_all(queue, &frames, vif, counters))?;
        }
    }
    let malformed = u64::from(harvest?.malformed);
    counters.from_guest += malformed;
    counters.tx_malformed += malformed;
    let gone = malformed > 0 || refused > 0;
    if gone {
        vif.transmit.publish();
    }
    Ok(gone)
}

/// Shows frames to a discipline.
struct Looks<'a> {
    seen: Seen<'a>,
    /// The network of a guest whose frames carry no PIH.
    plain_vn: Option<u8>,
}

impl Looks<'_> {
    /// Queues what may be queued. Returns how many were not, which are counted and given back.
    fn enqueue_all(
        &self,
        queue: &mut impl Discipline<TxFrame>,
        frames: &[TxFrame],
        vif: &mut VifOut,
        counters: &mut PiCounters,
    ) -> Result<u64, QueueError> {
        let mut refused = 0;
        for (at, frame) in frames.iter().enumerate() {
            match self.enqueue(queue, *frame, vif, counters) {
                Ok(true) => {}
                Ok(false) => {
                    refused += 1;
                    vif.transmit.complete(*frame);
                }
                Err(broken) => {
                    // Its ring cannot be read any more, and its guest is taken off.
                    counters.tx_malformed += (frames.len() - at) as u64;
                    return Err(broken);
                }
            }
        }
        Ok(refused)
    }

    /// Whether the frame was queued; if not, why not is counted.
    fn enqueue(
        &self,
        queue: &mut impl Discipline<TxFrame>,
        frame: TxFrame,
        vif: &VifOut,
        counters: &mut PiCounters,
    ) -> Result<bool, QueueError> {
        let Seen {
            shape,
            slot,
            now_ns,
        } = self.seen;
        let octets = frame.len() as usize;
        let mut copy = [0; LOOKED_AT];
        let wanted = (HEAD_OCTETS + queue.looks()).min(octets).min(LOOKED_AT);
        let copy = copy.get_mut(..wanted).unwrap_or_default();
        vif.transmit.read(&frame, 0, copy)?;
        let head = copy.get(..HEAD_OCTETS).unwrap_or(copy);
        // Slots are below 32.
        let slot = u8::try_from(slot).unwrap_or(u8::MAX);
        let on_wire = match shape.to_wire(slot, head, octets) {
            Ok(splice) => splice.padded_octets(octets),
            Err(cause) => {
                counters.count_tx_drop(cause);
                return Ok(false);
            }
        };
        let (vn, pdu) = match self.plain_vn {
            Some(vn) => (vn, copy.get(ETHERNET_OCTETS..)),
            None => {
                let pih = head.last().copied().unwrap_or(0);
                (pih & VN, copy.get(HEAD_OCTETS..))
            }
        };
        let pdu = pdu.unwrap_or_default();
        let arrival = Arrival {
            now_ns,
            octets: u32::try_from(on_wire)
                .unwrap_or(u32::MAX)
                .saturating_add(FCS),
            vn,
            pdu: pdu.get(..queue.looks()).unwrap_or(pdu),
        };
        let Err(Refused { why, .. }) = queue.enqueue(frame, &arrival) else {
            return Ok(true);
        };
        match why {
            Why::Full | Why::Precedence => counters.tx_class_full += 1,
            Why::Policed => counters.tx_class_policed += 1,
            Why::Unknown => counters.tx_no_connection += 1,
        }
        Ok(false)
    }
}
