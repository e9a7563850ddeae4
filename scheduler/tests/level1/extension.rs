//! Cycle-time extension (IEEE Std 802.1Q-2018 8.6.9.1): the last phase before a change stays open in
//! place of a cycle cut short.

use pinode_scheduler::{Cycle, CycleError, Gate};

use crate::{GBIT, cycle, fill, three};

/// Cycles of 300 us that may be extended by 50 us.
fn extended() -> Cycle {
    three().with_extension(50_000).unwrap()
}

fn other() -> Cycle {
    cycle(&[(1, 120_000)], 0, GBIT)
}

/// Who is open at `now_ns`, from when until when.
fn open(gate: &mut Gate, now_ns: u64) -> (Option<u8>, u64, u64) {
    let window = gate.advance(now_ns);
    (window.owner, window.opens_ns, window.closes_ns)
}

#[test]
fn at_most_a_cycle() {
    assert_eq!(three().extension_ns(), 0);
    assert_eq!(extended().extension_ns(), 50_000);
    assert!(three().with_extension(300_000).is_ok());
    let error = three().with_extension(300_001).unwrap_err();
    assert_eq!(
        error,
        CycleError::ExtensionTooLong {
            extension_ns: 300_001,
            length_ns: 300_000
        }
    );
    assert_eq!(
        error.to_string(),
        "cycle-time extension of 300001 ns: allowed is at most the cycle's length, 300000 ns"
    );
}

#[test]
fn the_last_phase_stays_open_until_a_change_soon_after_the_boundary() {
    let mut gate = Gate::new(extended(), 0, u64::MAX);
    gate.install(other(), Some(650_000), 0).unwrap();
    assert_eq!(open(&mut gate, 450_000), (Some(1), 400_000, 500_000));
    assert_eq!(gate.next().map(|next| next.closes_ns), Some(650_000));
    assert_eq!(open(&mut gate, 599_999), (Some(2), 500_000, 650_000));
    // Its time is the PI's own.
    assert_eq!(open(&mut gate, 610_000), (Some(2), 500_000, 650_000));
    assert_eq!(fill(&mut gate, 2, 79).len(), 40_000 / 792);
    assert_eq!(gate.next().and_then(|next| next.owner), Some(1));
    assert_eq!(open(&mut gate, 650_000), (Some(1), 650_000, 770_000));
    let counters = [0, 2].map(|slot| gate.counters(slot));
    assert_eq!(counters.map(|c| c.windows), [2, 2]);
    assert_eq!(counters.map(|c| c.open_ns), [200_000, 250_000]);
    assert_eq!(counters[1].busy_ns, 40_000 / 792 * 792);
}

#[test]
fn an_extension_that_passed_unseen_is_accounted() {
    let mut gate = Gate::new(extended(), 0, 0);
    gate.install(other(), Some(650_000), 0).unwrap();
    gate.advance(650_000 + 120_000);
    let counters = [0, 1, 2].map(|slot| gate.counters(slot));
    assert_eq!(counters.map(|c| c.windows), [2, 3, 2]);
    assert_eq!(counters.map(|c| c.open_ns), [200_000, 320_000, 250_000]);
}

#[test]
fn a_change_later_after_the_boundary_cuts_a_cycle() {
    let mut gate = Gate::new(extended(), 0, 0);
    gate.install(other(), Some(650_001), 0).unwrap();
    assert_eq!(open(&mut gate, 600_000), (Some(0), 600_000, 650_001));
}

#[test]
fn an_extension_of_a_cycle_takes_the_whole_last_one() {
    let mut gate = Gate::new(three().with_extension(300_000).unwrap(), 0, 0);
    gate.install(other(), Some(900_000), 0).unwrap();
    assert_eq!(open(&mut gate, 600_000), (Some(2), 500_000, 900_000));
}

#[test]
fn neither_the_first_cycle_nor_one_that_has_begun_is_extended_away() {
    let mut gate = Gate::new(extended(), 1_000, 0);
    gate.install(other(), Some(41_000), 0).unwrap();
    assert_eq!(open(&mut gate, 1_000), (Some(0), 1_000, 41_000));
    let mut gate = Gate::new(extended(), 0, 0);
    gate.install(other(), Some(620_000), 600_000).unwrap();
    assert_eq!(open(&mut gate, 600_000), (Some(0), 600_000, 620_000));
}

#[test]
fn a_cycle_that_frames_were_committed_to_is_begun() {
    let mut gate = Gate::new(extended(), 0, 10_000);
    gate.advance(595_000);
    let mut starts = gate.open_ahead(0).expect("its own");
    starts.size(79);
    assert_eq!(starts.start(), Ok(600_000));
    drop(starts);
    gate.install(other(), Some(620_000), 595_000).unwrap();
    assert_eq!(open(&mut gate, 600_000), (Some(0), 600_000, 620_000));
}

#[test]
fn an_extension_to_come_goes_with_the_change_that_is_replaced() {
    let mut gate = Gate::new(extended(), 0, 0);
    gate.install(other(), Some(620_000), 0).unwrap();
    gate.install(other(), Some(1_000_000), 599_999).unwrap();
    assert_eq!(open(&mut gate, 599_999), (Some(2), 500_000, 600_000));
    assert_eq!(open(&mut gate, 600_000), (Some(0), 600_000, 700_000));
}

#[test]
fn an_extension_that_has_begun_stays_and_the_cycle_goes_on_behind_it() {
    let mut gate = Gate::new(extended(), 0, 0);
    gate.install(other(), Some(620_000), 0).unwrap();
    gate.install(other(), Some(1_010_000), 600_000).unwrap();
    assert_eq!(open(&mut gate, 600_000), (Some(2), 500_000, 620_000));
    assert_eq!(gate.next().map(|next| next.opens_ns), Some(620_000));
    assert_eq!(open(&mut gate, 620_000), (Some(0), 620_000, 700_000));
    gate.advance(900_000);
    let counters = [0, 1, 2].map(|slot| gate.counters(slot));
    assert_eq!(counters.map(|c| c.open_ns), [280_000, 300_000, 320_000]);
    assert_eq!(counters.map(|c| c.windows), [3, 3, 3]);
}

#[test]
fn a_new_change_cuts_an_extension_that_has_begun() {
    let mut gate = Gate::new(extended(), 0, 0);
    gate.install(other(), Some(620_000), 0).unwrap();
    gate.install(other(), Some(615_000), 610_000).unwrap();
    assert_eq!(open(&mut gate, 610_000), (Some(2), 500_000, 615_000));
    assert_eq!(open(&mut gate, 615_000), (Some(1), 615_000, 735_000));
}

#[test]
fn an_extension_that_a_frame_was_started_in_stays() {
    for frames in [1, 2] {
        let mut gate = Gate::new(extended(), 0, u64::MAX);
        gate.install(other(), Some(620_000), 0).unwrap();
        gate.advance(600_000 - 792);
        for _ in 0..frames {
            gate.try_start(2, 79).unwrap();
        }
        gate.install(other(), Some(1_000_000), 599_999).unwrap();
        let closes_ns = if frames == 1 { 600_000 } else { 620_000 };
        assert_eq!(open(&mut gate, 599_999).2, closes_ns);
    }
}

/// The window ahead is of a change, and is the one extended for the change behind it.
#[test]
fn an_extension_that_frames_were_committed_to_stays() {
    let single = cycle(&[(2, 50_000)], 0, GBIT).with_extension(50_000);
    let mut gate = Gate::new(three(), 0, u64::MAX);
    gate.install(single.unwrap(), Some(100_000), 0).unwrap();
    let ahead = |gate: &mut Gate| {
        let mut starts = gate.open_ahead(2).expect("its own");
        starts.size(1518);
        std::iter::from_fn(|| starts.start().ok()).count()
    };
    assert_eq!(ahead(&mut gate), 4);
    gate.install(other(), Some(170_000), 0).unwrap();
    assert_eq!(gate.next().map(|next| next.closes_ns), Some(170_000));
    assert_eq!(ahead(&mut gate), 1);
    while gate.retired().is_some() {}
    gate.install(other(), Some(400_000), 0).unwrap();
    assert_eq!(gate.next().map(|next| next.closes_ns), Some(170_000));
    assert_eq!(open(&mut gate, 100_000), (Some(2), 100_000, 170_000));
    assert_eq!(open(&mut gate, 170_000), (Some(2), 170_000, 200_000));
    assert_eq!(gate.counters(2).window_overruns, 0);
}
