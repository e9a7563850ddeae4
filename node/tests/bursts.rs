//! Bursts in which not every frame may go: what goes keeps its order and its place on the link, what
//! does not is counted once under its cause, and neither holds the worker.

mod rig;

use pinode_classifier::{Access, Vn};
use pinode_node::dataplane::counters::{PiCounters, PiSnapshot};
use pinode_ports::BURST;
use pinode_scheduler::LinkRate;
use proptest::prelude::*;
use rig::{ETHERTYPE, MTU, Plan, QUEUE, Rig, SLOTS, assert_conserved, frame, pis};

const CAPACITY: u64 = 10_000_000_000;
const PHASE_NS: u64 = 100_000;
const CYCLE_NS: u64 = SLOTS as u64 * PHASE_NS;
/// Where frames go out.
const PORT: usize = 1;
/// Octets of the longest frame that may.
const LONGEST: usize = 14 + MTU as usize;
/// Workers, and so transmit rings of a vif, where there are several.
const RINGS: usize = 2;

/// What a guest sends, with its octets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Good(usize),
    /// Above the MTU.
    Oversize(usize),
    /// Of another PI.
    Spoofed(usize),
    /// Of its own PI, but of no network that it carries.
    UnknownVn(usize),
}
use Kind::{Good, Oversize, Spoofed, UnknownVn};

impl Kind {
    /// The frame, different from the others by its number.
    fn frame(self, slot: usize, number: usize) -> Vec<u8> {
        let code = 1 + slot as u8;
        let other = 1 + (slot as u8 + 1) % SLOTS as u8;
        match self {
            Good(octets) | Oversize(octets) => frame(code, 0, octets, number as u64),
            Spoofed(octets) => frame(other, 0, octets, number as u64),
            UnknownVn(octets) => frame(code, 9, octets, number as u64),
        }
    }
}

/// How many of `kinds` are like `this`.
fn count(kinds: &[Kind], this: fn(usize) -> Kind) -> u64 {
    let like = |kind: &&Kind| std::mem::discriminant(*kind) == std::mem::discriminant(&this(0));
    kinds.iter().filter(like).count() as u64
}

/// A rig, of which one guest sends out of one port.
struct Sender {
    rig: Rig,
    slot: usize,
    sent: Vec<Kind>,
}

impl Sender {
    /// At an instant at which the window of `slot` is closed, two phases before it opens.
    fn new(slot: usize, plan: Plan) -> Self {
        let mut rig = Rig::new(Plan {
            capacity_bps: CAPACITY,
            phase_ns: PHASE_NS,
            ..plan
        });
        rig.clock.advance((slot as u64 + 1) * PHASE_NS);
        rig.turn();
        Self {
            rig,
            slot,
            sent: Vec::new(),
        }
    }

    fn send(&mut self, ring: usize, kind: Kind) {
        let rings = self.rig.workers.len();
        let frame = kind.frame(self.slot, self.sent.len());
        self.rig.guests[self.slot].send(PORT * rings + ring, &frame);
        self.sent.push(kind);
    }

    /// Lets the node take all that was sent while the window is closed.
    fn queue_up(&mut self) {
        for _ in 0..=usize::from(QUEUE) / BURST {
            self.rig.turn();
        }
        assert_eq!(self.look().queued, self.sent.len() as u64);
    }

    fn open_window(&mut self) {
        self.rig.clock.advance((SLOTS as u64 - 1) * PHASE_NS);
    }

    /// One turn, and what the PI's counters are behind it.
    fn look(&mut self) -> PiSnapshot {
        let ports = self.rig.snapshot();
        assert_conserved(&ports);
        ports[PORT].pis[self.slot].clone()
    }

    /// Turns until nothing waits, and gives what came out. No turn lets go of more than a burst, and with
    /// no lookahead of no more than a frame: a full queue then takes eleven windows.
    fn let_out(&mut self) -> Vec<(Vec<u8>, u64)> {
        let mut out = Vec::new();
        let mut gone = left(&self.look().counters);
        for _ in 0..16 * CYCLE_NS / 4_000 {
            let exit = self.rig.exit(PORT);
            let far = &mut self.rig.far[exit];
            while far.recv(|f, start_ns| out.push((f.to_vec(), start_ns))) > 0 {}
            let seen = self.look();
            let now = left(&seen.counters);
            assert!(now - gone <= BURST as u64, "{} in a turn", now - gone);
            gone = now;
            if seen.queued == 0 {
                let far = &mut self.rig.far[exit];
                while far.recv(|f, start_ns| out.push((f.to_vec(), start_ns))) > 0 {}
                return out;
            }
            self.rig.clock.advance(4_000);
        }
        panic!("{} frames still wait", self.look().queued);
    }

    /// What must have come of all that was sent: the good ones on the wire, once and in order, one
    /// behind the other in the windows of the PI, the others in their counters, and nothing on the
    /// link but what came out. The guest has all of its buffers back.
    fn check(&mut self, out: &[(Vec<u8>, u64)]) {
        let link = LinkRate::new(CAPACITY).unwrap();
        let good = self.sent.iter().enumerate();
        let good = good.filter(|(_, kind)| matches!(kind, Good(_)));
        let expected: Vec<_> = good
            .map(|(number, kind)| {
                let mut frame = kind.frame(self.slot, number);
                frame.resize(frame.len().max(60), 0);
                frame
            })
            .collect();
        let got: Vec<_> = out.iter().map(|(f, _)| f.clone()).collect();
        assert!(got == expected, "{} of {}", got.len(), expected.len());
        let (mut free_ps, mut busy_ps) = (0, 0);
        for (f, start_ns) in out {
            let wire_ps = link.wire_time_ps(f.len() as u32 + 4);
            assert!(start_ns * 1000 + 1000 > free_ps, "the link was not free");
            free_ps = start_ns * 1000 + wire_ps;
            busy_ps += wire_ps;
            let into_cycle = start_ns % CYCLE_NS;
            assert_eq!(into_cycle / PHASE_NS, self.slot as u64, "start {start_ns}");
        }
        self.rig.clock.advance(CYCLE_NS);
        let PiSnapshot { counters, gate, .. } = self.look();
        assert!(
            (gate.busy_ns * 1000).abs_diff(busy_ps) < 1000,
            "{} ns for {busy_ps} ps",
            gate.busy_ns
        );
        assert_eq!(gate.window_overruns, 0);
        let sums = [
            counters.from_guest,
            counters.sent,
            counters.tx_oversize,
            counters.tx_spoofed,
            counters.tx_unknown_vn,
        ];
        let all = &self.sent;
        let expected = [
            all.len() as u64,
            count(all, Good),
            count(all, Oversize),
            count(all, Spoofed),
            count(all, UnknownVn),
        ];
        assert_eq!(sums, expected);
        assert_eq!(counters.sent + counters.tx_drops(), counters.from_guest);
        self.check_buffers();
    }

    /// Each ring takes as many frames again as it has buffers.
    fn check_buffers(&mut self) {
        let rings = self.rig.workers.len();
        let guest = &mut self.rig.guests[self.slot];
        for _ in 0..=usize::from(QUEUE) / BURST {
            guest.patch();
        }
        for ring in 0..rings {
            let lane = PORT * rings + ring;
            for _ in 0..QUEUE {
                assert!(guest.has_room(lane), "a buffer of ring {ring} is lost");
                guest.send(lane, &[0; 60]);
            }
        }
    }
}

/// Frames that are no longer the PI's to send.
fn left(counters: &PiCounters) -> u64 {
    counters.sent + counters.tx_drops()
}

/// Ports on which frames change their form.
fn access() -> Plan {
    let access = Access::new(ETHERTYPE, 0x86DD, MTU, pis()[0], Vn::DEFAULT).unwrap();
    Plan {
        shapes: vec![access.clone().into(), access.into()],
        ..Plan::default()
    }
}

#[test]
fn more_frames_that_are_too_long_than_a_burst_has_go_a_burst_a_turn() {
    let shapes: [(usize, fn() -> Plan); 2] = [(1, Plan::default), (0, access)];
    for (slot, plan) in shapes {
        for (frames, octets) in [(200, 1600), (65, LONGEST + 2), (QUEUE.into(), 1900)] {
            let mut sender = Sender::new(slot, plan());
            for _ in 0..frames {
                sender.send(0, Oversize(octets));
            }
            sender.queue_up();
            sender.open_window();
            let mut left = frames as u64;
            let mut gone = 0;
            while left > 0 {
                let now = sender.look().counters.tx_oversize;
                assert_eq!(now - gone, left.min(BURST as u64), "of {left}");
                left -= now - gone;
                gone = now;
            }
            let out = sender.let_out();
            assert!(out.is_empty());
            sender.check(&out);
        }
    }
}

#[test]
fn what_is_too_long_does_not_hold_what_stands_behind_it() {
    let mut sender = Sender::new(1, Plan::default());
    for _ in 0..200 {
        sender.send(0, Oversize(1600));
    }
    sender.send(0, Good(60));
    sender.queue_up();
    sender.open_window();
    let out = sender.let_out();
    sender.check(&out);
}

#[test]
fn a_frame_that_is_too_long_counts_towards_the_burst_of_those_behind_it() {
    for behind in [Spoofed(60), UnknownVn(60), Spoofed(14)] {
        let mut sender = Sender::new(1, Plan::default());
        sender.send(0, Oversize(1600));
        for _ in 0..BURST {
            sender.send(0, behind);
        }
        sender.queue_up();
        sender.open_window();
        assert_eq!(sender.look().queued, 1, "a burst has gone");
        let out = sender.let_out();
        sender.check(&out);
    }
}

#[test]
fn two_hundred_frames_of_which_each_third_is_good() {
    let kinds = [Oversize(1600), Good(60), Spoofed(60)];
    for first in 0..kinds.len() {
        let mut sender = Sender::new(1, Plan::default());
        for number in 0..200 {
            sender.send(0, kinds[(first + number) % kinds.len()]);
        }
        sender.queue_up();
        sender.open_window();
        let out = sender.let_out();
        sender.check(&out);
    }
}

#[test]
fn what_does_not_go_leaves_no_gap_on_the_link() {
    let mut sender = Sender::new(1, Plan::default());
    let kinds = [
        Spoofed(900),
        Good(60),
        Oversize(1600),
        Good(1000),
        UnknownVn(60),
        Spoofed(14),
        Good(60),
        Spoofed(60),
    ];
    for kind in kinds {
        sender.send(0, kind);
    }
    sender.queue_up();
    sender.open_window();
    let out = sender.let_out();
    // 84 octets with FCS and gap, then 1024, at 0.8 ns each.
    let opens_ns = CYCLE_NS + PHASE_NS;
    let starts: Vec<_> = out
        .iter()
        .map(|(_, start_ns)| start_ns - opens_ns)
        .collect();
    assert_eq!(starts, [0, 67, 67 + 819]);
    sender.check(&out);
}

/// Runs of two rings one behind the other, each with a frame that may not go at one place.
#[test]
fn a_bad_frame_at_either_end_of_a_run_or_inside_stops_no_other() {
    for bad in [Spoofed(60), Oversize(1600), UnknownVn(200), Spoofed(14)] {
        for at in [0, 7, 15] {
            let mut sender = two_rings();
            for run in 0..8 {
                for place in 0..16 {
                    let kind = if place == at { bad } else { Good(60 + run) };
                    sender.send(run % RINGS, kind);
                }
                // The window is closed: the order in the queue is the order of the turns.
                sender.rig.turn();
            }
            sender.queue_up();
            sender.open_window();
            let out = sender.let_out();
            sender.check(&out);
        }
    }
}

fn two_rings() -> Sender {
    let plan = Plan {
        workers: RINGS,
        queues: RINGS,
        ..Plan::default()
    };
    Sender::new(1, plan)
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => Just(Good(60)),
        3 => (15usize..=LONGEST).prop_map(Good),
        2 => (LONGEST + 1..1900).prop_map(Oversize),
        1 => (14usize..=LONGEST).prop_map(Spoofed),
        1 => (15usize..=LONGEST).prop_map(UnknownVn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_may_go_goes_once_and_in_order(
        kinds in prop::collection::vec(kinds(), 1..usize::from(QUEUE)),
        lookahead_ns in prop_oneof![0u64..3_000, Just(20_000), Just(u64::MAX)],
    ) {
        let mut sender = Sender::new(1, Plan { lookahead_ns, ..Plan::default() });
        for kind in kinds {
            sender.send(0, kind);
        }
        sender.queue_up();
        sender.open_window();
        let out = sender.let_out();
        sender.check(&out);
    }

    #[test]
    fn however_runs_of_two_rings_follow_one_another(
        runs in prop::collection::vec((0..RINGS, prop::collection::vec(kinds(), 1..40)), 1..12),
    ) {
        let mut sender = two_rings();
        let mut room = [usize::from(QUEUE); RINGS];
        for (ring, run) in runs {
            for kind in run.into_iter().take(room[ring]) {
                sender.send(ring, kind);
                room[ring] -= 1;
            }
            sender.rig.turn();
        }
        sender.queue_up();
        sender.open_window();
        let out = sender.let_out();
        sender.check(&out);
    }
}
