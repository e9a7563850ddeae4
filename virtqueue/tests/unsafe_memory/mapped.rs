//! Guest RAM that `vm-memory` and this crate see both.

use pinode_virtqueue::Ram;
use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

/// One region from guest-physical 0 on.
pub fn mapped(octets: usize) -> GuestMemoryMmap<()> {
    GuestMemoryMmap::from_ranges(&[(GuestAddress(0), octets)]).expect("memory for a test")
}

/// `memory` must outlive every queue made of the result.
pub fn ram_of(memory: &GuestMemoryMmap<()>) -> Ram {
    let base = memory
        .get_host_address(GuestAddress(0))
        .expect("a region at 0");
    let len = memory.last_addr().0 + 1;
    // SAFETY: one region of `len` octets, which tests keep mapped while they use queues; neither
    // they nor `vm-memory` hold references to it.
    unsafe { Ram::new(base, len) }
}
