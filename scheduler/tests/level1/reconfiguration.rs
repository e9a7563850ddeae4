//! Admin and oper (IEEE Std 802.1Q-2018 8.6.9.3): when a change takes effect, and that it
//! misplaces nothing.

use pinode_scheduler::{Gate, InstallError, RETIRED_CYCLES, Refusal};
use proptest::prelude::*;

use crate::{GBIT, cycle, fill, model, seeded, three};

fn other() -> pinode_scheduler::Cycle {
    cycle(&[(2, 50_000), (0, 70_000)], 0, GBIT)
}

#[test]
fn without_base_time_the_next_cycle_boundary() {
    let mut gate = Gate::new(three(), 1_000, 0);
    assert_eq!(gate.install(other(), None, 150_000), Ok(301_000));
    assert_eq!(
        gate.pending().map(|(cycle, at_ns)| (cycle.clone(), at_ns)),
        Some((other(), 301_000))
    );
    assert_eq!(gate.advance(300_999).owner, Some(2));
    assert_eq!(gate.oper(), (&three(), 1_000));
    let window = gate.advance(301_000);
    assert_eq!(
        (window.owner, window.opens_ns, window.closes_ns),
        (Some(2), 301_000, 351_000)
    );
    assert_eq!(gate.oper(), (&other(), 301_000));
    assert_eq!(gate.pending(), None);
    assert_eq!(gate.retired(), Some(three()));
    assert_eq!(gate.retired(), None);
}

#[test]
fn on_a_boundary_without_frames_at_once() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(250_000);
    assert_eq!(gate.install(other(), None, 300_000), Ok(300_000));
    assert_eq!(gate.try_start(2, 79), Ok(300_000));
    assert_eq!(gate.counters(0).windows, 0);
}

#[test]
fn a_base_time_to_come_cuts_the_window_there() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    assert_eq!(gate.install(other(), Some(150_000), 90_000), Ok(150_000));
    let window = gate.advance(100_000);
    assert_eq!((window.owner, window.closes_ns), (Some(1), 150_000));
    assert_eq!(fill(&mut gate, 1, 79).last(), Some(&(100_000 + 62 * 792)));
    assert_eq!(gate.try_start(1, 79), Err(Refusal::NoTimeLeft));
    assert_eq!(gate.advance(150_000).owner, Some(2));
    let counters = gate.counters(1);
    assert_eq!(
        (counters.windows, counters.open_ns, counters.busy_ns),
        (1, 50_000, 63 * 792)
    );
    assert_eq!(counters.guard_idle_ns, 50_000 - 63 * 792);
}

#[test]
fn a_base_time_in_the_past_means_a_boundary_of_the_new_cycle() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(500_000);
    // 7 + n * 120 us.
    assert_eq!(gate.install(other(), Some(7), 500_000), Ok(600_007));
    assert_eq!(
        gate.install(other(), Some(500_000 - 120_000), 500_000),
        Ok(500_000)
    );
}

#[test]
fn a_frame_that_was_started_is_not_overtaken() {
    let guarded = cycle(&[(0, 100_000), (1, 100_000)], 500, GBIT);
    let mut gate = Gate::new(guarded, 0, 50_000);
    gate.advance(10_000);
    for start_ns in [10_000, 22_304] {
        assert_eq!(gate.try_start(0, 1518), Ok(start_ns));
    }
    // The link is busy until 34,608 and the guard until 35,108: 20,000 has to wait for a cycle.
    assert_eq!(gate.install(other(), Some(20_000), 10_000), Ok(140_000));
    assert_eq!(gate.install(other(), Some(35_107), 10_000), Ok(155_107));
    assert_eq!(gate.install(other(), Some(35_108), 10_000), Ok(35_108));
    gate.advance(35_108);
    assert_eq!(gate.counters(0).window_overruns, 0);
    assert_eq!(gate.try_start(2, 79), Ok(35_108));
}

#[test]
fn a_change_that_waits_is_replaced_and_its_cut_undone() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.install(other(), Some(50_000), 0).unwrap();
    assert_eq!(gate.advance(0).closes_ns, 50_000);
    let last = cycle(&[(1, 99_000)], 0, GBIT);
    assert_eq!(
        gate.install(last.clone(), Some(1_000_000), 0),
        Ok(1_000_000)
    );
    assert_eq!(gate.advance(0).closes_ns, 100_000);
    assert_eq!(gate.retired(), Some(other()));
    assert_eq!(gate.advance(50_000).owner, Some(0));
    assert_eq!(gate.advance(1_000_000).owner, Some(1));
    assert_eq!(gate.oper(), (&last, 1_000_000));
}

#[test]
fn before_the_first_base_time_the_first_schedule_may_be_replaced_unused() {
    let mut gate = Gate::new(three(), 10_000, 0);
    gate.advance(0);
    assert_eq!(gate.install(other(), None, 5_000), Ok(10_000));
    assert_eq!(gate.advance(10_000).owner, Some(2));
    assert_eq!(gate.counters(0).windows, 0);
}

#[test]
fn a_change_unseen_for_long_is_accounted_on_both_sides() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.install(other(), Some(1_050_000), 0).unwrap();
    // 3 cycles of 300 us and 150 us, then 10 of 120 us.
    gate.advance(1_050_000 + 10 * 120_000);
    let [pi0, pi1, pi2] = [0, 1, 2].map(|slot| gate.counters(slot));
    assert_eq!((pi0.windows, pi0.open_ns), (4 + 10, 400_000 + 700_000));
    assert_eq!((pi1.windows, pi1.open_ns), (4, 350_000));
    assert_eq!((pi2.windows, pi2.open_ns), (3 + 10, 300_000 + 500_000));
    assert_eq!(pi0.phase_ns, 70_000);
    assert_eq!(pi1.phase_ns, 0);
}

#[test]
fn cycles_not_taken_back_refuse_the_next_change_and_return_it() {
    let mut gate = Gate::new(three(), 0, 0);
    for _ in 0..RETIRED_CYCLES {
        gate.install(other(), Some(1_000_000), 0).unwrap();
    }
    let refused = gate.install(three(), None, 0);
    assert_eq!(refused, Err(InstallError::RetiredFull { admin: three() }));
    assert_eq!(gate.advance(1_000_000).owner, Some(2));
    assert_eq!(
        std::iter::from_fn(|| gate.retired()).count(),
        RETIRED_CYCLES
    );
    assert_eq!(gate.install(three(), None, 1_000_000), Ok(1_000_000));
}

#[test]
fn a_change_beyond_the_end_of_the_clock_is_refused() {
    let mut gate = Gate::new(three(), 0, 0);
    let refused = gate.install(other(), None, u64::MAX);
    assert_eq!(
        refused,
        Err(InstallError::NoInstant {
            admin: other(),
            earliest_ns: u64::MAX
        })
    );
}

proptest! {
    #![proptest_config(seeded(600))]

    /// Changes of the schedule at any instant, with and without base time, replaced or refused:
    /// everything that holds without them holds with them.
    #[test]
    fn a_change_at_any_instant_misplaces_nothing(scenario in model::scenarios(2)) {
        model::run(&scenario);
    }
}
