//! The send queue against a plain model: order kept, nothing lost but what is refused for good.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

const SLOTS: usize = 8;

fn push(queue: &mut SendQueue, first: u8, count: usize) -> usize {
    let mut slots = TxSlots::new();
    queue.lend(count, &mut slots);
    for (i, slot) in slots.iter_mut().enumerate() {
        slot[0] = first.wrapping_add(i as u8);
    }
    let metas = vec![
        TxMeta {
            len: 1,
            start_ns: 0
        };
        slots.len()
    ];
    drop(slots);
    queue.commit(&metas, 16)
}

#[test]
fn a_frame_too_long_ends_the_prefix() {
    let mut queue = SendQueue::new(SLOTS, 16);
    let metas = [16, 17, 1].map(|len| TxMeta { len, start_ns: 0 });
    assert_eq!(queue.commit(&metas, 100), 1);
    assert_eq!(queue.commit(&metas, 10), 0);
    assert_eq!(queue.frames().map(<[u8]>::len).collect::<Vec<_>>(), [16]);
}

proptest! {
    #[test]
    fn frames_leave_in_order_whatever_the_system_answers(
        steps in prop::collection::vec((0usize..12, prop::collection::vec(0u8..5, 1..6)), 1..60),
    ) {
        let mut queue = SendQueue::new(SLOTS, 16);
        let (mut model, mut next) = (VecDeque::new(), 0u8);
        for (count, answers) in steps {
            let taken = push(&mut queue, next, count);
            prop_assert_eq!(taken, count.min(SLOTS - model.len()));
            for _ in 0..taken {
                model.push_back(next);
                next = next.wrapping_add(1);
            }
            let (mut answers, mut expected_refused) = (answers.into_iter(), 0);
            let refused = queue.flush(|queue| {
                let queued: Vec<u8> = queue.frames().map(|f| f[0]).collect();
                assert_eq!(queued, Vec::from(model.clone()));
                match answers.next() {
                    None | Some(0) => Err(Stop::Full),
                    Some(1) => {
                        model.pop_front();
                        expected_refused += 1;
                        Err(Stop::Refused)
                    }
                    Some(n) => {
                        let n = usize::from(n).min(model.len());
                        model.drain(..n);
                        Ok(n)
                    }
                }
            });
            prop_assert_eq!(refused, expected_refused);
            prop_assert_eq!(queue.is_empty(), model.is_empty());
        }
    }
}
