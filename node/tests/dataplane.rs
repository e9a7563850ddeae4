//! One worker in virtual time: every frame, every drop and every counter is decided by the test.

mod rig;

use pinode_classifier::{Access, Vn};
use pinode_node::dataplane::baton::TURN_NS;
use pinode_node::dataplane::mailbox::Event;
use pinode_ports::BURST;
use pinode_scheduler::LinkRate;
use proptest::prelude::*;
use rig::{ETHERTYPE, MTU, Plan, QUEUE, Rig, SLOTS, assert_conserved, frame, pis, trunk};

/// As in an ordinary plan.
const PHASE_NS: u64 = 100_000;

#[test]
fn every_size_crosses_every_guest_unchanged_both_ways() {
    let mut rig = Rig::new(Plan::default());
    for octets in 60..=1514 {
        let code = 1 + (octets % SLOTS) as u8;
        let (from, to) = if octets % 2 == 0 { (0, 1) } else { (1, 0) };
        let sent = frame(code, 0, octets, octets as u64);
        assert!(rig.far[from].send(&sent));
        assert_eq!(rig.next_frame(to), Some(sent), "{octets} octets");
    }
    let ports = rig.snapshot();
    assert_conserved(&ports);
    assert_eq!(ports[0].port.rx_frames + ports[1].port.rx_frames, 1455);
    assert_eq!(ports[0].port.tx_frames + ports[1].port.tx_frames, 1455);
}

#[test]
fn each_malformed_frame_is_counted_under_its_cause() {
    let mut rig = Rig::new(Plan::default());
    let mut other_type = frame(1, 0, 60, 0);
    other_type[12..14].copy_from_slice(&[0x86, 0xDD]);
    let frames = [
        other_type,
        frame(0, 0, 60, 0),
        frame(7, 0, 60, 0),
        frame(1, 5, 60, 0),
        frame(1, 0, 14, 0),
        frame(1, 0, 1515, 0),
        frame(2, 0, 60, 0),
    ];
    for f in &frames {
        assert!(rig.far[0].send(f));
    }
    rig.step(1000);
    let ports = rig.snapshot();
    let p = ports[0].port;
    assert_eq!((p.rx_frames, p.bad_ethertype, p.unknown_pi), (7, 1, 2));
    assert_eq!((p.unknown_vn, p.truncated, p.oversize), (1, 1, 1));
    assert_eq!(ports[0].pis[1].counters.to_guest, 1);
    assert_conserved(&ports);
}

#[test]
fn a_guest_cannot_speak_for_another_pi() {
    let mut rig = Rig::new(Plan::default());
    let mut other_type = frame(2, 0, 60, 0);
    other_type[12..14].copy_from_slice(&[0x08, 0x00]);
    rig.guests[1].send(0, &frame(1, 0, 60, 1));
    rig.guests[1].send(0, &other_type);
    rig.guests[1].send(0, &frame(2, 9, 60, 2));
    rig.guests[1].send(0, &frame(2, 0, 1515, 3));
    rig.guests[1].send(0, &frame(2, 0, 60, 4));
    assert_eq!(rig.next_frame(0), Some(frame(2, 0, 60, 4)));
    let ports = rig.snapshot();
    let c = ports[0].pis[1].counters;
    assert_eq!((c.from_guest, c.sent), (5, 1));
    assert_eq!((c.tx_spoofed, c.tx_unknown_vn, c.tx_oversize), (2, 1, 1));
    assert_conserved(&ports);
}

#[test]
fn a_pi_sends_no_frame_longer_than_its_max_sdu() {
    let access = || {
        Access::new(ETHERTYPE, 0x86DD, MTU, pis()[1], Vn::DEFAULT)
            .unwrap()
            .into()
    };
    for (shapes, pih) in [(vec![trunk(), trunk()], 0), (vec![access(), access()], 1)] {
        let mut rig = Rig::new(Plan {
            shapes,
            max_sdu: [MTU, 500, MTU],
            ..Plan::default()
        });
        // Octets on the wire: an access port takes the PIH off. The one too long is behind one that
        // goes, in front of one that goes, and alone.
        for octets in [514, 515, 60, 1514, 513, 515] {
            rig.guests[1].send(0, &frame(2, 0, octets + pih, octets as u64));
        }
        let mut out = Vec::new();
        for _ in 0..SLOTS as u64 * PHASE_NS / 1_000 {
            rig.step(1_000);
            rig.far[0].recv(|frame, _| out.push(frame.len()));
        }
        assert_eq!(out, [514, 60, 513]);
        let ports = rig.snapshot();
        let c = ports[0].pis[1].counters;
        assert_eq!((c.from_guest, c.sent, c.tx_oversize), (6, 3, 3));
        assert_eq!(ports[0].pis[1].gate.window_overruns, 0);
        assert_conserved(&ports);
    }
    // It is that PI's limit, and no other's.
    let mut rig = Rig::new(Plan {
        max_sdu: [MTU, 500, MTU],
        ..Plan::default()
    });
    rig.guests[0].send(0, &frame(1, 0, 1514, 1));
    assert_eq!(rig.next_frame(0), Some(frame(1, 0, 1514, 1)));
}

#[test]
fn access_ports_push_and_pop_the_pih() {
    let access = || {
        Access::new(ETHERTYPE, 0x86DD, MTU, pis()[0], Vn::DEFAULT)
            .unwrap()
            .into()
    };
    let mut rig = Rig::new(Plan {
        shapes: vec![access(), access()],
        ..Plan::default()
    });
    for octets in [60, 61, 79, 1000, 1514] {
        let mut sent = frame(1, 0, octets, 9);
        sent[12..14].copy_from_slice(&[0x86, 0xDD]);
        assert!(rig.far[0].send(&sent));
        assert_eq!(rig.next_frame(1), Some(sent), "{octets} octets");
    }
    let mut arp = frame(1, 0, 60, 0);
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    assert!(rig.far[0].send(&arp));
    rig.step(1000);
    let ports = rig.snapshot();
    assert_eq!(ports[0].port.bad_ethertype, 1);
    assert_conserved(&ports);
}

#[test]
fn an_access_port_and_a_trunk_understand_each_other() {
    let access = Access::new(ETHERTYPE, 0x86DD, MTU, pis()[0], Vn::DEFAULT)
        .unwrap()
        .into();
    let mut rig = Rig::new(Plan {
        shapes: vec![access, trunk()],
        ..Plan::default()
    });
    let mut plain = frame(1, 0, 100, 9);
    plain[12..14].copy_from_slice(&[0x86, 0xDD]);
    assert!(rig.far[0].send(&plain));
    let tagged = rig.next_frame(1).unwrap();
    assert_eq!(tagged.len(), 101);
    assert_eq!(&tagged[..12], &plain[..12]);
    assert_eq!(&tagged[12..15], &[0x88, 0xB5, 1 << 5]);
    assert_eq!(&tagged[15..], &plain[14..]);
    assert!(rig.far[1].send(&tagged));
    assert_eq!(rig.next_frame(0), Some(plain));
}

#[test]
fn frames_leave_inside_the_window_of_their_pi_and_never_above_c() {
    let mut rig = Rig::new(Plan {
        capacity_bps: 1_000_000_000,
        ..Plan::default()
    });
    let link = LinkRate::new(1_000_000_000).unwrap();
    let mut free_at_ps = 0;
    let mut seen = 0;
    for turn in 0..3000u64 {
        for code in 1..=3 {
            let octets = 60 + (turn * 37 % 1400) as usize;
            // A full cable is the tester's own loss.
            let _ = rig.far[0].send(&frame(code, 0, octets, turn));
        }
        rig.step(997);
        rig.far[1].recv(|f, start_ns| {
            let wire_ps = link.wire_time_ps(f.len().max(60) as u32 + 4);
            let slot = u64::from(f[14] >> 5) - 1;
            let into_cycle = start_ns % 300_000;
            assert_eq!(into_cycle / 100_000, slot, "start {start_ns}");
            assert!(into_cycle * 1000 + wire_ps <= (slot + 1) * 100_000_000 + 1000);
            assert!(start_ns * 1000 + 1000 > free_at_ps, "the link was not free");
            free_at_ps = start_ns * 1000 + wire_ps;
            seen += 1;
        });
    }
    // 3 ms at 1 Gb/s hold about 480 frames of this mix.
    assert!(seen > 460, "{seen} frames");
    let ports = rig.snapshot();
    assert_conserved(&ports);
    assert_eq!(ports[1].pis[0].gate.window_overruns, 0);
}

#[test]
fn a_policed_pi_loses_its_excess_and_nobody_elses() {
    let police = [Some((8_000_000, 1000)), None, None];
    let mut rig = Rig::new(Plan {
        police,
        ..Plan::default()
    });
    for i in 0..100 {
        assert!(rig.far[0].send(&frame(1, 0, 96, i)));
        assert!(rig.far[0].send(&frame(2, 0, 96, i)));
        rig.step(10_000);
    }
    let ports = rig.snapshot();
    // 1 ms at 8 Mb/s earns 1000 octets; with the burst of 1000, twenty frames of 100 pass.
    let to_guest = ports[0].pis[0].counters.to_guest;
    assert!((19..=20).contains(&to_guest), "{to_guest}");
    assert_eq!(ports[0].pis[0].counters.policed, 100 - to_guest);
    assert_eq!(ports[0].pis[1].counters.to_guest, 100);
    assert_conserved(&ports);
}

#[test]
fn a_guest_that_goes_takes_only_its_own_frames_along() {
    let mut rig = Rig::new(Plan::default());
    let mut sent = [0u64; SLOTS];
    let mut received = [0u64; SLOTS];
    for turn in 0..4000u64 {
        for code in 1..=3u8 {
            assert!(rig.far[0].send(&frame(code, 0, 60, turn)));
            sent[usize::from(code) - 1] += 1;
        }
        if turn == 1000 {
            assert_eq!(rig.detach(1).len(), 2);
        }
        if turn == 2000 {
            rig.guests[1] = rig.attach_new_guest(1);
        }
        rig.step(5000);
        rig.far[1].recv(|f, _| received[usize::from(f[14] >> 5) - 1] += 1);
        if turn % 100 == 0 {
            assert_conserved(&rig.snapshot());
        }
    }
    for _ in 0..1000 {
        rig.step(5000);
        rig.far[1].recv(|f, _| received[usize::from(f[14] >> 5) - 1] += 1);
    }
    assert_eq!((received[0], received[2]), (sent[0], sent[2]));
    let ports = rig.snapshot();
    assert_conserved(&ports);
    let c = ports[0].pis[1].counters;
    assert!(c.guest_down >= 1000, "{c:?}");
    let lost_queued = ports[1].pis[1].counters.tx_guest_down;
    // What was inside the old guest's memory at the end is gone as well: at most its buffers.
    assert!(received[1] + c.guest_down + lost_queued <= sent[1]);
    assert!(received[1] >= 2900, "{received:?}");
}

#[test]
fn a_guest_that_breaks_its_rings_is_taken_off_and_nobody_else_notices() {
    for receive in [false, true] {
        let mut rig = Rig::new(Plan::default());
        let mut received = [0u64; SLOTS];
        for turn in 0..2000u64 {
            for code in 1..=3u8 {
                assert!(rig.far[0].send(&frame(code, 0, 60, turn)));
            }
            if turn == 500 && receive {
                rig.guests[1].break_receive_ring(0);
            } else if turn == 500 {
                rig.guests[1].break_transmit_ring(1);
            }
            rig.clock.advance(5000);
            rig.turn();
            for slot in if turn >= 500 {
                vec![0, 2]
            } else {
                vec![0, 1, 2]
            } {
                rig.guests[slot].patch();
            }
            rig.far[1].recv(|f, _| received[usize::from(f[14] >> 5) - 1] += 1);
        }
        for _ in 0..500 {
            rig.clock.advance(5000);
            rig.turn();
            rig.guests[0].patch();
            rig.guests[2].patch();
            rig.far[1].recv(|f, _| received[usize::from(f[14] >> 5) - 1] += 1);
        }
        let Event::RingBroken { slot, parts, .. } = rig.events.try_recv().unwrap();
        assert_eq!((slot, parts.len()), (1, 2));
        assert!(rig.events.try_recv().is_err(), "told once");
        assert_eq!(
            (received[0], received[2]),
            (2000, 2000),
            "receive ring: {receive}"
        );
        let ports = rig.snapshot();
        assert!(ports[0].pis[1].counters.guest_down > 0);
        assert_conserved(&ports);
    }
}

#[test]
fn new_phases_lose_and_misplace_nothing() {
    let mut rig = Rig::new(Plan::default());
    let mut received = [0u64; SLOTS];
    let mut change_at = u64::MAX;
    for turn in 0..4000u64 {
        for code in 1..=3u8 {
            assert!(rig.far[0].send(&frame(code, 0, 60, turn)));
        }
        if turn == 1500 {
            let cycle = rig.cycle(&[50_000, 60_000, 90_000]);
            change_at = rig.install(1, cycle).from_ns.unwrap();
            assert_eq!(change_at % 300_000, 0, "at a cycle boundary");
        }
        rig.step(3000);
        rig.far[1].recv(|f, start_ns| {
            let slot = usize::from(f[14] >> 5) - 1;
            received[slot] += 1;
            let in_window = if start_ns < change_at {
                (start_ns % 300_000) / 100_000 == slot as u64
            } else {
                let at = (start_ns - change_at) % 200_000;
                [(0..50_000), (50_000..110_000), (110_000..200_000)][slot].contains(&at)
            };
            assert!(
                in_window,
                "slot {slot} at {start_ns}, change at {change_at}"
            );
        });
    }
    for _ in 0..500 {
        rig.step(3000);
        rig.far[1].recv(|f, _| received[usize::from(f[14] >> 5) - 1] += 1);
    }
    assert_eq!(received, [4000; SLOTS]);
    assert_conserved(&rig.snapshot());
}

#[test]
fn sleeping_guests_are_woken_one_after_the_other() {
    let mut rig = Rig::new(Plan {
        shared_core: true,
        ..Plan::default()
    });
    let wakes = |rig: &Rig| -> Vec<u64> {
        let count = |g: &rig::RigGuest| g.wakes.load(std::sync::atomic::Ordering::Relaxed);
        rig.guests.iter().map(count).collect()
    };
    rig.guests.iter_mut().for_each(rig::RigGuest::arm);
    for code in 1..=3 {
        assert!(rig.far[0].send(&frame(code, 0, 60, 0)));
    }
    rig.turn();
    assert_eq!(wakes(&rig), [0, 1, 0], "one holds the baton");
    rig.clock.advance(1000);
    rig.turn();
    assert_eq!(wakes(&rig), [0, 1, 0], "and keeps it while it runs");
    rig.guests[1].patch();
    rig.guests[1].arm();
    rig.turn();
    assert_eq!(wakes(&rig), [0, 1, 1], "until it rests");
    rig.clock.advance(TURN_NS);
    rig.turn();
    assert_eq!(wakes(&rig), [1, 1, 1], "or its turn is over");
}

#[test]
fn frames_that_may_not_go_cost_a_guest_a_burst_and_not_the_worker() {
    let mut rig = Rig::new(Plan::default());
    let spoofed = frame(1, 0, 60, 0);
    for _ in 0..QUEUE {
        rig.guests[1].send(1, &spoofed);
    }
    // All of it is taken while the gate of slot 1 is still closed.
    for _ in 0..=usize::from(QUEUE) / BURST {
        rig.step(100);
    }
    assert_eq!(rig.snapshot()[1].pis[1].queued, u64::from(QUEUE));
    rig.clock.advance(100_000);
    let mut dropped = 0;
    while dropped < u64::from(QUEUE) {
        rig.turn();
        let now = rig.snapshot()[1].pis[1].counters.tx_spoofed;
        // The snapshot takes a turn as well.
        assert!(
            now - dropped <= 2 * BURST as u64,
            "{} in two turns",
            now - dropped
        );
        assert!(now > dropped, "the rest goes on in the next turn");
        dropped = now;
    }
    assert_conserved(&rig.snapshot());
}

#[test]
fn what_is_said_of_a_ring_says_of_which_machine() {
    let mut rig = Rig::new(Plan::default());
    rig.guests[2].break_transmit_ring(0);
    rig.step(1000);
    let Event::RingBroken {
        slot, generation, ..
    } = rig.events.try_recv().unwrap();
    assert_eq!((slot, generation), (2, rig::GENERATION));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_uncounted_whatever_happens(
        actions in prop::collection::vec((0u8..12, any::<u16>(), 14usize..1600), 1..400),
    ) {
        let mut rig = Rig::new(Plan::default());
        for (action, value, octets) in actions {
            let (code, port) = ((value % 8) as u8, usize::from(value >> 8) % 2);
            let slot = usize::from(value) % SLOTS;
            match action {
                // A full cable loses before the node.
                0..=4 => drop(rig.far[port].send(&frame(code, (value >> 11) as u8, octets, 1))),
                5..=6 => drop(rig.far[port].send(&frame(code.clamp(1, 3), 0, octets, 1))),
                7 => {
                    drop(rig.detach(slot));
                    rig.guests[slot] = rig.attach_new_guest(slot);
                }
                8 => {
                    let cycle = rig.cycle(&[20_000 + u64::from(value); SLOTS]);
                    drop(rig.install(port, cycle));
                }
                _ => rig.step(u64::from(value)),
            }
            assert_conserved(&rig.snapshot());
        }
    }
}
