//! The guest's packet memory: rings and frame buffers, handed out once and never taken back.
//!
//! Unsafe because frames are worked on in place: the octets of a buffer become a slice. It must never
//! hand out a slice of a buffer the device may use: a [`Buffers`] gives slices by exclusive borrow, and
//! its tokens are either with the driver or on a ring, never both.

use pinode_virtqueue::{DriverQueue, NET_HEADER, QueueError, QueueLayout, Ram};

/// Octets of a cache line.
const LINE: u64 = 64;

/// Memory that rings and buffers are cut from, front to back.
#[derive(Debug)]
pub struct Arena {
    ram: Ram,
    base: *mut u8,
    next: u64,
    end: u64,
}

// SAFETY: the arena owns its part of RAM exclusively (`Arena::new`), whichever thread holds it.
unsafe impl Send for Arena {}

/// The packet memory is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "guest memory is too small: {wanted} octets wanted, {left} left for rings and buffers; give the guest more memory or shorter queues"
)]
pub struct OutOfMemory {
    /// Octets asked for.
    pub wanted: u64,
    /// Octets left.
    pub left: u64,
}

impl Arena {
    /// The guest-physical octets `start..end` of the `len` octets of RAM at `base`.
    ///
    /// # Safety
    ///
    /// `base..base + len` stays mapped, readable and writable, as long as anything made from this
    /// arena lives. `start..end` lies within it, belongs to this arena alone, and is touched by
    /// nobody but the devices whose rings lie there, which touch only the buffers on them.
    pub unsafe fn new(base: *mut u8, len: u64, start: u64, end: u64) -> Self {
        // SAFETY: the mapping is the caller's promise. The references this crate makes are to buffers that are
        // on no ring, so no queue accesses the same octets meanwhile.
        let ram = unsafe { Ram::new(base, len) };
        Arena {
            ram,
            base,
            next: start,
            end,
        }
    }

    /// The whole RAM, as the queues want it.
    pub fn ram(&self) -> Ram {
        self.ram
    }

    /// Octets not handed out yet.
    pub fn left(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }

    /// Hands out `octets` octets, aligned to `align`, a power of two. Their content is undefined.
    ///
    /// # Errors
    ///
    /// There are not as many left.
    pub fn allocate(&mut self, octets: u64, align: u64) -> Result<u64, OutOfMemory> {
        let error = OutOfMemory {
            wanted: octets,
            left: self.left(),
        };
        let start = self
            .next
            .checked_next_multiple_of(align.max(1))
            .ok_or(error)?;
        let end = start
            .checked_add(octets)
            .filter(|end| *end <= self.end)
            .ok_or(error)?;
        self.next = end;
        Ok(start)
    }

    /// The driver's half of a transmit queue at `layout`, all of whose frames go out under one empty
    /// `virtio_net_hdr`.
    ///
    /// # Errors
    ///
    /// No memory for the header; or what the queue says.
    pub fn headed(
        &mut self,
        layout: &QueueLayout,
    ) -> Result<Result<DriverQueue, QueueError>, OutOfMemory> {
        let header = self.allocate(LINE, LINE)?;
        // In RAM: `allocate` gave it.
        let _ = self.ram.write(header, &[0; NET_HEADER as usize]);
        let ram = self.ram;
        Ok(DriverQueue::with_header(ram, layout, header, NET_HEADER))
    }

    /// Hands out buffers for frames of up to `frame` octets: `lanes` equal shares, of at most `most`
    /// buffers each, and of no more than the memory left allows.
    ///
    /// # Errors
    ///
    /// Fewer than a burst a lane fit.
    pub fn buffers(&mut self, frame: u32, lanes: u32, most: u32) -> Result<Buffers, OutOfMemory> {
        // An odd number of lines a buffer: the heads of buffers spread over all sets of the caches.
        let lines = (u64::from(frame) + u64::from(NET_HEADER)).div_ceil(LINE) | 1;
        let stride = lines * LINE;
        let lanes_wide = u64::from(lanes.max(1));
        let fit = self.left().saturating_sub(LINE) / stride / lanes_wide;
        let numbered = (1 << NUMBER_BITS) / lanes_wide;
        let each = fit.min(u64::from(most)).min(numbered);
        let least = u64::from(most).min(crate::BURST as u64);
        if each < least || each == 0 {
            let wanted = least * stride * lanes_wide;
            return Err(OutOfMemory {
                wanted,
                left: self.left(),
            });
        }
        // Frames begin with a cache line, their `virtio_net_hdr` ends the one before: all that a function looks at of
        // most packets, Ethernet to ports, is one line that comes from another core.
        let gpa = self.allocate(each * lanes_wide * stride + LINE, LINE)? + LINE;
        let gpa = gpa - u64::from(NET_HEADER);
        // Fits: bounded by what a token numbers.
        let places = Places {
            gpa,
            stride,
            each: each as u32,
            last: (each * lanes_wide).saturating_sub(1) as u32,
        };
        Ok(Buffers {
            base: self.base,
            places,
            first: (gpa + u64::from(NET_HEADER)) as usize,
            capacity: (stride - u64::from(NET_HEADER)) as usize,
        })
    }
}

/// Frame buffers, by token: the lane a buffer belongs to, and its number among all.
#[derive(Debug)]
pub struct Buffers {
    base: *mut u8,
    places: Places,
    /// Where the frame of the first buffer begins, from `base`.
    first: usize,
    /// Octets of the longest frame.
    capacity: usize,
}

// SAFETY: the buffers are this value's alone (`Arena::new`, `Arena::buffers`), whichever thread holds it.
unsafe impl Send for Buffers {}

/// Where the buffers lie: arithmetic only.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    gpa: u64,
    stride: u64,
    each: u32,
    /// The highest number of a buffer.
    last: u32,
}

/// Bits of a token that number the buffer; the lane it belongs to stands above.
const NUMBER_BITS: u32 = 24;

impl Places {
    /// All tokens of a lane, the lowest in memory first.
    pub fn tokens(&self, lane: u32) -> impl Iterator<Item = u32> + use<> {
        let first = lane * self.each;
        (first..first + self.each).map(move |number| lane << NUMBER_BITS | number)
    }

    /// The lane a token belongs to.
    #[inline]
    pub fn lane(token: u32) -> usize {
        (token >> NUMBER_BITS) as usize
    }

    /// Octets a buffer holds, with the `virtio_net_hdr`.
    #[inline]
    pub fn octets(&self) -> u32 {
        // Fits: a frame's length is 32 bits and far below.
        self.stride as u32
    }

    /// Guest-physical address of a buffer; a token that was never given out has that of some buffer.
    #[inline]
    pub fn address(&self, token: u32) -> u64 {
        self.gpa.wrapping_add(self.offset(token))
    }

    /// Octets from the first buffer to this one: no more than there are to the last.
    #[inline(always)]
    fn offset(&self, token: u32) -> u64 {
        let number = (token & ((1 << NUMBER_BITS) - 1)).min(self.last);
        // None is beyond the last, which was allocated.
        u64::from(number).wrapping_mul(self.stride)
    }
}

impl Buffers {
    /// Where they lie.
    pub fn places(&self) -> Places {
        self.places
    }

    /// Asks the processor for the cache line that the frame in a buffer begins with.
    #[inline(always)]
    pub(crate) fn approach(&self, token: u32) {
        #[cfg(target_arch = "x86_64")]
        {
            use core::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            let at = self
                .base
                .wrapping_add(self.first)
                .wrapping_add(self.places.offset(token) as usize)
                .cast::<i8>();
            // SAFETY: a prefetch has no effect on the program, whatever the address, and SSE is part of x86-64.
            // What it gives: `bench/routed`, docs/adr/0020.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(at) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = token;
    }

    /// Octets of the longest frame a buffer holds.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The `octets` octets behind the `virtio_net_hdr`, at most what the buffer holds.
    #[inline]
    pub(crate) fn frame(&mut self, token: u32, octets: u32) -> &mut [u8] {
        let octets = (octets as usize).min(self.capacity);
        let at = self.first.wrapping_add(self.places.offset(token) as usize);
        // SAFETY: `offset` leads to a buffer, whatever the token is, so `at..at + octets` lies in this value's part of
        // the mapping; the borrow is exclusive, and a token in the function's hands is on no ring.
        unsafe { core::slice::from_raw_parts_mut(self.base.add(at), octets) }
    }

    /// The first `N` octets behind the `virtio_net_hdr`; none, if buffers hold less.
    #[inline(always)]
    pub(crate) fn start<const N: usize>(&mut self, token: u32) -> Option<&mut [u8; N]> {
        if N > self.capacity {
            return None;
        }
        let at = self.first.wrapping_add(self.places.offset(token) as usize);
        // SAFETY: as in `frame`: `at..at + N` lies in a buffer of this value's, which is borrowed exclusively.
        // What it gives: `bench/switched`, docs/performance.md.
        Some(unsafe { &mut *self.base.add(at).cast::<[u8; N]>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn arena(memory: &mut [u128], start: u64) -> Arena {
        let octets = size_of_val(memory) as u64;
        // SAFETY: the memory outlives the arena in each test and is touched through it alone.
        unsafe { Arena::new(memory.as_mut_ptr().cast(), octets, start, octets) }
    }

    #[test]
    fn what_is_handed_out_is_apart_and_aligned() {
        let mut memory = vec![0u128; 4096];
        let mut arena = arena(&mut memory, 100);
        let a = arena.allocate(10, 64).unwrap();
        let b = arena.allocate(10, 4096).unwrap();
        assert_eq!((a, b), (128, 4096));
        let error = arena.allocate(1 << 20, 1).unwrap_err();
        assert_eq!(
            error,
            OutOfMemory {
                wanted: 1 << 20,
                left: 65536 - 4106
            }
        );
        assert!(arena.allocate(u64::MAX, 64).is_err());
    }

    #[test]
    fn buffers_do_not_overlap_and_fill_the_memory() {
        let mut memory = vec![0u128; 32 * 1024];
        let mut arena = arena(&mut memory, 0);
        let mut buffers = arena.buffers(1515, 2, 1000).unwrap();
        let places = buffers.places();
        assert_eq!(places.octets(), 1600);
        let tokens: Vec<u32> = (0..2).flat_map(|lane| places.tokens(lane)).collect();
        assert_eq!(tokens.len(), 2 * ((512 * 1024 - 64) / 1600 / 2));
        for (n, token) in (0..=255u8).cycle().zip(&tokens) {
            buffers.frame(*token, 1588).fill(n % 251);
        }
        for (n, token) in (0..=255u8).cycle().zip(&tokens) {
            assert!(
                buffers
                    .frame(*token, 1588)
                    .iter()
                    .all(|octet| *octet == n % 251)
            );
        }
        assert_eq!(Places::lane(tokens[tokens.len() - 1]), 1);
    }

    #[test]
    fn a_frame_longer_than_its_buffer_is_cut() {
        let mut memory = vec![0u128; 32 * 1024];
        let mut buffers = arena(&mut memory, 0).buffers(1515, 1, 100).unwrap();
        assert_eq!(buffers.frame(99, u32::MAX).len(), 1588);
        assert_eq!(buffers.frame(u32::MAX, 60).len(), 60);
    }

    #[test]
    fn too_little_memory_is_an_error() {
        let mut memory = vec![0u128; 1024];
        assert!(arena(&mut memory, 0).buffers(1515, 1, 4096).is_err());
    }
}
