use proptest::prelude::*;

use super::*;
use crate::memory::{self, FarEnd, MemoryPort};

/// A frame of 105 octets (125 on the wire) holds it for 1 us.
const RATE: u64 = 1_000_000_000;
const FRAME: usize = 101;

fn shaped(room: usize) -> (ShapedPort<MemoryPort>, FarEnd, ShapedWatch) {
    let (port, far) = memory::pair(1024, 2048);
    let port = ShapedPort::new(port, RATE, room);
    let watch = port.watch();
    (port, far, watch)
}

fn send(far: &mut FarEnd, numbers: std::ops::Range<u8>) {
    for number in numbers {
        assert!(far.send(&[number; FRAME]));
    }
}

/// First octets of what is there at `now_ns`.
fn at(port: &mut impl Port, now_ns: u64) -> Vec<u8> {
    let mut burst = RxBurst::new();
    port.rx_burst(now_ns, &mut burst);
    burst.iter().map(|frame| frame[0]).collect()
}

#[test]
fn frames_come_as_fast_as_the_wire_and_no_faster() {
    let (mut port, mut far, _) = shaped(16);
    send(&mut far, 0..5);
    assert_eq!(
        at(&mut port, 10_000),
        [],
        "the first is on the wire for 1 us"
    );
    assert_eq!(at(&mut port, 10_999), []);
    assert_eq!(at(&mut port, 11_000), [0]);
    assert_eq!(at(&mut port, 13_500), [1, 2]);
    assert_eq!(at(&mut port, 100_000), [3, 4]);
    // An idle wire saves nothing up.
    send(&mut far, 5..7);
    assert_eq!(at(&mut port, 200_000), []);
    assert_eq!(at(&mut port, 201_000), [5]);
    assert_eq!(at(&mut port, 202_000), [6]);
}

#[test]
fn what_finds_the_queue_full_is_dropped_and_counted() {
    let (mut port, mut far, watch) = shaped(3);
    send(&mut far, 0..10);
    assert_eq!(at(&mut port, 0), []);
    let counts = watch.counts();
    assert_eq!(
        (counts.received, counts.dropped, counts.waiting),
        (10, 7, 3)
    );
    // At 1 us the first is through and leaves room for one.
    send(&mut far, 10..12);
    assert_eq!(at(&mut port, 1_000), [0]);
    assert_eq!(at(&mut port, 9_000), [1, 2, 10]);
    let counts = watch.counts();
    assert_eq!(
        (
            counts.received,
            counts.delivered,
            counts.dropped,
            counts.waiting
        ),
        (12, 4, 8, 0)
    );
}

#[test]
fn rest_ends_when_the_next_frame_is_through() {
    let (mut port, mut far, _) = shaped(100);
    assert!(matches!(port.rest(0), Wake::Readable(_) | Wake::Nothing));
    port.resume();
    send(&mut far, 0..2);
    at(&mut port, 500);
    assert!(matches!(port.rest(500), Wake::At(1_500)));
    // More are through than a burst takes: no rest.
    send(&mut far, 2..80);
    at(&mut port, 600);
    at(&mut port, 700);
    assert_eq!(at(&mut port, 1_000_000).len(), crate::port::BURST);
    assert!(matches!(port.rest(1_000_000), Wake::Frames));
}

#[test]
fn sending_passes_through() {
    let (mut port, mut far, _) = shaped(4);
    let mut slots = TxSlots::new();
    port.tx_slots(1, &mut slots);
    slots[0][..4].copy_from_slice(&[1, 2, 3, 4]);
    drop(slots);
    assert_eq!(
        port.tx_commit(&[TxMeta {
            len: 4,
            start_ns: 7
        }]),
        1
    );
    assert_eq!(far.recv(|frame, _| assert_eq!(frame, [1, 2, 3, 4])), 1);
    assert!(
        port.describe()
            .ends_with("received at 1000000000 bit/s through a queue of 4")
    );
}

#[test]
#[should_panic(expected = "no room for a frame")]
fn a_queue_of_nothing_is_refused() {
    let _ = shaped(0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: proptest::test_runner::RngSeed::Fixed(802),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_interval_carries_more_than_the_wire_and_every_frame_is_counted(
        rate in 1_000_000u64..100_000_000_000,
        room in 1usize..200,
        steps in proptest::collection::vec((0u64..5_000_000, 0usize..40, 60usize..1514), 1..60),
    ) {
        let (port, mut far) = memory::pair(1024, 2048);
        let mut port = ShapedPort::new(port, rate, room);
        let watch = port.watch();
        let (mut now, mut sent, mut came) = (0u64, 0u64, Vec::new());
        for (gap, frames, octets) in steps {
            now += gap;
            for _ in 0..frames {
                sent += u64::from(far.send(&vec![7; octets]));
            }
            let mut burst = RxBurst::new();
            port.rx_burst(now, &mut burst);
            came.extend(burst.iter().map(|f| (now, 8 * (f.len() as u64 + 24))));
            drop(burst);
            let c = watch.counts();
            prop_assert_eq!(c.received, c.delivered + c.dropped + c.waiting);
            prop_assert_eq!(c.received, sent);
            // All that came is no more than the time since the beginning carries.
            let bits: u64 = came.iter().map(|(_, bits)| bits).sum();
            prop_assert!(u128::from(bits) * 1_000_000_000 <= u128::from(rate) * u128::from(now) + 1_000_000_000);
        }
        prop_assert_eq!(watch.counts().delivered, came.len() as u64);
    }
}

#[test]
fn a_device_with_a_time_of_its_own_loses_nothing_to_whoever_fetches_late() {
    let sent_ns = |frame: &[u8]| Some(1_000 * u64::from(frame[0]));
    // A frame a microsecond, as fast as the wire: room for two is enough, also where nobody looks for 200 us.
    let (port, mut far, watch) = shaped(2);
    let mut port = port.came_when_sent(sent_ns);
    send(&mut far, 0..200);
    let mut came = at(&mut port, 200_000);
    while watch.counts().delivered < 200 {
        came.extend(at(&mut port, 200_000));
    }
    assert_eq!(came, (0..200).collect::<Vec<u8>>());
    assert_eq!(watch.counts().dropped, 0);
    // Twice as fast: half of them find it full.
    let sent_ns = |frame: &[u8]| Some(500 * u64::from(frame[0]));
    let (port, mut far, watch) = shaped(2);
    let mut port = port.came_when_sent(sent_ns);
    send(&mut far, 0..200);
    at(&mut port, 200_000);
    assert!(
        watch.counts().dropped.abs_diff(100) <= 2,
        "{:?}",
        watch.counts()
    );
    // What was sent in the future came when it was fetched.
    let (port, mut far, watch) = shaped(2);
    let mut port = port.came_when_sent(|_| Some(u64::MAX));
    send(&mut far, 0..3);
    assert_eq!(at(&mut port, 5_000), []);
    assert_eq!(at(&mut port, 6_000), [0]);
    assert_eq!(watch.counts().dropped, 1);
}
