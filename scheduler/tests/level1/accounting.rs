//! Sent, lost to the guard, lost empty: exact to the window.

use pinode_scheduler::{Gate, GateCounters, Refusal};

use crate::{GBIT, cycle, fill, three};

#[test]
fn a_full_window_loses_its_rest_to_the_guard() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.advance(0);
    fill(&mut gate, 0, 79);
    gate.advance(100_000);
    assert_eq!(
        gate.counters(0),
        GateCounters {
            phase_ns: 100_000,
            windows: 1,
            window_overruns: 0,
            late_windows: 0,
            open_ns: 100_000,
            busy_ns: 126 * 792,
            guard_idle_ns: 100_000 - 126 * 792,
            empty_idle_ns: 0,
        }
    );
}

#[test]
fn a_window_without_frames_is_lost_empty() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(0);
    gate.advance(100_000);
    let counters = gate.counters(0);
    assert_eq!(
        (
            counters.windows,
            counters.empty_idle_ns,
            counters.guard_idle_ns
        ),
        (1, 100_000, 0)
    );
}

#[test]
fn time_before_a_frame_came_is_empty_and_after_it_starved_lost_to_the_guard() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(0);
    gate.advance(90_000);
    assert_eq!(gate.try_start(0, 1518), Err(Refusal::NoTimeLeft));
    gate.advance(95_000);
    assert_eq!(gate.try_start(0, 79), Ok(95_000));
    gate.advance(100_000);
    let counters = gate.counters(0);
    assert_eq!(counters.empty_idle_ns, 90_000 + (100_000 - 95_792));
    assert_eq!(counters.guard_idle_ns, 5_000);
    assert_eq!(counters.busy_ns, 792);
}

#[test]
fn windows_that_passed_unseen_are_counted_and_empty() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(50_000);
    // Into phase 2 of cycle 1000: PI 0 and 1 have had 1001 windows, PI 2 has had 1000.
    gate.advance(1_000 * 300_000 + 250_000);
    let counters = [0, 1, 2].map(|slot| gate.counters(slot));
    assert_eq!(counters.map(|c| c.windows), [1_001, 1_001, 1_000]);
    assert_eq!(
        counters.map(|c| c.open_ns),
        [100_050_000, 100_100_000, 100_000_000]
    );
    assert_eq!(
        counters.map(|c| c.empty_idle_ns),
        [100_050_000, 100_100_000, 100_000_000]
    );
}

#[test]
fn a_century_unseen_is_accounted_at_once() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(0);
    let cycles = 10_512_000_000_000;
    gate.advance(cycles * 300_000);
    assert_eq!(gate.counters(2).windows, cycles);
    assert_eq!(gate.counters(2).empty_idle_ns, cycles * 100_000);
}

#[test]
fn accounting_begins_when_the_gate_is_first_asked() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(900_000_030_000);
    gate.advance(900_000_100_000);
    let counters = gate.counters(0);
    assert_eq!((counters.windows, counters.open_ns), (1, 70_000));
}

#[test]
fn the_open_window_is_accounted_when_it_has_closed() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(0);
    assert_eq!(gate.try_start(0, 79), Ok(0));
    gate.advance(99_999);
    assert_eq!(gate.counters(0).open_ns, 0);
    gate.advance(100_000);
    assert_eq!(gate.counters(0).busy_ns, 792);
}

#[test]
fn parts_of_nanoseconds_are_carried_to_the_next_window() {
    // Windows of 95 ns with 11 frames of 7.92 ns: 87.12 ns sent, 7.88 ns lost to the guard.
    let mut gate = Gate::new(cycle(&[(0, 95)], 0, 100 * GBIT), 0, u64::MAX);
    for window in 0..100 {
        gate.advance(window * 95);
        assert_eq!(fill(&mut gate, 0, 79).len(), 11);
    }
    gate.advance(9_500);
    let counters = gate.counters(0);
    assert_eq!((counters.open_ns, counters.busy_ns), (9_500, 8_712));
    assert_eq!((counters.guard_idle_ns, counters.empty_idle_ns), (788, 0));
}

#[test]
fn several_phases_of_a_pi_are_windows_of_their_own() {
    let mut gate = Gate::new(
        cycle(&[(0, 20_000), (1, 30_000), (0, 50_000)], 0, GBIT),
        0,
        0,
    );
    gate.advance(0);
    gate.advance(100_000);
    let counters = gate.counters(0);
    assert_eq!(
        (counters.phase_ns, counters.windows, counters.open_ns),
        (70_000, 2, 70_000)
    );
}
