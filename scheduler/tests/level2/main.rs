//! Level 2 in virtual time: each discipline against a plain model and against what its standard asks.

mod fifo;

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
