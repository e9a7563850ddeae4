//! What needs unsafe code to misbehave: an exception, and garbage in the rings.
//!
//! For images only.

use core::arch::asm;

use pinode_guest_runtime::bare::ring_memory;

/// Octets at the beginning of the packet memory that are scrambled: all rings lie there.
const SCRAMBLED: usize = 512 * 1024;

/// Writes to address 0, which is not mapped.
pub fn write_null() {
    // SAFETY: the page fault ends the guest; nothing is written.
    unsafe { asm!("mov dword ptr [{0}], 1", in(reg) 0u64) }
}

/// Fills the rings, and the first buffers, with garbage: every word another.
pub fn scramble_rings() {
    let memory = ring_memory();
    let words = memory.len().min(SCRAMBLED) / 8;
    let first = core::ptr::with_exposed_provenance_mut::<u64>(memory.start);
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    for at in 0..words {
        word = word
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        // SAFETY: within the packet memory, which is mapped and writable. It is in use, and that is the misdeed;
        // the runtime checks what it reads from rings.
        unsafe { first.add(at).write_volatile(word ^ word >> 29) };
    }
}
