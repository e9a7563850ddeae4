//! Where test frames come from: streams, paced to the frame by an injected clock.
//!
//! Over a wire in the worker's bursts a frame carries the instant at which it was due, not the one at which
//! the caller came for it: a caller that stalls is then seen as latency instead of being hidden (a frame on a
//! real wire would have arrived and waited). A sender with a thread and interface of its own stamps the
//! instant of the hand-over instead: what it is late by is its own pacing error, not the device's latency.
//! Such a sender does not catch up what a stall held back, either: it moves its schedule ([`pause`](crate::pause)).
//! Must never allocate after it was made.

use crate::pace::Pacer;
use crate::pause::{Pauses, Pausing};
use crate::signature::Signature;
use crate::stream::{FCS, SizeWalk, Stream};

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
    /// When the next frame of each lane is due; apart from the lanes, to be looked through fast.
    due_ns: Vec<u64>,
    epoch: u8,
    /// None: what is late is caught up, as far as the backlog goes.
    pausing: Option<Pausing>,
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
            due_ns: vec![u64::MAX; streams.len()],
            epoch: 0,
            pausing: None,
        }
    }

    /// What is late by more than a small patience is not caught up: the schedule of all streams moves by the lateness,
    /// and [`pauses`](Self::pauses) has it. For a sender with an interface of its own, whose frames are due for
    /// `duration_ns`; called before a [`change`](Self::change) is given.
    pub fn pause_when_late(&mut self, duration_ns: u64) {
        let fps = self.lanes.iter().map(|lane| lane.stream.spec().rate_fps);
        self.pausing = Some(Pausing::new(fps.sum(), duration_ns));
    }

    /// How late it was; nothing where it catches up instead.
    #[must_use]
    pub fn pauses(&self) -> Pauses {
        self.pausing
            .as_ref()
            .map_or_else(Pauses::default, |p| p.account)
    }

    /// Its frames are of this trial (0 until then), modulo [`EPOCHS`](crate::signature::EPOCHS).
    #[must_use]
    pub fn in_epoch(mut self, epoch: u8) -> Self {
        self.epoch = epoch;
        self
    }

    /// Frames are due from `start_ns` on. Streams begin in turn, so that streams of one rate do not
    /// send at the same instants.
    pub fn start(&mut self, start_ns: u64) {
        let n = self.lanes.len() as f64;
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            lane.pacer.start(start_ns, i as f64 / n);
        }
        self.look();
    }

    /// No frame is due at `end_ns` or later.
    pub fn stop(&mut self, end_ns: u64) {
        self.lanes
            .iter_mut()
            .for_each(|lane| lane.pacer.stop(end_ns));
        self.look();
    }

    /// From `at_ns` on all rates are multiplied by `factor` (above 0), once. Given before `at_ns`.
    pub fn change(&mut self, at_ns: u64, factor: f64) {
        self.lanes
            .iter_mut()
            .for_each(|lane| lane.pacer.change(at_ns, factor));
        if let Some(pausing) = &mut self.pausing {
            pausing.change_at_ns = at_ns;
        }
        self.look();
    }

    fn look(&mut self) {
        for (due_ns, lane) in self.due_ns.iter_mut().zip(&self.lanes) {
            *due_ns = lane.pacer.due_ns();
        }
    }

    /// Does what is to be done about frames that are late: gives up those later than the backlog allows, or moves the
    /// schedule where it [pauses](Self::pause_when_late). Call it once a burst, before [`next`](Self::next), with the
    /// same instant.
    #[inline]
    pub fn give_up(&mut self, now_ns: u64) {
        if let Some(pausing) = &self.pausing {
            if self.due_ns().saturating_add(pausing.patience_ns) < now_ns {
                self.pause(now_ns);
            }
            return;
        }
        for (due_ns, lane) in self.due_ns.iter_mut().zip(&mut self.lanes) {
            let given_up = lane.pacer.give_up(now_ns);
            if given_up > 0 {
                lane.sent.unsent += given_up;
                *due_ns = lane.pacer.due_ns();
            }
        }
    }

    /// Some frame is later than the patience allows. What is left of a burst that has begun is none to pause for: its
    /// frames are due at one instant, and go as fast as the port takes them.
    #[cold]
    fn pause(&mut self, now_ns: u64) {
        let Some(pausing) = &mut self.pausing else {
            return;
        };
        let lanes = self.lanes.iter().zip(&self.due_ns);
        let firsts = lanes.filter(|(lane, _)| lane.pacer.begins_burst());
        let due_ns = firsts.map(|(_, due_ns)| *due_ns).min();
        let due_ns = due_ns.unwrap_or(u64::MAX);
        if due_ns.saturating_add(pausing.patience_ns) >= now_ns {
            return;
        }
        let late_ns = now_ns - due_ns;
        let begun = self.lanes.iter().any(|lane| lane.sent != Sent::default());
        let moves = pausing.book(due_ns, late_ns, begun);
        let oldest_ns = now_ns - pausing.patience_ns;
        for lane in &mut self.lanes {
            match moves {
                true => lane.pacer.delay(late_ns),
                false => lane.sent.unsent += lane.pacer.give_up_older(oldest_ns),
            }
        }
        self.look();
    }

    /// Gives up all frames that are due before the end and were not sent: from then on what was due is what
    /// was sent and unsent, exactly. Nothing where there is no end.
    pub fn give_up_rest(&mut self) {
        for lane in &mut self.lanes {
            lane.sent.unsent += lane.pacer.give_up_rest();
        }
        self.look();
    }

    /// When the next frame is due; `u64::MAX` where none is. Costs a look at each stream.
    #[inline]
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        self.due_ns.iter().min().copied().unwrap_or(u64::MAX)
    }

    /// The next frame that is due by `now_ns`, earliest first. Costs a look at each stream.
    ///
    /// It is off the schedule with this call: a [`Pending`] that is dropped unwritten counts as unsent.
    #[inline]
    pub fn next(&mut self, now_ns: u64) -> Option<Pending<'_>> {
        let mut dues = self.due_ns.iter().enumerate();
        let (mut at, mut due_ns) = dues.next().map(|(at, due_ns)| (at, *due_ns))?;
        for (other, other_ns) in dues {
            if *other_ns < due_ns {
                (at, due_ns) = (other, *other_ns);
            }
        }
        if due_ns > now_ns || due_ns == u64::MAX {
            return None;
        }
        let lane = self.lanes.get_mut(at)?;
        lane.pacer.advance();
        self.due_ns[at] = lane.pacer.due_ns();
        lane.sent.unsent += 1;
        let len = lane.sizes.next_len();
        Some(Pending {
            lane,
            at,
            len,
            due_ns,
            epoch: self.epoch,
        })
    }

    /// The last frame that stream number `at` wrote, `octets` long without FCS, was not sent after all: it is
    /// unsent, and the next one takes its sequence number. Of several, the last one first.
    pub fn take_back(&mut self, at: usize, octets: usize) {
        if let Some(Lane { sent, .. }) = self.lanes.get_mut(at) {
            sent.frames = sent.frames.saturating_sub(1);
            sent.octets = sent.octets.saturating_sub((octets + FCS) as u64);
            sent.unsent += 1;
        }
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
    at: usize,
    len: usize,
    due_ns: u64,
    epoch: u8,
}

impl Pending<'_> {
    /// Octets of the frame, without FCS.
    #[inline]
    #[must_use]
    pub fn octets(&self) -> usize {
        self.len
    }

    /// When it was due.
    #[inline]
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Number of its stream in the order of the streams, for [`Source::take_back`].
    #[inline]
    #[must_use]
    pub fn stream(&self) -> usize {
        self.at
    }

    /// Writes the frame to the beginning of `slot`, sent at the instant when it was due. A slot shorter than
    /// the frame is left as it is and the frame counts as unsent.
    #[inline]
    pub fn write(self, slot: &mut [u8]) {
        let due_ns = self.due_ns;
        self.write_at(slot, due_ns);
    }

    /// As [`write`](Self::write), sent at `sent_ns`. Says whether the frame was written.
    #[inline]
    pub fn write_at(self, slot: &mut [u8], sent_ns: u64) -> bool {
        let Self { lane, len, .. } = self;
        let Some(slot) = slot.get_mut(..len) else {
            return false;
        };
        let signature = Signature {
            stream: lane.stream.spec().id,
            epoch: self.epoch,
            sequence: lane.sent.frames,
            sent_ns,
        };
        lane.stream.write(slot, &signature.encode());
        lane.sent.unsent -= 1;
        lane.sent.frames += 1;
        lane.sent.octets += (len + FCS) as u64;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{PADDING_AT, SIGNATURE_AT, Sizes, StreamSpec};

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
    fn what_is_taken_back_was_never_sent() {
        let mut s = source(vec![
            StreamSpec::new(1, 1, 79, 1e6),
            StreamSpec::new(2, 2, 128, 1e6),
        ]);
        s.start(0);
        s.stop(4_000);
        assert_eq!(drain(&mut s, 2_000).len(), 5);
        // The last three: of the first stream, the second, the first.
        for (at, octets) in [(0, 75), (1, 124), (0, 75)] {
            s.take_back(at, octets);
        }
        let sent: Vec<_> = s.sent().map(|s| (s.frames, s.octets, s.unsent)).collect();
        assert_eq!(sent, [(1, 79, 2), (1, 128, 1)]);
        let sequences: Vec<_> = drain(&mut s, 4_000)
            .iter()
            .map(|f| signature(f).sequence)
            .collect();
        assert_eq!(sequences, [1, 1, 2]);
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
