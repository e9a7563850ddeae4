//! Frames that leave later than they were to: the link is busy for longer, and says so.

use pinode_scheduler::{Gate, Refusal};

use crate::{GBIT, cycle, three};

#[test]
fn frames_behind_late_ones_start_later() {
    let mut gate = Gate::new(three(), 0, 10_000);
    gate.advance(0);
    assert_eq!(gate.try_start(0, 79), Ok(0));
    gate.delay(2_000);
    assert_eq!(gate.try_start(0, 79), Ok(2_792));
    gate.delay(0);
    assert_eq!(gate.try_start(0, 79), Ok(3_584));
}

#[test]
fn late_frames_leave_less_of_the_window() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.advance(0);
    assert_eq!(gate.try_start(0, 79), Ok(0));
    gate.delay(99_208 - 792 + 1);
    assert_eq!(gate.try_start(0, 79), Err(Refusal::NoTimeLeft));
    gate.advance(100_000);
    assert_eq!(gate.counters(0).window_overruns, 0);
}

#[test]
fn what_still_goes_after_the_close_is_an_overrun_and_holds_up_the_next() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(99_208);
    assert_eq!(gate.try_start(0, 79), Ok(99_208));
    gate.delay(5_000);
    // The link carries the late frame until 105 us.
    gate.advance(100_000);
    assert_eq!(gate.try_start(1, 79), Err(Refusal::LinkBusy));
    assert_eq!(gate.counters(0).window_overruns, 1);
    gate.advance(105_000);
    assert_eq!(gate.try_start(1, 79), Ok(105_000));
    // It has been waited out.
    gate.advance(200_000);
    assert_eq!(gate.try_start(2, 79), Ok(200_000));
    let counted = [0, 1].map(|slot| gate.counters(slot).window_overruns);
    assert_eq!(counted, [1, 0]);
}

#[test]
fn the_guard_is_there_for_late_frames() {
    let mut gate = Gate::new(cycle(&[(0, 100_000), (1, 100_000)], 5_000, GBIT), 0, 0);
    gate.advance(100_000 - 5_000 - 792);
    assert!(gate.try_start(0, 79).is_ok());
    gate.delay(5_000);
    gate.advance(100_000);
    assert_eq!(gate.counters(0).window_overruns, 0);
    assert_eq!(gate.try_start(1, 79), Ok(100_000));
}
