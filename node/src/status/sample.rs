//! A status whose sums hold, for tests.

use indexmap::IndexMap;

use super::{
    ClassDrops, ClassStatus, CpuBudget, Departure, EgressDrops, GuestCpu, GuestState, GuestStatus,
    GuestUsage, IngressDrops, Level2Status, PhaseEntry, PiStatus, PortDrops, PortPhases,
    PortStatus, Quantiles, SchedPolicy, Schedule, Status, WorkerStatus,
};
use crate::config::Isolation;

/// Three PIs on two ports; every cause of a port and one of each PI occurred once.
pub fn status() -> Status {
    let class = |name: &str| ClassStatus {
        name: name.to_owned(),
        queued: 1,
        enqueued: 24,
        dequeued: 20,
        dequeued_bytes: 2000,
        cleared: 3,
        drops: ClassDrops {
            policed: 5,
            ..ClassDrops::default()
        },
    };
    let pi = |extra: u64| PiStatus {
        classified: 20 + extra,
        to_guest: 19 + extra,
        drops: IngressDrops {
            ring_full: 1,
            ..IngressDrops::default()
        },
        from_guest: 42 + extra,
        sent: 40,
        sent_bytes: 4000,
        queued: 1 + extra,
        tx_drops: EgressDrops {
            unknown_vn: 1,
            ..EgressDrops::default()
        },
        level2: Level2Status {
            discipline: "diffserv".to_owned(),
            classes: ["rt", "be"].map(class).to_vec(),
        },
        phase_ns: 100_000,
        windows: 7,
        window_overruns: 0,
        late_windows: 0,
        guard_idle_ns: 11,
        empty_idle_ns: 13,
        gate_error_ns: Quantiles {
            p50: 100,
            p99: 1500,
            p999: 2000,
            max: 3000,
        },
    };
    let port = |name: &str, extra: u64| PortStatus {
        name: name.to_owned(),
        backend: "memory".to_owned(),
        departure: Departure::LaunchTime,
        rx_frames: 65 + extra,
        rx_bytes: 6500,
        tx_frames: 60,
        tx_bytes: 6000,
        missed: 3 * extra,
        tx_lost: 2 * extra,
        drops: PortDrops {
            bad_ethertype: 1,
            unknown_pi: 1,
            unknown_vn: 1,
            truncated: 1,
            oversize: 1,
        },
        pi: IndexMap::from([
            ("ipv6qos".to_owned(), pi(0)),
            ("can".to_owned(), pi(0)),
            ("dss".to_owned(), pi(extra)),
        ]),
    };
    let guest = |name: &str, state, restarts, boot_us| GuestStatus {
        pi: name.to_owned(),
        state,
        restarts,
        boot_us,
        memory_bytes: 32 << 20,
        image: "builtin:patch".to_owned(),
        cpu: None,
        usage: None,
        last_fault: None,
        not_restored: 0,
    };
    Status {
        node: "n1".to_owned(),
        uptime_s: 1.5,
        isolation: Isolation::Kvm,
        kvm: Some("kvm_pvm".to_owned()),
        workers: vec![
            WorkerStatus {
                cpu: 0,
                pinned: true,
                asleep: false,
                sleeps: 12,
                busy_ns: 250_000_000,
                idle_ns: 250_000_000,
                asleep_ns: 500_000_000,
                cpu_ns: 490_000_000,
            },
            WorkerStatus {
                cpu: 1,
                pinned: false,
                asleep: true,
                sleeps: 3,
                busy_ns: 0,
                idle_ns: 1_000_000,
                asleep_ns: 999_000_000,
                cpu_ns: 1_000_000,
            },
        ],
        guests: vec![
            GuestStatus {
                cpu: Some(GuestCpu {
                    policy: SchedPolicy::Other,
                    nice: -6,
                    weight: Some(381),
                    deadline: None,
                    cgroup: Some("/sys/fs/cgroup/p".to_owned()),
                    quota: Some(CpuBudget {
                        runtime_ns: 20_000_000,
                        period_ns: 100_000_000,
                    }),
                }),
                usage: Some(GuestUsage {
                    at_ns: 2_000_000_000,
                    up_ns: 1_400_000_000,
                    busy_ns: 350_000_000,
                    poll_ns: 70_000_000,
                    away_ns: 7_000_000,
                    frames: 20,
                    discarded: 1,
                    wakeups: 5,
                    cpu_ns: vec![450_000_000, 10_000_000],
                }),
                ..guest("ipv6qos", GuestState::Running, 0, 900)
            },
            GuestStatus {
                image: "guests/can.elf".to_owned(),
                last_fault: Some("page fault at 0x0\nrip 0x0".to_owned()),
                not_restored: 2,
                ..guest("can", GuestState::Quarantined, 2, 1200)
            },
            guest("dss", GuestState::Stopped, 0, 0),
        ],
        ports: vec![port("west", 0), port("east", 1)],
    }
}

/// A port whose next schedule waits.
pub fn phases() -> PortPhases {
    let entry = |pi: &str, duration_ns| PhaseEntry {
        pi: pi.to_owned(),
        duration_ns,
    };
    PortPhases {
        port: "west".to_owned(),
        oper: Schedule {
            base_tai_ns: 1000,
            cycle_ns: 300_000,
            guard_ns: 0,
            extension_ns: 0,
            phases: vec![
                entry("ipv6qos", 100_000),
                entry("can", 100_000),
                entry("none", 100_000),
            ],
        },
        admin: Some(Schedule {
            base_tai_ns: 2000,
            cycle_ns: 12_500,
            guard_ns: 0,
            extension_ns: 2_500,
            phases: vec![entry("can", 12_500)],
        }),
        gates: Vec::new(),
    }
}
