//! Starting devices, against registers that a test wrote: what is agreed on, and what is refused.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::RefCell;

use super::mmio::{Device, DeviceError, F_EVENT_IDX, F_VERSION_1, Registers};
use super::net::NetDevice;
use crate::unsafe_rig::arena;

/// What a device is, and what the driver made of it.
#[derive(Debug)]
struct State {
    magic: u32,
    id: u32,
    features: u64,
    /// Takes no feature at all.
    stubborn: bool,
    room: u32,
    select: u32,
    accepted: u64,
    status: u32,
    written: BTreeMap<(u32, u32), u32>,
}

#[derive(Debug, Clone)]
struct Fake(Rc<RefCell<State>>);

impl Fake {
    fn net(features: u64, room: u32) -> Self {
        Fake(Rc::new(RefCell::new(State {
            magic: 0x7472_6976,
            id: 1,
            features,
            stubborn: false,
            room,
            select: 0,
            accepted: 0,
            status: 0xff,
            written: BTreeMap::new(),
        })))
    }
}

impl Registers for Fake {
    fn read(&self, offset: u32) -> u32 {
        let state = self.0.borrow();
        match offset {
            0x000 => state.magic,
            0x004 => 2,
            0x008 => state.id,
            0x010 => (state.features >> (32 * state.select)) as u32,
            0x034 => state.room,
            0x070 => state.status,
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32) {
        let mut state = self.0.borrow_mut();
        match offset {
            0x014 | 0x024 | 0x030 => state.select = value,
            0x020 => state.accepted |= u64::from(value) << (32 * state.select),
            0x070 if state.stubborn => state.status = value & !8,
            0x070 => state.status = value,
            _ => {
                let queue = state.select;
                state.written.insert((queue, offset), value);
            }
        }
    }
}

#[test]
fn a_net_device_is_started_with_what_both_know() {
    let fake = Fake::net(F_VERSION_1 | F_EVENT_IDX | 1 << 5 | 1 << 15, 1000);
    let mut arena = arena(1 << 20);
    let (_, queues) = NetDevice::start(fake.clone(), &mut arena).unwrap();
    let state = fake.0.borrow();
    assert_eq!(
        state.accepted,
        F_VERSION_1 | F_EVENT_IDX,
        "neither MAC nor MRG_RXBUF"
    );
    assert_eq!(
        state.status, 0b1111,
        "ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK"
    );
    assert_eq!(queues.len(), 1);
    // The largest power of two that the device has room for.
    assert_eq!(queues[0].receive.free(), 512);
    for queue in 0..2 {
        assert_eq!(state.written[&(queue, 0x038)], 512);
        assert_eq!(state.written[&(queue, 0x044)], 1, "ready");
        assert_eq!(state.written[&(queue, 0x080)] % 16, 0);
        assert_eq!(state.written[&(queue, 0x084)], 0);
    }
}

#[test]
fn what_is_no_such_device_is_refused() {
    let absent = Fake::net(F_VERSION_1, 256);
    absent.0.borrow_mut().magic = 0xffff_ffff;
    let error = Device::open(absent, 1, 0, 0).unwrap_err();
    assert_eq!(
        error,
        DeviceError::Absent {
            magic: 0xffff_ffff,
            version: 2
        }
    );
    let error = Device::open(Fake::net(F_VERSION_1, 256), 3, 0, 0).unwrap_err();
    assert_eq!(
        error,
        DeviceError::Kind {
            found: 1,
            expected: 3
        }
    );
}

#[test]
fn features_that_cannot_be_agreed_on_fail_the_device() {
    let legacy = Fake::net(F_EVENT_IDX, 256);
    let stubborn = Fake::net(F_VERSION_1, 256);
    stubborn.0.borrow_mut().stubborn = true;
    for fake in [legacy, stubborn] {
        let error = Device::open(fake.clone(), 1, 0, 0).unwrap_err();
        assert!(matches!(error, DeviceError::Features { .. }), "{error}");
        assert_eq!(fake.0.borrow().status, 128, "FAILED");
    }
}

#[test]
fn a_queue_too_small_or_absent_is_refused() {
    for room in [0, 1, 3] {
        let error = NetDevice::start(Fake::net(F_VERSION_1, room), &mut arena(1 << 20));
        let error = error.unwrap_err();
        assert_eq!(
            error,
            DeviceError::QueueSize {
                queue: 0,
                most: room,
                least: 4
            }
        );
    }
}

#[test]
fn a_queue_without_memory_is_refused() {
    let error = NetDevice::start(Fake::net(F_VERSION_1, 4096), &mut arena(64 * 1024)).unwrap_err();
    assert!(matches!(error, DeviceError::Memory(_)), "{error}");
}
