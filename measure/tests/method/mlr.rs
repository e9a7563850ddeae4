//! RFC 9971: the bounds enclose the limit, whatever it is.

use std::time::Duration;

use pinode_measure::method::throughput::mlr::controller::{Controller, Input};
use pinode_measure::method::throughput::mlr::{Goal, GoalResult, Settings, search};
use pinode_measure::method::{MethodError, Outcome, TestBed};
use proptest::prelude::*;

use crate::seeded;
use crate::sim::{Queue, Sim, Watcher, timing, traffic};

const LINE: f64 = 20_000.0;

fn run(sim: &mut Sim, settings: &Settings) -> (Outcome<GoalResult>, Watcher) {
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(sim, &mut watcher, timing());
    let outcome = search(&mut bed, &traffic(&[LINE]), settings).unwrap();
    (outcome, watcher)
}

fn goal(loss_ratio: f64, exceed_ratio: f64, width: f64) -> Goal {
    Goal {
        exceed_ratio,
        width,
        final_trial: Duration::from_secs(1),
        duration_sum: Duration::from_secs(5),
        ..Goal::csit("goal", loss_ratio)
    }
}

/// Bounds as parts of the line rate.
fn bounds(result: &GoalResult) -> (f64, f64) {
    let stream = &result.streams[0];
    (stream.lower_fps / LINE, stream.upper_fps.unwrap() / LINE)
}

/// Where a queue with `room` loses just `loss_ratio` of a second's frames: between the two, as the room hides some.
fn exact(limit: f64, loss_ratio: f64, room: u32) -> (f64, f64) {
    let at = limit / (1.0 - loss_ratio);
    (at, at + f64::from(room + 1) / LINE / (1.0 - loss_ratio))
}

proptest! {
    #![proptest_config(seeded(60))]

    #[test]
    fn relevant_bounds_enclose_the_limit_of_every_goal(
        limit in 0.02f64..0.75,
        losses in proptest::collection::vec(prop_oneof![Just(0.0), 0.001f64..0.2], 1..4),
        exceed in prop_oneof![Just(0.0), Just(0.5), 0.05f64..0.9],
        width in 0.001f64..0.05,
        initial in prop_oneof![Just(None), Just(Some(Duration::from_millis(100)))],
    ) {
        let goals: Vec<Goal> = losses
            .iter()
            .map(|loss| Goal { initial_trial: initial, ..goal(*loss, exceed, width) })
            .collect();
        let mut sim = Sim::new(vec![Queue::new(LINE * limit, 4)]);
        let (outcome, watcher) = run(&mut sim, &Settings::new(goals));
        prop_assert_eq!(outcome.results.len(), losses.len());
        for (result, loss) in outcome.results.iter().zip(&losses) {
            let (lower, upper) = bounds(result);
            prop_assert!(result.is_regular && upper - lower <= width * upper * (1.0 + 1e-9));
            // Shorter trials hide no less of what a room of 4 takes: the lossless limit is of the longest.
            let (from, to) = exact(limit, *loss, 4);
            prop_assert!(lower <= to && upper >= from, "{lower}..{upper} around {from}..{to}");
            // The device is the same in every trial: conditional throughput is its forwarding rate at the bound.
            let stream = &result.streams[0];
            prop_assert!(stream.fps <= stream.lower_fps && stream.fps >= stream.lower_fps * (1.0 - loss));
            prop_assert_eq!(&*stream.limited_by, "device");
        }
        // Goals share trials: a further one of the same durations costs less than a search of its own.
        let most = 30 + 20 * losses.len();
        prop_assert!(watcher.records.len() <= most, "{} trials for {} goals", watcher.records.len(), losses.len());
    }

    /// A goal that tolerates half of the time above its loss ratio is not misled by stalls in a fifth of the trials.
    #[test]
    fn noise_within_the_exceed_ratio_is_survived(limit in 0.1f64..0.9, seed in 1u64..1_000_000) {
        let mut sim = Sim::new(vec![Queue::new(LINE * limit, 4)]);
        sim.stalls = (20, Duration::from_millis(20));
        sim.seed(seed);
        let noisy = Goal { duration_sum: Duration::from_secs(21), ..goal(0.0, 0.5, 0.005) };
        let (outcome, watcher) = run(&mut sim, &Settings::new(vec![noisy]));
        let (lower, upper) = bounds(&outcome.results[0]);
        let (from, to) = exact(limit, 0.0, 4);
        prop_assert!(outcome.results[0].is_regular);
        prop_assert!(lower <= to && upper >= from * 0.9999, "{lower}..{upper} around {from}..{to}");
        prop_assert!(watcher.records.len() < 200, "{} trials", watcher.records.len());
    }
}

#[test]
fn no_drop_and_partial_drop_rate_share_a_search() {
    let trials = |goals: Vec<Goal>| {
        let mut sim = Sim::new(vec![Queue::new(LINE * 0.6, 4)]);
        let (outcome, watcher) = run(&mut sim, &Settings::new(goals));
        assert!(outcome.results.iter().all(|r| r.is_regular), "{outcome:?}");
        watcher.records.len()
    };
    let [ndr, pdr]: [Goal; 2] = Goal::csit_pair().try_into().unwrap();
    let both = trials(vec![ndr.clone(), pdr.clone()]);
    let apart = trials(vec![ndr.clone()]) + trials(vec![pdr.clone()]);
    let swapped = trials(vec![pdr, ndr]);
    assert!(both < apart, "{both} against {apart}");
    assert!(
        both.abs_diff(swapped) < both / 2,
        "{both} against {swapped} in the other order"
    );
}

#[test]
fn the_goal_of_rfc_2544_finds_its_throughput_with_few_long_trials() {
    let mut sim = Sim::new(vec![Queue::new(600.0, 4)]);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = search(
        &mut bed,
        &traffic(&[1000.0]),
        &Settings::new(vec![Goal::rfc2544()]),
    )
    .unwrap();
    let found = &outcome.results[0].streams[0];
    assert!(
        found.lower_fps <= 600.1 && found.upper_fps.unwrap() >= 600.0,
        "{found:?}"
    );
    assert_eq!(
        found.fps, found.lower_fps,
        "nothing is lost at a lower bound of this goal"
    );
    let long = watcher
        .records
        .iter()
        .filter(|r| r.duration_s >= 60.0)
        .count();
    assert!(
        (2..=5).contains(&long),
        "{long} of {} trials took 60 s",
        watcher.records.len()
    );
    assert!(watcher.records.iter().any(|r| r.duration_s == 1.0));
}

#[test]
fn tst009_forgives_one_lossy_trial_of_two() {
    let mut sim = Sim::new(vec![Queue::new(600.0, 4)]);
    sim.stalls = (20, Duration::from_millis(50));
    sim.seed(5);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = search(
        &mut bed,
        &traffic(&[1000.0]),
        &Settings::new(vec![Goal::tst009()]),
    )
    .unwrap();
    let found = &outcome.results[0].streams[0];
    assert!(
        outcome.results[0].is_regular && found.fps > 590.0,
        "{found:?}"
    );
}

/// Loss inversion (RFC 9971 5.3.2, 5.3.3): the smallest upper bound is real, lower bounds above it are flukes.
#[test]
fn a_lower_bound_above_an_upper_one_is_not_relevant() {
    let strict = Goal::rfc2544();
    let mut controller = Controller::new(std::slice::from_ref(&strict), 0.001, 1.0);
    let mut add = |load: f64, loss_ratio: f64| {
        let input = Input {
            load,
            duration_s: 60.0,
            goal: 0,
        };
        controller.add(&input, loss_ratio, 1.0);
        let bounds = controller.bounds(&strict);
        (bounds.lower, bounds.upper)
    };
    assert_eq!(add(1.0, 0.0), (Some(1.0), None));
    assert_eq!(add(0.5, 0.0), (Some(1.0), None));
    assert_eq!(add(0.8, 0.1), (Some(0.5), Some(0.8)));
    assert_eq!(add(0.9, 0.1), (Some(0.5), Some(0.8)));
    assert_eq!(add(0.4, 0.1), (None, Some(0.4)));
    assert_eq!(add(0.3, 0.0), (Some(0.3), Some(0.4)));
}

#[test]
fn a_line_that_holds_is_an_irregular_result() {
    let mut sim = Sim::new(vec![Queue::new(1e6, 64)]);
    let (outcome, watcher) = run(&mut sim, &Settings::new(Goal::csit_pair()));
    for result in &outcome.results {
        let stream = &result.streams[0];
        assert!(!result.is_regular);
        assert_eq!(
            (stream.fps, stream.upper_fps, &*stream.limited_by),
            (LINE, None, "line")
        );
    }
    // 11 trials of 1 s without loss leave less than half of 21 s open: the second goal takes the same ones.
    assert_eq!(watcher.records.len(), 11);
    assert!(
        outcome.notes[0].contains("irregular result"),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn a_device_that_always_fails_has_no_lower_bound() {
    let lossy = Queue {
        lossy_per_mille: 500,
        ..Queue::new(1e6, 64)
    };
    let settings = Settings {
        least: 0.01,
        ..Settings::new(vec![goal(0.0, 0.5, 0.01)])
    };
    let (outcome, watcher) = run(&mut Sim::new(vec![lossy]), &settings);
    let stream = &outcome.results[0].streams[0];
    assert!(!outcome.results[0].is_regular);
    assert_eq!(
        (stream.fps, stream.lower_fps, &*stream.limited_by),
        (0.0, 0.0, "device")
    );
    assert_eq!(stream.upper_fps, Some(LINE * 0.01), "the min load fails");
    assert!(watcher.records.len() < 60, "{}", watcher.records.len());
}

#[test]
fn the_tester_is_never_taken_for_the_device() {
    let mut sim = Sim::new(vec![Queue::new(16_000.0, 8)]);
    sim.sends_fps = 12_000.0;
    let (outcome, watcher) = run(&mut sim, &Settings::new(vec![goal(0.0, 0.5, 0.01)]));
    let stream = &outcome.results[0].streams[0];
    assert_eq!((stream.upper_fps, &*stream.limited_by), (None, "tester"));
    assert!((stream.fps / 12_000.0 - 1.0).abs() < 0.011, "{stream:?}");
    assert!(watcher.records.iter().any(|r| r.refused));
    assert!(
        outcome
            .notes
            .iter()
            .any(|n| n.contains("the tester could not send")),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn an_end_keeps_the_bounds_that_are_known() {
    let mut sim = Sim::new(vec![Queue::new(12_000.0, 4)]);
    let mut watcher = Watcher {
        stops_in: Some(6),
        ..Watcher::default()
    };
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = search(
        &mut bed,
        &traffic(&[LINE]),
        &Settings::new(Goal::csit_pair()),
    )
    .unwrap();
    assert!(outcome.is_partial);
    assert_eq!(
        (outcome.results.len(), outcome.results[0].streams[0].trials),
        (2, 6)
    );
    assert!(outcome.results.iter().all(|r| !r.is_regular));
    assert_eq!(watcher.records.len(), 7);
}

#[test]
fn a_search_is_given_up_in_the_end() {
    let mut sim = Sim::new(vec![Queue::new(12_000.0, 4)]);
    let settings = Settings {
        most_trials: 5,
        ..Settings::new(Goal::csit_pair())
    };
    let (outcome, watcher) = run(&mut sim, &settings);
    assert_eq!(watcher.records.len(), 5);
    assert!(
        !outcome.is_partial && outcome.notes[0].contains("given up after 5 trials"),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn goals_out_of_range_are_named() {
    let good = Goal::rfc2544();
    let goals = [
        Goal {
            final_trial: Duration::ZERO,
            ..good.clone()
        },
        Goal {
            duration_sum: Duration::ZERO,
            ..good.clone()
        },
        Goal {
            loss_ratio: 1.0,
            ..good.clone()
        },
        Goal {
            exceed_ratio: -0.1,
            ..good.clone()
        },
        Goal {
            width: 0.0,
            ..good.clone()
        },
        Goal {
            initial_trial: Some(Duration::from_secs(61)),
            ..good.clone()
        },
    ];
    let mut inputs: Vec<_> = goals.map(|g| Settings::new(vec![g])).into();
    inputs.push(Settings::new(vec![]));
    inputs.push(Settings {
        least: 0.0,
        ..Settings::new(vec![good.clone()])
    });
    inputs.push(Settings {
        most: f64::INFINITY,
        ..Settings::new(vec![good])
    });
    for settings in inputs {
        let (mut sim, mut watcher) = (Sim::new(vec![]), Watcher::default());
        let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
        let error = search(&mut bed, &traffic(&[1.0]), &settings).unwrap_err();
        assert!(matches!(error, MethodError::Setting { .. }), "{error}");
    }
}
