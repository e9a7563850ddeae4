//! Latency, loss, recovery, reset and saturation: what was put into the device comes out.

use std::time::Duration;

use pinode_measure::method::{Finished, MethodError, Observer, Progress, TestBed};
use pinode_measure::method::{latency, loss, recovery, reset, saturation};
use pinode_measure::results::Test;
use pinode_measure::trial::{Glimpse, Reset};

use crate::sim::{Queue, Sim, Watcher, timing, traffic};

#[test]
fn latency_is_that_of_the_queue() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 8), Queue::new(20_000.0, 8)]);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let settings = latency::Settings {
        duration: Duration::from_secs(2),
        repetitions: 4,
    };
    let rates = [10_000.0, 5_000.0];
    let outcome = latency::measure(&mut bed, &traffic(&[20_000.0; 2]), &rates, &settings).unwrap();
    // A lone frame takes the time that serves it: 20 us and 50 us.
    for (found, (ns, rate)) in outcome
        .results
        .iter()
        .zip([20_000.0, 50_000.0].into_iter().zip(rates))
    {
        assert_eq!(
            (found.repetitions.len(), found.lost, found.offered_fps),
            (4, 0, rate)
        );
        assert!((found.mean_ns / ns - 1.0).abs() < 0.001, "{found:?}");
    }
    assert_eq!(watcher.records.len(), 4);
    assert_eq!(
        (watcher.records[0].test, watcher.records[0].duration_s),
        (Test::Latency, 2.0)
    );
    assert!(outcome.notes.is_empty());
}

#[test]
fn latency_above_the_throughput_says_that_it_lost() {
    let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(5_000.0, 8)]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = latency::measure(
        &mut bed,
        &traffic(&[1e4]),
        &[1e4],
        &latency::Settings::quick(),
    )
    .unwrap();
    assert!(
        outcome.notes[0].contains("frames were lost"),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn the_loss_curve_is_that_of_the_queue_and_ends_with_two_clean_loads() {
    let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(6_500.0, 4)]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome =
        loss::measure(&mut bed, &traffic(&[10_000.0]), &loss::Settings::rfc2544()).unwrap();
    let loads: Vec<f64> = outcome
        .results
        .iter()
        .map(|p| (p.load * 10.0).round())
        .collect();
    assert_eq!(loads, [10.0, 9.0, 8.0, 7.0, 6.0, 5.0]);
    for point in &outcome.results {
        let exact = (1.0 - 0.65 / point.load).max(0.0);
        assert!((point.loss_ratio - exact).abs() < 0.001, "{point:?}");
    }
    assert_eq!(
        (outcome.results[4].loss_ratio, outcome.results[5].loss_ratio),
        (0.0, 0.0)
    );
}

#[test]
fn a_curve_that_never_gets_clean_ends_at_the_last_step() {
    let lossy = Queue {
        lossy_per_mille: 100,
        ..Queue::new(1e6, 8)
    };
    let (mut sim, mut watcher) = (Sim::new(vec![lossy]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome =
        loss::measure(&mut bed, &traffic(&[10_000.0]), &loss::Settings::rfc2544()).unwrap();
    assert_eq!(outcome.results.len(), 10);
    assert!((outcome.results[9].load - 0.1).abs() < 1e-9);
}

#[test]
fn a_curve_that_is_ended_keeps_its_points() {
    let (mut sim, mut watcher) = (
        Sim::new(vec![Queue::new(100.0, 4)]),
        Watcher {
            stops_in: Some(3),
            ..Watcher::default()
        },
    );
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome =
        loss::measure(&mut bed, &traffic(&[10_000.0]), &loss::Settings::rfc2544()).unwrap();
    assert!(outcome.is_partial);
    assert_eq!((outcome.results.len(), watcher.records.len()), (3, 4));
}

#[test]
fn recovery_takes_as_long_as_was_put_in() {
    let mut sim = Sim::new(vec![Queue::new(10_000.0, 16), Queue::new(10_000.0, 16)]);
    sim.recovers_after = Duration::from_millis(730);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let settings = recovery::Settings {
        most: 2.0,
        repetitions: 3,
        ..recovery::Settings::quick()
    };
    let outcome = recovery::measure(
        &mut bed,
        &traffic(&[10_000.0; 2]),
        &[10_000.0, 4_000.0],
        &settings,
    )
    .unwrap();
    let [slow, idle] = &outcome.results[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!(slow.offered_fps, [11_000.0, 5_500.0]);
    assert_eq!((slow.seconds.len(), slow.is_at_least), (3, false));
    // The last of every ten frames lost at 5500 frames/s, and the frame behind it: within 2 ms.
    assert!((slow.mean_s - 0.730).abs() < 0.002, "{slow:?}");
    // 110 % of what the other was said to do is no overload of it.
    assert_eq!((idle.mean_s, idle.lost[0]), (0.0, 0));
    assert!(
        outcome
            .notes
            .iter()
            .any(|n| n.contains("nothing to recover from")),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn an_overload_is_no_more_than_the_line_carries() {
    let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(9_800.0, 16)]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = recovery::measure(
        &mut bed,
        &traffic(&[10_000.0]),
        &[9_800.0],
        &recovery::Settings::quick(),
    )
    .unwrap();
    assert_eq!(outcome.results[0].offered_fps, [10_000.0, 5_000.0]);
    // Lost until the step, and at once no more: the frame behind the last lost one waited in a full queue.
    assert!(outcome.results[0].mean_s < 0.002, "{outcome:?}");
}

#[test]
fn a_device_that_does_not_recover_takes_at_least_as_long_as_it_was_watched() {
    let mut sim = Sim::new(vec![Queue::new(10_000.0, 16)]);
    sim.recovers_after = Duration::from_secs(100);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let settings = recovery::Settings {
        most: 2.0,
        ..recovery::Settings::quick()
    };
    let outcome =
        recovery::measure(&mut bed, &traffic(&[10_000.0]), &[10_000.0], &settings).unwrap();
    assert!(outcome.results[0].mean_s > 1.99, "{outcome:?}");
}

#[test]
fn a_reset_takes_as_long_as_was_put_in_by_both_methods() {
    let mut sim = Sim::new(vec![Queue::new(20_000.0, 16), Queue::new(20_000.0, 16)]);
    sim.reset = Duration::from_millis(412);
    let resets = sim.resets.clone();
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let settings = reset::Settings {
        repetitions: 2,
        ..reset::Settings::quick(Reset::Software)
    };
    let outcome = reset::measure(
        &mut bed,
        &traffic(&[20_000.0; 2]),
        &[10_000.0, 2_000.0],
        &settings,
    )
    .unwrap();
    assert_eq!(resets.get(), 2, "once a trial");
    for found in &outcome.results {
        assert_eq!(
            (found.test, found.seconds.len(), found.is_at_least),
            (Test::Reset, 2, false)
        );
        // To the time between two frames.
        let between = 1.1 / found.offered_fps[0];
        assert!((found.mean_s - 0.412).abs() <= between, "{found:?}");
        assert!(
            (found.loss_seconds[0] - 0.412).abs() <= between,
            "{found:?}"
        );
        let lost = (0.412 * found.offered_fps[0]) as u64;
        assert!(found.lost[0].abs_diff(lost) <= 1, "{found:?}");
    }
}

#[test]
fn a_device_that_never_comes_back_takes_at_least_until_the_end() {
    let mut sim = Sim::new(vec![Queue::new(20_000.0, 16)]);
    sim.reset = Duration::from_secs(1000);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = reset::measure(
        &mut bed,
        &traffic(&[1e4]),
        &[1e4],
        &reset::Settings::quick(Reset::Software),
    )
    .unwrap();
    let found = &outcome.results[0];
    assert!(
        found.is_at_least && (found.mean_s - 3.0).abs() < 0.001,
        "{found:?}"
    );
}

#[test]
fn a_device_that_cannot_be_reset_says_why_before_any_trial() {
    let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(1.0, 1)]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let error = reset::measure(
        &mut bed,
        &traffic(&[1.0]),
        &[1.0],
        &reset::Settings::quick(Reset::Command),
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "Command reset: no command was given");
    assert_eq!(sim.trials, 0);
}

#[test]
fn saturation_gives_the_share_of_the_ceiling() {
    // One stream reaches its ceiling of 10000, one has 90 % of it.
    let (mut sim, mut watcher) = (
        Sim::new(vec![Queue::new(10_000.0, 64), Queue::new(9_000.0, 500)]),
        Watcher::default(),
    );
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = saturation::measure(
        &mut bed,
        &traffic(&[10_000.0; 2]),
        &saturation::Settings::default(),
    )
    .unwrap();
    let shares: Vec<f64> = outcome.results.iter().map(|r| r.share_of_ceiling).collect();
    assert!(
        (shares[0] - 1.0).abs() < 1e-3 && (shares[1] - 0.9).abs() < 1e-3,
        "{shares:?}"
    );
    assert!(
        outcome
            .results
            .iter()
            .all(|r| (r.offered_fps - 11_000.0).abs() < 1e-6)
    );
    assert!(
        (outcome.results[1].loss_ratio - (1.0 - 9.5 / 11.0)).abs() < 1e-3,
        "a queue of 500 counts too"
    );
}

#[test]
fn a_tester_that_falls_short_gives_no_result() {
    let run = |what: &dyn Fn(&mut TestBed<'_>) -> (usize, Vec<String>)| {
        let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(1e6, 8)]), Watcher::default());
        sim.sends_fps = 5_000.0;
        what(&mut TestBed::new(&mut sim, &mut watcher, timing()))
    };
    let (traffic, rates) = (traffic(&[10_000.0]), [10_000.0]);
    let cases = [
        run(&|bed| {
            let o = latency::measure(bed, &traffic, &rates, &latency::Settings::quick()).unwrap();
            (o.results.len(), o.notes)
        }),
        run(&|bed| {
            let o = saturation::measure(bed, &traffic, &saturation::Settings::default()).unwrap();
            (o.results.len(), o.notes)
        }),
        run(&|bed| {
            let o = recovery::measure(bed, &traffic, &rates, &recovery::Settings::quick()).unwrap();
            (o.results.len(), o.notes)
        }),
        run(&|bed| {
            let o = reset::measure(
                bed,
                &traffic,
                &rates,
                &reset::Settings::quick(Reset::Software),
            )
            .unwrap();
            (o.results.len(), o.notes)
        }),
        run(&|bed| {
            let o = loss::measure(
                bed,
                &traffic,
                &loss::Settings {
                    step: 0.8,
                    ..loss::Settings::rfc2544()
                },
            )
            .unwrap();
            (o.results.len() - 1, o.notes)
        }),
    ];
    for (results, notes) in cases {
        assert_eq!(results, 0, "{notes:?}");
        assert!(notes[0].contains("the tester"), "{notes:?}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(1.0, 1)]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let (traffic, rates) = (traffic(&[1.0]), [1.0]);
    let none = latency::Settings {
        repetitions: 0,
        ..latency::Settings::quick()
    };
    let errors = [
        latency::measure(&mut bed, &traffic, &rates, &none).err(),
        latency::measure(&mut bed, &traffic, &[], &latency::Settings::quick()).err(),
        loss::measure(
            &mut bed,
            &traffic,
            &loss::Settings {
                from: 0.0,
                step: 0.1,
            },
        )
        .err(),
        loss::measure(
            &mut bed,
            &traffic,
            &loss::Settings {
                from: 1.0,
                step: 0.0,
            },
        )
        .err(),
        recovery::measure(
            &mut bed,
            &traffic,
            &rates,
            &recovery::Settings {
                overload: 0.5,
                ..recovery::Settings::quick()
            },
        )
        .err(),
        recovery::measure(
            &mut bed,
            &traffic,
            &rates,
            &recovery::Settings {
                drop_to: 1.0,
                ..recovery::Settings::quick()
            },
        )
        .err(),
        saturation::measure(
            &mut bed,
            &traffic,
            &saturation::Settings { above: f64::NAN },
        )
        .err(),
    ];
    for error in errors {
        let error = error.expect("refused");
        assert!(
            matches!(
                error,
                MethodError::Setting { .. } | MethodError::PerStream { .. }
            ),
            "{error}"
        );
    }
    assert_eq!(sim.trials, 0);
}

/// Looks at every load.
struct Loads(Watcher);

impl Observer for Loads {
    fn goes_on(&mut self, glimpse: Option<Glimpse>) -> bool {
        self.0.goes_on(glimpse)
    }
    fn pause(&mut self, time: Duration) {
        self.0.pause(time);
    }
    fn begins(&mut self, progress: &Progress<'_>) {
        assert_eq!(progress.test, Test::Recovery);
        assert_eq!(progress.load.step, Some((Duration::from_secs(2), 0.5)));
        self.0.begins(progress);
    }
    fn finished(&mut self, finished: &Finished<'_>) {
        assert_eq!(
            finished.trial.duration_s,
            finished.load.duration.as_secs_f64()
        );
        self.0.finished(finished);
    }
}

#[test]
fn the_observer_sees_the_load_as_it_is_offered() {
    let (mut sim, mut watcher) = (
        Sim::new(vec![Queue::new(900.0, 8)]),
        Loads(Watcher::default()),
    );
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    recovery::measure(
        &mut bed,
        &traffic(&[1e3]),
        &[900.0],
        &recovery::Settings::quick(),
    )
    .unwrap();
    assert_eq!(watcher.0.records.len(), 1);
}
