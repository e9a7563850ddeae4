//! What reports say of the machine they were measured on, and how a node is spread over its CPUs.

use std::fs;

use pinode_measure::report::HostFacts;

use crate::config::Cpus;

/// The machine. `kvm` is the flavour, or why there is none.
pub fn host(kvm: Option<&str>) -> HostFacts {
    HostFacts {
        cpu: cpu_model(),
        cores: u32::try_from(cpus().len()).unwrap_or(u32::MAX),
        kvm: kvm.unwrap_or("not used: guests run as threads").to_owned(),
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
    }
}

/// The CPUs that this process may run on.
pub fn cpus() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else {
        return Vec::new();
    };
    (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|&cpu| set.is_set(cpu))
        .collect()
}

/// Gives the worker the first CPU and the guests the others, where there are two and the user has said nothing.
pub fn spread(cpus: &mut Cpus) {
    if !cpus.workers.is_empty() || !cpus.guests.is_empty() {
        return;
    }
    if let [worker, guests @ ..] = &self::cpus()[..]
        && !guests.is_empty()
    {
        cpus.workers = vec![*worker];
        cpus.guests = guests.to_vec();
    }
}

/// Now, in UTC, as people read it.
pub fn now_utc() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}

/// Now, in UTC, as programs read it.
pub fn now_rfc3339() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || "unknown CPU".to_owned(),
        |rest| rest.trim_start_matches([' ', '\t', ':']).to_owned(),
    )
}
