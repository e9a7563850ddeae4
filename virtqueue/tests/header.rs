//! A driver that sends every frame under one header, against this crate's device: the frames are
//! what they would be with a header of their own, and the table is written once.

mod unsafe_memory;

use std::collections::VecDeque;

use pinode_virtqueue::{DriverQueue, NET_HEADER, QueueError, QueueLayout, Transmitq, TxFrame};
use proptest::collection::vec;
use proptest::prelude::*;
use unsafe_memory::Memory;

const CASES: u32 = if cfg!(miri) { 3 } else { 300 };
const OPS: usize = if cfg!(miri) { 40 } else { 400 };
/// Entries that both indices are moved on by first: over the end of 16 bits.
const SPIN: u32 = if cfg!(miri) { 1 } else { 70_000 };
const RAM: usize = 0x8_0000;
const RINGS: u64 = 0x1000;
const HEADER: u64 = 0x800;
const BUFFERS: u64 = 0x2_0000;
const STRIDE: u64 = 2048;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// So many frames, of so many octets.
    Send(u8, u16),
    Harvest(u8),
    /// Which of the held frames.
    Complete(u8),
    Take(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..40u8, 14..1600u16).prop_map(|(count, octets)| Op::Send(count, octets)),
        (0..40u8).prop_map(Op::Harvest),
        any::<u8>().prop_map(Op::Complete),
        any::<u8>().prop_map(Op::Complete),
        (0..40u8).prop_map(Op::Take),
    ]
}

fn pair(memory: &Memory, size: u16) -> (DriverQueue, Transmitq) {
    let layout = QueueLayout::contiguous(RINGS, size, true);
    let octets = NET_HEADER;
    let driver = DriverQueue::with_header(memory.ram(), &layout, HEADER, octets).unwrap();
    (driver, Transmitq::new(memory.ram(), &layout).unwrap())
}

/// The first half of the table: what the heads say.
fn heads(memory: &Memory, size: u16) -> Vec<[u8; 16]> {
    (0..u64::from(size / 2))
        .map(|head| memory.read(RINGS + 16 * head))
        .collect()
}

fn read(device: &Transmitq, frame: &TxFrame) -> Vec<u8> {
    let mut copy = vec![0; frame.len() as usize];
    device.read(frame, 0, &mut copy).unwrap();
    copy
}

fn spin(driver: &mut DriverQueue, device: &mut Transmitq, entries: u32) {
    for entry in 0..entries {
        driver.post(entry, BUFFERS, 60, false).unwrap();
        driver.expose();
        let mut frame = None;
        device.harvest(1, |taken| frame = Some(taken)).unwrap();
        device.complete(frame.unwrap());
        device.publish();
        assert_eq!(driver.take(1, |token, _| assert_eq!(token, entry)), Ok(1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_arrive_once_whole_and_in_order(
        shift in 1..8u32, far: bool, ops in vec(op(), 1..OPS),
    ) {
        let size = 1u16 << shift;
        let places = usize::from(size / 2);
        let memory = Memory::new(RAM);
        let (mut driver, mut device) = pair(&memory, size);
        let table = heads(&memory, size);
        if far {
            // Few cases may spin far, or this takes minutes.
            spin(&mut driver, &mut device, if shift == 1 { SPIN } else { 3 * u32::from(size) + 1 });
        }
        // Frames by token: on their way, taken by the device, given back.
        let mut sent: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
        let mut held: Vec<(u32, Vec<u8>, TxFrame)> = Vec::new();
        let mut used: VecDeque<u32> = VecDeque::new();
        let mut free: Vec<u32> = (0..places as u32).collect();
        let mut serial = 0u8;
        for op in ops {
            match op {
                Op::Send(count, octets) => for _ in 0..count {
                    let Some(token) = free.pop() else {
                        let full = driver.post(0, BUFFERS, 60, false);
                        prop_assert_eq!(full, Err(QueueError::RingFull { size }));
                        break;
                    };
                    serial = serial.wrapping_add(1);
                    let frame: Vec<u8> = (0..octets).map(|at| at as u8 ^ serial).collect();
                    let addr = BUFFERS + STRIDE * u64::from(token);
                    memory.write(addr, &frame);
                    driver.post(token, addr, octets.into(), false).unwrap();
                    sent.push_back((token, frame));
                },
                Op::Harvest(max) => {
                    driver.expose();
                    let max = usize::from(max);
                    let mut got = Vec::new();
                    let harvest = device.harvest(max, |frame| got.push(frame)).unwrap();
                    prop_assert_eq!(harvest.malformed, 0);
                    // A chain of two descriptors costs no more than one of one: a full burst comes.
                    prop_assert_eq!(got.len(), max.min(sent.len()));
                    for frame in got {
                        let (token, expected) = sent.pop_front().unwrap();
                        held.push((token, expected, frame));
                    }
                }
                Op::Complete(which) => if !held.is_empty() {
                    let (token, expected, frame) = held.swap_remove(usize::from(which) % held.len());
                    prop_assert_eq!(read(&device, &frame), expected);
                    device.complete(frame);
                    device.publish();
                    used.push_back(token);
                },
                Op::Take(max) => {
                    let mut back = Vec::new();
                    driver.take(max.into(), |token, len| back.push((token, len))).unwrap();
                    prop_assert_eq!(back.len(), usize::from(max).min(used.len()));
                    for (token, len) in back {
                        prop_assert_eq!((Some(token), 0), (used.pop_front(), len));
                        free.push(token);
                    }
                }
            }
            prop_assert_eq!(usize::from(driver.free()), free.len());
        }
        prop_assert_eq!(heads(&memory, size), table, "a head was written again");
        memory.assert_canaries();
    }
}

#[test]
fn half_as_many_buffers_fit_and_all_of_them() {
    for size in [2u16, 4, 256] {
        let memory = Memory::new(RAM);
        let (mut driver, mut device) = pair(&memory, size);
        assert_eq!(driver.free(), size / 2);
        for round in 0..5u32 {
            for token in 0..u32::from(size / 2) {
                driver.post(token + round, BUFFERS, 60, false).unwrap();
            }
            let full = driver.post(9, BUFFERS, 60, false);
            assert_eq!(full, Err(QueueError::RingFull { size }));
            driver.expose();
            let mut frames = Vec::new();
            let harvest = device.harvest(usize::MAX, |frame| frames.push(frame));
            assert_eq!(harvest.unwrap().frames, size / 2);
            for frame in frames {
                device.complete(frame);
            }
            device.publish();
            let taken = driver.take(usize::MAX, |_, _| ());
            assert_eq!(taken, Ok(usize::from(size / 2)));
        }
    }
}

#[test]
fn a_header_that_cannot_be_is_refused() {
    let ram = RAM as u64;
    let layout = |size| QueueLayout::contiguous(RINGS, size, true);
    let with = |size, header, octets| {
        let memory = Memory::new(RAM);
        DriverQueue::with_header(memory.ram(), &layout(size), header, octets).map(|_| ())
    };
    assert_eq!(with(1, HEADER, 12), Err(QueueError::Size { size: 1 }));
    assert_eq!(with(8, HEADER, 0), Err(QueueError::EmptyBuffer));
    for (addr, len) in [(ram - 11, 12), (ram + 1, 1), (u64::MAX, u32::MAX)] {
        let outside = Err(QueueError::BufferOutside {
            head: 0,
            addr,
            len: len.into(),
            ram,
        });
        assert_eq!(with(8, addr, len), outside);
    }
    assert_eq!(with(8, ram - 12, 12), Ok(()));
}

/// A device that gives back a body's descriptor, which is no head, is refused for good.
#[test]
fn the_descriptor_of_a_body_is_no_head() {
    let memory = Memory::new(RAM);
    let (mut driver, _) = pair(&memory, 8);
    let used = QueueLayout::contiguous(RINGS, 8, true).used;
    driver.post(1, BUFFERS, 60, false).unwrap();
    driver.expose();
    memory.write(used + 4, &4u32.to_le_bytes());
    memory.set_u16(used + 2, 1);
    let error = Err(QueueError::UsedId { id: 4 });
    assert_eq!(driver.take(1, |_, _| ()), error);
    assert_eq!(driver.post(2, BUFFERS, 60, false).map(|()| 0), error);
}
