use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use super::*;

/// Longer than any sleep here, on any machine.
const LONG: Sleep = Sleep::For(30_000_000_000);
const SHORT: Duration = Duration::from_secs(10);

fn sleeper(lanes: usize) -> (Bell, EpollSleeper) {
    let bell = Bell::new().unwrap();
    (bell.clone(), EpollSleeper::new(bell, lanes).unwrap())
}

fn slept(sleeper: &mut EpollSleeper, sleep: Sleep) -> Duration {
    let began = Instant::now();
    sleeper.sleep(sleep);
    began.elapsed()
}

#[test]
fn a_bell_that_was_rung_before_ends_the_sleep_once() {
    let (bell, mut sleeper) = sleeper(0);
    bell.ring();
    bell.ring();
    assert!(slept(&mut sleeper, LONG) < SHORT);
    // Heard: the next sleep lasts.
    let nap = Duration::from_millis(2);
    assert!(slept(&mut sleeper, Sleep::For(2_000_000)) >= nap);
}

#[test]
fn a_bell_rung_from_another_thread_ends_the_sleep() {
    let (bell, mut sleeper) = sleeper(0);
    for _ in 0..200 {
        let bell = bell.clone();
        let ringer = std::thread::spawn(move || bell.ring());
        assert!(slept(&mut sleeper, LONG) < SHORT);
        ringer.join().unwrap();
    }
}

#[test]
fn time_passes_and_is_asked_for_anew() {
    let (_bell, mut sleeper) = sleeper(0);
    for ns in [300_000, 1_000_000, 100_000] {
        assert!(slept(&mut sleeper, Sleep::For(ns)) >= Duration::from_nanos(ns));
    }
    assert!(slept(&mut sleeper, Sleep::No) < SHORT);
}

#[test]
fn a_port_that_is_readable_ends_the_sleep_until_it_is_drained() {
    let (_bell, mut sleeper) = sleeper(2);
    let (mut near, mut far) = std::io::pipe().unwrap();
    assert!(sleeper.watch(1, near.as_fd()));
    far.write_all(b"x").unwrap();
    for _ in 0..2 {
        assert!(
            sleeper.watch(1, near.as_fd()),
            "again, as before each sleep"
        );
        assert!(slept(&mut sleeper, LONG) < SHORT);
    }
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    assert!(slept(&mut sleeper, Sleep::For(1_000_000)) >= Duration::from_millis(1));
}

#[test]
fn a_port_that_opens_another_descriptor_is_followed() {
    let (_bell, mut sleeper) = sleeper(1);
    let first = std::io::pipe().unwrap();
    assert!(sleeper.watch(0, first.0.as_fd()));
    drop(first);
    // Another file, of the same number most likely.
    let (near, mut far) = std::io::pipe().unwrap();
    assert!(sleeper.watch(0, near.as_fd()));
    far.write_all(b"x").unwrap();
    assert!(slept(&mut sleeper, LONG) < SHORT);
}

#[test]
fn a_descriptor_that_only_complains_is_left_out_for_a_while() {
    let (_bell, mut sleeper) = sleeper(1);
    let (near, far) = std::io::pipe().unwrap();
    drop(far);
    assert!(sleeper.watch(0, near.as_fd()));
    assert!(slept(&mut sleeper, LONG) < SHORT, "it complains");
    assert!(!sleeper.watch(0, near.as_fd()), "and is looked at instead");
    assert!(slept(&mut sleeper, Sleep::For(1_000_000)) >= Duration::from_millis(1));
    assert!(sleeper.watch(0, near.as_fd()), "then it has another chance");
}

#[test]
fn ports_whose_descriptors_swap_numbers_are_both_followed() {
    let (_bell, mut sleeper) = sleeper(2);
    let [mut first, mut second] = [(); 2].map(|()| OwnedFd::from(std::io::pipe().unwrap().0));
    for (lane, near) in [&first, &second].into_iter().enumerate() {
        assert!(sleeper.watch(lane, near.as_fd()));
    }
    // Both close their descriptors and open others, each by the number that the other had.
    let mut pipes = [(); 2].map(|()| std::io::pipe().unwrap());
    rustix::io::dup2(&pipes[1].0, &mut first).unwrap();
    rustix::io::dup2(&pipes[0].0, &mut second).unwrap();
    for (lane, near) in [&second, &first].into_iter().enumerate() {
        assert!(sleeper.watch(lane, near.as_fd()));
    }
    for (near, far) in &mut pipes {
        far.write_all(b"x").unwrap();
        assert!(slept(&mut sleeper, LONG) < SHORT, "this port wakes nobody");
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    }
}

#[test]
fn a_port_that_is_not_watched_any_more_is_none_of_its_business_until_it_is_again() {
    let (_bell, mut sleeper) = sleeper(1);
    let (near, mut far) = std::io::pipe().unwrap();
    assert!(sleeper.watch(0, near.as_fd()));
    sleeper.unwatch();
    far.write_all(b"x").unwrap();
    assert!(slept(&mut sleeper, Sleep::For(1_000_000)) >= Duration::from_millis(1));
    assert!(sleeper.watch(0, near.as_fd()));
    assert!(slept(&mut sleeper, LONG) < SHORT);
}
