//! Level 1 in virtual time, against design's formulas and a model that counts windows one by one.

mod accounting;
mod ahead;
mod bounds;
mod bursts;
mod cycles;
mod delay;
mod extension;
mod model;
mod reconfiguration;
mod rights;
mod windows;
mod wire_time;

use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};
use proptest::test_runner::{Config, RngSeed};

pub(crate) const GBIT: u64 = 1_000_000_000;

/// Property tests that find the same cases on every run.
pub(crate) fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(802),
        failure_persistence: None,
        ..Config::default()
    }
}

pub(crate) fn link(bits_per_s: u64) -> LinkRate {
    LinkRate::new(bits_per_s).expect("not 0")
}

/// A cycle of phases (slot, ns) without checks for the largest frame.
pub(crate) fn cycle(phases: &[(u8, u64)], guard_ns: u64, bits_per_s: u64) -> Cycle {
    let phases: Vec<_> = phases
        .iter()
        .map(|&(slot, duration_ns)| Phase {
            owner: Some(slot),
            duration_ns,
        })
        .collect();
    Cycle::new(&phases, guard_ns, link(bits_per_s), |_| 64).expect("valid")
}

/// Three PIs, 100 us each, 1 Gb/s, no guard: the example of design's table.
pub(crate) fn three() -> Cycle {
    cycle(&[(0, 100_000), (1, 100_000), (2, 100_000)], 0, GBIT)
}

/// More frames than any window of these tests holds.
const NEVER_BUSY: usize = 20_000_000;

/// Starts frames of `octets` for `slot` until one is refused; gives their starts.
pub(crate) fn fill(gate: &mut Gate, slot: u8, octets: u32) -> Vec<u64> {
    let mut starts = Vec::new();
    while let Ok(start_ns) = gate.try_start(slot, octets) {
        starts.push(start_ns);
        assert!(starts.len() < NEVER_BUSY, "frames start without end");
    }
    starts
}
