//! A burst through one `Starts` is what frame by frame asking gives: the same starts, refusals and
//! counters, and both are those of a rule written down a second time in exact integers.

use pinode_scheduler::{Cycle, Gate, Refusal, Window};
use proptest::prelude::*;

use crate::model::{SLOTS, cycles};
use crate::{seeded, three};

/// A frame that a worker looks at.
#[derive(Debug, Clone, Copy)]
struct Look {
    octets: u32,
    /// Whether it goes if it may; otherwise it is found unfit after it was asked for.
    goes: bool,
    /// Whether the right to start is given back and asked for again behind it.
    reopens: bool,
}

#[derive(Debug, Clone)]
struct Step {
    after_ns: u64,
    /// Which of the cycles is installed, and its base time relative to now.
    install: Option<(usize, i64)>,
    slot: u8,
    burst: Vec<Look>,
}

fn looks() -> impl Strategy<Value = Look> {
    let octets = prop_oneof![
        4 => Just(79u32),
        4 => 64u32..=1522,
        1 => 1522u32..=9022,
        1 => prop_oneof![Just(0u32), 1u32..64, Just(u32::MAX)],
    ];
    let goes = prop::bool::weighted(0.85);
    let reopens = prop::bool::weighted(0.1);
    (octets, goes, reopens).prop_map(|(octets, goes, reopens)| Look {
        octets,
        goes,
        reopens,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        prop_oneof![3 => Just(0u64), 8 => 0u64..2_000, 4 => 0u64..40_000, 1 => 0u64..2_000_000],
        prop::option::weighted(0.05, (0..3usize, -200_000i64..400_000)),
        0..SLOTS as u8,
        prop::collection::vec(looks(), 0..40),
    );
    let step = step.prop_map(|(after_ns, install, slot, burst)| Step {
        after_ns,
        install,
        slot,
        burst,
    });
    prop::collection::vec(step, 1..150)
}

/// The rule of one window, in picoseconds since ever: busy until, guard, lookahead.
struct Rule {
    lookahead_ps: u128,
    free_ps: u128,
}

impl Rule {
    fn may_start(&self, gate: &Gate, window: Window, now_ns: u64, octets: u32) -> Verdict {
        let (cycle, _) = gate.oper();
        let ps = |ns: u64| u128::from(ns) * 1_000;
        let wire_ps = u128::from(cycle.link().wire_time_ps(octets));
        let start_ps = ps(now_ns).max(self.free_ps);
        if start_ps + wire_ps + ps(cycle.guard_ns()) > ps(window.closes_ns) {
            Err(Refusal::NoTimeLeft)
        } else if start_ps > ps(now_ns) + self.lookahead_ps {
            Err(Refusal::LinkBusy)
        } else {
            Ok((start_ps, start_ps + wire_ps))
        }
    }
}

type Verdict = Result<(u128, u128), Refusal>;

/// Two gates side by side: bursts on one, one frame at a time on the other.
struct Sides {
    bursts: Gate,
    singly: Gate,
    rule: Rule,
    now_ns: u64,
}

impl Sides {
    fn new(cycle: &Cycle, base_ns: u64, lookahead_ns: u64) -> Self {
        let gate = || Gate::new(cycle.clone(), base_ns, lookahead_ns);
        Self {
            bursts: gate(),
            singly: gate(),
            rule: Rule {
                lookahead_ps: u128::from(lookahead_ns) * 1_000,
                free_ps: 0,
            },
            now_ns: 0,
        }
    }

    fn install(&mut self, cycle: &Cycle, relative_ns: i64) {
        let base_ns = Some(self.now_ns.saturating_add_signed(relative_ns));
        let [one, other] = [&mut self.bursts, &mut self.singly].map(|gate| {
            while gate.retired().is_some() {}
            gate.install(cycle.clone(), base_ns, self.now_ns)
        });
        assert_eq!(one, other);
    }

    /// Gives how many frames went, and which refusals came.
    fn burst(&mut self, slot: u8, burst: &[Look]) -> (usize, [usize; 2]) {
        let window = self.bursts.advance(self.now_ns);
        assert_eq!(self.singly.advance(self.now_ns), window);
        let (mut gone, mut refused) = (0, [0; 2]);
        for run in burst.chunk_by(|look, _| !look.reopens) {
            // The rule looks at what does not change while frames start.
            let expected = self.rule_of(slot, window, run);
            let Some(mut starts) = self.bursts.open(slot) else {
                assert_ne!(window.owner, Some(slot));
                for look in run {
                    let start = self.singly.try_start(slot, look.octets);
                    assert_eq!(start, Err(Refusal::Closed));
                }
                continue;
            };
            assert_eq!(window.owner, Some(slot));
            for (look, expected) in run.iter().zip(expected) {
                let expected = expected.map(|(start_ps, _)| (start_ps / 1_000) as u64);
                match starts.ask(look.octets) {
                    Ok(start) if look.goes => {
                        let start_ns = starts.charge(start);
                        assert_eq!(Ok(start_ns), expected);
                        assert_eq!(self.singly.try_start(slot, look.octets), Ok(start_ns));
                        gone += 1;
                    }
                    Ok(_unfit) => assert!(expected.is_ok()),
                    Err(refusal) => {
                        assert_eq!(Err(refusal), expected);
                        assert_eq!(self.singly.try_start(slot, look.octets), Err(refusal));
                        refused[usize::from(refusal == Refusal::LinkBusy)] += 1;
                    }
                }
            }
        }
        (gone, refused)
    }

    /// Starts all that may, as far as the first that may not, takes it back, and lets go what goes
    /// after all. Gives how many that were.
    fn second_thoughts(&mut self, slot: u8, burst: &[Look]) -> usize {
        let window = self.bursts.advance(self.now_ns);
        assert_eq!(self.singly.advance(self.now_ns), window);
        let Some(mut starts) = self.bursts.open(slot) else {
            return 0;
        };
        let mut first = Vec::new();
        for look in burst {
            let Ok(start) = starts.ask(look.octets) else {
                break;
            };
            first.push((look, starts.charge(start)));
        }
        starts.rewind();
        let mut gone = 0;
        for (look, first_ns) in first {
            if look.goes {
                let start = starts.ask(look.octets).expect("it could before");
                let start_ns = starts.charge(start);
                assert!(start_ns <= first_ns, "later than before");
                assert_eq!(self.singly.try_start(slot, look.octets), Ok(start_ns));
                gone += 1;
            }
        }
        gone
    }

    fn rule_of(&mut self, slot: u8, window: Window, run: &[Look]) -> Vec<Verdict> {
        if window.owner != Some(slot) {
            return Vec::new();
        }
        run.iter()
            .map(|look| {
                let gate = &self.singly;
                let verdict = self.rule.may_start(gate, window, self.now_ns, look.octets);
                if let (Ok((_, end_ps)), true) = (verdict, look.goes) {
                    self.rule.free_ps = end_ps;
                }
                verdict
            })
            .collect()
    }

    fn assert_same_counters(&self) {
        for slot in 0..SLOTS as u8 {
            assert_eq!(self.bursts.counters(slot), self.singly.counters(slot));
        }
    }
}

proptest! {
    #![proptest_config(seeded(400))]

    #[test]
    fn a_burst_starts_what_frame_by_frame_asking_would(
        cycles in prop::collection::vec(cycles(), 3),
        base_ns in 0u64..300_000,
        lookahead_ns in prop_oneof![Just(0u64), 0u64..30_000, Just(u64::MAX)],
        steps in steps(),
    ) {
        let mut sides = Sides::new(&cycles[0], base_ns, lookahead_ns);
        for step in steps {
            sides.now_ns += step.after_ns;
            if let Some((index, relative_ns)) = step.install {
                sides.install(&cycles[index], relative_ns);
            }
            sides.burst(step.slot, &step.burst);
            sides.assert_same_counters();
        }
        // Past the last window that was used: all of it is accounted.
        sides.now_ns += 10_000_000;
        sides.burst(0, &[]);
        sides.assert_same_counters();
    }
}

proptest! {
    #![proptest_config(seeded(400))]

    /// What was charged and taken back leaves no trace: the gate is as if only those had been asked
    /// for that went in the end.
    #[test]
    fn a_burst_of_which_not_all_goes_charges_those_that_do(
        cycle in cycles(),
        base_ns in 0u64..300_000,
        lookahead_ns in prop_oneof![Just(0u64), 0u64..30_000, Just(u64::MAX)],
        steps in steps(),
    ) {
        let mut sides = Sides::new(&cycle, base_ns, lookahead_ns);
        for step in steps {
            sides.now_ns += step.after_ns;
            sides.second_thoughts(step.slot, &step.burst);
            sides.assert_same_counters();
        }
        sides.now_ns += 10_000_000;
        sides.second_thoughts(0, &[]);
        sides.assert_same_counters();
    }
}

#[test]
fn what_is_taken_back_makes_room() {
    let burst = [true, false, false, true].map(|goes| Look {
        octets: 79,
        goes,
        reopens: false,
    });
    let mut sides = Sides::new(&three(), 0, u64::MAX);
    assert_eq!(sides.second_thoughts(0, &burst), 2);
    assert_eq!(sides.bursts.try_start(0, 79), Ok(2 * 792));
}

/// The property of bursts is not vacuous: frames go, and both refusals come.
#[test]
fn a_burst_meets_the_lookahead_and_the_close() {
    let look = |octets| Look {
        octets,
        goes: true,
        reopens: false,
    };
    let mut sides = Sides::new(&three(), 0, 10_000);
    // 79 octets hold a link of 1 Gbit/s for 792 ns: 13 start within 10 us, the rest must wait.
    assert_eq!(sides.burst(0, &[look(79); 20]), (13, [0, 7]));
    sides.now_ns = 99_000;
    // At 99 us of 100 one of 79 still goes, none of 1518 and no second.
    let burst = [look(1518), look(79), look(79), look(64)];
    assert_eq!(sides.burst(0, &burst), (1, [3, 0]));
    sides.now_ns = 100_000;
    sides.burst(0, &[]);
    sides.assert_same_counters();
    let counters = sides.bursts.counters(0);
    assert_eq!((counters.windows, counters.busy_ns), (1, 14 * 792));
    assert_eq!(counters.guard_idle_ns, 1_000 - 792);
}

/// What was asked for and not charged leaves no trace, but for a refusal, which starves.
#[test]
fn a_start_that_is_not_charged_costs_nothing() {
    let mut gate = Gate::new(three(), 0, 0);
    gate.advance(50_000);
    let mut starts = gate.open(0).expect("its window");
    for octets in [79, 1518, 79] {
        let _unfit = starts.ask(octets).expect("time is left");
    }
    drop(starts);
    assert_eq!(gate.try_start(0, 79), Ok(50_000));
    gate.advance(100_000);
    let counters = gate.counters(0);
    assert_eq!((counters.busy_ns, counters.guard_idle_ns), (792, 0));
    assert!(gate.open(0).is_none(), "the window is another's");
    assert!(gate.open(1).is_some());
}
