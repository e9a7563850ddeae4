//! Connections of constant rate on a running node beside overload, in small: nothing is lost, who is too fast is policed,
//! and one too many is refused.
//!
//! The node is told that frames may be held up by half a second, and half of its rate is left: it may share its cores with
//! what builds it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pinode_bench::streams::{Arm, Excess, Plan, Run};

/// One node at a time: they poll.
static ALONE: Mutex<()> = Mutex::new(());
const SPAN: Duration = Duration::from_secs(2);

fn plan(threads: bool) -> Plan {
    Plan {
        capacity_mbps: 100,
        phase_us: 1_000,
        connections: 100,
        sizes: "200,512,1400".parse().unwrap(),
        share: 0.5,
        spread: 0.01,
        together: false,
        others: 3.0,
        best_effort: 1.0,
        jitter_ns: 500_000_000,
        queue: 4096,
        threads,
        cpus: None,
        seed: 1,
    }
}

/// Whatever `holds` says: nothing is missing, and nothing is counted twice.
fn assert_each_came_or_was_policed(run: &Run) {
    for one in &run.connections {
        assert!(one.sent > 0, "{one:?}");
        assert_eq!(one.policed + one.received, one.sent, "{one:?}");
    }
    assert_eq!(run.stages.level2_full, 0, "{:?}", run.stages);
}

fn all_come_and_who_is_too_fast_is_policed(threads: bool) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let arm = Arm::start(plan(threads)).unwrap();
    let (run, ()) = arm.run(0, SPAN, None, |_| Ok(())).unwrap();
    assert_each_came_or_was_policed(&run);
    assert_eq!((run.disordered(), run.policed()), (0, 0));
    assert!(run.holds(), "{:?}", run.worst());
    assert!(run.sent() > 4_000, "{}", run.sent());
    // Not more than fits in their phases, however much they are offered.
    for other in &run.others {
        assert!(other.offered > other.left, "{other:?}");
    }

    // Twice as long: three times the rate for four seconds is eight seconds' worth of frames too many. The tolerance,
    // half a second and more, lets a fraction of them pass; the others are policed.
    let excess = Excess {
        connection: 7,
        times: 3.0,
    };
    let span = 2 * SPAN;
    let (run, refused) = arm.run(1, span, Some(excess), Arm::one_more).unwrap();
    assert_each_came_or_was_policed(&run);
    assert_eq!(run.disordered(), 0);
    let fast = run.connections[7];
    assert!(fast.policed > 0 && fast.received > 0, "{fast:?}");
    assert_eq!(run.policed(), fast.policed);
    assert!(run.holds(), "{:?}", run.worst());

    assert_eq!(refused.cause, Some(37), "{refused:?}");
    assert_eq!(refused.asked_bps, refused.spare_bps + 1);
}

#[test]
fn beside_threads_all_come_and_who_is_too_fast_is_policed() {
    all_come_and_who_is_too_fast_is_policed(true);
}

#[test]
fn beside_machines_all_come_and_who_is_too_fast_is_policed() {
    let there = Path::new("/dev/kvm").exists();
    let needed = |name, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    let required = needed("CI", "true") || needed("PINODE_REQUIRE", "all");
    assert!(there || !required, "/dev/kvm is needed");
    if !there {
        eprintln!(
            "skipped: 100 connections beside virtual machines: no /dev/kvm; run as root or as a user of group kvm"
        );
        return;
    }
    all_come_and_who_is_too_fast_is_policed(false);
}
