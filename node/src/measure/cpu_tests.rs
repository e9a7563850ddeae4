use super::*;
use crate::status::sample;

fn usage(at_ns: u64, up_ns: u64, busy_ns: u64, frames: u64) -> GuestUsage {
    GuestUsage {
        at_ns,
        up_ns,
        busy_ns,
        poll_ns: busy_ns / 10,
        frames,
        wakeups: frames / 4,
        cpu_ns: vec![3 * busy_ns, 7],
        ..GuestUsage::default()
    }
}

/// A status in which every guest said the same and the first worker had this time.
fn status(usage: &GuestUsage, busy_ns: u64, idle_ns: u64, cpu_ns: u64, received: u64) -> Status {
    let mut status = sample::status();
    for guest in &mut status.guests {
        guest.usage = Some(usage.clone());
    }
    status.workers.truncate(1);
    let worker = &mut status.workers[0];
    (worker.busy_ns, worker.idle_ns, worker.cpu_ns) = (busy_ns, idle_ns, cpu_ns);
    status.ports[0].rx_frames = received;
    status.ports[1].rx_frames = 0;
    status
}

const OF: PointOf<'_> = PointOf {
    isolation: "kvm",
    size: &SizeLabel::Octets(79),
    offered_l2_bps: 1e6,
    lossless: true,
};

#[test]
fn both_sides_of_a_point_are_of_the_same_readings() {
    let before = status(&usage(100, 1_000, 10, 5), 0, 0, 0, 50);
    let after = usage(2_000_000_100, 2_000_001_000, 200_000_010, 40_005);
    let after = status(&after, 600_000_000, 1_400_000_000, 2_000_000_000, 120_050);
    let before = CpuReading::of(&before, 100).unwrap();
    let after = CpuReading::of(&after, 2_000_000_100).unwrap();
    let spent = after.since(&before, 100_000_000).unwrap();
    assert_eq!(spent.len(), 4);
    let point = spent[0].point(&OF, 2.0);
    assert_eq!(
        (point.pi.as_str(), point.kfps, point.percent),
        ("ipv6qos", 20.0, 10.0)
    );
    let check = spent[0].check(&OF);
    assert_eq!(
        (check.busy_ns, check.poll_ns, check.thread_cpu_ns),
        (200_000_000, 20_000_000, 600_000_000)
    );
    assert_eq!(
        (check.wakeups, check.wall_ns, check.fps),
        (10_000, 2_000_000_000, 20_000.0)
    );
    // The tester's tenth of a second is not the node's.
    let point = spent[3].point(&OF, 2.0);
    assert_eq!((point.pi.as_str(), point.kfps), (HOST, 60.0));
    assert!((point.percent - 25.0).abs() < 1e-9, "{point:?}");
    assert_eq!(
        spent[3].check(&OF).busy_ns,
        600_000_000,
        "as it was accounted"
    );
}

#[test]
fn what_others_had_of_a_workers_cpu_is_no_work() {
    let quiet = usage(0, 0, 0, 0);
    let before = CpuReading::of(&status(&quiet, 0, 0, 0, 0), 0).unwrap();
    // A quarter of the time that it was awake it did not run.
    let after = CpuReading::of(&status(&quiet, 400, 600, 750, 1), 0).unwrap();
    let spent = after.since(&before, 0).unwrap();
    assert_eq!(spent[3].on_frames_ns, 300.0);
    // More CPU time than it was awake: falling asleep is neither.
    let after = CpuReading::of(&status(&quiet, 400, 600, 1100, 1), 0).unwrap();
    assert_eq!(after.since(&before, 0).unwrap()[3].on_frames_ns, 400.0);
    // A tester that took more than there was.
    assert_eq!(after.since(&before, 500).unwrap()[3].on_frames_ns, 0.0);
}

#[test]
fn no_figure_of_a_guest_that_says_nothing_or_is_another() {
    let mut silent = status(&usage(5, 0, 0, 0), 0, 0, 0, 0);
    silent.guests[1].usage = None;
    let error = CpuReading::of(&silent, 5).unwrap_err();
    assert!(
        matches!(&error, CpuError::Silent { pi } if pi == "can"),
        "{error}"
    );
    let stale = status(&usage(5, 0, 0, 0), 0, 0, 0, 0);
    assert!(matches!(
        CpuReading::of(&stale, 6),
        Err(CpuError::Silent { .. })
    ));

    let before = CpuReading::of(&status(&usage(5, 100, 0, 0), 0, 0, 0, 0), 5).unwrap();
    let younger = CpuReading::of(&status(&usage(6, 99, 0, 0), 0, 0, 0, 0), 6).unwrap();
    assert!(matches!(
        younger.since(&before, 0),
        Err(CpuError::Restarted { .. })
    ));
    let mut again = status(&usage(6, 200, 0, 0), 0, 0, 0, 0);
    again.guests[2].restarts += 1;
    let again = CpuReading::of(&again, 6).unwrap();
    let error = again.since(&before, 0).unwrap_err();
    assert!(
        matches!(&error, CpuError::Restarted { pi } if pi == "dss"),
        "{error}"
    );
}

#[test]
fn a_guests_word_that_goes_backwards_is_nothing() {
    let before = CpuReading::of(&status(&usage(5, 100, 900, 900), 0, 0, 0, 9), 5).unwrap();
    let after = CpuReading::of(&status(&usage(6, 101, 3, 3), 0, 0, 0, 9), 6).unwrap();
    let spent = after.since(&before, 0).unwrap();
    assert_eq!(
        (spent[0].busy_ns, spent[0].frames, spent[0].cpu_ns),
        (0, 0, 0)
    );
}
