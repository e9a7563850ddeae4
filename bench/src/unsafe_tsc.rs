//! The time-stamp counter, as DPDK reads it. Must never do anything else.

use std::time::{Duration, Instant};

/// Ticks since the machine was reset.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 has the instruction, and Linux leaves it to user space.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Ticks of a second, measured against the system's clock. Takes 50 ms.
pub(crate) fn hz() -> u64 {
    const FOR: Duration = Duration::from_millis(50);
    let (began, from) = (Instant::now(), ticks());
    std::thread::sleep(FOR);
    let (took, to) = (began.elapsed(), ticks());
    ((to - from) as f64 / took.as_secs_f64()).round() as u64
}
