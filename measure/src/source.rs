//! Where test frames come from: streams, paced to the frame by an injected clock.
//!
//! A frame carries the instant at which it was due, not the one at which the caller came for it: a
//! caller that stalls is then seen as latency instead of being hidden (a frame on a real wire would
//! have arrived and waited). Must never allocate after it was made.

use crate::pace::Pacer;
use crate::signature::{SIGNATURE_OCTETS, Signature};
use crate::stream::{IPV6_LENGTH_AT, PADDING_AT, SIGNATURE_AT, SizeWalk, Stream, payload_length};

/// Frames of a stream that are caught up after a stall: what the receive ring of a NIC would have held.
pub const BACKLOG: u32 = 4096;

/// What a stream sent so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames sent: the sequence numbers 0..frames are on the way.
    pub frames: u64,
    /// Their octets, with FCS.
    pub octets: u64,
    /// Frames that were due and were not sent: the caller came too late or had no room. They took no sequence number.
    pub unsent: u64,
}

/// Sends streams.
#[derive(Debug)]
pub struct Source {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    stream: Stream,
    pacer: Pacer,
    sizes: SizeWalk,
    sent: Sent,
}

impl Source {
    /// A source that is not started. At most `backlog` frames of each stream are caught up after a
    /// stall (see [`BACKLOG`]).
    #[must_use]
    pub fn new(streams: &[Stream], backlog: u32) -> Self {
        let lane = |stream: &Stream| Lane {
            pacer: Pacer::new(stream.spec().rate_fps, stream.spec().pattern, backlog),
            sizes: stream.sizes(),
            sent: Sent::default(),
            stream: stream.clone(),
        };
        Self {
            lanes: streams.iter().map(lane).collect(),
        }
    }

    /// Frames are due from `start_ns` on. Streams begin in turn, so that streams of one rate do not
    /// send at the same instants.
    pub fn start(&mut self, start_ns: u64) {
        let n = self.lanes.len() as f64;
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            lane.pacer.start(start_ns, i as f64 / n);
        }
    }

    /// No frame is due at `end_ns` or later.
    pub fn stop(&mut self, end_ns: u64) {
        self.lanes
            .iter_mut()
            .for_each(|lane| lane.pacer.stop(end_ns));
    }

    /// Gives up frames that are later than the backlog allows. Call it once a burst, before [`next`](Self::next).
    #[inline]
    pub fn give_up(&mut self, now_ns: u64) {
        for lane in &mut self.lanes {
            lane.sent.unsent += lane.pacer.give_up(now_ns);
        }
    }

    /// When the next frame is due; `u64::MAX` where none is. Costs a look at each stream.
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        let due = self.lanes.iter().map(|lane| lane.pacer.due_ns());
        due.min().unwrap_or(u64::MAX)
    }

    /// The next frame that is due by `now_ns`, earliest first. Costs a look at each stream.
    ///
    /// It is off the schedule with this call: a [`Pending`] that is dropped unwritten counts as unsent.
    #[inline]
    pub fn next(&mut self, now_ns: u64) -> Option<Pending<'_>> {
        let lane = self
            .lanes
            .iter_mut()
            .min_by_key(|lane| lane.pacer.due_ns())?;
        let due_ns = lane.pacer.due_ns();
        if due_ns > now_ns || due_ns == u64::MAX {
            return None;
        }
        lane.pacer.advance();
        lane.sent.unsent += 1;
        let len = lane.sizes.next_len();
        Some(Pending { lane, len, due_ns })
    }

    /// What each stream sent, in the order of the streams.
    pub fn sent(&self) -> impl ExactSizeIterator<Item = Sent> + '_ {
        self.lanes.iter().map(|lane| lane.sent)
    }
}

/// A frame that is due and not yet written.
#[derive(Debug)]
pub struct Pending<'a> {
    lane: &'a mut Lane,
    len: usize,
    due_ns: u64,
}

impl Pending<'_> {
    /// Octets of the frame, without FCS.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.len
    }

    /// Writes the frame to the beginning of `slot`. A slot shorter than the frame is left as it is and
    /// the frame counts as unsent.
    #[inline]
    pub fn write(self, slot: &mut [u8]) {
        let Self { lane, len, due_ns } = self;
        let (Some(slot), Some(frame)) = (slot.get_mut(..len), lane.stream.template().get(..len))
        else {
            return;
        };
        slot.copy_from_slice(frame);
        slot[IPV6_LENGTH_AT..IPV6_LENGTH_AT + 2].copy_from_slice(&payload_length(len));
        let signature = Signature {
            stream: lane.stream.spec().id,
            sequence: lane.sent.frames,
            sent_ns: due_ns,
        };
        const { assert!(PADDING_AT - SIGNATURE_AT == SIGNATURE_OCTETS) };
        slot[SIGNATURE_AT..PADDING_AT].copy_from_slice(&signature.encode());
        lane.sent.unsent -= 1;
        lane.sent.frames += 1;
        lane.sent.octets += len as u64 + crate::stream::FCS as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Sizes, StreamSpec};

    fn source(specs: Vec<StreamSpec>) -> Source {
        Source::new(&Stream::all(specs).unwrap(), 100)
    }

    fn drain(source: &mut Source, now_ns: u64) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        source.give_up(now_ns);
        while let Some(pending) = source.next(now_ns) {
            let mut frame = vec![0xee; pending.octets()];
            pending.write(&mut frame);
            frames.push(frame);
        }
        frames
    }

    fn signature(frame: &[u8]) -> Signature {
        Signature::decode(frame[SIGNATURE_AT..PADDING_AT].try_into().unwrap()).unwrap()
    }

    #[test]
    fn streams_are_merged_in_the_order_of_time() {
        let mut s = source(vec![
            StreamSpec::new(1, 1, 79, 1e6),
            StreamSpec::new(2, 2, 79, 5e5),
        ]);
        s.start(10_000);
        let got: Vec<_> = drain(&mut s, 12_500)
            .iter()
            .map(|f| signature(f))
            .map(|s| (s.stream, s.sequence, s.sent_ns))
            .collect();
        assert_eq!(
            got,
            [
                (1, 0, 10_000),
                (1, 1, 11_000),
                (2, 0, 11_000),
                (1, 2, 12_000)
            ]
        );
    }

    #[test]
    fn each_size_is_a_whole_frame() {
        let sizes = Sizes::Uniform {
            from: 79,
            to: 1518,
            seed: 1,
        };
        let spec = StreamSpec {
            sizes,
            ..StreamSpec::new(1, 1, 79, 1e9_f64.min(2e8))
        };
        let stream = Stream::new(spec).unwrap();
        let mut s = Source::new(std::slice::from_ref(&stream), 1000);
        s.start(0);
        let frames = drain(&mut s, 4_000);
        assert_eq!(frames.len(), 801);
        for frame in &frames {
            assert!(stream.is_intact(frame), "{} octets", frame.len());
        }
        let octets: u64 = frames.iter().map(|f| f.len() as u64 + 4).sum();
        assert_eq!(
            s.sent().next().unwrap(),
            Sent {
                frames: 801,
                octets,
                unsent: 0
            }
        );
    }

    #[test]
    fn frames_without_room_are_counted_and_take_no_number() {
        let mut s = source(vec![StreamSpec::new(1, 1, 128, 1e6)]);
        s.start(0);
        assert!(s.next(0).is_some(), "taken and not written");
        s.next(1_000).unwrap().write(&mut [0; 100]);
        let frames = drain(&mut s, 2_000);
        assert_eq!(signature(&frames[0]).sequence, 0);
        assert_eq!(
            s.sent().next().unwrap(),
            Sent {
                frames: 1,
                octets: 128,
                unsent: 2
            }
        );
    }

    #[test]
    fn a_stall_is_counted() {
        let mut s = source(vec![StreamSpec::new(1, 1, 79, 1e6)]);
        s.start(0);
        assert_eq!(drain(&mut s, 1_000_000).len(), 101);
        assert_eq!(s.sent().next().unwrap().unsent, 900);
    }

    #[test]
    fn no_streams_no_frames() {
        let mut s = source(vec![]);
        s.start(0);
        assert!(drain(&mut s, 1_000_000).is_empty());
    }
}
