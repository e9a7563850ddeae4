//! From the frame path to a pcapng stream: a ring that is allocated once, and its two ends.
//!
//! The worker's end copies a frame into the ring, or counts it when there is no room; it must never
//! allocate, lock, wait or call the system. The control side's end waits, stamps and encodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use rustix::time::{ClockId, clock_gettime};

use super::pcapng::{self, Direction, LinkType, Packet, Statistics};

/// Octets of a capture's ring: 60 ms of a full 1 Gb/s link.
const RING_OCTETS: usize = 8 << 20;
/// How long the reader rests when the ring is empty: a small part of what the ring holds.
const REST: Duration = Duration::from_millis(2);
/// A piece of the stream is handed out once it is this long, or the ring is empty.
const PIECE_OCTETS: usize = 256 << 10;
/// Longest part of a frame that is captured: what any port can carry.
const LONGEST: u32 = 65_535;

/// The frame path's end of a capture.
#[derive(Debug)]
pub struct Tap {
    ring: Producer<u8>,
    snaplen: usize,
    passed: u64,
    dropped_before: u32,
    counts: Arc<Counts>,
}

/// The control side's end of a capture: an iterator over pieces of one pcapng stream, whole blocks each.
///
/// [`next`](Iterator::next) waits until frames come. It ends, with the interface's counts as the last
/// piece, when all of its [`Tap`]s are dropped; dropping it turns them into ones that do nothing.
///
/// A point that several workers pass has a tap at each: their frames are merged by time, as far as they
/// are there at a look.
#[derive(Debug)]
pub struct CaptureReader {
    sources: Vec<Source>,
    /// Added to a time of the tap to get nanoseconds since 1970-01-01 UTC.
    epoch_ns: u64,
    last_ns: u64,
    state: State,
}

/// What one tap writes.
#[derive(Debug)]
struct Source {
    ring: Consumer<u8>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
enum State {
    /// The piece that begins the stream is not handed out yet.
    Begins(Vec<u8>),
    Runs,
    Ended,
}

/// Written by the tap alone.
#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    dropped: AtomicU64,
}

/// What a reader has at a look.
#[derive(Debug, PartialEq, Eq)]
pub enum Poll {
    /// The next piece of the stream.
    Piece(Vec<u8>),
    /// Nothing now.
    Quiet,
    /// Nothing any more.
    Ended,
}

/// A capture at the point `name`, written by `taps` taps. Frames longer than `snaplen` octets are cut; 0:
/// they are not.
///
/// Times given to a tap are of CLOCK_MONOTONIC; the stream's are UTC, by the distance of the two
/// clocks now. They stay evenly spaced when the system's clock is set during the capture.
#[must_use]
pub fn channel(name: &str, link: LinkType, snaplen: u32, taps: usize) -> (Vec<Tap>, CaptureReader) {
    let read = |clock| {
        let now = clock_gettime(clock);
        u64::try_from(i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)).unwrap_or(0)
    };
    let epoch_ns = read(ClockId::Realtime).wrapping_sub(read(ClockId::Monotonic));
    channel_at(name, link, snaplen, RING_OCTETS, epoch_ns, taps)
}

fn channel_at(
    name: &str,
    link: LinkType,
    snaplen: u32,
    ring_octets: usize,
    epoch_ns: u64,
    taps: usize,
) -> (Vec<Tap>, CaptureReader) {
    let mut begin = Vec::new();
    pcapng::section_header(&mut begin, concat!("pinode ", env!("CARGO_PKG_VERSION")));
    let description = format!("pinode capture point {name}");
    pcapng::interface_description(&mut begin, name, &description, link, snaplen);
    let cut = if snaplen == 0 {
        LONGEST
    } else {
        snaplen.min(LONGEST)
    };
    let tap = |_| {
        let (producer, consumer) = RingBuffer::new(ring_octets);
        let counts = Arc::new(Counts::default());
        let tap = Tap {
            ring: producer,
            snaplen: cut as usize,
            passed: 0,
            dropped_before: 0,
            counts: Arc::clone(&counts),
        };
        let source = Source {
            ring: consumer,
            counts,
        };
        (tap, source)
    };
    let (taps, sources) = (0..taps).map(tap).unzip();
    let reader = CaptureReader {
        sources,
        epoch_ns,
        last_ns: epoch_ns,
        state: State::Begins(begin),
    };
    (taps, reader)
}

/// What stands before a frame's octets in the ring.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    now_ns: u64,
    original: u32,
    captured: u32,
    dropped_before: u32,
    direction: Direction,
}

const HEADER_OCTETS: usize = 24;

impl Header {
    fn encode(&self) -> [u8; HEADER_OCTETS] {
        let mut out = [0; HEADER_OCTETS];
        out[..8].copy_from_slice(&self.now_ns.to_le_bytes());
        out[8..12].copy_from_slice(&self.original.to_le_bytes());
        out[12..16].copy_from_slice(&self.captured.to_le_bytes());
        out[16..20].copy_from_slice(&self.dropped_before.to_le_bytes());
        out[20] = self.direction as u8;
        out
    }

    fn decode(octets: &[u8; HEADER_OCTETS]) -> Self {
        let word = |at| {
            let mut word = [0; 4];
            word.copy_from_slice(&octets[at..at + 4]);
            u32::from_le_bytes(word)
        };
        Self {
            now_ns: u64::from(word(0)) | u64::from(word(4)) << 32,
            original: word(8),
            captured: word(12),
            dropped_before: word(16),
            direction: match octets[20] {
                1 => Direction::Inbound,
                _ => Direction::Outbound,
            },
        }
    }
}

impl Tap {
    /// Copies a frame, `head` followed by `body`, that passes at `now_ns` of CLOCK_MONOTONIC.
    ///
    /// Costs a copy of the captured octets. Without room the frame is counted and the next one says so.
    pub fn record(&mut self, direction: Direction, now_ns: u64, head: &[u8], body: &[u8]) {
        self.passed += 1;
        self.counts.passed.store(self.passed, Ordering::Relaxed);
        let original = head.len() + body.len();
        let head = &head[..head.len().min(self.snaplen)];
        let body = &body[..body.len().min(self.snaplen - head.len())];
        let captured = head.len() + body.len();
        if self.ring.slots() < HEADER_OCTETS + captured {
            self.drop_one();
            return;
        }
        let header = Header {
            now_ns,
            original: u32::try_from(original).unwrap_or(u32::MAX),
            captured: captured as u32, // at most LONGEST
            dropped_before: std::mem::take(&mut self.dropped_before),
            direction,
        };
        for part in [&header.encode()[..], head, body] {
            // There is room for all three: only this end takes it away.
            let pushed = self.ring.push_entire_slice(part);
            debug_assert!(pushed.is_ok(), "the ring's room was looked at");
        }
    }

    /// Nobody reads any more: the tap can go.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    fn drop_one(&mut self) {
        self.dropped_before = self.dropped_before.saturating_add(1);
        let dropped = self.counts.dropped.load(Ordering::Relaxed) + 1;
        self.counts.dropped.store(dropped, Ordering::Relaxed);
    }
}

impl CaptureReader {
    /// What there is now, without waiting: for a reader that also has to notice that its own reader went.
    pub fn poll(&mut self) -> Poll {
        match std::mem::replace(&mut self.state, State::Runs) {
            State::Begins(begin) => return Poll::Piece(begin),
            State::Ended => {
                self.state = State::Ended;
                return Poll::Ended;
            }
            State::Runs => {}
        }
        // Looked at before the ring: what was written before the tap went is still found.
        let ends = self.sources.iter().all(|source| source.ring.is_abandoned());
        let mut piece = Vec::new();
        while piece.len() < PIECE_OCTETS && self.take(&mut piece) {}
        if ends && piece.len() < PIECE_OCTETS {
            self.state = State::Ended;
            let counts = Statistics {
                interface: 0,
                time_ns: self.last_ns,
                received: self.total(|counts| &counts.passed),
                dropped: self.total(|counts| &counts.dropped),
            };
            pcapng::interface_statistics(&mut piece, &counts);
        }
        if piece.is_empty() {
            Poll::Quiet
        } else {
            Poll::Piece(piece)
        }
    }

    fn total(&self, which: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        let counts = self.sources.iter().map(|source| &source.counts);
        counts
            .map(|counts| which(counts).load(Ordering::Relaxed))
            .sum()
    }

    /// Moves the oldest frame that is there to `piece`; false when no whole one is.
    fn take(&mut self, piece: &mut Vec<u8>) -> bool {
        let heads = self.sources.iter_mut().enumerate();
        let heads = heads.filter_map(|(index, source)| Some((index, source.head()?)));
        let Some((index, header)) = heads.min_by_key(|(_, header)| header.now_ns) else {
            return false;
        };
        let Ok(chunk) = self.sources[index]
            .ring
            .read_chunk(HEADER_OCTETS + header.captured as usize)
        else {
            return false;
        };
        let (first, second) = chunk.as_slices();
        let split = first.len().min(HEADER_OCTETS);
        self.last_ns = self.epoch_ns.wrapping_add(header.now_ns);
        let packet = Packet {
            interface: 0,
            time_ns: self.last_ns,
            direction: header.direction,
            original: header.original,
            octets: [&first[split..], &second[HEADER_OCTETS - split..]],
            dropped_before: u64::from(header.dropped_before),
        };
        pcapng::enhanced_packet(piece, &packet);
        chunk.commit_all();
        true
    }
}

impl Source {
    /// The header of the next frame, if all of the frame is there.
    fn head(&mut self) -> Option<Header> {
        let chunk = self.ring.read_chunk(HEADER_OCTETS).ok()?;
        let mut octets = [0; HEADER_OCTETS];
        let (first, second) = chunk.as_slices();
        octets[..first.len()].copy_from_slice(first);
        octets[first.len()..].copy_from_slice(second);
        let header = Header::decode(&octets);
        // The header stays in the ring until its frame is there too.
        let whole = HEADER_OCTETS + header.captured as usize;
        (self.ring.slots() >= whole).then_some(header)
    }
}

impl Iterator for CaptureReader {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.poll() {
                Poll::Piece(piece) => return Some(piece),
                Poll::Ended => return None,
                Poll::Quiet => std::thread::sleep(REST),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (time, direction, original length, octets, dropped before) of the packets; counts at the end.
    type Read = (Vec<(u64, u32, u32, Vec<u8>, u64)>, Option<(u64, u64)>);

    /// A reader of its own for exactly these blocks.
    fn read(stream: &[u8]) -> Read {
        let word = |at: usize| u32::from_le_bytes(stream[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let (mut at, mut packets, mut counts) = (0, Vec::new(), None);
        while at < stream.len() {
            let len = word(at + 4) as usize;
            match word(at) {
                6 => {
                    let captured = word(at + 20) as usize;
                    let options = at + 28 + captured.next_multiple_of(4);
                    let dropped = if word(options + 8) as u16 == 4 {
                        long(options + 12)
                    } else {
                        0
                    };
                    let time = u64::from(word(at + 12)) << 32 | u64::from(word(at + 16));
                    let octets = stream[at + 28..at + 28 + captured].to_vec();
                    packets.push((time, word(options + 4), word(at + 24), octets, dropped));
                }
                5 => counts = Some((long(at + 24), long(at + 36))),
                _ => assert!(packets.is_empty(), "header and interface come first"),
            }
            at += len;
        }
        (packets, counts)
    }

    fn small(snaplen: u32, ring: usize) -> (Tap, CaptureReader) {
        let (mut taps, reader) = several(snaplen, ring, 1);
        (taps.remove(0), reader)
    }

    fn several(snaplen: u32, ring: usize, taps: usize) -> (Vec<Tap>, CaptureReader) {
        channel_at("west", LinkType::Ethernet, snaplen, ring, 1_000_000, taps)
    }

    #[test]
    fn what_several_workers_saw_is_merged_by_time() {
        let (mut taps, reader) = several(0, 4096, 3);
        for (now_ns, tap) in [(5, 2), (6, 0), (7, 2), (7, 1), (9, 0)] {
            taps[tap].record(Direction::Inbound, now_ns, &[tap as u8; 60], &[]);
        }
        // One goes before the others; the stream ends with the last.
        taps.remove(1);
        let (packets, counts) = {
            let mut reader = reader;
            let mut stream = Vec::new();
            while let Poll::Piece(piece) = reader.poll() {
                stream.extend(piece);
            }
            assert_eq!(reader.poll(), Poll::Quiet);
            drop(taps);
            stream.extend(reader.flatten());
            read(&stream)
        };
        let seen: Vec<_> = packets.iter().map(|p| (p.0 - 1_000_000, p.3[0])).collect();
        assert_eq!(seen, [(5, 2), (6, 0), (7, 1), (7, 2), (9, 0)]);
        assert_eq!(counts, Some((5, 0)));
    }

    #[test]
    fn frames_come_out_as_they_passed() {
        let (mut tap, reader) = small(0, 4096);
        tap.record(Direction::Inbound, 5, &[1; 15], &[2; 60]);
        tap.record(Direction::Outbound, 6, &[3; 61], &[]);
        drop(tap);
        let (packets, counts) = read(&reader.flatten().collect::<Vec<_>>());
        let first = [[1; 15].as_slice(), &[2; 60]].concat();
        assert_eq!(
            packets,
            [
                (1_000_005, 1, 75, first, 0),
                (1_000_006, 2, 61, vec![3; 61], 0)
            ]
        );
        assert_eq!(counts, Some((2, 0)));
    }

    #[test]
    fn the_stream_begins_before_any_frame() {
        let (_tap, mut reader) = small(0, 4096);
        assert!(
            matches!(reader.poll(), Poll::Piece(begin) if begin[..4] == [0x0a, 0x0d, 0x0d, 0x0a])
        );
        assert_eq!(reader.poll(), Poll::Quiet);
    }

    #[test]
    fn a_full_ring_is_counted_and_the_next_frame_says_so() {
        let (mut tap, mut reader) = small(0, 200);
        for i in 0..5 {
            tap.record(Direction::Inbound, i, &[i as u8; 60], &[]);
        }
        let mut stream = Vec::new();
        while let Poll::Piece(piece) = reader.poll() {
            stream.extend(piece);
        }
        tap.record(Direction::Inbound, 9, &[9; 60], &[]);
        (0..3).for_each(|_| tap.record(Direction::Inbound, 10, &[0; 170], &[]));
        drop(tap);
        stream.extend(reader.flatten());
        let (packets, counts) = read(&stream);
        let times: Vec<_> = packets.iter().map(|p| (p.0 - 1_000_000, p.4)).collect();
        assert_eq!(times, [(0, 0), (1, 0), (9, 3)]);
        assert_eq!(counts, Some((9, 6)));
    }

    #[test]
    fn frames_are_cut_at_the_snap_length_across_head_and_body() {
        let (mut tap, reader) = small(20, 4096);
        tap.record(Direction::Inbound, 0, &[1; 15], &[2; 60]);
        tap.record(Direction::Inbound, 0, &[1; 75], &[2; 60]);
        drop(tap);
        let (packets, _) = read(&reader.flatten().collect::<Vec<_>>());
        assert_eq!(
            (packets[0].2, packets[0].3.len(), packets[0].3[19]),
            (75, 20, 2)
        );
        assert_eq!(
            (packets[1].2, packets[1].3.len(), packets[1].3[19]),
            (135, 20, 1)
        );
    }

    #[test]
    fn a_tap_whose_reader_went_knows_it_and_goes_on_doing_nothing() {
        let (mut tap, reader) = small(0, 100);
        assert!(!tap.is_abandoned());
        drop(reader);
        (0..10).for_each(|_| tap.record(Direction::Inbound, 0, &[0; 60], &[]));
        assert!(tap.is_abandoned());
    }

    #[test]
    fn times_are_of_today() {
        let (mut taps, reader) = channel("west", LinkType::Ethernet, 0, 1);
        let mut tap = taps.remove(0);
        let now = clock_gettime(ClockId::Monotonic);
        tap.record(
            Direction::Inbound,
            now.tv_sec as u64 * 1_000_000_000,
            &[0; 60],
            &[],
        );
        drop(tap);
        let (packets, _) = read(&reader.flatten().collect::<Vec<_>>());
        let today = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs();
        assert!((packets[0].0 / 1_000_000_000).abs_diff(today) < 60);
    }

    #[test]
    fn across_threads_each_frame_is_there_or_counted() {
        let (mut tap, reader) = small(0, 10_000);
        let worker = std::thread::spawn(move || {
            for i in 0..50_000u64 {
                tap.record(Direction::Outbound, i, &i.to_le_bytes(), &[7; 80]);
            }
        });
        let (packets, counts) = read(&reader.flatten().collect::<Vec<_>>());
        worker.join().unwrap();
        let (passed, dropped) = counts.unwrap();
        assert_eq!((passed, packets.len() as u64 + dropped), (50_000, 50_000));
        let mut expected = 0;
        for (time, _, original, octets, dropped_before) in packets {
            expected += dropped_before;
            assert_eq!((time - 1_000_000, original), (expected, 88));
            assert_eq!(octets[..8], expected.to_le_bytes());
            expected += 1;
        }
    }

    proptest! {
        #[test]
        fn any_frames_in_any_ring(
            ring in 1usize..600,
            snaplen in 0u32..200,
            frames in proptest::collection::vec((0usize..120, 0usize..120, any::<bool>()), 0..60),
        ) {
            let (mut tap, mut reader) = small(snaplen, ring);
            let mut stream = Vec::new();
            for (i, (head, body, look)) in frames.iter().enumerate() {
                tap.record(Direction::Inbound, i as u64, &vec![1; *head], &vec![2; *body]);
                if *look && let Poll::Piece(piece) = reader.poll() {
                    stream.extend(piece);
                }
            }
            drop(tap);
            stream.extend(reader.flatten());
            let (packets, counts) = read(&stream);
            let (passed, dropped) = counts.unwrap();
            prop_assert_eq!(passed, frames.len() as u64);
            prop_assert_eq!(packets.len() as u64 + dropped, passed);
            for (time, _, original, octets, _) in packets {
                let (head, body, _) = frames[(time - 1_000_000) as usize];
                let cut = if snaplen == 0 { usize::MAX } else { snaplen as usize };
                let whole = [vec![1; head], vec![2; body]].concat();
                prop_assert_eq!(original as usize, whole.len());
                prop_assert_eq!(octets, &whole[..whole.len().min(cut)]);
            }
        }
    }
}
