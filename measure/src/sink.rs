//! Where test frames end: every frame is held against what was sent, and counted under what befell it.
//!
//! Frames are claims: any octets may come. Must never allocate after it was made, and never count a
//! frame twice.

use crate::frame::{FCS, Layout};
use crate::order::{Arrival, Order};
use crate::signature::{NO_STREAM, Signature};
use crate::stats::Latency;
use crate::stream::{Compare, Encapsulation, Stream};

/// What arrived of a stream so far.
///
/// `frames + missing` is the highest sequence number seen plus one. A frame that arrived corrupted is
/// also missing: its content did not arrive. Every absorbed frame is in exactly one of `frames`,
/// `duplicated`, `too_late`, `corrupted` of one stream, or in one of [`Strays`].
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

/// Frames that are of no stream of the trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strays {
    /// Frames that no tester's stream can have been.
    pub foreign: u64,
    /// Frames of another epoch: an earlier trial's, late. Their check holds; no more is known of them.
    pub stale: u64,
    /// Frames of [`NO_STREAM`]: learning frames.
    pub learning: u64,
}

/// Takes the frames of known streams.
#[derive(Debug)]
pub struct Sink {
    lanes: Vec<Lane>,
    /// Lane of a stream id; `NONE` where there is none.
    by_id: Vec<u16>,
    /// Different layouts of the streams: one, but in a mix.
    layouts: Vec<Layout>,
    epoch: u8,
    strays: Strays,
    absorbed: u64,
    last_ns: u64,
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
        let (mut by_id, mut layouts) = (vec![NONE; ids], vec![]);
        for (lane, stream) in (0..NONE).zip(streams) {
            by_id[usize::from(stream.spec().id)] = lane;
            if !layouts.contains(stream.layout()) {
                layouts.push(*stream.layout());
            }
        }
        if layouts.is_empty() {
            // Learning frames and those of earlier trials are known as what they are without any stream, too.
            layouts.push(Layout::PIH);
        }
        let lane = |stream: &Stream| Lane {
            stream: stream.clone(),
            order: Order::default(),
            received: Received::default(),
        };
        Self {
            lanes: streams.iter().map(lane).collect(),
            by_id,
            layouts,
            epoch: 0,
            strays: Strays::default(),
            absorbed: 0,
            last_ns: 0,
        }
    }

    /// Takes the frames of this trial (0 until then), modulo [`EPOCHS`](crate::signature::EPOCHS).
    #[must_use]
    pub fn in_epoch(mut self, epoch: u8) -> Self {
        self.epoch = epoch;
        self
    }

    /// Takes a frame (without FCS) whose last bit came at `received_ns`. The latency of an intact frame
    /// that was not here before goes to `latency`, indexed like the streams.
    #[inline]
    pub fn absorb(&mut self, received_ns: u64, frame: &[u8], latency: &mut [Latency]) {
        self.absorbed += 1;
        self.last_ns = self.last_ns.max(received_ns);
        let Some((signature, layout)) = self.signature(frame) else {
            return self.damaged(frame);
        };
        if signature.epoch != self.epoch || signature.stream == NO_STREAM {
            return self.stray(&signature);
        }
        let index = self.by_id.get(usize::from(signature.stream));
        let index = usize::from(index.copied().unwrap_or(NONE));
        let Some(lane) = self.lanes.get_mut(index) else {
            return self.strays.foreign += 1;
        };
        let received = &mut lane.received;
        if layout != *lane.stream.layout() || !lane.stream.is_intact(frame) {
            return received.corrupted += 1;
        }
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

    /// The signature, wherever the layout of a stream has it.
    #[inline]
    fn signature(&self, frame: &[u8]) -> Option<(Signature, Layout)> {
        self.layouts.iter().find_map(|layout| {
            let octets = frame.get(layout.signature_at..)?.first_chunk()?;
            Some((Signature::decode(octets).ok()?, *layout))
        })
    }

    #[cold]
    fn stray(&mut self, signature: &Signature) {
        match signature.stream {
            NO_STREAM => self.strays.learning += 1,
            _ => self.strays.stale += 1,
        }
    }

    /// A frame without a signature that holds counts for the stream that the rest of it is of.
    #[cold]
    fn damaged(&mut self, frame: &[u8]) {
        match self.resembled(frame) {
            Some(lane) => self.lanes[lane].received.corrupted += 1,
            None => self.strays.foreign += 1,
        }
    }

    /// The stream by flow label, or by the number in the damaged signature; or the only one of its PIH. A frame
    /// of another EtherType or PIH, or, without PIH or behind a router, to another destination, resembles none: what
    /// a host nearby or the router sends of its own accord is no damage.
    fn resembled(&self, frame: &[u8]) -> Option<usize> {
        let is_alike = |lane: &Lane| {
            let (ipv6_at, template) = (lane.stream.layout().ipv6_at, lane.stream.template());
            let alike =
                |octets: std::ops::Range<usize>| frame.get(octets.clone()) == template.get(octets);
            let spec = lane.stream.spec();
            let speaks =
                spec.encapsulation == Encapsulation::Plain || spec.compare == Compare::Payload;
            alike(12..ipv6_at) && (!speaks || lane.stream.goes_as(frame))
        };
        let by_number = |number: Option<u16>| {
            let index = *self.by_id.get(usize::from(number?))?;
            let index = usize::from(index);
            self.lanes.get(index).filter(|lane| is_alike(lane))?;
            Some(index)
        };
        let number = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        let by_label = self.layouts.iter().find_map(|layout| {
            // The flow label's upper four bits are zero in every frame of a stream.
            let label = frame.get(layout.ipv6_at + 1)? & 0xf == 0;
            by_number(number(layout.ipv6_at + 2)).filter(|_| label)
        });
        let by_signature = || {
            let claimed = |layout: &Layout| by_number(number(layout.signature_at));
            self.layouts.iter().find_map(claimed)
        };
        let by_pih = || {
            let has_pih = |lane: &Lane| lane.stream.spec().encapsulation == Encapsulation::Pih;
            let mut alike = (0..self.lanes.len())
                .filter(|at| has_pih(&self.lanes[*at]) && is_alike(&self.lanes[*at]));
            let only = alike.next()?;
            alike.next().is_none().then_some(only)
        };
        by_label.or_else(by_signature).or_else(by_pih)
    }

    /// Frames that are of no stream of the trial.
    #[must_use]
    pub fn strays(&self) -> Strays {
        self.strays
    }

    /// Frames that are of no stream, and of no other trial of the tester either.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.strays.foreign
    }

    /// All frames, whatever befell them.
    #[must_use]
    pub fn absorbed(&self) -> u64 {
        self.absorbed
    }

    /// When the latest of them came; 0 before the first.
    #[must_use]
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// What arrived of each stream, in the order of the streams.
    pub fn received(&self) -> impl ExactSizeIterator<Item = Received> + '_ {
        self.lanes.iter().map(|lane| lane.received)
    }
}
