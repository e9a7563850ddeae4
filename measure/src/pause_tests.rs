//! Stalls at random instants, in injected time: what a device behind the interface would see.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::source::{BACKLOG, Source};
use crate::stream::{Pattern, SIGNATURE_AT, Stream, StreamSpec};

const START_NS: u64 = 1_000_000;

/// A frame: when it went, its stream, its number.
type Gone = (u64, u16, u64);

fn source(rates: &[f64], pattern: Pattern, duration_ns: u64, step: Option<(u64, f64)>) -> Source {
    let spec = |(id, rate_fps): (u16, &f64)| StreamSpec {
        pattern,
        ..StreamSpec::new(id, 1, 79, *rate_fps)
    };
    let streams = Stream::all((0..).zip(rates).map(spec)).unwrap();
    let mut source = Source::new(&streams, BACKLOG);
    source.pause_when_late(duration_ns);
    source.start(START_NS);
    source.stop(START_NS + duration_ns);
    if let Some((after_ns, factor)) = step {
        source.change(START_NS + after_ns, factor);
    }
    source
}

/// Sends all frames; `stall` says for how long the sender is away after each look, which else come every 2 us.
fn run(source: &mut Source, mut stall: impl FnMut(u64) -> u64) -> Vec<Gone> {
    let (mut gone, mut now_ns, mut slot) = (Vec::new(), START_NS, [0; 128]);
    loop {
        source.give_up(now_ns);
        while let Some(frame) = source.next(now_ns) {
            let octets = frame.octets();
            frame.write(&mut slot[..octets]);
            let octets = slot[SIGNATURE_AT..].first_chunk().unwrap();
            let signature = crate::signature::Signature::decode(octets).unwrap();
            gone.push((now_ns, signature.stream, signature.sequence));
        }
        if source.due_ns() == u64::MAX {
            source.give_up_rest();
            return gone;
        }
        now_ns += 2_000 + stall(now_ns);
    }
}

fn order(gone: &[Gone]) -> Vec<(u16, u64)> {
    gone.iter().map(|(_, stream, n)| (*stream, *n)).collect()
}

/// A stall of 1 to 5 ms with a chance of one in `one_in` a look; as many as fit into what a trial may pause.
fn stalls(seed: u64, one_in: u64, most_ns: u64) -> impl FnMut(u64) -> u64 {
    let (mut state, mut left_ns) = (seed | 1, most_ns);
    move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let stall_ns = 1_000_000 + state / one_in % 4_000_000;
        if !state.is_multiple_of(one_in) || stall_ns > left_ns {
            return 0;
        }
        left_ns -= stall_ns;
        stall_ns
    }
}

fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(2544),
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(seeded(64))]

    #[test]
    fn a_stall_moves_the_schedule_and_changes_no_frame(
        rates in proptest::collection::vec(10_000.0f64..200_000.0, 1..4),
        seed in any::<u64>(),
        one_in in 200u64..20_000,
        step in proptest::option::of((0u64..400_000_000, 0.5f64..1.5)),
    ) {
        let duration_ns = 400_000_000;
        let most_ns = (duration_ns as f64 * MOST_PAUSED) as u64;
        let mut still = source(&rates, Pattern::Even, duration_ns, step);
        let unmoved = run(&mut still, |_| 0);
        let mut paused = source(&rates, Pattern::Even, duration_ns, step);
        let (mut stall, mut stalled) = (stalls(seed, one_in, most_ns), Vec::new());
        let gone = run(&mut paused, |now_ns| {
            let stall_ns = stall(now_ns);
            if stall_ns > 0 {
                stalled.push((now_ns, stall_ns));
            }
            stall_ns
        });
        // Every frame once, streams interleaved as ever, none given up.
        prop_assert_eq!(order(&gone), order(&unmoved));
        prop_assert!(paused.sent().eq(still.sent()));
        prop_assert!(paused.sent().all(|sent| sent.unsent == 0));
        // The account is what the schedule moved by: the last frame says so, to a look.
        let account = paused.pauses();
        let moved_ns = gone.last().unwrap().0 - unmoved.last().unwrap().0;
        prop_assert!(moved_ns.abs_diff(account.shift_ns()) <= PATIENCE_NS + 2_000);
        let stalled_ns: u64 = stalled.iter().map(|(_, ns)| ns).sum();
        prop_assert!(account.shift_ns() <= stalled_ns + 2_000 * stalled.len() as u64);
        prop_assert!(account.longest_ns <= account.paused_ns);
        // Within any time, no more frames go than in that time and the patience by the schedule: a device sees no burst.
        let fps: f64 = rates.iter().sum::<f64>() * step.map_or(1.0, |(_, factor)| factor.max(1.0));
        let patience_ns = PATIENCE_NS.max((4e9 / rates.iter().sum::<f64>()) as u64);
        for window in [1, 4, 16, 64] {
            let most = |ns: u64| (ns + patience_ns + 2_000) as f64 * fps / 1e9 + 1.0 + rates.len() as f64;
            for frames in gone.windows(window + 1) {
                let ns = frames[window].0 - frames[0].0;
                prop_assert!(window as f64 <= most(ns), "{} frames in {} ns", window, ns);
            }
        }
    }

    #[test]
    fn the_step_moves_with_what_was_before_it(
        seed in any::<u64>(),
        after_ns in 100_000_000u64..300_000_000,
    ) {
        let step = Some((after_ns, 0.5));
        let mut s = source(&[100_000.0], Pattern::Even, 400_000_000, step);
        let gone = run(&mut s, stalls(seed, 20_000, 4_000_000));
        let stepped_ns = START_NS + after_ns + s.pauses().before_step_ns;
        // 10 us between frames up to there, 20 us from there on; and a stall is at least 1 ms.
        let rate = |from_ns: u64, to_ns: u64| {
            let gaps = gone.windows(2).filter(|w| from_ns <= w[0].0 && w[1].0 < to_ns);
            let gaps: Vec<u64> = gaps.map(|w| w[1].0 - w[0].0).filter(|gap| *gap < 500_000).collect();
            gaps.iter().sum::<u64>() as f64 / gaps.len() as f64
        };
        prop_assert!((rate(START_NS, stepped_ns) - 10_000.0).abs() < 100.0);
        prop_assert!((rate(stepped_ns + 20_000, u64::MAX) - 20_000.0).abs() < 200.0);
    }
}

#[test]
fn a_pause_is_booked_to_the_nanosecond() {
    let mut s = source(&[1e6, 1e6], Pattern::Even, 1_000_000_000, None);
    let mut slot = [0; 128];
    let mut take = |s: &mut Source| {
        let frame = s.next(u64::MAX - 1).unwrap();
        let octets = frame.octets();
        frame.write(&mut slot[..octets]);
    };
    // The streams begin half a period apart.
    take(&mut s);
    assert_eq!(s.due_ns(), START_NS + 500);
    s.give_up(START_NS + 500 + PATIENCE_NS);
    assert_eq!(
        (s.due_ns(), s.pauses()),
        (START_NS + 500, Pauses::default())
    );
    s.give_up(START_NS + 2_000_500);
    assert_eq!(s.due_ns(), START_NS + 2_000_500);
    take(&mut s);
    assert_eq!(s.due_ns(), START_NS + 2_001_000, "half a period on");
    take(&mut s);
    s.give_up(START_NS + 3_001_500);
    let account = Pauses {
        count: 2,
        paused_ns: 3_000_000,
        longest_ns: 2_000_000,
        ..Pauses::default()
    };
    assert_eq!(s.pauses(), account);
    assert_eq!(account.shift_ns(), 3_000_000);
}

#[test]
fn a_late_start_tears_nothing() {
    let mut s = source(&[1e5], Pattern::Even, 10_000_000, None);
    s.give_up(START_NS + 7_000_000);
    let account = Pauses {
        late_start_ns: 7_000_000,
        ..Pauses::default()
    };
    assert_eq!((s.pauses(), s.due_ns()), (account, START_NS + 7_000_000));
}

#[test]
fn a_sender_that_is_always_late_gives_up_and_comes_to_an_end() {
    let duration_ns = 100_000_000;
    let mut s = source(&[1e5], Pattern::Even, duration_ns, None);
    let gone = run(&mut s, |_| 3_000_000);
    let (account, sent) = (s.pauses(), s.sent().next().unwrap());
    assert_eq!(sent.frames + sent.unsent, 10_000);
    assert_eq!(sent.frames, gone.len() as u64);
    assert!(sent.unsent > 5_000, "{sent:?}");
    // One pause beyond what may be: refused, with a known end.
    assert!(
        account.paused_ns > duration_ns / 100 && account.paused_ns < duration_ns / 100 + 3_010_000
    );
    let last_ns = gone.last().unwrap().0;
    assert!(last_ns < START_NS + duration_ns + account.shift_ns() + 3_010_000);
}

#[test]
fn what_is_left_of_a_burst_is_not_paused_for() {
    let mut s = source(&[1e5], Pattern::Bursts(50), 10_000_000, None);
    let mut slot = [0; 128];
    // A port that takes 300 us for half of a burst.
    for half in 0..2 {
        let now_ns = START_NS + half * 300_000;
        s.give_up(now_ns);
        for _ in 0..25 {
            let frame = s.next(now_ns).unwrap();
            let octets = frame.octets();
            frame.write(&mut slot[..octets]);
        }
    }
    assert_eq!(s.pauses(), Pauses::default());
    assert_eq!(s.due_ns(), START_NS + 500_000);
    s.give_up(START_NS + 900_000);
    assert_eq!(
        (s.pauses().paused_ns, s.due_ns()),
        (400_000, START_NS + 900_000)
    );
}
