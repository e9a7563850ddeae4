//! Rules against a plain list of them, tables against plain sets, the filter against both.

mod again;
mod changes;
mod crowd;
mod filter;
mod model;
mod refusals;
mod worlds;

use proptest::test_runner::{Config, RngSeed};

/// Property tests that find the same cases on every run.
pub(crate) fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(802),
        failure_persistence: None,
        ..Config::default()
    }
}
