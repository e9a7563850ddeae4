//! Level 2 in virtual time: each discipline against a plain model and against what its standard asks.

mod bounds;
mod bounds_of_connections;
mod classes_of_streams;
mod content;
mod diffserv;
mod fifo;
mod share;
mod streams;

use pinode_scheduler::LinkRate;
use pinode_scheduler::level2::{ClassCounters, ClassName, Discipline};
use proptest::test_runner::{Config, RngSeed};

/// Property tests that find the same cases on every run.
pub(crate) fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(2697),
        failure_persistence: None,
        ..Config::default()
    }
}

pub(crate) fn rate(bits_per_s: u64) -> LinkRate {
    LinkRate::new(bits_per_s).expect("not 0")
}

pub(crate) fn classes<T>(queue: &impl Discipline<T>) -> Vec<(ClassName, ClassCounters)> {
    let mut all = Vec::new();
    queue.classes(usize::MAX, |name, counters| all.push((name, counters)));
    all
}

/// What holds of counters at any time.
pub(crate) fn assert_conserved<T>(queue: &impl Discipline<T>) {
    for (name, c) in classes(queue) {
        assert_eq!(c.enqueued, c.queued + c.dequeued + c.cleared, "{name}");
    }
}
