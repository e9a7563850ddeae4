//! What the demo says of the machine it ran on.

use std::fs;

use pinode_measure::report::HostFacts;

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

/// Now, in UTC, as people read it.
pub fn now_utc() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%d %H:%M:%S UTC")
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
