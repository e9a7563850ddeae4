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

/// Octets populated before the machine starts, from guest-physical 0 on: image, heap and rings lie there.
const POPULATED_FIRST: usize = 8 << 20;
/// Octets populated at most, the rest of them beside the running machine. A guest of no more RAM soon pays for no page;
/// a larger one pays for each page above at its first touch, once. To fault in gigabytes that it may never use would
/// take the memory from others.
const POPULATED_MOST: usize = 256 << 20;
/// Octets populated by one system call. It holds the lock of the process's address space, so that no other thread can
/// map or unmap, and its own thread takes no signal, until it is done.
const POPULATE_STEP: usize = 2 << 20;
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

    /// Faults in the pages that a guest needs to boot.
    pub fn populate_first(&self) -> io::Result<()> {
        let end = self.octets.min(POPULATED_FIRST);
        for begin in (0..end).step_by(POPULATE_STEP) {
            if !self.populate_step(begin, end)? {
                // A kernel before 5.14: touch one octet a page, before any guest or device sees the memory.
                for offset in (begin..end).step_by(4096) {
                    // SAFETY: offset < end, inside the mapping; nothing else uses it yet and zero is what it holds.
                    unsafe { self.base.as_ptr().add(offset).write_volatile(0) };
                }
                break;
            }
        }
        Ok(())
    }

    /// Faults in the others of the first 256 MiB, so that no frame pays for them later; ends early when `stop` says
    /// so. For a thread of its own beside the running machine: contents stay as they are.
    pub fn populate_rest(&self, stop: impl Fn() -> bool) {
        let end = self.octets.min(POPULATED_MOST);
        for begin in (POPULATED_FIRST..end).step_by(POPULATE_STEP) {
            // Out of memory, or a kernel that cannot: then each page is paid for at its first touch.
            if stop() || !self.populate_step(begin, end).unwrap_or(false) {
                return;
            }
        }
    }

    /// Faults in one step from `begin` on, up to `end`, which must not lie behind the mapping. False: this kernel
    /// cannot.
    fn populate_step(&self, begin: usize, end: usize) -> io::Result<bool> {
        let octets = end.saturating_sub(begin).min(POPULATE_STEP);
        // SAFETY: begin..begin+octets lies inside the mapping, by the callers; populating changes no contents.
        let done = unsafe {
            let from = self.base.as_ptr().add(begin);
            libc::madvise(from.cast(), octets, MADV_POPULATE_WRITE)
        };
        if done == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINVAL) => Ok(false),
            _ => Err(error),
        }
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

    const MIB: usize = 1 << 20;

    fn resident(mapping: &Mapping) -> Vec<bool> {
        let mut pages = vec![0u8; mapping.octets / 4096];
        // SAFETY: the range is mapped, and `pages` has an octet for each of its pages.
        let asked = unsafe {
            let base = mapping.base.as_ptr().cast();
            libc::mincore(base, mapping.octets, pages.as_mut_ptr())
        };
        assert_eq!(asked, 0);
        pages.iter().map(|page| page & 1 == 1).collect()
    }

    #[test]
    fn the_beginning_is_populated_first_and_the_rest_when_asked() {
        let mapping = Mapping::new(22 * MIB).unwrap();
        mapping.populate_first().unwrap();
        let pages = resident(&mapping);
        let (beginning, rest) = pages.split_at(POPULATED_FIRST / 4096);
        assert!(beginning.iter().all(|page| *page));
        assert!(rest.iter().all(|page| !*page));

        // SAFETY: inside the mapping, which is this test's own.
        unsafe { mapping.base.as_ptr().add(9 * MIB).write(7) };
        mapping.populate_rest(|| false);
        assert!(resident(&mapping).iter().all(|page| *page));
        // SAFETY: as above.
        let written = unsafe { mapping.base.as_ptr().add(9 * MIB).read() };
        assert_eq!(written, 7, "contents stay");
    }

    #[test]
    fn populating_ends_when_told_and_at_small_memories() {
        let mapping = Mapping::new(22 * MIB).unwrap();
        mapping.populate_rest(|| true);
        assert!(resident(&mapping).iter().all(|page| !*page));
        let small = Mapping::new(4 * MIB).unwrap();
        small.populate_first().unwrap();
        small.populate_rest(|| false);
        assert!(resident(&small).iter().all(|page| *page));
    }
}
