//! Windows, the rule for a frame's start, and random runs against the model.

use pinode_scheduler::{Gate, Refusal, Window};
use proptest::prelude::*;

use crate::model::{self, Scenario};
use crate::{GBIT, cycle, fill, seeded, three};

fn window(owner: Option<u8>, opens_ns: u64, closes_ns: u64) -> Window {
    Window {
        owner,
        opens_ns,
        closes_ns,
    }
}

#[test]
fn the_open_phase_follows_from_the_instant_modulo_the_cycle() {
    let mut gate = Gate::new(three(), 1_000, 0);
    assert_eq!(gate.advance(1_000), window(Some(0), 1_000, 101_000));
    assert_eq!(gate.advance(100_999), window(Some(0), 1_000, 101_000));
    assert_eq!(gate.advance(101_000), window(Some(1), 101_000, 201_000));
    assert_eq!(gate.advance(300_999), window(Some(2), 201_000, 301_000));
    assert_eq!(gate.advance(301_000), window(Some(0), 301_000, 401_000));
    assert_eq!(
        gate.advance(3_000_000_000_250_999),
        window(Some(2), 3_000_000_000_201_000, 3_000_000_000_301_000)
    );
}

#[test]
fn before_the_base_time_all_gates_are_closed() {
    let mut gate = Gate::new(three(), 5_000, 0);
    assert_eq!(gate.advance(10), window(None, 10, 5_000));
    assert_eq!(gate.try_start(0, 79), Err(Refusal::Closed));
    assert_eq!(gate.advance(5_000).owner, Some(0));
}

#[test]
fn a_gate_that_was_never_asked_is_closed() {
    assert_eq!(
        Gate::new(three(), 0, 0).try_start(0, 79),
        Err(Refusal::Closed)
    );
}

#[test]
fn a_base_time_in_the_past_gives_the_same_windows() {
    let mut gate = Gate::new(three(), 7, 0);
    assert_eq!(
        gate.advance(900_150_000),
        window(Some(1), 900_100_007, 900_200_007)
    );
}

#[test]
fn a_phase_of_nobody_is_open_for_nobody() {
    let phases = [(Some(0), 20_000), (None, 5_000)]
        .map(|(owner, duration_ns)| pinode_scheduler::Phase { owner, duration_ns });
    let cycle = pinode_scheduler::Cycle::new(&phases, 0, crate::link(GBIT), |_| 64).unwrap();
    let mut gate = Gate::new(cycle, 0, 0);
    assert_eq!(gate.advance(21_000), window(None, 20_000, 25_000));
    assert_eq!(
        (0..=255)
            .filter(|&slot| gate.try_start(slot, 64) != Err(Refusal::Closed))
            .count(),
        0
    );
}

#[test]
fn time_that_goes_back_counts_as_the_last_instant() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(150_000);
    assert_eq!(gate.advance(20_000), window(Some(1), 100_000, 200_000));
    assert_eq!(gate.try_start(1, 79), Ok(150_000));
}

#[test]
fn a_window_takes_what_fits_before_its_close() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.advance(0);
    let starts = fill(&mut gate, 0, 79);
    assert_eq!(starts, (0..126).map(|i| i * 792).collect::<Vec<_>>());
    assert_eq!(gate.try_start(0, 79), Err(Refusal::NoTimeLeft));
}

#[test]
fn a_frame_that_ends_at_the_close_goes_and_a_nanosecond_later_waits() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(100_000 - 792);
    assert_eq!(gate.try_start(0, 79), Ok(99_208));
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(100_000 - 791);
    assert_eq!(gate.try_start(0, 79), Err(Refusal::NoTimeLeft));
}

#[test]
fn a_frame_keeps_the_guard_before_the_close_free() {
    let guarded = || cycle(&[(0, 100_000), (1, 100_000)], 2_500, GBIT);
    let mut gate = Gate::new(guarded(), 0, 0);
    gate.advance(100_000 - 2_500 - 792);
    assert_eq!(gate.try_start(0, 79), Ok(96_708));
    let mut gate = Gate::new(guarded(), 0, 0);
    gate.advance(100_000 - 2_500 - 791);
    assert_eq!(gate.try_start(0, 79), Err(Refusal::NoTimeLeft));
}

#[test]
fn a_part_of_a_nanosecond_too_late_is_too_late() {
    // 12 frames of 7.92 ns are 95.04 ns; a window of 95 ns holds 11.
    let mut gate = Gate::new(cycle(&[(0, 95), (1, 95)], 0, 100 * GBIT), 0, u64::MAX);
    gate.advance(0);
    assert_eq!(fill(&mut gate, 0, 79).len(), 11);
}

#[test]
fn a_shorter_frame_may_go_where_a_longer_one_no_longer_fits() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(95_000);
    assert_eq!(gate.try_start(0, 1518), Err(Refusal::NoTimeLeft));
    assert_eq!(gate.try_start(0, 79), Ok(95_000));
}

#[test]
fn a_start_lies_at_most_the_lookahead_ahead() {
    let mut gate = Gate::new(three(), 0, 1_000);
    gate.advance(0);
    assert_eq!(gate.try_start(0, 79), Ok(0));
    assert_eq!(gate.try_start(0, 79), Ok(792));
    assert_eq!(gate.try_start(0, 79), Err(Refusal::LinkBusy));
    gate.advance(583);
    assert_eq!(gate.try_start(0, 79), Err(Refusal::LinkBusy));
    gate.advance(584);
    assert_eq!(gate.try_start(0, 79), Ok(1_584));
}

#[test]
fn the_lookahead_does_not_reach_into_the_next_window() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.advance(99_999);
    assert_eq!(gate.try_start(1, 79), Err(Refusal::Closed));
    assert_eq!(gate.try_start(0, 79), Err(Refusal::NoTimeLeft));
}

#[test]
fn missed_phases_are_not_made_up() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.advance(0);
    gate.advance(250_000);
    gate.advance(300_000);
    assert_eq!(fill(&mut gate, 0, 79).len(), 126);
}

#[test]
fn a_frame_refused_charges_nothing() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(10);
    assert_eq!(gate.try_start(0, 65_000), Err(Refusal::NoTimeLeft));
    assert_eq!(gate.try_start(1, 79), Err(Refusal::Closed));
    assert_eq!(gate.try_start(0, 79), Ok(10));
}

#[test]
fn no_instant_and_no_size_panics() {
    for base_ns in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        for now_ns in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let mut gate = Gate::new(three(), base_ns, u64::MAX);
            for now_ns in [now_ns, u64::MAX - 1, u64::MAX, u64::MAX] {
                gate.advance(now_ns);
                for octets in [0, 79, u32::MAX] {
                    for slot in 0..3 {
                        let _ = gate.try_start(slot, octets);
                    }
                }
                let _ = gate.install(three(), Some(u64::MAX), now_ns);
                let _ = gate.install(three(), None, now_ns);
            }
            assert_eq!(gate.counters(0).window_overruns, 0);
        }
    }
}

proptest! {
    #![proptest_config(seeded(600))]

    /// Random cycles, rates, sizes, arrivals, polls, without a change of the schedule: every start
    /// lies in its window and clear of close and guard, the link never carries two frames at once,
    /// no refusal without its reason, nothing is lost, and all time is accounted.
    #[test]
    fn every_frame_goes_in_its_window_and_the_link_never_carries_two(
        scenario in model::scenarios(0),
    ) {
        model::run(&scenario);
    }
}

#[test]
fn a_saturated_run_fills_every_window() {
    let scenario = Scenario {
        cycles: vec![three()],
        base_ns: 1_000,
        lookahead_ns: 3_000,
        steps: (0..900)
            .map(|_| model::Step::poll(1_000, [30; 4], 79))
            .collect(),
    };
    let sent = model::run(&scenario);
    assert_eq!(sent[..3], [3 * 126; 3]);
}
