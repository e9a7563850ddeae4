use super::*;

#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Idle,
    AsleepWithWork,
    Runs,
    /// Runs on one ring and sleeps on another that has work.
    RunsWithWork,
}
use Shows::{AsleepWithWork, Idle, Runs, RunsWithWork};

fn guests(shown: &[Shows]) -> Guests {
    let mut guests = Guests::default();
    for (slot, shows) in shown.iter().enumerate() {
        guests
            .running
            .set(slot, matches!(shows, Runs | RunsWithWork));
        let waits = matches!(shows, AsleepWithWork | RunsWithWork);
        guests.waiting.set(slot, waits);
    }
    guests
}

fn woken(baton: &mut Baton, now: u64, shown: &[Shows]) -> Vec<usize> {
    let mut out = Vec::new();
    baton.pass(now, guests(shown), |i| out.push(i));
    out
}

fn shared() -> Baton {
    Baton::passed(Board::new(1), 0)
}

const NOBODY: [usize; 0] = [];

#[test]
fn one_guest_at_a_time_in_turn() {
    let mut b = shared();
    let at = |n: u64| n * REST_NS;
    let all = [AsleepWithWork; 3];
    assert_eq!(woken(&mut b, at(0), &all), [1]);
    let first_runs = [AsleepWithWork, Runs, AsleepWithWork];
    assert_eq!(woken(&mut b, at(1), &first_runs), NOBODY);
    let first_rests = [AsleepWithWork, Idle, AsleepWithWork];
    assert_eq!(woken(&mut b, at(2), &first_rests), [2]);
    assert_eq!(
        woken(&mut b, at(3), &[AsleepWithWork, AsleepWithWork, Idle]),
        [0]
    );
    assert_eq!(woken(&mut b, at(4), &[Idle, AsleepWithWork, Idle]), [1]);
}

#[test]
fn a_guest_that_keeps_the_baton_is_passed_over() {
    let mut b = shared();
    assert_eq!(woken(&mut b, 0, &[Idle, AsleepWithWork]), [1]);
    let state = [AsleepWithWork, Runs];
    assert_eq!(woken(&mut b, TURN_NS - 1, &state), NOBODY);
    assert_eq!(woken(&mut b, TURN_NS, &state), [0]);
}

#[test]
fn a_holder_that_sleeps_with_new_work_is_woken_again() {
    let mut b = shared();
    assert_eq!(woken(&mut b, 0, &[AsleepWithWork]), [0]);
    assert_eq!(woken(&mut b, REST_NS, &[AsleepWithWork]), [0]);
}

#[test]
fn a_holder_that_runs_is_woken_for_a_ring_on_which_it_sleeps() {
    let mut b = shared();
    assert_eq!(woken(&mut b, 0, &[AsleepWithWork, Idle]), [0]);
    let state = [RunsWithWork, AsleepWithWork];
    assert_eq!(woken(&mut b, CATCH_UP_NS - 1, &state), NOBODY);
    assert_eq!(woken(&mut b, CATCH_UP_NS, &state), [0]);
    assert_eq!(woken(&mut b, CATCH_UP_NS + REST_NS, &state), NOBODY);
    assert_eq!(
        woken(&mut b, TURN_NS, &state),
        [1],
        "its turn is over all the same"
    );
}

#[test]
fn a_guest_that_asks_at_every_turn_is_woken_now_and_then() {
    for mut b in [shared(), Baton::at_once()] {
        let turns = (0..100)
            .filter(|turn| !woken(&mut b, turn * REST_NS / 10, &[AsleepWithWork]).is_empty());
        assert_eq!(turns.count(), 10, "{b:?}");
    }
}

#[test]
fn cores_of_their_own_are_woken_at_once() {
    let shown = [AsleepWithWork, Runs, AsleepWithWork];
    assert_eq!(woken(&mut Baton::at_once(), 0, &shown), [0, 2]);
}

#[test]
fn no_guests_no_wake() {
    assert_eq!(woken(&mut shared(), 0, &[]), NOBODY);
}

#[test]
fn a_guest_that_any_worker_sees_running_has_the_baton() {
    let board = Board::new(2);
    let [mut a, mut b] = [0, 1].map(|worker| Baton::passed(Arc::clone(&board), worker));
    assert_eq!(woken(&mut a, 0, &[Idle, AsleepWithWork]), [1]);
    // The other worker's rings of guest 1 are untouched and show idle.
    let others = [AsleepWithWork, Idle];
    assert_eq!(woken(&mut b, 1000, &others), NOBODY);
    assert_eq!(woken(&mut a, 2000, &[Idle, Idle]), NOBODY);
    assert_eq!(
        woken(&mut b, 3000, &others),
        [0],
        "nobody sees it run any more"
    );
}

#[test]
fn a_worker_that_sleeps_holds_up_nobody() {
    let board = Board::new(2);
    let [mut a, mut b] = [0, 1].map(|worker| Baton::passed(Arc::clone(&board), worker));
    assert_eq!(woken(&mut a, 0, &[AsleepWithWork, Idle]), [0]);
    a.look_away();
    assert_eq!(woken(&mut b, 1, &[Idle, AsleepWithWork]), [1]);
}

#[test]
fn workers_never_take_the_same_turn_and_every_wish_is_granted() {
    // Guests that need one wake-up from each worker; each runs for some passes, then rests.
    const GUESTS: usize = 5;
    for seed in 0..200u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let board = Board::new(3);
        let mut batons: Vec<Baton> = (0..3)
            .map(|worker| Baton::passed(Arc::clone(&board), worker))
            .collect();
        let mut waits = [[true; GUESTS]; 3];
        let mut runs_until = [0u64; GUESTS];
        let mut began = [0u64; GUESTS];
        let mut now = 1_000_000;
        let mut holder = None;
        let mut passes = 0;
        while waits.iter().flatten().any(|waits| *waits) {
            passes += 1;
            assert!(
                passes < 100_000,
                "seed {seed}: a wish was never granted: {waits:?}"
            );
            now += draw(30_000);
            let worker = draw(3) as usize;
            let mut seen = Guests::default();
            for slot in 0..GUESTS {
                seen.running.set(slot, runs_until[slot] > now);
                seen.waiting.set(slot, waits[worker][slot]);
            }
            let mut woken = Vec::new();
            batons[worker].pass(now, seen, |slot| woken.push(slot));
            assert!(woken.len() <= 1);
            for slot in woken {
                let others = (0..GUESTS).filter(|other| *other != slot && runs_until[*other] > now);
                for other in others {
                    // Beside a guest that runs only when its turn is over.
                    let ran = now - began[other];
                    assert!(
                        ran >= TURN_NS,
                        "seed {seed}: {other} is disturbed after {ran} ns"
                    );
                }
                waits[worker][slot] = false;
                let before = holder.replace(slot);
                if runs_until[slot] <= now {
                    let hog = draw(8) == 0;
                    // Woken again for another worker's ring, its turn goes on.
                    if before != Some(slot) {
                        began[slot] = now;
                    }
                    runs_until[slot] = now + if hog { 2 * TURN_NS } else { draw(200_000) };
                }
            }
        }
    }
}

#[test]
fn a_guest_among_others_on_its_core_is_woken_no_oftener_than_was_said() {
    const APART_NS: u64 = 2_500_000;
    for mut b in [shared().apart(APART_NS), Baton::at_once().apart(APART_NS)] {
        // The first frame after a silence is never held back.
        assert_eq!(woken(&mut b, 0, &[AsleepWithWork]), [0]);
        assert_eq!(woken(&mut b, REST_NS, &[Idle]), NOBODY);
        assert_eq!(woken(&mut b, 2 * REST_NS, &[AsleepWithWork]), NOBODY);
        assert_eq!(woken(&mut b, APART_NS - 1, &[AsleepWithWork]), NOBODY);
        assert_eq!(woken(&mut b, APART_NS, &[AsleepWithWork]), [0]);
    }
}

#[test]
fn guests_that_are_woken_seldom_are_all_woken() {
    let mut b = shared().apart(1_000_000);
    let waits = [AsleepWithWork; 3];
    let mut counts = [0; 3];
    for now in (0..30_000_000).step_by(5_000) {
        // Whoever was woken shows idle at the next look.
        for slot in woken(&mut b, now, &waits) {
            counts[slot] += 1;
            woken(&mut b, now + 1, &[Idle; 3]);
        }
    }
    assert_eq!(
        counts.map(|n| (29..=30).contains(&n)),
        [true; 3],
        "{counts:?}"
    );
}
