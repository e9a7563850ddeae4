use alloc::vec;

use super::*;

fn sending(messages: u8) -> Sending {
    let mut sending = Sending::new(100, 50);
    for message in 0..messages {
        sending.push(vec![message]).unwrap();
    }
    sending
}

fn numbers(sending: &mut Sending, now_ns: u64) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some((number, payload)) = sending.next(now_ns) {
        assert_eq!(payload, [number as u8]);
        numbers.push(number);
    }
    numbers
}

#[test]
fn a_window_and_no_more() {
    let mut sending = sending(70);
    assert_eq!(numbers(&mut sending, 0), (0..64).collect::<Vec<u32>>());
    sending.hears(3, 0);
    assert_eq!(numbers(&mut sending, 1), [64, 65, 66]);
    sending.hears(67, 0);
    assert_eq!(numbers(&mut sending, 1), [67, 68, 69]);
    sending.hears(70, 0);
    assert_eq!(sending.due_ns(), None);
}

#[test]
fn more_than_the_limit_is_given_back() {
    let mut sending = sending(100);
    assert_eq!(sending.push(vec![7]), Err(vec![7]));
    assert_eq!(sending.waiting(), 100);
}

#[test]
fn late_ones_are_sent_again_and_the_wait_doubles() {
    let mut sending = sending(1);
    assert_eq!(numbers(&mut sending, 0), [0]);
    let mut at = 0;
    for wait in [50, 100, 200, 400, 800, 800] {
        at += wait;
        assert_eq!(sending.due_ns(), Some(at));
        assert_eq!(numbers(&mut sending, at - 1), [0u32; 0]);
        assert_eq!(numbers(&mut sending, at), [0]);
    }
    assert_eq!(sending.repetitions(), 6);
}

#[test]
fn what_was_overtaken_is_sent_again_once() {
    let mut sending = sending(5);
    numbers(&mut sending, 0);
    // 1 and 3 have come, 0 and 2 have not, of 4 nothing is known.
    sending.hears(0, 0b101);
    assert_eq!(numbers(&mut sending, 1), [0, 2]);
    sending.hears(0, 0b101);
    assert_eq!(numbers(&mut sending, 1), [0u32; 0]);
    sending.hears(2, 0b1);
    assert_eq!(numbers(&mut sending, 1), [4]);
}

#[test]
fn a_stat_of_what_was_never_sent_says_nothing() {
    let mut sending = sending(2);
    numbers(&mut sending, 0);
    sending.hears(3, u64::MAX);
    sending.hears(u32::MAX, u64::MAX);
    assert_eq!(sending.due_ns(), Some(50));
    sending.hears(1, u64::MAX);
    assert_eq!(sending.due_ns(), Some(50));
    // Older than the last one.
    sending.hears(0, 0);
    sending.hears(2, 0);
    assert_eq!(sending.due_ns(), None);
}
