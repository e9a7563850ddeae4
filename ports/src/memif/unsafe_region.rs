//! Memory shared with the peer: checked copies, and ring words checked once.
//!
//! The peer maps the same pages and may write any of them at any time. So this file must never hand out a
//! plain reference to them: words that both sides use are atomics, octets of frames are only ever copied, and
//! every place is checked against the mapping, whose file cannot shrink (`region.rs` sees to that).

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::layout::{DESCRIPTOR_OCTETS, RING_HEAD_OCTETS, ring_octets};

/// Pages are fetched while the connection is made up to this size; a larger region pays on first touch.
const POPULATE_OCTETS: usize = 256 << 20;

/// A mapping of a file that both sides have.
#[derive(Debug)]
pub(super) struct Region {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: an address and a length of a mapping that lives as long as the value; all access is by atomics or
// by copies of octets.
unsafe impl Send for Region {}
// SAFETY: as for `Send`; no method needs exclusive access for memory safety.
unsafe impl Sync for Region {}

impl Region {
    /// Maps the first `len` octets of `file`, which must not be able to shrink below that.
    pub(super) fn map(file: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let region = Self { base, len };
        if len <= POPULATE_OCTETS {
            for advice in [Advice::LinuxHugepage, Advice::LinuxPopulateWrite] {
                // SAFETY: advice on the mapping just made changes no octet; a kernel that refuses it
                // leaves the pages to the first touch.
                let _ = unsafe { madvise(base.as_ptr().cast(), len, advice) };
            }
        }
        Ok(region)
    }

    /// The address of `len` octets at `offset`, if they are all inside.
    #[inline]
    fn at(&self, offset: usize, len: usize) -> Option<*mut u8> {
        if offset > self.len || len > self.len - offset {
            return None;
        }
        // SAFETY: `offset` is at most the length of the mapping, checked above.
        Some(unsafe { self.base.as_ptr().add(offset) })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `map`; rings on it hold the `Regions` that own it.
        if let Err(error) = unsafe { munmap(self.base.as_ptr().cast(), self.len) } {
            debug_assert!(false, "munmap of a live mapping: {error}");
        }
    }
}

/// All regions of a connection, by their index.
#[derive(Debug)]
pub(super) struct Regions(pub(super) Vec<Region>);

impl Regions {
    #[inline]
    fn at(&self, region: u16, offset: u32, len: usize) -> Option<*mut u8> {
        self.0.get(usize::from(region))?.at(offset as usize, len)
    }

    /// Whether `len` octets at `offset` are all in the region.
    #[inline]
    pub(super) fn holds(&self, region: u16, offset: u32, len: usize) -> bool {
        self.at(region, offset, len).is_some()
    }

    /// Copies octets out. `None`: not all there, nothing done.
    #[inline]
    pub(super) fn read(&self, region: u16, offset: u32, to: &mut [u8]) -> Option<()> {
        let from = self.at(region, offset, to.len())?;
        // SAFETY: `at` checked the source; `to` is a reference, so it is no shared memory and does not
        // overlap. The octets are whatever the peer has there; none of them is believed.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        Some(())
    }

    /// Copies octets in. `None`: not all there, nothing done.
    #[inline]
    pub(super) fn write(&self, region: u16, offset: u32, from: &[u8]) -> Option<()> {
        let to = self.at(region, offset, from.len())?;
        // SAFETY: as in `read`, the other way.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        Some(())
    }

    /// Asks the CPU for the first two cache lines of a buffer that is about to be read.
    #[inline]
    pub(super) fn expect_read(&self, region: u16, offset: u32) {
        self.prefetch::<false>(region, offset);
    }

    /// Asks the CPU for the first two cache lines of a buffer that is about to be written.
    #[inline]
    pub(super) fn expect_write(&self, region: u16, offset: u32) {
        self.prefetch::<true>(region, offset);
    }

    #[inline]
    fn prefetch<const WRITE: bool>(&self, region: u16, offset: u32) {
        #[cfg(target_arch = "x86_64")]
        if let Some(at) = self.at(region, offset, 128) {
            use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
            for line in [at, at.wrapping_add(64)] {
                // SAFETY: a prefetch reads nothing architecturally and cannot fault. Paid for by the bench
                // `memif`.
                unsafe {
                    if WRITE {
                        _mm_prefetch::<_MM_HINT_ET0>(line.cast());
                    } else {
                        _mm_prefetch::<_MM_HINT_T0>(line.cast());
                    }
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (region, offset, WRITE);
    }
}

/// A ring in shared memory: its words, and its descriptors by index modulo its size.
#[derive(Debug, Clone)]
pub(super) struct RingMemory {
    base: NonNull<u8>,
    mask: u16,
    regions: Arc<Regions>,
}

// SAFETY: an address inside a mapping that `regions` keeps; all access is by atomics.
unsafe impl Send for RingMemory {}
// SAFETY: as for `Send`.
unsafe impl Sync for RingMemory {}

impl RingMemory {
    /// The ring of `1 << log2_size` descriptors at `offset`. `None`: not all in the region, or not at a
    /// multiple of 8.
    pub(super) fn new(
        regions: &Arc<Regions>,
        region: u16,
        offset: u32,
        log2_size: u8,
    ) -> Option<Self> {
        let size = 1_u16.checked_shl(u32::from(log2_size))?;
        let at = regions.at(region, offset, ring_octets(size))?;
        let base = NonNull::new(at)?;
        (base.cast::<u64>().is_aligned()).then(|| Self {
            base,
            mask: size - 1,
            regions: Arc::clone(regions),
        })
    }

    /// Descriptors.
    pub(super) fn size(&self) -> u16 {
        self.mask + 1
    }

    /// Where the buffers are.
    #[inline]
    pub(super) fn regions(&self) -> &Regions {
        &self.regions
    }

    /// `cookie`, offset 0.
    pub(super) fn cookie(&self) -> &AtomicU32 {
        // SAFETY: `new` checked the ring's head and its alignment to 8; any bits are a valid integer, and
        // the shared reference to an atomic is sound while others write.
        unsafe { self.base.cast::<AtomicU32>().as_ref() }
    }

    /// `flags`, offset 4.
    #[inline]
    pub(super) fn flags(&self) -> &AtomicU16 {
        // SAFETY: as in `cookie`; offset 4 is inside of the head and a multiple of 2.
        unsafe { self.base.add(4).cast::<AtomicU16>().as_ref() }
    }

    /// `head`, offset 6.
    #[inline]
    pub(super) fn head(&self) -> &AtomicU16 {
        // SAFETY: as in `flags`.
        unsafe { self.base.add(6).cast::<AtomicU16>().as_ref() }
    }

    /// `flags` and `head` as one word, offset 4.
    #[inline]
    pub(super) fn flags_and_head(&self) -> &AtomicU32 {
        // SAFETY: as in `flags`; a multiple of 4. One side uses `head` alone or this alone, so that no
        // two sizes of access meet in one mapping.
        unsafe { self.base.add(4).cast::<AtomicU32>().as_ref() }
    }

    /// `tail`, offset 64.
    #[inline]
    pub(super) fn tail(&self) -> &AtomicU16 {
        // SAFETY: as in `flags`.
        unsafe { self.base.add(64).cast::<AtomicU16>().as_ref() }
    }

    /// `tail` and the unused two octets behind it as one word, offset 64.
    #[inline]
    pub(super) fn tail_and_pad(&self) -> &AtomicU32 {
        // SAFETY: as in `flags_and_head`.
        unsafe { self.base.add(64).cast::<AtomicU32>().as_ref() }
    }

    #[inline]
    fn words(&self, index: u16) -> &[AtomicU64; 2] {
        let offset = RING_HEAD_OCTETS + usize::from(index & self.mask) * DESCRIPTOR_OCTETS;
        // SAFETY: `new` checked `mask + 1` descriptors behind the head; the offset is a multiple of 16 from a
        // base aligned to 8; any bits are valid.
        unsafe { self.base.add(offset).cast::<[AtomicU64; 2]>().as_ref() }
    }

    /// The two halves of a descriptor.
    #[inline]
    pub(super) fn load(&self, index: u16) -> [u64; 2] {
        let [low, high] = self.words(index);
        // The index that announced the descriptor was loaded with acquire.
        [low.load(Ordering::Relaxed), high.load(Ordering::Relaxed)]
    }

    /// Writes the first half: flags, region, length.
    #[inline]
    pub(super) fn store_low(&self, index: u16, low: u64) {
        self.words(index)[0].store(low, Ordering::Relaxed);
    }

    /// Writes a descriptor.
    #[inline]
    pub(super) fn store(&self, index: u16, halves: [u64; 2]) {
        let [low, high] = self.words(index);
        low.store(halves[0], Ordering::Relaxed);
        high.store(halves[1], Ordering::Relaxed);
    }
}
