//! What a guest does with its CPU time, as it says itself, and what the kernel says of its threads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Totals since the guest forwards, at one instant between two rounds of its main loop; the times from `up_ns` on
/// are of its own clock. A guest's word: nothing but figures for people may rest on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuestUsage {
    /// When the host heard it, in nanoseconds of CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// Time since it forwards, in nanoseconds. What of it is in none of the next three it slept.
    pub up_ns: u64,
    /// Time spent on frames, in nanoseconds.
    pub busy_ns: u64,
    /// Time looking for frames in vain, in nanoseconds.
    pub poll_ns: u64,
    /// Time in which it had either to do and the host ran something else on its CPU, in nanoseconds.
    pub away_ns: u64,
    /// Frames taken from the host.
    pub frames: u64,
    /// Of these, frames that it did not send on.
    pub discarded: u64,
    /// Times it woke up.
    pub wakeups: u64,
    /// CPU time since launch of each of its vCPUs' threads, or of its one, in nanoseconds, as the kernel has it:
    /// with polling, going to sleep, waking up, and what a VM costs its host on that thread.
    pub cpu_ns: Vec<u64>,
}
