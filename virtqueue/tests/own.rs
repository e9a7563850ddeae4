//! A driver whose receive buffers have descriptors of their own, against this crate's device: frames arrive as they
//! would else, and the table is written once.

mod unsafe_memory;

use std::collections::VecDeque;

use pinode_virtqueue::{DriverQueue, NET_HEADER, QueueError, QueueLayout, Receiveq};
use proptest::collection::vec;
use proptest::prelude::*;
use unsafe_memory::Memory;

const CASES: u32 = if cfg!(miri) { 3 } else { 300 };
const OPS: usize = if cfg!(miri) { 40 } else { 400 };
const RAM: usize = 0x8_0000;
const RINGS: u64 = 0x1000;
const BUFFERS: u64 = 0x2_0000;
const LEN: u32 = 256;

fn layout(size: u16) -> QueueLayout {
    QueueLayout::contiguous(RINGS, size, true)
}

/// Buffers have tokens that are no numbers of theirs.
fn buffer(number: u16) -> (u32, u64) {
    (
        7_000 + u32::from(number),
        BUFFERS + u64::from(number) * u64::from(LEN),
    )
}

/// The descriptor table.
fn table(memory: &Memory, size: u16) -> Vec<[u8; 16]> {
    (0..u64::from(size))
        .map(|id| memory.read(RINGS + 16 * id))
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// So many of the buffers that are there, from which on.
    Post(u8, u8),
    Deliver(u8),
    Take(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..40u8, any::<u8>()).prop_map(|(count, from)| Op::Post(count, from)),
        (0..40u8).prop_map(Op::Deliver),
        (0..40u8).prop_map(Op::Take),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_arrive_in_the_buffers_posted_and_no_descriptor_changes(
        shift in 0..8u32, less in 0..20u16, ops in vec(op(), 1..OPS),
    ) {
        let size = 1u16 << shift;
        let count = size.saturating_sub(less).max(1);
        let memory = Memory::new(RAM);
        let mut driver = DriverQueue::new(memory.ram(), &layout(size)).unwrap();
        driver.own(LEN, (0..count).map(buffer)).unwrap();
        let mut device = Receiveq::new(memory.ram(), &layout(size), false).unwrap();
        let before = table(&memory, size);
        let mut there: VecDeque<u16> = (0..count).collect();
        let mut posted: VecDeque<u16> = VecDeque::new();
        let mut full: VecDeque<(u16, u8)> = VecDeque::new();
        let mut serial = 0u8;
        for op in ops {
            match op {
                Op::Post(count, from) => {
                    let turn = usize::from(from) % there.len().max(1);
                    there.rotate_left(turn.min(there.len()));
                    let some: Vec<u16> = there.drain(..usize::from(count).min(there.len())).collect();
                    prop_assert_eq!(driver.post_own(some.iter().copied()), Ok(some.len()));
                    driver.expose();
                    posted.extend(some);
                }
                Op::Deliver(count) => {
                    for _ in 0..usize::from(count).min(posted.len()) {
                        device.deliver(&[], &[serial; 60]).unwrap();
                        full.push_back((posted.pop_front().unwrap(), serial));
                        serial = serial.wrapping_add(1);
                    }
                    device.publish();
                }
                Op::Take(count) => {
                    let mut taken = Vec::new();
                    driver.take(count.into(), |token, octets| taken.push((token, octets))).unwrap();
                    prop_assert_eq!(taken.len(), usize::from(count).min(full.len()));
                    for (token, octets) in taken {
                        let (number, serial) = full.pop_front().unwrap();
                        let (own, at) = buffer(number);
                        prop_assert_eq!((token, octets), (own, NET_HEADER + 60));
                        prop_assert_eq!(memory.read::<60>(at + u64::from(NET_HEADER)), [serial; 60]);
                        there.push_back(number);
                    }
                }
            }
            prop_assert_eq!(usize::from(driver.free()), there.len());
        }
        prop_assert_eq!(table(&memory, size), before);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let memory = Memory::new(RAM);
    let new = || DriverQueue::new(memory.ram(), &layout(8)).unwrap();
    let full = QueueError::RingFull { size: 8 };
    assert_eq!(new().own(LEN, (0..9).map(buffer)), Err(full));
    assert_eq!(
        new().own(0, (0..1).map(buffer)),
        Err(QueueError::EmptyBuffer)
    );
    let outside = new().own(LEN, [(0, RAM as u64 - 255)].into_iter());
    assert!(
        matches!(outside, Err(QueueError::BufferOutside { .. })),
        "{outside:?}"
    );
    let mut used = new();
    used.post(0, BUFFERS, LEN, true).unwrap();
    assert_eq!(used.own(LEN, (0..1).map(buffer)), Err(full));

    // Each once, none of others, and nothing else.
    let mut driver = new();
    driver.own(LEN, (0..5).map(buffer)).unwrap();
    assert_eq!(
        (driver.free(), driver.post_own([4, 2].into_iter())),
        (5, Ok(2))
    );
    assert_eq!(driver.post_own([1, 2].into_iter()), Err(full));
    assert_eq!(
        (driver.free(), driver.post_own([5].into_iter())),
        (2, Err(full))
    );
    assert!(driver.post(0, BUFFERS, LEN, true).is_err());
    assert_eq!(
        (driver.free(), driver.post_own([0, 3].into_iter())),
        (2, Ok(2))
    );
    // Without buffers of its own a queue has none to post.
    assert_eq!(new().post_own([0].into_iter()), Err(full));
}
