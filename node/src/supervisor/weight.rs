//! Weights of cgroup v2 and the nice levels that stand for them.
//!
//! A thread has no weight of its own to set, only a nice level, and the kernel gives each level a
//! weight: 1024 at 0, about a quarter more for each level below. Pure.

/// What the kernel weighs nice -20 to 19 with (`sched_prio_to_weight`, kernel/sched/core.c).
const OF_NICE: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87,
    70, 56, 45, 36, 29, 23, 18, 15,
];
const NICE_LEAST: i8 = -20;
/// The kernel's weight of nice 0, and cgroup v2's.
const KERNEL_UNIT: u32 = 1024;
const CGROUP_UNIT: u32 = 100;

/// The nice level whose weight is nearest to `weight`, as a file `cpu.weight.nice` would show it.
#[must_use]
pub fn nice_of(weight: u16) -> i8 {
    let wanted = (u32::from(weight) * KERNEL_UNIT + CGROUP_UNIT / 2) / CGROUP_UNIT;
    let levels = (NICE_LEAST..).zip(OF_NICE);
    levels
        .min_by_key(|(_, weight)| weight.abs_diff(wanted))
        .map_or(0, |(nice, _)| nice)
}

/// The weight that a nice level stands for; 1 to 8668.
#[must_use]
pub fn of_nice(nice: i8) -> u16 {
    let level = usize::try_from(i16::from(nice) - i16::from(NICE_LEAST)).unwrap_or(0);
    let weight = OF_NICE.get(level).copied().unwrap_or(OF_NICE[39]);
    u16::try_from((weight * CGROUP_UNIT + KERNEL_UNIT / 2) / KERNEL_UNIT).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_the_nearest_nice() {
        for (weight, nice, in_force) in [
            (1, 19, 1),
            (2, 18, 2),
            (50, 3, 51),
            (100, 0, 100),
            (125, -1, 125),
            (200, -3, 194),
            (400, -6, 381),
            (1000, -10, 932),
            (10_000, -20, 8668),
        ] {
            assert_eq!(
                (nice_of(weight), of_nice(nice)),
                (nice, in_force),
                "{weight}"
            );
        }
    }

    #[test]
    fn a_weight_in_force_names_its_nice_and_more_never_gets_less() {
        // Above 10, levels are less than a weight apart.
        for nice in NICE_LEAST..=10 {
            assert_eq!(nice_of(of_nice(nice)), nice);
        }
        for weight in 1..10_000 {
            assert!(nice_of(weight) >= nice_of(weight + 1));
        }
    }
}
