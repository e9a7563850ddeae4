//! The whole switch: frames, requests and events, at times that the test says.

mod bed;
mod causes;
mod forwarding;
mod hostile;
mod policed;
mod requests;
mod script;
mod signalling;
mod sockets;

/// The same seed in every run.
fn seeded(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x6473_7331),
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
