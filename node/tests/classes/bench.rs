//! A worker and a guest function in virtual time: frames go through the node as in operation, and nothing depends on
//! how fast the machine is.

use std::sync::Arc;

use pinode_guest_runtime::hosted::Stand;
use pinode_guest_runtime::{Config, Function};
use pinode_node::dataplane::level2::Level2;
use pinode_node::dataplane::mailbox::Command;
use pinode_node::dataplane::vif::{Vif, VifPart};
use pinode_scheduler::LinkRate;
use pinode_scheduler::level2::diffserv::{Classes, Diffserv, Policed, Weighted};
use std::num::NonZeroU8;

use super::rig::{GENERATION, Plan, QUEUE, Rig, SLOTS, assert_conserved};
use super::traffic::{Arrived, Outcome, Source};

/// The PI's place among the three.
const SLOT: usize = 0;
/// Where frames come in and go out.
const WEST: usize = 0;
const EAST: usize = 1;
/// Time between two looks of the worker, and of the guest.
pub const STEP_NS: u64 = 2_000;
/// How often a function is told that time passes.
const TICK_NS: u64 = 1_000_000;
const MEMORY: u64 = 16 << 20;
/// What is looked at: queues are as full as they get by then.
pub const FROM_NS: u64 = 60_000_000;
pub const UNTIL_NS: u64 = 360_000_000;
/// All that was due is out by then.
const END_NS: u64 = UNTIL_NS + 20_000_000;

/// Rate and burst of real time traffic: bits per second and octets of frames with FCS.
pub const RT: (u64, u32) = (80_000_000, 8_192);
/// Of network control, of which there is none here.
pub const NC: (u64, u32) = (14_000_000, 4_096);
/// Weights of AS and BE.
pub const WEIGHTS: [u8; 2] = [2, 1];

/// Level 2 of the PI: all descriptors of the ring, mostly for AS and BE.
fn level2(slot: usize) -> Option<Level2> {
    let policed = |(bps, burst_octets), limit| Policed {
        rate: LinkRate::new(bps).unwrap(),
        burst_octets,
        limit,
    };
    let weighted = |weight| Weighted {
        weight: NonZeroU8::new(weight).unwrap(),
        limit: 96,
    };
    let classes = Classes {
        nc: policed(NC, 16),
        rt: policed(RT, 48),
        assured: weighted(WEIGHTS[0]),
        be: weighted(WEIGHTS[1]),
    };
    (slot == SLOT).then(|| Level2::Diffserv(Diffserv::new(&classes)))
}

/// Sends what `sources` have for 0.36 s to a node whose guest is `function`, configured with `pi`; gives what became of
/// the frames that were due in the last 0.3 s.
pub fn run(function: &mut dyn Function, pi: serde_json::Value, sources: &[Source]) -> Vec<Outcome> {
    let mut rig = Rig::new(Plan {
        level2,
        ..Plan::default()
    });
    let config = config(function.name(), pi);
    let memory = MEMORY + function.memory(&config);
    let mut guest = Stand::start(function, &config, QUEUE, memory).unwrap();
    drop(rig.detach(SLOT));
    attach(&mut rig, &mut guest);
    let mut outcomes = vec![Outcome::default(); sources.len()];
    let mut now_ns = rig.clock.peek();
    while now_ns < END_NS {
        let then_ns = now_ns;
        now_ns = rig.clock.advance(STEP_NS);
        if now_ns <= UNTIL_NS {
            send(&mut rig, sources, &mut outcomes, then_ns, now_ns);
        }
        rig.turn();
        guest.round(function, now_ns).unwrap();
        if now_ns % TICK_NS < STEP_NS {
            guest.tick(function, now_ns).unwrap();
        }
        receive(&mut rig, sources, &mut outcomes);
    }
    assert_conserved(&rig.snapshot());
    outcomes
}

fn config(function: &str, pi: serde_json::Value) -> Config {
    let vif =
        |name: &str| serde_json::json!({ "name": name, "mac": "02:00:00:00:00:01", "mtu": 1500 });
    serde_json::from_value(serde_json::json!({
        "function": function, "vifs": [vif("west"), vif("east")], "vns": [0], "code": 1, "seed": 1, "pi": pi,
    }))
    .unwrap()
}

fn attach(rig: &mut Rig, guest: &mut Stand) {
    for (port, pair) in guest.hand_over().into_iter().enumerate() {
        let mut vif = Vif::new(
            pair.receive,
            pair.transmit,
            Arc::clone(&pair.wake),
            pair.memory,
        );
        vif.generation = GENERATION;
        for (worker, part) in rig.layout.share(port, vec![vif]) {
            let part = Box::new(part);
            let old: VifPart = rig.command(worker, |reply| Command::Attach {
                slot: SLOT,
                port,
                part,
                reply,
            });
            assert!(old.is_empty());
        }
    }
}

/// What is due from `then_ns` to before `now_ns`, in that order.
fn send(rig: &mut Rig, sources: &[Source], outcomes: &mut [Outcome], then_ns: u64, now_ns: u64) {
    let mut due = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        due.extend(
            source
                .due(then_ns, now_ns)
                .map(|(number, at_ns)| (at_ns, index, number)),
        );
    }
    due.sort_unstable();
    for (at_ns, index, number) in due {
        let frame = sources[index].frame(index as u16, number, at_ns);
        assert!(rig.far[WEST].send(&frame), "the cable is full");
        outcomes[index].sent += u64::from(at_ns >= FROM_NS);
    }
}

fn receive(rig: &mut Rig, sources: &[Source], outcomes: &mut [Outcome]) {
    let exit = rig.exit(EAST);
    let mut take = |frame: &[u8], start_ns: u64| {
        let Some(arrived) = Arrived::of(frame) else {
            return;
        };
        let (source, outcome) = (&sources[arrived.index], &mut outcomes[arrived.index]);
        let end_ns = start_ns + source.wire_ns();
        if (FROM_NS..UNTIL_NS).contains(&start_ns) {
            outcome.wire_ns += source.wire_ns();
        }
        if arrived.due_ns >= FROM_NS {
            *outcome
                .arrived
                .entry(arrived.traffic_class >> 2)
                .or_default() += 1;
            outcome.longest_ns = outcome.longest_ns.max(end_ns - arrived.due_ns);
        }
        assert_eq!(arrived.traffic_class & 3, 2, "ECN bits of {}", source.name);
    };
    while rig.far[exit].recv(&mut take) > 0 {}
}

/// Slots of the rig share the cycle evenly.
pub const SHARE: u64 = SLOTS as u64;
