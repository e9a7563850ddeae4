//! `[pi.NAME.cpu]`: what bounds the share of the CPUs that a guest's threads get.
//!
//! A configuration is right or wrong by itself: what the kernel says to it is found out when a guest
//! is launched (`supervisor/share.rs`). Nothing here may look at the machine.

use std::path::{Component, PathBuf};

use super::reader::{Item, Section};
use super::unit::Nanoseconds;

/// Weights of cgroup v2: 100 is what a thread has that nothing was said of.
const WEIGHT_LEAST: u16 = 1;
const WEIGHT_MOST: u16 = 10_000;
/// The kernel's grain of SCHED_DEADLINE (2^10 ns): less is refused as no runtime at all.
const RUNTIME_LEAST_NS: u64 = 1024;
/// `sched_deadline_period_min_us` of a kernel whose operator has not changed it.
const PERIOD_LEAST_NS: u64 = 100_000;
/// A guest that has used up its runtime is silent for the rest of the period. One that is silent for 1.4 s
/// is taken for hung (`supervisor/lifecycle.rs`), so a period has to be shorter.
const PERIOD_MOST_NS: u64 = 1_000_000_000;

/// What bounds the share of the CPUs that each vCPU thread of a guest (or its one thread) gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuShare {
    /// How it competes; none: as the node's own threads do.
    pub claim: Option<CpuClaim>,
    /// An absolute path: the operator's cgroup that the threads are moved into.
    pub cgroup: Option<PathBuf>,
}

/// How a thread competes for a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuClaim {
    /// Its share beside others that want the CPU too: 1 to 10000, as cgroup v2's `cpu.weight`.
    Weight(u16),
    /// SCHED_DEADLINE: so much in each period is its own, and no more.
    Deadline {
        /// Nanoseconds, 1024 at least and at most the period.
        runtime_ns: u64,
        /// Nanoseconds, 0.1 ms to 1 s.
        period_ns: u64,
    },
}

/// Reads the table.
pub(super) fn read(mut section: Section<'_, '_>) -> Option<CpuShare> {
    let weight = section.optional("weight");
    let deadline = section.optional("deadline");
    let cgroup = section.optional("cgroup");
    if let (Some(weight), Some(_)) = (&weight, &deadline) {
        weight.problem(
            "is not allowed beside deadline, which comes before all weights; allowed: one of the two",
        );
    }
    let claim = match (weight, deadline) {
        (_, Some(item)) => item.section().and_then(read_deadline).map(Some),
        (Some(item), None) => read_weight(&item).map(Some),
        (None, None) => Some(None),
    };
    let cgroup = match cgroup {
        Some(item) => read_cgroup(&item).map(Some),
        None => Some(None),
    };
    section.finish();
    Some(CpuShare {
        claim: claim?,
        cgroup: cgroup?,
    })
}

fn read_weight(item: &Item<'_, '_>) -> Option<CpuClaim> {
    let weight = item.integer(WEIGHT_LEAST.into()..=WEIGHT_MOST.into())?;
    u16::try_from(weight).ok().map(CpuClaim::Weight)
}

fn read_deadline(mut section: Section<'_, '_>) -> Option<CpuClaim> {
    let runtime = section.required("runtime", "a duration, such as \"2ms\"");
    let period = section.required("period", "a duration, such as \"10ms\"");
    let period_ns = period.and_then(|item| {
        let most = Nanoseconds(PERIOD_MOST_NS);
        read_within(&item, Nanoseconds(PERIOD_LEAST_NS), most, "")
    });
    let runtime_ns = runtime.and_then(|item| {
        let most = Nanoseconds(period_ns.unwrap_or(PERIOD_MOST_NS));
        let least = Nanoseconds(RUNTIME_LEAST_NS);
        read_within(&item, least, most, ", the period")
    });
    section.finish();
    Some(CpuClaim::Deadline {
        runtime_ns: runtime_ns?,
        period_ns: period_ns?,
    })
}

/// A duration from `least` to `most`, of which `why` says what it is.
fn read_within(
    item: &Item<'_, '_>,
    least: Nanoseconds,
    most: Nanoseconds,
    why: &str,
) -> Option<u64> {
    let found: Nanoseconds = item.parsed()?;
    if (least..=most).contains(&found) {
        return Some(found.0);
    }
    item.problem(format!(
        "{found} is not allowed; allowed: {least} to {most}{why}"
    ));
    None
}

fn read_cgroup(item: &Item<'_, '_>) -> Option<PathBuf> {
    let text = item.str()?;
    let path = PathBuf::from(text);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if path.is_absolute() && path.components().all(plain) {
        return Some(path);
    }
    item.problem(format!(
        "{text:?} is not allowed; allowed: the absolute path of a cgroup without \"..\", such as \
         \"/sys/fs/cgroup/pinode/can\""
    ));
    None
}
