//! What befalls frames on the way is found by the sink, to the frame.

use pinode_measure::signature::{EPOCHS, NO_STREAM, SIGNATURE_OCTETS, Signature};
use pinode_measure::sink::{Received, Sink, Strays};
use pinode_measure::source::Source;
use pinode_measure::stats::{self, Latency};
use pinode_measure::stream::{
    Compare, Encapsulation, PADDING_AT, PIH_AT, SIGNATURE_AT, Sizes, Stream, StreamSpec,
};
use proptest::prelude::*;

const PERIOD_NS: u64 = 1_000;

/// Three streams of different PIs; ids with gaps, as two directions of a node share the numbers.
fn streams() -> Vec<Stream> {
    let sizes = Sizes::Uniform {
        from: 79,
        to: 300,
        seed: 9,
    };
    Stream::all((1..=3).map(|pi| StreamSpec {
        sizes: sizes.clone(),
        ..StreamSpec::new(u16::from(pi) * 5, pi, 79, 1e9 / PERIOD_NS as f64)
    }))
    .unwrap()
}

/// Frames of `streams` in the order of sending: (stream index, frame).
fn frames(streams: &[Stream], rounds: u64) -> Vec<(usize, Vec<u8>)> {
    let mut source = Source::new(streams, u32::MAX);
    source.start(0);
    let mut out = Vec::new();
    while let Some(pending) = source.next(rounds * PERIOD_NS - 1) {
        let mut frame = vec![0; pending.octets()];
        pending.write(&mut frame);
        let id = u16::from_be_bytes([frame[SIGNATURE_AT], frame[SIGNATURE_AT + 1]]);
        let index = streams.iter().position(|s| s.spec().id == id).unwrap();
        out.push((index, frame));
    }
    out
}

fn latencies() -> Vec<Latency> {
    (0..3).map(|_| stats::latency()).collect()
}

/// What befalls a frame.
#[derive(Debug, Clone)]
enum Fate {
    Arrives,
    Lost,
    /// Comes this many frames later.
    Late(usize),
    /// Comes again this many frames later.
    Twice(usize),
    /// One bit is changed: counted from the frame's beginning, modulo its length.
    Bit(usize),
    Cut(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        10 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        2 => (1usize..60).prop_map(Fate::Late),
        2 => (0usize..60).prop_map(Fate::Twice),
        2 => any::<usize>().prop_map(Fate::Bit),
        1 => (1usize..300).prop_map(Fate::Cut),
    ]
}

proptest! {
    #[test]
    fn every_fate_is_counted_to_the_frame(fates in proptest::collection::vec(fate(), 300)) {
        let streams = streams();
        let sent = frames(&streams, 100);
        prop_assert_eq!(sent.len(), fates.len());

        // (place in the order of arrival, number of sending, frame)
        let mut arrivals = Vec::new();
        let mut corrupted = 0;
        for (i, ((_, frame), fate)) in sent.iter().zip(&fates).enumerate() {
            match fate {
                Fate::Arrives => arrivals.push((i, i, frame.clone())),
                Fate::Lost => {}
                Fate::Late(by) => arrivals.push((i + by, i, frame.clone())),
                Fate::Twice(by) => {
                    arrivals.push((i, i, frame.clone()));
                    arrivals.push((i + by, i, frame.clone()));
                }
                Fate::Bit(at) => {
                    let mut frame = frame.clone();
                    let bit = at % (frame.len() * 8);
                    // The four reserved bits of the signature are covered by its check like all others.
                    frame[bit / 8] ^= 1 << (bit % 8);
                    arrivals.push((i, usize::MAX, frame));
                    corrupted += 1;
                }
                Fate::Cut(by) => {
                    let left = frame.len().saturating_sub(*by);
                    arrivals.push((i, usize::MAX, frame[..left].to_vec()));
                    corrupted += 1;
                }
            }
        }
        arrivals.sort_by_key(|(place, ..)| *place);

        // A plain model with a memory of everything.
        let mut expected = [Received::default(); 3];
        let mut seen: [Vec<usize>; 3] = Default::default();
        for (_, number, frame) in &arrivals {
            let Some((index, _)) = sent.get(*number) else { continue };
            let (e, seen) = (&mut expected[*index], &mut seen[*index]);
            if seen.contains(number) {
                e.duplicated += 1;
                continue;
            }
            e.reordered += u64::from(seen.iter().any(|s| s > number));
            e.frames += 1;
            e.octets += frame.len() as u64 + 4;
            seen.push(*number);
        }
        for (index, (e, seen)) in expected.iter_mut().zip(&seen).enumerate() {
            let highest = seen.iter().max().copied();
            let up_to = highest.map_or(0, |h| sent[..=h].iter().filter(|(i, _)| *i == index).count());
            e.missing = up_to as u64 - e.frames;
        }

        let (mut sink, mut latency) = (Sink::new(&streams), latencies());
        for (_, _, frame) in &arrivals {
            sink.absorb(1_000_000, frame, &mut latency);
        }
        let got: Vec<_> = sink.received().collect();
        for (got, expected) in got.iter().zip(&expected) {
            prop_assert_eq!((got.frames, got.octets), (expected.frames, expected.octets));
            prop_assert_eq!(got.duplicated, expected.duplicated);
            prop_assert_eq!(got.reordered, expected.reordered);
            prop_assert_eq!(got.missing, expected.missing);
        }
        let found: u64 = got.iter().map(|r| r.corrupted).sum::<u64>() + sink.foreign();
        prop_assert_eq!(found, corrupted);
        let measured: Vec<_> = latency.iter().map(|l| l.len()).collect();
        prop_assert_eq!(measured, got.iter().map(|r| r.frames).collect::<Vec<_>>());
    }

    #[test]
    fn any_octets_may_come(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..50)) {
        let (mut sink, mut latency) = (Sink::new(&streams()), latencies());
        for frame in &frames {
            sink.absorb(0, frame, &mut latency);
        }
        let corrupted: u64 = sink.received().map(|r| r.corrupted).sum();
        prop_assert_eq!(corrupted + sink.foreign(), frames.len() as u64);
    }
}

#[test]
fn a_damaged_signature_is_charged_to_the_stream_of_its_pih() {
    let streams = streams();
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    let (index, mut frame) = frames(&streams, 1).swap_remove(1);
    frame[SIGNATURE_AT] ^= 0xff;
    sink.absorb(0, &frame, &mut latency);
    assert_eq!(sink.received().nth(index).unwrap().corrupted, 1);
    frame[PIH_AT] = 0;
    sink.absorb(0, &frame, &mut latency);
    assert_eq!(sink.foreign(), 1);
}

#[test]
fn a_frame_of_another_stream_in_this_ones_clothes_is_corrupted() {
    let streams = streams();
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    let sent = frames(&streams, 1);
    let mut frame = sent[0].1.clone();
    frame[PIH_AT] = streams[1].pih();
    sink.absorb(0, &frame, &mut latency);
    assert_eq!(
        sink.received().map(|r| r.corrupted).collect::<Vec<_>>(),
        [1, 0, 0]
    );
}

#[test]
fn latency_and_rate_are_those_of_the_frames() {
    let streams = streams();
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    for (_, frame) in frames(&streams, 101)
        .iter()
        .filter(|(index, _)| *index == 0)
    {
        let octets = frame[SIGNATURE_AT + 8..PADDING_AT]
            .first_chunk::<8>()
            .unwrap();
        let sent_ns = u64::from_be_bytes(*octets) & ((1 << 56) - 1);
        sink.absorb(sent_ns + 777, frame, &mut latency);
    }
    let received = sink.received().next().unwrap();
    assert_eq!(received.frames, 101);
    assert!((received.rate_fps() - 1e6).abs() < 1e-6);
    let summary = stats::Summary::of(&latency[0]);
    assert_eq!((summary.min, summary.p50, summary.max), (777, 777, 777));
    assert_eq!(received.from_future, 0);
}

#[test]
fn a_frame_from_the_future_is_said_so() {
    let streams = streams();
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    for (_, frame) in frames(&streams, 3) {
        sink.absorb(0, &frame, &mut latency);
    }
    assert_eq!(sink.received().next().unwrap().from_future, 2);
}

/// Frames of one stream that arrive at these instants, by number.
fn arrivals(of: &[(u64, u64)]) -> Received {
    let streams = streams();
    let sent: Vec<_> = frames(&streams, 1_000)
        .into_iter()
        .filter(|(index, _)| *index == 0)
        .collect();
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    for (number, at_ns) in of {
        sink.absorb(*at_ns, &sent[*number as usize].1, &mut latency);
    }
    sink.received().next().unwrap()
}

#[test]
fn the_longest_silence_and_the_last_gap_are_kept() {
    let received = arrivals(&[
        (0, 10_000),
        (1, 11_000),
        // Three are lost here, in a silence of 5 us...
        (5, 16_000),
        (6, 17_000),
        // ...and one here, in a shorter one.
        (8, 19_500),
        (9, 20_000),
        // None is lost here.
        (10, 24_900),
    ]);
    assert_eq!(
        (received.silence_ns, received.silence_from_ns),
        (5_000, 11_000)
    );
    assert_eq!(received.last_gap_ns, 19_500);
    assert_eq!((received.first_ns, received.last_ns), (10_000, 24_900));
    assert_eq!(received.missing, 4);
}

#[test]
fn a_late_frame_and_a_duplicate_are_no_gap() {
    let received = arrivals(&[(0, 1_000), (1, 2_000), (1, 9_000), (2, 10_000)]);
    assert_eq!(received.last_gap_ns, 0);
    // A duplicate breaks no silence: nothing new came.
    assert_eq!(
        (received.silence_ns, received.silence_from_ns),
        (8_000, 2_000)
    );
    let received = arrivals(&[(1, 2_000), (0, 3_000), (2, 4_000)]);
    assert_eq!(received.last_gap_ns, 2_000, "number 0 was missing then");
    assert_eq!((received.missing, received.reordered), (0, 1));
}

/// Changes what the signature of a frame says.
fn signed(frame: &[u8], change: impl Fn(&mut Signature)) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let octets = &mut frame[SIGNATURE_AT..PADDING_AT];
    let mut signature =
        Signature::decode(<&[u8; SIGNATURE_OCTETS]>::try_from(&*octets).unwrap()).unwrap();
    change(&mut signature);
    octets.copy_from_slice(&signature.encode());
    frame
}

#[test]
fn frames_of_other_epochs_are_stale_and_nothing_else() {
    let streams = streams();
    let frame = frames(&streams, 1).swap_remove(0).1;
    let (mut sink, mut latency) = (Sink::new(&streams).in_epoch(3), latencies());
    for epoch in 0..EPOCHS {
        sink.absorb(9_000, &signed(&frame, |s| s.epoch = epoch), &mut latency);
    }
    let strays = Strays {
        stale: 15,
        ..Strays::default()
    };
    assert_eq!(sink.strays(), strays);
    let received = sink.received().next().unwrap();
    assert_eq!((received.frames, received.corrupted), (1, 0));
    assert_eq!((sink.absorbed(), sink.last_ns()), (16, 9_000));
}

#[test]
fn learning_frames_are_counted_apart() {
    let streams = streams();
    let frame = frames(&streams, 1).swap_remove(0).1;
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    sink.absorb(0, &signed(&frame, |s| s.stream = NO_STREAM), &mut latency);
    assert_eq!((sink.strays().learning, sink.foreign()), (1, 0));
}

#[test]
fn a_signed_frame_of_no_stream_of_the_trial_is_foreign() {
    let streams = streams();
    let frame = frames(&streams, 1).swap_remove(0).1;
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    for stream in [6, 500] {
        sink.absorb(0, &signed(&frame, |s| s.stream = stream), &mut latency);
    }
    assert_eq!(sink.foreign(), 2);
}

#[test]
fn what_a_host_sends_of_its_own_accord_is_foreign_not_corrupted() {
    let plain = StreamSpec {
        encapsulation: Encapsulation::Plain,
        ..StreamSpec::new(0, 1, 79, 1.0)
    };
    let streams = Stream::all([plain, StreamSpec::new(5, 1, 79, 1.0)]).unwrap();
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    // An ARP request, and router solicitations, one with the flow label of a stream.
    let mut arp = [0; 60];
    arp[12..14].copy_from_slice(&[8, 6]);
    let mut solicitation = [0; 86];
    solicitation[12..20].copy_from_slice(&[0x86, 0xdd, 0x60, 7, 0xbe, 0xef, 0, 32]);
    solicitation[54..58].copy_from_slice(&[133, 0, 0x7b, 0xb8]);
    sink.absorb(0, &arp, &mut latency);
    sink.absorb(0, &solicitation, &mut latency);
    solicitation[15..18].fill(0);
    sink.absorb(0, &solicitation, &mut latency);
    assert_eq!(sink.foreign(), 3);
}

#[test]
fn what_a_router_sends_of_its_own_accord_is_foreign_not_corrupted() {
    let routed = StreamSpec {
        compare: Compare::Payload,
        ..StreamSpec::new(5, 1, 79, 1.0)
    };
    let streams = Stream::all([routed]).unwrap();
    let (mut sink, mut latency) = (Sink::new(&streams), latencies());
    // A router advertisement to all nodes, behind the stream's own PIH.
    let mut advertisement = [0; 87];
    advertisement[..15].copy_from_slice(&streams[0].template()[..15]);
    advertisement[15..23].copy_from_slice(&[0x60, 0, 0, 0, 0, 32, 58, 255]);
    advertisement[39..41].copy_from_slice(&[0xff, 2]);
    advertisement[54] = 1;
    advertisement[55] = 134;
    sink.absorb(0, &advertisement, &mut latency);
    assert_eq!(sink.foreign(), 1);
    // A frame of the stream that was damaged on the way is still one.
    let mut damaged = frames(&streams, 1).swap_remove(0).1;
    damaged[SIGNATURE_AT + 10] ^= 1;
    sink.absorb(0, &damaged, &mut latency);
    let corrupted: Vec<u64> = sink.received().map(|of| of.corrupted).collect();
    assert_eq!((sink.foreign(), corrupted), (1, vec![1]));
}
