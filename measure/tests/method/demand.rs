//! Demands: exactly what is demanded is offered, and the verdict is the rule's.

use std::time::Duration;

use pinode_measure::method::demand::{Demanded, Settings, measure};
use pinode_measure::method::{MethodError, Outcome, TestBed, Timing, Traffic, WarmUp};
use pinode_measure::results::{DemandRecord, SizeLabel, Test};

use crate::sim::{Queue, Sim, Watcher, timing, traffic};

const SETTINGS: Settings = Settings {
    duration: Duration::from_secs(1),
    repetitions: 5,
};

fn demanded(fps: f64, burst: u32, bound_us: Option<u64>) -> Demanded {
    Demanded {
        fps,
        burst,
        bound_ns: bound_us.map(|us| us * 1000),
    }
}

fn on(sim: &mut Sim, watcher: &mut Watcher, demands: &[Demanded]) -> Outcome<DemandRecord> {
    let rates: Vec<f64> = demands.iter().map(|demand| demand.fps).collect();
    let mut bed = TestBed::new(sim, watcher, timing());
    measure(&mut bed, &traffic(&rates), demands, &SETTINGS).unwrap()
}

#[test]
fn what_is_demanded_is_offered_and_met() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 64), Queue::new(20_000.0, 64)]);
    let mut watcher = Watcher::default();
    // A burst of 32 frames takes 32 times 20 us.
    let demands = [
        demanded(10_000.0, 32, Some(641)),
        demanded(5_000.0, 1, None),
    ];
    let outcome = on(&mut sim, &mut watcher, &demands);
    assert!(!outcome.is_partial && outcome.notes.is_empty());
    let [first, second] = &outcome.results[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (first.pi.as_str(), first.size.clone(), first.from.as_str()),
        ("pi1", SizeLabel::Octets(128), "west")
    );
    assert_eq!((first.held, first.repetitions, first.met), (5, 5, true));
    assert_eq!(first.sent, 5 * (10_000 + 31), "the burst and then the rate");
    assert_eq!((first.lost, first.received), (0, first.sent));
    assert_eq!(first.share_within, Some(1.0));
    assert!((first.offered_fps - 10_031.0).abs() < 1e-6);
    // A cell of the histogram holds 512 ns here.
    assert!(
        (639_000..=640_511).contains(&first.latency_ns.max),
        "{first:?}"
    );
    assert_eq!((second.sent, second.share_within), (25_000, None));
    assert!(second.met && second.missed.is_empty());
    assert_eq!(watcher.records.len(), 5);
    assert!(
        watcher
            .records
            .iter()
            .all(|trial| trial.test == Test::Demand)
    );
    // The record and the trials are of the same frames.
    let trials: u64 = watcher.records.iter().map(|t| t.streams[0].sent).sum();
    assert_eq!(trials, first.sent);
}

#[test]
fn a_burst_that_is_too_large_is_lost_and_said() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 16)]);
    let demands = [demanded(10_000.0, 32, Some(10_000))];
    let outcome = on(&mut sim, &mut Watcher::default(), &demands);
    let record = &outcome.results[0];
    assert_eq!((record.met, record.held, record.lost), (false, 0, 5 * 16));
    assert_eq!(record.missed.len(), 5);
    assert_eq!(
        record.missed[1],
        "repetition 2: 16 of 10031 frames were lost"
    );
    let within = record.share_within.unwrap();
    let exact = record.received as f64 / record.sent as f64;
    assert!((within - exact).abs() < 1e-12, "the lost are not within");
}

#[test]
fn frames_that_come_too_late_are_said() {
    // Each takes 20 us; the burst at the beginning is less than a hundredth of the frames.
    let of = |bound_us| {
        let mut sim = Sim::new(vec![Queue::new(50_000.0, 64)]);
        let demands = [demanded(10_000.0, 32, Some(bound_us))];
        let mut outcome = on(&mut sim, &mut Watcher::default(), &demands);
        outcome.results.remove(0)
    };
    let met = of(25);
    assert!(met.met && met.latency_ns.max > 600_000, "{met:?}");
    let share = met.share_within.unwrap();
    assert!(
        (0.99..1.0).contains(&share),
        "late ones are not hidden: {share}"
    );
    let late = of(19);
    assert!(!late.met && late.lost == 0);
    assert_eq!(late.share_within, Some(0.0));
    assert_eq!(
        late.missed[0],
        "repetition 1: 99 % of the frames came within 20.0 us, 19.0 us are demanded"
    );
}

#[test]
fn the_share_is_never_rounded_up() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 64)]);
    let mut bed_watcher = Watcher::default();
    // A nanosecond below what each frame takes, in the same cell of the histogram.
    let demands = [Demanded {
        fps: 10_000.0,
        burst: 1,
        bound_ns: Some(19_999),
    }];
    let outcome = on(&mut sim, &mut bed_watcher, &demands);
    assert_eq!(outcome.results[0].share_within, Some(0.0));
}

#[test]
fn a_machine_that_stands_still_now_and_then_decides_nothing_and_hides_nothing() {
    let mut spoiled = 0;
    for seed in 1..=20 {
        let mut sim = Sim::new(vec![Queue::new(50_000.0, 16)]);
        sim.seed(seed * 7_919);
        sim.stalls = (20, Duration::from_millis(20));
        let demands = [demanded(10_000.0, 4, Some(1_000))];
        let outcome = on(&mut sim, &mut Watcher::default(), &demands);
        let record = &outcome.results[0];
        assert_eq!(record.met, record.held >= 3, "{record:?}");
        assert_eq!(record.missed.len() as u32, 5 - record.held);
        assert_eq!(record.lost > 0, record.held < 5, "{record:?}");
        assert_eq!(record.sent, record.received + record.lost);
        spoiled += usize::from(record.met && record.held < 5);
    }
    assert!(spoiled > 0, "no seed has both");
}

#[test]
fn a_sender_that_falls_short_has_no_verdict() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 64)]);
    sim.sends_fps = 5_000.0;
    let outcome = on(
        &mut sim,
        &mut Watcher::default(),
        &[demanded(10_000.0, 1, None)],
    );
    assert!(outcome.results.is_empty());
    assert_eq!((outcome.notes.len(), sim.trials), (5, 15));
    assert!(
        outcome.notes[0].contains("could not send repetition 1"),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn ended_early_it_keeps_what_was_made() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 64)]);
    let mut watcher = Watcher {
        stops_before: Some(2),
        ..Watcher::default()
    };
    let outcome = on(&mut sim, &mut watcher, &[demanded(10_000.0, 1, None)]);
    assert!(outcome.is_partial);
    assert_eq!(outcome.results[0].repetitions, 2);
}

#[test]
fn warming_up_is_in_no_figure() {
    let mut sim = Sim::new(vec![Queue::new(50_000.0, 64)]);
    let mut watcher = Watcher::default();
    let timing = Timing {
        warm_up: Some(WarmUp {
            duration: Duration::from_millis(500),
            load: 0.1,
        }),
        ..timing()
    };
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing);
    let demands = [demanded(10_000.0, 1, None)];
    let outcome = measure(&mut bed, &traffic(&[10_000.0]), &demands, &SETTINGS).unwrap();
    assert_eq!((outcome.results[0].sent, watcher.warm_ups), (50_000, 1));
}

#[test]
fn settings_out_of_range_are_refused_before_anything_is_sent() {
    let (mut sim, mut watcher) = (Sim::new(vec![Queue::new(1e4, 8)]), Watcher::default());
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let mut refused = |traffic: &Traffic, demands: &[Demanded], repetitions| {
        let settings = Settings {
            repetitions,
            ..SETTINGS
        };
        measure(&mut bed, traffic, demands, &settings).unwrap_err()
    };
    let (one, good) = (traffic(&[1e3]), [demanded(1e3, 1, None)]);
    let setting = |error| matches!(error, MethodError::Setting { .. });
    assert!(setting(refused(&one, &good, 0)));
    assert!(setting(refused(&one, &[demanded(1e3, 0, None)], 1)));
    assert!(matches!(
        refused(&traffic(&[1e3; 2]), &good, 1),
        MethodError::PerStream { .. }
    ));
    assert!(matches!(
        refused(&traffic(&[]), &[], 1),
        MethodError::NoStream
    ));
    assert_eq!(sim.trials, 0);
}
