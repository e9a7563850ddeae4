//! Meters, policers and classes as others see them.

mod facade;
mod host;
mod meter;

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
