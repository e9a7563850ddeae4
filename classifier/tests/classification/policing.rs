//! The policer against an exact GCRA (ITU-T I.371), over any rate and years of virtual time.

use pinode_classifier::policer::{MAX_RATE_BPS, MIN_RATE_BPS};
use pinode_classifier::{Policer, PolicerError};
use proptest::prelude::*;

use crate::seeded;

/// Units of the reference in an octet: instants are nanoseconds times bits/s.
const OCTET: u128 = 8_000_000_000;

/// GCRA in exact integers.
struct Gcra {
    rate_bps: u128,
    tolerance: u128,
    arrival: u128,
}

impl Gcra {
    fn new(rate_bps: u64, burst_octets: u32) -> Self {
        let tolerance = u128::from(burst_octets) * OCTET;
        Self {
            rate_bps: u128::from(rate_bps),
            tolerance,
            arrival: 0,
        }
    }

    fn would_conform(&self, now_ns: u64, octets: u32) -> bool {
        let now = u128::from(now_ns) * self.rate_bps;
        self.arrival.max(now) + u128::from(octets) * OCTET <= now + self.tolerance
    }

    fn take(&mut self, now_ns: u64, octets: u32) {
        let now = u128::from(now_ns) * self.rate_bps;
        self.arrival = self.arrival.max(now) + u128::from(octets) * OCTET;
    }
}

fn rates() -> impl Strategy<Value = u64> {
    prop_oneof![
        MIN_RATE_BPS..=1_000_000,
        1_000_000u64..=1_000_000_000,
        1_000_000_000..=MAX_RATE_BPS,
        Just(MIN_RATE_BPS),
        Just(MAX_RATE_BPS),
        Just(390_625_000_001),
    ]
}

proptest! {
    #![proptest_config(seeded(500))]

    /// What the policer passes conforms to a GCRA with an octet more of tolerance, and what it
    /// refuses does not conform to one with an octet less: on the same history of frames passed,
    /// at every rate, with gaps from nanoseconds to months.
    #[test]
    fn every_decision_is_that_of_an_exact_gcra_within_an_octet(
        rate_bps in rates(),
        burst_octets in 2_000u32..=200_000,
        start_ns in 0u64..=1 << 58,
        frames in prop::collection::vec((64u32..=1522, 0u64..=40, 0u64..=1 << 12), 1..400),
    ) {
        let policer = Policer::new(rate_bps, burst_octets).unwrap();
        let mut generous = Gcra::new(rate_bps, burst_octets + 1);
        let mut strict = Gcra::new(rate_bps, burst_octets - 1);
        let mut now_ns = start_ns;
        for (octets, scale, factor) in frames {
            // Mostly gaps of about a frame's time, now and then far longer ones.
            let frame_ns = (u128::from(octets) * OCTET / u128::from(rate_bps)) as u64;
            let gap_ns = match scale {
                0..=35 => frame_ns.saturating_mul(factor) >> 11,
                _ => factor << scale,
            };
            now_ns = now_ns.saturating_add(gap_ns).min(1 << 59);
            if policer.conforms(now_ns, octets) {
                prop_assert!(generous.would_conform(now_ns, octets));
                generous.take(now_ns, octets);
                strict.take(now_ns, octets);
            } else {
                prop_assert!(!strict.would_conform(now_ns, octets));
            }
        }
    }

    /// A stream above its rate passes with rate times time and one burst, to one frame.
    #[test]
    fn the_rate_is_exact_over_long_times(
        rate_bps in rates(),
        start_ns in 0u64..=1 << 58,
        octets in 64u32..=1522,
    ) {
        const FRAMES: u64 = 20_000;
        let burst_octets = 10 * octets;
        let policer = Policer::new(rate_bps, burst_octets).unwrap();
        // Offered at 5/4 of the rate.
        let frame_ns_4 = u128::from(octets) * OCTET * 4 / u128::from(rate_bps);
        let mut passed = 0;
        let mut last_ns = start_ns;
        for frame in 0..FRAMES {
            last_ns = start_ns + (u128::from(frame) * frame_ns_4 / 5) as u64;
            passed += u64::from(policer.conforms(last_ns, octets));
        }
        let earned = u128::from(last_ns - start_ns) * u128::from(rate_bps) / OCTET;
        let passed_octets = u128::from(passed * u64::from(octets));
        let limit = earned + u128::from(burst_octets);
        prop_assert!(passed_octets <= limit + 1, "{passed_octets} {limit}");
        prop_assert!(passed_octets + u128::from(octets) + 1 >= limit, "{passed_octets} {limit}");
    }

    /// Frames of one instant that conform in sum conform one after the other, and leave the same
    /// behind: a worker that asks for the sum first, and for each only if that fails, passes what
    /// one that asks for each passes.
    #[test]
    fn asking_for_a_burst_by_its_sum_changes_nothing(
        rate_bps in rates(),
        burst_octets in 1u32..=100_000,
        start_ns in 0u64..=1 << 58,
        bursts in prop::collection::vec(
            (prop::collection::vec(4u32..=1522, 1..64), 0u64..=1 << 13, prop::bool::weighted(0.1)),
            1..60,
        ),
    ) {
        let [by_sum, by_frame] = [(); 2].map(|()| Policer::new(rate_bps, burst_octets).unwrap());
        let mut now_ns = start_ns;
        for (frames, factor, idle) in bursts {
            let sum: u32 = frames.iter().sum();
            let each: Vec<bool> = frames.iter().map(|f| by_frame.conforms(now_ns, *f)).collect();
            let whole = by_sum.conforms(now_ns, sum);
            let one: Vec<bool> = frames.iter().map(|f| whole || by_sum.conforms(now_ns, *f)).collect();
            prop_assert_eq!(one, each, "{} octets at {}", sum, now_ns);
            // Gaps of up to four times what the burst is worth, so that some bursts pass whole.
            let worth_ns = (u128::from(sum) * OCTET / u128::from(rate_bps)) as u64;
            let gap_ns = if idle { 1 << 40 } else { worth_ns.saturating_mul(factor) >> 11 };
            now_ns = now_ns.saturating_add(gap_ns).min(1 << 59);
        }
    }
}

/// The workers of a port with several queues share its policer, and their clocks are never quite
/// together: between them they pass no more than the rate and one burst.
#[test]
fn workers_that_share_a_policer_share_its_rate() {
    const END_NS: u64 = 2_000_000;
    // 8 Gb/s are 1 octet a nanosecond; each of the three offers that much.
    let policer = Policer::new(8_000_000_000, 10_000).unwrap();
    let passed: u64 = std::thread::scope(|scope| {
        let worker = |octets: u32| {
            let policer = &policer;
            move || {
                let instants = (0..END_NS).step_by(octets as usize);
                let passed = instants.filter(|now_ns| policer.conforms(*now_ns, octets));
                passed.count() as u64 * u64::from(octets)
            }
        };
        let workers = [64, 200, 1_522].map(|octets| scope.spawn(worker(octets)));
        workers.map(|worker| worker.join().unwrap()).iter().sum()
    });
    assert!(passed <= END_NS + 10_000 + 1, "{passed} octets");
    assert!(
        passed > 10_000 - 1_522,
        "{passed} octets: not even the burst"
    );
}

#[test]
fn a_burst_passes_and_then_the_rate() {
    // 8 Mb/s are 1 octet a microsecond.
    let policer = Policer::new(8_000_000, 3_000).unwrap();
    assert_eq!(
        [policer.conforms(0, 1_500), policer.conforms(0, 1_500)],
        [true; 2]
    );
    assert!(!policer.conforms(0, 64));
    assert!(!policer.conforms(63_999, 64));
    assert!(policer.conforms(64_000, 64));
    assert!(!policer.conforms(64_000, 1));
}

#[test]
fn a_frame_refused_takes_nothing() {
    let policer = Policer::new(8_000_000, 1_000).unwrap();
    assert!(policer.conforms(0, 900));
    assert!(!policer.conforms(0, 200));
    assert!(policer.conforms(0, 100));
}

#[test]
fn a_frame_longer_than_the_burst_never_conforms_and_one_of_nothing_always() {
    let policer = Policer::new(MAX_RATE_BPS, 1_000).unwrap();
    assert!(!policer.conforms(0, 1_001));
    assert!(!policer.conforms(1 << 60, 1_001));
    assert!(policer.conforms(1 << 60, 1_000));
    assert!(policer.conforms(1 << 60, 0));
}

#[test]
fn ten_years_at_the_highest_rate_do_not_wrap() {
    const YEAR_NS: u64 = 31_557_600_000_000_000;
    let policer = Policer::new(MAX_RATE_BPS, 100_000).unwrap();
    for year in 0..10 {
        let now_ns = year * YEAR_NS;
        assert!(policer.conforms(now_ns, 100_000));
        assert!(!policer.conforms(now_ns, 64));
        assert!(policer.conforms(now_ns + 2, 100));
    }
}

#[test]
fn five_centuries_at_10_gbit_do_not_wrap_into_a_free_pass_or_panic() {
    for rate_bps in [MIN_RATE_BPS, 8_000_000_000, 10_000_000_000, MAX_RATE_BPS] {
        let policer = Policer::new(rate_bps, u32::MAX).unwrap();
        let passed = (0..1_000)
            .filter(|_| policer.conforms(u64::MAX, 100_000_000))
            .count();
        assert!(
            passed <= 42,
            "{rate_bps}: {passed} frames passed at one instant"
        );
    }
}

#[test]
fn rates_out_of_range_and_bursts_of_nothing_are_refused() {
    for rate_bps in [0, MIN_RATE_BPS - 1, MAX_RATE_BPS + 1, u64::MAX] {
        assert_eq!(
            Policer::new(rate_bps, 1).unwrap_err(),
            PolicerError::Rate { rate_bps }
        );
    }
    assert_eq!(
        Policer::new(MIN_RATE_BPS, 0).unwrap_err(),
        PolicerError::Burst
    );
    assert_eq!(
        Policer::new(1, 1).unwrap_err().to_string(),
        "police rate 1 bit/s is out of range: allowed are 1000 to 400000000000 bit/s"
    );
    assert_eq!(
        Policer::new(MIN_RATE_BPS, 0).unwrap_err().to_string(),
        "police burst of 0 octets lets no frame pass: allowed are 1 to 4294967295 octets"
    );
}
