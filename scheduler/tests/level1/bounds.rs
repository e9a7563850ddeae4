//! The bounds against design's table, the contract's example and the gate itself.

use pinode_scheduler::{Gate, bounds};
use proptest::prelude::*;

use crate::{GBIT, cycle, fill, seeded, three};

/// A figure as the table prints it: one decimal.
fn printed(value: f64) -> String {
    format!("{value:.1}")
}

#[test]
fn designs_table_to_the_last_digit() {
    let table = [
        (79, 126, "265.4", "420.0", "200.8", "67.2"),
        (128, 84, "286.7", "280.0", "201.2", "67.5"),
        (256, 45, "307.2", "150.0", "202.2", "68.1"),
        (512, 23, "314.0", "76.7", "204.3", "69.5"),
        (1024, 11, "300.4", "36.7", "208.4", "72.4"),
        (1280, 9, "307.2", "30.0", "210.4", "73.8"),
        (1518, 8, "323.8", "26.7", "212.3", "75.1"),
    ];
    for (size, frames, mbps, kfps, longest_us, mean_us) in table {
        let bounds = bounds::of_size(&three(), 1, size).unwrap();
        assert_eq!(bounds.size, size);
        assert_eq!(bounds.frames_per_phase, frames, "{size}");
        assert_eq!(printed(bounds.ceiling_bps / 1e6), mbps, "{size}");
        assert_eq!(printed(bounds.ceiling_fps / 1e3), kfps, "{size}");
        assert_eq!(printed(bounds.longest_wait_ns / 1e3), longest_us, "{size}");
        assert_eq!(printed(bounds.mean_wait_ns / 1e3), mean_us, "{size}");
    }
}

#[test]
fn the_contracts_example_of_check() {
    let bounds = bounds::of_size(&three(), 0, 79).unwrap();
    assert_eq!(bounds.frames_per_phase, 126);
    assert_eq!(bounds.ceiling_fps, 420_000.0);
    assert_eq!(bounds.ceiling_bps, 265_440_000.0);
    assert_eq!(bounds.longest_wait_ns, 200_792.0);
    assert_eq!(bounds.mean_wait_ns.floor(), 67_195.0);
}

#[test]
fn the_service_curve_of_one_phase_is_designs_formula() {
    let guarded = cycle(&[(0, 100_000), (1, 100_000), (2, 100_000)], 1_000, GBIT);
    let pi = bounds::of_pi(&guarded, 0, 1518).unwrap();
    let s = 100_000.0 - 1_000.0 - 12_304.0;
    assert_eq!(pi.phase_ns, 100_000);
    assert_eq!(pi.largest_frame, 1518);
    assert!((pi.guaranteed_bps - 1e9 * s / 300_000.0).abs() < 1e-3);
    assert_eq!(pi.latency_ns, 300_000.0 - s);
}

#[test]
fn a_phase_that_holds_one_largest_frame_guarantees_no_rate() {
    let tight = cycle(&[(0, 12_304), (1, 87_696)], 0, GBIT);
    let pi = bounds::of_pi(&tight, 0, 1518).unwrap();
    assert_eq!((pi.guaranteed_bps, pi.latency_ns), (0.0, 100_000.0));
}

#[test]
fn several_phases_add_up_and_wait_by_their_true_pattern() {
    // PI 0 has 40 us at 0 and 20 us at 100 us of a cycle of 200 us.
    let pattern = cycle(
        &[(0, 40_000), (1, 60_000), (0, 20_000), (1, 80_000)],
        0,
        GBIT,
    );
    let size = bounds::of_size(&pattern, 0, 105).unwrap();
    assert_eq!(size.frames_per_phase, 40 + 20);
    assert_eq!(size.ceiling_fps, 60.0 / 200e-6);
    // From the last starts, at 39 us and 119 us, to the next openings at 100 us and 200 us.
    assert_eq!(size.longest_wait_ns, 81_000.0);
    assert_eq!(
        size.mean_wait_ns,
        (61_000.0f64.powi(2) + 81_000.0f64.powi(2)) / 400_000.0
    );

    // Service of 30 us at 0 and 10 us at 100 us (largest frame 10 us): mean share 0.2. From 110 us
    // on nothing until 200 us: 90. From 30 us: 10 us of service at 100 us are worth 50 us, and
    // until 200 us 170 us pass: 120.
    let pi = bounds::of_pi(&pattern, 0, 1230).unwrap();
    assert_eq!(pi.phase_ns, 60_000);
    assert_eq!(pi.guaranteed_bps, 0.2 * 1e9);
    assert_eq!(pi.latency_ns, 120_000.0);
}

#[test]
fn phases_that_do_not_hold_a_frame_do_not_count_for_its_size() {
    let pattern = cycle(
        &[(0, 40_000), (1, 60_000), (0, 10_000), (1, 90_000)],
        0,
        GBIT,
    );
    let size = bounds::of_size(&pattern, 0, 1518).unwrap();
    assert_eq!(size.frames_per_phase, 3);
    assert_eq!(size.longest_wait_ns, 200_000.0 - 40_000.0 + 12_304.0);
    assert_eq!(bounds::of_size(&pattern, 0, 9_000), None);
    assert_eq!(bounds::of_size(&pattern, 7, 79), None);
    assert_eq!(bounds::of_pi(&pattern, 7, 79), None);
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn a_saturated_gate_sends_exactly_the_ceiling(
        durations in prop::collection::vec((0u8..3, 2_000u64..60_000), 1..6),
        guard_ns in 0u64..1_000,
        rate in prop_oneof![Just(GBIT), Just(10 * GBIT), Just(100 * GBIT), GBIT..10 * GBIT],
        size in 64u32..=1518,
    ) {
        let cycle = cycle(&durations, guard_ns, rate);
        let mut gate = Gate::new(cycle.clone(), 0, u64::MAX);
        let mut sent = [0u64; 3];
        for phase in 0..durations.len() {
            let opens_ns: u64 = durations.iter().take(phase).map(|phase| phase.1).sum();
            gate.advance(opens_ns);
            let slot = durations[phase].0;
            sent[usize::from(slot)] += fill(&mut gate, slot, size).len() as u64;
        }
        for slot in 0..3 {
            let ceiling = bounds::of_size(&cycle, slot, size).map_or(0, |b| b.frames_per_phase);
            prop_assert_eq!(sent[usize::from(slot)], ceiling);
        }
    }

    #[test]
    fn waits_are_those_of_lone_frames_at_every_instant(
        durations in prop::collection::vec((0u8..2, 800u64..3_000), 1..5),
        guard_ns in 0u64..100,
        size in 64u32..=90,
    ) {
        let mut durations = durations;
        durations.push((0, 1_000));
        let cycle = cycle(&durations, guard_ns, GBIT);
        let bounds = bounds::of_size(&cycle, 0, size).unwrap();
        let (mut longest, mut sum) = (0, 0);
        for arrival_ns in 0..cycle.length_ns() {
            let wait_ns = lone_wait_ns(&cycle, arrival_ns, size);
            longest = longest.max(wait_ns);
            sum += wait_ns;
        }
        // Instants are sampled at whole nanoseconds: the wait just after the last start is missed
        // by one, and the mean of a gap of n ns is that of 1..n-1 in place of its integral.
        let mean = sum as f64 / cycle.length_ns() as f64;
        prop_assert_eq!(longest as f64, (bounds.longest_wait_ns - 1.0).max(0.0));
        prop_assert!((mean - bounds.mean_wait_ns).abs() <= 1.0, "{} {}", mean, bounds.mean_wait_ns);
    }

    #[test]
    fn service_from_every_instant_on_is_above_the_curve(
        durations in prop::collection::vec((0u8..2, 2_000u64..20_000), 1..5),
        guard_ns in 0u64..500,
    ) {
        let mut durations = durations;
        durations.push((0, 5_000));
        const FRAME: u32 = 105;
        let cycle = cycle(&durations, guard_ns, GBIT);
        let pi = bounds::of_pi(&cycle, 0, FRAME).unwrap();
        let share = pi.guaranteed_bps / 1e9;
        // A backlog of frames of 1 us from `from_ns` on; service counts when a frame has ended.
        for from_ns in (0..cycle.length_ns()).step_by(509) {
            let mut gate = Gate::new(cycle.clone(), 0, u64::MAX);
            let mut window = gate.advance(from_ns);
            let mut served_ns = 0.0;
            for _ in 0..3 * durations.len() {
                for start_ns in fill(&mut gate, 0, FRAME) {
                    let passed_ns = (start_ns - from_ns) as f64;
                    let curve_ns = share * (passed_ns - pi.latency_ns);
                    prop_assert!(served_ns + 1e-6 >= curve_ns, "{} {} {}", from_ns, served_ns, curve_ns);
                    served_ns += 1_000.0;
                }
                window = gate.advance(window.closes_ns);
            }
        }
    }
}

/// How long a frame that arrives at `arrival_ns` waits for its start, by the gate.
fn lone_wait_ns(cycle: &pinode_scheduler::Cycle, arrival_ns: u64, size: u32) -> u64 {
    let mut gate = Gate::new(cycle.clone(), 0, 0);
    let mut window = gate.advance(arrival_ns);
    for _ in 0..=2 * cycle.phases().len() {
        if let Ok(start_ns) = gate.try_start(0, size) {
            return start_ns - arrival_ns;
        }
        window = gate.advance(window.closes_ns);
    }
    panic!("a lone frame waits for more than two cycles");
}
