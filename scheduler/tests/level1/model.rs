//! A model of level 1 that finds windows by walking the phases one by one, and the random runs
//! that a gate is compared with it in. Exact: all its instants are picoseconds in u128.

use std::collections::VecDeque;

use pinode_scheduler::level2::{Arrival, Discipline, Fifo};
use pinode_scheduler::{Cycle, Gate, Phase, RETIRED_CYCLES, Refusal};
use proptest::prelude::*;

use crate::{GBIT, link};

pub(crate) const SLOTS: usize = 4;
const QUEUE: usize = 64;

/// One poll of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Time since the poll before.
    pub(crate) after_ns: u64,
    /// Frames that arrived for each slot.
    pub(crate) arrivals: [usize; SLOTS],
    /// Their octets with FCS.
    pub(crate) octets: u32,
    /// Most frames it starts.
    pub(crate) budget: usize,
    /// A change of the schedule: cycle and base time relative to now.
    pub(crate) install: Option<(usize, Option<i64>)>,
    /// Whether frames are committed to the next window, too.
    pub(crate) ahead: bool,
    /// Whether retired cycles are taken back.
    pub(crate) take_retired: bool,
}

impl Step {
    pub(crate) fn poll(after_ns: u64, arrivals: [usize; SLOTS], octets: u32) -> Self {
        Self {
            after_ns,
            arrivals,
            octets,
            budget: usize::MAX,
            install: None,
            ahead: false,
            take_retired: true,
        }
    }
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) cycles: Vec<Cycle>,
    pub(crate) base_ns: u64,
    pub(crate) lookahead_ns: u64,
    pub(crate) steps: Vec<Step>,
}

/// Random runs, with up to `installs` changes of the schedule in ten polls.
pub(crate) fn scenarios(installs: u32) -> impl Strategy<Value = Scenario> {
    let cycles = prop::collection::vec(cycles(), if installs == 0 { 1..2 } else { 2..4 });
    let lookahead_ns =
        prop_oneof![4 => 0u64..30_000, 1 => 30_000u64..3_000_000, 1 => Just(u64::MAX)];
    (cycles, 0u64..3_000_000, lookahead_ns).prop_flat_map(move |(cycles, base_ns, lookahead_ns)| {
        let of = cycles.len();
        let install = (0..of, prop::option::weighted(0.7, -400_000i64..400_000));
        let step = (
            prop_oneof![6 => 0u64..3_000, 3 => 0u64..60_000, 1 => 0u64..3_000_000],
            prop::array::uniform4(prop_oneof![0usize..3, 0usize..40]),
            64u32..=1522,
            prop_oneof![0usize..8, Just(usize::MAX)],
            match installs {
                0 => Just(None).boxed(),
                _ => prop::option::weighted(f64::from(installs) / 10.0, install).boxed(),
            },
            (prop::bool::weighted(0.6), prop::bool::weighted(0.8)),
        );
        let step = step.prop_map(
            |(after_ns, arrivals, octets, budget, install, (ahead, take_retired))| Step {
                after_ns,
                arrivals,
                octets,
                budget,
                install,
                ahead,
                take_retired,
            },
        );
        prop::collection::vec(step, 1..120).prop_map(move |steps| Scenario {
            cycles: cycles.clone(),
            base_ns,
            lookahead_ns,
            steps,
        })
    })
}

/// Cycles whose every phase holds the longest frame.
pub(crate) fn cycles() -> impl Strategy<Value = Cycle> {
    let rate = prop_oneof![
        Just(GBIT),
        Just(10 * GBIT),
        Just(100 * GBIT),
        50_000_000u64..=400 * GBIT,
    ];
    let phase = (prop::option::weighted(0.9, 0u8..SLOTS as u8), 1u64..60_000);
    let extension = prop_oneof![Just(0u64), 1u64..=4];
    let cycle = (
        rate,
        prop::collection::vec(phase, 1..9),
        0u64..2_000,
        extension,
    );
    cycle.prop_map(|(rate, phases, guard_ns, extension)| {
        let link = link(rate);
        let least_ns = guard_ns + link.wire_time_ps(1522).div_ceil(1_000);
        let phases: Vec<_> = phases
            .into_iter()
            .map(|(owner, more_ns)| Phase {
                owner,
                duration_ns: least_ns + more_ns,
            })
            .collect();
        let cycle = Cycle::new(&phases, guard_ns, link, |_| 1522).expect("valid");
        let extension_ns = cycle.length_ns() * extension / 4;
        cycle.with_extension(extension_ns).expect("at most a cycle")
    })
}

/// From when on which cycle runs.
#[derive(Debug)]
struct Segment {
    from_ns: u64,
    base_ns: u64,
    cycle: Cycle,
    /// From when on until when no cycle begins.
    extensions: Vec<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct ModelWindow {
    owner: Option<u8>,
    opens_ns: u64,
    closes_ns: u64,
    guard_ns: u64,
}

/// What happened in one window, in picoseconds.
#[derive(Debug, Default)]
struct Log {
    frames: Vec<(u128, u128)>,
    starved: Vec<u128>,
}

struct Model {
    segments: Vec<Segment>,
    lookahead_ps: u128,
    first_ns: Option<u64>,
    now_ns: u64,
    free_ps: u128,
    free_guard_ns: u64,
    logs: Vec<(ModelWindow, Log)>,
}

impl Model {
    /// All windows from `from_ns` to `to_ns`, walked one by one.
    fn windows(&self, from_ns: u64, to_ns: u64) -> Vec<ModelWindow> {
        let mut windows = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let until_ns = self
                .segments
                .get(index + 1)
                .map_or(u64::MAX, |next| next.from_ns);
            let guard_ns = segment.cycle.guard_ns();
            let mut at_ns = segment.base_ns;
            'segment: while at_ns < until_ns && at_ns <= to_ns {
                for phase in segment.cycle.phases() {
                    let (mut opens_ns, mut closes_ns) = (at_ns, at_ns + phase.duration_ns);
                    for &(from_ns, until_ns) in &segment.extensions {
                        if closes_ns == from_ns {
                            closes_ns = until_ns;
                        } else if (from_ns..until_ns).contains(&opens_ns) {
                            opens_ns = until_ns;
                        }
                    }
                    closes_ns = closes_ns.min(until_ns);
                    if opens_ns < closes_ns && closes_ns > from_ns && opens_ns <= to_ns {
                        let owner = phase.owner;
                        windows.push(ModelWindow {
                            owner,
                            opens_ns,
                            closes_ns,
                            guard_ns,
                        });
                    }
                    at_ns += phase.duration_ns;
                    if at_ns >= until_ns {
                        break 'segment;
                    }
                }
            }
        }
        windows
    }

    fn window_at(&self, now_ns: u64) -> Option<ModelWindow> {
        let mut windows = self.windows(now_ns, now_ns).into_iter();
        let window = windows.find(|w| w.opens_ns <= now_ns && now_ns < w.closes_ns);
        assert!(windows.next().is_none(), "two windows open at once");
        window
    }

    /// Starts a frame in the window that is open at `at_ns`: now, or when the open one closes.
    fn try_start(&mut self, at_ns: u64, slot: u8, octets: u32) -> Result<u64, Refusal> {
        let (now_ps, horizon_ps) = (ps(self.now_ns), ps(self.now_ns) + self.lookahead_ps);
        let Some(window) = self
            .window_at(at_ns)
            .filter(|w| w.owner == Some(slot) && ps(w.opens_ns) <= horizon_ps)
        else {
            return Err(Refusal::Closed);
        };
        let segment = self
            .segments
            .iter()
            .rev()
            .find(|s| s.from_ns <= window.opens_ns)
            .expect("runs");
        let wire_ps = u128::from(segment.cycle.link().wire_time_ps(octets));
        let log = self.log(window);
        let free_ps = log.frames.last().map_or(0, |frame| frame.1);
        let start_ps = now_ps.max(ps(window.opens_ns)).max(free_ps);
        let end_ps = start_ps + wire_ps;
        if end_ps + ps(window.guard_ns) > ps(window.closes_ns) {
            log.starved.push(start_ps);
            return Err(Refusal::NoTimeLeft);
        }
        if start_ps > horizon_ps {
            return Err(Refusal::LinkBusy);
        }
        log.frames.push((start_ps, end_ps));
        if end_ps > self.free_ps {
            self.free_ps = end_ps;
            self.free_guard_ns = window.guard_ns;
        }
        Ok((start_ps / 1_000) as u64)
    }

    fn log(&mut self, window: ModelWindow) -> &mut Log {
        let same = |(known, _): &(ModelWindow, Log)| known.opens_ns == window.opens_ns;
        let index = self.logs.iter().rposition(same).unwrap_or_else(|| {
            self.logs.push((window, Log::default()));
            self.logs.len() - 1
        });
        &mut self.logs[index].1
    }

    /// Changes that wait for their time.
    fn waiting(&self) -> usize {
        let waits = |segment: &&Segment| segment.from_ns > self.now_ns;
        self.segments.iter().filter(waits).count()
    }

    /// Checks and notes a change of the schedule that the gate says takes effect at `effect_ns`.
    fn install(&mut self, cycle: &Cycle, base_ns: Option<u64>, effect_ns: u64) {
        // A change that waits is replaced, unless frames were committed behind it.
        if self
            .segments
            .last()
            .is_some_and(|last| last.from_ns > self.now_ns && ps(last.from_ns) >= self.free_ps)
        {
            let replaced = self.segments.pop().expect("waits");
            // What an extension for it has given is not taken back.
            let clear_ns = self.clear_ns();
            let oper = self.segments.last_mut().expect("runs");
            oper.extensions.retain(|&(from_ns, until_ns)| {
                until_ns != replaced.from_ns || from_ns < clear_ns || from_ns <= self.now_ns
            });
        }
        // Nobody starves in a window to come that no frame was committed to: it may be another.
        let now_ns = self.now_ns;
        self.logs
            .retain(|(window, log)| window.opens_ns <= now_ns || !log.frames.is_empty());
        let earliest_ns = self.now_ns.max(self.clear_ns());
        let oper = self.segments.last().expect("runs");
        let (base, length) = match base_ns {
            None => (oper.base_ns, oper.cycle.length_ns()),
            Some(base_ns) => (base_ns, cycle.length_ns()),
        };
        assert!(effect_ns >= earliest_ns && effect_ns >= base);
        assert_eq!((effect_ns - base) % length, 0, "no boundary");
        assert!(
            effect_ns == base || effect_ns - length < earliest_ns,
            "not the next boundary"
        );
        let mut boundary_ns = oper.base_ns;
        while boundary_ns + oper.cycle.length_ns() < effect_ns {
            boundary_ns += oper.cycle.length_ns();
        }
        let committed = |(window, log): &(ModelWindow, Log)| {
            window.opens_ns == boundary_ns && !log.frames.is_empty()
        };
        let extended = oper.extensions.iter().any(|e| self.now_ns < e.1);
        if oper.base_ns < boundary_ns
            && self.now_ns < boundary_ns
            && effect_ns - boundary_ns <= oper.cycle.extension_ns()
            && !self.logs.iter().any(committed)
            && !extended
        {
            let oper = self.segments.last_mut().expect("runs");
            oper.extensions.push((boundary_ns, effect_ns));
        }
        self.segments.push(Segment {
            from_ns: effect_ns,
            base_ns: effect_ns,
            cycle: cycle.clone(),
            extensions: Vec::new(),
        });
    }

    /// When the last frame and the guard behind it have passed.
    fn clear_ns(&self) -> u64 {
        self.free_ps.div_ceil(1_000) as u64 + self.free_guard_ns
    }

    /// Windows, open, busy, guard and all time of a slot, over windows closed by now.
    fn account(&self, slot: u8) -> (u64, u64, u128, u128) {
        let first_ns = self.first_ns.expect("asked");
        let closed = self
            .windows(first_ns, self.now_ns)
            .into_iter()
            .filter(|w| w.owner == Some(slot) && w.closes_ns <= self.now_ns)
            .filter(|w| w.closes_ns > w.opens_ns.max(first_ns));
        let (mut windows, mut open_ns, mut busy_ps, mut guard_ps) = (0, 0, 0, 0);
        for window in closed {
            windows += 1;
            open_ns += window.closes_ns - window.opens_ns.max(first_ns);
            let Some((_, log)) = self
                .logs
                .iter()
                .find(|(w, _)| w.opens_ns == window.opens_ns)
            else {
                continue;
            };
            busy_ps += log
                .frames
                .iter()
                .map(|(start, end)| end - start)
                .sum::<u128>();
            // Each gap is lost to the guard from the first frame that starved in it on.
            let ends = log.frames.iter().map(|frame| frame.1);
            let gaps_from = std::iter::once(ps(window.opens_ns.max(first_ns))).chain(ends);
            let starts = log.frames.iter().map(|frame| frame.0);
            let gaps_to = starts.chain(std::iter::once(ps(window.closes_ns)));
            for (from_ps, to_ps) in gaps_from.zip(gaps_to) {
                let starved = log
                    .starved
                    .iter()
                    .filter(|at| (from_ps..to_ps).contains(at))
                    .min();
                guard_ps += starved.map_or(0, |at| to_ps - at);
            }
        }
        (windows, open_ns, busy_ps, guard_ps)
    }
}

fn ps(ns: u64) -> u128 {
    u128::from(ns) * 1_000
}

/// Runs a gate and the model side by side; panics where they differ. Gives the frames sent by
/// slot.
pub(crate) fn run(scenario: &Scenario) -> [usize; SLOTS] {
    let first = scenario.cycles[0].clone();
    let mut gate = Gate::new(first.clone(), scenario.base_ns, scenario.lookahead_ns);
    let mut model = Model {
        segments: vec![Segment {
            from_ns: 0,
            base_ns: scenario.base_ns,
            cycle: first,
            extensions: Vec::new(),
        }],
        lookahead_ps: ps(scenario.lookahead_ns),
        first_ns: None,
        now_ns: 0,
        free_ps: 0,
        free_guard_ns: 0,
        logs: Vec::new(),
    };
    let mut queues: [Fifo<(usize, u32)>; SLOTS] = std::array::from_fn(|_| Fifo::new(QUEUE));
    let mut expected: [VecDeque<usize>; SLOTS] = std::array::from_fn(|_| VecDeque::new());
    let (mut taken, mut sent) = ([0; SLOTS], [0; SLOTS]);
    // Cycles that wait, or have had their time and were not taken back.
    let mut kept = 0;
    let mut before = [(0, 0, 0, 0); SLOTS];
    for step in &scenario.steps {
        let waiting = model.waiting();
        model.now_ns += step.after_ns;
        model.first_ns.get_or_insert(model.now_ns);
        let now_ns = model.now_ns;
        for slot in 0..SLOTS {
            for _ in 0..step.arrivals[slot] {
                let frame = (taken[slot], step.octets);
                if queues[slot].enqueue(frame, &Arrival::default()).is_ok() {
                    expected[slot].push_back(taken[slot]);
                    taken[slot] += 1;
                }
            }
        }
        if step.take_retired {
            while gate.retired().is_some() {}
            kept = waiting;
        }
        if let Some((index, base)) = step.install {
            let cycle = &scenario.cycles[index];
            let base_ns = base.map(|relative| now_ns.saturating_add_signed(relative));
            match gate.install(cycle.clone(), base_ns, now_ns) {
                Ok(effect_ns) => {
                    model.install(cycle, base_ns, effect_ns);
                    kept += 1;
                    assert!(kept <= RETIRED_CYCLES, "no place for a retired cycle");
                }
                Err(_) => assert_eq!(kept, RETIRED_CYCLES, "refused without reason"),
            }
        }
        let window = gate.advance(now_ns);
        match model.window_at(now_ns) {
            Some(expected) => {
                let ModelWindow {
                    owner,
                    opens_ns,
                    closes_ns,
                    ..
                } = expected;
                assert_eq!(
                    (window.owner, window.opens_ns, window.closes_ns),
                    (owner, opens_ns, closes_ns)
                );
            }
            None => assert_eq!(window.owner, None),
        }
        let next = gate.next();
        let expected_next = model.window_at(window.closes_ns).expect("runs for ever");
        assert_eq!(
            next.map(|w| (w.owner, w.opens_ns, w.closes_ns)),
            Some((
                expected_next.owner,
                window.closes_ns,
                expected_next.closes_ns
            ))
        );
        let mut budget = step.budget;
        for ahead in [false, true].into_iter().take(1 + usize::from(step.ahead)) {
            let at_ns = if ahead { window.closes_ns } else { now_ns };
            for (slot, queue) in (0u8..).zip(&mut queues) {
                let mut went = |(_, octets): &(usize, u32)| {
                    let start = if ahead {
                        start_ahead(&mut gate, slot, *octets)
                    } else {
                        gate.try_start(slot, *octets)
                    };
                    assert_eq!(start, model.try_start(at_ns, slot, *octets));
                    start.is_ok()
                };
                let index = usize::from(slot);
                while budget > 0 {
                    let Some((serial, _)) = queue.dequeue_if(at_ns, &mut went) else {
                        break;
                    };
                    assert_eq!(expected[index].pop_front(), Some(serial), "out of order");
                    sent[index] += 1;
                    budget -= 1;
                }
            }
        }
        for slot in 0..SLOTS {
            assert_eq!(taken[slot], sent[slot] + queues[slot].len(), "conservation");
            check_account(&gate, &model, slot as u8, &mut before[slot]);
        }
    }
    model.logs.sort_by_key(|(window, _)| window.opens_ns);
    check_log(&model);
    sent
}

fn start_ahead(gate: &mut Gate, slot: u8, octets: u32) -> Result<u64, Refusal> {
    let mut starts = gate.open_ahead(slot).ok_or(Refusal::Closed)?;
    let start = starts.ask(octets)?;
    Ok(starts.charge(start))
}

/// The gate's counters are the model's, their sums exact, and none has gone back.
fn check_account(gate: &Gate, model: &Model, slot: u8, before: &mut (u64, u64, u64, u64)) {
    let counters = gate.counters(slot);
    let (windows, open_ns, busy_ps, guard_ps) = model.account(slot);
    assert_eq!((counters.windows, counters.open_ns), (windows, open_ns));
    assert_eq!(counters.window_overruns, 0);
    assert_eq!(
        counters.open_ns,
        counters.busy_ns + counters.guard_idle_ns + counters.empty_idle_ns
    );
    let near = |counter_ns: u64, exact_ps: u128| exact_ps.abs_diff(ps(counter_ns)) < 1_000;
    assert!(near(counters.busy_ns, busy_ps), "{counters:?} {busy_ps}");
    assert!(
        near(counters.guard_idle_ns, guard_ps),
        "{counters:?} {guard_ps}"
    );
    let now = (
        counters.windows,
        counters.busy_ns,
        counters.guard_idle_ns,
        counters.empty_idle_ns,
    );
    assert!(now.0 >= before.0 && now.1 >= before.1 && now.2 >= before.2 && now.3 >= before.3);
    *before = now;
}

/// Every frame lies inside its window with the guard clear, and after the one before.
fn check_log(model: &Model) {
    let mut free_ps = 0;
    for (window, log) in &model.logs {
        let closes_ns = model
            .windows(window.opens_ns, window.opens_ns)
            .into_iter()
            .find(|w| w.opens_ns == window.opens_ns)
            .map_or(window.closes_ns, |w| w.closes_ns);
        for &(start_ps, end_ps) in &log.frames {
            assert!(start_ps >= ps(window.opens_ns), "before its window");
            assert!(
                end_ps + ps(window.guard_ns) <= ps(closes_ns),
                "across close and guard"
            );
            assert!(start_ps >= free_ps, "two frames at once");
            free_ps = end_ps;
        }
    }
}
