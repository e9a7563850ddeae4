//! The tests of the standards against devices whose limits are known, in virtual time: nothing here waits.

mod back_to_back;
mod binary;
mod classify;
mod demand;
mod mlr;
mod pathological;
mod pauses;
mod sim;
mod times;

use proptest::test_runner::{Config, RngSeed};

/// Each run tries the same cases, and a machine that is slower tries no fewer.
pub(crate) fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(9971),
        failure_persistence: None,
        ..Config::default()
    }
}
