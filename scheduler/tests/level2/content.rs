//! Content: requests before data, virtual networks in turn, whatever is in the packets.

use std::collections::VecDeque;

use pinode_scheduler::level2::{Arrival, ClassName, Content, Discipline, Refused, Why};
use proptest::prelude::*;

use crate::share::{LARGEST, Share, bound};
use crate::{assert_conserved, classes, seeded};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    serial: u64,
    data: bool,
    vn: u8,
    octets: u32,
}

fn put(queue: &mut Content<Frame>, frame: Frame) -> Result<(), Refused<Frame>> {
    let pdu: &[u8] = if frame.data { &[6, 9] } else { &[5, 9] };
    let arrival = Arrival {
        now_ns: 0,
        octets: frame.octets,
        vn: frame.vn,
        pdu,
    };
    queue.enqueue(frame, &arrival)
}

fn frame(serial: u64, data: bool, vn: u8) -> Frame {
    Frame {
        serial,
        data,
        vn,
        octets: 79,
    }
}

#[derive(Debug, Clone)]
enum Op {
    Arrive(bool, u8, u32),
    /// Up to this size, so many.
    Send(u32, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let size = || prop_oneof![Just(u32::MAX), 0u32..1600];
    prop_oneof![
        2 => (any::<bool>(), 0u8..40, 64u32..1519).prop_map(|(d, v, o)| Op::Arrive(d, v, o)),
        1 => (size(), 0usize..6).prop_map(|(o, n)| Op::Send(o, n)),
    ]
}

proptest! {
    #![proptest_config(seeded(600))]

    #[test]
    fn requests_go_first_and_nothing_is_reordered_or_lost(
        networks in any::<u32>(),
        limits in (0usize..6, 0usize..6),
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let mut queue = Content::new(networks, limits.0, limits.1);
        let mut model: [[VecDeque<Frame>; 32]; 2] = Default::default();
        for (serial, op) in (0..).zip(ops) {
            match op {
                Op::Arrive(data, vn, octets) => {
                    let frame = Frame { serial, data, vn, octets };
                    let carried = vn < 32 && networks >> vn & 1 == 1;
                    let expected = if !carried {
                        Err(Why::Unknown)
                    } else {
                        let class = &mut model[usize::from(data)][usize::from(vn)];
                        if class.len() < [limits.0, limits.1][usize::from(data)] {
                            class.push_back(frame);
                            Ok(())
                        } else {
                            Err(Why::Full)
                        }
                    };
                    prop_assert_eq!(put(&mut queue, frame).map_err(|r| r.why), expected);
                }
                Op::Send(fits, most) => for _ in 0..most {
                    let mut offered: Vec<Frame> = Vec::new();
                    let taken = queue.dequeue_if(0, |frame| {
                        offered.push(*frame);
                        frame.octets <= fits
                    });
                    for frame in &offered {
                        let class = &model[usize::from(frame.data)][usize::from(frame.vn)];
                        prop_assert_eq!(class.front(), Some(frame));
                        let again = offered.iter().filter(|other| other == &frame);
                        prop_assert_eq!(again.count(), 1, "once");
                    }
                    prop_assert!(offered.is_sorted_by_key(|frame| frame.data));
                    let waiting = |kind: &[VecDeque<Frame>; 32]| {
                        kind.iter().filter(|class| !class.is_empty()).count()
                    };
                    let requests = offered.iter().filter(|frame| !frame.data).count();
                    let Some(frame) = taken else {
                        prop_assert_eq!(offered.len(), waiting(&model[0]) + waiting(&model[1]));
                        break;
                    };
                    if frame.data {
                        prop_assert_eq!(requests, waiting(&model[0]), "all requests before data");
                    }
                    let class = &mut model[usize::from(frame.data)][usize::from(frame.vn)];
                    prop_assert_eq!(class.pop_front(), Some(frame));
                },
            }
            let expected = model.iter().flatten().map(VecDeque::len).sum::<usize>();
            prop_assert_eq!(queue.len(), expected);
        }
        assert_conserved(&queue);
        let told = classes(&queue);
        prop_assert_eq!(told.len() as u32, 2 * networks.count_ones());
        for (name, counters) in told {
            let ClassName::Network { kind, vn } = name else { panic!("{name}") };
            let class = &model[usize::from(kind == "data")][usize::from(vn)];
            prop_assert_eq!(counters.queued, class.len() as u64);
        }
    }

    /// Any two networks of one kind are apart by no more than a visit and a frame of each.
    #[test]
    fn networks_share_alike_whatever_their_sizes(
        sizes in prop::collection::vec(64u32..1519, 2..33),
        data in any::<bool>(),
    ) {
        let networks = u32::MAX >> (32 - sizes.len());
        let mut queue = Content::new(networks, 2, 2);
        let mut shares: Vec<Share> = (1..sizes.len()).map(|_| Share::default()).collect();
        for (vn, octets) in (0u8..).zip(&sizes) {
            for serial in 0..2 {
                put(&mut queue, Frame { serial, data, vn, octets: *octets }).unwrap();
            }
        }
        for _ in 0..sizes.len() * 60 {
            let frame = queue.dequeue_if(0, |_| true).unwrap();
            // Each against the first.
            let vn = usize::from(frame.vn);
            match vn.checked_sub(1) {
                Some(other) => shares[other].add(1, LARGEST, frame.octets, true),
                None => shares.iter_mut().for_each(|share| share.add(0, LARGEST, frame.octets, true)),
            }
            put(&mut queue, frame).unwrap();
        }
        for share in shares {
            let ahead = share.ahead();
            prop_assert!(ahead.iter().all(|ahead| *ahead <= bound([LARGEST; 2])), "{ahead:?}");
            prop_assert!(share.served().iter().all(|served| *served > 1.0));
        }
    }

    #[test]
    fn any_octets_are_a_request_or_data(
        pdus in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..80),
                prop::collection::vec(prop::sample::select(vec![
                    0x64u8, 0x05, 0x06, 0x50, 0x52, 0x03, 0x20, 0xFD, 0xFE, 0xFF, 0, 1, 2,
                ]), 0..80).prop_map(|mut pdu| { pdu.insert(0, 0x64); pdu }),
            ],
            0..64,
        ),
        vn in 0u8..32,
    ) {
        let mut queue = Content::new(u32::MAX, 64, 64);
        for pdu in &pdus {
            let arrival = Arrival { now_ns: 0, octets: 79, vn, pdu };
            prop_assert_eq!(queue.enqueue((), &arrival), Ok(()));
        }
        prop_assert_eq!(queue.len(), pdus.len());
    }
}

#[test]
fn a_flood_of_data_does_not_hold_up_a_request() {
    let mut queue = Content::new(0b11, 4, 4);
    for serial in 0..4 {
        put(&mut queue, frame(serial, true, 0)).unwrap();
    }
    assert_eq!(
        put(&mut queue, frame(4, true, 0)).unwrap_err().why,
        Why::Full
    );
    put(&mut queue, frame(5, false, 1)).unwrap();
    assert_eq!(queue.dequeue_if(0, |_| true).map(|f| f.serial), Some(5));
    assert_eq!(queue.dequeue_if(0, |_| true).map(|f| f.serial), Some(0));
}

#[test]
fn a_busy_network_leaves_the_others_their_turns() {
    let mut queue = Content::new(0b111, 8, 8);
    for serial in 0..6 {
        put(
            &mut queue,
            Frame {
                octets: 1518,
                ..frame(serial, true, 0)
            },
        )
        .unwrap();
    }
    for vn in [1, 2] {
        put(
            &mut queue,
            Frame {
                octets: 1518,
                ..frame(10, true, vn)
            },
        )
        .unwrap();
    }
    let order: Vec<u8> = std::iter::from_fn(|| queue.dequeue_if(0, |_| true))
        .map(|frame| frame.vn)
        .collect();
    let mut first = order[..3].to_vec();
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2], "{order:?}");
}

/// Requests are not policed: only how many wait is bounded. Refused ones (Nacks) are among them.
#[test]
fn a_flood_of_requests_leaves_data_nothing_and_its_own_class_full() {
    let mut queue = Content::new(0b11, 4, 4);
    put(&mut queue, frame(0, true, 0)).unwrap();
    put(&mut queue, frame(0, true, 1)).unwrap();
    let nack = Arrival {
        now_ns: 0,
        octets: 79,
        vn: 0,
        // LpPacket { Nack { NackReason } }.
        pdu: &[100, 9, 0xfd, 0x03, 0x20, 5, 0xfd, 0x03, 0x21, 1, 50],
    };
    for serial in 1..=4 {
        queue.enqueue(frame(serial, false, 0), &nack).unwrap();
    }
    let refused = queue.enqueue(frame(5, false, 0), &nack).unwrap_err();
    assert_eq!(refused.why, Why::Full);
    for serial in 5..1_000 {
        let sent = queue.dequeue_if(0, |_| true).unwrap();
        assert!(!sent.data);
        put(&mut queue, frame(serial, false, 0)).unwrap();
    }
    // A request of another network has its turn, when the flood has had a largest frame's.
    put(&mut queue, frame(0, false, 1)).unwrap();
    let turn = (1..=32).find(|serial| {
        let sent = queue.dequeue_if(0, |_| true).unwrap();
        let again = (sent.vn == 0).then(|| put(&mut queue, frame(*serial, false, 0)).unwrap());
        again.is_none()
    });
    assert!(turn.is_some());
}
