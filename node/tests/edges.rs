//! A worker at the edges of gates, held up anywhere between two looks at the clock: what leaves leaves in
//! its window, and nothing is lost by it.

mod rig;

use std::collections::BTreeMap;

use pinode_scheduler::LinkRate;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rig::exit::HandedOver;
use rig::{Exit, Plan, Rig, SLOTS, assert_conserved, frame};

const FCS: u32 = 4;
const CYCLE_PHASES: u64 = SLOTS as u64;

/// What happens in a run.
#[derive(Debug, Clone)]
enum Event {
    /// Frames arrive on the port: slot, how many, octets.
    Arrive(usize, usize, usize, usize),
    /// A turn of worker and guests after so many nanoseconds.
    Turn(u64),
    /// The worker is held up after so many looks at the clock, for so many nanoseconds.
    Stall(u32, u64),
    /// A guest goes and another comes.
    Restart(usize),
    /// A guest sends a frame that may not go.
    Spoof(usize),
}

#[derive(Debug, Clone)]
struct Run {
    launch_lead_ns: Option<u64>,
    capacity_bps: u64,
    phase_ns: u64,
    events: Vec<Event>,
}

fn runs() -> impl Strategy<Value = Run> {
    let arrive = (0usize..2, 0..SLOTS, 1usize..90, 60usize..1515);
    let event = prop_oneof![
        6 => arrive.prop_map(|(port, slot, count, octets)| Event::Arrive(port, slot, count, octets)),
        12 => prop_oneof![50u64..3_000, 1_000u64..40_000].prop_map(Event::Turn),
        5 => (0u32..12, prop_oneof![100u64..6_000, 1_000u64..150_000])
            .prop_map(|(looks, ns)| Event::Stall(looks, ns)),
        1 => (0..SLOTS).prop_map(Event::Spoof),
        1 => (0..SLOTS).prop_map(Event::Restart),
    ];
    (
        prop_oneof![Just(None), Just(Some(0)), Just(Some(2_000))],
        prop_oneof![Just(1_000_000_000u64), Just(10_000_000_000)],
        prop_oneof![Just(20_000u64), Just(100_000)],
        prop::collection::vec(event, 20..160),
    )
        .prop_map(|(launch_lead_ns, capacity_bps, phase_ns, events)| Run {
            launch_lead_ns,
            capacity_bps,
            phase_ns,
            events,
        })
}

fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(802),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The links of a run, and what came out of them.
struct Links {
    run: Run,
    exit: Exit,
    link: LinkRate,
    /// By port: when the link is free, picoseconds.
    free_ps: [u64; 2],
    /// Last number of each flow.
    last: BTreeMap<(usize, u64), u64>,
    out: usize,
}

impl Links {
    /// Takes everything that was handed over, and checks it.
    fn look(&mut self, rig: &mut Rig) {
        for (handed, frame) in self.exit.take(&mut rig.far) {
            self.frame(&frame, handed);
        }
    }

    fn frame(&mut self, frame: &[u8], handed: HandedOver) {
        let HandedOver { port, at_ns, meta } = handed;
        let slot = u64::from(frame[14] >> 5) - 1;
        let start_ns = match self.run.launch_lead_ns {
            Some(_) => meta.start_ns.max(at_ns),
            None => at_ns,
        };
        let cycle_ns = CYCLE_PHASES * self.run.phase_ns;
        // The window that its computed start lies in is its PI's, and it leaves and ends in that.
        assert_eq!(
            meta.start_ns % cycle_ns / self.run.phase_ns,
            slot,
            "{handed:?}"
        );
        let opens_ns = meta.start_ns / self.run.phase_ns * self.run.phase_ns;
        assert!(start_ns >= opens_ns, "leaves before its window: {handed:?}");
        let left_ps = (start_ns * 1_000).max(self.free_ps[port]);
        self.free_ps[port] = left_ps + self.link.wire_time_ps(u32::from(meta.len) + FCS);
        let closes_ps = (opens_ns + self.run.phase_ns) * 1_000;
        // Instants are told in whole nanoseconds.
        assert!(
            self.free_ps[port] <= closes_ps + 1_000,
            "ends {} ns behind its window: {handed:?}",
            (self.free_ps[port] - closes_ps) / 1_000
        );
        let number = u64::from_be_bytes(frame[15..23].try_into().unwrap());
        let before = self.last.insert((port, slot), number);
        assert!(
            before.is_none_or(|before| before < number),
            "order of {slot}"
        );
        self.out += 1;
    }
}

fn play(run: &Run) {
    let exit = Exit {
        launch_lead_ns: run.launch_lead_ns,
        ..Exit::default()
    };
    let mut rig = Rig::new(Plan {
        capacity_bps: run.capacity_bps,
        phase_ns: run.phase_ns,
        exit: Some(exit.clone()),
        ..Plan::default()
    });
    let mut links = Links {
        run: run.clone(),
        exit,
        link: LinkRate::new(run.capacity_bps).unwrap(),
        free_ps: [0; 2],
        last: BTreeMap::new(),
        out: 0,
    };
    let mut number = 0;
    for event in &run.events {
        match *event {
            Event::Arrive(port, slot, count, octets) => {
                for _ in 0..count {
                    number += 1;
                    let _ = rig.far[port].send(&frame(slot as u8 + 1, 0, octets, number));
                }
            }
            Event::Turn(ns) => rig.step(ns),
            Event::Stall(looks, ns) => rig.clock.stall(looks, ns),
            Event::Restart(slot) => {
                rig.detach(slot);
                rig.guests[slot] = rig.attach_new_guest(slot);
            }
            Event::Spoof(slot) if rig.guests[slot].has_room(0) => {
                number += 1;
                let other = (slot as u8 + 1) % SLOTS as u8 + 1;
                rig.guests[slot].send(0, &frame(other, 0, 100, number));
            }
            Event::Spoof(_) => {}
        }
        links.look(&mut rig);
        assert_conserved(&rig.snapshot());
        links.look(&mut rig);
    }
    // Nothing is lost but what the counters say, and nothing waits for ever.
    for _ in 0..20_000 {
        rig.step(run.phase_ns / 8);
        links.look(&mut rig);
        let ports = rig.snapshot();
        let waits = |port: &pinode_node::dataplane::counters::PortSnapshot| {
            port.pis.iter().any(|pi| pi.queued > 0)
        };
        if !ports.iter().any(waits) {
            break;
        }
    }
    for _ in 0..4 {
        rig.step(1_000);
    }
    links.look(&mut rig);
    let ports = rig.snapshot();
    links.look(&mut rig);
    assert_conserved(&ports);
    let counted = |count: fn(&pinode_node::dataplane::counters::PiCounters) -> u64| -> u64 {
        let pis = ports.iter().flat_map(|port| &port.pis);
        pis.map(|pi| count(&pi.counters)).sum()
    };
    assert_eq!(counted(|pi| pi.sent), links.out as u64);
    assert_eq!(
        ports
            .iter()
            .flat_map(|p| &p.pis)
            .map(|pi| pi.queued)
            .sum::<u64>(),
        0
    );
    let gates = ports.iter().flat_map(|port| &port.pis).map(|pi| pi.gate);
    for gate in gates {
        assert_eq!(gate.window_overruns, 0);
        // Without launch time a worker held up behind a hand-over cannot know when its frames left, and
        // counts the latest that may have been.
        assert!(run.launch_lead_ns.is_none() || gate.late_windows == 0);
        let parts_ns = gate.busy_ns + gate.guard_idle_ns + gate.empty_idle_ns;
        assert_eq!(gate.open_ns, parts_ns);
    }
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn a_worker_held_up_anywhere_keeps_its_windows_and_loses_nothing(run in runs()) {
        play(&run);
    }
}
