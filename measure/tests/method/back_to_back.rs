//! RFC 9004: the buffer is found to the frame.

use std::time::Duration;

use pinode_measure::method::TestBed;
use pinode_measure::method::back_to_back::{Settings, burst_duration, measure};
use pinode_measure::source::Source;
use pinode_measure::stream::{Stream, StreamSpec};
use proptest::prelude::*;

use crate::seeded;
use crate::sim::{Queue, Sim, Watcher, timing, traffic};

const LINE: f64 = 100_000.0;

fn settings(longest: u64, repetitions: u32) -> Settings {
    Settings {
        first: 64.min(longest),
        longest,
        resolution: 1,
        repetitions,
    }
}

proptest! {
    #![proptest_config(seeded(60))]

    #[test]
    fn a_known_buffer_is_found_to_the_frame(room in 1u32..3_000, forwarded in 0.0f64..0.9) {
        let fps = (LINE * forwarded).max(0.001);
        let mut sim = Sim::new(vec![Queue::new(fps, room)]);
        let mut watcher = Watcher::default();
        let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
        let outcome = measure(&mut bed, &traffic(&[LINE]), &[LINE], Some(&[fps]), &settings(40_000, 3)).unwrap();
        let found = &outcome.results[0];
        prop_assert!(!found.is_at_least && found.bursts.len() == 3);
        prop_assert_eq!((found.min_frames, found.stddev_frames), (found.max_frames, 0.0), "the same each time");
        // Frame n finds n - floor(n times what was served of it) before it: the room is full at room / (1 - f).
        let exact = f64::from(room) / (1.0 - forwarded);
        let tolerated = 1.0 + 1.0 / (1.0 - forwarded);
        prop_assert!((found.mean_frames - exact).abs() <= tolerated, "{} of {exact}", found.mean_frames);
        if fps < 1.0 {
            prop_assert_eq!(found.mean_frames, f64::from(room));
        }
        // The corrected buffer time is what the room holds, at the line rate (RFC 9004 6.4).
        let corrected = found.corrected_buffer_s.unwrap() * LINE;
        prop_assert!((corrected - f64::from(room)).abs() <= 2.0, "{corrected} of {room}");
        prop_assert!((found.implied_buffer_s * LINE - found.mean_frames).abs() < 1e-6);
        // Later searches begin where the first ended: the burst, and one frame more.
        let first = watcher.records.len() - 4;
        prop_assert!(first <= 2 + 2 * 16, "{first} trials for the first search");
    }

    #[test]
    fn a_burst_has_exactly_its_frames(frames in 1u64..20_000, fps in 1.0f64..2e7) {
        let streams = Stream::all([StreamSpec::new(1, 1, 79, fps)]).unwrap();
        let mut source = Source::new(&streams, u32::MAX);
        let end = 1_000_000_007 + burst_duration(frames, fps).as_nanos() as u64;
        source.start(1_000_000_007);
        source.stop(end);
        let mut due = 0;
        while source.next(u64::MAX - 1).is_some() {
            due += 1;
            prop_assert!(due <= frames);
        }
        prop_assert_eq!(due, frames);
    }
}

#[test]
fn bursts_of_the_fastest_stream_and_of_long_ones_are_exact() {
    for (frames, fps) in [
        (1, 2e8),
        (2, 2e8),
        (29_761_904, 14_880_952.0),
        (400_000_001, 2e8),
    ] {
        // As the pacer counts: due at whole nanoseconds of k / fps, before the end.
        let end = burst_duration(frames, fps).as_nanos() as f64;
        let due = |k: u64| (k as f64 * 1e9 / fps).floor();
        assert!(
            due(frames - 1) < end && due(frames) >= end,
            "{frames} at {fps}"
        );
    }
}

#[test]
fn streams_burst_one_after_the_other() {
    let mut sim = Sim::new(vec![Queue::new(0.001, 100), Queue::new(0.001, 300)]);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = measure(
        &mut bed,
        &traffic(&[LINE; 2]),
        &[LINE; 2],
        None,
        &settings(4_000, 2),
    )
    .unwrap();
    let found: Vec<_> = outcome
        .results
        .iter()
        .map(|r| (&*r.pi, &*r.bursts, r.corrected_buffer_s))
        .collect();
    assert_eq!(
        found,
        [
            ("pi1", &[100, 100][..], None),
            ("pi2", &[300, 300][..], None)
        ]
    );
    assert!(watcher.records.iter().all(|r| r.streams.len() == 1));
    assert_eq!(
        outcome.notes,
        ["back-to-back, 128 octets: 2 searches for each stream, to a step of 1 frames"]
    );
}

#[test]
fn a_buffer_that_varies_has_a_deviation() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 200)]);
    sim.stalls = (60, Duration::from_millis(1));
    sim.seed(9);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = measure(
        &mut bed,
        &traffic(&[LINE]),
        &[LINE],
        None,
        &settings(4_000, 20),
    )
    .unwrap();
    let found = &outcome.results[0];
    assert!(
        found.min_frames < found.max_frames && found.stddev_frames > 0.0,
        "{found:?}"
    );
    let mean = found.bursts.iter().sum::<u64>() as f64 / 20.0;
    assert!((found.mean_frames - mean).abs() < 1e-9);
}

#[test]
fn a_burst_that_never_loses_is_at_least_so_long() {
    let mut sim = Sim::new(vec![Queue::new(1e6, 8)]);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = measure(
        &mut bed,
        &traffic(&[LINE]),
        &[LINE],
        Some(&[LINE]),
        &settings(1_000, 2),
    )
    .unwrap();
    let found = &outcome.results[0];
    assert!(found.is_at_least && found.bursts == [1_000, 1_000]);
    assert_eq!(
        found.corrected_buffer_s,
        Some(0.0),
        "all of it was forwarded"
    );
    // 64, 128, 256, 512, 1000, and once more.
    assert_eq!(watcher.records.len(), 6);
    assert_eq!(watcher.records[5].streams[0].sent, 1_000);
}

#[test]
fn an_end_keeps_the_searches_that_were_through() {
    let mut sim = Sim::new(vec![Queue::new(0.001, 100)]);
    let mut watcher = Watcher {
        stops_before: Some(12),
        ..Watcher::default()
    };
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = measure(
        &mut bed,
        &traffic(&[LINE]),
        &[LINE],
        None,
        &settings(4_000, 50),
    )
    .unwrap();
    // 64, 128 and six halvings; then the burst and one more, twice.
    assert!(outcome.is_partial);
    assert_eq!(outcome.results[0].bursts, [100, 100, 100]);
}
