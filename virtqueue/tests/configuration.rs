//! Layouts that are refused, and copies of every length.

mod unsafe_memory;

use pinode_virtqueue::{
    Area, DriverQueue, MAX_SIZE, QueueError, QueueLayout, Receiveq, RingOctets, Transmitq,
};
use unsafe_memory::Memory;

const RAM: u64 = 0x1_0000;

/// What all three kinds of queue say to `layout`.
fn refused(layout: QueueLayout) -> QueueError {
    let memory = Memory::new(RAM as usize);
    let errors = [
        Receiveq::new(memory.ram(), &layout, true).unwrap_err(),
        Transmitq::new(memory.ram(), &layout).unwrap_err(),
        DriverQueue::new(memory.ram(), &layout).unwrap_err(),
    ];
    memory.assert_canaries();
    assert_eq!(errors[0], errors[1]);
    assert_eq!(errors[1], errors[2]);
    errors[0]
}

fn good() -> QueueLayout {
    QueueLayout::contiguous(0x1000, 256, true)
}

#[test]
fn sizes_that_are_no_power_of_two_are_refused() {
    for size in [0, 3, 255, 257, 32769, u16::MAX] {
        let layout = QueueLayout { size, ..good() };
        assert_eq!(refused(layout), QueueError::Size { size });
    }
}

#[test]
fn areas_out_of_ram_are_refused() {
    let octets = RingOctets::of(256);
    let outside = |area, addr, octets| QueueError::AreaOutside {
        area,
        addr,
        octets,
        ram: RAM,
    };
    for addr in [RAM, RAM - 4096 + 16, u64::MAX - 15, u64::MAX - 4095] {
        let error = refused(QueueLayout {
            desc: addr,
            ..good()
        });
        assert_eq!(error, outside(Area::Descriptors, addr, octets.desc.octets));
    }
    for addr in [RAM - 516, u64::MAX - 1] {
        let error = refused(QueueLayout {
            avail: addr,
            ..good()
        });
        assert_eq!(error, outside(Area::Available, addr, octets.avail.octets));
    }
    for addr in [RAM - 2052, u64::MAX - 3] {
        let error = refused(QueueLayout {
            used: addr,
            ..good()
        });
        assert_eq!(error, outside(Area::Used, addr, octets.used.octets));
    }
}

#[test]
fn areas_out_of_alignment_are_refused() {
    let misaligned = |area, addr, align| QueueError::Misaligned { area, addr, align };
    for (layout, error) in [
        (
            QueueLayout { desc: 8, ..good() },
            misaligned(Area::Descriptors, 8, 16),
        ),
        (
            QueueLayout {
                avail: 0x5001,
                ..good()
            },
            misaligned(Area::Available, 0x5001, 2),
        ),
        (
            QueueLayout {
                used: 0x5002,
                ..good()
            },
            misaligned(Area::Used, 0x5002, 4),
        ),
    ] {
        assert_eq!(refused(layout), error);
    }
}

#[test]
fn areas_that_overlap_are_refused() {
    for layout in [
        QueueLayout {
            avail: 0x1000,
            ..good()
        },
        QueueLayout {
            avail: 0x1ffe,
            ..good()
        },
        QueueLayout {
            used: 0x0ffc,
            ..good()
        },
        QueueLayout {
            used: good().avail + 516,
            ..good()
        },
    ] {
        assert!(
            matches!(refused(layout), QueueError::Overlap { .. }),
            "{layout:?}"
        );
    }
}

#[test]
fn ram_that_is_not_aligned_in_this_process_is_refused() {
    // The guest's address 0 is 16 octets aligned, but this process sees it at an odd place.
    let memory = Memory::new(RAM as usize);
    let mut shifted = memory.ram();
    assert!(DriverQueue::new(shifted, &good()).is_ok());
    shifted = memory.ram_from(1);
    let error = QueueError::Misaligned {
        area: Area::Descriptors,
        addr: 0x1000,
        align: 16,
    };
    assert_eq!(DriverQueue::new(shifted, &good()).unwrap_err(), error);
}

#[test]
fn every_allowed_size_fits_its_contiguous_layout() {
    let memory = Memory::new(1 << 20);
    for shift in (0..=15).step_by(if cfg!(miri) { 15 } else { 1 }) {
        let layout = QueueLayout::contiguous(64, 1 << shift, shift % 2 == 0);
        let octets = RingOctets::of(1 << shift);
        assert!(layout.end() >= 64 + octets.desc.octets + octets.avail.octets + octets.used.octets);
        let queue = DriverQueue::new(memory.ram(), &layout).unwrap();
        assert_eq!(queue.free(), 1 << shift);
        Transmitq::new(memory.ram(), &layout).unwrap();
    }
    assert_eq!(1 << 15, MAX_SIZE);
    memory.assert_canaries();
}

#[test]
fn the_areas_have_the_octets_of_the_standard() {
    // VIRTIO 1.2, 2.7: 16, 6 + 2, 6 + 8 octets for each of 256 descriptors.
    let octets = DriverQueue::octets(256);
    assert_eq!((octets.desc.octets, octets.desc.align), (4096, 16));
    assert_eq!((octets.avail.octets, octets.avail.align), (518, 2));
    assert_eq!((octets.used.octets, octets.used.align), (2054, 4));
}

#[test]
fn a_new_driver_queue_clears_the_rings_and_nothing_else() {
    let memory = Memory::new(0x4000);
    memory.write(0, &[0xFF; 0x4000]);
    let layout = QueueLayout::contiguous(0x1000, 16, false);
    DriverQueue::new(memory.ram(), &layout).unwrap();
    let after: [u8; 0x4000] = memory.read(0);
    let octets = RingOctets::of(16);
    for (at, octet) in (0..).zip(after) {
        let inside = |start: u64, octets: u64| (start..start + octets).contains(&at);
        let ring = inside(layout.desc, octets.desc.octets)
            || inside(layout.avail, octets.avail.octets)
            || inside(layout.used, octets.used.octets);
        // The one thing that is not zero: VIRTQ_AVAIL_F_NO_INTERRUPT.
        let expected = if at == layout.avail {
            1
        } else if ring {
            0
        } else {
            0xFF
        };
        assert_eq!(octet, expected, "octet {at:#x}");
    }
}

#[test]
fn copies_of_every_length_are_exact() {
    let memory = Memory::new(1024);
    let ram = memory.ram();
    let source: Vec<u8> = (0..600u32).map(|i| (i * 7 + 3) as u8).collect();
    // Miri takes a second for each.
    for len in (0..=source.len()).step_by(if cfg!(miri) { 63 } else { 1 }) {
        let at = 1024 - len as u64 - len as u64 % 3;
        memory.write(0, &[0xEE; 1024]);
        ram.write(at, &source[..len]).unwrap();
        let mut copy = vec![0; len];
        ram.read(at, &mut copy).unwrap();
        assert_eq!(copy, source[..len], "{len} octets");
        let whole: [u8; 1024] = memory.read(0);
        let touched = at as usize..at as usize + len;
        assert!(
            whole
                .iter()
                .enumerate()
                .all(|(i, octet)| touched.contains(&i) || *octet == 0xEE),
            "{len} octets spilled"
        );
    }
    assert_eq!(ram.write(1024, &[1]), None);
    assert_eq!(ram.read(1020, &mut [0; 5]), None);
    assert_eq!(ram.read(u64::MAX, &mut [0; 2]), None);
    assert_eq!(ram.write(1024, &[]), Some(()));
    memory.assert_canaries();
}

#[test]
fn errors_say_what_where_and_what_is_allowed() {
    for (error, text) in [
        (
            QueueError::Size { size: 3 },
            "queue size 3: must be a power of two from 1 to 32768",
        ),
        (
            QueueError::Misaligned {
                area: Area::Used,
                addr: 0x5002,
                align: 4,
            },
            "used ring at 0x5002: must be aligned to 4 octets",
        ),
        (
            QueueError::AvailIndex {
                idx: 9,
                next: 0,
                outstanding: 0,
                size: 8,
            },
            "available index 9: 0 of 8 entries are in the device's hands and 0 is next, \
             so 0 to 0 + 8 - 0 (mod 65536) is allowed",
        ),
        (
            QueueError::Direction {
                head: 4,
                writable: true,
            },
            "chain of descriptor 4 is device-writable, the queue needs the opposite",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
