//! The send queue: order kept, nothing lost but what is refused for good, and that counted once.

use super::*;
use proptest::prelude::*;

const SLOTS: usize = 8;

const LONGEST: usize = 16;

/// Commits frames of one octet, numbered from `first` on. Returns how many had a slot, and were taken.
fn push(
    queue: &mut SendQueue,
    first: u8,
    count: usize,
    send: impl FnMut(&SendQueue) -> Result<usize, Stop>,
) -> (usize, usize) {
    let mut slots = TxSlots::new();
    queue.lend(count, &mut slots);
    for (i, slot) in slots.iter_mut().enumerate() {
        slot[0] = first.wrapping_add(i as u8);
    }
    let meta = TxMeta {
        len: 1,
        start_ns: 0,
    };
    let metas = vec![meta; slots.len()];
    drop(slots);
    (metas.len(), queue.commit(&metas, send))
}

fn numbers(queue: &SendQueue) -> Vec<u8> {
    queue.frames().map(|frame| frame[0]).collect()
}

#[test]
fn a_frame_too_long_ends_the_prefix() {
    for (longest, taken) in [(100, 1), (10, 0)] {
        let mut queue = SendQueue::new(SLOTS, LONGEST, longest);
        let metas = [16, 17, 1].map(|len| TxMeta { len, start_ns: 0 });
        assert_eq!(queue.commit(&metas, |_| Err(Stop::Full)), taken);
        assert_eq!(queue.frames().map(<[u8]>::len).sum::<usize>(), 16 * taken);
    }
}

#[test]
fn what_is_refused_at_once_is_not_taken_and_what_is_refused_later_is_lost() {
    let mut queue = SendQueue::new(SLOTS, LONGEST, LONGEST);
    assert_eq!(push(&mut queue, 0, 3, |_| Err(Stop::Refused)), (3, 0));
    assert_eq!((numbers(&queue), queue.lost()), (vec![], 0));
    assert_eq!(push(&mut queue, 10, 2, |_| Err(Stop::Full)), (2, 2));
    // Both that waited and the three behind them: only the two were counted as taken.
    assert_eq!(push(&mut queue, 20, 3, |_| Err(Stop::Refused)), (3, 0));
    assert_eq!((numbers(&queue), queue.lost()), (vec![], 2));
}

#[test]
fn what_is_late_is_lost_alone_and_counted() {
    let mut queue = SendQueue::new(SLOTS, LONGEST, LONGEST);
    let mut answers = [Ok(1), Err(Stop::Late), Err(Stop::Late), Ok(1)].into_iter();
    let mut seen = Vec::new();
    let send = |queue: &SendQueue| {
        seen.push(numbers(queue)[0]);
        answers.next().unwrap_or(Err(Stop::Full))
    };
    assert_eq!(push(&mut queue, 0, 5, send), (5, 5));
    assert_eq!((seen, queue.lost()), (vec![0, 1, 2, 3, 4], 2));
    assert_eq!(numbers(&queue), [4]);
    // Refused behind a late one: the late one was taken, what follows was not.
    let mut answers = [Ok(1), Err(Stop::Late), Err(Stop::Refused)].into_iter();
    let send = |_: &SendQueue| answers.next().unwrap_or(Err(Stop::Full));
    assert_eq!(push(&mut queue, 10, 3, send), (3, 1));
    assert_eq!((numbers(&queue), queue.lost()), (vec![], 3));
}

#[test]
fn a_frame_keeps_its_start_while_it_waits() {
    let mut queue = SendQueue::new(SLOTS, LONGEST, LONGEST);
    let metas = [1, 2, 3].map(|start_ns| TxMeta { len: 1, start_ns });
    assert_eq!(queue.commit(&metas, |_| Err(Stop::Full)), 3);
    queue.retry(|queue| match queue.timed_frames().next() {
        Some((_, 1)) => Ok(1),
        _ => Err(Stop::Full),
    });
    let starts: Vec<_> = queue.timed_frames().map(|(_, start_ns)| start_ns).collect();
    assert_eq!(starts, [2, 3]);
}

proptest! {
    #[test]
    fn every_frame_leaves_in_order_or_is_counted_whatever_the_system_answers(
        steps in prop::collection::vec((0usize..12, prop::collection::vec(0u8..5, 1..6)), 1..60),
    ) {
        let mut queue = SendQueue::new(SLOTS, LONGEST, LONGEST);
        let (mut next, mut taken_in_all, mut left) = (0u8, 0usize, 0usize);
        let mut last: Option<u8> = None;
        for (count, answers) in steps {
            let waiting = numbers(&queue);
            let (mut answers, mut refused) = (answers.into_iter(), false);
            let (offered, taken) = push(&mut queue, next, count, |queue| {
                in_order(&mut last, queue);
                match answers.next() {
                    None | Some(0) => Err(Stop::Full),
                    Some(1) => {
                        refused = true;
                        Err(Stop::Refused)
                    }
                    Some(n) => {
                        let n = usize::from(n).min(numbers(queue).len());
                        left += n;
                        Ok(n)
                    }
                }
            });
            prop_assert_eq!(offered, count.min(SLOTS - waiting.len()));
            prop_assert!(taken == offered || refused);
            next = next.wrapping_add(offered as u8);
            taken_in_all += taken;
            // What was taken has left, waits, or is counted as lost.
            let waits = numbers(&queue).len();
            prop_assert_eq!(taken_in_all as u64, (left + waits) as u64 + queue.lost());
        }
        let before = (numbers(&queue).len() as u64, queue.lost());
        queue.retry(|_| Err(Stop::Refused));
        prop_assert_eq!((numbers(&queue).len(), queue.lost()), (0, before.0 + before.1));
    }
}

/// The queue holds consecutive numbers, or a gap where a refused burst ended; never an older one again.
fn in_order(last: &mut Option<u8>, queue: &SendQueue) {
    let queued = numbers(queue);
    if let (Some(last), Some(first)) = (*last, queued.first()) {
        assert!(first.wrapping_sub(last) < 128, "{first} after {last}");
    }
    assert!(
        queued
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) < 128)
    );
    *last = queued.first().copied().or(*last);
}
