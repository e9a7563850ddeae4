//! The memory cable: order, fullness, reuse, a far end that leaves, two threads.

use arrayvec::ArrayVec;

use super::*;

fn send_all(port: &mut impl Port, frames: &[Vec<u8>]) -> usize {
    let mut slots = TxSlots::new();
    port.tx_slots(frames.len(), &mut slots);
    let offered = slots.len();
    for (slot, frame) in slots.iter_mut().zip(frames) {
        slot[..frame.len()].copy_from_slice(frame);
    }
    drop(slots);
    let metas: Vec<_> = frames
        .iter()
        .take(offered)
        .enumerate()
        .map(|(i, f)| TxMeta {
            len: f.len() as u16,
            start_ns: i as u64,
        })
        .collect();
    port.tx_commit(&metas)
}

/// Behind the start of every frame of these tests.
const NOW_NS: u64 = 1_000_000;

fn receive(port: &mut impl Port) -> Vec<Vec<u8>> {
    let mut burst = RxBurst::new();
    port.rx_burst(NOW_NS, &mut burst);
    burst.iter().map(|f| f.to_vec()).collect()
}

fn frames(count: usize, first: u8) -> Vec<Vec<u8>> {
    (0..count)
        .map(|i| vec![first.wrapping_add(i as u8); 60 + i])
        .collect()
}

#[test]
fn frames_cross_a_cable_in_order_both_ways() {
    let (mut a, mut b) = cable(256, 2048);
    let (to_b, to_a) = (frames(64, 1), frames(30, 100));
    assert_eq!(send_all(&mut a, &to_b), 64);
    assert_eq!(send_all(&mut b, &to_a), 30);
    assert_eq!(receive(&mut b), to_b);
    assert_eq!(receive(&mut a), to_a);
    assert!(receive(&mut a).is_empty());
}

#[test]
fn a_full_cable_offers_no_slots_and_loses_nothing() {
    let (mut a, mut b) = cable(10, 128);
    let sent = frames(12, 0);
    assert_eq!(send_all(&mut a, &sent), 10);
    assert_eq!(send_all(&mut a, &sent), 0);
    assert_eq!(receive(&mut b), sent[..10]);
    // The frames are lent until the next receive; then their slots are free again.
    assert_eq!(send_all(&mut a, &sent), 0);
    assert!(receive(&mut b).is_empty());
    assert_eq!(send_all(&mut a, &sent[10..]), 2);
    assert_eq!(receive(&mut b), sent[10..]);
}

#[test]
fn slots_not_committed_are_offered_again_and_send_in_order() {
    let (mut a, mut b) = cable(8, 128);
    let mut slots = TxSlots::new();
    a.tx_slots(5, &mut slots);
    assert_eq!(slots.len(), 5);
    drop(slots);
    assert_eq!(a.tx_commit(&[]), 0);
    for round in 0..100u8 {
        let sent = frames(3, round);
        assert_eq!(send_all(&mut a, &sent), 3);
        assert_eq!(receive(&mut b), sent);
    }
}

#[test]
fn a_length_beyond_the_slot_ends_the_prefix() {
    let (mut a, mut b) = cable(8, 128);
    let mut slots = TxSlots::new();
    a.tx_slots(3, &mut slots);
    drop(slots);
    let metas = [128, 129, 60].map(|len| TxMeta { len, start_ns: 0 });
    assert_eq!(a.tx_commit(&metas), 1);
    assert_eq!(receive(&mut b).len(), 1);
}

#[test]
fn the_far_end_refuses_what_exceeds_a_slot_and_what_exceeds_the_cable() {
    let (mut port, mut far) = pair(3, 128);
    assert!(!far.send(&[0; 129]));
    assert!(far.send(&[1; 128]) && far.send(&[2; 60]) && far.send(&[3; 60]));
    assert!(!far.send(&[4; 60]));
    assert_eq!(receive(&mut port), [vec![1; 128], vec![2; 60], vec![3; 60]]);
}

#[test]
fn a_port_without_a_far_end_sends_into_the_void_for_ever() {
    let (mut port, far) = pair(4, 128);
    assert!(port.describe().contains("cable"));
    drop(far);
    for _ in 0..100 {
        assert_eq!(send_all(&mut port, &frames(4, 0)), 4);
    }
    // Also when every slot was on the cable as the far end left.
    let (mut port, far) = pair(4, 128);
    assert_eq!(send_all(&mut port, &frames(4, 0)), 4);
    drop(far);
    for _ in 0..100 {
        assert_eq!(send_all(&mut port, &frames(4, 0)), 4);
    }
    assert!(receive(&mut port).is_empty());
    assert!(port.describe().contains("no far end"));
}

#[test]
fn a_far_end_on_another_thread_gets_every_frame_once_in_order() {
    const COUNT: u32 = 200_000;
    let (mut port, mut far) = pair(256, 128);
    let echo = std::thread::spawn(move || {
        let (mut next, mut sum) = (0u32, 0u64);
        while next < COUNT {
            let got = far.recv(|frame, start_ns| {
                assert_eq!(frame, next.to_be_bytes());
                assert_eq!(start_ns, u64::from(next));
                next += 1;
                sum += start_ns;
            });
            if got == 0 {
                std::thread::yield_now();
            }
        }
        sum
    });
    let mut sent = 0u32;
    while sent < COUNT {
        let mut slots = TxSlots::new();
        port.tx_slots(((COUNT - sent) as usize).min(BURST), &mut slots);
        let mut metas = ArrayVec::<TxMeta, BURST>::new();
        for slot in &mut slots {
            slot[..4].copy_from_slice(&sent.to_be_bytes());
            metas.push(TxMeta {
                len: 4,
                start_ns: u64::from(sent),
            });
            sent += 1;
        }
        drop(slots);
        assert_eq!(port.tx_commit(&metas), metas.len());
        if metas.is_empty() {
            std::thread::yield_now();
        }
    }
    let expected = u64::from(COUNT) * u64::from(COUNT - 1) / 2;
    assert_eq!(echo.join().expect("the far end saw every frame"), expected);
}
