//! The right to start against plain arithmetic: `size` and `start`, `ask` and `charge`, taken back,
//! let go of and asked for again at a later instant, in any order. A window, its guard, the lookahead
//! and the rate give each start, each refusal and all counters.

use std::collections::BTreeMap;

use pinode_scheduler::{Gate, GateCounters, Refusal, Starts};
use proptest::prelude::*;

use crate::{GBIT, cycle, link, seeded};

const PS: u128 = 1_000;

#[derive(Debug, Clone, Copy)]
enum Op {
    Size(u32),
    Start,
    /// Octets, and whether it goes if it may.
    Ask(u32, bool),
    Rewind,
}

/// From an opening to the next.
#[derive(Debug, Clone)]
struct Round {
    after_ns: u64,
    slot: u8,
    /// Frames one by one, before.
    singly: Vec<u32>,
    ops: Vec<Op>,
}

fn octets() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(79u32),
        4 => 64u32..=1522,
        1 => 1522u32..=9022,
        1 => prop_oneof![Just(0u32), 1u32..64, Just(u32::MAX)],
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => octets().prop_map(Op::Size),
        8 => Just(Op::Start),
        6 => (octets(), prop::bool::weighted(0.7)).prop_map(|(octets, goes)| Op::Ask(octets, goes)),
        1 => Just(Op::Rewind),
    ]
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let after_ns = prop_oneof![
        3 => Just(0u64),
        8 => 0u64..2_000,
        4 => 0u64..40_000,
        1 => 0u64..400_000,
    ];
    let singly = prop::collection::vec(octets(), 0..3);
    let round = (
        after_ns,
        0..2u8,
        singly,
        prop::collection::vec(ops(), 0..40),
    );
    let round = round.prop_map(|(after_ns, slot, singly, ops)| Round {
        after_ns,
        slot,
        singly,
        ops,
    });
    prop::collection::vec(round, 1..60)
}

/// What was done with the open window, in picoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    free: u128,
    starved: Option<u128>,
    busy: u128,
    guard: u128,
}

/// Of the windows that have closed, in picoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    windows: u64,
    open: u128,
    busy: u128,
    guard: u128,
}

/// Two PIs by turns, in picoseconds since ever.
struct Plain {
    bits_per_s: u128,
    phases: [u128; 2],
    guard: u128,
    lookahead: u128,
    now: u128,
    owner: usize,
    /// Of the open window: when it opened or was first looked at, and when it closes.
    from: u128,
    closes: u128,
    done: Done,
    sums: [Sums; 2],
}

impl Plain {
    /// First looked at `now_ns` after the first window's opening.
    fn new(bits_per_s: u64, phases_ns: [u64; 2], guard_ns: u64, lookahead_ns: u64) -> Self {
        let phases = phases_ns.map(|ns| u128::from(ns) * PS);
        Self {
            bits_per_s: bits_per_s.into(),
            phases,
            guard: u128::from(guard_ns) * PS,
            lookahead: u128::from(lookahead_ns) * PS,
            now: 0,
            owner: 0,
            from: 0,
            closes: phases[0],
            done: Done::default(),
            sums: [Sums::default(); 2],
        }
    }

    fn advance(&mut self, now_ns: u64) {
        self.now = u128::from(now_ns) * PS;
        while self.now >= self.closes {
            let Done {
                starved,
                busy,
                guard,
                ..
            } = self.done;
            let sums = &mut self.sums[self.owner];
            sums.windows += 1;
            sums.open += self.closes - self.from;
            sums.busy += busy;
            sums.guard += guard + starved.map_or(0, |from| self.closes - from);
            self.done = Done::default();
            self.owner = 1 - self.owner;
            self.from = self.closes;
            self.closes += self.phases[self.owner];
        }
    }

    fn wire(&self, octets: u32) -> u128 {
        ((u128::from(octets) + 20) * 8 * 1_000_000_000_000).div_ceil(self.bits_per_s)
    }

    /// When a frame of the open window's PI may start.
    fn ask(&mut self, octets: u32) -> Result<u128, Refusal> {
        let start = self.now.max(self.done.free);
        if start + self.wire(octets) + self.guard > self.closes {
            self.done.starved.get_or_insert(start);
            Err(Refusal::NoTimeLeft)
        } else if start > self.now + self.lookahead {
            Err(Refusal::LinkBusy)
        } else {
            Ok(start)
        }
    }

    /// Starts it if it may, and gives the instant in nanoseconds.
    fn start(&mut self, octets: u32) -> Result<u64, Refusal> {
        let start = self.ask(octets)?;
        let wire = self.wire(octets);
        let done = &mut self.done;
        done.free = start + wire;
        done.busy += wire;
        done.guard += done.starved.take().map_or(0, |from| start - from);
        Ok((start / PS) as u64)
    }

    fn assert_counters(&self, gate: &Gate) {
        for (slot, sums) in (0u8..).zip(self.sums) {
            let GateCounters {
                windows,
                window_overruns,
                open_ns,
                busy_ns,
                guard_idle_ns,
                empty_idle_ns,
                ..
            } = gate.counters(slot);
            assert_eq!((windows, window_overruns), (sums.windows, 0));
            assert_eq!(u128::from(open_ns) * PS, sums.open);
            assert_eq!(busy_ns + guard_idle_ns + empty_idle_ns, open_ns);
            let empty = sums.open - sums.busy - sums.guard;
            let parts = [
                (busy_ns, sums.busy),
                (guard_idle_ns, sums.guard),
                (empty_idle_ns, empty),
            ];
            for (counter_ns, exact) in parts {
                let off = (u128::from(counter_ns) * PS).abs_diff(exact);
                assert!(off < PS, "slot {slot}: {counter_ns} ns for {exact} ps");
            }
        }
    }
}

/// How often each of these came to pass.
type Seen = BTreeMap<&'static str, usize>;

fn name<T>(outcome: &Result<T, Refusal>) -> &'static str {
    match outcome {
        Ok(_) => "start",
        Err(Refusal::NoTimeLeft) => "no time left",
        Err(Refusal::LinkBusy) => "link busy",
        Err(Refusal::Closed) => "closed",
    }
}

fn run_ops(starts: &mut Starts<'_>, plain: &mut Plain, ops: &[Op], seen: &mut Seen) {
    let before = plain.done;
    let mut size = 0;
    for op in ops {
        match *op {
            Op::Size(octets) => {
                starts.size(octets);
                size = octets;
            }
            Op::Start => {
                let started = starts.start();
                assert_eq!(started, plain.start(size));
                *seen.entry(name(&started)).or_default() += 1;
            }
            Op::Ask(octets, goes) => {
                let asked = starts.ask(octets);
                size = octets;
                *seen.entry(name(&asked)).or_default() += 1;
                match asked {
                    Ok(start) if goes => {
                        assert_eq!(Ok(starts.charge(start)), plain.start(octets));
                    }
                    asked => assert_eq!(asked.map(drop), plain.ask(octets).map(drop)),
                }
            }
            Op::Rewind => {
                starts.rewind();
                plain.done = before;
                *seen.entry("rewind").or_default() += 1;
            }
        }
    }
}

fn run(gate: &mut Gate, plain: &mut Plain, rounds: &[Round], seen: &mut Seen) {
    let mut now_ns = 0;
    for round in rounds {
        now_ns += round.after_ns;
        gate.advance(now_ns);
        plain.advance(now_ns);
        plain.assert_counters(gate);
        let slot = round.slot;
        if usize::from(slot) != plain.owner {
            assert!(gate.open(slot).is_none());
            assert_eq!(gate.try_start(slot, 79), Err(Refusal::Closed));
            continue;
        }
        for &octets in &round.singly {
            assert_eq!(gate.try_start(slot, octets), plain.start(octets));
        }
        let mut starts = gate.open(slot).expect("its window");
        run_ops(&mut starts, plain, &round.ops, seen);
    }
    // Past the windows that were used.
    now_ns += 10_000_000;
    gate.advance(now_ns);
    plain.advance(now_ns);
    plain.assert_counters(gate);
}

fn rates() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(GBIT),
        Just(10 * GBIT),
        Just(100 * GBIT),
        50_000_000u64..=400 * GBIT,
    ]
}

proptest! {
    #![proptest_config(seeded(600))]

    #[test]
    fn starts_refusals_and_counters_are_those_of_plain_arithmetic(
        bits_per_s in rates(),
        more_ns in prop::array::uniform2(1u64..60_000),
        guard_ns in prop_oneof![Just(0u64), 0u64..2_000],
        lookahead_ns in prop_oneof![Just(0u64), 0u64..30_000, Just(u64::MAX)],
        rounds in rounds(),
    ) {
        let least_ns = guard_ns + link(bits_per_s).wire_time_ps(64).div_ceil(1_000);
        let phases_ns = more_ns.map(|more_ns| least_ns + more_ns);
        let phases = [(0, phases_ns[0]), (1, phases_ns[1])];
        let mut gate = Gate::new(cycle(&phases, guard_ns, bits_per_s), 0, lookahead_ns);
        gate.advance(0);
        let mut plain = Plain::new(bits_per_s, phases_ns, guard_ns, lookahead_ns);
        run(&mut gate, &mut plain, &rounds, &mut Seen::new());
    }
}

/// A right that is open for long, at the instants that matter: the property is not vacuous.
#[test]
fn a_window_worked_through_meets_every_case() {
    let ops = [
        Op::Size(1518),
        Op::Start,
        Op::Ask(79, false),
        Op::Ask(79, true),
        Op::Start,
        Op::Rewind,
        Op::Size(64),
        Op::Start,
        Op::Start,
        Op::Ask(1518, true),
        Op::Size(79),
        Op::Start,
    ];
    let rounds: Vec<_> = (0..600)
        .map(|round| Round {
            after_ns: 500,
            slot: (round / 200 % 2) as u8,
            singly: vec![64],
            ops: ops.to_vec(),
        })
        .collect();
    let phases = [(0, 100_000), (1, 100_000)];
    let mut gate = Gate::new(cycle(&phases, 1_000, GBIT), 0, 5_000);
    gate.advance(0);
    let mut plain = Plain::new(GBIT, [100_000; 2], 1_000, 5_000);
    let mut seen = Seen::new();
    run(&mut gate, &mut plain, &rounds, &mut seen);
    for case in ["start", "no time left", "link busy", "rewind"] {
        assert!(seen.get(case) > Some(&10), "{case}: {seen:?}");
    }
    assert!(plain.sums.iter().all(|sums| sums.guard > 0));
}

/// A frame that no longer fits starves from the instant at which it was asked for to the next start,
/// unless all of it is taken back.
#[test]
fn a_burst_that_is_taken_back_has_starved_nobody() {
    for rewinds in [false, true] {
        let mut gate = Gate::new(cycle(&[(0, 100_000), (1, 100_000)], 0, GBIT), 0, u64::MAX);
        gate.advance(98_000);
        let mut starts = gate.open(0).expect("its window");
        starts.size(64);
        assert_eq!(starts.start(), Ok(98_000));
        starts.size(1518);
        assert_eq!(starts.start(), Err(Refusal::NoTimeLeft));
        if rewinds {
            starts.rewind();
        }
        drop(starts);
        gate.advance(100_000);
        let counters = gate.counters(0);
        let expected = if rewinds { (0, 0) } else { (672, 2_000 - 672) };
        assert_eq!((counters.busy_ns, counters.guard_idle_ns), expected);
    }
}
