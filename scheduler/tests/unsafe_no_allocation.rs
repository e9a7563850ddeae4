//! The calls of the frame path neither allocate nor free.
//!
//! The one unsafe file: an allocator that counts can only be put under the program as an unsafe
//! trait. It forwards every call unchanged to the system's.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use pinode_scheduler::level2::{Arrival, Discipline, Fifo};
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
