//! Frames that leave later than they were to: the link is busy for longer, and says so.

use pinode_scheduler::{Gate, Refusal};

use crate::{GBIT, cycle, three};

/// Windows whose last frame was started too late, and those in which it left too late.
fn late(gate: &Gate, slot: u8) -> (u64, u64) {
    let counters = gate.counters(slot);
    (counters.window_overruns, counters.late_windows)
}

#[test]
fn frames_behind_late_ones_start_later() {
    let mut gate = Gate::new(three(), 0, 10_000);
    gate.advance(0);
    assert_eq!(gate.try_start(0, 79), Ok(0));
    gate.delay(false, 2_000);
    assert_eq!(gate.try_start(0, 79), Ok(2_792));
    gate.delay(false, 0);
    assert_eq!(gate.try_start(0, 79), Ok(3_584));
}

#[test]
fn late_frames_leave_less_of_the_window() {
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.advance(0);
    assert_eq!(gate.try_start(0, 79), Ok(0));
    gate.delay(false, 99_208 - 792 + 1);
    assert_eq!(gate.try_start(0, 79), Err(Refusal::NoTimeLeft));
    gate.advance(100_000);
    assert_eq!(late(&gate, 0), (0, 0));
}

#[test]
fn what_still_goes_after_the_close_makes_a_late_window_and_holds_up_the_next() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(99_208);
    assert_eq!(gate.try_start(0, 79), Ok(99_208));
    gate.delay(false, 5_000);
    // The link carries the late frame until 105 us.
    gate.advance(100_000);
    assert_eq!(gate.try_start(1, 79), Err(Refusal::LinkBusy));
    assert_eq!(late(&gate, 0), (0, 1));
    gate.advance(105_000);
    assert_eq!(gate.try_start(1, 79), Ok(105_000));
    // It has been waited out.
    gate.advance(200_000);
    assert_eq!(gate.try_start(2, 79), Ok(200_000));
    assert_eq!([0, 1].map(|slot| late(&gate, slot)), [(0, 1), (0, 0)]);
}

#[test]
fn the_guard_is_there_for_late_frames() {
    let mut gate = Gate::new(cycle(&[(0, 100_000), (1, 100_000)], 5_000, GBIT), 0, 0);
    gate.advance(100_000 - 5_000 - 792);
    assert!(gate.try_start(0, 79).is_ok());
    gate.delay(false, 5_000);
    gate.advance(100_000);
    assert_eq!(late(&gate, 0), (0, 0));
    assert_eq!(gate.try_start(1, 79), Ok(100_000));
}

#[test]
fn frames_kept_back_leave_the_link_as_if_they_had_not_been_started() {
    for ahead in [false, true] {
        let mut gate = Gate::new(three(), 0, 100_000);
        gate.advance(99_208 - 2 * 792);
        let slot = u8::from(ahead);
        let mut start = || match ahead {
            false => gate.try_start(slot, 79),
            true => {
                let mut starts = gate.open_ahead(slot).expect("its window is next");
                let start = starts.ask(79)?;
                Ok(starts.charge(start))
            }
        };
        let first_ns = start().unwrap();
        assert_eq!(start(), Ok(first_ns + 792));
        gate.keep_back(ahead, 792_000);
        gate.delay(ahead, 8);
        let again = match ahead {
            false => gate.try_start(slot, 79).unwrap(),
            true => {
                let mut starts = gate.open_ahead(slot).unwrap();
                let start = starts.ask(79).unwrap();
                starts.charge(start)
            }
        };
        assert_eq!(again, first_ns + 800);
        gate.advance(200_000);
        let counted = gate.counters(slot);
        assert_eq!((counted.busy_ns, late(&gate, slot)), (2 * 792, (0, 0)));
        assert_eq!(
            counted.open_ns,
            100_000 - if ahead { 0 } else { 99_208 - 2 * 792 }
        );
    }
}
