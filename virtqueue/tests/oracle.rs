//! `virtio-queue` as the oracle: both devices on the same driver's rings leave the same memory and
//! read the same frames, and its device understands our driver, notifications included.
#![cfg(not(miri))] // it maps memory

#[allow(unsafe_code)]
#[path = "unsafe_memory/mapped.rs"]
mod unsafe_mapped;

use std::io::{Read, Write};
use std::sync::atomic::Ordering;

use pinode_virtqueue::{DriverQueue, QueueLayout, Receiveq, Transmitq, TxFrame};
use proptest::collection::vec;
use proptest::prelude::*;
use unsafe_mapped::{mapped, ram_of};
use virtio_queue::desc::RawDescriptor;
use virtio_queue::desc::split::Descriptor;
use virtio_queue::mock::{AvailRing, DescriptorTable, UsedRing};
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const RAM: usize = 0x10_0000;
const BUFFERS: u64 = 0x4_0000;
const WRITE: u16 = 2;
const NEXT: u16 = 1;
const HEADER: usize = 12;

/// The oracle's driver side of the rings, on memory of its own.
struct Driver<'m> {
    memory: &'m GuestMemoryMmap<()>,
    layout: QueueLayout,
    table: DescriptorTable<'m, GuestMemoryMmap<()>>,
    avail: AvailRing<'m, GuestMemoryMmap<()>>,
    used: UsedRing<'m, GuestMemoryMmap<()>>,
}

impl<'m> Driver<'m> {
    fn new(memory: &'m GuestMemoryMmap<()>, size: u16) -> Self {
        let layout = QueueLayout::contiguous(0x1000, size, false);
        Driver {
            memory,
            layout,
            table: DescriptorTable::new(memory, GuestAddress(layout.desc), size),
            avail: AvailRing::new(memory, GuestAddress(layout.avail), size),
            used: UsedRing::new(memory, GuestAddress(layout.used), size),
        }
    }

    /// Offers chains of these segment lengths on descriptors spread over the table by `stride`,
    /// which is odd. All earlier chains are taken back.
    fn offer(&self, chains: &[Vec<u16>], stride: u16, flags: u16) {
        let mut used = 0u16;
        let index = |n: u16| n.wrapping_mul(stride) % self.layout.size;
        for chain in chains {
            let head = index(used);
            for (i, len) in chain.iter().enumerate() {
                let addr = BUFFERS + 2048 * u64::from(used) + u64::from(used % 7);
                let more = i + 1 < chain.len();
                let descriptor = Descriptor::new(
                    addr,
                    u32::from(*len),
                    flags | if more { NEXT } else { 0 },
                    index(used + 1),
                );
                self.table
                    .store(index(used), RawDescriptor::from(descriptor))
                    .unwrap();
                used += 1;
            }
            let avail = self.avail.idx().load();
            let entry = usize::from(avail % self.layout.size);
            self.avail.ring().ref_at(entry).unwrap().store(head);
            self.avail.idx().store(avail.wrapping_add(1));
        }
    }

    fn fill_buffers(&self, seed: u8) {
        let octets: Vec<u8> = (0..RAM as u64 - BUFFERS)
            .map(|i| (i.wrapping_mul(167) >> 3) as u8 ^ seed)
            .collect();
        self.memory
            .write_slice(&octets, GuestAddress(BUFFERS))
            .unwrap();
    }

    /// Used index, used entries, and all buffers.
    fn outcome(&self) -> (u16, Vec<(u32, u32)>, Vec<u8>) {
        let entries = (0..self.layout.size.into())
            .map(|i| self.used.ring().ref_at(i).unwrap().load())
            .map(|element| (element.id(), element.len()))
            .collect();
        let mut buffers = vec![0; RAM - BUFFERS as usize];
        self.memory
            .read_slice(&mut buffers, GuestAddress(BUFFERS))
            .unwrap();
        (self.used.idx().load(), entries, buffers)
    }

    fn oracle(&self) -> Queue {
        oracle(&self.layout)
    }
}

/// The oracle's device side of a queue.
fn oracle(layout: &QueueLayout) -> Queue {
    let mut queue = Queue::new(layout.size).unwrap();
    queue.set_size(layout.size);
    queue.set_desc_table_address(Some(layout.desc as u32), Some(0));
    queue.set_avail_ring_address(Some(layout.avail as u32), Some(0));
    queue.set_used_ring_address(Some(layout.used as u32), Some(0));
    queue.set_event_idx(layout.event_idx);
    queue.set_ready(true);
    queue
}

/// Chains of 1 to 4 segments that hold 12 + 14 to 2000 octets in all.
fn chains() -> impl Strategy<Value = Vec<Vec<u16>>> {
    let chain = prop_oneof![
        (26..1600u16).prop_map(|len| vec![len]),
        (14..1600u16).prop_map(|len| vec![12, len]),
        vec(0..500u16, 1..4).prop_map(|mut lens| {
            lens.push(26);
            lens
        }),
    ];
    vec(chain, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() })]

    #[test]
    fn transmit(rounds in vec((chains(), any::<u16>(), any::<u8>()), 1..12)) {
        let (ours, theirs) = (mapped(RAM), mapped(RAM));
        let drivers = [Driver::new(&ours, 32), Driver::new(&theirs, 32)];
        let mut queue = Transmitq::new(ram_of(&ours), &drivers[0].layout).unwrap();
        let mut oracle = drivers[1].oracle();
        for (chains, stride, seed) in rounds {
            for driver in &drivers {
                driver.fill_buffers(seed);
                driver.offer(&chains, stride | 1, 0);
            }
            let mut frames: Vec<TxFrame> = Vec::new();
            let harvest = queue.harvest(64, |frame| frames.push(frame)).unwrap();
            prop_assert_eq!((usize::from(harvest.frames), harvest.malformed), (chains.len(), 0));
            for frame in frames {
                let mut copy = vec![0; frame.len() as usize];
                queue.read(&frame, 0, &mut copy).unwrap();
                queue.complete(frame);

                let chain = oracle.pop_descriptor_chain(&theirs).unwrap();
                let head = chain.head_index();
                let mut stream = Vec::new();
                chain.reader(&theirs).unwrap().read_to_end(&mut stream).unwrap();
                oracle.add_used(&theirs, head, 0).unwrap();
                prop_assert_eq!(&copy, &stream[HEADER..]);
            }
            queue.publish();
            prop_assert!(drivers[0].outcome() == drivers[1].outcome());
        }
    }

    #[test]
    fn receive(rounds in vec((chains(), any::<u16>(), any::<u8>(), any::<u8>()), 1..12), mrg: bool) {
        let (ours, theirs) = (mapped(RAM), mapped(RAM));
        let drivers = [Driver::new(&ours, 32), Driver::new(&theirs, 32)];
        let mut queue = Receiveq::new(ram_of(&ours), &drivers[0].layout, mrg).unwrap();
        let mut oracle = drivers[1].oracle();
        for (chains, stride, seed, octet) in rounds {
            for driver in &drivers {
                driver.fill_buffers(seed);
                driver.offer(&chains, stride | 1, WRITE);
            }
            for chain in &chains {
                let room = chain.iter().map(|len| usize::from(*len)).sum::<usize>() - HEADER;
                // As large as it gets, or less.
                let octets = vec![octet; if octet & 1 == 0 { room } else { room / 2 }];
                let (prefix, body) = octets.split_at(octets.len().min(15));
                queue.deliver(prefix, body).unwrap();

                let chain = oracle.pop_descriptor_chain(&theirs).unwrap();
                let head = chain.head_index();
                let mut writer = chain.writer(&theirs).unwrap();
                writer.write_all(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]).unwrap();
                writer.write_all(&octets).unwrap();
                oracle.add_used(&theirs, head, writer.bytes_written() as u32).unwrap();
            }
            queue.publish();
            prop_assert!(drivers[0].outcome() == drivers[1].outcome());
        }
    }

    /// Their device against our driver, a random mix of bursts, arming and kicks.
    #[test]
    fn driver(
        shift in 1..8u32, event_idx: bool,
        ops in vec((0..6u8, any::<u8>()), 0..400),
    ) {
        let memory = mapped(RAM);
        let size = 1 << shift;
        let layout = QueueLayout::contiguous(0x1000, size, event_idx);
        let mut driver = DriverQueue::new(ram_of(&memory), &layout).unwrap();
        let mut oracle = oracle(&layout);
        prop_assert!(oracle.is_valid(&memory));

        let mut posted = std::collections::VecDeque::new();
        let mut used = std::collections::VecDeque::new();
        let (mut kick, mut kick_from) = (true, 0u64); // asked for, and the entry that earns it
        oracle.enable_notification(&memory).unwrap();
        let (mut entries, mut shown, mut settled) = (0u64, 0u64, 0u64);
        let (mut taken, mut given) = (0u64, 0u64);
        let mut event = None; // the count of used buffers that earns an interrupt
        for (op, number) in ops {
            match op {
                0 => for _ in 0..number % 8 {
                    if driver.free() == 0 { break }
                    let token = entries as u32;
                    let addr = BUFFERS + 64 * (entries % 1024);
                    memory.write_obj(entries, GuestAddress(addr)).unwrap();
                    driver.post(token, addr, 64, number & 8 != 0).unwrap();
                    posted.push_back((token, number & 8 != 0));
                    entries += 1;
                },
                1 => {
                    let wants = driver.publish();
                    prop_assert_eq!(oracle.avail_idx(&memory, Ordering::Acquire).unwrap().0, entries as u16);
                    if event_idx {
                        let earned = kick && entries > kick_from && settled <= kick_from;
                        prop_assert_eq!(wants, earned);
                    } else {
                        prop_assert_eq!(wants, kick && entries > settled);
                    }
                    settled = entries;
                    shown = entries;
                }
                2 => if number & 1 == 0 {
                    let waiting = oracle.enable_notification(&memory).unwrap();
                    (kick, kick_from) = (true, given);
                    prop_assert_eq!(waiting, shown > given);
                } else if !event_idx {
                    // With EVENT_IDX theirs leaves the old event, ours is compared only as asked.
                    oracle.disable_notification(&memory).unwrap();
                    kick = false;
                },
                3 => for _ in 0..number % 8 {
                    let Some(chain) = oracle.pop_descriptor_chain(&memory) else {
                        prop_assert_eq!(shown, given);
                        break;
                    };
                    let head = chain.head_index();
                    let (token, writes) = posted.pop_front().unwrap();
                    let descriptor = chain.clone().next().unwrap();
                    prop_assert_eq!(descriptor.is_write_only(), writes);
                    prop_assert_eq!(descriptor.addr().0, BUFFERS + 64 * (u64::from(token) % 1024));
                    prop_assert_eq!((descriptor.len(), descriptor.has_next()), (64, false));
                    let before = given;
                    given += 1;
                    oracle.add_used(&memory, head, 7).unwrap();
                    used.push_back((token, if writes { 7 } else { 0 }));
                    let needs = oracle.needs_notification(&memory).unwrap();
                    // Without EVENT_IDX theirs does not look at the flags.
                    let earned = event.is_some_and(|event| given >= event && before < event);
                    let earned = earned || !event_idx;
                    prop_assert_eq!(needs, earned, "interrupt at {}", given);
                },
                4 => {
                    let mut got = Vec::new();
                    driver.take(usize::from(number % 16), |token, len| got.push((token, len))).unwrap();
                    for one in got {
                        prop_assert_eq!(Some(one), used.pop_front());
                        taken += 1;
                    }
                }
                _ => if number & 1 == 0 {
                    driver.disarm();
                    event = None;
                } else {
                    let after = u64::from(number / 2 % 4 + 1).min(u64::from(size));
                    event = Some(taken + after);
                    let there = given - taken >= if event_idx { after } else { 1 };
                    prop_assert_eq!(driver.arm(after as u16), there);
                },
            }
            prop_assert_eq!(driver.has_used(), given > taken);
        }
    }

    /// Their device reads what our driver sends under one header: each chain is that header and
    /// one buffer, in the order posted, and what theirs gives back ours knows.
    #[test]
    fn one_header(
        shift in 1..8u32, header in vec(any::<u8>(), 1..40), event_idx: bool,
        ops in vec((0..3u8, any::<u8>(), 1..1500u16), 0..300),
    ) {
        let memory = mapped(RAM);
        let size = 1u16 << shift;
        let layout = QueueLayout::contiguous(0x1000, size, event_idx);
        memory.write_slice(&header, GuestAddress(0x800)).unwrap();
        let octets = header.len() as u32;
        let mut driver = DriverQueue::with_header(ram_of(&memory), &layout, 0x800, octets).unwrap();
        let mut oracle = oracle(&layout);
        let mut posted = std::collections::VecDeque::new();
        let mut taken: Vec<(u16, u32)> = Vec::new();
        let mut used = std::collections::VecDeque::new();
        let mut entries = 0u32;
        for (op, number, len) in ops {
            match op {
                0 => {
                    for _ in 0..number % 8 {
                        if driver.free() == 0 { break }
                        let addr = BUFFERS + 1500 * u64::from(entries % 256);
                        let frame: Vec<u8> = (0..len).map(|at| at as u8 ^ entries as u8).collect();
                        // At most 64 are in flight, so this place is free.
                        memory.write_slice(&frame, GuestAddress(addr)).unwrap();
                        driver.post(entries, addr, len.into(), false).unwrap();
                        posted.push_back((entries, frame));
                        entries += 1;
                    }
                    driver.expose();
                    prop_assert_eq!(oracle.avail_idx(&memory, Ordering::Acquire).unwrap().0, entries as u16);
                }
                1 => for _ in 0..number % 8 {
                    let Some(chain) = oracle.pop_descriptor_chain(&memory) else {
                        prop_assert!(posted.is_empty());
                        break;
                    };
                    let head = chain.head_index();
                    prop_assert!(head < size / 2);
                    prop_assert_eq!(chain.clone().count(), 2);
                    prop_assert!(chain.clone().all(|part| !part.is_write_only()));
                    let mut stream = Vec::new();
                    chain.reader(&memory).unwrap().read_to_end(&mut stream).unwrap();
                    let (token, frame) = posted.pop_front().unwrap();
                    prop_assert_eq!(&stream, &[&header[..], &frame].concat());
                    taken.push((head, token));
                },
                _ => {
                    // Given back in any order.
                    for _ in 0..number % 8 {
                        if taken.is_empty() { break }
                        let (head, token) = taken.swap_remove(usize::from(number) % taken.len());
                        oracle.add_used(&memory, head, u32::from(number)).unwrap();
                        used.push_back(token);
                    }
                    driver.take(usize::MAX, |token, len| {
                        // It only reads, whatever it says.
                        assert_eq!((Some(token), 0), (used.pop_front(), len));
                    }).unwrap();
                    prop_assert!(used.is_empty());
                }
            }
            let in_flight = posted.len() + taken.len() + used.len();
            prop_assert_eq!(usize::from(driver.free()) + in_flight, usize::from(size / 2));
        }
    }
}
