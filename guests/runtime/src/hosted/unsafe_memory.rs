//! The memory of a guest that is a thread: anonymous, in huge pages where the kernel gives them.
//!
//! Unsafe because mmap and munmap deal in raw addresses. It must give its arena away once only, and never a
//! reference to what it maps.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::unsafe_arena::Arena;

/// Huge pages are aligned to their size, octets.
const HUGE: usize = 2 << 20;

/// Mapped memory; unmapped when the last one who holds it lets go.
#[derive(Debug)]
pub struct HostedMemory {
    mapping: *mut c_void,
    mapped: usize,
    octets: usize,
    given: AtomicBool,
}

// SAFETY: plain memory that no thread owns; it is accessed through what was made from the one arena.
unsafe impl Send for HostedMemory {}
// SAFETY: as for `Send`; a shared reference gives out the arena once.
unsafe impl Sync for HostedMemory {}

impl HostedMemory {
    /// Maps `octets` of zeroed memory and touches it all, so that no frame is first to.
    pub(super) fn new(octets: u64) -> io::Result<Self> {
        let octets = usize::try_from(octets).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mapped = octets.checked_add(HUGE).ok_or(io::ErrorKind::OutOfMemory)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing else.
        let mapping = unsafe { mmap_anonymous(ptr::null_mut(), mapped, protection, flags) }?;
        let memory = HostedMemory {
            mapping,
            mapped,
            octets,
            given: AtomicBool::new(false),
        };
        for advice in [Advice::LinuxHugepage, Advice::LinuxPopulateWrite] {
            // SAFETY: the range is this mapping's; its contents stay zero. A kernel that does not know the advice
            // costs time at first touch, and nothing else.
            let _ = unsafe { madvise(memory.base().cast(), octets, advice) };
        }
        Ok(memory)
    }

    /// Start of the part in use: aligned to huge pages.
    fn base(&self) -> *mut u8 {
        let start = self.mapping.cast::<u8>();
        start.wrapping_add(start.align_offset(HUGE).min(HUGE))
    }

    /// All of it, to cut rings and buffers from; once. Whatever is made from it must not outlive `self`: who
    /// holds queues or buffers holds an `Arc` of this memory.
    pub(super) fn arena(&self) -> Option<Arena> {
        if self.given.swap(true, Ordering::Relaxed) {
            return None;
        }
        let octets = self.octets as u64;
        // SAFETY: `octets` octets from `base` are mapped (the mapping is one huge page longer) until `self` is
        // dropped, which the callers in this module outlive; nobody else has them, as this happens once. The first
        // line is left out: no ring or buffer is at guest-physical 0.
        Some(unsafe { Arena::new(self.base(), octets, 64, octets) })
    }
}

impl Drop for HostedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and who used it has let go of it (see `arena`).
        let _ = unsafe { munmap(self.mapping, self.mapped) };
    }
}
