//! What a configuration asks of this machine before it is run on it.
//!
//! A configuration is right or wrong by itself ([`crate::config`]) and may be checked on another
//! machine; that this one lacks a CPU is found out here, before guests are booted.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::anyhow;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::config::{Cpus, NodeConfig};

/// Refuses a configuration that names CPUs which threads of this process cannot be pinned to.
///
/// # Errors
///
/// The keys, the CPUs, and what is allowed.
pub(super) fn check(file: &Path, config: &NodeConfig) -> anyhow::Result<()> {
    let missing = missing(&config.cpus, &usable_cpus());
    if missing.is_empty() {
        return Ok(());
    }
    Err(anyhow!("{}: {}", file.display(), missing.join("; ")))
}

/// One text for each key that names CPUs out of `usable`.
fn missing(cpus: &Cpus, usable: &BTreeSet<usize>) -> Vec<String> {
    let keys = [("workers", &cpus.workers), ("guests", &cpus.guests)];
    keys.into_iter()
        .filter_map(|(key, named)| {
            let lacking: BTreeSet<usize> = named
                .iter()
                .copied()
                .filter(|cpu| !usable.contains(cpu))
                .collect();
            (!lacking.is_empty()).then(|| {
                format!(
                    "node.cpus.{key}: CPU {} cannot be used on this machine; allowed here: {}",
                    ranges(&lacking),
                    ranges(usable)
                )
            })
        })
        .collect()
}

/// The CPUs that are online and that the process's cpuset contains. What this process inherited as
/// its affinity is no limit to its threads (sched_setaffinity(2)), so a thread asks for all CPUs and
/// looks what it was given.
fn usable_cpus() -> BTreeSet<usize> {
    let asking = || {
        let mut all = CpuSet::new();
        (0..CpuSet::MAX_CPU).for_each(|cpu| all.set(cpu));
        // Where even that is refused, what was inherited is all there is.
        let _ = sched_setaffinity(None, &all);
        sched_getaffinity(None)
    };
    let given = std::thread::scope(|scope| scope.spawn(asking).join());
    match given {
        Ok(Ok(given)) => (0..CpuSet::MAX_CPU)
            .filter(|&cpu| given.is_set(cpu))
            .collect(),
        // The kernel would not say; pinning itself then tells.
        _ => (0..CpuSet::MAX_CPU).collect(),
    }
}

/// `0-3, 6`.
fn ranges(cpus: &BTreeSet<usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => runs.push((cpu, cpu)),
        }
    }
    let text = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_that_are_not_there_are_named_by_their_key() {
        let usable = BTreeSet::from([0, 1, 2, 5]);
        let cpus = |workers: &[usize], guests: &[usize]| Cpus {
            workers: workers.to_vec(),
            guests: guests.to_vec(),
        };
        assert!(missing(&cpus(&[0], &[1, 5]), &usable).is_empty());
        assert!(missing(&Cpus::default(), &usable).is_empty());
        assert_eq!(
            missing(&cpus(&[77], &[1, 3, 4, 9]), &usable),
            [
                "node.cpus.workers: CPU 77 cannot be used on this machine; allowed here: 0-2, 5",
                "node.cpus.guests: CPU 3-4, 9 cannot be used on this machine; allowed here: 0-2, 5",
            ]
        );
    }

    #[test]
    fn this_thread_runs_on_a_cpu_that_can_be_used() {
        let usable = usable_cpus();
        let running = rustix::thread::sched_getcpu();
        assert!(usable.contains(&running), "{running} of {usable:?}");
    }
}
