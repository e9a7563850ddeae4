//! Against every tuple of phases of a small grid, in whole cycles of all PIs.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;

fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(41),
        failure_persistence: None,
        ..Config::default()
    }
}

fn link() -> impl Strategy<Value = Link> {
    let rates = prop_oneof![Just(100_000_000), Just(1_000_000_000), Just(10_000_000_000)];
    (rates, 0..3_000u64).prop_map(|(rate, guard_ns)| Link {
        rate: LinkRate::new(rate).expect("not 0"),
        guard_ns,
    })
}

/// Demands that small grids can just meet or just not, on a link of this rate.
fn asked(bits_per_s: u64) -> impl Strategy<Value = Asked> {
    let share = 0.01..0.4f64;
    let sizes = (64..600u32, 0..300u32);
    (
        share,
        sizes,
        1..8u64,
        proptest::option::of(50_000..600_000u64),
        0..4_000u64,
    )
        .prop_map(
            move |(share, (smallest, more), frames, delay_ns, stalled_frames)| {
                let largest = smallest + more;
                let rate_bps = (share * bits_per_s as f64) as u64;
                Asked {
                    flow: Flow::of_frames(rate_bps, frames * u64::from(largest), smallest),
                    largest,
                    smallest,
                    delay_ns,
                    stalled_frames,
                }
            },
        )
}

fn cases() -> impl Strategy<Value = (Link, Vec<Asked>, Cycles)> {
    let grid = (6..20u64, 0..10u64, 2_000..20_000u64, 0..30u8);
    (link(), grid).prop_flat_map(|(link, (least, more, grain_ns, slack))| {
        let cycles = Cycles {
            from_ns: least * grain_ns,
            // A cycle that is no multiple of the grain comes too.
            to_ns: (least + more) * grain_ns,
            step_ns: grain_ns + grain_ns / 3,
            grain_ns,
            slack,
        };
        let asked = proptest::collection::vec(asked(link.rate.bits_per_s()), 1..4);
        (Just(link), asked, Just(cycles))
    })
}

/// Whether a whole cycle of these phases, in grains, and of nobody holds what every PI asks for.
fn holds(link: Link, asked: &[Asked], cycles: Cycles, cycle_ns: u64, grains: &[u64]) -> bool {
    let phase = |(slot, grains): (u8, &u64)| Phase {
        owner: Some(slot),
        duration_ns: grains * cycles.grain_ns,
    };
    let mut phases: Vec<Phase> = (0..).zip(grains).map(phase).collect();
    let sum: u64 = phases.iter().map(|phase| phase.duration_ns).sum();
    if sum > cycle_ns {
        return false;
    }
    if sum < cycle_ns {
        phases.push(Phase {
            owner: None,
            duration_ns: cycle_ns - sum,
        });
    }
    let largest = |slot: u8| asked[usize::from(slot)].largest;
    let Ok(cycle) = Cycle::new(&phases, link.guard_ns, link.rate, largest) else {
        return false;
    };
    (0..).zip(asked).all(|(slot, asked)| {
        bounds::of_pi(&cycle, slot, asked.largest).is_some_and(|own| asked.holds(&own))
    })
}

/// The least sum of phases, in grains, over every tuple: `before` is what it begins with.
fn least(
    link: Link,
    asked: &[Asked],
    cycles: Cycles,
    cycle_ns: u64,
    before: &mut Vec<u64>,
) -> Option<u64> {
    let most = cycle_ns / cycles.grain_ns;
    let sum: u64 = before.iter().sum();
    if before.len() == asked.len() {
        return holds(link, asked, cycles, cycle_ns, before).then_some(sum);
    }
    let mut best = None;
    for grains in 1..=most.saturating_sub(sum) {
        before.push(grains);
        let found = least(link, asked, cycles, cycle_ns, before);
        before.pop();
        best = [best, found].into_iter().flatten().min();
    }
    best
}

proptest! {
    #![proptest_config(seeded(500))]

    /// Every cycle of the grid: what is found is the least of all tuples, and nothing is found where there is none.
    #[test]
    fn no_tuple_of_phases_is_better((link, asked, cycles) in cases()) {
        let all = candidates(link, &asked, cycles);
        let mut fitting = Vec::new();
        for found in &all {
            let by_tuples = least(link, &asked, cycles, found.cycle_ns, &mut Vec::new());
            let by_tuples = by_tuples.map(|grains| grains * cycles.grain_ns);
            prop_assert_eq!(found.fits_ns(), by_tuples, "{:?}", found);
            fitting.extend(by_tuples.map(|sum_ns| (found.cycle_ns, sum_ns)));
        }
        // The rule of choice in words: of those whose share is within the slack of the least, the shortest.
        let share = |&(cycle_ns, sum_ns): &(u64, u64)| sum_ns as f64 / cycle_ns as f64;
        let least = fitting.iter().map(share).fold(f64::INFINITY, f64::min);
        let within = |found: &&(u64, u64)| share(found) <= least + f64::from(cycles.slack) / 100.0 + 1e-12;
        let chosen = choose(&all, cycles.slack).map(|found| found.cycle_ns);
        prop_assert_eq!(chosen, fitting.iter().find(within).map(|found| found.0));
    }

    /// What the search rests on: a longer phase never holds less.
    #[test]
    fn a_longer_phase_holds_no_less((link, asked, cycles) in cases()) {
        for asked in &asked {
            let mut held = false;
            let mut first = None;
            for grains in 1..=cycles.to_ns / cycles.grain_ns {
                let own = link.bounds(cycles.to_ns, grains * cycles.grain_ns, asked.largest);
                let holds = own.is_some_and(|own| asked.holds(&own));
                prop_assert!(holds || !held, "{} grains hold less than one less", grains);
                if holds && !held {
                    first = Some(grains * cycles.grain_ns);
                }
                held = holds;
            }
            // Wherever the search begins, it ends there.
            for near_ns in [0, cycles.grain_ns, cycles.to_ns / 2, cycles.to_ns, 10 * cycles.to_ns] {
                let found = link.shortest(asked, cycles.to_ns, cycles.grain_ns, near_ns);
                prop_assert_eq!(found, first);
            }
        }
    }
}

/// To the nanosecond: 280 Mb/s in frames of 1024 octets need S = 85,640.625 ns of 300 us, and t_max is 8,352 ns.
#[test]
fn the_shortest_phase_is_found_to_the_nanosecond() {
    let link = Link {
        rate: LinkRate::new(1_000_000_000).unwrap(),
        guard_ns: 0,
    };
    let asked = Asked {
        flow: Flow::of_frames(280_000_000, 1024, 1024),
        largest: 1024,
        smallest: 1024,
        delay_ns: None,
        stalled_frames: 0,
    };
    for near_ns in [1, 93_992, 93_993, 300_000] {
        let found = link.shortest(&asked, 300_000, 1, near_ns);
        assert_eq!(found, Some(93_993));
    }
    assert_eq!(link.shortest(&asked, 8_351, 1, 1), None, "no frame fits");
}
