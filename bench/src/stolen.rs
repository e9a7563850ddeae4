//! Time that a hypervisor kept a core of this machine to itself, as the kernel tells it (proc_stat(5), `steal`).
//!
//! Of a virtual machine whose host says so; on others it stays 0. Must never guess.

/// What the kernel counts in, nanoseconds (USER_HZ is 100 wherever Linux runs).
const TICK_NS: u64 = 10_000_000;
/// The column, behind the core's name: user, nice, system, idle, iowait, irq, softirq, steal.
const STEAL: usize = 7;

/// Of core `cpu` since the machine was started, nanoseconds; 0 where it is not told.
#[must_use]
pub(crate) fn stolen_ns(cpu: usize) -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    of(&stat, cpu).unwrap_or(0)
}

fn of(stat: &str, cpu: usize) -> Option<u64> {
    let core = format!("cpu{cpu}");
    let mut columns = { stat.lines() }
        .map(str::split_ascii_whitespace)
        .find_map(|mut line| (line.next() == Some(&core)).then_some(line))?;
    let ticks: u64 = columns.nth(STEAL)?.parse().ok()?;
    Some(ticks * TICK_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_of_the_core_is_read() {
        let stat = "cpu  1 2 3 4 5 6 7 30 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu10 1 2 3 4 5 6 7 22 9 10\nintr 1\n";
        assert_eq!(of(stat, 0), Some(80_000_000));
        assert_eq!(of(stat, 10), Some(220_000_000));
        assert_eq!((of(stat, 1), of("", 0)), (None, None));
    }
}
