//! Devices that no search expects: loss that knows no order, loss at low rates alone, none at all, always; devices that
//! break off, and observers that do. Every search ends, and says no more than it knows.

use std::time::Duration;

use pinode_measure::method::throughput::{binary, mlr};
use pinode_measure::method::{MethodError, TestBed, back_to_back, latency, loss, recovery};
use pinode_measure::sink::Received;
use pinode_measure::source::Sent;
use pinode_measure::stats;
use pinode_measure::trial::{
    Device, DeviceError, Glimpse, Load, Path, Reset, Side, StreamTrial, Trial,
};
use proptest::prelude::*;

use crate::seeded;
use crate::sim::{Sim, Watcher, timing, traffic};

const LINE: f64 = 10_000.0;

/// What a device loses, by the rate and the number of the trial.
#[derive(Debug, Clone)]
enum Loses {
    Never,
    Always,
    /// Below this part of the line rate alone.
    Below(f64),
    /// In a band of rates.
    Between(f64, f64),
    /// In every trial with another loss ratio, whatever its rate.
    Anyhow(Vec<f64>),
    /// By the bits of the rate: equal rates have equal loss, neighbours have not.
    Hashed(u64),
}

impl Loses {
    fn ratio(&self, rate: f64, trial: u32) -> f64 {
        let share = rate / LINE;
        let part = |is_lossy: bool| if is_lossy { 0.1 } else { 0.0 };
        match self {
            Self::Never => 0.0,
            Self::Always => 1.0,
            Self::Below(limit) => part(share < *limit),
            Self::Between(from, to) => part((*from..*to).contains(&share)),
            Self::Anyhow(ratios) => ratios[trial as usize % ratios.len()],
            Self::Hashed(seed) => part(
                (rate.to_bits() ^ seed)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .count_ones()
                    > 32,
            ),
        }
    }
}

fn loses() -> impl Strategy<Value = Loses> {
    prop_oneof![
        Just(Loses::Never),
        Just(Loses::Always),
        (0.0f64..1.0).prop_map(Loses::Below),
        (0.0f64..1.0, 0.0f64..1.0).prop_map(|(a, b)| Loses::Between(a.min(b), a.max(b))),
        proptest::collection::vec(prop_oneof![Just(0.0), 0.0f64..=1.0], 1..9)
            .prop_map(Loses::Anyhow),
        any::<u64>().prop_map(Loses::Hashed),
    ]
}

struct Wild {
    loses: Loses,
    /// The path breaks in this trial.
    breaks_in: Option<u32>,
    trials: u32,
    sim: Sim,
}

impl Wild {
    fn new(loses: Loses, breaks_in: Option<u32>) -> Self {
        Self {
            loses,
            breaks_in,
            trials: 0,
            sim: Sim::new(Vec::new()),
        }
    }
}

impl Device for Wild {
    fn offer(
        &mut self,
        load: &Load,
        watch: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        if self.breaks_in == Some(self.trials) {
            return Err(DeviceError::Path("the cable is out".into()));
        }
        let is_partial = !watch(Glimpse::default());
        let streams = load.streams.iter().map(|stream| {
            let rate = stream.spec.rate_fps;
            let frames = (rate * load.duration.as_secs_f64()).ceil().max(1.0) as u64;
            let lost = (frames as f64 * self.loses.ratio(rate, self.trials)).ceil() as u64;
            StreamTrial {
                offered_fps: rate,
                sent: Sent {
                    frames,
                    octets: 128 * frames,
                    unsent: 0,
                },
                received: Received {
                    frames: frames - lost,
                    ..Received::default()
                },
                latency: stats::total(),
            }
        });
        let streams = streams.collect();
        self.trials += 1;
        // All else is that of a trial in which nothing was sent.
        let nothing = Load {
            streams: Vec::new(),
            ..load.clone()
        };
        let mut trial = self.sim.offer(&nothing, &mut |_| true)?;
        (trial.streams, trial.is_partial) = (streams, is_partial);
        Ok(trial)
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        let why = "it is wild".into();
        Err(DeviceError::Reset { what, why })
    }

    fn path(&self) -> &Path {
        self.sim.path()
    }
}

/// Ends nothing, the test before a trial, or in it.
fn watcher() -> impl Strategy<Value = (Option<u32>, Option<u32>)> {
    prop_oneof![
        3 => Just((None, None)),
        1 => (0u32..30).prop_map(|n| (Some(n), None)),
        1 => (0u32..30).prop_map(|n| (None, Some(n))),
    ]
}

/// Partial is what was ended, and nothing else. Who would have ended it before a trial that never came ended nothing.
fn is_partial_as_told(
    is_partial: bool,
    made: u32,
    (before, within): (Option<u32>, Option<u32>),
) -> Result<(), TestCaseError> {
    if within.is_some_and(|n| made > n) {
        prop_assert!(is_partial && within == Some(made - 1));
    } else if is_partial {
        prop_assert_eq!(before, Some(made));
    }
    prop_assert!(before.is_none_or(|n| made <= n));
    Ok(())
}

fn watching((stops_before, stops_in): (Option<u32>, Option<u32>)) -> Watcher {
    Watcher {
        stops_before,
        stops_in,
        ..Watcher::default()
    }
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn mlrsearch_ends_and_says_what_it_knows(
        loses in loses(),
        breaks_in in prop_oneof![4 => Just(None), 1 => (0u32..40).prop_map(Some)],
        stops in watcher(),
        width in prop_oneof![Just(0.005), Just(1e-300), 0.0001f64..0.9],
        exceed in prop_oneof![Just(0.0), Just(0.5), 0.0f64..0.999],
        initial in prop_oneof![Just(None), Just(Some(Duration::from_millis(10)))],
    ) {
        let (mut wild, mut watcher) = (Wild::new(loses, breaks_in), watching(stops));
        let goal = |name: &str, loss_ratio| mlr::Goal {
            exceed_ratio: exceed,
            initial_trial: initial,
            width,
            duration_sum: Duration::from_secs(5),
            ..mlr::Goal::csit(name, loss_ratio)
        };
        let settings = mlr::Settings {
            most_trials: 300,
            ..mlr::Settings::new(vec![goal("NDR", 0.0), goal("PDR", 0.05)])
        };
        let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
        let found = mlr::search(&mut bed, &traffic(&[LINE]), &settings);
        let made = watcher.records.len() as u32;
        prop_assert!(wild.trials <= 300, "{} trials", wild.trials);
        let outcome = match found {
            Ok(outcome) => outcome,
            Err(error) => {
                prop_assert!(matches!(error, MethodError::Device(_)) && breaks_in == Some(made));
                return Ok(());
            }
        };
        is_partial_as_told(outcome.is_partial, made, stops)?;
        for result in &outcome.results {
            let stream = &result.streams[0];
            let upper = stream.upper_fps.unwrap_or(f64::INFINITY);
            prop_assert!(stream.fps <= stream.lower_fps && stream.lower_fps < upper, "{:?}", stream);
            // A result that is irregular is said to be, in a sentence of its own.
            let notes = outcome.notes.iter().filter(|n| {
                n.contains(&result.goal.name) && n.contains("irregular result")
            });
            prop_assert_eq!(notes.count(), usize::from(!result.is_regular));
            let limits = match stream.upper_fps {
                Some(_) => "device",
                None if stream.lower_fps == LINE => "line",
                None => "unknown",
            };
            prop_assert_eq!(&*stream.limited_by, limits);
            let is_sure = result.is_regular || limits == "line" || upper <= 0.001 * LINE;
            let is_given_up = outcome.notes.iter().any(|n| n.contains("given up"));
            prop_assert!(is_sure || outcome.is_partial || is_given_up, "{:?}", result);
        }
    }

    #[test]
    fn a_binary_search_ends_and_says_what_it_knows(
        loses in loses(),
        breaks_in in prop_oneof![4 => Just(None), 1 => (0u32..20).prop_map(Some)],
        stops in watcher(),
        resolution in prop_oneof![Just(0.005), Just(1e-17), Just(1e-300), 0.0001f64..0.9],
        confirmations in 0u32..3,
    ) {
        let (mut wild, mut watcher) = (Wild::new(loses, breaks_in), watching(stops));
        let settings = binary::Settings { resolution, confirmations, ..binary::Settings::rfc2544() };
        let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
        let found = binary::search(&mut bed, &traffic(&[LINE]), &settings);
        let made = watcher.records.len() as u32;
        // 53 bits of a load, and what the search goes down to.
        prop_assert!(wild.trials <= 80 * (confirmations + 1), "{} trials", wild.trials);
        let outcome = match found {
            Ok(outcome) => outcome,
            Err(error) => {
                prop_assert!(matches!(error, MethodError::Device(_)) && breaks_in == Some(made));
                return Ok(());
            }
        };
        is_partial_as_told(outcome.is_partial, made, stops)?;
        for found in &outcome.results {
            let upper = found.upper_fps.unwrap_or(f64::INFINITY);
            // Loads beside each other may be the same rate.
            prop_assert!(found.fps == found.lower_fps);
            prop_assert!(found.lower_fps < upper || resolution < 1e-15 && found.lower_fps == upper);
            prop_assert_eq!(found.upper_fps.is_none(), found.fps == LINE);
            prop_assert_eq!(&*found.limited_by, if found.fps == LINE { "line" } else { "device" });
        }
    }

    #[test]
    fn bursts_curves_and_recoveries_end(
        loses in loses(),
        stops in watcher(),
        longest in 1u64..100_000,
        resolution in prop_oneof![1u64..100, Just(u64::MAX)],
        step in 0.001f64..=1.0,
    ) {
        let settings = back_to_back::Settings { first: 1 + longest / 7, longest, resolution, repetitions: 3 };
        let (mut wild, mut watcher) = (Wild::new(loses.clone(), None), watching(stops));
        let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
        let outcome = back_to_back::measure(&mut bed, &traffic(&[LINE]), &[LINE], None, &settings).unwrap();
        prop_assert!(wild.trials <= 3 * 2 * 18, "{} trials", wild.trials);
        for found in &outcome.results {
            prop_assert!(found.bursts.iter().all(|b| *b <= longest));
            prop_assert!(found.bursts.len() == 3 || outcome.is_partial);
        }

        let (mut wild, mut watcher) = (Wild::new(loses.clone(), None), watching(stops));
        let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
        let outcome = loss::measure(&mut bed, &traffic(&[LINE]), &loss::Settings { from: 1.0, step }).unwrap();
        prop_assert!(wild.trials <= 1_001);
        prop_assert!(outcome.results.iter().all(|p| p.load > 0.0 && p.load <= 1.0));

        let (mut wild, mut watcher) = (Wild::new(loses, None), watching(stops));
        let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
        let outcome = recovery::measure(&mut bed, &traffic(&[LINE]), &[LINE], &recovery::Settings::quick()).unwrap();
        for found in &outcome.results {
            // All that was lost, was lost behind the last arrival: it was never seen to recover.
            prop_assert_eq!(found.is_at_least, found.lost[0] > 0);
            prop_assert_eq!(found.mean_s, if found.is_at_least { 2.0 } else { 0.0 });
        }
    }
}

#[test]
fn goals_beyond_all_time_are_a_long_search_and_no_panic() {
    let (mut wild, mut watcher) = (Wild::new(Loses::Never, None), Watcher::default());
    let endless = mlr::Goal {
        final_trial: Duration::from_nanos(1),
        duration_sum: Duration::MAX,
        ..mlr::Goal::csit("endless", 0.0)
    };
    let settings = mlr::Settings {
        most_trials: 5,
        ..mlr::Settings::new(vec![endless])
    };
    let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
    let outcome = mlr::search(&mut bed, &traffic(&[LINE]), &settings).unwrap();
    let found = &outcome.results[0];
    assert!(!found.is_regular);
    assert_eq!(
        (found.streams[0].fps, &*found.streams[0].limited_by),
        (0.0, "unknown")
    );
    assert!(outcome.notes[0].contains("given up after 5 trials"));
    assert!(outcome.notes[1].contains("no load was decided"));
}

#[test]
fn a_curve_of_a_million_steps_is_refused() {
    let (mut wild, mut watcher) = (Wild::new(Loses::Never, None), Watcher::default());
    let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
    let settings = loss::Settings {
        from: 1.0,
        step: 1e-6,
    };
    let error = loss::measure(&mut bed, &traffic(&[LINE]), &settings).unwrap_err();
    assert!(matches!(error, MethodError::Setting { .. }), "{error}");
}

/// Trials of which one frame in a thousand was not sent are the most that is taken.
#[test]
fn a_trial_may_fall_short_by_a_thousandth_of_what_was_due() {
    let load = traffic(&[1_000.0]).load(1.0, Duration::from_secs(1), Duration::ZERO);
    let mut trial = Wild::new(Loses::Never, None)
        .offer(&load, &mut |_| true)
        .unwrap();
    let mut is_valid = |frames, unsent| {
        trial.streams[0].sent = Sent {
            frames,
            octets: 128 * frames,
            unsent,
        };
        trial.is_valid()
    };
    assert!(is_valid(999, 1) && !is_valid(998, 1) && is_valid(0, 0));
    trial.streams[0].sent.unsent = 0;
    trial.tx_lost = 1;
    assert!(!trial.is_valid(), "its own port lost a frame");
    (trial.tx_lost, trial.missed) = (0, 1);
    assert!(!trial.is_valid(), "its own rings lost a frame");
}

/// Both sides have streams, and a record says which way each went.
#[test]
fn a_record_says_the_way() {
    let mut both = traffic(&[1_000.0; 2]);
    both.streams[1].stream.from = Side::East;
    let (mut wild, mut watcher) = (Wild::new(Loses::Never, None), Watcher::default());
    let mut bed = TestBed::new(&mut wild, &mut watcher, timing());
    latency::measure(&mut bed, &both, &[1_000.0; 2], &latency::Settings::quick()).unwrap();
    let streams = watcher.records[0].streams.iter();
    let ways: Vec<_> = streams.map(|s| (&*s.from, &*s.to)).collect();
    assert_eq!(ways, [("west", "east"), ("east", "west")]);
}
