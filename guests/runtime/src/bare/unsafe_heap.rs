//! The image's heap: all allocation is at start and on the control channel, none per frame.
//!
//! Unsafe because it is the global allocator. It must never be used by two threads: there is one, and no
//! interrupt runs Rust code.

use core::alloc::{GlobalAlloc, Layout};

use talc::TalcCell;
use talc::source::Manual;

struct Heap(TalcCell<Manual>);

// SAFETY: an image has one thread, and interrupts and faults run no Rust code that allocates.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(TalcCell::new(Manual));

// SAFETY: all calls go to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, octets: usize) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.realloc(at, layout, octets) }
    }
}

/// Gives the heap its memory.
///
/// # Safety
///
/// The octets are mapped, writable, nobody else's, for ever.
pub(super) unsafe fn claim(base: *mut u8, octets: usize) {
    // SAFETY: the caller's promise.
    let claimed = unsafe { HEAP.0.claim(base, octets) };
    assert!(claimed.is_some(), "{octets} octets are too few for a heap");
}
