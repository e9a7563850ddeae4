//! Against tables, against the examples of EuroBSDcon 2017 ("Tuning FreeBSD for routing and firewalling"), and
//! against what 95 % means.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::super::number::general;
use super::*;

fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(95),
        failure_persistence: None,
        ..Config::default()
    }
}

/// A data set of which only this is known.
fn summary(n: usize, average: f64, stddev: f64) -> Statistics {
    Statistics {
        n,
        min: average,
        max: average,
        median: average,
        average,
        stddev,
    }
}

/// Two-sided 5 % points, as in any table: of 1 degree of freedom tan(0.475 pi), of 2 0.95 / sqrt(2 * 0.975 * 0.025).
#[test]
fn quantiles_are_those_of_the_tables() {
    let table = [
        (1, 12.706),
        (2, 4.303),
        (3, 3.182),
        (4, 2.776),
        (5, 2.571),
        (6, 2.447),
        (7, 2.365),
        (8, 2.306),
        (9, 2.262),
        (10, 2.228),
        (15, 2.131),
        (20, 2.086),
        (25, 2.060),
        (30, 2.042),
        (40, 2.021),
        (60, 2.000),
        (120, 1.980),
        (1_000, 1.962),
        (100_000, 1.960),
    ];
    for (degrees, t) in table {
        let found = t_quantile(degrees);
        assert!((found - t).abs() < 1e-9, "{degrees}: {found}, not {t}");
    }
    assert!((1..2_000).all(|degrees| t_quantile(degrees) >= t_quantile(degrees + 1)));
}

/// The five comparisons that the slides print, from the summaries that they print.
#[test]
fn the_slides_are_reproduced() {
    let default = summary(5, 4_648_293.8, 94_545.404);
    let cases = [
        (
            default,
            summary(5, 5_088_362.1, 102_920.87),
            ["440068", "144126", "9.46731", "3.23827", "98821.9"],
        ),
        (
            default,
            summary(5, 5_785_004.7, 13_724.265),
            ["1.13671e+06", "98524.2", "24.4544", "2.62824", "67554.4"],
        ),
        (
            summary(5, 10_951_860.0, 12_056.937),
            summary(5, 11_146_670.0, 12_273.277),
            ["194810", "17742.8", "1.77878", "0.163429", "12165.6"],
        ),
        (
            summary(5, 10_946_743.0, 22_298.313),
            summary(5, 9_075_563.7, 21_531.387),
            ["-1.87118e+06", "31966.4", "-17.0935", "0.267353", "21918.2"],
        ),
    ];
    for (reference, other, printed) in cases {
        let Verdict::Difference(found) = Verdict::of(&other, &reference) else {
            panic!("{printed:?}: no difference found");
        };
        let found = [
            Some(found.difference),
            Some(found.interval),
            found.percent,
            found.percent_interval,
            Some(found.pooled_stddev),
        ];
        assert_eq!(found.map(|value| general(value.unwrap(), 6)), printed);
    }
    let default = summary(5, 4_139_666.0, 76_051.798);
    let pinned = summary(5, 4_160_909.7, 43_836.876);
    let verdict = Verdict::of(&pinned, &default);
    assert!(matches!(verdict, Verdict::NoDifferenceProven(_)));
}

/// ministat(1)'s manual has no numbers of its own; these are worked by hand.
#[test]
fn statistics_of_a_small_set() {
    let odd = Statistics::of(&[3.0, 1.0, 2.0, 5.0, 4.0]).unwrap();
    assert_eq!((odd.n, odd.min, odd.max), (5, 1.0, 5.0));
    assert_eq!((odd.median, odd.average), (3.0, 3.0));
    assert!((odd.stddev - 2.5f64.sqrt()).abs() < 1e-15);
    let even = Statistics::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
    assert_eq!((even.median, even.average), (2.5, 2.5));
    assert_eq!(Statistics::of(&[]), None);
    let one = Statistics::of(&[7.0]).unwrap();
    assert_eq!((one.n, one.median, one.stddev), (1, 7.0, 0.0));
}

#[test]
fn two_values_each_are_enough_and_one_is_not() {
    // d = 9, s = sqrt(2)/2, two degrees of freedom: 4.303 * s * 1 = 3.04268.
    let low = Statistics::of(&[1.0, 2.0]).unwrap();
    let high = Statistics::of(&[10.0, 11.0]).unwrap();
    let Verdict::Difference(found) = Verdict::of(&high, &low) else {
        panic!("no difference");
    };
    assert_eq!(found.difference, 9.0);
    assert!((found.interval - 3.042_680).abs() < 1e-6, "{found:?}");
    assert_eq!(found.degrees_of_freedom, 2);
    let one = Statistics::of(&[1.5]).unwrap();
    assert_eq!(Verdict::of(&one, &high), Verdict::NoTest { values: [1, 2] });
    assert_eq!(Verdict::of(&high, &one), Verdict::NoTest { values: [2, 1] });
}

#[test]
fn constant_data() {
    let of = |value: f64| Statistics::of(&[value; 5]).unwrap();
    // 0.1 has no exact double: the mean of equal values is still the value, and its deviation 0.
    let same = of(0.1);
    assert_eq!((same.average, same.stddev), (0.1, 0.0));
    let Verdict::NoDifferenceProven(none) = Verdict::of(&same, &of(0.1)) else {
        panic!("equal constants differ");
    };
    assert_eq!((none.difference, none.interval), (0.0, 0.0));
    let Verdict::Difference(found) = Verdict::of(&of(3.0), &of(2.0)) else {
        panic!("different constants do not");
    };
    assert_eq!((found.difference, found.interval), (1.0, 0.0));
    assert_eq!(
        (found.percent, found.percent_interval),
        (Some(50.0), Some(0.0))
    );
}

/// Plain numbers may be anything.
#[test]
fn a_reference_below_zero_has_an_interval_above_it() {
    let of = |values: [f64; 3]| Statistics::of(&values).unwrap();
    let (below, above) = (of([-9.0, -10.0, -11.0]), of([9.0, 10.0, 11.0]));
    let interval = |other: &Statistics, reference: &Statistics| match Verdict::of(other, reference)
    {
        Verdict::Difference(found) => (found.percent.unwrap(), found.percent_interval.unwrap()),
        verdict => panic!("{verdict:?}"),
    };
    let (percent, within) = interval(&above, &below);
    assert!(
        (percent + 200.0).abs() < 1e-9 && within > 0.0,
        "{percent} +/- {within}"
    );
    // The ratio -1 squared is that of equal averages.
    assert_eq!(interval(&below, &above), (percent, within));
}

/// What is beyond a double proves nothing, and breaks nothing.
#[test]
fn the_largest_numbers_prove_nothing() {
    let huge = Statistics::of(&[f64::MAX, -f64::MAX, f64::MAX]).unwrap();
    let small = Statistics::of(&[1.0, 2.0, 3.0]).unwrap();
    for (other, reference) in [(&huge, &small), (&small, &huge), (&huge, &huge)] {
        let verdict = Verdict::of(other, reference);
        assert!(
            matches!(verdict, Verdict::NoDifferenceProven(_)),
            "{verdict:?}"
        );
    }
    assert_eq!(t_quantile(0), t_quantile(1));
}

#[test]
fn there_is_no_percentage_of_nothing() {
    let none = Statistics::of(&[0.0, 0.0, 0.0]).unwrap();
    let some = Statistics::of(&[0.1, 0.2, 0.3]).unwrap();
    let (Verdict::Difference(found) | Verdict::NoDifferenceProven(found)) =
        Verdict::of(&some, &none)
    else {
        panic!("no test");
    };
    assert_eq!((found.percent, found.percent_interval), (None, None));
}

/// Normal deviates of a linear congruential generator (Knuth's MMIX constants) by Box and Muller.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn set(&mut self, n: usize, mean: f64, stddev: f64) -> Statistics {
        let values: Vec<f64> = (0..n)
            .map(|_| {
                let radius = (-2.0 * self.uniform().ln()).sqrt();
                mean + stddev * radius * (std::f64::consts::TAU * self.uniform()).cos()
            })
            .collect();
        Statistics::of(&values).unwrap()
    }
}

fn differs(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Difference(_))
}

/// 20,000 pairs of one distribution: 1,000 verdicts of a difference are expected, with a standard deviation of 31.
#[test]
fn equals_are_told_apart_one_time_in_twenty() {
    for n in [2, 5, 20] {
        let mut normal = Normal(n as u64);
        let wrong = (0..20_000)
            .filter(|_| {
                differs(Verdict::of(
                    &normal.set(n, 4e6, 1e5),
                    &normal.set(n, 4e6, 1e5),
                ))
            })
            .count();
        assert!((870..=1130).contains(&wrong), "n = {n}: {wrong} of 20000");
    }
}

/// The interval covers the true difference 19 times of 20, and the percentage its own as well.
#[test]
fn intervals_cover_the_truth() {
    let mut normal = Normal(7);
    let (mut covered, mut percent_covered) = (0, 0);
    for _ in 0..20_000 {
        let (other, reference) = (normal.set(5, 5e6, 2e5), normal.set(5, 4e6, 2e5));
        let (Verdict::Difference(found) | Verdict::NoDifferenceProven(found)) =
            Verdict::of(&other, &reference)
        else {
            panic!("no test");
        };
        covered += u32::from((found.difference - 1e6).abs() <= found.interval);
        let off = (found.percent.unwrap() - 25.0).abs();
        percent_covered += u32::from(off <= found.percent_interval.unwrap());
    }
    assert!((18_870..=19_130).contains(&covered), "{covered}");
    // To first order alone: 5 % of spread move it by little.
    assert!(
        (18_800..=19_200).contains(&percent_covered),
        "{percent_covered}"
    );
}

/// Differences of ten standard deviations are found always, with the right sign.
#[test]
fn known_differences_are_found() {
    let mut normal = Normal(3);
    for step in 0..1_000 {
        let sign = if step % 2 == 0 { 1.0 } else { -1.0 };
        let (other, reference) = (
            normal.set(5, 1e6 + sign * 1e5, 1e4),
            normal.set(5, 1e6, 1e4),
        );
        let Verdict::Difference(found) = Verdict::of(&other, &reference) else {
            panic!("step {step}: none");
        };
        assert_eq!(found.difference.signum(), sign);
        assert_eq!(found.percent.map(f64::signum), Some(sign));
        assert!((found.difference / sign - 1e5).abs() < 4e4);
    }
}

proptest! {
    #![proptest_config(seeded(500))]

    /// What is exchanged changes its sign; what is measured in another unit keeps its verdict and percentage.
    #[test]
    fn sides_and_units(
        a in proptest::collection::vec(1.0..1e6f64, 2..12),
        b in proptest::collection::vec(1.0..1e6f64, 2..12),
    ) {
        let of = |values: &[f64], unit: f64| {
            let values: Vec<f64> = values.iter().map(|value| value * unit).collect();
            Statistics::of(&values).unwrap()
        };
        let told = |verdict| match verdict {
            Verdict::Difference(found) => (true, found),
            Verdict::NoDifferenceProven(found) => (false, found),
            Verdict::NoTest { .. } => panic!("two values at least"),
        };
        let (proven, found) = told(Verdict::of(&of(&a, 1.0), &of(&b, 1.0)));
        let (turned_proven, turned) = told(Verdict::of(&of(&b, 1.0), &of(&a, 1.0)));
        prop_assert_eq!(proven, turned_proven);
        prop_assert_eq!(found.difference, -turned.difference);
        prop_assert!((found.interval - turned.interval).abs() <= 1e-9 * found.interval);
        // Powers of two are exact.
        let (scaled_proven, scaled) = told(Verdict::of(&of(&a, 1024.0), &of(&b, 1024.0)));
        prop_assert_eq!(proven, scaled_proven);
        prop_assert_eq!(found.percent, scaled.percent);
        prop_assert_eq!(found.percent_interval, scaled.percent_interval);
    }
}
