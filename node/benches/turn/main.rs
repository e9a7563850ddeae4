//! What a frame costs the worker and what it costs the guest, and nothing else: both take turns on one
//! thread. All caches are warm and no other core is asked, so this counts instructions rather than the way
//! between cores.
//!
//! First by size, then by the number of guests and ports: each guest's window is one turn long, and a
//! turn brings 64 frames to each port that receives, all of the guest whose turn it is, or of all in turn.
//!
//! Run: `cargo bench -p pinode --bench turn`, with sizes if others are wanted; or its binary with one size
//! under `valgrind --tool=callgrind` for the instructions of each part. Prints nanoseconds a frame.

#[path = "../../tests/rig/mod.rs"]
mod rig;
#[allow(unsafe_code)]
mod unsafe_guest;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::time::{Duration, Instant};

use pinode_classifier::{GuestForm, Pi, PiCode, Trunk, Vn, VnSet};
use pinode_guest_patch::Patch;
use pinode_node::dataplane::baton::Baton;
use pinode_node::dataplane::bell::Bell;
use pinode_node::dataplane::lane::{Outbound, PiIn, PiOut, PortLane};
use pinode_node::dataplane::layout::Layout;
use pinode_node::dataplane::mailbox::{Command, Mailbox};
use pinode_node::dataplane::worker::Worker;
use pinode_ports::{InjectSlots, InlinePort, TxMeta, Wire, copy_frame};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};
use rig::VirtualClock;

const QUEUE: u16 = 256;
const SIZES: [usize; 3] = [79, 512, 1518];
const FCS: usize = 4;
const TURNS: usize = 20_000;
/// Turns before those that count.
const WARM: usize = 200;
/// How long a turn is said to take.
const TURN_NS: u64 = 10_000;

/// What a run is made of.
#[derive(Clone, Copy)]
struct Shape {
    size: usize,
    guests: usize,
    ports: usize,
    /// Frames of a burst are of all guests in turn.
    mixed: bool,
}

impl Shape {
    /// The PI in `slot`: codes are few, so virtual networks tell them apart too.
    fn pi(slot: usize) -> Pi {
        let (code, vn) = (1 + slot % 7, slot / 7);
        Pi {
            slot: slot as u8,
            code: PiCode::new(code as u8).unwrap(),
            vns: VnSet::from_iter([Vn::new(vn as u8).unwrap()]),
            form: GuestForm::Keep,
        }
    }

    fn pis(&self) -> Vec<Pi> {
        (0..self.guests).map(Self::pi).collect()
    }
}

/// Writes prepared frames into the slots of one port, reads each slot of the other.
struct Flood {
    /// One of each guest; none: a sink.
    templates: Vec<Vec<u8>>,
    mixed: bool,
    next: usize,
    copy: Box<[u8; 2048]>,
    left: Arc<AtomicU64>,
}

impl Wire for Flood {
    #[inline]
    fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        if self.templates.is_empty() {
            return;
        }
        let turn = (now_ns / TURN_NS) as usize % self.templates.len();
        slots.fill(|slot| {
            let template = &self.templates[if self.mixed { self.next } else { turn }];
            self.next = (self.next + 1) % self.templates.len();
            copy_frame(slot.get_mut(..template.len())?, template);
            Some(template.len())
        });
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], _meta: &TxMeta) {
        copy_frame(&mut self.copy[..frame.len()], frame);
        black_box(&mut self.copy);
        self.left
            .store(self.left.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

fn lane(index: usize, shape: &Shape, left: &Arc<AtomicU64>) -> PortLane {
    let phase = |slot| Phase {
        owner: Some(slot as u8),
        duration_ns: TURN_NS,
    };
    let phases: Vec<Phase> = (0..shape.guests).map(phase).collect();
    let link = LinkRate::new(400_000_000_000).unwrap();
    let cycle = Cycle::new(&phases, 0, link, |_| 1518).unwrap();
    let queues = (0..shape.guests).map(|_| PiOut::new(usize::from(QUEUE)));
    let outbound = Outbound::new(Gate::new(cycle, 0, TURN_NS), queues.collect());
    let pih = |pi: &Pi| pi.code.get() << 5 | pi.vns.iter().next().unwrap().get();
    let template = |pi| {
        let mut frame = rig::frame(1, 0, shape.size - FCS, 1);
        frame[14] = pih(&pi);
        frame
    };
    let pis = shape.pis();
    let wire = Flood {
        templates: match index % 2 {
            0 => pis.iter().copied().map(template).collect(),
            _ => Vec::new(),
        },
        mixed: shape.mixed,
        next: 0,
        copy: Box::new([0; 2048]),
        left: Arc::clone(left),
    };
    let inbound = pis.iter().map(|_| PiIn::new(None)).collect();
    let trunk = Trunk::new(rig::ETHERTYPE, rig::MTU, &pis).unwrap();
    let port = Box::new(InlinePort::new(wire, 2048));
    PortLane::new(index, port, trunk.into(), inbound, Some(outbound))
}

/// Turns with the guests in between; the worker's time alone, that of the guests, and frames that left.
fn run(shape: &Shape) -> (Duration, Duration, u64) {
    let left = Arc::new(AtomicU64::new(0));
    let lanes = (0..shape.ports)
        .map(|port| lane(port, shape, &left))
        .collect();
    let (mailbox, inbox) = Mailbox::new(Bell::new().unwrap());
    let (events, _broken) = channel();
    let events = std::sync::Mutex::new(events);
    let clock = VirtualClock::default();
    let mut worker = Worker::new(
        0,
        clock.clone(),
        lanes,
        Baton::at_once(),
        inbox,
        Box::new(move |event| drop(events.lock().unwrap().send(event))),
    );
    mailbox.post(Command::Open).unwrap();
    worker.turn();
    let mut guests = Vec::new();
    let layout = Layout::new(1, vec![1; shape.ports]);
    for slot in 0..shape.guests {
        let (net, vifs) = unsafe_guest::guest(QUEUE, shape.ports);
        guests.push(net);
        for (port, pairs) in vifs.into_iter().enumerate() {
            for (_, part) in layout.share(port, pairs) {
                let (reply, answer) = sync_channel(1);
                let part = Box::new(part);
                let attach = Command::Attach {
                    slot,
                    port,
                    part,
                    reply,
                };
                mailbox.post(attach).unwrap();
                worker.turn();
                assert!(answer.try_recv().unwrap().is_empty());
            }
        }
    }
    let (mut of_worker, mut of_guest) = (Duration::ZERO, Duration::ZERO);
    for turn in 0..TURNS + WARM {
        clock.advance(TURN_NS);
        let began = Instant::now();
        worker.turn();
        let between = Instant::now();
        for net in &mut guests {
            net.round(&mut Patch, 0, |_, _| {}).unwrap();
        }
        if turn == WARM {
            (of_worker, of_guest) = (Duration::ZERO, Duration::ZERO);
            left.store(0, Ordering::Relaxed);
        }
        of_worker += between - began;
        of_guest += between.elapsed();
    }
    (of_worker, of_guest, left.load(Ordering::Relaxed))
}

fn main() {
    // Sizes other than the usual ones may be named.
    let named: Vec<usize> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let sizes = if named.is_empty() {
        SIZES.to_vec()
    } else {
        named
    };
    let alone = |size| Shape {
        size,
        guests: 1,
        ports: 2,
        mixed: false,
    };
    for &size in &sizes {
        let (worker, guest, frames) = run(&alone(size));
        let each = |took: Duration| took.as_nanos() as f64 / frames as f64;
        println!(
            "{size:5} octets: worker {:5.1} ns a frame, guest {:5.1} ns",
            each(worker),
            each(guest)
        );
    }
    if sizes.len() == 1 {
        return;
    }
    let shapes = [1, 3, 8, 32].map(|guests| [(guests, 2), (guests, 8)]);
    for (guests, ports) in shapes.into_iter().flatten() {
        let both = [false, true].map(|mixed| {
            let (worker, _, frames) = run(&Shape {
                guests,
                ports,
                mixed,
                ..alone(79)
            });
            worker.as_nanos() as f64 / frames as f64
        });
        println!(
            "{guests:2} guests, {ports} ports: worker {:5.1} ns a frame, in mixed bursts {:5.1} ns",
            both[0], both[1]
        );
    }
}
