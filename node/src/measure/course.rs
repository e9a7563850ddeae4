//! Test after test, size after size: what one finds is what the next is made at.
//!
//! Must never lose what was found: a test that fails or is ended leaves the results of those before it.

use pinode_measure::method::demand::{self, Demanded};
use pinode_measure::method::throughput::{binary, mlr};
use pinode_measure::method::{
    MethodError, Outcome, TestBed, Traffic, back_to_back, latency, loss, recovery, reset,
    saturation,
};
use pinode_measure::results::{
    BackToBack, CpuCheck, CpuPoint, DemandRecord, Recovery, Test, Throughput,
};
use pinode_measure::trial::{Device, PathKind, Side};

use super::cpu::HOST;
use super::ledger::Ledger;
use super::plan::{self, Plan, Round};
use super::times::{self, Times};
use super::watch::Watch;

/// Part of the throughput at which a device is reset: what is lost then is lost by the reset.
const RESET_LOAD: f64 = 0.5;

/// What tests found beside their trials.
#[derive(Debug, Default)]
pub struct Findings {
    /// Of searches.
    pub throughput: Vec<Throughput>,
    /// Of bursts.
    pub back_to_back: Vec<BackToBack>,
    /// Of overload and resets.
    pub recovery: Vec<Recovery>,
    /// Whether what was demanded was met.
    pub demands: Vec<DemandRecord>,
    /// CPU use.
    pub cpu: Vec<CpuPoint>,
    /// Its accounting beside the kernel's.
    pub cpu_check: Vec<CpuCheck>,
    /// What should be known.
    pub notes: Vec<String>,
    /// Something was not made to its end.
    pub is_partial: bool,
}

/// Makes all tests of `plan` on `device`, whose CPU time `ledger` has, if anybody puts it down.
///
/// # Errors
///
/// The first test that cannot go on; `findings` and the trials of `watch` hold what was found until then.
pub fn run(
    plan: &Plan,
    times: &Times,
    device: &mut dyn Device,
    ledger: &Ledger,
    watch: &mut Watch<'_>,
    findings: &mut Findings,
) -> Result<(), MethodError> {
    let mut steps: Vec<(&Round, Test)> = Vec::new();
    for round in &plan.rounds {
        steps.extend(plan.tests.iter().map(|test| (round, *test)));
    }
    // Throughput of the size that is measured, as rates.
    let mut found: Option<Vec<f64>> = None;
    for (index, (round, test)) in steps.iter().enumerate() {
        if *test == plan.tests[0] {
            found = None;
        }
        let streams = round.traffic.streams.len();
        let behind = steps[index + 1..]
            .iter()
            .map(|(_, test)| times.estimate(*test, streams));
        watch.shown.follows(behind.sum());
        let mut step = Step {
            times,
            traffic: &round.traffic,
            demanded: &round.demanded,
            ledger,
            found: found.as_deref(),
            bed: TestBed::new(device, watch, times.timing),
        };
        let before = findings.throughput.len();
        step.make(*test, findings)?;
        if *test == Test::Throughput {
            found = rates(&round.traffic, &findings.throughput[before..]);
        }
        findings.is_partial |= watch.is_interrupted();
        if findings.is_partial {
            break;
        }
    }
    Ok(())
}

/// The rates that a search found, if it found one for each stream.
fn rates(traffic: &Traffic, found: &[Throughput]) -> Option<Vec<f64>> {
    let mut goals: Vec<f64> = found.iter().map(|found| found.goal_loss_ratio).collect();
    goals.sort_by(f64::total_cmp);
    goals.dedup();
    // Of the goal that allows least loss; where nothing meets that, of the next.
    goals.into_iter().find_map(|goal| {
        let of_goal = found
            .iter()
            .filter(|found| found.goal_loss_ratio.total_cmp(&goal).is_eq());
        let rates: Vec<f64> = of_goal.map(|found| found.fps).collect();
        (rates.len() == traffic.streams.len() && rates.iter().all(|rate| *rate > 0.0))
            .then_some(rates)
    })
}

/// A test of one size.
struct Step<'a> {
    times: &'a Times,
    traffic: &'a Traffic,
    /// What is demanded of each stream, if that is tested.
    demanded: &'a [Demanded],
    /// CPU time.
    ledger: &'a Ledger,
    /// The throughput, if it was searched.
    found: Option<&'a [f64]>,
    bed: TestBed<'a>,
}

impl Step<'_> {
    fn make(&mut self, test: Test, findings: &mut Findings) -> Result<(), MethodError> {
        match test {
            Test::Throughput => {
                let results = match &self.times.throughput {
                    times::Throughput::Binary(settings) => keep(
                        binary::search(&mut self.bed, self.traffic, settings)?,
                        findings,
                    ),
                    times::Throughput::Mlr(settings) => {
                        let goals = keep(
                            mlr::search(&mut self.bed, self.traffic, settings)?,
                            findings,
                        );
                        goals.into_iter().flat_map(|goal| goal.streams).collect()
                    }
                };
                findings.throughput.extend(results);
            }
            Test::Latency => {
                for load in &self.times.latency_loads {
                    let rates = self.at(*load);
                    let outcome =
                        latency::measure(&mut self.bed, self.traffic, &rates, &self.times.latency)?;
                    keep(outcome, findings);
                    if findings.is_partial {
                        break;
                    }
                }
            }
            Test::Loss => {
                let outcome = loss::measure(&mut self.bed, self.traffic, &self.times.loss)?;
                keep(outcome, findings);
            }
            Test::BackToBack => {
                let line = self.line_rates();
                let fastest = line.iter().copied().fold(0.0, f64::max);
                let settings = self.times.back_to_back(fastest);
                let outcome = back_to_back::measure(
                    &mut self.bed,
                    self.traffic,
                    &line,
                    self.found,
                    &settings,
                )?;
                let results = keep(outcome, findings);
                findings.back_to_back.extend(results);
            }
            Test::Recovery => {
                let rates = self.at(1.0);
                let settings = recovery::Settings {
                    most: self.most(),
                    ..self.times.recovery
                };
                let outcome = recovery::measure(&mut self.bed, self.traffic, &rates, &settings)?;
                let results = keep(outcome, findings);
                findings.recovery.extend(results);
            }
            Test::Reset => {
                let rates = self.at(RESET_LOAD);
                let outcome =
                    reset::measure(&mut self.bed, self.traffic, &rates, &self.times.reset())?;
                let results = keep(outcome, findings);
                findings.recovery.extend(results);
            }
            Test::Demand => {
                let outcome = demand::measure(
                    &mut self.bed,
                    self.traffic,
                    self.demanded,
                    &self.times.demand,
                )?;
                let spent = self.ledger.take();
                let mut results = keep(outcome, findings);
                for record in &mut results {
                    record.cpu_percent = spent.get(&record.pi).copied();
                    record.host_percent = spent.get(HOST).copied();
                }
                findings.demands.extend(results);
            }
            Test::Saturation => {
                let outcome =
                    saturation::measure(&mut self.bed, self.traffic, &self.times.saturation)?;
                keep(outcome, findings);
            }
        }
        Ok(())
    }

    /// `share` of the throughput, or of the full rates where none was searched.
    fn at(&self, share: f64) -> Vec<f64> {
        let full = self
            .found
            .map_or_else(|| self.traffic.rates(), <[f64]>::to_vec);
        full.into_iter().map(|rate| rate * share).collect()
    }

    /// The largest load that may be offered: in memory any, on links what they carry.
    fn most(&self) -> f64 {
        let path = self.bed.path();
        if path.kind == PathKind::Memory {
            return f64::MAX;
        }
        let room = [Side::West, Side::East].map(|side| {
            let taken = plan::wire_bps(self.traffic, side);
            path.capacity_bps[side as usize] as f64 / taken.max(1.0)
        });
        room.into_iter().fold(f64::MAX, f64::min)
    }

    /// What each stream would have alone on its link.
    fn line_rates(&self) -> Vec<f64> {
        let path = self.bed.path();
        let rate = |stream: &pinode_measure::method::TrafficStream| {
            let mean = stream.stream.spec.sizes.mean();
            path.line_rate_fps(stream.stream.from, mean)
        };
        self.traffic.streams.iter().map(rate).collect()
    }
}

/// What is to be said of an outcome is kept; its results are given back.
fn keep<T>(outcome: Outcome<T>, findings: &mut Findings) -> Vec<T> {
    findings.notes.extend(outcome.notes);
    findings.is_partial |= outcome.is_partial;
    outcome.results
}
