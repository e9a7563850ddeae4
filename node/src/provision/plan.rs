//! What comes out: the configuration and what is predicted of it. The figures are those of `check`.

use indexmap::IndexMap;
use pinode_scheduler::bounds;
use serde::Serialize;

use super::demands::{Demands, PiDemand};
use super::{Cpus, Schedule};
use crate::check::Report;
use crate::config::{Isolation, NodeConfig};

/// What was found, before `check` has judged it.
pub(super) struct Sketch<'a> {
    pub demands: &'a Demands,
    /// By PI, in the order of the demands, as all below.
    pub own_ns: Vec<Option<u64>>,
    pub cpu: Cpus,
    /// Frames that wait, and the ring.
    pub queues: Vec<(u64, u64)>,
    /// By port.
    pub schedules: Vec<Schedule>,
    /// The file of the results.
    pub measured: Option<&'a str>,
}

/// The document of `pinode provision --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// `true`.
    pub ok: bool,
    /// The configuration as a file.
    pub node_toml: String,
    /// How guest functions run.
    pub isolation: Isolation,
    /// Results that CPU time and the node's own latency are taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<String>,
    /// In the order of the demands.
    pub ports: Vec<PortPlan>,
    /// By name, in the order of node.toml.
    pub pi: IndexMap<String, PiPlan>,
    /// What moves the frames.
    pub worker: WorkerPlan,
    /// What should be known, one sentence each.
    pub notes: Vec<String>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PortPlan {
    /// Its name.
    pub name: String,
    /// C.
    pub capacity_bps: u64,
    /// g.
    pub guard_ns: u64,
    /// T_c.
    pub cycle_ns: u64,
    /// Time of the cycle that nobody has.
    pub spare_ns: u64,
    /// In the order of the cycle.
    pub phases: Vec<PhasePlan>,
    /// By name of the PI.
    pub pi: IndexMap<String, Predicted>,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhasePlan {
    /// Whose; `none`: nobody's.
    pub pi: String,
    /// Its length.
    pub duration_ns: u64,
}

/// What a PI has on a port.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Predicted {
    /// R, on the wire.
    pub guaranteed_bps: f64,
    /// The same as frames of the smallest size, whatever others the PI sends.
    pub guaranteed_fps: f64,
    /// Most frames of the smallest size in a second.
    pub ceiling_fps: f64,
    /// Goodput of those.
    pub ceiling_bps: f64,
    /// Bound of the flow's delay by the schedule.
    pub delay_ns: f64,
    /// The same and what the node itself was measured to add.
    pub with_own_ns: f64,
    /// Most frames of the smallest size that wait for the phase.
    pub backlog_frames: u64,
}

/// A PI.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PiPlan {
    /// As demanded: rate and sizes.
    pub demand: String,
    /// The same in frames of the smallest size, as `pi.NAME.demand` has it.
    pub rate_bps: u64,
    /// Octets.
    pub burst_bytes: u64,
    /// Octets with FCS.
    pub size: u32,
    /// What the schedule has to hold of it: the demand less the node's own latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<u64>,
    /// Octets with FCS.
    pub largest_frame: u32,
    /// `pi.NAME.max_sdu`.
    pub max_sdu: u32,
    /// Descriptors of a ring.
    pub queue: u64,
    /// What the node itself was measured to take; none: it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_latency_ns: Option<u64>,
    /// Its guest's; none: nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuPlan>,
    /// CPU that its guest's first vCPU is pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<usize>,
    /// `pi.NAME.cpu.weight`, where it shares that CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
}

/// CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CpuPlan {
    /// Of one CPU.
    pub percent: f64,
    /// Thousands of frames a second.
    pub kfps: f64,
    /// R-square of the worst fit that was used.
    pub r2: f64,
}

/// The worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerPlan {
    /// None: nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuPlan>,
    /// CPU that it is pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<usize>,
}

impl From<super::processor::Load> for CpuPlan {
    fn from(load: super::processor::Load) -> Self {
        Self {
            percent: load.percent,
            kfps: load.kfps,
            r2: load.r2,
        }
    }
}

impl Sketch<'_> {
    /// PIs as node.toml has them: place there, place in the demands, the demand.
    pub(super) fn ordered(&self) -> impl Iterator<Item = (usize, usize, &PiDemand)> {
        let found =
            |(place, index): (usize, &usize)| Some((place, *index, self.demands.pis.get(*index)?));
        self.cpu.order.iter().enumerate().filter_map(found)
    }

    /// What the schedule has to hold of a PI's delay.
    pub(super) fn delay_ns(&self, index: usize) -> Option<u64> {
        let own_ns = self.own_ns.get(index).copied().flatten().unwrap_or(0);
        let delay_ns = self.demands.pis.get(index)?.delay_ns?;
        Some(delay_ns.saturating_sub(own_ns))
    }

    /// A guest's weight on a CPU that it shares: as the load that is predicted, 100 (that of the node's own threads)
    /// for the largest. None: it has a CPU to itself, or nothing was measured.
    pub(super) fn weight(&self, index: usize) -> Option<u16> {
        let percent = self.cpu.guests.get(index)?.percent;
        let loads = self.cpu.guests.iter().map(|load| load.percent);
        let most = loads.fold(0.0, f64::max);
        let several = self.cpu.guests.len() > 1 && self.cpu.shared();
        (several && most > 0.0).then(|| (100.0 * percent / most).ceil().clamp(1.0, 100.0) as u16)
    }

    /// With the figures of `report`, which is of `config`, which is what this sketch says.
    pub(super) fn plan(&self, config: &NodeConfig, report: &Report) -> Plan {
        let ports = config.ports.iter().zip(&report.ports).zip(&self.schedules);
        let ports = ports.map(|((port, judged), schedule)| {
            let cycle = port.schedule(&config.needs()).ok();
            let mut pi = IndexMap::new();
            for (place, index, demand) in self.ordered() {
                let slot = u8::try_from(place).unwrap_or(u8::MAX);
                let size = demand.sizes.smallest();
                let judged = judged.pi.get(&demand.name);
                let own = judged.zip(judged.and_then(|judged| judged.demand.as_ref()));
                let sized = cycle
                    .as_ref()
                    .and_then(|cycle| bounds::of_size(cycle, slot, size));
                let (Some((judged, held)), Some(sized)) = (own, sized) else {
                    continue;
                };
                let frame_bits = 8.0 * f64::from(size + 20);
                let own_ns = self.own_ns.get(index).copied().flatten().unwrap_or(0);
                let predicted = Predicted {
                    guaranteed_bps: judged.guaranteed_bps,
                    guaranteed_fps: judged.guaranteed_bps / frame_bits,
                    ceiling_fps: sized.ceiling_fps,
                    ceiling_bps: sized.ceiling_bps,
                    delay_ns: held.delay_ns,
                    with_own_ns: held.delay_ns + own_ns as f64,
                    backlog_frames: held.backlog_frames,
                };
                pi.insert(demand.name.clone(), predicted);
            }
            let phase = |phase: crate::status::PhaseEntry| PhasePlan {
                pi: phase.pi,
                duration_ns: phase.duration_ns,
            };
            PortPlan {
                name: port.name.clone(),
                capacity_bps: port.capacity_bps,
                guard_ns: port.guard_ns,
                cycle_ns: schedule.cycle_ns,
                spare_ns: schedule.spare_ns(),
                phases: config
                    .phase_entries(&port.phases)
                    .into_iter()
                    .map(phase)
                    .collect(),
                pi,
            }
        });
        Plan {
            ok: true,
            node_toml: String::new(),
            isolation: self.demands.isolation,
            measured: self.measured.map(str::to_owned),
            ports: ports.collect(),
            pi: self.pis(),
            worker: WorkerPlan {
                cpu: self.cpu.worker.map(CpuPlan::from),
                pinned: self.cpu.worker_on.first().copied(),
            },
            notes: self.notes(),
        }
    }

    fn pis(&self) -> IndexMap<String, PiPlan> {
        let plan = |(place, index, pi): (usize, usize, &PiDemand)| {
            let configured = pi.as_configured();
            let plan = PiPlan {
                demand: format!("{} in frames of {}", pi.rate, pi.sizes),
                rate_bps: configured.rate_bps,
                burst_bytes: configured.burst,
                size: configured.size,
                delay_ns: self.delay_ns(index),
                largest_frame: pi.sizes.largest(),
                max_sdu: pi.max_sdu(),
                queue: self.queues.get(index).map_or(0, |(_, queue)| *queue),
                own_latency_ns: self.own_ns.get(index).copied().flatten(),
                cpu: self.cpu.guests.get(index).copied().map(CpuPlan::from),
                pinned: self.cpu.of_place(place),
                weight: self.weight(index),
            };
            (pi.name.clone(), plan)
        };
        self.ordered().map(plan).collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match self.measured {
            None => notes.push(
                "Nothing was measured (--fits): CPU time and what the node itself takes of a delay are not known."
                    .to_owned(),
            ),
            Some(file) => {
                if self.cpu.worker.is_none() {
                    notes.push(format!(
                        "{file} has no fit of the host: the worker's CPU time is not known."
                    ));
                }
                let silent = self.demands.pis.iter().zip(&self.own_ns);
                for (pi, _) in silent.filter(|(_, own_ns)| own_ns.is_none()) {
                    notes.push(format!(
                        "{file} has no lossless trial with frames of {} of PI {}: what the node itself takes of its \
                         delay is not known.",
                        pi.sizes, pi.name
                    ));
                }
            }
        }
        for port in &self.demands.ports {
            if !port.launch_time && port.guard_ns < 2_000 {
                notes.push(format!(
                    "Port {} has no launch time: frames may leave later than they were to, and a guard of 2us or \
                     more is there for that.",
                    port.name
                ));
            }
        }
        notes
    }
}
