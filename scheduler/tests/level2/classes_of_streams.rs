//! Constant rates, best effort and signalling beside each other, and connections that come and go.

use std::collections::{HashMap, VecDeque};

use pinode_scheduler::level2::streams::{
    Block, ConnectError, Connection, ROUTER_ALERT, Room, Service, Signalling, Terms, Tolerance,
};
use pinode_scheduler::level2::{Arrival, ClassName, Discipline, Streams, Why};
use proptest::prelude::*;

use crate::{assert_conserved, classes, rate, seeded};

const GBIT: u64 = 1_000_000_000;
/// tau of signalling, ns.
const TAU_NS: u64 = 40_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    serial: u64,
    label: u32,
    octets: u32,
}

fn connection(label: u32, service: Service, bps: u64, buffer: u32) -> Connection {
    Connection {
        vn: 0,
        label,
        service,
        peak: rate_of(bps),
        tolerance: match label % 3 {
            0 => Tolerance::Own(30_000),
            1 => Tolerance::Shared(0),
            _ => Tolerance::Shared(u64::from(label)),
        },
        buffer,
        largest: 1518,
    }
}

fn rate_of(bps: u64) -> Option<pinode_scheduler::LinkRate> {
    (bps > 0).then(|| rate(bps))
}

fn signalling(bps: u64, buffer: u32) -> Signalling {
    Signalling {
        peak: rate(bps),
        tolerance_ns: TAU_NS,
        buffer,
    }
}

fn put(queue: &mut Streams<Frame>, frame: Frame, now_ns: u64) -> Result<(), Why> {
    let arrival = Arrival {
        now_ns,
        octets: frame.octets,
        vn: 0,
        pdu: &(frame.label << 12 | 0x1FF).to_be_bytes(),
    };
    queue
        .enqueue(frame, &arrival)
        .map_err(|refused| refused.why)
}

#[derive(Debug, Clone)]
enum Op {
    Connect(u32, bool, u64, u32),
    Disconnect(u32),
    Arrive(u32, u32),
    Later(u64),
    Send(u32),
    Clear,
    Terms(u64, u64),
}

fn op() -> impl Strategy<Value = Op> {
    // Blocks of labels come and go.
    let label = || prop_oneof![16u32..22, 1022u32..1026, 2048u32..2050];
    let any_label = prop_oneof![2 => Just(ROUTER_ALERT), 8 => label()];
    let sizes = || prop_oneof![3 => Just(1518u32), 1 => 64u32..1600];
    prop_oneof![
        6 => (label(), any::<bool>(), 1_000_000u64..GBIT / 3, 0u32..6)
            .prop_map(|(l, ubr, r, b)| Op::Connect(l, ubr, r, b)),
        3 => label().prop_map(Op::Disconnect),
        30 => (any_label, 64u32..1530).prop_map(|(l, o)| Op::Arrive(l, o)),
        10 => (0u64..30_000).prop_map(Op::Later),
        20 => sizes().prop_map(Op::Send),
        1 => Just(Op::Clear),
        1 => (GBIT / 2..2 * GBIT, 0u64..60_000).prop_map(|(r, t)| Op::Terms(r, t)),
    ]
}

proptest! {
    #![proptest_config(seeded(600))]

    /// Signalling before constant rates before best effort; frames of a connection in order; nothing
    /// lost, whoever comes and goes; no more admitted than there is.
    #[test]
    fn each_goes_behind_what_is_before_it_and_none_is_lost(
        frames in 1u32..40,
        most in 1u32..8,
        ops in prop::collection::vec(op(), 0..300),
    ) {
        let room = Room { rate_bps: GBIT, frames, connections: most, networks: 1 };
        let own = 10_000_000;
        let mut queue = Streams::new(room).with_signalling(signalling(own, 3));
        let reserved = 3.min(frames);
        let mut there: HashMap<u32, (Connection, VecDeque<Frame>)> = HashMap::new();
        let mut waiting: VecDeque<Frame> = VecDeque::new();
        let (mut now_ns, mut rate_bps) = (0, GBIT);
        let (mut offered_out, mut handed_in) = (0, 0);
        for (serial, op) in (0u64..).zip(ops) {
            match op {
                Op::Connect(label, ubr, bps, buffer) => {
                    let service = if ubr { Service::Ubr } else { Service::Cbr };
                    let asked = connection(label, service, bps, buffer);
                    let (spare_bps, spare) = queue.spare();
                    let mut blocks = vec![Block::default()];
                    let answer = queue.connect_within(asked, &mut blocks);
                    handed_in += 1 - blocks.len();
                    let expected = if there.contains_key(&label) {
                        Err(ConnectError::Taken { vn: 0, label })
                    } else if buffer == 0 {
                        Err(ConnectError::NoBuffer)
                    } else if !ubr && bps > spare_bps {
                        Err(ConnectError::Rate { asked_bps: bps, spare_bps })
                    } else if !ubr && buffer > spare {
                        Err(ConnectError::Buffer { asked: buffer, spare })
                    } else if there.len() == most as usize {
                        Err(ConnectError::Most { most })
                    } else {
                        there.insert(label, (asked, VecDeque::new()));
                        Ok(())
                    };
                    prop_assert_eq!(answer, expected);
                }
                Op::Disconnect(label) => {
                    let mut out = VecDeque::new();
                    let mut blocks = Vec::with_capacity(1);
                    let gone = queue.disconnect_within((0, label), |f| out.push_back(f), &mut blocks);
                    offered_out += blocks.len();
                    let expected = there.remove(&label);
                    prop_assert_eq!(gone.is_some(), expected.is_some());
                    if let (Some(gone), Some((contract, frames))) = (gone, expected) {
                        prop_assert_eq!((gone.contract, &out), (contract, &frames));
                        let c = gone.counters;
                        prop_assert_eq!(c.queued, 0);
                        prop_assert_eq!(c.enqueued, c.dequeued + c.cleared);
                        prop_assert!(c.cleared >= out.len() as u64);
                    }
                }
                Op::Arrive(label, octets) => {
                    let frame = Frame { serial, label, octets };
                    let answer = put(&mut queue, frame, now_ns);
                    let line = match there.get_mut(&label) {
                        Some((_, line)) => line,
                        None if label == ROUTER_ALERT => &mut waiting,
                        None => {
                            prop_assert_eq!(answer, Err(Why::Unknown));
                            continue;
                        }
                    };
                    if answer.is_ok() {
                        line.push_back(frame);
                        let all = there.values().map(|(_, line)| line.len()).sum::<usize>();
                        prop_assert!(all + waiting.len() <= frames as usize);
                    } else if label != ROUTER_ALERT && octets > 1518 {
                        prop_assert_eq!(answer, Err(Why::Policed));
                    } else {
                        prop_assert_eq!(answer, Err(Why::Full));
                    }
                    if let Some((contract, line)) = there.get(&label) {
                        prop_assert!(line.len() <= contract.buffer as usize);
                    }
                }
                Op::Later(ns) => now_ns += ns,
                Op::Send(fits) => {
                    let mut refused = Vec::new();
                    let taken = queue.dequeue_if(now_ns, |frame| {
                        let goes = frame.octets <= fits;
                        if !goes {
                            refused.push(*frame);
                        }
                        goes
                    });
                    let is_ubr = |frame: &Frame| {
                        there.get(&frame.label).is_some_and(|(c, _)| c.service == Service::Ubr)
                    };
                    let rank = |frame: &Frame| match frame.label {
                        ROUTER_ALERT => 0,
                        _ if is_ubr(frame) => 2,
                        _ => 1,
                    };
                    let order: Vec<_> = refused.iter().chain(&taken).map(rank).collect();
                    prop_assert!(order.is_sorted(), "{:?}", order);
                    let mut once = refused.clone();
                    once.dedup();
                    prop_assert_eq!(once.len(), refused.len());
                    let cbr = order.iter().filter(|rank| **rank == 1).count();
                    // Best effort goes when no eligible head may start, of those that are offered.
                    if taken.as_ref().is_some_and(is_ubr) && cbr < 4 {
                        let own = there.values().filter(|(c, _)| c.service == Service::Cbr);
                        let left = own.filter(|(_, line)| {
                            line.front().is_some_and(|head| !refused.contains(head))
                        });
                        for (_, line) in left {
                            let head = line[0];
                            let mut other = queue.clone();
                            let early = other.dequeue_if(now_ns, |frame| *frame == head);
                            prop_assert_eq!(early, None, "it could have gone");
                        }
                    }
                    if let Some(frame) = taken {
                        let line = match frame.label {
                            ROUTER_ALERT => &mut waiting,
                            label => &mut there.get_mut(&label).unwrap().1,
                        };
                        prop_assert_eq!(line.pop_front(), Some(frame));
                    } else if there.values().any(|(c, line)| {
                        let may = line.front().is_some_and(|head| head.octets <= fits);
                        c.service == Service::Ubr && may
                    }) {
                        let ubr = refused.iter().filter(|frame| is_ubr(frame)).count();
                        prop_assert_eq!(ubr, 4, "more are not looked at");
                    }
                }
                Op::Clear => {
                    let mut out = 0;
                    queue.clear(|_| out += 1);
                    let all = there.values_mut().map(|(_, line)| line.drain(..).count());
                    let all = all.sum::<usize>() + waiting.drain(..).count();
                    prop_assert_eq!(out, all);
                }
                Op::Terms(bps, tolerance_ns) => {
                    rate_bps = bps;
                    queue.set_terms(Terms { rate_bps, tolerance_ns, signalling: None });
                }
            }
            let queued = there.values().map(|(_, line)| line.len()).sum::<usize>();
            prop_assert_eq!(queue.len(), queued + waiting.len());
            prop_assert_eq!(queue.due_ns(now_ns).is_some(), queue.len() > 0);
            let cbr = || there.values().map(|(c, _)| c).filter(|c| c.service == Service::Cbr);
            let taken_bps: u64 = cbr().map(|c| c.peak.unwrap().bits_per_s()).sum();
            let taken: u32 = cbr().map(|c| c.buffer).sum();
            let left_bps = rate_bps.saturating_sub(own + taken_bps);
            prop_assert_eq!(queue.spare(), (left_bps, frames - reserved - taken));
            let all = queue.reserved();
            prop_assert_eq!((all.rate_bps, all.cbr as usize), (taken_bps, cbr().count()));
            let untold = cbr().filter(|c| matches!(c.tolerance, Tolerance::Shared(_)));
            prop_assert_eq!(all.untold_bps, untold.map(|c| c.peak.unwrap().bits_per_s()).sum::<u64>());
            let told = cbr().map(|c| (c.peak.unwrap().bits_per_s(), c.tolerance.ns(0)));
            prop_assert_eq!(all.told_bps_ns, told.map(|(r, t)| u128::from(r * t)).sum::<u128>());
            prop_assert_eq!(all.turn_octets, 1538 * u64::from(all.cbr));
            prop_assert_eq!(queue.connections(), there.len());
        }
        assert_conserved(&queue);
        let mut listed = Vec::new();
        queue.list(0, |contract, _| { listed.push(contract.label); true });
        let mut labels: Vec<_> = there.keys().copied().collect();
        listed.sort_unstable();
        labels.sort_unstable();
        prop_assert_eq!(listed, labels);
        for label in there.keys() {
            let mut blocks = Vec::with_capacity(1);
            prop_assert!(queue.disconnect_within((0, *label), |_| (), &mut blocks).is_some());
            offered_out += blocks.len();
        }
        // The one of label 1 stays.
        prop_assert_eq!(handed_in, offered_out, "no block of labels is left");
    }

    /// Whatever comes, signalling takes no more than its rate, tau and a frame, over any time; and gets
    /// that with more to send.
    #[test]
    fn signalling_is_bounded(
        bps in 1_000_000..100_000_000u64,
        gaps in prop::collection::vec((0u64..20_000, 64u32..1519), 1..300),
    ) {
        let mut queue = Streams::new(Room::of(GBIT, 16)).with_signalling(signalling(bps, 4));
        let mut went: Vec<(u64, u64)> = Vec::new();
        let mut now_ns = 0;
        for (serial, (gap_ns, octets)) in (0u64..).zip(gaps) {
            now_ns += gap_ns;
            let _ = put(&mut queue, Frame { serial, label: ROUTER_ALERT, octets }, now_ns);
            prop_assert!(queue.len() <= 4);
            while let Some(frame) = queue.dequeue_if(now_ns, |_| true) {
                went.push((now_ns, 8 * u64::from(frame.octets + 20)));
            }
        }
        for (first, (from_ns, _)) in went.iter().enumerate() {
            let mut bits = 0;
            for (at_ns, frame) in &went[first..] {
                // Before the last frame of the time looked at.
                let most = (at_ns - from_ns + TAU_NS + 1) as f64 * bps as f64 / 1e9;
                prop_assert!(bits as f64 <= most + 1.0, "{} {}", bits, most);
                bits += frame;
            }
        }
        if let Some(due_ns) = queue.due_ns(now_ns) {
            prop_assert!(queue.dequeue_if(due_ns, |_| true).is_some());
        }
    }

    /// With more to send each, connections of best effort send the same in octets, whatever their
    /// frames' sizes.
    #[test]
    fn best_effort_shares_what_is_left(sizes in prop::collection::vec(64u32..1519, 1..9)) {
        let mut queue = Streams::new(Room::of(0, 64));
        for (label, _) in (16u32..).zip(&sizes) {
            queue.connect(connection(label, Service::Ubr, 0, 2)).unwrap();
        }
        let mut sent = vec![0u64; sizes.len()];
        for serial in 0..4_000 {
            for (label, octets) in (16u32..).zip(&sizes) {
                let frame = Frame { serial, label, octets: *octets };
                while put(&mut queue, frame, serial).is_ok() {}
            }
            let frame = queue.dequeue_if(serial, |_| true).unwrap();
            sent[frame.label as usize - 16] += u64::from(frame.octets) + 20;
        }
        let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
        prop_assert!(most - least <= 2 * 1538, "{:?}", sent);
    }
}

#[test]
fn signalling_comes_in_all_networks_that_are_carried() {
    let room = Room {
        networks: 0b1001,
        ..Room::of(GBIT, 8)
    };
    let mut queue = Streams::new(room).with_signalling(signalling(GBIT, 4));
    let mut ask = |vn, label: u32| {
        let arrival = Arrival {
            now_ns: 0,
            octets: 64,
            vn,
            pdu: &(label << 12).to_be_bytes(),
        };
        queue.enqueue((), &arrival).map_err(|refused| refused.why)
    };
    assert_eq!(ask(0, 1), Ok(()));
    assert_eq!(ask(3, 1), Ok(()));
    assert_eq!(ask(1, 1), Err(Why::Unknown));
    assert_eq!(ask(0, 2), Err(Why::Unknown));
    let told = classes(&queue);
    assert_eq!(told[1].0, ClassName::Named("signalling"));
    assert_eq!((told[0].1.enqueued, told[1].1.enqueued), (0, 2));
    let other = Connection {
        vn: 1,
        ..connection(16, Service::Ubr, 0, 1)
    };
    assert_eq!(
        queue.connect(other),
        Err(ConnectError::NotCarried { vn: 1 })
    );
    assert_eq!(queue.disconnect(0, ROUTER_ALERT, |()| ()), None);
}

#[test]
fn a_block_of_labels_is_asked_for_once_and_let_go_of_at_last() {
    let mut queue: Streams<()> = Streams::new(Room::of(GBIT, 8));
    let ubr = |label| connection(label, Service::Ubr, 0, 1);
    let mut none = Vec::new();
    assert_eq!(
        queue.connect_within(ubr(16), &mut none),
        Err(ConnectError::NoBlock { label: 16 })
    );
    let mut blocks = vec![Block::default(), Block::default()];
    queue.connect_within(ubr(16), &mut blocks).unwrap();
    queue.connect_within(ubr(1023), &mut blocks).unwrap();
    assert_eq!(blocks.len(), 1);
    queue.connect_within(ubr(1024), &mut blocks).unwrap();
    assert_eq!(blocks.len(), 0);
    let mut let_go = Vec::with_capacity(1);
    queue
        .disconnect_within((0, 16), |()| (), &mut let_go)
        .unwrap();
    assert_eq!(let_go.len(), 0);
    queue
        .disconnect_within((0, 1023), |()| (), &mut let_go)
        .unwrap();
    assert_eq!(let_go.len(), 1);
    // Without room for it, it stays for the next.
    queue
        .disconnect_within((0, 1024), |()| (), &mut none)
        .unwrap();
    queue.connect_within(ubr(1025), &mut none).unwrap();
}
