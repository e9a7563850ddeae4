//! Memory ports at rest, and with several queues.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

/// Waits for a descriptor, at most `seconds`. False: nothing came.
fn readable(fd: BorrowedFd<'_>, seconds: i64) -> bool {
    let limit = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, Some(&limit)).expect("poll answers") == 1
}

/// Asks a port to rest: whether a descriptor is to be waited for, and is readable within `seconds`.
fn rests(port: &mut impl Port, seconds: i64) -> Option<bool> {
    match port.rest(0) {
        Wake::Readable(fd) => Some(readable(fd, seconds)),
        Wake::Frames => None,
        other => panic!("{other:?}"),
    }
}

fn received(port: &mut impl Port) -> usize {
    received_at(port, 0)
}

fn received_at(port: &mut impl Port, now_ns: u64) -> usize {
    let mut burst = RxBurst::new();
    port.rx_burst(now_ns, &mut burst);
    burst.len()
}

#[test]
fn a_frame_wakes_a_port_at_rest_again_and_again() {
    let (mut port, mut far) = pair(8, 128);
    for _ in 0..5 {
        assert_eq!(rests(&mut port, 0), Some(false));
        assert!(far.send(&[1; 60]) && far.send(&[2; 60]));
        let Wake::Frames = port.rest(0) else {
            panic!("frames wait")
        };
        port.resume();
        assert_eq!(received(&mut port), 2);
        assert_eq!(received(&mut port), 0);
        // At rest when the frame comes, rather than before.
        let Wake::Readable(fd) = port.rest(0) else {
            panic!("nothing waits")
        };
        assert!(!readable(fd, 0));
        assert!(far.send(&[3; 60]));
        assert!(readable(fd, 0));
        port.resume();
        assert_eq!(received(&mut port), 1);
    }
}

#[test]
fn the_end_of_a_cable_wakes_the_other_on_its_own_thread() {
    let (mut near, mut far) = cable(8, 128);
    let waits = std::thread::spawn(move || {
        let woken = rests(&mut near, 10) != Some(false);
        near.resume();
        (woken, received(&mut near))
    });
    let mut slots = TxSlots::new();
    far.tx_slots(1, &mut slots);
    drop(slots);
    let meta = TxMeta {
        len: 60,
        start_ns: 0,
    };
    assert_eq!(far.tx_commit(&[meta]), 1);
    assert_eq!(waits.join().expect("it was woken"), (true, 1));
}

#[test]
fn a_frame_arrives_at_its_start_and_a_rest_ends_there() {
    let (mut near, mut far) = cable(8, 128);
    let mut slots = TxSlots::new();
    near.tx_slots(4, &mut slots);
    drop(slots);
    assert_eq!(near.launch_lead_ns(), Some(0));
    let metas = [100, 100, 150, 151].map(|start_ns| TxMeta { len: 60, start_ns });
    assert_eq!(near.tx_commit(&metas), 4);
    let mut arrived = Vec::new();
    for now_ns in [0, 99, 100, 101, 149, 150, 151] {
        let mut burst = RxBurst::new();
        far.rx_burst(now_ns, &mut burst);
        arrived.push(burst.len());
        drop(burst);
        let next_ns = metas.map(|meta| meta.start_ns).into_iter();
        match (next_ns.clone().find(|at| *at > now_ns), far.rest(now_ns)) {
            (Some(at), Wake::At(wake)) => assert_eq!(wake, at),
            (None, Wake::Readable(_)) => assert_eq!(now_ns, 151),
            (next, other) => panic!("{other:?} at {now_ns}, next {next:?}"),
        }
        // Meanwhile the start may have come.
        if now_ns == 149 {
            assert!(matches!(far.rest(150), Wake::Frames));
        }
        far.resume();
    }
    assert_eq!(arrived, [0, 0, 2, 0, 0, 1, 1]);
}

#[test]
fn what_is_on_the_wire_as_the_sender_leaves_still_arrives_at_its_start() {
    let (mut near, mut far) = cable(8, 128);
    let mut slots = TxSlots::new();
    near.tx_slots(1, &mut slots);
    drop(slots);
    let meta = TxMeta {
        len: 60,
        start_ns: 100,
    };
    assert_eq!(near.tx_commit(&[meta]), 1);
    drop(near);
    assert!(matches!(far.rest(99), Wake::At(100)));
    assert_eq!(received_at(&mut far, 99), 0);
    assert_eq!(received_at(&mut far, 100), 1);
    assert!(matches!(far.rest(100), Wake::Nothing));
}

#[test]
fn a_far_end_gets_frames_at_once_with_their_start() {
    let (mut port, mut far) = pair(8, 128);
    let mut slots = TxSlots::new();
    port.tx_slots(2, &mut slots);
    drop(slots);
    let metas = [7, u64::MAX].map(|start_ns| TxMeta { len: 60, start_ns });
    assert_eq!(port.tx_commit(&metas), 2);
    let mut starts = Vec::new();
    assert_eq!(far.recv(|_, start_ns| starts.push(start_ns)), 2);
    assert_eq!(starts, [7, u64::MAX]);
}

#[test]
fn a_port_left_alone_takes_what_was_sent_and_then_waits_for_nothing() {
    let (mut port, mut far) = pair(8, 128);
    assert!(far.send(&[1; 60]));
    drop(far);
    assert!(matches!(port.rest(0), Wake::Frames));
    assert_eq!(received(&mut port), 1);
    assert!(matches!(port.rest(0), Wake::Nothing));
}

#[test]
fn a_port_at_rest_holds_no_slots() {
    let (mut port, mut far) = pair(2, 128);
    assert!(far.send(&[1; 60]) && far.send(&[2; 60]));
    assert_eq!(received(&mut port), 2);
    assert!(!far.send(&[3; 60]));
    assert_eq!(rests(&mut port, 0), Some(false));
    assert!(far.send(&[3; 60]));
}

/// A receiver that rests whenever it finds nothing, and a sender that sends when it likes: with one wake
/// lost the receiver would sleep for ever.
#[test]
fn no_wake_is_lost() {
    const COUNT: u32 = 300_000;
    let (mut port, mut far) = pair(64, 128);
    let sender = std::thread::spawn(move || {
        let mut pause = 1u32;
        for number in 0..COUNT {
            while !far.send(&number.to_be_bytes()) {
                std::thread::yield_now();
            }
            // From no pause at all to more than the receiver takes to fall asleep.
            pause = pause.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if pause >> 24 < 16 {
                for _ in 0..pause >> 20 & 0xff {
                    std::hint::spin_loop();
                }
            }
            if pause >> 22 == 0 {
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
    });
    let (mut next, mut slept) = (0u32, 0);
    while next < COUNT {
        let mut burst = RxBurst::new();
        port.rx_burst(0, &mut burst);
        for frame in &burst {
            assert_eq!(*frame, next.to_be_bytes());
            next += 1;
        }
        if burst.is_empty() {
            drop(burst);
            if let Wake::Readable(fd) = port.rest(0) {
                assert!(readable(fd, 10), "a wake was lost behind frame {next}");
                slept += 1;
            }
            port.resume();
        }
    }
    sender.join().expect("all was sent");
    assert!(slept > 0);
}

/// A trunk frame of an IPv6 flow: number, then zeroes.
fn of_flow(flow: u8, number: u32) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5, 0x20];
    frame.extend([0x60, 0, 0, 0, 0, 20, 59, 64]);
    frame.extend([0; 31]);
    frame.push(flow);
    frame.extend(number.to_be_bytes());
    frame.resize(75, 0);
    frame
}

#[test]
fn flows_are_spread_over_queues_and_each_stays_in_order_in_one() {
    const FLOWS: u8 = 64;
    let (mut ports, mut far) = pair_with_queues(3, 512, 128);
    for number in 0..10 {
        for flow in 0..FLOWS {
            let frame = of_flow(flow, number);
            assert!(match number % 2 {
                0 => far.send(&frame),
                _ => far.send_with(frame.len(), |slot| slot.copy_from_slice(&frame)),
            });
        }
    }
    let mut seen = std::collections::HashMap::new();
    for (queue, port) in ports.iter_mut().enumerate() {
        let mut flows = 0;
        loop {
            let mut burst = RxBurst::new();
            port.rx_burst(0, &mut burst);
            if burst.is_empty() {
                break;
            }
            for frame in &burst {
                let number = u32::from_be_bytes([frame[55], frame[56], frame[57], frame[58]]);
                let (home, next) = seen.entry(frame[54]).or_insert((queue, 0));
                flows += u32::from(*next == 0);
                assert_eq!((*home, *next), (queue, number));
                *next += 1;
            }
        }
        assert!(flows > 8, "{flows} flows in queue {queue}");
    }
    assert_eq!(seen.len(), usize::from(FLOWS));
    assert!(seen.values().all(|(_, next)| *next == 10));
}

#[test]
fn what_queues_send_reaches_the_one_far_end() {
    let (mut ports, mut far) = pair_with_queues(2, 8, 128);
    assert_eq!(
        ports[1].describe(),
        "memory pair, queue 1: cable in the process, launch time"
    );
    for (port, octets) in ports.iter_mut().zip([60, 61]) {
        let mut slots = TxSlots::new();
        port.tx_slots(1, &mut slots);
        drop(slots);
        let meta = TxMeta {
            len: octets,
            start_ns: u64::from(octets),
        };
        assert_eq!(port.tx_commit(&[meta]), 1);
    }
    let mut got = Vec::new();
    assert_eq!(
        far.recv(|frame, start_ns| got.push((frame.len() as u64, start_ns))),
        2
    );
    got.sort_unstable();
    assert_eq!(got, [(60, 60), (61, 61)]);
    assert!(!far.send(&[0; 129]) && !far.send_with(129, |_| panic!("too long")));
}
