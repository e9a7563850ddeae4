//! The image's heap: all allocation is at start and on the control channel, none per frame.
//!
//! Unsafe because it is the global allocator. It must never be used by two threads: there is one, and no
//! interrupt runs Rust code.

use core::alloc::{GlobalAlloc, Layout};

use talc::TalcCell;
use talc::source::Manual;

use super::unsafe_entry::physical;
use crate::unsafe_arena::{Arena, OutOfMemory};

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

/// What the allocator keeps for itself of a piece of memory, octets, and a little.
const OVERHEAD: u64 = 4096;

/// Gives the heap so many octets of packet memory.
///
/// # Errors
///
/// There are not as many.
pub(super) fn extend(arena: &mut Arena, octets: u64) -> Result<(), OutOfMemory> {
    if octets == 0 {
        return Ok(());
    }
    let octets = octets.saturating_add(OVERHEAD);
    let base = arena.allocate(octets, 4096)?;
    // SAFETY: the arena has handed these octets out, so they are in RAM and nobody else's, for ever.
    unsafe { claim(physical(base), octets as usize) };
    Ok(())
}
