//! Whether this CPU has the instructions that the program was built for, said before one is missed.

use anyhow::anyhow;

/// What x86-64-v3 is (x86-64 psABI, 3.1.1), as the kernel names it.
const V3: [&str; 9] = [
    "abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave",
];

/// Refuses a CPU that lacks instructions of this build.
///
/// # Errors
///
/// Which, and what helps.
pub(super) fn check() -> anyhow::Result<()> {
    if !cfg!(target_feature = "avx2") {
        return Ok(());
    }
    // What cannot be read is no reason not to run.
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    match missing(&cpuinfo) {
        missing if missing.is_empty() => Ok(()),
        missing => Err(anyhow!(
            "this CPU lacks {}, and this pinode was built for CPUs that have them (x86-64-v3); build it with \
             RUSTFLAGS=\"-C target-cpu=x86-64\" for this one",
            missing.join(", ")
        )),
    }
}

/// What the first CPU's flags lack; nothing where there are no flags.
fn missing(cpuinfo: &str) -> Vec<&'static str> {
    let flags = cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "flags")
        .map(|(_, flags)| flags);
    let Some(flags) = flags else {
        return Vec::new();
    };
    let has = |name: &str| flags.split_ascii_whitespace().any(|flag| flag == name);
    V3.into_iter().filter(|name| !has(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_and_nothing_else() {
        let cpuinfo = "processor\t: 0\nflags\t\t: fpu avx f16c abm xsave movbe bmi1 avx512f fma\n";
        assert_eq!(missing(cpuinfo), ["avx2", "bmi2"]);
        assert!(missing("processor\t: 0\n").is_empty());
    }

    #[test]
    fn the_cpu_that_runs_the_tests_is_good_enough_for_them() {
        check().unwrap();
    }
}
