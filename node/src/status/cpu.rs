//! What bounds a guest's share of the CPUs, in the kernel's words.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Nanoseconds;

/// What is in force on a thread of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuestCpu {
    /// The scheduling policy.
    pub policy: SchedPolicy,
    /// -20 to 19; without meaning beside a real-time policy.
    pub nice: i8,
    /// What the nice level stands for on cgroup v2's scale (100 at nice 0), where the policy goes by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// The reservation of SCHED_DEADLINE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<CpuBudget>,
    /// The cgroup of the configuration, if the kernel lists the thread there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// The quota of that cgroup, which all threads in it share; those above it may leave less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<CpuBudget>,
}

/// So much CPU time in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CpuBudget {
    /// In nanoseconds.
    pub runtime_ns: u64,
    /// In nanoseconds.
    pub period_ns: u64,
}

/// A scheduling policy of Linux (sched(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchedPolicy {
    /// SCHED_OTHER: by weight.
    Other,
    /// SCHED_FIFO.
    Fifo,
    /// SCHED_RR.
    Rr,
    /// SCHED_BATCH: by weight.
    Batch,
    /// SCHED_IDLE: what nobody else wants.
    Idle,
    /// SCHED_DEADLINE: reserved.
    Deadline,
    /// One that this program does not know.
    Unknown,
}

impl SchedPolicy {
    const ALL: [(Self, u32); 6] = [
        (Self::Other, 0),
        (Self::Fifo, 1),
        (Self::Rr, 2),
        (Self::Batch, 3),
        (Self::Idle, 5),
        (Self::Deadline, 6),
    ];

    /// From the kernel's number.
    #[must_use]
    pub fn from_raw(raw: u32) -> Self {
        let found = Self::ALL.into_iter().find(|&(_, number)| number == raw);
        found.map_or(Self::Unknown, |(policy, _)| policy)
    }

    /// The kernel's number; of an unknown policy that of none.
    #[must_use]
    pub fn raw(self) -> u32 {
        let found = Self::ALL.into_iter().find(|&(policy, _)| policy == self);
        found.map_or(u32::MAX, |(_, number)| number)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Fifo => "fifo",
            Self::Rr => "rr",
            Self::Batch => "batch",
            Self::Idle => "idle",
            Self::Deadline => "deadline",
            Self::Unknown => "unknown policy",
        }
    }
}

impl fmt::Display for CpuBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [runtime, period] = [self.runtime_ns, self.period_ns].map(Nanoseconds);
        write!(f, "{runtime} in {period}")
    }
}

impl fmt::Display for GuestCpu {
    /// `weight 381 (nice -6)`, `deadline 2ms in 10ms`; with a cgroup `, at most 20ms in 100ms by PATH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.deadline, self.weight) {
            (Some(deadline), _) => write!(f, "deadline {deadline}")?,
            (None, Some(weight)) if self.nice == 0 => write!(f, "weight {weight}")?,
            (None, Some(weight)) => write!(f, "weight {weight} (nice {})", self.nice)?,
            (None, None) => f.write_str(self.policy.as_str())?,
        }
        match (&self.cgroup, self.quota) {
            (Some(cgroup), Some(quota)) => write!(f, ", at most {quota} by {cgroup}"),
            (Some(cgroup), None) => write!(f, ", in {cgroup}"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_in_a_few_words() {
        let budget = |runtime_ns, period_ns| CpuBudget {
            runtime_ns,
            period_ns,
        };
        let weighed = GuestCpu {
            policy: SchedPolicy::Other,
            nice: 0,
            weight: Some(100),
            deadline: None,
            cgroup: None,
            quota: None,
        };
        let bounded = GuestCpu {
            nice: -6,
            weight: Some(381),
            cgroup: Some("/c".to_owned()),
            quota: Some(budget(20_000_000, 100_000_000)),
            ..weighed.clone()
        };
        let reserved = GuestCpu {
            policy: SchedPolicy::Deadline,
            weight: None,
            deadline: Some(budget(500_000, 10_000_000)),
            cgroup: Some("/c".to_owned()),
            ..weighed.clone()
        };
        let other = GuestCpu {
            policy: SchedPolicy::Fifo,
            weight: None,
            ..weighed.clone()
        };
        assert_eq!(weighed.to_string(), "weight 100");
        assert_eq!(
            bounded.to_string(),
            "weight 381 (nice -6), at most 20ms in 100ms by /c"
        );
        assert_eq!(reserved.to_string(), "deadline 500us in 10ms, in /c");
        assert_eq!(other.to_string(), "fifo");
    }

    #[test]
    fn policies_are_the_kernels_numbers() {
        for raw in [0, 1, 2, 3, 5, 6] {
            assert_eq!(SchedPolicy::from_raw(raw).raw(), raw);
        }
        assert_eq!(SchedPolicy::from_raw(4), SchedPolicy::Unknown);
    }
}
