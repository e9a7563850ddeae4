//! The FIFO: bounded, in order, only its head is offered.

use pinode_scheduler::level2::{Discipline, Fifo};

#[test]
fn a_full_queue_gives_the_frame_back_and_keeps_its_order() {
    let mut fifo = Fifo::new(2);
    assert_eq!((fifo.room(), fifo.is_empty()), (2, true));
    assert_eq!(fifo.enqueue('a'), Ok(()));
    assert_eq!(fifo.enqueue('b'), Ok(()));
    assert_eq!(fifo.enqueue('c'), Err('c'));
    assert_eq!((fifo.room(), fifo.len()), (0, 2));
    assert_eq!(fifo.dequeue_if(|_| true), Some('a'));
    assert_eq!(fifo.enqueue('d'), Ok(()));
    assert_eq!(fifo.dequeue_if(|_| true), Some('b'));
    assert_eq!(fifo.dequeue_if(|_| true), Some('d'));
    assert_eq!(fifo.dequeue_if(|_| true), None);
}

#[test]
fn only_the_head_is_looked_at() {
    let mut fifo = Fifo::new(4);
    for octets in [1518, 79, 64] {
        fifo.enqueue(octets).unwrap();
    }
    let mut offered = Vec::new();
    let taken = fifo.dequeue_if(|octets| {
        offered.push(*octets);
        *octets < 100
    });
    assert_eq!((taken, offered), (None, vec![1518]));
    assert_eq!(fifo.len(), 3);
}

#[test]
fn a_queue_without_room_takes_nothing() {
    let mut fifo = Fifo::new(0);
    assert_eq!(fifo.enqueue(1), Err(1));
    assert_eq!(fifo.dequeue_if(|_| true), None);
}
