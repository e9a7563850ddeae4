//! A node without KVM, sockets or a real clock: the worker as it is, ports in memory, guests that
//! the test itself steps, time that the test sets. Everything that happens is the test's doing.
#![allow(dead_code, reason = "each test uses its part of the rig")]

pub mod guest;
#[allow(unsafe_code)]
mod unsafe_guest_ram;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};

use pinode_classifier::{GuestForm, Pi, PiCode, Policer, PortClassifier, Trunk, Vn, VnSet};
use pinode_node::dataplane::baton::Baton;
use pinode_node::dataplane::clock::Clock;
use pinode_node::dataplane::counters::PortSnapshot;
use pinode_node::dataplane::lane::{PiLane, PortLane};
use pinode_node::dataplane::mailbox::{Command, Event, Mailbox};
use pinode_node::dataplane::vif::Vif;
use pinode_node::dataplane::worker::{Turn, Worker};
use pinode_ports::memory::{self, FarEnd};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};

pub use guest::RigGuest;

pub const ETHERTYPE: u16 = 0x88B5;
pub const MTU: u16 = 1500;
pub const SLOTS: usize = 3;
pub const QUEUE: u16 = 256;
/// How every vif of a rig is marked.
pub const GENERATION: u64 = 7;
const CABLE_SLOTS: usize = 4096;

#[derive(Clone, Default)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    pub fn advance(&self, ns: u64) -> u64 {
        self.0.fetch_add(ns, Ordering::Relaxed) + ns
    }
}

impl Clock for VirtualClock {
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a rig is made of; ordinary values first, a test changes what it is about.
pub struct Plan {
    pub capacity_bps: u64,
    pub phase_ns: u64,
    pub lookahead_ns: u64,
    pub shapes: Vec<PortClassifier>,
    pub police: [Option<(u64, u32)>; SLOTS],
    pub shared_core: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            capacity_bps: 1_000_000_000,
            phase_ns: 100_000,
            lookahead_ns: 20_000,
            shapes: vec![trunk(), trunk()],
            police: [None; SLOTS],
            shared_core: false,
        }
    }
}

pub fn pis() -> [Pi; SLOTS] {
    [0u8, 1, 2].map(|slot| Pi {
        slot,
        code: PiCode::new(slot + 1).unwrap(),
        vns: VnSet::from_iter([Vn::DEFAULT]),
        form: GuestForm::Keep,
    })
}

pub fn trunk() -> PortClassifier {
    Trunk::new(ETHERTYPE, MTU, &pis()).unwrap().into()
}

pub struct Rig {
    pub clock: VirtualClock,
    pub worker: Worker<VirtualClock>,
    pub far: Vec<FarEnd>,
    pub guests: Vec<RigGuest>,
    pub mailbox: Mailbox,
    pub events: Receiver<Event>,
    phase_ns: u64,
    capacity_bps: u64,
}

impl Rig {
    /// A node with two ports and three guests, all attached.
    pub fn new(plan: Plan) -> Self {
        let mut far = Vec::new();
        let mut lanes = Vec::new();
        for shape in plan.shapes {
            let (port, end) = memory::pair(CABLE_SLOTS, 2048);
            far.push(end);
            let pis = plan.police.iter().map(|police| {
                let policer = police.map(|(rate, burst)| Policer::new(rate, burst).unwrap());
                PiLane::new(policer, usize::from(QUEUE))
            });
            let cycle = cycle(&[plan.phase_ns; SLOTS], plan.capacity_bps);
            let gate = Gate::new(cycle, 0, plan.lookahead_ns);
            lanes.push(PortLane::new(Box::new(port), shape, gate, pis.collect()));
        }
        let clock = VirtualClock::default();
        let (mailbox, inbox) = Mailbox::new();
        let (sender, events) = channel();
        let baton = Baton::new(plan.shared_core);
        let worker = Worker::new(
            clock.clone(),
            lanes,
            SLOTS,
            baton,
            inbox,
            event_sink(sender),
        );
        let mut rig = Self {
            clock,
            worker,
            far,
            guests: Vec::new(),
            mailbox,
            events,
            phase_ns: plan.phase_ns,
            capacity_bps: plan.capacity_bps,
        };
        rig.mailbox.post(Command::Open).unwrap();
        rig.worker.turn();
        for slot in 0..SLOTS {
            let guest = rig.attach_new_guest(slot);
            rig.guests.push(guest);
        }
        rig
    }

    pub fn attach_new_guest(&mut self, slot: usize) -> RigGuest {
        let (guest, vifs) = RigGuest::new(2, QUEUE);
        for (port, mut vif) in vifs.into_iter().enumerate() {
            vif.generation = GENERATION;
            let old: Option<Vif> = self.command(|reply| Command::Attach {
                slot,
                port,
                vif: Box::new(vif),
                reply,
            });
            assert!(old.is_none());
        }
        guest
    }

    /// The rig is one thread: the command is sent, the worker takes a turn, the answer is there.
    pub fn command<T>(
        &mut self,
        make: impl FnOnce(std::sync::mpsc::SyncSender<T>) -> Command,
    ) -> T {
        let (reply, answer) = sync_channel(1);
        self.mailbox.post(make(reply)).unwrap();
        assert_eq!(self.worker.turn(), Turn::More);
        answer.try_recv().unwrap()
    }

    /// One turn of the worker and of each guest, `ns` later.
    pub fn step(&mut self, ns: u64) {
        self.clock.advance(ns);
        assert_eq!(self.worker.turn(), Turn::More);
        for guest in &mut self.guests {
            guest.patch();
        }
    }

    pub fn snapshot(&mut self) -> Vec<PortSnapshot> {
        let into = vec![PortSnapshot::empty(SLOTS); 2];
        let (copy, _) = self.command(|reply| Command::Snapshot { into, reply });
        copy
    }

    /// Steps until a frame comes out of the far end of `port`, for at most two cycles.
    pub fn next_frame(&mut self, port: usize) -> Option<Vec<u8>> {
        for _ in 0..2 * SLOTS as u64 * self.phase_ns / 1000 {
            let mut out = None;
            self.far[port].recv(|frame, _| out = Some(frame.to_vec()));
            if out.is_some() {
                return out;
            }
            self.step(1000);
        }
        None
    }

    pub fn cycle(&self, phases_ns: &[u64]) -> Cycle {
        cycle(phases_ns, self.capacity_bps)
    }
}

fn event_sink(sender: Sender<Event>) -> Box<dyn Fn(Event) + Send> {
    let sender = Mutex::new(sender);
    Box::new(move |event| sender.lock().unwrap().send(event).unwrap())
}

fn cycle(phases_ns: &[u64], capacity_bps: u64) -> Cycle {
    let phases: Vec<Phase> = (0u8..)
        .zip(phases_ns)
        .map(|(slot, &duration_ns)| Phase {
            owner: Some(slot),
            duration_ns,
        })
        .collect();
    Cycle::new(&phases, 0, LinkRate::new(capacity_bps).unwrap(), |_| 1518).unwrap()
}

/// A trunk frame of `octets` without FCS; every octet behind the PIH follows from `seed`.
pub fn frame(code: u8, vn: u8, octets: usize, seed: u64) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..octets as u64)
        .map(|i| (i * 31 + seed * 7 + 13) as u8)
        .collect();
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    frame[12..14].copy_from_slice(&ETHERTYPE.to_be_bytes());
    if octets > 14 {
        frame[14] = code << 5 | vn;
    }
    if octets >= 23 {
        frame[15..23].copy_from_slice(&seed.to_be_bytes());
    }
    frame
}

/// The sums of the counters, as the contract has them.
pub fn assert_conserved(ports: &[PortSnapshot]) {
    for (index, port) in ports.iter().enumerate() {
        let p = port.port;
        let drops = p.bad_ethertype + p.unknown_pi + p.unknown_vn + p.truncated + p.oversize;
        let classified: u64 = port.pis.iter().map(|pi| pi.counters.classified).sum();
        assert_eq!(p.rx_frames, drops + classified, "port {index}: {p:?}");
        let mut sent = 0;
        for pi in &port.pis {
            let c = pi.counters;
            assert_eq!(
                c.classified,
                c.to_guest + c.policed + c.guest_down + c.ring_full,
                "{c:?}"
            );
            assert_eq!(c.from_guest, c.sent + pi.queued + c.tx_drops(), "{c:?}");
            sent += c.sent;
        }
        assert_eq!(p.tx_frames, sent);
    }
}
