//! Memory of slots: one contiguous mapping in huge pages where the system has them.
//!
//! A burst touches a slot a frame; in pages of 4 KiB every second slot of 2048 octets costs a
//! translation, in pages of 2 MiB a port's slots share one or two. Unsafe: the mapping is lent as slices.
//! Must never be resized, and never shared without the rules of who owns which slot when
//! ([`crate::memory`]).

use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// A huge page of the architectures this runs on, octets.
pub(crate) const HUGE: usize = 2 << 20;

/// What the system maps at least, octets: a multiple of any page of Linux but a huge one.
const PAGE: usize = 64 << 10;

/// Octets of a cache line.
const LINE: usize = 64;

/// Octets from a slot to the next: one cache line more than a slot holds. Slots that lie 2048 octets apart
/// begin in two of the 64 sets of a level 1 cache, and a burst of small frames evicts itself: with the
/// line, forwarding a burst between inline ports takes 0.6 us instead of 1.4 (benches/memory.rs).
pub(crate) fn stride_of(slot_octets: usize) -> usize {
    slot_octets.next_multiple_of(LINE) + LINE
}

/// Zeroed memory, aligned to a huge page, given back when this goes away.
pub(crate) struct Area {
    base: NonNull<u8>,
    octets: usize,
}

// SAFETY: the mapping belongs to this value alone and is not bound to a thread.
unsafe impl Send for Area {}
// SAFETY: a shared Area lends shared slices only.
unsafe impl Sync for Area {}

impl Area {
    /// At least `octets` (not 0), in huge pages as far as whole ones fit and the system has any, in small
    /// ones else. Ends the process where there is no memory, as any allocation does.
    pub(crate) fn new(octets: usize) -> Self {
        let octets = octets.max(1).next_multiple_of(PAGE);
        // One more, so that an aligned piece is inside.
        let mapped = octets + HUGE;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh anonymous mapping at a place of the kernel's choice.
        let first = unsafe {
            mmap_anonymous(
                null_mut(),
                mapped,
                protection,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        };
        let Some(first) = first
            .ok()
            .and_then(|first| NonNull::new(first.cast::<u8>()))
        else {
            let layout = Layout::from_size_align(mapped, HUGE).unwrap_or(Layout::new::<u8>());
            handle_alloc_error(layout);
        };
        let before = first.as_ptr().align_offset(HUGE).min(HUGE);
        // SAFETY: before <= HUGE, and the mapping is that much longer than `octets`.
        let base = unsafe { first.add(before) };
        // SAFETY: base + octets is inside the mapping, or its end.
        let end = unsafe { base.add(octets) };
        // SAFETY: the ends of the fresh mapping, in whole pages, that nothing refers to. A refusal leaves
        // them mapped and unused.
        unsafe {
            if before > 0 {
                let _ = munmap(first.as_ptr().cast(), before);
            }
            if before < HUGE {
                let _ = munmap(end.as_ptr().cast(), HUGE - before);
            }
        }
        // SAFETY: the mapping's own pages; the advice changes how they are backed, not what is in them. A
        // kernel without huge pages refuses it, and the small ones stay.
        let _ = unsafe { madvise(base.as_ptr().cast(), octets, Advice::LinuxHugepage) };
        Self { base, octets }
    }

    /// The first octet, for what is shared with the kernel or another thread.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Octets of the memory, where a slice of it would be one too many.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }
}

impl Deref for Area {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `octets` initialised (zeroed) octets of this value's own; &self excludes writers.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.octets) }
    }
}

impl DerefMut for Area {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `deref`, and &mut self excludes any other slice.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.octets) }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`; no slice of it outlives this value.
        if let Err(error) = unsafe { munmap(self.base.as_ptr().cast(), self.octets) } {
            debug_assert!(false, "munmap of a live mapping: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_zeroed_aligned_whole_and_its_own() {
        for octets in [1, HUGE, HUGE + 1] {
            let (mut one, other) = (Area::new(octets), Area::new(octets));
            assert_eq!(one.base().as_ptr().align_offset(HUGE), 0);
            assert!(one.len() >= octets && one.len() < octets + PAGE);
            assert!(one.iter().all(|octet| *octet == 0));
            one.fill(7);
            assert!(other.iter().all(|octet| *octet == 0));
        }
    }
}
