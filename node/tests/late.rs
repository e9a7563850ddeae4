//! What waits must go, and in its window: frames that a held-up worker keeps back, frames that wait for
//! launch time while the worker sleeps, frames of every discipline while schedules change. In virtual time.

mod rig;

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use pinode_node::dataplane::clock::Clock;
use pinode_node::dataplane::idle::{AWAKE_NS, Sleep};
use pinode_node::dataplane::level2::Level2;
use pinode_node::dataplane::mailbox::{Command, Installed};
use pinode_node::dataplane::worker::Turn;
use pinode_scheduler::LinkRate;
use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::streams::{Connection, Room, Service, Tolerance};
use pinode_scheduler::level2::{Content, Diffserv, Streams};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rig::exit::HandedOver;
use rig::{Exit, FakeSleeper, Plan, QUEUE, Rig, SLOTS, assert_conserved, frame};

const GBIT: u64 = 1_000_000_000;
const FCS: u32 = 4;
const LABEL: u32 = 16;

/// Octets of the longest frame, without FCS: 12,304 ns at 1 Gb/s.
const LONGEST: usize = 1514;

#[test]
fn a_frame_that_fills_its_window_goes_although_every_hand_over_takes_time() {
    // 0.5 us more than the longest frame: less than the hand-over is reckoned with.
    let exit = Exit::default();
    let mut rig = Rig::new(Plan {
        phase_ns: 12_804,
        exit: Some(exit.clone()),
        ..Plan::default()
    });
    for number in 0..8 {
        rig.guests[0].send(1, &frame(1, 0, LONGEST, number));
    }
    // Between any two looks at the clock there is some time.
    (0..200_000).for_each(|_| rig.clock.stall(0, 40));
    for _ in 0..10 * 3 * 128 {
        rig.step(60);
    }
    let handed = exit.frames.lock().unwrap();
    assert_eq!(handed.len(), 8, "one in each window of its PI");
    for frame in handed.iter() {
        let into_ns = frame.meta.start_ns % 38_412;
        assert!(into_ns < 1_000, "starts at the opening: {frame:?}");
    }
    drop(handed);
    assert_conserved(&rig.snapshot());
}

#[test]
fn a_worker_gets_up_in_time_for_a_port_that_wants_its_frames_ahead() {
    // Longer ahead than the worker gets up before an edge, and than a phase is long.
    let lead_ns = 350_000;
    let exit = Exit {
        launch_lead_ns: Some(lead_ns),
        ..Exit::default()
    };
    let sleeper = FakeSleeper::new();
    let mut rig = Rig::new(Plan {
        phase_ns: 2_000_000,
        sleeper: Some(sleeper.clone()),
        exit: Some(exit.clone()),
        ..Plan::default()
    });
    let cycle = rig.cycle(&[100_000, 3_000_000, 3_000_000]);
    let installed = rig.install(1, cycle);
    installed.from_ns.unwrap();
    sleeper.during({
        let clock = rig.clock.clone();
        move |sleep| {
            if let Sleep::For(ns) = sleep {
                clock.advance(ns);
            }
        }
    });
    rig.clock.advance(20_000_000);
    for _ in 0..4 {
        assert_ne!(rig.workers[0].step(), Turn::Stopped);
        rig.clock.advance(2 * AWAKE_NS);
    }
    let before_ns = rig.clock.peek();
    rig.guests[0].send(1, &frame(1, 0, 60, 0));
    while exit.frames.lock().unwrap().is_empty() {
        rig.clock.advance(5_000);
        assert_ne!(rig.workers[0].step(), Turn::Stopped);
        let waited_ns = rig.clock.peek() - before_ns;
        assert!(waited_ns < 2 * 6_100_000, "waits for ever");
    }
    assert_conserved(&rig.snapshot());
}

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
    /// A guest breaks its ring and is taken off, and another comes.
    Break(usize),
    /// A guest sends a frame that may not go.
    Spoof(usize),
    /// A port gets other phases, at the next boundary or so long from now.
    Change(usize, Vec<u64>, Option<u64>),
}

#[derive(Debug, Clone)]
struct Run {
    launch_lead_ns: Option<u64>,
    level2: usize,
    cable: usize,
    workers: usize,
    events: Vec<Event>,
}

fn runs() -> impl Strategy<Value = Run> {
    let arrive = (0usize..2, 0..SLOTS, 1usize..90, 60usize..1515);
    let phases = prop_oneof![
        prop::collection::vec(13_500u64..60_000, 1..=SLOTS),
        Just(vec![13_500, 100_000, 13_500]),
    ];
    let base = prop::option::of(prop_oneof![0u64..3_000, 0u64..200_000]);
    let event = prop_oneof![
        6 => arrive.prop_map(|(port, slot, count, octets)| Event::Arrive(port, slot, count, octets)),
        12 => prop_oneof![50u64..3_000, 1_000u64..40_000].prop_map(Event::Turn),
        3 => (0u32..12, prop_oneof![100u64..6_000, 1_000u64..150_000])
            .prop_map(|(looks, ns)| Event::Stall(looks, ns)),
        1 => (0..SLOTS).prop_map(Event::Spoof),
        1 => (0..SLOTS).prop_map(Event::Restart),
        1 => (0..SLOTS).prop_map(Event::Break),
        3 => (0usize..2, phases, base).prop_map(|(port, phases, base)| Event::Change(port, phases, base)),
    ];
    (
        prop_oneof![
            Just(None),
            Just(Some(0)),
            Just(Some(2_000)),
            Just(Some(40_000))
        ],
        0usize..4,
        prop_oneof![Just(8), Just(4096)],
        1usize..=2,
        prop::collection::vec(event, 20..160),
    )
        .prop_map(|(launch_lead_ns, level2, cable, workers, events)| Run {
            launch_lead_ns,
            level2,
            cable,
            workers,
            events,
        })
}

fn disciplines(kind: usize) -> fn(usize) -> Option<Level2> {
    match kind {
        0 => |_| None,
        1 => |_| {
            let policed = Policed {
                rate: LinkRate::new(GBIT).unwrap(),
                burst_octets: 100_000,
                limit: 64,
            };
            let weighted = Weighted {
                weight: NonZeroU8::MIN,
                limit: 64,
            };
            Some(Level2::Diffserv(Diffserv::new(&Classes {
                nc: policed,
                rt: policed,
                assured: weighted,
                be: weighted,
            })))
        },
        2 => |_| Some(Level2::Content(Content::new(1, 64, 64))),
        _ => |_| {
            let mut streams = Streams::new(Room::of(GBIT, QUEUE.into()));
            let connection = Connection {
                vn: 0,
                label: LABEL,
                service: Service::Cbr,
                peak: LinkRate::new(GBIT / 5).ok(),
                tolerance: Tolerance::Own(50_000),
                buffer: 64,
                largest: u32::MAX,
            };
            streams.connect(connection).unwrap();
            Some(Level2::Streams(streams))
        },
    }
}

/// The schedules that a port has had and will have: from when on, and the phases in the order of slots.
struct Plans(Vec<(u64, Vec<u64>)>);

impl Plans {
    /// Whose window it is at `at_ns`, and when that closes.
    fn window(&self, at_ns: u64) -> (usize, u64) {
        let place = self.0.iter().rposition(|plan| plan.0 <= at_ns).unwrap();
        let (from_ns, phases) = &self.0[place];
        let cycle_ns: u64 = phases.iter().sum();
        let mut closes_ns = at_ns - (at_ns - from_ns) % cycle_ns;
        let until_ns = self.0.get(place + 1).map_or(u64::MAX, |next| next.0);
        for (slot, phase_ns) in phases.iter().enumerate() {
            closes_ns += phase_ns;
            if at_ns < closes_ns {
                return (slot, closes_ns.min(until_ns));
            }
        }
        unreachable!("a cycle is as long as its phases");
    }

    /// A change from `from_ns` on, made at `now_ns` when the last frame started at `last_ns`.
    fn change(&mut self, from_ns: u64, phases: Vec<u64>, now_ns: u64, last_ns: Option<u64>) {
        assert!(
            from_ns >= now_ns && Some(from_ns) > last_ns,
            "changes at {from_ns}, asked at {now_ns}, behind what starts at {last_ns:?}"
        );
        while self
            .0
            .last()
            .is_some_and(|last| last.0 > now_ns && Some(last.0) > last_ns)
        {
            self.0.pop();
        }
        self.0.push((from_ns, phases));
    }
}

struct Links {
    run: Run,
    exit: Exit,
    link: LinkRate,
    plans: [Plans; 2],
    /// By port: when the link is free, picoseconds.
    free_ps: [u64; 2],
    /// By port: the last start.
    last_ns: [Option<u64>; 2],
    numbers: BTreeMap<(usize, usize), u64>,
    out: u64,
}

impl Links {
    fn look(&mut self, rig: &mut Rig) {
        for (handed, frame) in self.exit.take(&mut rig.far) {
            self.frame(&frame, handed);
        }
    }

    fn frame(&mut self, frame: &[u8], handed: HandedOver) {
        let HandedOver { port, at_ns, meta } = handed;
        let leaves_ns = match self.run.launch_lead_ns {
            Some(_) => meta.start_ns.max(at_ns),
            None => at_ns,
        };
        let (slot, closes_ns) = self.plans[port].window(meta.start_ns);
        assert_eq!(
            usize::from(frame[14] >> 5),
            slot + 1,
            "window of another: {handed:?}"
        );
        let left_ps = (leaves_ns * 1_000).max(self.free_ps[port]);
        self.free_ps[port] = left_ps + self.link.wire_time_ps(u32::from(meta.len) + FCS);
        assert!(
            self.free_ps[port] <= closes_ns * 1_000 + 1_000,
            "ends behind its window, which closes at {closes_ns}: {handed:?}"
        );
        assert!(Some(meta.start_ns) >= self.last_ns[port]);
        self.last_ns[port] = Some(meta.start_ns);
        let number = u64::from_be_bytes(frame[15..23].try_into().unwrap());
        let before = self.numbers.insert((port, slot), number);
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
        exit: Some(exit.clone()),
        level2: disciplines(run.level2),
        cable: run.cable,
        workers: run.workers,
        ..Plan::default()
    });
    let mut links = Links {
        run: run.clone(),
        exit,
        link: LinkRate::new(GBIT).unwrap(),
        plans: [0, 1].map(|_| Plans(vec![(0, vec![100_000; SLOTS])])),
        free_ps: [0; 2],
        last_ns: [None; 2],
        numbers: BTreeMap::new(),
        out: 0,
    };
    // The label of a connection, and a number that grows.
    let mut number = u64::from(LABEL) << 44;
    for event in &run.events {
        match event {
            &Event::Arrive(port, slot, count, octets) => {
                for _ in 0..count {
                    number += 1;
                    let _ = rig.far[port].send(&frame(slot as u8 + 1, 0, octets, number));
                }
            }
            Event::Turn(ns) => rig.step(*ns),
            Event::Stall(looks, ns) => rig.clock.stall(*looks, *ns),
            Event::Break(slot) => {
                rig.guests[*slot].break_transmit_ring(0);
                rig.turn();
                assert!(rig.events.try_iter().count() > 0, "taken off");
                rig.detach(*slot);
                rig.guests[*slot] = rig.attach_new_guest(*slot);
            }
            Event::Restart(slot) => {
                rig.detach(*slot);
                rig.guests[*slot] = rig.attach_new_guest(*slot);
            }
            &Event::Spoof(slot) if rig.guests[slot].has_room(0) => {
                number += 1;
                let other = (slot as u8 + 1) % SLOTS as u8 + 1;
                rig.guests[slot].send(0, &frame(other, 0, 100, number));
            }
            Event::Spoof(_) => {}
            Event::Change(port, phases, later_ns) => {
                // Nothing holds up this turn: when the gate is looked at is to be known.
                (0..200).for_each(|_| _ = rig.clock.now_ns());
                let cycle = Box::new(rig.cycle(phases));
                let base_ns = later_ns.map(|later_ns| rig.clock.peek() + later_ns);
                let port = *port;
                let owner = rig.layout.owner(port);
                let installed: Installed = rig.command(owner, |reply| Command::Install {
                    port,
                    cycle,
                    base_ns,
                    reply,
                });
                // A port with launch time lives so much ahead.
                let now_ns = rig.clock.peek() + run.launch_lead_ns.unwrap_or(0);
                links.look(&mut rig);
                if let Ok(from_ns) = installed.from_ns {
                    links.plans[port].change(from_ns, phases.clone(), now_ns, links.last_ns[port]);
                }
            }
        }
        links.look(&mut rig);
        assert_conserved(&rig.snapshot());
        links.look(&mut rig);
    }
    // Every PI has phases again, and nothing waits for ever.
    (0..200).for_each(|_| _ = rig.clock.now_ns());
    for port in 0..2 {
        let phases = vec![30_000; SLOTS];
        let cycle = rig.cycle(&phases);
        let installed = rig.install(port, cycle);
        let now_ns = rig.clock.peek() + run.launch_lead_ns.unwrap_or(0);
        links.look(&mut rig);
        let from_ns = installed.from_ns.unwrap();
        links.plans[port].change(from_ns, phases, now_ns, links.last_ns[port]);
    }
    let mut queued = 1;
    for _ in 0..20_000 {
        if queued == 0 {
            break;
        }
        rig.step(3_000);
        links.look(&mut rig);
        let ports = rig.snapshot();
        queued = ports
            .iter()
            .flat_map(|port| &port.pis)
            .map(|pi| pi.queued)
            .sum();
    }
    (0..4).for_each(|_| rig.step(1_000));
    links.look(&mut rig);
    let ports = rig.snapshot();
    links.look(&mut rig);
    assert_conserved(&ports);
    assert_eq!(queued, 0, "waits for ever");
    let pis = || ports.iter().flat_map(|port| &port.pis);
    assert_eq!(pis().map(|pi| pi.counters.sent).sum::<u64>(), links.out);
    assert!(pis().all(|pi| pi.gate.window_overruns == 0));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        rng_seed: RngSeed::Fixed(1588),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn schedules_change_at_any_instant_and_frames_keep_to_their_windows(run in runs()) {
        play(&run);
    }
}
