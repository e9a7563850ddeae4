//! Guest memory for the rig. Unsafe, because rings are views of raw memory: here is where it is
//! owned for as long as any of them lives.

use std::sync::Arc;

use pinode_virtqueue::Ram;

/// Owned memory, aligned to 16 octets.
pub struct Owned(Box<[u128]>);

// SAFETY: the memory is only ever reached through `Ram`, whose accesses are those of two parties
// that share it; the box itself is never read or written.
unsafe impl Sync for Owned {}

/// `octets` of zeroed memory and a view of it. The memory lives as long as the `Arc`.
pub fn make(octets: usize) -> (Ram, Arc<Owned>) {
    let mut memory = vec![0u128; octets / 16].into_boxed_slice();
    let base = memory.as_mut_ptr().cast();
    // SAFETY: the box is `octets` long and never moves its contents; every holder of a ring made
    // from this `Ram` holds the `Arc` as well.
    let ram = unsafe { Ram::new(base, octets as u64) };
    (ram, Arc::new(Owned(memory)))
}
