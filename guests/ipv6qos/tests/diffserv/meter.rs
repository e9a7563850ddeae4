//! Meters against a model that fills buckets nanosecond by nanosecond, against what their RFCs promise over any time,
//! and in cases worked out by hand.

use pinode_guest_ipv6qos::diffserv::meter::{Colour, DEEPEST, Meter, SrTcm, TrTcm};
use proptest::prelude::*;

use crate::seeded;

/// Billionths of a bit in an octet: 1 bit/s is one of them in a nanosecond.
const OCTET: u128 = 8_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// A meter and its numbers, octets and bits per second.
#[derive(Debug, Clone, Copy)]
enum Spec {
    SrTcm {
        cir: u64,
        cbs: u64,
        ebs: u64,
    },
    TrTcm {
        cir: u64,
        cbs: u64,
        pir: u64,
        pbs: u64,
    },
}

impl Spec {
    fn meter(self) -> Meter {
        match self {
            Spec::SrTcm { cir, cbs, ebs } => Meter::SrTcm(SrTcm::new(cir, cbs, ebs)),
            Spec::TrTcm { cir, cbs, pir, pbs } => Meter::TrTcm(TrTcm::new(cir, cbs, pir, pbs)),
        }
    }
}

/// The text of both RFCs, word by word: tokens come in one after the other, each to the first bucket with room.
struct Model {
    spec: Spec,
    now_ns: u64,
    /// Committed; excess or peak.
    tokens: [u128; 2],
}

impl Model {
    fn new(spec: Spec) -> Self {
        let tokens = match spec {
            Spec::SrTcm { cbs, ebs, .. } => [cbs, ebs],
            Spec::TrTcm { cbs, pbs, .. } => [cbs, pbs],
        };
        let tokens = tokens.map(|octets| u128::from(octets) * OCTET);
        Model {
            spec,
            now_ns: 0,
            tokens,
        }
    }

    fn nanosecond(&mut self) {
        let [first, second] = &mut self.tokens;
        match self.spec {
            Spec::SrTcm { cir, cbs, ebs } => {
                let most = u128::from(cbs) * OCTET;
                *first += u128::from(cir);
                if *first > most {
                    *second = (*second + *first - most).min(u128::from(ebs) * OCTET);
                    *first = most;
                }
            }
            Spec::TrTcm { cir, cbs, pir, pbs } => {
                *first = (*first + u128::from(cir)).min(u128::from(cbs) * OCTET);
                *second = (*second + u128::from(pir)).min(u128::from(pbs) * OCTET);
            }
        }
    }

    fn colour(&mut self, now_ns: u64, octets: u16, came: Colour) -> Colour {
        while self.now_ns < now_ns {
            self.now_ns += 1;
            self.nanosecond();
        }
        let price = u128::from(octets) * OCTET;
        let [first, second] = &mut self.tokens;
        match self.spec {
            Spec::SrTcm { .. } => {
                if came == Colour::Green && *first >= price {
                    *first -= price;
                    return Colour::Green;
                }
                if (came == Colour::Green || came == Colour::Yellow) && *second >= price {
                    *second -= price;
                    return Colour::Yellow;
                }
                Colour::Red
            }
            Spec::TrTcm { .. } => {
                if came == Colour::Red || *second < price {
                    return Colour::Red;
                }
                *second -= price;
                if came == Colour::Yellow || *first < price {
                    return Colour::Yellow;
                }
                *first -= price;
                Colour::Green
            }
        }
    }
}

fn colour() -> impl Strategy<Value = Colour> {
    prop_oneof![Just(Colour::Green), Just(Colour::Yellow), Just(Colour::Red)]
}

fn spec(
    rates: impl Strategy<Value = u64> + Clone,
    bursts: std::ops::RangeInclusive<u64>,
) -> impl Strategy<Value = Spec> {
    let sr = (rates.clone(), bursts.clone(), bursts.clone())
        .prop_map(|(cir, cbs, ebs)| Spec::SrTcm { cir, cbs, ebs });
    let tr = (rates.clone(), bursts.clone(), rates, bursts).prop_map(|(one, cbs, other, pbs)| {
        Spec::TrTcm {
            cir: one.min(other),
            cbs,
            pir: one.max(other),
            pbs,
        }
    });
    prop_oneof![sr, tr]
}

/// Time since the packet before, octets, colour.
type Packet = (u64, u16, Colour);

fn packets(gaps: impl Strategy<Value = u64>, most: usize) -> impl Strategy<Value = Vec<Packet>> {
    prop::collection::vec((gaps, 40u16..=1500, colour()), 1..most)
}

/// When, octets, and what it was found to be.
fn run(spec: Spec, packets: &[Packet], is_aware: bool) -> Vec<(u64, u64, Colour)> {
    let (mut meter, mut now_ns) = (spec.meter(), 0u64);
    let each = packets.iter().map(|&(gap_ns, octets, came)| {
        now_ns = now_ns.saturating_add(gap_ns);
        let came = if is_aware { came } else { Colour::Green };
        (
            now_ns,
            u64::from(octets),
            meter.colour(now_ns, octets, came),
        )
    });
    each.collect()
}

proptest! {
    #![proptest_config(seeded(128))]

    #[test]
    fn meters_find_what_the_model_finds(
        spec in spec(1_000_000_000u64..=400_000_000_000, 0..=6_000),
        packets in packets(prop_oneof![Just(0u64), 0u64..400, 0u64..3_000], 200),
        is_aware: bool,
    ) {
        let mut model = Model::new(spec);
        for ((now_ns, octets, found), (_, _, came)) in run(spec, &packets, is_aware).into_iter().zip(&packets) {
            let came = if is_aware { *came } else { Colour::Green };
            prop_assert_eq!(found, model.colour(now_ns, octets as u16, came), "at {} ns", now_ns);
        }
    }

    /// RFC 2697 3, RFC 2698 3: over any time, with whatever comes.
    #[test]
    fn no_time_has_more_than_burst_and_rate(
        spec in spec(prop_oneof![1u64..1_000_000, 1_000_000u64..100_000_000_000], 0..=20_000),
        packets in packets(prop_oneof![0u64..100, 0u64..1_000_000, 0u64..10 * SECOND], 150),
        is_aware: bool,
    ) {
        let found = run(spec, &packets, is_aware);
        // Rate and burst of green packets, and of green and yellow ones together.
        let bounds = match spec {
            Spec::SrTcm { cir, cbs, ebs } => [(cir, cbs), (cir, cbs + ebs)],
            Spec::TrTcm { cir, cbs, pir, pbs } => [(cir, cbs), (pir, pbs)],
        };
        for (worst, (rate, burst)) in [Colour::Green, Colour::Yellow].into_iter().zip(bounds) {
            for first in 0..found.len() {
                let mut octets = 0;
                for &(at_ns, more, colour) in &found[first..] {
                    octets += if colour <= worst { u128::from(more) } else { 0 };
                    let passed = u128::from(at_ns - found[first].0);
                    prop_assert!(octets * OCTET <= u128::from(burst) * OCTET + u128::from(rate) * passed);
                }
            }
        }
    }

    /// RFC 2697 1, RFC 2698 1: a meter that is aware makes no packet better than it came.
    #[test]
    fn aware_meters_only_raise_precedence(
        spec in spec(1u64..100_000_000_000, 0..=20_000),
        packets in packets(0u64..1_000_000, 100),
    ) {
        for ((_, _, found), (_, _, came)) in run(spec, &packets, true).iter().zip(&packets) {
            prop_assert!(found >= came);
        }
    }

    #[test]
    fn nothing_overflows(
        spec in spec(prop_oneof![Just(1u64), any::<u64>().prop_map(|r| r.max(1)), Just(u64::MAX)], 0..=DEEPEST),
        times in prop::collection::vec(prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)], 1..50),
    ) {
        let mut meter = spec.meter();
        for now_ns in times {
            meter.colour(now_ns, u16::MAX, Colour::Green);
        }
    }
}

/// A source that is always there gets all that there is: to the octet, after years.
#[test]
fn nothing_drifts() {
    // Neither divides the other.
    const CIR: u64 = 9_999_991;
    const GAP_NS: u64 = 99_991;
    const OCTETS: u16 = 97;
    let mut meter = SrTcm::new(CIR, 1000, 0);
    let (mut green, mut now_ns) = (0u128, 0);
    for _ in 0..1_000_000 {
        now_ns += GAP_NS;
        while meter.colour(now_ns, OCTETS, Colour::Green) == Colour::Green {
            green += u128::from(OCTETS);
        }
    }
    // The first gap found the bucket full.
    let earned = 1000 * OCTET + u128::from(CIR) * u128::from(now_ns - GAP_NS);
    assert!(green * OCTET <= earned);
    assert!(earned - green * OCTET < u128::from(OCTETS) * OCTET);
    // Ten years later it is full, and no more than that.
    now_ns += 10 * 365 * 86_400 * SECOND;
    let burst = (0..100).filter(|_| meter.colour(now_ns, 100, Colour::Green) == Colour::Green);
    assert_eq!(burst.count(), 10);
}

/// 8 kbit/s is an octet in a millisecond.
const KILO: u64 = 8_000;
const MS: u64 = 1_000_000;

#[test]
fn one_rate_fills_the_committed_bucket_first() {
    let mut meter = SrTcm::new(KILO, 1000, 500);
    let mut at = |ms: u64, octets, came| meter.colour(ms * MS, octets, came);
    use Colour::{Green, Red, Yellow};
    // Both buckets begin full.
    assert_eq!(at(0, 1000, Green), Green);
    assert_eq!(at(0, 1, Green), Yellow);
    assert_eq!(at(0, 500, Green), Red, "499 are left, and none were taken");
    assert_eq!(at(0, 499, Green), Yellow);
    // 300 ms bring 300 octets, all to the committed one.
    assert_eq!(at(300, 301, Green), Red);
    assert_eq!(at(300, 300, Green), Green);
    // 1,200 ms fill it, and 200 octets of the other.
    assert_eq!(at(1500, 201, Yellow), Red);
    assert_eq!(at(1500, 200, Yellow), Yellow);
    assert_eq!(at(1500, 1000, Green), Green);
    assert_eq!(at(1500, 1, Green), Red);
}

#[test]
fn two_rates_fill_two_buckets() {
    let mut meter = TrTcm::new(KILO, 1000, 2 * KILO, 1500);
    let mut at = |ms: u64, octets, came| meter.colour(ms * MS, octets, came);
    use Colour::{Green, Red, Yellow};
    assert_eq!(at(0, 1000, Green), Green);
    assert_eq!(at(0, 501, Green), Red);
    assert_eq!(at(0, 500, Green), Yellow);
    // 100 octets committed, 200 at the peak rate; what comes yellow takes none of the former.
    assert_eq!(at(100, 100, Yellow), Yellow);
    assert_eq!(at(100, 100, Red), Red);
    assert_eq!(at(100, 100, Green), Green);
    assert_eq!(at(100, 1, Green), Red);
}

#[test]
fn a_bucket_of_nothing_gives_nothing() {
    let mut meter = SrTcm::new(KILO, 0, 100);
    assert_eq!(meter.colour(0, 40, Colour::Green), Colour::Yellow);
    let mut meter = SrTcm::new(KILO, 100, 0);
    assert_eq!(meter.colour(0, 40, Colour::Yellow), Colour::Red);
    assert_eq!(meter.colour(0, 40, Colour::Green), Colour::Green);
}

#[test]
fn time_that_goes_back_brings_nothing_twice() {
    let mut meter = SrTcm::new(KILO, 100, 0);
    assert_eq!(meter.colour(1000 * MS, 100, Colour::Green), Colour::Green);
    assert_eq!(meter.colour(0, 1, Colour::Green), Colour::Red);
    assert_eq!(meter.colour(1000 * MS, 1, Colour::Green), Colour::Red);
    assert_eq!(meter.colour(1001 * MS, 1, Colour::Green), Colour::Green);
}
