//! What a frame costs the worker and what it costs the guest, and nothing else: both take turns on one
//! thread. All caches are warm and no other core is asked, so this counts instructions rather than the way
//! between cores.
//!
//! Run: `cargo bench -p pinode --bench turn`, with sizes if others are wanted; or its binary under
//! `valgrind --tool=callgrind` for the instructions of each part. Prints nanoseconds a frame.

#[path = "../../tests/rig/mod.rs"]
mod rig;
#[allow(unsafe_code)]
mod unsafe_guest;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::time::{Duration, Instant};

use pinode_guest_patch::Patch;
use pinode_node::dataplane::baton::Baton;
use pinode_node::dataplane::bell::Bell;
use pinode_node::dataplane::lane::{Outbound, PiIn, PiOut, PortLane};
use pinode_node::dataplane::layout::Layout;
use pinode_node::dataplane::mailbox::{Command, Mailbox};
use pinode_node::dataplane::worker::Worker;
use pinode_ports::{InjectSlots, InlinePort, TxMeta, Wire, copy_frame};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};
use rig::{VirtualClock, trunk};

const QUEUE: u16 = 256;
const SIZES: [usize; 3] = [79, 512, 1518];
const FCS: usize = 4;
const TURNS: usize = 20_000;

/// Writes a prepared frame into each slot of one port, reads each slot of the other.
struct Flood {
    template: Option<Vec<u8>>,
    copy: Box<[u8; 2048]>,
    left: Arc<AtomicU64>,
}

impl Wire for Flood {
    #[inline]
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        let Some(template) = &self.template else {
            return;
        };
        slots.fill(|slot| {
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

fn lane(index: usize, template: Option<Vec<u8>>, left: &Arc<AtomicU64>) -> PortLane {
    let phase = Phase {
        owner: Some(0),
        duration_ns: 1_000_000_000,
    };
    let link = LinkRate::new(400_000_000_000).unwrap();
    let cycle = Cycle::new(&[phase], 0, link, |_| 1518).unwrap();
    let outbound = Outbound::new(
        Gate::new(cycle, 0, u64::MAX / 2000),
        vec![PiOut::new(usize::from(QUEUE))],
    );
    let wire = Flood {
        template,
        copy: Box::new([0; 2048]),
        left: Arc::clone(left),
    };
    let port = InlinePort::new(wire, 2048);
    PortLane::new(
        index,
        Box::new(port),
        trunk(),
        vec![PiIn::new(None)],
        Some(outbound),
    )
}

/// Turns with the guest in between; the worker's time alone, and frames that left.
fn run(size: usize) -> (Duration, Duration, u64) {
    let template = rig::frame(1, 0, size - FCS, 1);
    let left = Arc::new(AtomicU64::new(0));
    let lanes = vec![lane(0, Some(template), &left), lane(1, None, &left)];
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
    let (mut net, vifs) = unsafe_guest::guest(QUEUE);
    let layout = Layout::new(1, vec![1, 1]);
    for (port, pairs) in vifs.into_iter().enumerate() {
        for (_, part) in layout.share(port, pairs) {
            let (reply, answer) = sync_channel(1);
            mailbox
                .post(Command::Attach {
                    slot: 0,
                    port,
                    part: Box::new(part),
                    reply,
                })
                .unwrap();
            worker.turn();
            assert!(answer.try_recv().unwrap().is_empty());
        }
    }
    let (mut of_worker, mut of_guest) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TURNS {
        // The link is idle again: nothing is ever refused.
        clock.advance(10_000);
        let began = Instant::now();
        worker.turn();
        let between = Instant::now();
        net.round(&mut Patch, |_, _| {}).unwrap();
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
    for size in sizes {
        let (worker, guest, frames) = run(size);
        let each = |took: Duration| took.as_nanos() as f64 / frames as f64;
        println!(
            "{size:5} octets: worker {:5.1} ns a frame, guest {:5.1} ns, {frames} frames",
            each(worker),
            each(guest)
        );
    }
}
