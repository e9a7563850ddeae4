//! The calls of the frame path neither allocate nor free.
//!
//! The one unsafe file: an allocator that counts can only be put under the program as an unsafe
//! trait. It forwards every call unchanged to the system's.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use std::num::NonZeroU8;

use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::streams::{
    Block, Connection, Room, Service, Signalling, Terms, Tolerance,
};
use pinode_scheduler::level2::{Arrival, Content, Diffserv, Discipline, Fifo, Streams};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments; counting
// touches a constant-initialised thread-local without destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise on `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: `at` came from `System` with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn cycle(phases: usize) -> Cycle {
    let phases: Vec<_> = (0..phases)
        .map(|i| Phase {
            owner: Some((i % 3) as u8),
            duration_ns: 50_000,
        })
        .collect();
    let link = LinkRate::new(1_000_000_000).expect("not 0");
    Cycle::new(&phases, 0, link, |_| 1518).expect("valid")
}

#[test]
fn the_frame_path_neither_allocates_nor_frees() {
    let mut gate = Gate::new(cycle(3), 0, 10_000);
    let mut queue = Fifo::new(64);
    let mut admins: Vec<_> = [16, 64].map(cycle).into();
    let mut started = 0;
    let before = CALLS.with(Cell::get);
    for poll in 0..100_000u64 {
        let now_ns = poll * 3_217;
        let window = gate.advance(now_ns);
        while queue.enqueue(79u32, &Arrival::default()).is_ok() {}
        let slot = window.owner.unwrap_or(0);
        while queue
            .dequeue_if(now_ns, |octets| gate.try_start(slot, *octets).is_ok())
            .is_some()
        {
            started += 1;
        }
        if poll % 40_000 == 20_000
            && let Some(admin) = admins.pop()
        {
            gate.install(admin, None, now_ns)
                .expect("room for the old one");
        }
    }
    assert_eq!(CALLS.with(Cell::get) - before, 0);
    assert!(started > 100_000, "frames went: {started}");
    assert_eq!(std::iter::from_fn(|| gate.retired()).count(), 2);
}

/// Fills the queue and empties it again and again, with all kinds of frames; gives how many went.
fn churn(queue: &mut impl Discipline<u32>) -> u64 {
    let mut went = 0;
    let before = CALLS.with(Cell::get);
    for turn in 0..4_000u64 {
        for n in 0..64u64 {
            let dice = (turn * 64 + n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
            let kinds: [[u8; 4]; 8] = [
                [0x6B, 0x80, 0, 0],
                [0x6C, 0x00, 0, 0],
                [0x62, 0x80, 0, 0],
                [0x45, 0, 0, 0],
                [0x05, 1, 0, 0],
                [0x64, 0x04, 0x50, 0x01],
                (((dice as u32 >> 8 & 63) + 16) << 12).to_be_bytes(),
                [0; 4],
            ];
            let arrival = Arrival {
                now_ns: turn * 10_000,
                octets: 64 + (dice as u32 & 1023),
                vn: (dice >> 20) as u8 & 3,
                pdu: &kinds[dice as usize & 7],
            };
            let _ = queue.enqueue(64 + (dice as u32 & 1023), &arrival);
        }
        let fits = 64 + (turn as u32 & 2047);
        let now_ns = turn * 10_000 + 5_000;
        went += queue.dequeue_while(now_ns, 48, |octets| *octets <= fits) as u64;
        let _ = queue.due_ns(now_ns);
        let mut waiting = 0;
        queue.classes(usize::MAX, |_, counters| waiting += counters.queued);
        assert!(waiting >= queue.len() as u64);
        if turn % 1_000 == 999 {
            queue.clear(|_| {});
        }
    }
    assert_eq!(CALLS.with(Cell::get) - before, 0);
    went
}

#[test]
fn no_discipline_allocates_for_a_frame() {
    let policed = Policed {
        rate: LinkRate::new(1_000_000_000).expect("not 0"),
        burst_octets: 10_000,
        limit: 32,
    };
    let weighted = Weighted {
        weight: NonZeroU8::MIN,
        limit: 32,
    };
    let mut diffserv = Diffserv::new(&Classes {
        nc: policed,
        rt: policed,
        assured: weighted,
        be: weighted,
    });
    assert!(churn(&mut diffserv) > 10_000);
    assert!(churn(&mut Content::new(0b1011, 8, 8)) > 10_000);
    let peak = LinkRate::new(5_000_000).expect("not 0");
    let signalling = Signalling {
        peak,
        tolerance_ns: 100_000,
        buffer: 8,
    };
    let mut streams = Streams::new(Room::of(1_000_000_000, 1_000)).with_signalling(signalling);
    for label in 16..64 {
        for vn in 0..4 {
            let service = match label % 4 {
                0 => Service::Ubr,
                _ => Service::Cbr,
            };
            let asked = Connection {
                vn,
                label,
                service,
                peak: Some(peak),
                tolerance: match label % 3 {
                    0 => Tolerance::Shared(0),
                    _ => Tolerance::Own(1_000_000),
                },
                buffer: 4,
                largest: 1518,
            };
            streams.connect(asked).expect("room for all");
        }
    }
    let went = churn(&mut streams);
    assert!(went > 1_000, "{went}");
}

/// With memory handed in and out, connections come and go between two frames.
#[test]
fn no_set_up_and_no_take_down_allocates_or_frees() {
    const MOST: u32 = 300;
    let mut streams = Streams::new(Room::of(u64::MAX, MOST));
    let connection = |label: u32| Connection {
        vn: (label % 32) as u8,
        label,
        service: if label.is_multiple_of(5) {
            Service::Ubr
        } else {
            Service::Cbr
        },
        peak: LinkRate::new(1_000_000).ok(),
        tolerance: Tolerance::Shared(0),
        buffer: 1,
        largest: 1518,
    };
    let mut blocks: Vec<Block> = (0..2 * MOST).map(|_| Block::default()).collect();
    let mut set_up = 0;
    let before = CALLS.with(Cell::get);
    for turn in 0..20_000u32 {
        let asked = connection(16 + turn * 7_919 % 1_000_003);
        match streams.connect_within(asked, &mut blocks) {
            Ok(()) => set_up += 1,
            Err(error) => assert!(streams.connections() > 100, "{error}"),
        }
        let arrival = Arrival {
            now_ns: u64::from(turn),
            octets: 79,
            vn: asked.vn,
            pdu: &(asked.label << 12).to_be_bytes(),
        };
        let _ = streams.enqueue(turn, &arrival);
        streams.set_terms(Terms {
            rate_bps: u64::MAX,
            tolerance_ns: u64::from(turn),
            signalling: None,
        });
        let old = connection(16 + turn.saturating_sub(200) * 7_919 % 1_000_003);
        if turn >= 200 {
            let _ = streams.disconnect_within((old.vn, old.label), |_| (), &mut blocks);
        }
    }
    assert_eq!(CALLS.with(Cell::get) - before, 0);
    assert!(set_up > 10_000, "{set_up}");
    assert_eq!(blocks.len() + streams.connections(), 2 * MOST as usize);
}
