//! The register file read against VIRTIO 1.2, 3.1.1 and 4.2.2: every step of the initialisation, every step out of
//! order, and any sequence of accesses at all.

use proptest::prelude::*;

use super::*;
use crate::mmio::registers::status::{
    ACKNOWLEDGE, DEVICE_NEEDS_RESET, DRIVER, DRIVER_OK, FAILED, FEATURES_OK,
};

const EXTRA: u64 = 1 << 5;

fn device() -> Transport {
    let identity = Identity {
        device_id: 1,
        features: feature::VERSION_1 | feature::EVENT_IDX | EXTRA,
        queue_sizes: vec![256, 64],
        config: vec![1, 2, 3, 4, 5, 6, 7],
        accepts: |features| features & EXTRA == 0 || features & feature::EVENT_IDX != 0,
    };
    Transport::new(identity, Interrupt::new().unwrap())
}

fn get(device: &mut Transport, at: u64) -> u32 {
    let mut word = [0; 4];
    device.read(at, &mut word);
    u32::from_le_bytes(word)
}

fn put(device: &mut Transport, at: u64, value: u32) -> Effect {
    device.write(at, &value.to_le_bytes())
}

fn set_status(device: &mut Transport, value: u8) -> Effect {
    put(device, offset::STATUS, u32::from(value))
}

fn status(device: &mut Transport) -> u8 {
    get(device, offset::STATUS) as u8
}

fn choose(device: &mut Transport, features: u64) {
    for half in 0..2u32 {
        assert_eq!(put(device, offset::DRIVER_FEATURES_SEL, half), Effect::None);
        let value = (features >> (32 * half)) as u32;
        assert_eq!(put(device, offset::DRIVER_FEATURES, value), Effect::None);
    }
}

/// Up to FEATURES_OK, with VERSION_1 alone.
fn with_features() -> Transport {
    let mut device = device();
    for value in [ACKNOWLEDGE, ACKNOWLEDGE | DRIVER] {
        assert_eq!(set_status(&mut device, value), Effect::None);
    }
    choose(&mut device, feature::VERSION_1);
    assert_eq!(
        set_status(&mut device, ACKNOWLEDGE | DRIVER | FEATURES_OK),
        Effect::None
    );
    device
}

const UP: u8 = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;

fn running() -> Transport {
    let mut device = with_features();
    assert_eq!(put(&mut device, offset::QUEUE_NUM, 128), Effect::None);
    assert_eq!(put(&mut device, offset::QUEUE_READY, 1), Effect::None);
    assert_eq!(set_status(&mut device, UP), Effect::Start);
    device
}

#[test]
fn the_identification_registers() {
    let mut device = device();
    assert_eq!(get(&mut device, offset::MAGIC_VALUE), 0x7472_6976);
    assert_eq!(get(&mut device, offset::VERSION), 2);
    assert_eq!(get(&mut device, offset::DEVICE_ID), 1);
    assert_eq!(get(&mut device, offset::VENDOR_ID).to_le_bytes(), *b"PNOD");
    for at in [
        offset::SHM_LEN_LOW,
        offset::SHM_LEN_HIGH,
        offset::SHM_BASE_LOW,
    ] {
        assert_eq!(get(&mut device, at), u32::MAX);
    }
    assert_eq!(device.ignored(), 0);
}

#[test]
fn features_are_read_by_halves() {
    let mut device = device();
    assert_eq!(get(&mut device, offset::DEVICE_FEATURES), 1 << 29 | 1 << 5);
    assert_eq!(
        put(&mut device, offset::DEVICE_FEATURES_SEL, 1),
        Effect::None
    );
    assert_eq!(get(&mut device, offset::DEVICE_FEATURES), 1);
    assert_eq!(
        put(&mut device, offset::DEVICE_FEATURES_SEL, 2),
        Effect::None
    );
    assert_eq!(get(&mut device, offset::DEVICE_FEATURES), 0);
}

#[test]
fn the_initialisation_of_3_1_1() {
    let mut device = running();
    assert_eq!(status(&mut device), UP);
    assert_eq!(device.driver_features(), feature::VERSION_1);
    assert_eq!(device.queues()[0].size, 128);
    assert!(device.queues()[0].ready && !device.queues()[1].ready);
    assert_eq!(device.ignored(), 0);
}

#[test]
fn every_status_value_from_every_stage() {
    let stages = [
        0,
        ACKNOWLEDGE,
        ACKNOWLEDGE | DRIVER,
        ACKNOWLEDGE | DRIVER | FEATURES_OK,
        UP,
    ];
    for stage in 0..stages.len() {
        for value in 1..=u8::MAX {
            let mut device = device();
            for step in &stages[1..=stage] {
                if step & FEATURES_OK != 0 {
                    // No choice can be made any more once FEATURES_OK is set: those writes are ignored.
                    choose(&mut device, feature::VERSION_1);
                }
                let _ = set_status(&mut device, *step);
            }
            assert_eq!(status(&mut device), stages[stage]);
            let effect = set_status(&mut device, value);
            let after = status(&mut device);
            assert_eq!(
                after & stages[stage],
                stages[stage],
                "a bit was cleared by {value:#x}"
            );
            let bits = after & !FAILED;
            assert!(
                stages.contains(&bits),
                "{:#x} -> {value:#x} gave {after:#x}",
                stages[stage]
            );
            let (was, is) = (stages[stage] == UP, bits == UP && after & FAILED == 0);
            let expected = match (was, is) {
                (false, true) => Effect::Start,
                (true, false) => Effect::Stop,
                _ => Effect::None,
            };
            assert_eq!(effect, expected, "{:#x} -> {value:#x}", stages[stage]);
        }
    }
}

#[test]
fn features_ok_is_refused_for_a_choice_that_cannot_be() {
    for choice in [
        0,                           // no VERSION_1
        feature::VERSION_1 | 1 << 7, // not offered
        feature::VERSION_1 | EXTRA,  // depends on EVENT_IDX here
        feature::EVENT_IDX,          // no VERSION_1
    ] {
        let mut device = device();
        let _ = set_status(&mut device, ACKNOWLEDGE);
        let _ = set_status(&mut device, ACKNOWLEDGE | DRIVER);
        choose(&mut device, choice);
        let _ = set_status(&mut device, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        assert_eq!(status(&mut device), ACKNOWLEDGE | DRIVER, "{choice:#x}");
        // The driver may choose again.
        choose(&mut device, feature::VERSION_1 | feature::EVENT_IDX | EXTRA);
        let _ = set_status(&mut device, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        assert_eq!(status(&mut device), ACKNOWLEDGE | DRIVER | FEATURES_OK);
    }
}

#[test]
fn features_are_frozen_once_agreed() {
    let mut device = with_features();
    choose(&mut device, feature::VERSION_1 | feature::EVENT_IDX);
    assert_eq!(device.driver_features(), feature::VERSION_1);
    assert_eq!(device.ignored(), 2);
}

#[test]
fn queues_are_described_between_features_ok_and_driver_ok() {
    let mut early = device();
    let _ = put(&mut early, offset::QUEUE_DESC_LOW, 0x1000);
    assert_eq!((early.queues()[0].desc, early.ignored()), (0, 1));

    let mut device = with_features();
    assert_eq!(get(&mut device, offset::QUEUE_NUM_MAX), 256);
    let _ = put(&mut device, offset::QUEUE_SEL, 1);
    assert_eq!(get(&mut device, offset::QUEUE_NUM_MAX), 64);
    for (at, value) in [
        (offset::QUEUE_NUM, 32),
        (offset::QUEUE_DESC_LOW, 0x1000),
        (offset::QUEUE_DESC_HIGH, 1),
        (offset::QUEUE_DRIVER_LOW, 0x2000),
        (offset::QUEUE_DRIVER_HIGH, 2),
        (offset::QUEUE_DEVICE_LOW, 0x3000),
        (offset::QUEUE_DEVICE_HIGH, 3),
        (offset::QUEUE_READY, 1),
    ] {
        assert_eq!(put(&mut device, at, value), Effect::None);
    }
    let expected = QueueSetup {
        size: 32,
        ready: true,
        desc: 0x1_0000_1000,
        avail: 0x2_0000_2000,
        used: 0x3_0000_3000,
    };
    assert_eq!(device.queues()[1], expected);
    // A ready queue does not move; one taken back does.
    let _ = put(&mut device, offset::QUEUE_NUM, 16);
    assert_eq!((device.queues()[1], device.ignored()), (expected, 1));
    let _ = put(&mut device, offset::QUEUE_READY, 0);
    let _ = put(&mut device, offset::QUEUE_NUM, 16);
    assert_eq!(device.queues()[1].size, 16);
    // A queue that does not exist.
    let _ = put(&mut device, offset::QUEUE_SEL, 2);
    assert_eq!(get(&mut device, offset::QUEUE_NUM_MAX), 0);
    assert_eq!(get(&mut device, offset::QUEUE_READY), 0);
}

#[test]
fn a_queue_of_an_impossible_size_does_not_become_ready() {
    for size in [0, 3, 100, 512, 65_536] {
        let mut device = with_features();
        let _ = put(&mut device, offset::QUEUE_NUM, 256);
        let _ = put(&mut device, offset::QUEUE_NUM, size);
        let _ = put(&mut device, offset::QUEUE_READY, 1);
        let kept = size == 65_536; // does not fit the register: the size before stays
        assert_eq!(
            get(&mut device, offset::QUEUE_READY),
            u32::from(kept),
            "{size}"
        );
    }
}

#[test]
fn kicks_of_a_running_device_only() {
    let mut device = with_features();
    assert_eq!(put(&mut device, offset::QUEUE_NOTIFY, 0), Effect::None);
    let _ = set_status(&mut device, UP);
    assert_eq!(put(&mut device, offset::QUEUE_NOTIFY, 1), Effect::Notify(1));
    assert_eq!(put(&mut device, offset::QUEUE_NOTIFY, 2), Effect::None);
    assert_eq!(
        put(&mut device, offset::QUEUE_NOTIFY, u32::MAX),
        Effect::None
    );
    assert_eq!(device.ignored(), 3);
}

#[test]
fn a_reset_ends_when_the_device_has_let_go() {
    let mut device = running();
    device.interrupt.raise();
    assert_eq!(set_status(&mut device, 0), Effect::Reset);
    assert_ne!(status(&mut device), 0);
    // Meanwhile nothing the driver writes has an effect.
    assert_eq!(set_status(&mut device, ACKNOWLEDGE), Effect::None);
    assert_eq!(put(&mut device, offset::QUEUE_NOTIFY, 0), Effect::None);
    device.reset_done();
    assert_eq!(status(&mut device), 0);
    assert_eq!(get(&mut device, offset::INTERRUPT_STATUS), 0);
    assert_eq!(
        device.queues()[0],
        QueueSetup {
            size: 256,
            ..Default::default()
        }
    );
    assert_eq!(device.driver_features(), 0);
    // A second life.
    let _ = set_status(&mut device, ACKNOWLEDGE);
    assert_eq!(status(&mut device), ACKNOWLEDGE);
}

#[test]
fn a_reset_of_a_fresh_device_is_done_at_once() {
    let mut device = device();
    assert_eq!(set_status(&mut device, 0), Effect::None);
    assert_eq!((status(&mut device), device.ignored()), (0, 0));
}

#[test]
fn taking_back_a_queue_of_a_running_device_stops_it() {
    let mut device = running();
    assert_eq!(put(&mut device, offset::QUEUE_READY, 0), Effect::Stop);
    assert_eq!(get(&mut device, offset::QUEUE_READY), 0);
    assert_eq!(put(&mut device, offset::QUEUE_READY, 1), Effect::None);
    assert_eq!(get(&mut device, offset::QUEUE_READY), 0);
}

#[test]
fn a_driver_that_failed_stops_the_device() {
    let mut device = running();
    assert_eq!(set_status(&mut device, UP | FAILED), Effect::Stop);
    assert_eq!(set_status(&mut device, 0), Effect::Reset);
}

#[test]
fn interrupts_are_acknowledged_bit_by_bit() {
    let mut device = running();
    device.interrupt.raise();
    device.needs_reset();
    assert_eq!(get(&mut device, offset::INTERRUPT_STATUS), 3);
    assert_eq!(status(&mut device), UP | DEVICE_NEEDS_RESET);
    let _ = put(&mut device, offset::INTERRUPT_ACK, 1);
    assert_eq!(get(&mut device, offset::INTERRUPT_STATUS), 2);
    let _ = put(&mut device, offset::INTERRUPT_ACK, u32::MAX);
    assert_eq!(get(&mut device, offset::INTERRUPT_STATUS), 0);
    // The driver cannot clear DEVICE_NEEDS_RESET but by a reset.
    let _ = set_status(&mut device, UP);
    assert_eq!(status(&mut device), UP | DEVICE_NEEDS_RESET);
}

#[test]
fn configuration_space_is_read_in_any_width_and_not_written() {
    let mut device = device();
    let mut octets = [0xff; 4];
    device.read(offset::CONFIG + 4, &mut octets);
    assert_eq!(octets, [5, 6, 7, 0]);
    let mut octet = [0];
    device.read(offset::CONFIG + 1, &mut octet);
    assert_eq!(octet, [2]);
    assert_eq!(device.ignored(), 0);
    device.read(offset::CONFIG + 7, &mut octet);
    assert_eq!((octet, device.ignored()), ([0], 1));
    let _ = device.write(offset::CONFIG, &[9]);
    let _ = device.write(offset::CONFIG, &[9; 4]);
    assert_eq!(device.ignored(), 3);
    assert_eq!(get(&mut device, offset::CONFIG), 0x0403_0201);
}

#[test]
fn registers_are_accessed_by_32_bits() {
    let mut device = device();
    for width in [1usize, 2, 8] {
        let mut octets = vec![0xff; width];
        device.read(offset::MAGIC_VALUE, &mut octets);
        assert_eq!(octets, vec![0; width]);
        let _ = device.write(offset::STATUS, &vec![1; width]);
    }
    assert_eq!((status(&mut device), device.ignored()), (0, 6));
}

#[derive(Clone, Debug)]
enum Access {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Broken,
    ResetDone,
}

fn any_access() -> impl Strategy<Value = Access> {
    let place = prop_oneof![
        4 => (0u64..0x60).prop_map(|word| 4 * word),
        1 => 0u64..0x1000,
        1 => any::<u64>(),
    ];
    let value = prop_oneof![
        4 => (0u32..256).prop_map(|value| value.to_le_bytes().to_vec()),
        1 => any::<u32>().prop_map(|value| value.to_le_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..9),
    ];
    prop_oneof![
        2 => (place.clone(), 0usize..9).prop_map(|(at, width)| Access::Read(at, width)),
        8 => (place, value.clone()).prop_map(|(at, value)| Access::Write(at, value)),
        // The registers that lead somewhere, more often than chance has it.
        6 => (prop_oneof![Just(offset::STATUS), Just(offset::DRIVER_FEATURES), Just(offset::QUEUE_READY)], value)
            .prop_map(|(at, value)| Access::Write(at, value)),
        4 => prop_oneof![Just(1u8), Just(3), Just(11), Just(15), Just(0)]
            .prop_map(|value| Access::Write(offset::STATUS, vec![value, 0, 0, 0])),
        1 => Just(Access::Broken),
        1 => Just(Access::ResetDone),
    ]
}

proptest! {
    #[test]
    fn any_accesses_keep_the_invariants(accesses in proptest::collection::vec(any_access(), 1..200)) {
        let mut device = device();
        let (mut started, mut resetting) = (false, false);
        for access in accesses {
            match access {
                Access::Read(at, width) => device.read(at, &mut vec![0; width]),
                Access::Write(at, value) => match device.write(at, &value) {
                    Effect::Start => {
                        prop_assert!(!started && !resetting);
                        started = true;
                        let features = device.driver_features();
                        prop_assert_eq!(features & !device.identity.features, 0);
                        prop_assert!(features & feature::VERSION_1 != 0);
                    }
                    Effect::Stop => {
                        prop_assert!(started);
                        started = device.is_running();
                    }
                    Effect::Reset => resetting = true,
                    Effect::Notify(queue) => {
                        prop_assert!(started && usize::from(queue) < device.queues().len());
                    }
                    Effect::None => {}
                },
                Access::Broken => device.needs_reset(),
                Access::ResetDone if resetting => {
                    device.reset_done();
                    (started, resetting) = (false, false);
                    prop_assert_eq!(device.status, 0);
                }
                Access::ResetDone => {}
            }
            for (queue, most) in device.queues.iter().zip(&device.identity.queue_sizes) {
                prop_assert!(!queue.ready || queue.size.is_power_of_two() && queue.size <= *most);
            }
            prop_assert!(ordered(device.status & !DEVICE_NEEDS_RESET));
        }
    }
}
