//! The one anonymous mapping behind a guest's RAM, and the three places where its address leaves Rust's
//! sight: KVM's memory slot, the view vm-memory works on, and the view the virtqueues work on.
//!
//! Unsafe lives here because mmap, madvise, munmap and `KVM_SET_USER_MEMORY_REGION` deal in raw addresses.
//! This file must never hand out a reference into guest RAM: the guest writes it at any time.

use std::io;
use std::ptr::{self, NonNull};

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::VmFd;
use pinode_virtqueue::Ram;
use vm_memory::{GuestAddress, GuestMemoryMmap, GuestRegionMmap, MmapRegion};

/// Size and alignment of the huge pages asked for behind guest RAM, in octets.
pub const HUGE_PAGE: usize = 2 << 20;

/// Octets populated beforehand at most, from guest-physical 0 on, where images lie. A guest of no more RAM pays for no
/// page later; a larger one pays for each page above at its first touch, once. To fault in gigabytes that it may never
/// use would take longer than its owner waits for a boot, and take the memory from others.
const POPULATED_MOST: usize = 256 << 20;
/// Octets populated by one system call. It holds the lock of the process's address space, so that no other thread can
/// map or unmap, and its own thread takes no signal, until it is done.
const POPULATE_STEP: usize = 16 << 20;
/// `MADV_POPULATE_WRITE` (Linux 5.14): fault all pages in, as by a write.
const MADV_POPULATE_WRITE: libc::c_int = 23;

/// An owned, zeroed, private anonymous mapping, aligned to [`HUGE_PAGE`].
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    octets: usize,
}

// SAFETY: the mapping is plain memory that no thread owns; all access goes through volatile or atomic views.
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`; `&Mapping` gives out no reference into the memory.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `octets` (a multiple of the page size) of zeroed memory and advises huge pages for it.
    pub fn new(octets: usize) -> io::Result<Self> {
        let reserved = octets
            .checked_add(HUGE_PAGE)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        // SAFETY: a fresh private anonymous mapping at an address of the kernel's choice touches nothing else.
        let raw = unsafe {
            libc::mmap(
                ptr::null_mut(),
                reserved,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if raw == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let raw = raw.cast::<u8>();
        let head = raw.align_offset(HUGE_PAGE).min(HUGE_PAGE);
        let tail = HUGE_PAGE - head;
        // SAFETY: head <= HUGE_PAGE, so `head` and `head + octets` lie inside the reserved mapping; the pieces cut
        // off before and behind belong to it and nobody else has seen them.
        let base = unsafe {
            if head > 0 {
                libc::munmap(raw.cast(), head);
            }
            let base = raw.add(head);
            if tail > 0 {
                libc::munmap(base.add(octets).cast(), tail);
            }
            base
        };
        // SAFETY: the range is ours; the advice changes no contents. A kernel without huge pages refuses it, which
        // costs speed and nothing else.
        unsafe {
            libc::madvise(base.cast(), octets, libc::MADV_HUGEPAGE);
            libc::madvise(base.cast(), octets, libc::MADV_DONTDUMP);
        }
        let base = NonNull::new(base).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Self { base, octets })
    }

    /// Octets mapped.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Faults in the pages of the first 256 MiB now, so that no frame pays for it later.
    pub fn populate(&self) -> io::Result<()> {
        self.populate_to(self.octets.min(POPULATED_MOST))
    }

    /// Faults in the pages below `end`, which must not lie behind the mapping.
    fn populate_to(&self, end: usize) -> io::Result<()> {
        for begin in (0..end).step_by(POPULATE_STEP) {
            self.populate_step(begin, (end - begin).min(POPULATE_STEP))?;
        }
        Ok(())
    }

    /// Faults in `octets` from `begin` on, which must lie inside the mapping.
    fn populate_step(&self, begin: usize, octets: usize) -> io::Result<()> {
        // SAFETY: begin..begin+octets lies inside the mapping, by the only caller; populating changes no contents.
        let done = unsafe {
            let from = self.base.as_ptr().add(begin);
            libc::madvise(from.cast(), octets, MADV_POPULATE_WRITE)
        };
        if done == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
        // A kernel before 5.14: touch one octet a page, before any guest or device sees the memory.
        for offset in (begin..begin + octets).step_by(4096) {
            // SAFETY: offset < octets, inside the mapping; nothing else uses it yet and zero is what it holds.
            unsafe { self.base.as_ptr().add(offset).write_volatile(0) };
        }
        Ok(())
    }

    /// The view vm-memory gives boot code and the general devices. It does not own the mapping.
    pub fn view(&self) -> Result<GuestMemoryMmap<()>, String> {
        // SAFETY: base..base+octets is mapped readable and writable, and `GuestRam` keeps this mapping beside the
        // view, so the view never outlives it.
        let region = unsafe {
            MmapRegion::<()>::build_raw(
                self.base.as_ptr(),
                self.octets,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            )
        }
        .map_err(|e| e.to_string())?;
        let region = GuestRegionMmap::new(region, GuestAddress(0))
            .ok_or_else(|| "guest RAM wraps the address space".to_string())?;
        GuestMemoryMmap::from_regions(vec![region]).map_err(|e| e.to_string())
    }

    /// The view the virtqueues work on. Whoever keeps it also keeps the `Arc<GuestRam>` that owns this mapping.
    pub fn ram(&self) -> Ram {
        // SAFETY: the mapping is contiguous, readable and writable for its whole length, and stays so until this
        // value is dropped; `QueuePair` keeps the owner alive beside the queues.
        unsafe { Ram::new(self.base.as_ptr(), self.octets as u64) }
    }

    /// Makes the mapping the VM's RAM from guest-physical 0 on (slot 0).
    pub fn attach(&self, vm: &VmFd) -> Result<(), kvm_ioctls::Error> {
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: self.octets as u64,
            userspace_addr: self.base.as_ptr() as u64,
        };
        // SAFETY: the range is mapped, and the machine drops its VM and vCPU descriptors before its `GuestRam`, so
        // KVM never reaches through the slot into memory that is somebody else's by then.
        unsafe { vm.set_user_memory_region(region) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this value owns exactly this range, and views of it live no longer than their owner.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.octets) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_populated_in_steps_and_the_rest_is_not() {
        let mapping = Mapping::new(22 << 20).unwrap();
        // One whole step and a part of one.
        mapping.populate_to(20 << 20).unwrap();
        let mut resident = vec![0u8; (22 << 20) / 4096];
        // SAFETY: the range is mapped, and `resident` has an octet for each of its pages.
        let asked = unsafe {
            let base = mapping.base.as_ptr().cast();
            libc::mincore(base, mapping.octets, resident.as_mut_ptr())
        };
        assert_eq!(asked, 0);
        let (beginning, rest) = resident.split_at((20 << 20) / 4096);
        assert!(beginning.iter().all(|page| page & 1 == 1));
        assert!(rest.iter().all(|page| page & 1 == 0));
    }
}
