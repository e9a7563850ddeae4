//! RFC 2544 26.1, by halving.

use std::time::Duration;

use pinode_measure::method::throughput::binary::{Settings, search, search_each};
use pinode_measure::method::{MethodError, Outcome, TestBed, Timing, WarmUp};
use pinode_measure::results::Throughput;
use proptest::prelude::*;

use crate::seeded;
use crate::sim::{Queue, Sim, Watcher, timing, traffic};

fn run(sim: &mut Sim, rates: &[f64], settings: &Settings) -> (Outcome<Throughput>, Watcher) {
    let mut watcher = Watcher::default();
    let outcome = search(
        &mut TestBed::new(sim, &mut watcher, timing()),
        &traffic(rates),
        settings,
    );
    (outcome.unwrap(), watcher)
}

proptest! {
    #![proptest_config(seeded(60))]

    #[test]
    fn a_known_limit_is_found_in_as_many_trials_as_halving_takes(
        limit in 0.02f64..0.99,
        resolution in 0.001f64..0.005,
    ) {
        const LINE: f64 = 20_000.0;
        // Room for a few frames: in a second the queue takes 4 frames above the limit.
        let mut sim = Sim::new(vec![Queue::new(LINE * limit, 4)]);
        let settings = Settings { resolution, ..Settings::rfc2544() };
        let (outcome, watcher) = run(&mut sim, &[LINE], &settings);
        let found = &outcome.results[0];
        // The queue hides 4 frames of a trial.
        let hidden = 5.0 / LINE;
        let share = found.fps / LINE;
        prop_assert!(share <= limit + hidden, "{share} of {limit}");
        prop_assert!(share >= limit * (1.0 - resolution), "{share} of {limit}");
        let upper = found.upper_fps.unwrap() / LINE;
        prop_assert!(upper > limit && upper - share <= resolution * upper);
        // Between L and L + 2^-k the search ends with the k-th halving: 2^-k <= r (L + 2^-k) at the latest.
        let halvings = |width: f64| (1.0 / width).log2().ceil() as u32;
        let at_most = 1 + halvings(resolution * limit);
        let at_least = 1 + halvings(resolution * (limit + hidden) / (1.0 - resolution));
        prop_assert!((at_least..=at_most).contains(&found.trials), "{} of {at_least}..={at_most}", found.trials);
        prop_assert_eq!(found.trials as usize, watcher.records.len());
        prop_assert_eq!(watcher.paused, timing().restabilise * (found.trials - 1));
        prop_assert_eq!(&*found.limited_by, "device");
        prop_assert!(watcher.left.is_sorted_by(|a, b| a >= b), "time left rises: {:?}", watcher.left);
        prop_assert_eq!(*watcher.left.last().unwrap(), timing().cost(timing().trial));
    }

    #[test]
    fn a_goal_with_loss_finds_where_that_much_is_lost(limit in 0.2f64..0.8, goal in 0.01f64..0.2) {
        const LINE: f64 = 20_000.0;
        let mut sim = Sim::new(vec![Queue::new(LINE * limit, 4)]);
        let settings = Settings { goal_loss_ratio: goal, ..Settings::rfc2544() };
        let (outcome, _) = run(&mut sim, &[LINE], &settings);
        // At rate x the part 1 - L/x is lost.
        let exact = (limit / (1.0 - goal)).min(1.0);
        let share = outcome.results[0].fps / LINE;
        prop_assert!(share <= exact * 1.002 && share >= exact * 0.994, "{share} of {exact}");
    }
}

#[test]
fn a_device_at_line_rate_takes_one_trial() {
    let mut sim = Sim::new(vec![Queue::new(1e6, 64)]);
    let (outcome, _) = run(&mut sim, &[10_000.0], &Settings::rfc2544());
    let found = &outcome.results[0];
    assert_eq!(
        (found.trials, found.fps, found.upper_fps),
        (1, 10_000.0, None)
    );
    assert_eq!((&*found.limited_by, found.share_of_ceiling), ("line", 1.0));
    assert_eq!(found.l2_bps, 10_000.0 * 128.0 * 8.0);
    assert!(!outcome.is_partial && outcome.notes.is_empty());
}

#[test]
fn a_device_that_always_loses_has_no_throughput() {
    let lossy = Queue {
        lossy_per_mille: 500,
        ..Queue::new(1e6, 64)
    };
    let (outcome, watcher) = run(
        &mut Sim::new(vec![lossy]),
        &[10_000.0],
        &Settings::rfc2544(),
    );
    let found = &outcome.results[0];
    assert_eq!((found.fps, &*found.limited_by), (0.0, "device"));
    assert_eq!(found.upper_fps, Some(10.0), "lossy down to the lowest load");
    // 1, 1/2, ... 1/512, and the lowest.
    assert_eq!(watcher.records.len(), 11);
}

#[test]
fn the_tester_is_never_taken_for_the_device() {
    // It sends up to 6000 of the 8000 that the device would take.
    let mut sim = Sim::new(vec![Queue::new(8_000.0, 8)]);
    sim.sends_fps = 6_000.0;
    let (outcome, watcher) = run(&mut sim, &[10_000.0], &Settings::rfc2544());
    let found = &outcome.results[0];
    assert_eq!((&*found.limited_by, found.upper_fps), ("tester", None));
    assert!((found.fps / 6_000.0 - 1.0).abs() < 0.006, "{}", found.fps);
    let refused = watcher.records.iter().filter(|r| r.refused).count();
    assert!(
        refused > 0 && refused % 3 == 0,
        "each tried three times: {refused}"
    );
    assert!(
        watcher
            .records
            .iter()
            .all(|r| r.refused == (r.streams[0].offered_fps > 6_007.0))
    );
    assert!(
        outcome.notes[0].contains("the tester could not send"),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn three_streams_share_one_factor_and_the_weakest_decides() {
    let rates = [20_000.0, 10_000.0, 5_000.0];
    let queues = [0.9, 0.4, 0.7]
        .iter()
        .zip(rates)
        .map(|(l, r)| Queue::new(l * r, 3))
        .collect();
    let (outcome, _) = run(&mut Sim::new(queues), &rates, &Settings::rfc2544());
    for (found, rate) in outcome.results.iter().zip(rates) {
        assert!((found.fps / rate - 0.4).abs() < 0.003, "{found:?}");
    }
}

#[test]
fn each_stream_has_its_own_rate_with_the_others_offered() {
    let rates = [20_000.0, 10_000.0, 5_000.0];
    let limits = [0.9, 0.4, 0.7];
    let queues = limits
        .iter()
        .zip(rates)
        .map(|(l, r)| Queue::new(l * r, 3))
        .collect();
    let (mut sim, mut watcher) = (Sim::new(queues), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    // The others are above what they can: only the one that is searched is judged.
    let outcome = search_each(&mut bed, &traffic(&rates), &rates, &Settings::rfc2544()).unwrap();
    for (found, (limit, rate)) in outcome.results.iter().zip(limits.iter().zip(rates)) {
        assert!(
            (found.fps / (limit * rate) - 1.0).abs() < 0.005,
            "{found:?}"
        );
    }
    let made: u32 = outcome.results.iter().map(|r| r.trials).sum();
    assert_eq!(made as usize, watcher.records.len());
    assert_eq!(watcher.records[0].streams[1].offered_fps, 10_000.0);
}

#[test]
fn confirmations_pardon_a_machine_that_stands_still() {
    // In every fourth trial it is away for 5 ms: 8 frames of room are 0.4 ms here.
    let settings = |confirmations| Settings {
        confirmations,
        ..Settings::rfc2544()
    };
    let found = |confirmations| {
        let mut sim = Sim::new(vec![Queue::new(16_000.0, 8)]);
        sim.stalls = (25, Duration::from_millis(5));
        sim.seed(3);
        run(&mut sim, &[20_000.0], &settings(confirmations)).0
    };
    let strict = found(0).results[0].fps;
    assert!(
        strict < 15_000.0,
        "a stall ends the search too low: {strict}"
    );
    let confirmed = found(4);
    assert!(
        (confirmed.results[0].fps / 16_000.0 - 1.0).abs() < 0.005,
        "{confirmed:?}"
    );
    assert_eq!(confirmed.results[0].confirmations, 4);
    assert!(
        confirmed.notes[0].contains("when 5 trials in a row lost frames"),
        "{:?}",
        confirmed.notes
    );
}

#[test]
fn an_end_keeps_what_is_known() {
    let rates = [20_000.0];
    for (stops_before, stops_in) in [(Some(4), None), (None, Some(4))] {
        let mut sim = Sim::new(vec![Queue::new(12_000.0, 4)]);
        let mut watcher = Watcher {
            stops_before,
            stops_in,
            ..Watcher::default()
        };
        let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
        let outcome = search(&mut bed, &traffic(&rates), &Settings::rfc2544()).unwrap();
        assert!(outcome.is_partial);
        // 1 and 3/4 failed, 1/2 held, 5/8 failed; the fifth ended early and counts for nothing.
        let found = &outcome.results[0];
        assert_eq!(
            (found.fps, found.upper_fps, found.trials),
            (10_000.0, Some(12_500.0), 4)
        );
        assert_eq!(watcher.records.len(), 4 + usize::from(stops_in.is_some()));
    }
    let mut sim = Sim::new(vec![Queue::new(12_000.0, 4)]);
    let mut watcher = Watcher {
        stops_before: Some(0),
        ..Watcher::default()
    };
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = search(&mut bed, &traffic(&rates), &Settings::rfc2544()).unwrap();
    assert!(outcome.is_partial && outcome.results.is_empty());
    assert_eq!(sim.trials, 0);
}

#[test]
fn learning_frames_count_for_nothing() {
    let mut sim = Sim::new(vec![Queue::new(1e6, 64)]);
    let mut watcher = Watcher::default();
    let timing = Timing {
        warm_up: Some(WarmUp {
            duration: Duration::from_millis(200),
            load: 0.1,
        }),
        ..timing()
    };
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing);
    search(&mut bed, &traffic(&[1_000.0]), &Settings::rfc2544()).unwrap();
    assert_eq!(
        (watcher.warm_ups, watcher.records.len(), sim.trials),
        (1, 1, 2)
    );
    assert_eq!(watcher.paused, timing.restabilise);
}

#[test]
fn settings_out_of_range_are_named() {
    let settings = [
        Settings {
            goal_loss_ratio: 1.0,
            ..Settings::rfc2544()
        },
        Settings {
            resolution: 0.0,
            ..Settings::rfc2544()
        },
        Settings {
            start: f64::NAN,
            ..Settings::rfc2544()
        },
        Settings {
            lowest: 2.0,
            ..Settings::rfc2544()
        },
    ];
    for settings in settings {
        let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(1.0, 1)]), Watcher::default());
        let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
        let error = search(&mut bed, &traffic(&[1_000.0]), &settings).unwrap_err();
        assert!(matches!(error, MethodError::Setting { .. }), "{error}");
        assert!(error.to_string().contains(", allowed is "), "{error}");
        assert_eq!(sim.trials, 0);
    }
    let (mut sim, mut watcher) = (Sim::new(vec![]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let error = search(&mut bed, &traffic(&[]), &Settings::rfc2544()).unwrap_err();
    assert!(matches!(error, MethodError::NoStream), "{error}");
    let error = search_each(
        &mut bed,
        &traffic(&[1.0]),
        &[1.0, 2.0],
        &Settings::rfc2544(),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            MethodError::PerStream {
                found: 2,
                streams: 1,
                ..
            }
        ),
        "{error}"
    );
}

/// The loss of one stream is not made good by another's frames.
#[test]
fn a_loss_ratio_is_that_of_the_stream_that_lost_most() {
    let mut sim = Sim::new(vec![Queue::new(8_500.0, 4), Queue::new(1e6, 4)]);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let settings = Settings {
        goal_loss_ratio: 0.1,
        ..Settings::rfc2544()
    };
    let outcome = search(&mut bed, &traffic(&[1e4; 2]), &settings).unwrap();
    let exact = 8_500.0 / 0.9;
    for found in &outcome.results {
        let upper = found.upper_fps.unwrap();
        assert!(
            found.lower_fps <= exact + 5.0 && upper >= exact,
            "{found:?}"
        );
    }
}
