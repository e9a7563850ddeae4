//! Several workers in virtual time, interleaved at random: as exact as one.

mod rig;

use std::collections::BTreeMap;

use pinode_node::dataplane::mailbox::Event;
use pinode_node::dataplane::worker::Turn;
use pinode_scheduler::LinkRate;
use proptest::prelude::*;
use rig::{Plan, Rig, SLOTS, assert_conserved, frame};

const CAPACITY: u64 = 1_000_000_000;
const PHASE_NS: u64 = 100_000;

fn plan(workers: usize, several_queues: bool) -> Plan {
    Plan {
        workers,
        queues: if several_queues { workers } else { 1 },
        capacity_bps: CAPACITY,
        phase_ns: PHASE_NS,
        ..Plan::default()
    }
}

/// Checks every frame that comes out of a port: its window, the link, its octets, its flow's order.
struct Exit {
    link: LinkRate,
    free_at_ps: [u64; 2],
    /// By flow (port and queue it came in by, PI): the number of the last frame.
    last: BTreeMap<u64, u64>,
    seen: u64,
}

impl Exit {
    fn new() -> Self {
        Self {
            link: LinkRate::new(CAPACITY).unwrap(),
            free_at_ps: [0; 2],
            last: BTreeMap::new(),
            seen: 0,
        }
    }

    fn look(&mut self, rig: &mut Rig) {
        for port in 0..2 {
            let exit = rig.exit(port);
            let Self {
                link,
                free_at_ps,
                last,
                seen,
            } = self;
            rig.far[exit].recv(|f, start_ns| {
                *seen += 1;
                let wire_ps = link.wire_time_ps(f.len().max(60) as u32 + 4);
                let slot = u64::from(f[14] >> 5) - 1;
                let into_cycle = start_ns % (3 * PHASE_NS);
                assert_eq!(into_cycle / PHASE_NS, slot, "start {start_ns}");
                let ends_ps = into_cycle * 1000 + wire_ps;
                assert!(
                    ends_ps <= (slot + 1) * PHASE_NS * 1000 + 1000,
                    "across its close"
                );
                assert!(start_ns * 1000 + 1000 > free_at_ps[port], "above C");
                free_at_ps[port] = start_ns * 1000 + wire_ps;
                let seed = u64::from_be_bytes(f[15..23].try_into().unwrap());
                assert_eq!(f, frame(slot as u8 + 1, 0, f.len(), seed));
                let (flow, number) = (seed >> 32, seed & 0xffff_ffff);
                let before = last.insert(flow, number);
                assert!(
                    before.is_none_or(|n| n < number),
                    "flow {flow:x}: {before:?}, {number}"
                );
            });
        }
        for index in 0..rig.far.len() {
            if index != rig.exit(0) && index != rig.exit(1) {
                assert_eq!(rig.far[index].recv(|_, _| ()), 0, "only an owner sends");
            }
        }
    }
}

/// A frame of the next number of its flow.
fn flow_frame(entry: usize, code: u8, octets: usize, numbers: &mut BTreeMap<u64, u64>) -> Vec<u8> {
    let flow = (entry as u64) << 8 | u64::from(code);
    let number = numbers.entry(flow).or_default();
    *number += 1;
    frame(code, 0, octets, flow << 32 | *number)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn however_workers_interleave_windows_order_and_sums_hold(
        workers in 2usize..=3,
        several_queues: bool,
        shared_core: bool,
        actions in prop::collection::vec((0u8..16, any::<u16>(), 60usize..1514), 100..600),
    ) {
        let mut rig = Rig::new(Plan { shared_core, ..plan(workers, several_queues) });
        let mut exit = Exit::new();
        let mut numbers = BTreeMap::new();
        let mut sent = 0;
        for (action, value, octets) in actions {
            let value = usize::from(value);
            match action {
                0..=5 => {
                    let entry = value % rig.far.len();
                    let code = 1 + (value / 64 % SLOTS) as u8;
                    let burst = 1 + value / 1024 % 8;
                    for _ in 0..burst {
                        let f = flow_frame(entry, code, octets, &mut numbers);
                        sent += u64::from(rig.far[entry].send(&f));
                    }
                }
                6..=10 => {
                    let worker = value % workers;
                    prop_assert_ne!(rig.workers[worker].turn(), Turn::Stopped);
                }
                11..=12 => rig.guests[value % SLOTS].patch(),
                13 => assert!(rig.clock.advance(1 + value as u64 * 4) > 0),
                14 => assert!(rig.clock.advance(1 + value as u64 % 2000) > 0),
                _ => assert_conserved(&rig.snapshot()),
            }
            exit.look(&mut rig);
        }
        // Rings hold all of it, so whatever is left goes out in its windows.
        for _ in 0..2000 {
            rig.step(5000);
            exit.look(&mut rig);
        }
        let ports = rig.snapshot();
        assert_conserved(&ports);
        let full: u64 = ports.iter().flat_map(|port| &port.pis).map(|pi| pi.counters.ring_full).sum();
        prop_assert_eq!(exit.seen + full, sent);
        for pi in ports.iter().flat_map(|port| &port.pis) {
            prop_assert_eq!((pi.queued, pi.gate.window_overruns), (0, 0));
        }
    }

    #[test]
    fn guests_and_schedules_come_and_go_and_nothing_is_lost_uncounted(
        workers in 2usize..=3,
        several_queues: bool,
        actions in prop::collection::vec((0u8..12, any::<u16>(), 14usize..1600), 1..300),
    ) {
        let mut rig = Rig::new(plan(workers, several_queues));
        for (action, value, octets) in actions {
            let code = (value % 8) as u8;
            let entry = usize::from(value >> 8) % rig.far.len();
            let slot = usize::from(value) % SLOTS;
            match action {
                // A full cable loses before the node.
                0..=3 => {
                    let _ = rig.far[entry].send(&frame(code, (value >> 11) as u8, octets, 1));
                }
                4..=5 => {
                    let _ = rig.far[entry].send(&frame(code.clamp(1, 3), 0, octets, 1));
                }
                6 => {
                    drop(rig.detach(slot));
                    rig.guests[slot] = rig.attach_new_guest(slot);
                }
                7 => {
                    let cycle = rig.cycle(&[20_000 + u64::from(value); SLOTS]);
                    drop(rig.install(usize::from(value) % 2, cycle));
                }
                8 => prop_assert_ne!(rig.workers[slot % workers].turn(), Turn::Stopped),
                _ => rig.step(u64::from(value)),
            }
            assert_conserved(&rig.snapshot());
        }
    }
}

#[test]
fn each_worker_fills_its_own_pair_and_the_owner_sends() {
    let mut rig = Rig::new(plan(2, true));
    for queue in 0..2 {
        for number in 0..10 {
            assert!(rig.far[queue].send(&frame(1, 0, 60, number)));
        }
    }
    rig.workers[0].turn();
    rig.workers[1].turn();
    let mut of_worker = Vec::new();
    for worker in 0..2 {
        let into = Box::new(pinode_node::dataplane::counters::NodeSnapshot::empty(
            2, SLOTS, 2,
        ));
        let make = |reply| pinode_node::dataplane::mailbox::Command::Snapshot { into, reply };
        of_worker.push(rig.command(worker, make).ports[0].pis[0].counters.to_guest);
    }
    assert_eq!(of_worker, [10, 10]);
    rig.guests[0].patch();
    // Port 1 is worker 1's: only its turns move anything out of the guest.
    rig.workers[0].turn();
    assert_eq!(rig.snapshot()[1].pis[0].counters.from_guest, 20);
    assert_conserved(&rig.snapshot());
}

#[test]
fn rings_are_harvested_in_turn_whoever_fills_his() {
    // Fast enough that a full ring is sent in less than a millisecond.
    let mut rig = Rig::new(Plan {
        capacity_bps: 10 * CAPACITY,
        ..plan(2, true)
    });
    // Lane 0 of vif 1 is pair 0, lane 1 pair 1; port 1 belongs to worker 1.
    let (busy, rare) = (2, 3);
    let mut sent_rare = 0;
    let mut out = 0;
    for turn in 0..3000u64 {
        for _ in 0..4 {
            if rig.guests[0].has_room(busy) {
                rig.guests[0].send(busy, &frame(1, 0, 1000, 0xB << 32 | turn));
            }
        }
        if turn % 100 == 0 {
            rig.guests[0].send(rare, &frame(1, 0, 60, 0xA << 32 | turn));
            sent_rare += 1;
        }
        rig.step(1000);
        let exit = rig.exit(1);
        rig.far[exit].recv(|f, _| out += u64::from(f[18] == 0xA));
    }
    assert!(
        out * 3 >= sent_rare * 2,
        "{out} of {sent_rare}: a full ring starves the other"
    );
    assert_conserved(&rig.snapshot());
}

#[test]
fn a_ring_that_breaks_at_one_worker_takes_the_guest_off_there_and_others_go_on() {
    let mut rig = Rig::new(plan(2, true));
    // Pair 1 of vif 0 is filled by worker 1.
    rig.guests[1].break_receive_ring(1);
    for number in 0..50 {
        for queue in 0..2 {
            for code in 1..=3 {
                assert!(rig.far[queue].send(&frame(code, 0, 60, number)));
            }
        }
        rig.step(7000);
        assert_conserved(&rig.snapshot());
    }
    let Event::RingBroken { slot, parts, .. } = rig.events.try_recv().unwrap();
    assert_eq!((slot, rig.events.try_recv().is_err()), (1, true));
    assert!(parts.iter().all(|part| !part.is_empty()));
    // What the supervisor does then: the rest of it, from all workers.
    assert!(!rig.detach(1).is_empty());
    assert!(rig.detach(1).is_empty());
    for _ in 0..200 {
        rig.step(7000);
    }
    let ports = rig.snapshot();
    assert_conserved(&ports);
    for slot in [0, 2] {
        assert_eq!(ports[1].pis[slot].counters.sent, 100, "slot {slot}");
    }
}

#[test]
fn the_policer_is_the_ports_however_many_receive() {
    let police = [Some((8_000_000, 1000)), None, None];
    let mut rig = Rig::new(Plan {
        police,
        ..plan(2, true)
    });
    for i in 0..100 {
        assert!(rig.far[i % 2].send(&frame(1, 0, 96, i as u64)));
        rig.step(10_000);
    }
    let ports = rig.snapshot();
    // 1 ms at 8 Mb/s earns 1000 octets; with the burst of 1000, twenty frames of 100 pass.
    let to_guest = ports[0].pis[0].counters.to_guest;
    assert!((19..=20).contains(&to_guest), "{to_guest}");
    assert_conserved(&ports);
}
