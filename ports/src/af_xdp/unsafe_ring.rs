//! One ring of an AF_XDP socket: single producer, single consumer, one side of it the kernel.
//!
//! Unsafe: index words and entries lie in a mapping shared with the kernel. The producer's entries become
//! the consumer's with a Release store of the producer index, seen by an Acquire load; likewise back.
//! Must never read or write an entry that is the other side's.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::xdp::{XdpDesc, XdpRingOffset};

/// A mapping of this value's own.
struct Mapping {
    base: NonNull<u8>,
    octets: usize,
}

// SAFETY: the mapping belongs to this value alone and is not bound to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn of_socket(socket: BorrowedFd<'_>, octets: usize, offset: u64) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a fresh mapping of one of the socket's rings; the kernel checks offset and size.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                octets,
                protection,
                flags,
                socket,
                offset,
            )?
        };
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
            octets,
        })
    }

    /// An address inside, aligned for `T`, with room for `count` of them.
    fn at<T>(&self, offset: u64, count: usize) -> io::Result<NonNull<T>> {
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidData)?;
        let end = count
            .checked_mul(size_of::<T>())
            .and_then(|octets| octets.checked_add(offset));
        if end.is_none_or(|end| end > self.octets) || !offset.is_multiple_of(align_of::<T>()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // SAFETY: the offset is inside the mapping, checked above.
        Ok(unsafe { self.base.add(offset) }.cast())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping made by this value; what points into it is dropped with it.
        if let Err(error) = unsafe { munmap(self.base.as_ptr().cast(), self.octets) } {
            debug_assert!(false, "munmap of a live mapping: {error}");
        }
    }
}

/// What a ring carries: plain data of which every bit pattern is a value.
pub(super) trait Entry: Copy {}
/// Fill and completion ring: the address of a chunk.
impl Entry for u64 {}
/// Receive and transmit ring: address, length, options. (`options` is a bit set that keeps unknown bits.)
impl Entry for XdpDesc {}

/// A mapped ring, of which this process is the producer or the consumer.
pub(super) struct Ring<T> {
    _mapping: Mapping,
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    size: u32,
    /// This process's index.
    ours: u32,
    /// The kernel's index when last looked at.
    seen: u32,
}

// SAFETY: the pointers lead into the mapping the value owns; it is used by one thread at a time.
unsafe impl<T: Entry> Send for Ring<T> {}

impl<T: Entry> Ring<T> {
    pub(super) fn map(
        socket: BorrowedFd<'_>,
        size: u32,
        page_offset: u64,
        offset: &XdpRingOffset,
    ) -> io::Result<Self> {
        let entries = size as usize;
        let start = usize::try_from(offset.desc).map_err(|_| io::ErrorKind::InvalidData)?;
        let mapping = Mapping::of_socket(socket, start + entries * size_of::<T>(), page_offset)?;
        let flags = offset.flags.ok_or(io::ErrorKind::Unsupported)?;
        Ok(Self {
            producer: mapping.at(offset.producer, 1)?,
            consumer: mapping.at(offset.consumer, 1)?,
            flags: mapping.at(flags, 1)?,
            entries: mapping.at(offset.desc, entries)?,
            size,
            ours: 0,
            seen: 0,
            _mapping: mapping,
        })
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: inside the mapping, which lives as long as this value; accessed atomically by both sides.
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as `producer`.
        unsafe { self.consumer.as_ref() }
    }

    fn needs_wakeup(&self) -> bool {
        const NEED_WAKEUP: u32 = 1;
        // SAFETY: as `producer`.
        unsafe { self.flags.as_ref() }.load(Ordering::Relaxed) & NEED_WAKEUP != 0
    }

    fn entry(&self, index: u32) -> NonNull<T> {
        // SAFETY: the kernel takes only sizes that are powers of two, so the mask keeps below `size`.
        unsafe { self.entries.add((index & (self.size - 1)) as usize) }
    }
}

/// A ring this process fills.
pub(super) struct Producer<T>(pub(super) Ring<T>);

impl<T: Entry> Producer<T> {
    /// Enters an entry, visible to the kernel at [`publish`](Self::publish). False: the ring is full.
    pub(super) fn put(&mut self, entry: T) -> bool {
        if self.0.ours.wrapping_sub(self.0.seen) >= self.0.size {
            self.0.seen = self.0.consumer().load(Ordering::Acquire);
            if self.0.ours.wrapping_sub(self.0.seen) >= self.0.size {
                return false;
            }
        }
        // SAFETY: the kernel has consumed this place (Acquire above) and does not see it before `publish`.
        unsafe { self.0.entry(self.0.ours).write(entry) };
        self.0.ours = self.0.ours.wrapping_add(1);
        true
    }

    pub(super) fn publish(&mut self) {
        self.0.producer().store(self.0.ours, Ordering::Release);
    }

    /// Takes the newest `count` entries back. Sound only where the kernel has not looked at the ring since
    /// they were published: it remembers how far the ring was filled.
    pub(super) fn retract(&mut self, count: u32) {
        self.0.ours = self.0.ours.wrapping_sub(count);
        self.publish();
    }

    /// Entries the kernel has not consumed.
    pub(super) fn pending(&self) -> u32 {
        self.0
            .ours
            .wrapping_sub(self.0.consumer().load(Ordering::Acquire))
    }

    /// The kernel waits for a system call.
    pub(super) fn needs_wakeup(&self) -> bool {
        self.0.needs_wakeup()
    }
}

/// A ring the kernel fills.
pub(super) struct Consumer<T>(pub(super) Ring<T>);

impl<T: Entry> Consumer<T> {
    /// The next entry; its place is the kernel's again at [`release`](Self::release).
    pub(super) fn take(&mut self) -> Option<T> {
        if self.0.ours == self.0.seen {
            self.0.seen = self.0.producer().load(Ordering::Acquire);
            if self.0.ours == self.0.seen {
                return None;
            }
        }
        // SAFETY: the kernel has filled this place (Acquire above) and leaves it alone until `release`;
        // any bits are a valid entry.
        let entry = unsafe { self.0.entry(self.0.ours).read() };
        self.0.ours = self.0.ours.wrapping_add(1);
        Some(entry)
    }

    /// True where [`take`](Self::take) has an entry.
    pub(super) fn has_next(&self) -> bool {
        self.0.ours != self.0.producer().load(Ordering::Acquire)
    }

    pub(super) fn release(&mut self) {
        self.0.consumer().store(self.0.ours, Ordering::Release);
    }
}
