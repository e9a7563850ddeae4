//! 8 (L + 20) / C.

use pinode_scheduler::{Gate, LinkRate, Refusal};
use proptest::prelude::*;

use crate::{GBIT, cycle, fill, link, seeded};

#[test]
fn preamble_and_gap_are_charged() {
    assert_eq!(link(GBIT).wire_time_ps(79), 792_000);
    assert_eq!(link(10 * GBIT).wire_time_ps(1518), 1_230_400);
    assert_eq!(link(100 * GBIT).wire_time_ps(79), 7_920);
    assert_eq!(link(400 * GBIT).wire_time_ps(64), 1_680);
}

#[test]
fn a_link_without_rate_is_refused() {
    assert_eq!(
        LinkRate::new(0).unwrap_err().to_string(),
        "link rate is 0 bit/s: allowed is 1 bit/s and more"
    );
}

#[test]
fn frames_follow_each_other_exactly_at_100_gbit() {
    let mut gate = Gate::new(cycle(&[(0, 1_000)], 0, 100 * GBIT), 0, u64::MAX);
    gate.advance(0);
    let starts = fill(&mut gate, 0, 79);
    let exact: Vec<u64> = (0..126).map(|i| i * 7_920 / 1_000).collect();
    assert_eq!(starts, exact);
}

#[test]
fn a_second_at_100_gbit_carries_the_exact_number_of_frames() {
    let mut gate = Gate::new(cycle(&[(0, 1_000_000_000)], 0, 100 * GBIT), 0, u64::MAX);
    gate.advance(0);
    assert_eq!(fill(&mut gate, 0, 1230).len(), 10_000_000);
    assert_eq!(gate.try_start(0, 1230), Err(Refusal::NoTimeLeft));
}

proptest! {
    #![proptest_config(seeded(2_000))]
    #[test]
    fn never_less_than_a_frame_takes_and_less_than_a_picosecond_more(
        rate in prop_oneof![1u64..=1_000, 1_000..=GBIT, GBIT..=400 * GBIT, Just(u64::MAX)],
        octets in prop_oneof![0u32..=65_535, any::<u32>()],
    ) {
        let charged = u128::from(link(rate).wire_time_ps(octets)) * u128::from(rate);
        let taken = (u128::from(octets) + 20) * 8_000_000_000_000;
        if charged < u128::from(u64::MAX) * u128::from(rate) {
            prop_assert!(charged >= taken && charged < taken + u128::from(rate));
        }
    }
}
