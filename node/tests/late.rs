//! What waits must go: frames that a held-up worker keeps back, and frames that wait for launch time while
//! the worker sleeps. In virtual time.

mod rig;

use pinode_node::dataplane::idle::{AWAKE_NS, Sleep};
use pinode_node::dataplane::worker::Turn;
use rig::{Exit, FakeSleeper, Plan, Rig, assert_conserved, frame};

/// Octets of the longest frame, without FCS: 12,304 ns at 1 Gb/s.
const LONGEST: usize = 1514;

#[test]
fn a_frame_that_fills_its_window_goes_although_every_hand_over_takes_time() {
    // 0.5 us more than the longest frame: less than the hand-over is reckoned with.
    let exit = Exit::default();
    let mut rig = Rig::new(Plan {
        phase_ns: 12_804,
        exit: Some(exit.clone()),
        ..Plan::default()
    });
    for number in 0..8 {
        rig.guests[0].send(1, &frame(1, 0, LONGEST, number));
    }
    // Between any two looks at the clock there is some time.
    (0..200_000).for_each(|_| rig.clock.stall(0, 40));
    for _ in 0..10 * 3 * 128 {
        rig.step(60);
    }
    let handed = exit.frames.lock().unwrap();
    assert_eq!(handed.len(), 8, "one in each window of its PI");
    for frame in handed.iter() {
        let into_ns = frame.meta.start_ns % 38_412;
        assert!(into_ns < 1_000, "starts at the opening: {frame:?}");
    }
    drop(handed);
    assert_conserved(&rig.snapshot());
}

#[test]
fn a_worker_gets_up_in_time_for_a_port_that_wants_its_frames_ahead() {
    // Longer ahead than the worker gets up before an edge, and than a phase is long.
    let lead_ns = 350_000;
    let exit = Exit {
        launch_lead_ns: Some(lead_ns),
        ..Exit::default()
    };
    let sleeper = FakeSleeper::new();
    let mut rig = Rig::new(Plan {
        phase_ns: 2_000_000,
        sleeper: Some(sleeper.clone()),
        exit: Some(exit.clone()),
        ..Plan::default()
    });
    let cycle = rig.cycle(&[100_000, 3_000_000, 3_000_000]);
    let installed = rig.install(1, cycle);
    installed.from_ns.unwrap();
    sleeper.during({
        let clock = rig.clock.clone();
        move |sleep| {
            if let Sleep::For(ns) = sleep {
                clock.advance(ns);
            }
        }
    });
    rig.clock.advance(20_000_000);
    for _ in 0..4 {
        assert_ne!(rig.workers[0].step(), Turn::Stopped);
        rig.clock.advance(2 * AWAKE_NS);
    }
    let before_ns = rig.clock.peek();
    rig.guests[0].send(1, &frame(1, 0, 60, 0));
    while exit.frames.lock().unwrap().is_empty() {
        rig.clock.advance(5_000);
        assert_ne!(rig.workers[0].step(), Turn::Stopped);
        let waited_ns = rig.clock.peek() - before_ns;
        assert!(waited_ns < 2 * 6_100_000, "waits for ever");
    }
    assert_conserved(&rig.snapshot());
}
