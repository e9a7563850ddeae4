//! Packets put together from fragments, against a plain model (RFC 8200 4.5, RFC 5722, RFC 7112), and cut into them.

mod cut;
mod fragments;
mod model;
mod pool;

/// Always the same cases.
fn seeded(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        rng_seed: proptest::test_runner::RngSeed::Fixed(8200),
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
