//! Where test frames end: every frame is held against what was sent, and counted under what befell it.
//!
//! Frames are claims: any octets may come. Must never allocate after it was made, and never count a
//! frame twice.

use crate::order::{Arrival, Order};
use crate::signature::Signature;
use crate::stats::Latency;
use crate::stream::{FCS, PADDING_AT, PIH_AT, SIGNATURE_AT, Stream};

/// What arrived of a stream so far.
///
/// `frames + missing` is the highest sequence number seen plus one. A frame that arrived corrupted is
/// also missing: its content did not arrive. Every absorbed frame is in exactly one of `frames`,
/// `duplicated`, `too_late`, `corrupted` of one stream, or in [`Sink::foreign`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Different frames that arrived intact.
    pub frames: u64,
    /// Their octets, with FCS.
    pub octets: u64,
    /// Numbers below the highest seen that did not arrive. Frames lost behind the last arrival show only
    /// against what was sent.
    pub missing: u64,
    /// Of `frames`: those that came after a later one (RFC 4737 3).
    pub reordered: u64,
    /// Intact frames that had arrived before.
    pub duplicated: u64,
    /// Intact frames more than [`WINDOW`](crate::order::WINDOW) behind: late or duplicates, not known which.
    pub too_late: u64,
    /// Frames whose signature or content was changed on the way.
    pub corrupted: u64,
    /// Frames that say they were sent later than they arrived: clocks of two testers that differ. Their
    /// latency is taken as 0.
    pub from_future: u64,
    /// Arrival of the first frame, nanoseconds; 0 when none came.
    pub first_ns: u64,
    /// Latest arrival, nanoseconds.
    pub last_ns: u64,
    /// Arrival of the first frame behind the latest gap in the sequence, nanoseconds: until then frames were lost. 0: no gap.
    pub last_gap_ns: u64,
    /// Longest time between two arrivals, nanoseconds.
    pub silence_ns: u64,
    /// Arrival of the frame before that silence.
    pub silence_from_ns: u64,
}

impl Received {
    /// Mean rate between the first and the last arrival, frames per second; 0 below two frames.
    #[must_use]
    pub fn rate_fps(&self) -> f64 {
        match self.last_ns.saturating_sub(self.first_ns) {
            0 => 0.0,
            time_ns => self.frames.saturating_sub(1) as f64 * 1e9 / time_ns as f64,
        }
    }
}

/// Takes the frames of known streams.
#[derive(Debug)]
pub struct Sink {
    lanes: Vec<Lane>,
    /// Lane of a stream id; `NONE` where there is none.
    by_id: Vec<u16>,
    /// Lane of a PIH, for frames whose signature is damaged; `NONE` where there is none or several.
    by_pih: [u16; 256],
    foreign: u64,
}

#[derive(Debug)]
struct Lane {
    stream: Stream,
    order: Order,
    received: Received,
}

const NONE: u16 = u16::MAX;

impl Sink {
    /// A sink for these streams (at most 65535, whose ids differ).
    #[must_use]
    pub fn new(streams: &[Stream]) -> Self {
        let ids = streams
            .iter()
            .map(|s| usize::from(s.spec().id) + 1)
            .max()
            .unwrap_or(0);
        let (mut by_id, mut by_pih) = (vec![NONE; ids], [NONE; 256]);
        for (lane, stream) in (0..NONE).zip(streams) {
            by_id[usize::from(stream.spec().id)] = lane;
            let pih = usize::from(stream.pih());
            let shared = streams.iter().filter(|s| s.pih() == stream.pih()).count() > 1;
            by_pih[pih] = if shared { NONE } else { lane };
        }
        let lane = |stream: &Stream| Lane {
            stream: stream.clone(),
            order: Order::default(),
            received: Received::default(),
        };
        Self {
            lanes: streams.iter().map(lane).collect(),
            by_id,
            by_pih,
            foreign: 0,
        }
    }

    /// Takes a frame (without FCS) whose last bit came at `received_ns`. The latency of an intact frame
    /// that was not here before goes to `latency`, indexed like the streams.
    #[inline]
    pub fn absorb(&mut self, received_ns: u64, frame: &[u8], latency: &mut [Latency]) {
        let signature = frame
            .get(SIGNATURE_AT..PADDING_AT)
            .and_then(|s| s.try_into().ok());
        let Some(signature) = signature else {
            return self.damaged(frame, None);
        };
        let intact = Signature::decode(signature).ok().and_then(|signature| {
            let index = usize::from(*self.by_id.get(usize::from(signature.stream))?);
            let lane = self.lanes.get_mut(index)?;
            lane.stream
                .is_intact(frame)
                .then_some((lane, index, signature))
        });
        let Some((lane, index, signature)) = intact else {
            return self.damaged(frame, Some(Signature::claimed_stream(signature)));
        };
        let received = &mut lane.received;
        match lane.order.arrive(signature.sequence) {
            Arrival::InOrder => {
                let missing = lane.order.missing();
                if missing > received.missing {
                    received.last_gap_ns = received_ns;
                }
                received.missing = missing;
            }
            Arrival::Reordered => {
                received.missing = lane.order.missing();
                received.reordered += 1;
            }
            Arrival::Duplicate => return received.duplicated += 1,
            Arrival::TooLate => return received.too_late += 1,
        }
        if received.frames == 0 {
            (received.first_ns, received.last_ns) = (received_ns, received_ns);
        }
        let silence_ns = received_ns.saturating_sub(received.last_ns);
        if silence_ns > received.silence_ns {
            (received.silence_ns, received.silence_from_ns) = (silence_ns, received.last_ns);
        }
        received.frames += 1;
        received.octets += (frame.len() + FCS) as u64;
        received.last_ns = received.last_ns.max(received_ns);
        let age_ns = signature.age_ns(received_ns).unwrap_or_else(|| {
            received.from_future += 1;
            0
        });
        if let Some(latency) = latency.get_mut(index) {
            latency.saturating_record(age_ns);
        }
    }

    /// A frame that is not as any stream sent it counts for the stream it seems to be of: by its
    /// signature, or by its PIH.
    #[cold]
    fn damaged(&mut self, frame: &[u8], claimed: Option<u16>) {
        let by_id = claimed.and_then(|id| self.by_id.get(usize::from(id)));
        let by_pih = || frame.get(PIH_AT).map(|pih| &self.by_pih[usize::from(*pih)]);
        let index = by_id
            .filter(|i| **i != NONE)
            .or_else(by_pih)
            .copied()
            .unwrap_or(NONE);
        match self.lanes.get_mut(usize::from(index)) {
            Some(lane) => lane.received.corrupted += 1,
            None => self.foreign += 1,
        }
    }

    /// Frames that are of no stream.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// What arrived of each stream, in the order of the streams.
    pub fn received(&self) -> impl ExactSizeIterator<Item = Received> + '_ {
        self.lanes.iter().map(|lane| lane.received)
    }
}
