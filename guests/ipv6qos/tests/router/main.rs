//! The whole router: frames in, frames out, at times that the test says.

mod bed;
mod configuration;
mod filtered;
mod forwarding;
mod fragmented;
mod hostile;
mod itself;
mod links;
mod neighbours;
mod networks;
mod plain;
mod recalled;
mod replay;
mod requests;
mod script;

/// The same seed in every run.
fn seeded(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x6963_7638),
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
