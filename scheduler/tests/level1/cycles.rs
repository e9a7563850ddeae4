//! Cycles that cannot hold are refused, with the phase and by how much.

use pinode_scheduler::{Cycle, CycleError, MAX_CYCLE_NS, MAX_PHASES, Phase};

use crate::{GBIT, link};

fn new(phases: &[(Option<u8>, u64)], guard_ns: u64) -> Result<Cycle, CycleError> {
    let phases: Vec<_> = phases
        .iter()
        .map(|&(owner, duration_ns)| Phase { owner, duration_ns })
        .collect();
    Cycle::new(&phases, guard_ns, link(GBIT), |slot| 1518 - u32::from(slot))
}

#[test]
fn a_phase_shorter_than_guard_and_largest_frame_is_refused() {
    assert!(new(&[(Some(0), 12_304 + 500)], 500).is_ok());
    let error = new(&[(Some(1), 100_000), (Some(0), 12_304 + 499)], 500).unwrap_err();
    assert_eq!(
        error,
        CycleError::PhaseTooShort {
            phase: 1,
            slot: 0,
            duration_ns: 12_803,
            guard_ns: 500,
            frame_octets: 1518,
            needed_ns: 12_804,
            short_ns: 1,
        }
    );
    assert_eq!(
        error.to_string(),
        "phase 1 (slot 0) lasts 12803 ns, 1 ns too short: guard 500 ns and a frame of 1518 octets need 12804 ns"
    );
}

#[test]
fn a_wire_time_of_a_part_of_a_nanosecond_needs_the_whole_one() {
    let phase = |duration_ns| {
        [Phase {
            owner: Some(0),
            duration_ns,
        }]
    };
    assert!(Cycle::new(&phase(8), 0, link(100 * GBIT), |_| 79).is_ok());
    assert!(Cycle::new(&phase(7), 0, link(100 * GBIT), |_| 79).is_err());
}

#[test]
fn each_pi_is_held_to_its_own_largest_frame() {
    let phases = [(Some(0), 12_304), (Some(200), 12_304 - 1_600)];
    assert!(new(&phases, 0).is_ok());
    assert!(matches!(
        new(&[phases[1], (Some(0), 12_303)], 0),
        Err(CycleError::PhaseTooShort {
            phase: 1,
            slot: 0,
            short_ns: 1,
            ..
        })
    ));
}

#[test]
fn a_phase_of_nobody_holds_no_frame() {
    assert!(new(&[(Some(0), 20_000), (None, 1)], 0).is_ok());
}

#[test]
fn empty_and_boundless_cycles_are_refused() {
    assert_eq!(new(&[], 0), Err(CycleError::Empty));
    assert_eq!(
        new(&[(None, 5), (None, 0)], 0),
        Err(CycleError::EmptyPhase { phase: 1 })
    );
    assert!(new(&[(Some(0), MAX_CYCLE_NS)], 0).is_ok());
    assert_eq!(
        new(&[(Some(0), MAX_CYCLE_NS), (None, 1)], 0),
        Err(CycleError::TooLong { phase: 1 })
    );
    assert_eq!(
        new(&[(None, 1), (Some(0), u64::MAX)], 0),
        Err(CycleError::TooLong { phase: 1 })
    );
    assert!(new(&[(None, 1); MAX_PHASES], 0).is_ok());
    assert_eq!(
        new(&[(None, 1); MAX_PHASES + 1], 0),
        Err(CycleError::TooManyPhases {
            phases: MAX_PHASES + 1
        })
    );
    assert!(matches!(
        new(&[(Some(0), 100_000)], u64::MAX),
        Err(CycleError::PhaseTooShort {
            needed_ns: u64::MAX,
            ..
        })
    ));
}

#[test]
fn phase_time_of_a_pi_is_the_sum_of_its_phases() {
    let cycle = new(
        &[(Some(0), 20_000), (Some(1), 30_000), (Some(0), 50_000)],
        0,
    )
    .unwrap();
    assert_eq!(cycle.phase_ns(0), 70_000);
    assert_eq!(cycle.phase_ns(1), 30_000);
    assert_eq!(cycle.phase_ns(2), 0);
    assert_eq!(cycle.length_ns(), 100_000);
}
