//! Guest RAM as the queues see it: bounds-checked copies, and ring areas checked once.
//!
//! The only file of the crate with `unsafe`: it turns guest-physical addresses into pointers.
//! Everything it exports is safe to use with any address, index or length, whatever the peer does
//! to the memory meanwhile. It must never hand out a plain reference to guest memory: words that
//! both sides use are atomics, frame octets are only ever copied.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

/// Guest RAM as one contiguous mapping, guest-physical 0 to `len`.
///
/// `Copy`; holding it does not keep the mapping alive, its owner does.
#[derive(Clone, Copy, Debug)]
pub struct Ram {
    base: *mut u8,
    len: u64,
}

// SAFETY: a `Ram` is an address and a length; all access through it is by atomics or by copies of
// octets whose ordering the rings provide, from whichever thread.
unsafe impl Send for Ram {}
// SAFETY: as for `Send`; no method needs exclusive access for memory safety.
unsafe impl Sync for Ram {}

impl Ram {
    /// Describes the `len` octets at `base` as guest RAM.
    ///
    /// # Safety
    ///
    /// From now until the last copy of the returned value and the last queue made from it is
    /// dropped: `base` to `base + len` is mapped readable and writable, `len` is at most
    /// `isize::MAX`, and nothing in this process holds a Rust reference to those octets while a
    /// queue is in use. Others (a guest, other threads through queues) may write them at any time.
    pub unsafe fn new(base: *mut u8, len: u64) -> Ram {
        Ram { base, len }
    }

    /// Octets of RAM.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no RAM at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `dst.len()` octets from guest-physical `addr`. `None`: not all in RAM, nothing done.
    #[inline]
    pub fn read(&self, addr: u64, dst: &mut [u8]) -> Option<()> {
        let src = self.pointer(addr, dst.len() as u64)?;
        // SAFETY: `pointer` checked `dst.len()` octets at `src`; `dst` is a reference, so by the
        // contract of `new` it does not overlap guest RAM.
        unsafe { copy(src, dst.as_mut_ptr(), dst.len()) };
        Some(())
    }

    /// Copies `src` to guest-physical `addr`. `None`: not all in RAM, nothing done.
    #[inline]
    pub fn write(&self, addr: u64, src: &[u8]) -> Option<()> {
        self.window(addr, src.len() as u64)?.put(src);
        Some(())
    }

    /// Writes `pieces` one behind the other into the buffer of `len` octets at guest-physical
    /// `addr`, and says how many octets that were. `None`: the buffer is not all in RAM, or too
    /// small; nothing done.
    #[inline(always)]
    pub(crate) fn write_pieces(&self, addr: u64, len: u32, pieces: [&[u8]; 3]) -> Option<u32> {
        let [first, second, third] = pieces;
        // Slices have at most `isize::MAX` octets: two of them cannot overflow.
        let head = first.len() + second.len();
        if third.len() > (len as usize).checked_sub(head)? {
            return None;
        }
        let octets = head + third.len();
        let at = self.pointer(addr, u64::from(len))?;
        // SAFETY: `pointer` checked `len` octets at `at`, and the pieces have no more in sum; they
        // are references, so by the contract of `new` they do not overlap guest RAM.
        unsafe {
            copy(first.as_ptr(), at, first.len());
            let at = at.add(first.len());
            if !second.is_empty() {
                copy(second.as_ptr(), at, second.len());
            }
            copy(third.as_ptr(), at.add(second.len()), third.len());
        }
        // At most `len`.
        Some(octets as u32)
    }

    /// The `len` octets at guest-physical `addr` to be written in order. `None`: not all in RAM.
    #[inline]
    pub(crate) fn window(&self, addr: u64, len: u64) -> Option<Window<'_>> {
        let at = self.pointer(addr, len)?;
        // Fits: `len` is at most the length of a mapping.
        Some(Window {
            at,
            left: len as usize,
            ram: PhantomData,
        })
    }

    /// Asks the CPU to fetch the two cache lines at guest-physical `addr`; out of RAM: nothing.
    #[inline]
    pub(crate) fn prefetch(&self, addr: u64) {
        if addr <= self.len {
            let at = self.base.wrapping_add(addr as usize);
            prefetch(at);
            prefetch(at.wrapping_add(64));
        }
    }

    /// Asks the CPU to fetch the cache line at guest-physical `addr`, to be written; out of RAM: nothing.
    #[inline]
    pub(crate) fn prefetch_to_write(&self, addr: u64) {
        if addr <= self.len {
            prefetch_to_write(self.base.wrapping_add(addr as usize));
        }
    }

    #[inline]
    fn pointer(&self, addr: u64, len: u64) -> Option<*mut u8> {
        if addr > self.len || len > self.len - addr {
            return None;
        }
        // SAFETY: `addr` is at most `self.len`, so the result is in or one behind the mapping
        // that `new` was promised, and fits an `isize`.
        Some(unsafe { self.base.add(addr as usize) })
    }
}

/// Part of guest RAM that is being written from front to back.
pub(crate) struct Window<'ram> {
    at: *mut u8,
    left: usize,
    ram: PhantomData<&'ram Ram>,
}

impl Window<'_> {
    /// Octets that still fit.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Copies as much of `src` as fits, and says how much that was.
    #[inline]
    pub(crate) fn put(&mut self, src: &[u8]) -> usize {
        let octets = src.len().min(self.left);
        // SAFETY: `at` has `left` octets of guest RAM behind it (checked by `Ram::window`, kept
        // below), `octets` is at most that and at most `src.len()`; `src` is a reference, so by
        // the contract of `Ram::new` it does not overlap guest RAM.
        unsafe {
            copy(src.as_ptr(), self.at, octets);
            self.at = self.at.add(octets);
        }
        self.left -= octets;
        octets
    }
}

/// What both sides of a ring access by atomics.
///
/// # Safety
///
/// Every bit pattern is valid, and all access through a shared reference is atomic.
pub(crate) unsafe trait Word: Sync {}
// SAFETY: an atomic integer.
unsafe impl Word for AtomicU16 {}
// SAFETY: two atomic integers, no padding: an element of the used ring.
unsafe impl Word for [AtomicU32; 2] {}
// SAFETY: two atomic integers, no padding: a descriptor.
unsafe impl Word for [AtomicU64; 2] {}

/// A power-of-two count of words in guest RAM, checked once. Indices are masked, so none is out.
///
/// `Copy`: a burst holds a copy of its own in registers, where no store to guest memory can be
/// thought to change it.
#[derive(Debug)]
pub(crate) struct Words<W> {
    first: NonNull<W>,
    mask: u16,
}

impl<W> Clone for Words<W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Words<W> {}

// SAFETY: gives access to `W` by shared reference only, and `W: Sync`.
unsafe impl<W: Word> Send for Words<W> {}
// SAFETY: as for `Send`.
unsafe impl<W: Word> Sync for Words<W> {}

impl<W: Word> Words<W> {
    /// The `count` words at guest-physical `addr`. `None`: `count` is no power of two, the words
    /// are not all in RAM, or not aligned in this process.
    pub(crate) fn new(ram: &Ram, addr: u64, count: u16) -> Option<Self> {
        if !count.is_power_of_two() {
            return None;
        }
        let octets = u64::from(count) * size_of::<W>() as u64;
        let first = NonNull::new(ram.pointer(addr, octets)?.cast::<W>())?;
        first.is_aligned().then_some(Words {
            first,
            mask: count - 1,
        })
    }

    /// The word at `index` modulo the count.
    #[inline]
    pub(crate) fn at(&self, index: u16) -> &W {
        // SAFETY: `new` checked `mask + 1` aligned words at `first`; the owner of the mapping
        // keeps it while the queue lives (`Ram::new`). `Word` makes any content valid and the
        // shared reference sound while the peer writes.
        unsafe { &*self.first.as_ptr().add(usize::from(index & self.mask)) }
    }

    /// Asks the CPU to fetch the word at `index` modulo the count.
    #[inline]
    pub(crate) fn prefetch(&self, index: u16) {
        prefetch(ptr::from_ref(self.at(index)).cast());
    }

    /// Asks the CPU to fetch the word at `index` modulo the count, to be written.
    #[inline]
    pub(crate) fn prefetch_to_write(&self, index: u16) {
        prefetch_to_write(ptr::from_ref(self.at(index)).cast());
    }
}

/// Fetch hint; never faults.
#[inline]
fn prefetch(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing architecturally and cannot fault; SSE is there by cfg.
        // Paid for by the benches `ring_receive` and `ring_harvest`.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse", not(miri))))]
    let _ = at;
}

/// Fetch hint for what will be written: other cores give it up. Where the CPU does not know it, it fetches or does
/// nothing. Never faults.
#[inline]
fn prefetch_to_write(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads and writes nothing architecturally and cannot fault; processors without it treat it
    // as a no-op (AMD64 manual 3, PREFETCHW). Paid for by `bench/routed`.
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// Copies `octets` octets; short ones inline in overlapping power-of-two pieces, so that no
/// compiler and no `memcpy` of a freestanding target turns them into `rep movs`.
/// Paid for by the benches `ring_receive` and `ring_harvest`.
///
/// # Safety
///
/// `src` is readable and `dst` writable for `octets`, and they do not overlap. The peer may write
/// one of them meanwhile: what is copied then is any mixture, and nothing is derived from it here.
#[inline]
unsafe fn copy(src: *const u8, dst: *mut u8, octets: usize) {
    // SAFETY: each arm copies its first and last `N` octets, with `N` at most `octets`; the range
    // of the arm makes the two meet or overlap.
    unsafe {
        // The lengths of small frames first.
        if octets > 128 {
            ptr::copy_nonoverlapping(src, dst, octets);
        } else if octets > 64 {
            both_ends::<64>(src, dst, octets);
        } else if octets > 32 {
            both_ends::<32>(src, dst, octets);
        } else if octets >= 16 {
            both_ends::<16>(src, dst, octets);
        } else if octets >= 8 {
            both_ends::<8>(src, dst, octets);
        } else if octets >= 4 {
            both_ends::<4>(src, dst, octets);
        } else if octets >= 2 {
            both_ends::<2>(src, dst, octets);
        } else if octets == 1 {
            piece::<1>(src, dst);
        }
    }
}

/// # Safety
///
/// As [`copy`], and `N <= octets <= 2 * N`.
#[inline(always)]
unsafe fn both_ends<const N: usize>(src: *const u8, dst: *mut u8, octets: usize) {
    // SAFETY: the caller's, with `octets - N` at least 0 and `N` octets behind it.
    unsafe {
        piece::<N>(src, dst);
        piece::<N>(src.add(octets - N), dst.add(octets - N));
    }
}

/// # Safety
///
/// As [`copy`] with `N` octets.
#[inline(always)]
unsafe fn piece<const N: usize>(src: *const u8, dst: *mut u8) {
    // SAFETY: the caller's. A constant length becomes plain loads and stores.
    unsafe { ptr::copy_nonoverlapping(src, dst, N) }
}
