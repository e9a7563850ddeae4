//! Frames committed to the next window before it opens.

use pinode_scheduler::{Cycle, Gate, Refusal, Window};

use crate::{GBIT, cycle, fill, three};

/// Commits frames of `octets` for `slot` until one is refused; gives their starts.
fn fill_ahead(gate: &mut Gate, slot: u8, octets: u32) -> Vec<u64> {
    let Some(mut starts) = gate.open_ahead(slot) else {
        return Vec::new();
    };
    starts.size(octets);
    std::iter::from_fn(|| starts.start().ok()).collect()
}

fn window(owner: u8, opens_ns: u64, closes_ns: u64) -> Option<Window> {
    Some(Window {
        owner: Some(owner),
        opens_ns,
        closes_ns,
    })
}

fn other() -> Cycle {
    cycle(&[(2, 50_000), (0, 70_000)], 0, GBIT)
}

#[test]
fn the_next_window_follows_through_the_cycle_and_into_the_one_after() {
    let mut gate = Gate::new(three(), 1_000, 0);
    assert_eq!(gate.next(), None, "never asked");
    gate.advance(10);
    assert_eq!(gate.next(), window(0, 1_000, 101_000));
    gate.advance(1_000);
    assert_eq!(gate.next(), window(1, 101_000, 201_000));
    gate.advance(300_999);
    assert_eq!(gate.next(), window(0, 301_000, 401_000));
    gate.advance(u64::MAX);
    assert_eq!(gate.next(), None, "the clock has ended");
}

#[test]
fn the_next_window_is_that_of_the_change_and_cut_by_it() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.install(other(), Some(150_000), 0).unwrap();
    assert_eq!(gate.next(), window(1, 100_000, 150_000));
    gate.advance(120_000);
    assert_eq!(gate.next(), window(2, 150_000, 200_000));
    let mut gate = Gate::new(three(), 1_000, 0);
    gate.install(other(), Some(400), 0).unwrap();
    assert_eq!(gate.next(), window(2, 400, 50_400));
}

#[test]
fn frames_committed_ahead_start_at_the_opening_within_the_lookahead_from_now() {
    let mut gate = Gate::new(three(), 0, 3_000);
    gate.advance(96_999);
    assert!(gate.open_ahead(1).is_none(), "opens 3,001 ns from now");
    gate.advance(97_000);
    assert!(gate.open_ahead(0).is_none(), "not its own");
    assert_eq!(fill_ahead(&mut gate, 1, 79), [100_000]);
    gate.advance(99_000);
    assert_eq!(fill_ahead(&mut gate, 1, 79), [100_792, 101_584]);
    let mut starts = gate.open_ahead(1).expect("its own");
    starts.size(79);
    assert_eq!(starts.start(), Err(Refusal::LinkBusy));
    drop(starts);
    // The open window is charged apart, and the next goes on where it was left.
    assert_eq!(gate.try_start(0, 79), Ok(99_000));
    gate.advance(100_100);
    assert_eq!(gate.try_start(1, 79), Ok(102_376));
}

#[test]
fn frames_committed_ahead_keep_clear_of_close_and_guard() {
    let guarded = cycle(&[(0, 100_000), (1, 10_000)], 1_000, GBIT);
    let mut gate = Gate::new(guarded, 0, u64::MAX);
    gate.advance(50_000);
    let starts = fill_ahead(&mut gate, 1, 79);
    assert_eq!(
        starts,
        (0..11).map(|i| 100_000 + i * 792).collect::<Vec<_>>()
    );
    gate.advance(100_000);
    assert_eq!(gate.try_start(1, 79), Err(Refusal::NoTimeLeft));
    gate.advance(110_000);
    let counters = gate.counters(1);
    assert_eq!((counters.windows, counters.window_overruns), (1, 0));
    assert_eq!((counters.busy_ns, counters.guard_idle_ns), (8_712, 1_288));
}

#[test]
fn a_window_that_passes_unseen_has_carried_what_was_committed_to_it() {
    let mut gate = Gate::new(three(), 0, 10_000);
    gate.advance(95_000);
    assert_eq!(fill_ahead(&mut gate, 1, 1518), [100_000]);
    gate.advance(3 * 300_000 + 250_000);
    let counters = [0, 1, 2].map(|slot| gate.counters(slot));
    assert_eq!(counters.map(|c| c.windows), [4, 4, 3]);
    assert_eq!(counters.map(|c| c.open_ns), [305_000, 400_000, 300_000]);
    assert_eq!(counters.map(|c| c.busy_ns), [0, 12_304, 0]);
    assert_eq!(counters[1].empty_idle_ns, 400_000 - 12_304);
}

#[test]
fn what_is_rewound_was_never_committed() {
    let mut gate = Gate::new(three(), 0, 10_000);
    gate.advance(95_000);
    let mut starts = gate.open_ahead(1).expect("its own");
    starts.size(79);
    assert_eq!(starts.start(), Ok(100_000));
    starts.rewind();
    drop(starts);
    assert_eq!(gate.install(other(), Some(100_000), 95_000), Ok(100_000));
}

#[test]
fn a_change_lies_after_the_frames_committed_ahead_and_their_guard() {
    let guarded = cycle(&[(0, 100_000), (1, 100_000)], 500, GBIT);
    let mut gate = Gate::new(guarded, 0, 10_000);
    gate.advance(95_000);
    assert_eq!(fill_ahead(&mut gate, 1, 1518), [100_000]);
    // Busy until 112,304, guard until 112,804; the new cycle is 120 us long.
    for (base_ns, from_ns) in [(97_000, 217_000), (112_803, 232_803), (112_804, 112_804)] {
        assert_eq!(gate.install(other(), Some(base_ns), 95_000), Ok(from_ns));
    }
    assert_eq!(gate.next(), window(1, 100_000, 112_804));
    assert_eq!(gate.advance(112_804).owner, Some(2));
    assert_eq!(gate.counters(1).busy_ns, 12_304);
    assert_eq!(gate.counters(1).window_overruns, 0);
}

#[test]
fn a_change_that_frames_were_committed_to_takes_effect_before_the_one_that_follows_it() {
    let mut gate = Gate::new(three(), 0, 10_000);
    gate.install(other(), Some(50_000), 0).unwrap();
    gate.advance(45_000);
    assert_eq!(fill_ahead(&mut gate, 2, 1518), [50_000]);
    let last = cycle(&[(1, 99_000)], 0, GBIT);
    // Not from under the frame, which ends at 62,304.
    assert_eq!(
        gate.install(last.clone(), Some(49_000), 45_000),
        Ok(148_000)
    );
    assert_eq!(gate.settled(), Some((&other(), 50_000)));
    assert_eq!(gate.pending(), Some((&last, 148_000)));
    assert_eq!(gate.install(last.clone(), None, 45_000), Ok(170_000));
    assert_eq!(gate.settled(), Some((&other(), 50_000)));
    assert_eq!(gate.install(last.clone(), Some(70_000), 45_000), Ok(70_000));
    assert_eq!(gate.next(), window(2, 50_000, 70_000));
    gate.advance(60_000);
    assert_eq!(gate.oper(), (&other(), 50_000));
    assert_eq!(gate.settled(), None);
    assert_eq!(gate.pending(), Some((&last, 70_000)));
    gate.advance(70_000);
    assert_eq!(gate.oper(), (&last, 70_000));
    let counters = gate.counters(2);
    assert_eq!((counters.open_ns, counters.busy_ns), (20_000, 12_304));
    let retired: Vec<_> = std::iter::from_fn(|| gate.retired()).collect();
    assert_eq!(retired, [last.clone(), last, three(), other()]);
}

#[test]
fn a_frame_refused_ahead_starves_in_the_window_that_comes_but_in_no_other() {
    let short = cycle(&[(0, 100_000), (1, 5_000), (2, 95_000)], 0, GBIT);
    for changed in [false, true] {
        let mut gate = Gate::new(short.clone(), 0, 10_000);
        gate.advance(95_000);
        assert!(fill_ahead(&mut gate, 1, 1518).is_empty());
        if changed {
            let only = cycle(&[(1, 20_000)], 0, GBIT);
            assert_eq!(gate.install(only, Some(100_000), 95_000), Ok(100_000));
        }
        gate.advance(120_000);
        let counters = gate.counters(1);
        let expected = if changed { (20_000, 0) } else { (5_000, 5_000) };
        assert_eq!((counters.open_ns, counters.guard_idle_ns), expected);
    }
}

#[test]
fn full_windows_ahead_are_as_full_as_open_ones() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.advance(0);
    let opened = fill(&mut gate, 0, 79).len();
    let committed = fill_ahead(&mut gate, 1, 79);
    assert_eq!(committed.len(), opened);
    assert_eq!(committed.first(), Some(&100_000));
}

#[test]
fn before_a_base_time_years_ahead_no_window_has_time_left() {
    const YEAR_NS: u64 = 31_557_600_000_000_000;
    let mut gate = Gate::new(three(), 50 * YEAR_NS, 20_000);
    gate.advance(1);
    assert!(gate.is_over(64));
    gate.advance(YEAR_NS);
    assert!(gate.is_over(64) && fill_ahead(&mut gate, 0, 64).is_empty());
    gate.advance(50 * YEAR_NS);
    assert!(!gate.is_over(64));
}
