//! When workers sleep, in virtual time: what they wish for before, and what they find after.

mod rig;

use std::sync::{Arc, Mutex};

use pinode_node::dataplane::idle::{AHEAD_NS, AWAKE_NS, HELD_NS, REFUSED_NS, Sleep};
use pinode_node::dataplane::worker::Turn;
use rig::{FakeSleeper, Plan, Rig, assert_conserved, frame};

fn rig(plan: Plan) -> (Rig, FakeSleeper) {
    let sleeper = FakeSleeper::new();
    let mut rig = Rig::new(Plan {
        sleeper: Some(sleeper.clone()),
        ..plan
    });
    // The set-up was work; the rest of it has passed.
    rig.workers
        .iter_mut()
        .for_each(|worker| assert_ne!(worker.step(), Turn::Stopped));
    rig.clock.advance(10 * AWAKE_NS);
    let _ = sleeper.slept();
    (rig, sleeper)
}

fn step(rig: &mut Rig, ns: u64) -> Turn {
    rig.clock.advance(ns);
    rig.workers[0].step()
}

#[test]
fn a_worker_looks_for_a_while_and_then_sleeps() {
    let (mut rig, sleeper) = rig(Plan::default());
    assert!(rig.far[0].send(&frame(1, 0, 60, 0)));
    assert_eq!(step(&mut rig, 0), Turn::Worked);
    for _ in 0..99 {
        assert_eq!(step(&mut rig, AWAKE_NS / 100), Turn::Nothing);
    }
    assert_eq!(sleeper.slept(), []);
    step(&mut rig, AWAKE_NS / 100);
    assert_eq!(sleeper.slept(), [Sleep::UntilWoken]);
    // Woken, it looks for as long again.
    step(&mut rig, AWAKE_NS - 1);
    assert_eq!(sleeper.slept(), []);
    step(&mut rig, 1);
    assert_eq!(sleeper.slept(), [Sleep::UntilWoken]);
}

#[test]
fn guests_kick_a_worker_that_sleeps_and_no_other() {
    let (mut rig, sleeper) = rig(Plan::default());
    assert!(
        !rig.guests[0].send(1, &frame(1, 0, 60, 0)),
        "awake, it looks by itself"
    );
    step(&mut rig, 0);
    let guest = Arc::new(Mutex::new(rig.guests.remove(0)));
    let kicks = Arc::new(Mutex::new(Vec::new()));
    sleeper.during({
        let (guest, kicks) = (Arc::clone(&guest), Arc::clone(&kicks));
        move |_| {
            let mut guest = guest.lock().unwrap();
            for number in 0..3 {
                let kicked = guest.send(1, &frame(1, 0, 60, number));
                kicks.lock().unwrap().push(kicked);
            }
        }
    });
    // Two cycles on, the first frame is out and nothing is left to do.
    while sleeper.slept().is_empty() {
        step(&mut rig, 20_000);
    }
    // One for the wish; the others find it granted.
    assert_eq!(*kicks.lock().unwrap(), [true, false, false]);
    assert_eq!(
        step(&mut rig, 0),
        Turn::Worked,
        "the frames are found at the first look"
    );
    assert!(
        !guest.lock().unwrap().send(1, &frame(1, 0, 60, 9)),
        "awake again"
    );
    assert_conserved(&rig.snapshot());
}

#[test]
fn a_frame_that_came_before_the_look_is_no_reason_to_sleep() {
    let (mut rig, sleeper) = rig(Plan::default());
    // At the edge of sleep: the turn finds nothing, then the wishes find the frames.
    step(&mut rig, 0);
    let _ = sleeper.slept();
    for port in [0, 1] {
        rig.clock.advance(AWAKE_NS);
        rig.far[port]
            .send(&frame(7, 0, 60, 0))
            .then_some(())
            .unwrap();
        assert_eq!(rig.workers[0].step(), Turn::Worked);
        assert_eq!(sleeper.slept(), []);
        rig.clock.advance(AWAKE_NS);
        rig.workers[0].step();
        assert_eq!(sleeper.slept(), [Sleep::UntilWoken]);
    }
}

#[test]
fn a_gate_that_opens_for_a_frame_ends_the_sleep_ahead_of_it() {
    let phase_ns = 10_000_000;
    let (mut rig, sleeper) = rig(Plan {
        phase_ns,
        ..Plan::default()
    });
    // Guest 1's window opens at 10 ms and guest 2's at 20.
    rig.guests[1].send(1, &frame(2, 0, 60, 0));
    let mut now = rig.clock.advance(0);
    while sleeper.slept().is_empty() {
        now = rig.clock.advance(10_000);
        rig.workers[0].step();
    }
    assert!(now < phase_ns - AHEAD_NS);
    sleeper.during({
        let clock = rig.clock.clone();
        move |sleep| match sleep {
            Sleep::For(ns) => assert!(clock.advance(ns) > 0),
            other => panic!("{other:?} with a frame that waits"),
        }
    });
    let mut out = Vec::new();
    while out.is_empty() {
        now = rig.clock.advance(500);
        rig.workers[0].step();
        rig.far[1].recv(|_, start_ns| out.push(start_ns));
    }
    assert!((phase_ns..phase_ns + 1000).contains(&out[0]), "{out:?}");
    assert!(now < phase_ns + 1000);
    let slept = sleeper.slept();
    assert!(
        matches!(slept[..], [Sleep::For(_)]),
        "{slept:?}: once, until a little ahead"
    );
    let ports = rig.snapshot();
    let late = ports[1].pis[1].gate_error.max();
    assert!(late <= 600, "{late} ns after the edge");
    assert_conserved(&ports);
}

#[test]
fn the_edge_of_a_window_slept_through_is_nobodys_error() {
    let (mut rig, sleeper) = rig(Plan::default());
    let clock = rig.clock.clone();
    sleeper.during(move |_| {
        clock.advance(10_000_050);
    });
    rig.clock.advance(AWAKE_NS);
    rig.workers[0].step();
    // A frame that arrives in the middle of a window has waited for nothing.
    for guest in 0..3 {
        rig.guests[guest].send(1, &frame(guest as u8 + 1, 0, 60, 0));
    }
    for _ in 0..700 {
        step(&mut rig, 1000);
    }
    let ports = rig.snapshot();
    for pi in &ports[1].pis {
        assert_eq!(pi.counters.sent, 1);
        assert!(pi.gate_error.max() <= 1100, "{}", pi.gate_error.max());
    }
}

#[test]
fn frames_that_wait_for_the_link_are_not_slept_on() {
    let (mut rig, sleeper) = rig(Plan::default());
    for number in 0..200 {
        rig.guests[0].send(1, &frame(1, 0, 1514, number));
    }
    // 200 frames of 12 us take several windows; in none of them it sleeps with frames in it.
    let mut out = 0;
    while out < 200 {
        step(&mut rig, 2000);
        out += rig.far[1].recv(|_, _| ());
        for sleep in sleeper.slept() {
            assert!(matches!(sleep, Sleep::For(_)), "{sleep:?}");
        }
    }
    assert_conserved(&rig.snapshot());
}

#[test]
fn frames_that_a_port_does_not_take_cost_little_and_are_not_forgotten() {
    let (mut rig, sleeper) = rig(Plan {
        cable: 16,
        ..Plan::default()
    });
    let clock = rig.clock.clone();
    sleeper.during(move |sleep| match sleep {
        Sleep::For(ns) => {
            clock.advance(ns);
        }
        other => panic!("{other:?} with frames that wait"),
    });
    for number in 0..40 {
        rig.guests[0].send(1, &frame(1, 0, 60, number));
    }
    // The cable is full, and nobody takes anything off it.
    for _ in 0..2000 {
        step(&mut rig, 1000);
    }
    let before = rig.workers[0].time();
    let asleep = |rig: &Rig| rig.workers[0].time().asleep_ns - before.asleep_ns;
    while asleep(&rig) < 100_000_000 {
        step(&mut rig, 1000);
    }
    let awake = rig.workers[0].time().idle_ns - before.idle_ns;
    assert!(
        awake < 5_000_000,
        "{awake} ns awake in {} asleep",
        asleep(&rig)
    );
    // It comes back: the next try finds it, and the windows do the rest.
    let (from_ns, mut out) = (rig.clock.advance(0), 0);
    while out < 40 {
        step(&mut rig, 1000);
        out += rig.far[1].recv(|_, _| ());
        let waited = rig.clock.advance(0) - from_ns;
        assert!(waited < REFUSED_NS + 2_000_000, "{out} after {waited} ns");
    }
    assert_conserved(&rig.snapshot());
}

#[test]
fn a_guest_that_has_to_be_woken_keeps_its_worker_awake() {
    let (mut rig, sleeper) = rig(Plan {
        shared_core: true,
        ..Plan::default()
    });
    rig.guests.iter_mut().for_each(rig::RigGuest::arm);
    for code in 1..=2 {
        assert!(rig.far[0].send(&frame(code, 0, 60, 0)));
    }
    // One is woken and never comes to rest; the other waits for it.
    step(&mut rig, 0);
    for _ in 0..700 {
        step(&mut rig, 1000);
    }
    assert_eq!(sleeper.slept(), []);
    for _ in 0..200 {
        step(&mut rig, 1000);
    }
    let wakes: u64 = rig
        .guests
        .iter()
        .map(|guest| guest.wakes.load(std::sync::atomic::Ordering::Relaxed))
        .sum();
    assert_eq!(wakes, 2);
    for _ in 0..=AWAKE_NS / 1000 {
        step(&mut rig, 1000);
    }
    assert_eq!(sleeper.slept().first(), Some(&Sleep::UntilWoken));
}

#[test]
fn on_a_shared_core_it_lets_the_others_run() {
    let (mut rig, sleeper) = rig(Plan {
        shared_core: true,
        own_core: false,
        ..Plan::default()
    });
    rig.guests.iter_mut().for_each(rig::RigGuest::arm);
    assert!(rig.far[0].send(&frame(1, 0, 60, 0)));
    assert_eq!(step(&mut rig, 0), Turn::Worked);
    assert_eq!(sleeper.slept(), []);
    step(&mut rig, 0);
    assert_eq!(sleeper.slept(), [Sleep::UntilWoken], "at once");
    assert!(rig.far[0].send(&frame(2, 0, 60, 0)));
    step(&mut rig, 1000);
    step(&mut rig, 0);
    assert_eq!(
        sleeper.slept(),
        [Sleep::For(HELD_NS)],
        "guest 0 has the baton"
    );
}

#[test]
fn time_is_booked_to_what_it_was_spent_on() {
    let (mut rig, sleeper) = rig(Plan::default());
    let clock = rig.clock.clone();
    sleeper.during(move |_| {
        clock.advance(5_000_000);
    });
    step(&mut rig, 0);
    let before = rig.workers[0].time();
    assert!(rig.far[0].send(&frame(7, 0, 60, 0)));
    step(&mut rig, 0);
    // A turn that moved a frame took 1 us, then 200 found nothing, then it slept for 5 ms.
    for _ in 0..=AWAKE_NS / 1000 {
        step(&mut rig, 1000);
    }
    let after = rig.workers[0].time();
    assert_eq!(after.busy_ns - before.busy_ns, 1000);
    assert_eq!(after.idle_ns - before.idle_ns, AWAKE_NS);
    assert_eq!(after.asleep_ns - before.asleep_ns, 5_000_000);
    assert_eq!(after.slept - before.slept, 1);
}
