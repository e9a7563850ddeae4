//! What is found with a sender that pauses counts as found at the load that was offered with its pauses, never at the
//! one that was asked for; too many of them, and nothing was found.

use pinode_measure::method::TestBed;
use pinode_measure::method::throughput::{binary, mlr};
use pinode_measure::pause::MOST_PAUSED;
use pinode_measure::results::Throughput;

use crate::sim::{Queue, Sim, Watcher, timing, traffic};

const LINE: f64 = 20_000.0;

/// A device that carries `limit` of the line, and a sender that pauses for `share` of each trial.
fn sim(limit: f64, share: f64) -> Sim {
    let mut sim = Sim::new(vec![Queue::new(LINE * limit, 4)]);
    sim.paused = share;
    sim
}

fn by_halving(mut sim: Sim) -> Throughput {
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let mut outcome =
        binary::search(&mut bed, &traffic(&[LINE]), &binary::Settings::rfc2544()).unwrap();
    outcome.results.remove(0)
}

fn by_mlr(mut sim: Sim) -> Throughput {
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let settings = mlr::Settings::new(vec![mlr::Goal::quick("NDR", 0.0)]);
    let mut outcome = mlr::search(&mut bed, &traffic(&[LINE]), &settings).unwrap();
    assert!(!outcome.results.is_empty(), "{outcome:?}");
    outcome.results.remove(0).streams.remove(0)
}

#[test]
fn the_load_with_pauses_is_what_is_credited() {
    for search in [by_halving, by_mlr] {
        for limit in [0.4, 2.0] {
            let (plain, paused) = (search(sim(limit, 0.0)), search(sim(limit, 0.015)));
            // The same search, each load worth 1 / 1.015 of itself.
            let expected = plain.lower_fps / 1.015;
            assert!(
                (paused.lower_fps / expected - 1.0).abs() < 1e-9,
                "{paused:?} beside {plain:?}"
            );
            assert!(
                paused.fps < plain.fps && paused.fps > plain.fps * 0.98,
                "{paused:?} beside {plain:?}"
            );
        }
    }
}

#[test]
fn above_the_most_nothing_was_found() {
    let mut sim = sim(0.4, MOST_PAUSED * 1.01);
    let mut watcher = Watcher::default();
    let mut bed = TestBed::new(&mut sim, &mut watcher, timing());
    let outcome = binary::search(&mut bed, &traffic(&[LINE]), &binary::Settings::rfc2544());
    let outcome = outcome.unwrap();
    assert!(
        outcome.results.iter().all(|r| r.limited_by == "tester"),
        "{outcome:?}"
    );
    assert!(watcher.records.iter().all(|record| record.refused));
    assert!(!watcher.records.is_empty());
}
