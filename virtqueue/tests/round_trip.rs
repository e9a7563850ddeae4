//! Device and driver of this crate against each other, compared with a model: every frame arrives
//! once, whole and in order, and a refusal has its reason.

mod unsafe_memory;

use std::collections::VecDeque;

use pinode_virtqueue::{
    DriverQueue, MAX_SEGMENTS, NET_HEADER, QueueError, QueueLayout, Receiveq, Refused, Transmitq,
    TxFrame,
};
use proptest::collection::vec;
use proptest::prelude::*;
use unsafe_memory::Memory;

const CASES: u32 = if cfg!(miri) { 3 } else { 300 };
const OPS: usize = if cfg!(miri) { 40 } else { 400 };
const RAM: usize = 0x8_0000;
const BUFFERS: u64 = 0x2_0000;
const STRIDE: u64 = 2048;

#[derive(Clone, Copy, Debug)]
enum Op {
    Post(u8),
    PublishDriver,
    /// Prefix octets, body octets.
    Frame(u8, u16),
    PublishDevice,
    Take(u8),
    /// Which of the held frames.
    Complete(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..40u8).prop_map(Op::Post),
        Just(Op::PublishDriver),
        (0..32u8, 14..1600u16).prop_map(|(prefix, body)| Op::Frame(prefix, body)),
        (0..32u8, 14..100u16).prop_map(|(prefix, body)| Op::Frame(prefix, body)),
        Just(Op::PublishDevice),
        (0..40u8).prop_map(Op::Take),
        any::<u8>().prop_map(Op::Complete),
    ]
}

/// Octets of the frame with this number.
fn frame(number: u64, octets: usize) -> Vec<u8> {
    (0..octets as u64)
        .map(|i| (number.wrapping_mul(31) ^ i.wrapping_mul(7)) as u8)
        .collect()
}

/// Moves both sides' indices on by `entries`, one by one.
fn spin_receive(driver: &mut DriverQueue, device: &mut Receiveq, entries: u32) {
    for _ in 0..entries {
        driver.post(0, BUFFERS, 256, true).unwrap();
        driver.publish();
        device.deliver(&[], &[0; 14]).unwrap();
        device.publish();
        assert_eq!(driver.take(1, |_, len| assert_eq!(len, 26)), Ok(1));
    }
}

fn spin_transmit(driver: &mut DriverQueue, device: &mut Transmitq, entries: u32) {
    for _ in 0..entries {
        driver.post(0, BUFFERS, 256, false).unwrap();
        driver.publish();
        let mut frame = None;
        device
            .harvest(1, |harvested| frame = Some(harvested))
            .unwrap();
        device.complete(frame.unwrap());
        device.publish();
        assert_eq!(driver.take(1, |_, _| ()), Ok(1));
    }
}

/// Octets of a mergeable buffer; mostly so many that [`MAX_SEGMENTS`] of them hold any frame here.
fn small_buffer() -> impl Strategy<Value = u32> {
    prop_oneof![1 => 12..100u32, 3 => 100..400u32]
}

/// Entries before the test proper, so that it crosses the end of the 16-bit indices.
fn spin() -> impl Strategy<Value = u32> {
    if cfg!(miri) {
        (0..3u32).boxed()
    } else {
        prop_oneof![0..3u32, 65_000..65_536u32].boxed()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    #[test]
    fn receive(
        shift in 0..8u32, event_idx: bool, mrg: bool, small in small_buffer(), spun in spin(),
        ops in vec(op(), 0..OPS),
    ) {
        let memory = Memory::new(RAM);
        let size: u16 = 1 << shift;
        let layout = QueueLayout::contiguous(0x1000, size, event_idx);
        let mut driver = DriverQueue::new(memory.ram(), &layout).unwrap();
        let mut device = Receiveq::new(memory.ram(), &layout, mrg).unwrap();
        spin_receive(&mut driver, &mut device, spun);
        let buffer = if mrg { small } else { 1700 };

        let mut next_token = 0;
        let mut shown = VecDeque::new();  // tokens the device may use
        // Frames (header, prefix, body), each with its tokens, in the order of delivery.
        let mut delivered: VecDeque<(Vec<u8>, Vec<u32>)> = VecDeque::new();
        let mut unpublished = 0;
        let mut partial: Vec<(u32, Vec<u8>)> = Vec::new();
        let mut tokens_posted = VecDeque::new();
        let mut number = 0;
        let mut visible = 0;              // buffers the driver may take

        for op in ops {
            match op {
                Op::Post(count) => for _ in 0..count {
                    let addr = BUFFERS + STRIDE * (next_token % 128);
                    let result = driver.post(next_token as u32, addr, buffer, true);
                    if tokens_posted.len() + shown.len() + unpublished + visible == usize::from(size) {
                        prop_assert_eq!(result, Err(QueueError::RingFull { size }));
                        break;
                    }
                    prop_assert_eq!(result, Ok(()));
                    tokens_posted.push_back(next_token as u32);
                    next_token += 1;
                },
                Op::PublishDriver => {
                    driver.publish();
                    shown.append(&mut tokens_posted);
                }
                Op::Frame(prefix, body) => {
                    let octets = frame(number, usize::from(prefix) + usize::from(body));
                    let (first, rest) = octets.split_at(prefix.into());
                    let need = octets.len() as u32 + NET_HEADER;
                    let buffers = need.div_ceil(buffer) as usize;
                    let result = device.deliver(first, rest);
                    if buffers > usize::from(MAX_SEGMENTS) || (buffers > usize::from(size) && shown.len() == usize::from(size)) {
                        // Longer than the bound, or than the whole queue: refused in any case.
                        prop_assert!(result.is_err());
                        if result != Err(Refused::Full) { return Ok(()); }
                        continue;
                    }
                    if buffers > shown.len() {
                        prop_assert_eq!(result, Err(Refused::Full));
                        continue;
                    }
                    prop_assert_eq!(result, Ok(()));
                    let mut stream = vec![0; 10];
                    stream.extend((buffers as u16).to_le_bytes());
                    stream.extend(&octets);
                    let tokens = shown.drain(..buffers).collect();
                    delivered.push_back((stream, tokens));
                    unpublished += buffers;
                    number += 1;
                }
                Op::PublishDevice => {
                    device.publish();
                    visible += unpublished;
                    unpublished = 0;
                }
                Op::Take(max) => {
                    prop_assert_eq!(driver.has_used(), visible > 0);
                    let mut peeked = Vec::new();
                    driver.peek(max.into(), |token| peeked.push(token));
                    let taken = driver.take(max.into(), |token, len| {
                        // Read at once: the buffer may be posted again before the frame is whole.
                        let mut part = vec![0; len as usize];
                        let addr = BUFFERS + STRIDE * (u64::from(token) % 128);
                        memory.ram().read(addr, &mut part).unwrap();
                        partial.push((token, part));
                    });
                    prop_assert_eq!(taken, Ok(visible.min(max.into())));
                    let last = partial.len() - taken.unwrap();
                    // What was seen before: the first of them.
                    let tokens: Vec<u32> = partial[last..].iter().map(|(token, _)| *token).collect();
                    prop_assert!(tokens.starts_with(&peeked));
                    visible -= taken.unwrap();
                    while let Some((stream, tokens)) = delivered.front()
                        && partial.len() >= tokens.len()
                    {
                        let mut received = Vec::new();
                        for (got, expected) in partial.drain(..tokens.len()).zip(tokens) {
                            prop_assert_eq!(got.0, *expected);
                            received.extend(got.1);
                        }
                        prop_assert_eq!(&received, stream);
                        delivered.pop_front();
                    }
                }
                Op::Complete(_) => {}
            }
        }
        memory.assert_canaries();
    }

    #[test]
    fn transmit(
        shift in 0..8u32, event_idx: bool, spun in spin(), ops in vec(op(), 0..OPS),
    ) {
        let memory = Memory::new(RAM);
        let size: u16 = 1 << shift;
        let layout = QueueLayout::contiguous(0x1000, size, event_idx);
        let mut driver = DriverQueue::new(memory.ram(), &layout).unwrap();
        let mut device = Transmitq::new(memory.ram(), &layout).unwrap();
        spin_transmit(&mut driver, &mut device, spun);

        let mut free: VecDeque<u32> = (0..u32::from(size)).collect();  // buffers of the guest
        let mut posted = VecDeque::new();
        let mut shown: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
        let mut held: Vec<(TxFrame, u32, Vec<u8>)> = Vec::new();
        let mut completed = VecDeque::new();
        let mut visible = VecDeque::new();
        let mut number = 0;

        for op in ops {
            match op {
                Op::Frame(_, octets) => {
                    let Some(token) = free.pop_front() else { continue };
                    let octets = frame(number, octets.into());
                    let addr = BUFFERS + STRIDE * u64::from(token);
                    memory.write(addr, &[0; NET_HEADER as usize]);
                    memory.write(addr + u64::from(NET_HEADER), &octets);
                    driver.post(token, addr, octets.len() as u32 + NET_HEADER, false).unwrap();
                    posted.push_back((token, octets));
                    number += 1;
                }
                Op::PublishDriver => { driver.publish(); shown.append(&mut posted); }
                Op::Post(max) => {
                    let mut frames = Vec::new();
                    let harvest = device.harvest(max.into(), |frame| frames.push(frame)).unwrap();
                    prop_assert_eq!(usize::from(harvest.frames), shown.len().min(max.into()));
                    prop_assert_eq!(harvest.malformed, 0);
                    for frame in frames {
                        let (token, octets) = shown.pop_front().unwrap();
                        held.push((frame, token, octets));
                    }
                }
                Op::Complete(which) => if !held.is_empty() {
                    // In any order: the level 2 disciplines reorder.
                    let (frame, token, octets) = held.swap_remove(usize::from(which) % held.len());
                    prop_assert_eq!(frame.len() as usize, octets.len());
                    let mut copy = vec![0; octets.len()];
                    device.read(&frame, 0, &mut copy).unwrap();
                    prop_assert_eq!(&copy, &octets);
                    let at = octets.len() / 2;
                    device.read(&frame, at as u32, &mut copy[..octets.len() - at]).unwrap();
                    prop_assert_eq!(&copy[..octets.len() - at], &octets[at..]);
                    device.complete(frame);
                    completed.push_back(token);
                },
                Op::PublishDevice => { device.publish(); visible.append(&mut completed); }
                Op::Take(max) => {
                    let (mut peeked, mut tokens) = (Vec::new(), Vec::new());
                    driver.peek(max.into(), |token| peeked.push(token));
                    driver.take(max.into(), |token, len| { assert_eq!(len, 0); tokens.push(token) }).unwrap();
                    prop_assert!(tokens.starts_with(&peeked));
                    prop_assert_eq!(tokens.len(), visible.len().min(max.into()));
                    // A look sees all that is there: what it did not take is known to be next.
                    if peeked.len() < max.into() && max > 0 {
                        let mut next = Vec::new();
                        driver.peek(usize::MAX, |token| next.push(token));
                        prop_assert!(next.iter().eq(visible.iter().skip(tokens.len())));
                    }
                    for token in tokens {
                        prop_assert_eq!(Some(token), visible.pop_front());
                        free.push_back(token);
                    }
                }
            }
            prop_assert_eq!(usize::from(device.outstanding()), held.len());
            prop_assert_eq!(usize::from(driver.free()), free.len());
        }
        memory.assert_canaries();
    }
}

#[test]
fn bursts_go_around_the_indices_many_times() {
    let rounds = if cfg!(miri) { 3 } else { 40_000 };
    let memory = Memory::new(RAM);
    for event_idx in [false, true] {
        let layout = QueueLayout::contiguous(0x1000, 64, event_idx);
        let mut driver = DriverQueue::new(memory.ram(), &layout).unwrap();
        let mut device = Receiveq::new(memory.ram(), &layout, false).unwrap();
        let mut sent = 0u64;
        let mut received = 0u64;
        for round in 0..rounds {
            while driver.free() > 0 {
                driver
                    .post(0, BUFFERS + STRIDE * u64::from(driver.free()), 128, true)
                    .unwrap();
            }
            driver.publish();
            for _ in 0..1 + round % 64 {
                device.deliver(&[1], &sent.to_le_bytes().repeat(2)).unwrap();
                sent += 1;
            }
            device.publish();
            received += driver
                .take(64, |_, len| assert_eq!(len, 12 + 1 + 16))
                .unwrap() as u64;
            assert_eq!(sent, received);
        }
    }
}

#[test]
fn header_and_frame_may_be_split_anywhere() {
    let memory = Memory::new(RAM);
    let layout = QueueLayout::contiguous(0x1000, 8, false);
    let octets = frame(5, 60);
    for first in (0..=72u32).step_by(if cfg!(miri) { 11 } else { 1 }) {
        for second in [0, 1, 12, 72 - first] {
            let lens = [
                first,
                second.min(72 - first),
                (72 - first).saturating_sub(second),
            ];
            let mut stream = vec![0; 12];
            stream.extend(&octets);
            let mut rest = stream.as_slice();
            DriverQueue::new(memory.ram(), &layout).unwrap();
            for (index, len) in (0..).zip(lens) {
                let (now, later) = rest.split_at(len as usize);
                let addr = BUFFERS + STRIDE * u64::from(index);
                memory.write(addr, now);
                let flags = if index < 2 { 1 } else { 0 };
                memory.set_descriptor(layout.desc, index, (addr, len, flags, index + 1));
                rest = later;
            }
            memory.set_u16(layout.avail + 2, 1);
            let mut device = Transmitq::new(memory.ram(), &layout).unwrap();
            let mut frames = Vec::new();
            let harvest = device.harvest(8, |frame| frames.push(frame)).unwrap();
            assert_eq!((harvest.frames, harvest.malformed), (1, 0), "{lens:?}");
            for offset in [0, 1, 13, 59, 60] {
                let mut copy = vec![0; 60 - offset];
                device.read(&frames[0], offset as u32, &mut copy).unwrap();
                assert_eq!(copy, octets[offset..], "{lens:?} from {offset}");
            }

            // The same buffers the other way.
            for (index, len) in (0..).zip(lens) {
                let addr = BUFFERS + STRIDE * u64::from(index);
                memory.write(addr, &[0xEE; 80]);
                let flags = if index < 2 { 3 } else { 2 };
                memory.set_descriptor(layout.desc, index, (addr, len, flags, index + 1));
            }
            let mut device = Receiveq::new(memory.ram(), &layout, first % 2 == 0).unwrap();
            device.deliver(&octets[..15], &octets[15..]).unwrap();
            let mut received = Vec::new();
            for (index, len) in (0..).zip(lens) {
                let mut part = vec![0; len as usize];
                memory
                    .ram()
                    .read(BUFFERS + STRIDE * index, &mut part)
                    .unwrap();
                received.extend(part);
            }
            stream[10] = 1;
            assert_eq!(received, stream, "{lens:?}");
        }
    }
}
