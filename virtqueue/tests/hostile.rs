//! Hostile peers: random garbage, and each known trick by itself.

mod script;
mod unsafe_memory;

use pinode_virtqueue::{
    DriverQueue, HARVEST_DESCRIPTORS, MAX_MALFORMED, MAX_SEGMENTS, QueueError, QueueLayout,
    Receiveq, Refused, Transmitq,
};
use proptest::prelude::*;
use unsafe_memory::Memory;

const CASES: u32 = if cfg!(miri) { 4 } else { 2000 };
const SCRIPT: usize = if cfg!(miri) { 200 } else { 3000 };
const RAM: usize = 0x2_0000;
const BUFFER: u64 = 0x1_0000;
const WRITE: u16 = 2;
const NEXT: u16 = 1;
const INDIRECT: u16 = 4;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_garbage_driver_breaks_no_promise(octets in proptest::collection::vec(any::<u8>(), 0..SCRIPT)) {
        script::run_device(&octets);
    }

    #[test]
    fn a_garbage_device_breaks_no_promise(octets in proptest::collection::vec(any::<u8>(), 0..SCRIPT)) {
        script::run_driver(&octets);
    }
}

/// A queue of 8 whose driver's words are written by hand.
struct Table {
    memory: Memory,
    layout: QueueLayout,
}

impl Table {
    fn new() -> Self {
        Table {
            memory: Memory::new(RAM),
            layout: QueueLayout::contiguous(0, 8, true),
        }
    }

    /// Makes `chain` available on descriptors 0, 1, ..., and the head as `heads` times.
    fn offer(&self, chain: &[(u64, u32, u16, u16)], heads: u16) {
        for (index, claim) in (0..).zip(chain) {
            self.memory.set_descriptor(self.layout.desc, index, *claim);
        }
        self.memory.set_u16(self.layout.avail + 2, heads);
    }

    fn harvest(&self) -> Result<u16, QueueError> {
        let mut queue = Transmitq::new(self.memory.ram(), &self.layout).unwrap();
        queue.harvest(64, |_| ()).map(|harvest| harvest.frames)
    }

    fn deliver(&self, mrg_rxbuf: bool) -> Result<(), Refused> {
        let mut queue = Receiveq::new(self.memory.ram(), &self.layout, mrg_rxbuf).unwrap();
        queue.deliver(&[], &[1; 60])
    }

    /// What both sides say to the same chain, given the flags of the right direction.
    fn refused(&self, chain: impl Fn(u16) -> Vec<(u64, u32, u16, u16)>) -> QueueError {
        self.offer(&chain(0), 1);
        let transmit = self.harvest().unwrap_err();
        self.offer(&chain(WRITE), 1);
        for mrg_rxbuf in [false, true] {
            assert_eq!(self.deliver(mrg_rxbuf), Err(Refused::Broken(transmit)));
        }
        self.memory.assert_canaries();
        transmit
    }
}

#[test]
fn indirect_descriptors_are_refused() {
    let error = Table::new().refused(|flags| vec![(BUFFER, 128, flags | INDIRECT, 0)]);
    assert_eq!(error, QueueError::Indirect { head: 0 });
    let in_a_chain = Table::new().refused(|flags| {
        vec![
            (BUFFER, 12, flags | NEXT, 1),
            (BUFFER, 1514, flags | INDIRECT, 0),
        ]
    });
    assert_eq!(in_a_chain, QueueError::Indirect { head: 0 });
}

#[test]
fn chains_that_loop_are_cut_off() {
    let own_tail = Table::new().refused(|flags| vec![(BUFFER, 0, flags | NEXT, 0)]);
    assert_eq!(own_tail, QueueError::ChainTooLong { head: 0, limit: 8 });
    let two = Table::new()
        .refused(|flags| vec![(BUFFER, 1, flags | NEXT, 1), (BUFFER, 0, flags | NEXT, 0)]);
    assert_eq!(two, QueueError::ChainTooLong { head: 0, limit: 8 });
}

#[test]
fn work_for_a_chain_is_bounded_in_the_largest_queue() {
    let memory = Memory::new(1 << 20);
    let layout = QueueLayout::contiguous(0, 32768, false);
    for index in 0..32768 {
        memory.set_descriptor(
            layout.desc,
            index,
            (0, 0, NEXT, index.wrapping_add(1) % 32768),
        );
    }
    memory.set_u16(layout.avail + 2, 1);
    let mut queue = Transmitq::new(memory.ram(), &layout).unwrap();
    let error = queue.harvest(1, |_| ()).unwrap_err();
    assert_eq!(
        error,
        QueueError::ChainTooLong {
            head: 0,
            limit: MAX_SEGMENTS
        }
    );
}

/// A queue of 256 whose every available entry is the same chain of `descriptors` segments of
/// `len` octets. `idx` of it are shown.
fn the_same_chain(memory: &Memory, descriptors: u16, len: u32, idx: u16) -> QueueLayout {
    let layout = QueueLayout::contiguous(0, 256, false);
    for index in 0..descriptors {
        let more = if index + 1 < descriptors { NEXT } else { 0 };
        let claim = (BUFFER, len, more, index + 1);
        memory.set_descriptor(layout.desc, index, claim);
    }
    memory.set_u16(layout.avail + 2, idx);
    layout
}

#[test]
fn work_for_a_harvest_is_bounded_and_goes_on_in_the_next() {
    let memory = Memory::new(RAM);
    for len in [0, 2] {
        // The longest chain there may be; with 40 octets in all it holds a frame, with 0 none.
        let layout = the_same_chain(&memory, MAX_SEGMENTS, len, 256);
        for max in [1, 16, 64, 256] {
            let mut queue = Transmitq::new(memory.ram(), &layout).unwrap();
            let mut left = 256;
            while left > 0 {
                let harvest = queue.harvest(max, |_| ()).unwrap();
                let chains = usize::from(harvest.frames + harvest.malformed);
                assert!(chains > 0, "no progress at {left} of {max}");
                assert!(chains <= max.min(left));
                // Each is looked at twice in part: a first look at two descriptors, then all.
                let looked_at = chains * usize::from(MAX_SEGMENTS + 2);
                let bound = HARVEST_DESCRIPTORS * max + usize::from(MAX_SEGMENTS) + 1;
                assert!(looked_at <= bound, "{looked_at} for {max}");
                assert_eq!(harvest.frames == 0, len == 0);
                left -= chains;
            }
            assert_eq!(queue.harvest(max, |_| ()), Ok(Default::default()));
        }
        let mut queue = Transmitq::new(memory.ram(), &layout).unwrap();
        assert_eq!(queue.harvest(0, |_| ()), Ok(Default::default()));
    }
}

#[test]
fn plain_frames_are_harvested_whole_bursts_at_a_time() {
    let memory = Memory::new(RAM);
    for descriptors in [1, 2] {
        let len = if descriptors == 1 { 72 } else { 12 + 2 };
        let layout = the_same_chain(&memory, descriptors, len, 256);
        if descriptors == 2 {
            memory.set_descriptor(layout.desc, 0, (BUFFER, 12, NEXT, 1));
        }
        let mut queue = Transmitq::new(memory.ram(), &layout).unwrap();
        assert_eq!(queue.harvest(64, |_| ()).unwrap().frames, 64);
    }
}

#[test]
fn chains_without_frames_have_a_price() {
    let memory = Memory::new(RAM);
    let layout = the_same_chain(&memory, 1, 11, 0);
    let mut queue = Transmitq::new(memory.ram(), &layout).unwrap();
    let mut idx = 0u16;
    let mut offer = |queue: &mut Transmitq, len| {
        memory.set_descriptor(layout.desc, 0, (BUFFER, len, 0, 0));
        idx += 1;
        memory.set_u16(layout.avail + 2, idx);
        let mut frame = None;
        let harvest = queue.harvest(64, |taken| frame = Some(taken))?;
        if let Some(frame) = frame {
            queue.complete(frame);
        }
        Ok::<_, QueueError>(harvest.malformed)
    };
    // A frame between them starts the count anew.
    for _ in 0..2 {
        for _ in 0..MAX_MALFORMED {
            assert_eq!(offer(&mut queue, 11), Ok(1));
        }
        assert_eq!(offer(&mut queue, 72), Ok(0));
    }
    for _ in 0..MAX_MALFORMED {
        assert_eq!(offer(&mut queue, 11), Ok(1));
    }
    let error = QueueError::NoFrames {
        head: 0,
        limit: MAX_MALFORMED,
    };
    assert_eq!(offer(&mut queue, 11), Err(error));
    assert_eq!(offer(&mut queue, 72), Err(error), "for good");
}

#[test]
fn buffers_out_of_ram_or_wrapped_are_refused() {
    let ram = RAM as u64;
    for (addr, len) in [
        (ram, 128),
        (ram - 127, 128),
        (u64::MAX, 128),
        (u64::MAX - 127, 128),
        (BUFFER, u32::MAX),
        (ram + 1, 1514),
    ] {
        let error = Table::new().refused(|flags| vec![(addr, len, flags, 0)]);
        assert_eq!(
            error,
            QueueError::BufferOutside {
                head: 0,
                addr,
                len: len.into(),
                ram
            }
        );
    }
    // The last octets of RAM are still RAM.
    let table = Table::new();
    table.offer(&[(ram - 128, 128, 0, 0)], 1);
    assert_eq!(table.harvest(), Ok(1));
}

#[test]
fn a_frame_out_of_ram_behind_a_header_of_its_own_is_refused() {
    let ram = RAM as u64;
    for (addr, len) in [
        (ram, 60),
        (ram - 59, 60),
        (u64::MAX - 11, 60),
        (u64::MAX, 14),
    ] {
        let table = Table::new();
        table.offer(&[(BUFFER, 12, NEXT, 1), (addr, len, 0, 0)], 1);
        let outside = QueueError::BufferOutside {
            head: 0,
            addr,
            len: len.into(),
            ram,
        };
        assert_eq!(table.harvest(), Err(outside));
    }
    // The header too, though nothing is read of it.
    let table = Table::new();
    table.offer(&[(ram - 11, 12, NEXT, 1), (BUFFER, 60, 0, 0)], 1);
    assert!(matches!(
        table.harvest(),
        Err(QueueError::BufferOutside { .. })
    ));
    // The last octets of RAM are still RAM.
    let table = Table::new();
    table.offer(&[(ram - 12, 12, NEXT, 1), (ram - 60, 60, 0, 0)], 1);
    assert_eq!(table.harvest(), Ok(1));
}

#[test]
fn descriptors_that_do_not_exist_are_refused() {
    let next = Table::new().refused(|flags| vec![(BUFFER, 12, flags | NEXT, 8)]);
    assert_eq!(
        next,
        QueueError::NextIndex {
            head: 0,
            next: 8,
            size: 8
        }
    );
    let table = Table::new();
    table.memory.set_u16(table.layout.avail + 4, 8);
    table.offer(&[], 1);
    assert_eq!(
        table.harvest(),
        Err(QueueError::HeadIndex { head: 8, size: 8 })
    );
    assert_eq!(
        table.deliver(true),
        Err(Refused::Broken(QueueError::HeadIndex { head: 8, size: 8 }))
    );
}

#[test]
fn buffers_of_the_wrong_direction_are_refused() {
    let table = Table::new();
    table.offer(&[(BUFFER, 1514, WRITE, 0)], 1);
    assert_eq!(
        table.harvest(),
        Err(QueueError::Direction {
            head: 0,
            writable: true
        })
    );
    table.offer(&[(BUFFER, 1514, 0, 0)], 1);
    let error = QueueError::Direction {
        head: 0,
        writable: false,
    };
    assert_eq!(table.deliver(false), Err(Refused::Broken(error)));
}

#[test]
fn receive_buffers_too_small_are_refused() {
    let table = Table::new();
    table.offer(&[(BUFFER, 71, WRITE, 0)], 1);
    let without = QueueError::BufferTooSmall {
        head: 0,
        have: 71,
        need: 72,
    };
    assert_eq!(table.deliver(false), Err(Refused::Broken(without)));
    assert_eq!(
        table.deliver(true),
        Err(Refused::Full),
        "another buffer may come"
    );
    table.offer(&[(BUFFER, 11, WRITE, 0)], 1);
    let with = QueueError::BufferTooSmall {
        head: 0,
        have: 11,
        need: 12,
    };
    assert_eq!(table.deliver(true), Err(Refused::Broken(with)));
}

#[test]
fn an_available_index_that_jumps_is_refused() {
    for idx in [9, 0x8000, u16::MAX] {
        let table = Table::new();
        table.offer(&[(BUFFER, 128, 0, 0)], idx);
        let error = QueueError::AvailIndex {
            idx,
            next: 0,
            outstanding: 0,
            size: 8,
        };
        assert_eq!(table.harvest(), Err(error));
        assert_eq!(table.deliver(false), Err(Refused::Broken(error)));
    }
}

#[test]
fn one_head_offered_again_and_again_never_exceeds_the_queue() {
    let table = Table::new();
    table.offer(&[(BUFFER, 128, 0, 0)], 8);
    let mut queue = Transmitq::new(table.memory.ram(), &table.layout).unwrap();
    let mut frames = Vec::new();
    assert_eq!(
        queue
            .harvest(64, |frame| frames.push(frame))
            .unwrap()
            .frames,
        8
    );
    // All 8 entries are out; the driver offers the same head once more without having it back.
    table.memory.set_u16(table.layout.avail + 2, 9);
    let error = QueueError::AvailIndex {
        idx: 9,
        next: 8,
        outstanding: 8,
        size: 8,
    };
    assert_eq!(queue.harvest(64, |_| ()), Err(error));
    assert_eq!(queue.outstanding(), 8);
    for frame in &frames {
        queue.complete(*frame);
    }
    // One completion too many, the host's own mistake, does nothing.
    queue.complete(frames[0]);
    assert_eq!(queue.outstanding(), 0);
    queue.publish();
    assert_eq!(table.memory.u16(table.layout.used + 2), 8);
}

#[test]
fn an_index_that_goes_back_is_refused() {
    let table = Table::new();
    table.offer(&[(BUFFER, 128, 0, 0)], 2);
    let mut queue = Transmitq::new(table.memory.ram(), &table.layout).unwrap();
    assert_eq!(queue.harvest(64, |_| ()).unwrap().frames, 2);
    table.memory.set_u16(table.layout.avail + 2, 1);
    let error = QueueError::AvailIndex {
        idx: 1,
        next: 2,
        outstanding: 2,
        size: 8,
    };
    assert_eq!(queue.harvest(64, |_| ()), Err(error));
}

#[test]
fn a_frame_in_one_piece_cannot_be_changed_after_harvest() {
    let table = Table::new();
    table.memory.write(BUFFER + 12, &[7; 60]);
    table.offer(&[(BUFFER, 72, 0, 0)], 1);
    let mut queue = Transmitq::new(table.memory.ram(), &table.layout).unwrap();
    let mut frames = Vec::new();
    queue.harvest(1, |frame| frames.push(frame)).unwrap();
    table
        .memory
        .set_descriptor(table.layout.desc, 0, (u64::MAX, u32::MAX, INDIRECT, 9));
    let mut copy = [0; 60];
    queue.read(&frames[0], 0, &mut copy).unwrap();
    assert_eq!(copy, [7; 60]);
}

#[test]
fn a_frame_in_pieces_that_is_changed_after_harvest_is_refused() {
    let table = Table::new();
    for (claim, error) in [
        (
            (BUFFER, 31, 0, 0),
            QueueError::FrameChanged { head: 0, len: 60 },
        ),
        (
            (BUFFER, 32, NEXT, 0),
            QueueError::FrameChanged { head: 0, len: 60 },
        ),
        (
            (BUFFER, 32, NEXT, 8),
            QueueError::NextIndex {
                head: 0,
                next: 8,
                size: 8,
            },
        ),
        ((BUFFER, 32, INDIRECT, 0), QueueError::Indirect { head: 0 }),
    ] {
        table.offer(&[(BUFFER, 40, NEXT, 1), (BUFFER + 64, 32, 0, 0)], 1);
        let mut queue = Transmitq::new(table.memory.ram(), &table.layout).unwrap();
        let mut frames = Vec::new();
        queue.harvest(1, |frame| frames.push(frame)).unwrap();
        assert_eq!(frames[0].len(), 60);
        let mut copy = [0; 60];
        queue.read(&frames[0], 0, &mut copy).unwrap();
        table.memory.set_descriptor(table.layout.desc, 1, claim);
        let result = queue.read(&frames[0], 0, &mut copy);
        // A loop back to the first descriptor finds octets enough: then they are the driver's own.
        if claim.2 != NEXT || claim.3 == 8 {
            assert_eq!(result, Err(error), "{claim:?}");
            // For good, even though the driver puts it right again.
            table
                .memory
                .set_descriptor(table.layout.desc, 1, (BUFFER, 32, 0, 0));
            assert_eq!(queue.read(&frames[0], 0, &mut copy), Err(error));
            assert_eq!(queue.harvest(1, |_| ()), Err(error));
        } else {
            assert_eq!(result, Ok(()));
            assert!(queue.harvest(1, |_| ()).is_ok());
        }
    }
}

#[test]
fn frames_too_short_or_too_long_are_completed_and_counted() {
    let memory = Memory::new(RAM);
    let layout = QueueLayout::contiguous(0, 8, false);
    let lens: [u32; 6] = [0, 11, 12, 25, 26, 12 + 14 + 65535 + 1];
    for (index, len) in (0..).zip(lens) {
        memory.set_descriptor(layout.desc, index, (0x1000, len, 0, 0));
        memory.set_u16(layout.avail + 4 + 2 * u64::from(index), index);
    }
    memory.set_u16(layout.avail + 2, 6);
    let mut queue = Transmitq::new(memory.ram(), &layout).unwrap();
    let mut frames = Vec::new();
    let harvest = queue.harvest(64, |frame| frames.push(frame)).unwrap();
    assert_eq!((harvest.frames, harvest.malformed), (1, 5));
    assert_eq!((frames[0].len(), queue.outstanding()), (14, 1));
    queue.complete(frames[0]);
    queue.publish();
    let heads: Vec<u32> = (0..6)
        .map(|entry| u32::from_le_bytes(memory.read(layout.used + 4 + 8 * entry)))
        .collect();
    assert_eq!(heads, [0, 1, 2, 3, 5, 4]);
}

#[test]
fn a_read_beyond_the_frame_is_refused_and_harmless() {
    let table = Table::new();
    table.offer(&[(BUFFER, 72, 0, 0)], 1);
    let mut queue = Transmitq::new(table.memory.ram(), &table.layout).unwrap();
    let mut frames = Vec::new();
    queue.harvest(1, |frame| frames.push(frame)).unwrap();
    for (offset, len) in [(0, 61), (60, 1), (61, 0), (u32::MAX, 2)] {
        let mut copy = vec![0; len];
        assert!(
            queue.read(&frames[0], offset, &mut copy).is_err(),
            "{offset} {len}"
        );
    }
    queue.read(&frames[0], 60, &mut []).unwrap();
    assert!(
        queue.harvest(1, |_| ()).is_ok(),
        "the queue is not broken by it"
    );
}

#[test]
fn a_device_that_lies_is_refused() {
    let used_entry = |memory: &Memory, layout: &QueueLayout, id: u32, len: u32| {
        memory.write(layout.used + 4, &id.to_le_bytes());
        memory.write(layout.used + 8, &len.to_le_bytes());
        memory.set_u16(layout.used + 2, 1);
    };
    let case = |id, len, posted: bool| {
        let memory = Memory::new(RAM);
        let layout = QueueLayout::contiguous(0, 8, true);
        let mut queue = DriverQueue::new(memory.ram(), &layout).unwrap();
        if posted {
            queue.post(1, BUFFER, 100, true).unwrap();
            queue.publish();
        }
        used_entry(&memory, &layout, id, len);
        queue.take(64, |_, _| ()).unwrap_err()
    };
    assert_eq!(
        case(0, 10, false),
        QueueError::UsedIndex {
            idx: 1,
            next: 0,
            in_flight: 0
        }
    );
    assert_eq!(case(1, 10, true), QueueError::UsedId { id: 1 });
    assert_eq!(case(8, 10, true), QueueError::UsedId { id: 8 });
    assert_eq!(
        case(u32::MAX, 10, true),
        QueueError::UsedId { id: u32::MAX }
    );
    assert_eq!(
        case(0, 101, true),
        QueueError::UsedLength {
            id: 0,
            len: 101,
            posted: 100
        }
    );
}
