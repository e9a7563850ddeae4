//! `pinode provision`: a node's schedule, rings and CPUs from what is demanded of it and what was measured.
//!
//! ```text
//! demands      what is asked for; read: the file of it
//! search       cycle and phases, by enumeration over the bounds that `check` prints
//! diagnosis    why no cycle will do
//! processor    CPU time, out of measured lines
//! own_latency  what the node adds to the wait for a phase, out of measured latencies
//! refusal      which constraint fails, where, by how much
//! part         node.toml
//! table        for people
//! ```
//!
//! What comes out has been put through `check` with all its demands. Must never give out what `check` refuses, and
//! never refuse what a schedule of the grid would hold.

pub mod demands;
mod diagnosis;
mod own_latency;
mod part;
mod plan;
mod processor;
mod read;
mod refusal;
pub mod search;
mod table;

use std::path::Path;

use pinode_measure::results::Results;
use pinode_scheduler::LinkRate;

use demands::{Demands, PiDemand, PortDemand};
use diagnosis::Fruitless;
use search::{Asked, Candidate, Link, candidates, choose};

pub use plan::{CpuPlan, PhasePlan, PiPlan, Plan, PortPlan, Predicted, WorkerPlan};
pub use read::{load, parse};
pub use refusal::{Constraint, Refusal, Unmet};
pub use table::{plan_table, refusal_lines};

use crate::check::Report;
use crate::config::{self, NodeConfig};
use plan::Sketch;

/// Descriptors of the smallest virtqueue (`pi.NAME.queue`).
const RING_LEAST: u64 = 64;
/// The longest that this project's hosts were seen to hold up a worker or a guest, nanoseconds.
const STALL_NS: f64 = 3e6;

/// Finds a configuration that meets `demands`; `measured`: results with the name of their file.
///
/// # Errors
///
/// Every constraint that fails.
pub fn provision(demands: &Demands, measured: Option<(&str, &Results)>) -> Result<Plan, Refusal> {
    let mut unmet: Vec<Unmet> = demands
        .ports
        .iter()
        .flat_map(|port| frames(demands, port))
        .collect();
    let own_ns: Vec<Option<u64>> = demands
        .pis
        .iter()
        .map(|pi| own_latency::of(measured?.1, demands, pi))
        .collect();
    let cpu = match cpu(demands, measured) {
        Ok(cpu) => Some(cpu),
        Err(problems) => {
            unmet.extend(problems);
            None
        }
    };
    let schedules = schedules(demands, &own_ns).map_err(|problems| unmet.extend(problems));
    let (Some(cpu), Ok(schedules), true) = (cpu, schedules, unmet.is_empty()) else {
        return Err(Refusal::of(unmet));
    };
    let sketch = Sketch {
        demands,
        own_ns,
        cpu,
        queues: queues(demands, &schedules),
        schedules,
        measured: measured.map(|(file, _)| file),
    };
    judged(&sketch)
}

/// The plan, once `check` has judged it.
fn judged(sketch: &Sketch<'_>) -> Result<Plan, Refusal> {
    let bare = part::text(sketch, None);
    let read = |text: &str| {
        config::parse(
            "node.toml",
            Path::new(""),
            text,
            pinode_images::BUILTIN_NAMES,
        )
    };
    let refused = |problems: Vec<config::Problem>| {
        let of = |problem: config::Problem| {
            Unmet::new(Constraint::Configuration, problem.at, problem.what)
        };
        Refusal::of(problems.into_iter().map(of).collect())
    };
    let config: NodeConfig = read(&bare).map_err(|error| refused(error.problems))?;
    let report = Report::of(&config);
    if !report.ok {
        return Err(refused(report.problems));
    }
    let mut plan = sketch.plan(&config, &report);
    plan.node_toml = part::text(sketch, Some(&plan));
    // Comments change nothing: who reads the part later reads what was judged.
    match read(&plan.node_toml) {
        Ok(said) if said == config => Ok(plan),
        Ok(_) => Err(refused(Vec::new())),
        Err(error) => Err(refused(error.problems)),
    }
}

/// Frames that are larger than the port allows.
fn frames(demands: &Demands, port: &PortDemand) -> Vec<Unmet> {
    let most = port.largest_frame();
    let large = demands.pis.iter().filter(|pi| pi.sizes.largest() > most);
    large
        .map(|pi| {
            let size = pi.sizes.largest();
            let what = format!(
                "a frame of {size} octets is larger than the {most} that port {} with its mtu of {} lets out: by {} \
                 octets",
                port.name,
                port.mtu,
                size - most
            );
            let at = format!("pi.{}.sizes", pi.name);
            Unmet::new(Constraint::Frame, at, what).by(f64::from(size - most), "octets")
        })
        .collect()
}

/// What a PI asks of its phases, with what the node itself takes off its delay.
fn asked(demands: &Demands, pi: &PiDemand, own_ns: Option<u64>) -> Asked {
    let smallest = pi.sizes.smallest();
    let stalled = |stall_ns: u64| (pi.frames_of(smallest) * stall_ns as f64 / 1e9).ceil() as u64;
    Asked {
        flow: pi.as_configured().flow(),
        largest: pi.sizes.largest(),
        smallest,
        delay_ns: pi
            .delay_ns
            .map(|delay| delay.saturating_sub(own_ns.unwrap_or(0))),
        stalled_frames: demands.stall_ns.map_or(0, stalled),
    }
}

/// A cycle for each port; ports that are alike have one.
fn schedules(demands: &Demands, own_ns: &[Option<u64>]) -> Result<Vec<Schedule>, Vec<Unmet>> {
    let asked: Vec<Asked> = demands
        .pis
        .iter()
        .zip(own_ns)
        .map(|(pi, own_ns)| asked(demands, pi, *own_ns))
        .collect();
    let (mut found, mut unmet): (Vec<Schedule>, Vec<Unmet>) = (Vec::new(), Vec::new());
    let mut fruitless: Vec<Link> = Vec::new();
    for port in &demands.ports {
        let Ok(rate) = LinkRate::new(port.capacity_bps) else {
            continue;
        };
        let link = Link {
            rate,
            guard_ns: port.guard_ns,
        };
        if let Some(same) = found.iter().find(|other| other.link == link) {
            found.push(same.clone());
            continue;
        }
        // What is wrong with one of two links that are alike is said once.
        if fruitless.contains(&link) {
            continue;
        }
        let all = candidates(link, &asked, demands.cycles);
        match choose(&all, demands.cycles.slack) {
            Some(chosen) => found.push(Schedule::of(link, chosen, &asked)),
            None => {
                fruitless.push(link);
                let here = Fruitless {
                    port,
                    link,
                    pis: &demands.pis,
                    asked: &asked,
                    candidates: &all,
                    grain_ns: demands.cycles.grain_ns,
                };
                unmet.extend(here.causes());
            }
        }
    }
    if unmet.is_empty() && found.len() == demands.ports.len() {
        Ok(found)
    } else {
        Err(unmet)
    }
}

/// What was found for a port.
#[derive(Debug, Clone, PartialEq)]
struct Schedule {
    link: Link,
    cycle_ns: u64,
    /// In the order of the demands.
    phases_ns: Vec<u64>,
    /// Frames that wait at most, stalls counted.
    waiting: Vec<u64>,
}

impl Schedule {
    fn of(link: Link, chosen: &Candidate, asked: &[Asked]) -> Self {
        let phases_ns: Vec<u64> = chosen.phases_ns.iter().copied().flatten().collect();
        let waiting = phases_ns.iter().zip(asked).map(|(phase_ns, asked)| {
            let own = link.bounds(chosen.cycle_ns, *phase_ns, asked.largest);
            own.and_then(|own| asked.waiting(&own)).unwrap_or(0)
        });
        Self {
            link,
            cycle_ns: chosen.cycle_ns,
            waiting: waiting.collect(),
            phases_ns,
        }
    }

    /// Time of nobody.
    fn spare_ns(&self) -> u64 {
        self.cycle_ns - self.phases_ns.iter().sum::<u64>()
    }
}

/// Frames that wait, and the ring that holds them, of each PI: on whatever port most do. Where nothing is said of
/// stalls, a ring has room for what comes in [`STALL_NS`] more, as far as there are such rings.
fn queues(demands: &Demands, schedules: &[Schedule]) -> Vec<(u64, u64)> {
    let queue = |(pi, demand): (usize, &PiDemand)| {
        let of = |schedule: &Schedule| schedule.waiting.get(pi).copied().unwrap_or(0);
        let waiting = schedules.iter().map(of).max().unwrap_or(0);
        let meanwhile = match demands.stall_ns {
            Some(_) => 0.0,
            None => demand.frames_of(demand.sizes.smallest()) * STALL_NS / 1e9,
        };
        let ring = (waiting + meanwhile.ceil() as u64).next_power_of_two();
        (waiting, ring.clamp(RING_LEAST, search::RING_MOST))
    };
    demands.pis.iter().enumerate().map(queue).collect()
}

/// Loads and where they run.
#[derive(Debug, Clone, Default)]
struct Cpus {
    /// By PI, in the order of the demands; empty: nothing was measured.
    guests: Vec<processor::Load>,
    worker: Option<processor::Load>,
    /// The worker's.
    worker_on: Vec<usize>,
    /// Those that guests are dealt out to.
    guests_on: Vec<usize>,
    /// Places of the demands in the order of node.toml.
    order: Vec<usize>,
}

impl Cpus {
    /// The CPU of the PI that comes `place`-th in node.toml.
    fn of_place(&self, place: usize) -> Option<usize> {
        self.guests_on
            .get(place.checked_rem(self.guests_on.len())?)
            .copied()
    }

    /// Guests take turns on a CPU, with each other or with the worker.
    fn shared(&self) -> bool {
        self.guests_on == self.worker_on || self.guests.len() > self.guests_on.len()
    }
}

fn cpu(demands: &Demands, measured: Option<(&str, &Results)>) -> Result<Cpus, Vec<Unmet>> {
    let mut cpus = Cpus {
        order: (0..demands.pis.len()).collect(),
        ..Cpus::default()
    };
    match demands.cpus.as_slice() {
        [] => {}
        [only] => (cpus.worker_on, cpus.guests_on) = (vec![*only], vec![*only]),
        [first, others @ ..] => (cpus.worker_on, cpus.guests_on) = (vec![*first], others.to_vec()),
    }
    let Some((_, results)) = measured else {
        let capped = demands.pis.iter().filter(|pi| pi.cpu_cap.is_some());
        let mut keys: Vec<String> = capped.map(|pi| format!("pi.{}.cpu_cap", pi.name)).collect();
        keys.extend(demands.worker_cap.map(|_| "node.worker_cap".to_owned()));
        let unmet = |key: String| {
            let what = "is a share of a CPU, and nothing was measured to reckon with; needed: --fits results.json";
            Unmet::new(Constraint::CpuFit, key, what.to_owned())
        };
        return match keys.is_empty() {
            true => Ok(cpus),
            false => Err(keys.into_iter().map(unmet).collect()),
        };
    };
    let mut unmet = Vec::new();
    for pi in &demands.pis {
        match processor::guest(results, demands, pi) {
            Ok(load) => {
                unmet.extend(capped(
                    load,
                    pi.cpu_cap,
                    &format!("pi.{}.cpu_cap", pi.name),
                    &pi.name,
                ));
                cpus.guests.push(load);
            }
            Err(problem) => unmet.push(problem),
        }
    }
    match processor::host(results, demands) {
        Ok(load) => {
            let worker = load
                .and_then(|load| capped(load, demands.worker_cap, "node.worker_cap", "the worker"));
            unmet.extend(worker);
            cpus.worker = load;
        }
        Err(problem) => unmet.push(problem),
    }
    if !unmet.is_empty() {
        return Err(unmet);
    }
    let percent: Vec<f64> = cpus.guests.iter().map(|load| load.percent).collect();
    cpus.order = processor::deal(&percent, cpus.guests_on.len());
    let full = full(demands, &cpus);
    if full.is_empty() { Ok(cpus) } else { Err(full) }
}

/// More than is allowed, or than a CPU has.
fn capped(load: processor::Load, cap: Option<f64>, at: &str, whose: &str) -> Option<Unmet> {
    let allowed = cap.unwrap_or(100.0);
    let short = load.percent - allowed;
    (short > 0.0).then(|| {
        let what = format!(
            "{whose} would take {:.1} % of a CPU at {:.3} thousand frames a second, and {allowed:.0} % are allowed: \
             short by {short:.1} %",
            load.percent, load.kfps
        );
        Unmet::new(Constraint::CpuCap, at, what).by(short, "% of a CPU")
    })
}

/// CPUs on which more is pinned than they have.
fn full(demands: &Demands, cpus: &Cpus) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    for (index, cpu) in cpus.guests_on.iter().enumerate() {
        let here = cpus.order.iter().enumerate().filter_map(|(place, pi)| {
            let here = place % cpus.guests_on.len() == index;
            let name = &demands.pis.get(*pi)?.name;
            here.then_some((name.as_str(), cpus.guests.get(*pi)?.percent))
        });
        let worker = cpus.worker.filter(|_| cpus.worker_on.contains(cpu));
        let all: Vec<(&str, f64)> = worker
            .map(|load| ("the worker", load.percent))
            .into_iter()
            .chain(here)
            .collect();
        let sum: f64 = all.iter().map(|(_, percent)| percent).sum();
        if sum > 100.0 {
            let each: Vec<String> = all
                .iter()
                .map(|(name, p)| format!("{name} {p:.1} %"))
                .collect();
            let short = sum - 100.0;
            let what = format!(
                "CPU {cpu} would be {sum:.1} % busy ({}): short by {short:.1} %; needed: more CPUs, or less of the rates",
                each.join(", ")
            );
            unmet.push(Unmet::new(Constraint::CpuShare, "node.cpus", what).by(short, "% of a CPU"));
        }
    }
    unmet
}

#[cfg(test)]
#[path = "provision_tests.rs"]
mod tests;
