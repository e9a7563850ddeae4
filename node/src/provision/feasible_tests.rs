//! Random demands: whatever is given out holds, and whatever is refused no schedule of the grid would hold.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::config::{Needs, PhaseConfig, PortConfig, schedule_problems};

fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..Config::default()
    }
}

fn random_demands() -> impl Strategy<Value = Demands> {
    let pi = (
        (64..800u32, 0..718u32),
        prop_oneof![
            (1_000_000..500_000_000u64).prop_map(demands::Rate::Bits),
            (100..200_000u64).prop_map(demands::Rate::Frames),
        ],
        0..20u64,
        proptest::option::of(30_000..900_000u64),
    );
    let pi = pi.prop_map(|((smallest, more), rate, frames, delay_ns)| PiDemand {
        name: String::new(),
        code: 0,
        guest: "builtin:patch".to_owned(),
        rate,
        sizes: demands::Sizes::Range(smallest, smallest + more),
        burst: u64::from(smallest + more) * (1 + frames),
        delay_ns,
        cpu_cap: None,
        ports: Vec::new(),
    });
    let grid = (5..12u64, 0..10u64, 10_000..40_000u64, 0..3_000u64);
    let pis = proptest::collection::vec(pi, 1..4);
    (pis, grid, proptest::option::of(0..2_000_000u64)).prop_map(
        |(pis, (least, more, grain_ns, guard_ns), stall_ns)| {
            let mut all = demands("", &[("x", "frames = 1\nsizes = 64")]);
            all.stall_ns = stall_ns;
            all.cycles = demands::Cycles {
                from_ns: least * grain_ns,
                to_ns: (least + more) * grain_ns,
                step_ns: grain_ns,
                grain_ns,
                slack: 1,
            };
            for port in &mut all.ports {
                port.guard_ns = guard_ns;
            }
            let named = |(code, pi): (u8, PiDemand)| PiDemand {
                name: format!("pi{code}"),
                code,
                ..pi
            };
            all.pis = (1..).zip(pis).map(named).collect();
            all
        },
    )
}

/// Whether any tuple of phases in any cycle of the grid passes the judge that `check` asks, and its rings.
fn any_schedule(demands: &Demands) -> bool {
    let needs: Vec<(&str, Needs)> = demands
        .pis
        .iter()
        .map(|pi| {
            let needs = Needs {
                max_sdu: Some(u16::try_from(pi.max_sdu()).unwrap()),
                demand: Some(pi.as_configured()),
                diffserv: None,
            };
            (pi.name.as_str(), needs)
        })
        .collect();
    let port = &demands.ports[0];
    let grain_ns = demands.cycles.grain_ns;
    let judge = |cycle_ns: u64, tuple: &[u64]| {
        let phase = |(slot, grains): (u8, &u64)| PhaseConfig {
            owner: Some(slot),
            duration_ns: grains * grain_ns,
        };
        let mut phases: Vec<PhaseConfig> = (0..).zip(tuple).map(phase).collect();
        let sum: u64 = phases.iter().map(|phase| phase.duration_ns).sum();
        if sum < cycle_ns {
            phases.push(PhaseConfig {
                owner: None,
                duration_ns: cycle_ns - sum,
            });
        }
        let config = PortConfig {
            name: port.name.clone(),
            backend: "memory:west".parse().unwrap(),
            mode: config::PortMode::Trunk,
            capacity_bps: port.capacity_bps,
            mtu: port.mtu,
            guard_ns: port.guard_ns,
            base_tai_ns: 0,
            extension_ns: 0,
            phases,
        };
        let plain: Vec<Needs> = needs.iter().map(|(_, needs)| *needs).collect();
        schedule_problems(&config, &needs).is_empty()
            && config.schedule(&plain).is_ok_and(|cycle| {
                (0..).zip(&demands.pis).all(|(slot, pi)| {
                    let own = pinode_scheduler::bounds::of_pi(&cycle, slot, pi.sizes.largest());
                    let waiting = own.and_then(|own| asked(demands, pi, None).waiting(&own));
                    waiting.is_some_and(|frames| frames <= search::RING_MOST)
                })
            })
    };
    demands.cycles.lengths().any(|cycle_ns| {
        let most = cycle_ns / grain_ns;
        let mut tuples = vec![Vec::new()];
        for _ in &demands.pis {
            let longer = tuples.iter().flat_map(|tuple: &Vec<u64>| {
                let left = most - tuple.iter().sum::<u64>();
                (1..=left).map(|grains| [tuple.as_slice(), &[grains]].concat())
            });
            tuples = longer.collect();
        }
        tuples.iter().any(|tuple| judge(cycle_ns, tuple))
    })
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn what_is_given_out_holds_and_what_is_refused_is_impossible(demands in random_demands()) {
        match provision(&demands, None) {
            Ok(plan) => prop_assert_eq!(accepted(&demands, &plan).map(|_| ()), Ok(())),
            Err(refusal) => {
                prop_assert!(!refusal.problems.is_empty(), "refused for no reason");
                prop_assert!(!any_schedule(&demands), "refused, and possible: {:?}", refusal);
            }
        }
    }

    /// On the grid that is there by default, to the nanosecond.
    #[test]
    fn on_the_default_grid_too(random in random_demands()) {
        let mut demands = demands("", &[("x", "frames = 1\nsizes = 64")]);
        demands.pis = random.pis;
        demands.cycles.step_ns = 250_000;
        if let Ok(plan) = provision(&demands, None) {
            prop_assert_eq!(accepted(&demands, &plan).map(|_| ()), Ok(()));
        }
    }
}
