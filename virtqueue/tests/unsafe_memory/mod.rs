//! Guest RAM for tests, benches and fuzzing: octets with canaries on both sides.
//!
//! `unsafe`: it allocates the octets and makes a [`Ram`] of them. Must never hand out a reference
//! to them.
#![allow(unsafe_code, dead_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

use pinode_virtqueue::Ram;

const PAGE: usize = 4096;
/// Memory of this size and more lies in huge pages, as that of a guest does.
const HUGE: usize = 2 << 20;
/// Octets of canary on each side. None under Miri, which sees every access out of bounds itself.
const CANARY: usize = if cfg!(miri) { 0 } else { PAGE };
const SONG: u8 = 0xC5;

/// Zeroed guest RAM. Must outlive every queue made of its [`Memory::ram`].
#[derive(Debug)]
pub struct Memory {
    base: *mut u8,
    octets: usize,
}

// SAFETY: the pointer is only used through `Ram`, which is `Send` and `Sync`, and on drop.
unsafe impl Send for Memory {}
// SAFETY: as for `Send`.
unsafe impl Sync for Memory {}

impl Memory {
    pub fn new(octets: usize) -> Self {
        let layout = layout(octets);
        // SAFETY: the layout is not empty; `octets` at `base` and the canaries around lie in it.
        unsafe {
            let start = alloc(layout);
            if start.is_null() {
                handle_alloc_error(layout);
            }
            #[cfg(not(miri))]
            if layout.align() == HUGE {
                // Where there are no huge pages the small ones do.
                let advice = rustix::mm::Advice::LinuxHugepage;
                let _ = rustix::mm::madvise(start.cast(), layout.size(), advice);
            }
            start.write_bytes(SONG, layout.size());
            let base = start.add(CANARY);
            base.write_bytes(0, octets);
            Memory { base, octets }
        }
    }

    pub fn ram(&self) -> Ram {
        // SAFETY: allocated above with this length; tests keep `self` while they use queues, and
        // no reference to the octets is ever made.
        unsafe { Ram::new(self.base, self.octets as u64) }
    }

    /// The RAM from `offset` on.
    pub fn ram_from(&self, offset: usize) -> Ram {
        assert!(offset <= self.octets);
        // SAFETY: as for `ram`; the offset is inside.
        unsafe { Ram::new(self.base.add(offset), (self.octets - offset) as u64) }
    }

    pub fn write(&self, addr: u64, octets: &[u8]) {
        self.ram()
            .write(addr, octets)
            .expect("the test writes inside of its memory");
    }

    pub fn read<const N: usize>(&self, addr: u64) -> [u8; N] {
        let mut octets = [0; N];
        self.ram()
            .read(addr, &mut octets)
            .expect("the test reads inside of its memory");
        octets
    }

    pub fn u16(&self, addr: u64) -> u16 {
        u16::from_le_bytes(self.read(addr))
    }

    pub fn set_u16(&self, addr: u64, value: u16) {
        self.write(addr, &value.to_le_bytes());
    }

    /// Writes one descriptor.
    pub fn set_descriptor(&self, table: u64, index: u16, claim: (u64, u32, u16, u16)) {
        let (addr, len, flags, next) = claim;
        let at = table + 16 * u64::from(index);
        self.write(at, &addr.to_le_bytes());
        self.write(at + 8, &len.to_le_bytes());
        self.set_u16(at + 12, flags);
        self.set_u16(at + 14, next);
    }

    /// Panics if an octet around the memory was written.
    pub fn assert_canaries(&self) {
        for at in (0..CANARY).chain(CANARY + self.octets..2 * CANARY + self.octets) {
            // SAFETY: inside of the allocation, and not part of the guest RAM.
            let octet = unsafe { *self.base.sub(CANARY).add(at) };
            assert_eq!(octet, SONG, "octet {at} around guest RAM was written");
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.base.sub(CANARY), layout(self.octets)) };
    }
}

fn layout(octets: usize) -> Layout {
    let size = octets + 2 * CANARY;
    let align = if size < HUGE { PAGE } else { HUGE };
    Layout::from_size_align(size.next_multiple_of(align), align).expect("a size tests can have")
}
