//! A node without KVM, sockets or a real clock: workers as they are, ports in memory, guests that
//! the test itself steps, time that the test sets. Everything that happens is the test's doing.
#![allow(dead_code, reason = "each test uses its part of the rig")]

pub mod exit;
pub mod guest;
pub mod sleeper;
#[allow(unsafe_code)]
mod unsafe_guest_ram;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};

use pinode_classifier::{GuestForm, Pi, PiCode, Policer, PortClassifier, Trunk, Vn, VnSet};
use pinode_node::dataplane::baton::{Baton, Board};
use pinode_node::dataplane::bell::Bell;
use pinode_node::dataplane::clock::Clock;
use pinode_node::dataplane::counters::{NodeSnapshot, PortSnapshot};
use pinode_node::dataplane::idle::Idle;
use pinode_node::dataplane::lane::{Outbound, PiIn, PiOut, PortLane};
use pinode_node::dataplane::layout::Layout;
use pinode_node::dataplane::level2::Level2;
use pinode_node::dataplane::mailbox::{Command, Event, Installed, Mailbox};
use pinode_node::dataplane::vif::VifPart;
use pinode_node::dataplane::worker::{Turn, Worker};
use pinode_ports::Port;
use pinode_ports::memory::{self, FarEnd};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};

pub use exit::{Exit, ExitPort};
pub use guest::RigGuest;
pub use sleeper::FakeSleeper;

pub const ETHERTYPE: u16 = 0x88B5;
pub const MTU: u16 = 1500;
pub const SLOTS: usize = 3;
pub const QUEUE: u16 = 256;
/// How every vif of a rig is marked.
pub const GENERATION: u64 = 7;
const CABLE_SLOTS: usize = 4096;

/// Time that the test sets. It stands still while the worker works, but where it is told to stall.
#[derive(Clone, Default)]
pub struct VirtualClock {
    now_ns: Arc<AtomicU64>,
    /// After so many looks at the clock the worker is held up for so long, nanoseconds.
    stalls: Arc<Mutex<VecDeque<(u32, u64)>>>,
}

impl VirtualClock {
    pub fn advance(&self, ns: u64) -> u64 {
        self.now_ns.fetch_add(ns, Ordering::Relaxed) + ns
    }

    /// The time, without being a look of the worker's.
    pub fn peek(&self) -> u64 {
        self.now_ns.load(Ordering::Relaxed)
    }

    pub fn stall(&self, after_looks: u32, ns: u64) {
        self.stalls.lock().unwrap().push_back((after_looks, ns));
    }
}

impl Clock for VirtualClock {
    fn now_ns(&self) -> u64 {
        let mut stalls = self.stalls.lock().unwrap();
        if let Some((looks, ns)) = stalls.front_mut() {
            match looks.checked_sub(1) {
                Some(left) => *looks = left,
                None => {
                    self.advance(*ns);
                    stalls.pop_front();
                }
            }
        }
        self.peek()
    }

    fn watch_until(&self, at_ns: u64) -> u64 {
        self.now_ns.fetch_max(at_ns, Ordering::Relaxed).max(at_ns)
    }
}

/// What a rig is made of; ordinary values first, a test changes what it is about.
pub struct Plan {
    pub capacity_bps: u64,
    pub phase_ns: u64,
    pub lookahead_ns: u64,
    pub shapes: Vec<PortClassifier>,
    pub police: [Option<(u64, u32)>; SLOTS],
    /// Octets behind the Ethernet header that each PI may send on the wire.
    pub max_sdu: [u16; SLOTS],
    pub shared_core: bool,
    pub workers: usize,
    /// Queues of each port: 1, or as many as workers.
    pub queues: usize,
    /// How workers sleep; none: they do not.
    pub sleeper: Option<FakeSleeper>,
    pub own_core: bool,
    /// Frames that the cable of a port holds in each direction.
    pub cable: usize,
    /// What ports say of launch time, and where it is noted when they are handed frames; none: plain cables.
    pub exit: Option<Exit>,
    /// By slot; none: a FIFO.
    pub level2: fn(usize) -> Option<Level2>,
    /// The network of guests with such a queue, if their frames carry no PIH.
    pub plain_vn: Option<u8>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            capacity_bps: 1_000_000_000,
            phase_ns: 100_000,
            lookahead_ns: 20_000,
            shapes: vec![trunk(), trunk()],
            police: [None; SLOTS],
            max_sdu: [MTU; SLOTS],
            shared_core: false,
            workers: 1,
            queues: 1,
            sleeper: None,
            own_core: true,
            cable: CABLE_SLOTS,
            exit: None,
            level2: |_| None,
            plain_vn: None,
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
    pub workers: Vec<Worker<VirtualClock>>,
    /// Queue `q` of port `p` at `p * queues + q`.
    pub far: Vec<FarEnd>,
    pub guests: Vec<RigGuest>,
    pub mailboxes: Vec<Mailbox>,
    pub layout: Layout,
    pub events: Receiver<Event>,
    phase_ns: u64,
    capacity_bps: u64,
}

impl Rig {
    /// A node with two ports and three guests, all attached.
    pub fn new(plan: Plan) -> Self {
        let mut far = Vec::new();
        let layout = Layout::new(plan.workers, vec![plan.queues; plan.shapes.len()]);
        let mut lanes: Vec<Vec<PortLane>> = (0..plan.workers).map(|_| Vec::new()).collect();
        let clock = VirtualClock::default();
        for (index, shape) in plan.shapes.into_iter().enumerate() {
            let policers = plan.police.map(|police| {
                police.map(|(rate, burst)| Arc::new(Policer::new(rate, burst).unwrap()))
            });
            for queue in 0..plan.queues {
                let (port, end) = memory::pair(plan.cable, 2048);
                far.push(end);
                let worker = layout.receives(index, queue);
                let inbound = policers.iter().cloned().map(PiIn::new).collect();
                let outbound = (worker == layout.owner(index)).then(|| {
                    let cycle = cycle(&[plan.phase_ns; SLOTS], plan.capacity_bps);
                    let gate = Gate::new(cycle, 0, plan.lookahead_ns);
                    let out = |slot: usize| {
                        let out = PiOut::new(usize::from(QUEUE) * plan.workers);
                        let out = out.with_max_sdu(plan.max_sdu[slot]);
                        match (plan.level2)(slot) {
                            Some(queue) => out.ordered_by(queue, plan.plain_vn),
                            None => out,
                        }
                    };
                    Outbound::new(gate, (0..SLOTS).map(out).collect())
                });
                let port: Box<dyn Port> = match &plan.exit {
                    Some(exit) => Box::new(ExitPort::new(port, index, exit, &clock)),
                    None => Box::new(port),
                };
                let lane = PortLane::new(index, port, shape.clone(), inbound, outbound);
                lanes[worker].push(lane);
            }
        }
        let (sender, events) = channel();
        let board = Board::new(plan.workers);
        let (mut workers, mut mailboxes) = (Vec::new(), Vec::new());
        for (index, lanes) in lanes.into_iter().enumerate() {
            let (mailbox, inbox) = Mailbox::new(Bell::new().unwrap());
            let baton = match plan.shared_core {
                true => Baton::passed(Arc::clone(&board), index),
                false => Baton::at_once(),
            };
            let events = event_sink(sender.clone());
            mailbox.post(Command::Open).unwrap();
            mailboxes.push(mailbox);
            let mut worker = Worker::new(index, clock.clone(), lanes, baton, inbox, events);
            if let Some(sleeper) = &plan.sleeper {
                let idle = Idle::new(plan.own_core);
                worker = worker.sleeping(idle, Box::new(sleeper.clone()));
            }
            workers.push(worker);
        }
        let mut rig = Self {
            clock,
            workers,
            far,
            guests: Vec::new(),
            mailboxes,
            layout,
            events,
            phase_ns: plan.phase_ns,
            capacity_bps: plan.capacity_bps,
        };
        rig.turn();
        for slot in 0..SLOTS {
            let guest = rig.attach_new_guest(slot);
            rig.guests.push(guest);
        }
        rig
    }

    pub fn attach_new_guest(&mut self, slot: usize) -> RigGuest {
        let (guest, vifs) = RigGuest::new(2, self.workers.len(), QUEUE);
        for (port, mut pairs) in vifs.into_iter().enumerate() {
            for pair in &mut pairs {
                pair.generation = GENERATION;
            }
            for (worker, part) in self.layout.share(port, pairs) {
                let part = Box::new(part);
                let old: VifPart = self.command(worker, |reply| Command::Attach {
                    slot,
                    port,
                    part,
                    reply,
                });
                assert!(old.is_empty());
            }
        }
        guest
    }

    /// Takes the guest off all workers, each in its turn.
    pub fn detach(&mut self, slot: usize) -> Vec<VifPart> {
        let workers = 0..self.workers.len();
        let detach = |worker| {
            self.command(worker, |reply| Command::Detach {
                slot,
                port: None,
                reply,
            })
        };
        workers.flat_map(detach).collect()
    }

    pub fn install(&mut self, port: usize, cycle: Cycle) -> Installed {
        let owner = self.layout.owner(port);
        let cycle = Box::new(cycle);
        self.command(owner, |reply| Command::Install {
            port,
            cycle,
            base_ns: None,
            reply,
        })
    }

    /// The rig is one thread: the command is sent, the worker takes a turn, the answer is there.
    pub fn command<T>(
        &mut self,
        worker: usize,
        make: impl FnOnce(std::sync::mpsc::SyncSender<T>) -> Command,
    ) -> T {
        let (reply, answer) = sync_channel(1);
        self.mailboxes[worker].post(make(reply)).unwrap();
        assert_eq!(self.workers[worker].turn(), Turn::Worked);
        answer.try_recv().unwrap()
    }

    /// One turn of each worker.
    pub fn turn(&mut self) {
        for worker in &mut self.workers {
            assert_ne!(worker.turn(), Turn::Stopped);
        }
    }

    /// Where frames that are sent on `port` come out.
    pub fn exit(&self, port: usize) -> usize {
        let queues = self.far.len() / self.layout.ports();
        port * queues
            + if queues > 1 {
                self.layout.owner(port)
            } else {
                0
            }
    }

    /// One turn of each worker and of each guest, `ns` later.
    pub fn step(&mut self, ns: u64) {
        self.clock.advance(ns);
        self.turn();
        for guest in &mut self.guests {
            guest.patch();
        }
    }

    pub fn snapshot(&mut self) -> Vec<PortSnapshot> {
        let mut into = Box::new(NodeSnapshot::empty(2, SLOTS, self.workers.len()));
        for worker in 0..self.workers.len() {
            into = self.command(worker, |reply| Command::Snapshot { into, reply });
        }
        into.ports
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
            for (name, c) in &pi.classes {
                assert_eq!(
                    c.enqueued,
                    c.queued + c.dequeued + c.cleared,
                    "{name}: {c:?}"
                );
            }
            sent += c.sent;
        }
        assert_eq!(p.tx_frames, sent);
    }
}
