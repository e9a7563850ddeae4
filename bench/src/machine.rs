//! What a benchmark ran on, as every table says it.

use serde::Serialize;

/// The machine and what runs it.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// CPU model.
    pub cpu: String,
    /// CPUs that this process may run on.
    pub cores: usize,
    /// KVM flavour, or why there is none.
    pub kvm: String,
    /// Kernel release.
    pub kernel: String,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        let kvm = match pinode_vmm::KvmHost::open() {
            Ok(host) => host.flavour().to_owned(),
            Err(error) => format!("none: {error}"),
        };
        Self {
            cpu: cpu_model(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kvm,
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            cpu,
            cores,
            kvm,
            kernel,
        } = self;
        write!(f, "{cores} cores ({cpu}), KVM {kvm}, Linux {kernel}")
    }
}

fn cpu_model(cpuinfo: &str) -> String {
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || "unknown CPU".to_owned(),
        |rest| rest.trim_start_matches([' ', '\t', ':']).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_out_of_cpuinfo() {
        let info = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nstepping\t: 2\n";
        assert_eq!(cpu_model(info), "Some CPU @ 2 GHz");
        assert_eq!(cpu_model(""), "unknown CPU");
    }
}
