//! The bounds against design's table, the contract's example and the gate itself.

use pinode_scheduler::bounds::{Flow, PiBounds};
use pinode_scheduler::{Cycle, Gate, bounds};
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

#[test]
fn a_flow_weighs_most_on_the_wire_in_its_smallest_frames() {
    // 200 Mb/s in frames of 79 octets: 99 on the wire for each 79.
    let flow = Flow::of_frames(200_000_000, 64 * 1024, 79);
    assert_eq!(flow.rho_bps, 200e6 * 99.0 / 79.0);
    assert!((flow.sigma_bits - 8.0 * 65_536.0 * 99.0 / 79.0).abs() < 1e-6);
    let one = Flow::of_frames(1, 1518, 1518);
    assert_eq!(one.sigma_bits, 8.0 * 1538.0);
}

#[test]
fn what_is_left_of_a_burst_is_soon_a_frame() {
    // 150 octets are one frame of 100, and a second after the rate has brought another 50.
    let flow = Flow::of_frames(1_000_000, 150, 100);
    let second_s = 50.0 * 8.0 / 1e6;
    let passed_bits = 2.0 * 8.0 * 120.0;
    assert!((flow.sigma_bits + flow.rho_bps * second_s - passed_bits).abs() < 1e-6);
}

#[test]
fn a_flow_waits_for_the_latency_and_its_burst() {
    let pi = bounds::of_pi(&three(), 0, 1518).unwrap();
    // R = 1 Gb/s * 87.696 / 300 and T = 212.304 us.
    let flow = Flow {
        sigma_bits: 87_696.0,
        rho_bps: 100e6,
    };
    assert!((pi.delay_ns(flow).unwrap() - (212_304.0 + 300_000.0)).abs() < 1e-6);
    assert!((pi.backlog_bits(flow).unwrap() - (87_696.0 + 0.1 * 212_304.0)).abs() < 1e-6);
    // As much as R is carried, more is not; without a rate nothing is.
    let rate = |rho_bps| Flow { rho_bps, ..flow };
    assert!(pi.delay_ns(rate(pi.guaranteed_bps)).is_some());
    assert_eq!(pi.delay_ns(rate(pi.guaranteed_bps * 1.000_001)), None);
    assert_eq!(pi.backlog_bits(rate(pi.guaranteed_bps * 1.000_001)), None);
    let tight = cycle(&[(0, 12_304), (1, 87_696)], 0, GBIT);
    let none = bounds::of_pi(&tight, 0, 1518).unwrap();
    assert_eq!(none.delay_ns(rate(0.0)), None);
}

#[test]
fn the_backlog_at_the_ceiling_rate() {
    // n = 126 of 0.792 us: the last starts at 99.208 us, the next at 300 us; 1 + 126 * 200.792 / 300.
    let size = bounds::of_size(&three(), 0, 79).unwrap();
    assert_eq!(size.backlog_frames, 85);
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

    #[test]
    fn frames_at_the_ceiling_rate_never_wait_in_greater_number(
        durations in prop::collection::vec((0u8..2, 800u64..8_000), 1..5),
        guard_ns in 0u64..100,
        size in 64u32..=90,
        phase in 0.0f64..1.0,
    ) {
        let mut durations = durations;
        durations.push((0, 1_000));
        let cycle = cycle(&durations, guard_ns, GBIT);
        let bounds = bounds::of_size(&cycle, 0, size).unwrap();
        let spacing_ns = 1e9 / bounds.ceiling_fps;
        let arrivals: Vec<u64> = (0..6 * bounds.frames_per_phase)
            .map(|k| ((k as f64 + phase) * spacing_ns).ceil() as u64)
            .collect();
        let most = replay(&cycle, &arrivals, size).iter().map(|frame| frame.waiting).max();
        prop_assert!(most <= Some(bounds.backlog_frames), "{:?} {:?}", most, bounds);
    }

    #[test]
    fn no_flow_in_its_bucket_waits_longer_or_deeper_than_its_bounds(
        durations in prop::collection::vec((0u8..2, 2_000u64..20_000), 1..5),
        guard_ns in 0u64..500,
        share in 0.05f64..1.0,
        burst in 1u64..40,
        lulls in prop::collection::vec(0u64..30_000, 4),
        begin in 0u64..50_000,
    ) {
        let mut durations = durations;
        durations.push((0, 5_000));
        const FRAME: u32 = 105;
        let cycle = cycle(&durations, guard_ns, GBIT);
        let pi: PiBounds = bounds::of_pi(&cycle, 0, FRAME).unwrap();
        let flow = Flow { sigma_bits: 1_000.0 * burst as f64, rho_bps: share * pi.guaranteed_bps };
        let delay_ns = pi.delay_ns(flow).unwrap();
        let backlog = pi.backlog_bits(flow).unwrap() / 1_000.0;
        // As early as the bucket allows, with lulls in which it fills again.
        let (mut now, mut tokens, mut arrivals) = (begin as f64, flow.sigma_bits, Vec::new());
        for lull in lulls {
            for _ in 0..3 * burst {
                let lack = (1_000.0 - tokens).max(0.0) / flow.rho_bps * 1e9;
                tokens += lack * flow.rho_bps / 1e9 - 1_000.0;
                now += lack;
                arrivals.push(now.ceil() as u64);
            }
            now += lull as f64;
            tokens = (tokens + lull as f64 * flow.rho_bps / 1e9).min(flow.sigma_bits);
        }
        for frame in replay(&cycle, &arrivals, FRAME) {
            // Arrivals are rounded up to whole nanoseconds, each by less than one.
            prop_assert!(frame.delay_ns as f64 <= delay_ns + 1e-3, "{:?} {}", frame, delay_ns);
            prop_assert!(frame.waiting as f64 <= backlog + 1e-6, "{:?} {}", frame, backlog);
        }
    }
}

/// What became of a frame.
#[derive(Debug)]
struct Passed {
    /// From its arrival to its end.
    delay_ns: u64,
    /// Frames that had come and not started when it came, itself among them.
    waiting: u64,
}

/// Frames of `size` that arrive at these instants, through the gate as PI 0.
fn replay(cycle: &Cycle, arrivals: &[u64], size: u32) -> Vec<Passed> {
    let mut gate = Gate::new(cycle.clone(), 0, 0);
    let frame_ns = cycle.link().wire_time_ps(size) as f64 / 1e3;
    let (mut starts, mut now) = (Vec::new(), 0);
    for &arrival in arrivals {
        now = arrival.max(now);
        let mut window = gate.advance(now);
        let start = loop {
            match gate.try_start(0, size) {
                Ok(start) => break start,
                // Without lookahead the link is asked again when it is free.
                Err(pinode_scheduler::Refusal::LinkBusy) => now += 1,
                Err(_) => now = window.closes_ns,
            }
            window = gate.advance(now);
        };
        starts.push(start);
    }
    let passed = |(index, (&arrival, &start)): (usize, (&u64, &u64))| Passed {
        delay_ns: ((start - arrival) as f64 + frame_ns).floor() as u64,
        waiting: starts[..=index]
            .iter()
            .filter(|start| **start >= arrival)
            .count() as u64,
    };
    arrivals
        .iter()
        .zip(&starts)
        .enumerate()
        .map(passed)
        .collect()
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
