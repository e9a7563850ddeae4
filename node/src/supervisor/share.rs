//! What bounds a guest's share of the CPUs (`pi.NAME.cpu`): put in force on its threads by the kernel's
//! own means, and read back from the kernel.
//!
//! Once, between a guest's launch and its configuration: a guest forwards under its bounds or not at
//! all. Must never touch a thread that is no guest's.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::statfs;
use rustix::thread::{
    CapabilitySet, CpuSet, Pid, capabilities, sched_getaffinity, sched_setaffinity,
};
use thiserror::Error;

use super::unsafe_sched;
use super::weight;
use crate::config::{CpuClaim, CpuShare};
use crate::status::{CpuBudget, GuestCpu, SchedPolicy};

/// statfs(2).
const CGROUP_V1: i64 = 0x0027_e0eb;
const CGROUP_V2: i64 = 0x6367_7270;

/// Why a guest's share cannot be put in force. The text begins with the key below `pi.NAME.cpu`.
#[derive(Debug, Error)]
pub enum ShareError {
    /// A nice level below the node's own.
    #[error(
        "weight: {weight} is nice {nice}, which the kernel refuses ({source}); needed: the capability cap_sys_nice \
         (root, or setcap), or a limit RLIMIT_NICE that allows it"
    )]
    Weight {
        /// As configured.
        weight: u16,
        /// What stands for it.
        nice: i8,
        /// The kernel's answer.
        source: io::Error,
    },
    /// SCHED_DEADLINE is a privilege.
    #[error(
        "deadline: the kernel refuses SCHED_DEADLINE ({source}); needed: the capability cap_sys_nice (root, or setcap)"
    )]
    Privilege {
        /// The kernel's answer.
        source: io::Error,
    },
    /// Admission is to whole root domains.
    #[error(
        "deadline: the kernel refuses SCHED_DEADLINE to a thread that may use CPUs {cpus:?} alone ({source}): it admits \
         threads that may use all CPUs of their root domain; allowed: node.cpus.guests left out or naming all CPUs, or \
         the key cgroup beside deadline, naming a cpuset partition of those CPUs"
    )]
    Affinity {
        /// What the thread may use.
        cpus: Vec<usize>,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The reservations together would be too much.
    #[error(
        "deadline: the kernel has not so much left ({source}): all deadlines together may take sched_rt_runtime_us of \
         each sched_rt_period_us ({limit}) of each CPU of a root domain, and each of this guest's {threads} threads asks \
         for its runtime; allowed: less runtime, a longer period, fewer vCPUs"
    )]
    Full {
        /// Threads of the guest.
        threads: usize,
        /// The two settings of the kernel, microseconds.
        limit: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel's own bounds of a period.
    #[error(
        "deadline: the kernel refuses it ({source}); allowed: a period of {least} us to {most} us \
         (sched_deadline_period_min_us, sched_deadline_period_max_us)"
    )]
    Period {
        /// The kernel's setting, microseconds.
        least: String,
        /// The kernel's setting, microseconds.
        most: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Not there, or no cgroup.
    #[error("cgroup: {path} is no cgroup ({why}); needed: one that exists", path = path.display())]
    NoCgroup {
        /// As configured.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// It is one, and does not take the threads.
    #[error("cgroup: {path} does not take the guest's threads ({source}); needed: {needed}", path = path.display())]
    Cgroup {
        /// As configured.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
        /// What helps.
        needed: &'static str,
    },
    /// Another answer of the kernel.
    #[error("{key}: the kernel refuses it: {source}")]
    Kernel {
        /// The key below `pi.NAME.cpu`.
        key: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Puts `share` in force on the `threads` of a guest. `cpus`: those its threads may use, where they are
/// pinned; a deadline binds to all of them, as the kernel admits no thread to a single one.
///
/// # Errors
///
/// What the kernel refuses. Then some threads may have their share already: the guest has to go.
pub fn apply(share: &CpuShare, cpus: &[usize], threads: &[Pid]) -> Result<(), ShareError> {
    let deadline = matches!(share.claim, Some(CpuClaim::Deadline { .. }));
    if deadline && !cpus.is_empty() {
        bind(cpus, threads)?;
    }
    // First, as a cpuset of its own may be what makes a deadline admissible.
    if let Some(path) = &share.cgroup {
        join(path, threads)?;
    }
    match share.claim {
        None => Ok(()),
        Some(CpuClaim::Weight(weight)) => weigh(weight, threads),
        Some(CpuClaim::Deadline {
            runtime_ns,
            period_ns,
        }) => reserve(runtime_ns, period_ns, threads),
    }
}

/// What the kernel says is in force on the first of `threads`; none if it is gone. All threads of a guest
/// are given the same.
#[must_use]
pub fn in_force(share: &CpuShare, threads: &[Pid]) -> Option<GuestCpu> {
    let thread = *threads.first()?;
    let found = unsafe_sched::get(thread).ok()?;
    let nice = i8::try_from(found.sched_nice).unwrap_or(0);
    let policy = SchedPolicy::from_raw(found.sched_policy);
    let weighs = matches!(policy, SchedPolicy::Other | SchedPolicy::Batch);
    let cgroup = share.cgroup.as_ref().filter(|path| has(path, thread));
    Some(GuestCpu {
        policy,
        nice,
        weight: weighs.then(|| weight::of_nice(nice)),
        deadline: (policy == SchedPolicy::Deadline).then_some(CpuBudget {
            runtime_ns: found.sched_runtime,
            period_ns: found.sched_period,
        }),
        cgroup: cgroup.map(|path| path.display().to_string()),
        quota: cgroup.and_then(|path| quota(path)),
    })
}

/// A guest may end before it is bounded. That is its own failure, which is told as such.
fn unless_gone(answer: io::Result<()>) -> io::Result<()> {
    answer.or_else(|error| match error.raw_os_error() {
        Some(libc::ESRCH) => Ok(()),
        _ => Err(error),
    })
}

/// Lets each of `threads` use all of `cpus`.
fn bind(cpus: &[usize], threads: &[Pid]) -> Result<(), ShareError> {
    let mut set = CpuSet::new();
    for &cpu in cpus.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU) {
        set.set(cpu);
    }
    for &thread in threads {
        let bound = sched_setaffinity(Some(thread), &set).map_err(io::Error::from);
        unless_gone(bound).map_err(|source| ShareError::Kernel {
            key: "deadline",
            source,
        })?;
    }
    Ok(())
}

fn weigh(weight: u16, threads: &[Pid]) -> Result<(), ShareError> {
    let nice = weight::nice_of(weight);
    let mut attributes = unsafe_sched::blank();
    attributes.sched_policy = SchedPolicy::Other.raw();
    attributes.sched_nice = i32::from(nice);
    for &thread in threads {
        let set = unless_gone(unsafe_sched::set(thread, &attributes));
        set.map_err(|source| match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => ShareError::Weight {
                weight,
                nice,
                source,
            },
            _ => ShareError::Kernel {
                key: "weight",
                source,
            },
        })?;
    }
    Ok(())
}

fn reserve(runtime_ns: u64, period_ns: u64, threads: &[Pid]) -> Result<(), ShareError> {
    let mut attributes = unsafe_sched::blank();
    attributes.sched_policy = SchedPolicy::Deadline.raw();
    // KVM may start a thread of its own out of a vCPU's, which a thread with a deadline may not.
    attributes.sched_flags = libc::SCHED_FLAG_RESET_ON_FORK.unsigned_abs().into();
    attributes.sched_runtime = runtime_ns;
    attributes.sched_deadline = period_ns;
    attributes.sched_period = period_ns;
    for &thread in threads {
        unless_gone(unsafe_sched::set(thread, &attributes))
            .map_err(|source| no_deadline(source, thread, threads.len()))?;
    }
    Ok(())
}

fn no_deadline(source: io::Error, thread: Pid, threads: usize) -> ShareError {
    let sysctl = |name: &str| {
        let found = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
        found.map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
    };
    match source.raw_os_error() {
        Some(libc::EPERM) if may_set() => ShareError::Affinity {
            cpus: affinity(thread),
            source,
        },
        Some(libc::EPERM) => ShareError::Privilege { source },
        Some(libc::EBUSY) => ShareError::Full {
            threads,
            limit: format!(
                "{} of {}",
                sysctl("sched_rt_runtime_us"),
                sysctl("sched_rt_period_us")
            ),
            source,
        },
        Some(libc::EINVAL) => ShareError::Period {
            least: sysctl("sched_deadline_period_min_us"),
            most: sysctl("sched_deadline_period_max_us"),
            source,
        },
        _ => ShareError::Kernel {
            key: "deadline",
            source,
        },
    }
}

/// Whether this process may use SCHED_DEADLINE at all.
fn may_set() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_NICE))
}

fn affinity(thread: Pid) -> Vec<usize> {
    let set = sched_getaffinity(Some(thread)).unwrap_or_default();
    (0..CpuSet::MAX_CPU)
        .filter(|&cpu| set.is_set(cpu))
        .collect()
}

/// Which version of cgroups the folder `path` is of, by the file that lists its threads.
fn list_of(path: &Path) -> Result<&'static str, String> {
    let found = statfs(path).map_err(|error| io::Error::from(error).to_string())?;
    match found.f_type {
        CGROUP_V2 => Ok("cgroup.threads"),
        CGROUP_V1 => Ok("tasks"),
        _ => Err("on another file system".to_owned()),
    }
}

fn join(path: &Path, threads: &[Pid]) -> Result<(), ShareError> {
    let list = list_of(path).map_err(|why| ShareError::NoCgroup {
        path: path.to_owned(),
        why,
    })?;
    let refused = |source: io::Error| ShareError::Cgroup {
        path: path.to_owned(),
        needed: needed(list, &source),
        source,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .open(path.join(list))
        .map_err(refused)?;
    for &thread in threads {
        // One thread a call of write(2).
        let id = thread.as_raw_nonzero().to_string();
        unless_gone(file.write_all(id.as_bytes())).map_err(refused)?;
    }
    Ok(())
}

fn needed(list: &str, error: &io::Error) -> &'static str {
    match (list, error.raw_os_error()) {
        (_, Some(libc::EACCES | libc::EPERM)) => {
            "the right to write its list of threads, with version 2 also cgroup.procs of the cgroup above"
        }
        ("cgroup.threads", Some(libc::EOPNOTSUPP)) => {
            "a threaded cgroup (cgroup.type) whose parent is the cgroup that the node itself runs in"
        }
        ("cgroup.threads", Some(libc::EBUSY)) => {
            "a cgroup without controllers in its own cgroup.subtree_control"
        }
        (_, Some(libc::ENOSPC)) => "CPUs and memory nodes in its cpuset",
        _ => "a cgroup that this process may move threads into",
    }
}

/// Whether the kernel lists `thread` in the cgroup.
fn has(path: &Path, thread: Pid) -> bool {
    let list = list_of(path)
        .ok()
        .and_then(|list| fs::read_to_string(path.join(list)).ok());
    let id = thread.as_raw_nonzero().to_string();
    list.is_some_and(|list| list.lines().any(|line| line == id))
}

/// The quota of the cgroup itself; those above it may leave less.
fn quota(path: &Path) -> Option<CpuBudget> {
    let read = |name: &str| fs::read_to_string(path.join(name)).ok();
    let words = match read("cpu.max") {
        Some(both) => both,
        None => format!(
            "{} {}",
            read("cpu.cfs_quota_us")?,
            read("cpu.cfs_period_us")?
        ),
    };
    // "max" and -1 are no quota.
    let mut numbers = words
        .split_whitespace()
        .map(|word| word.parse::<u64>().ok());
    let (runtime_us, period_us) = (numbers.next()??, numbers.next()??);
    Some(CpuBudget {
        runtime_ns: runtime_us.checked_mul(1000)?,
        period_ns: period_us.checked_mul(1000)?,
    })
}
