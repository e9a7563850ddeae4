//! Device registers in guest-physical memory.
//!
//! Unsafe because they are reached by address. Plain 32-bit moves in assembly: a host that emulates the
//! access must decode the instruction, and a compiler could choose a stranger one.

use core::arch::asm;

use super::unsafe_entry::physical;
use crate::virtio::mmio::Registers;

/// The registers of one virtio-mmio device.
#[derive(Debug)]
pub struct MmioRegisters {
    base: *mut u8,
}

impl MmioRegisters {
    /// The device whose registers are at guest-physical `base`, above RAM, as the loader said. `None` if
    /// that cannot be: registers are in the fourth GiB.
    pub(super) fn at(base: u64) -> Option<Self> {
        (3 << 30..(4 << 30) - 0x1000)
            .contains(&base)
            .then(|| MmioRegisters {
                base: physical(base),
            })
    }
}

impl Registers for MmioRegisters {
    #[inline]
    fn read(&self, offset: u32) -> u32 {
        let value;
        // SAFETY: `at` admits only addresses that hold registers or nothing, never RAM; reading has no effect
        // on memory.
        unsafe {
            asm!("mov {0:e}, dword ptr [{1}]", out(reg) value,
                in(reg) self.base.wrapping_add(offset as usize & 0xfff), options(nostack));
        }
        value
    }

    #[inline]
    fn write(&mut self, offset: u32, value: u32) {
        // SAFETY: as for `read`; what the device does to memory is in rings and buffers it was given.
        unsafe {
            asm!("mov dword ptr [{1}], {0:e}", in(reg) value,
                in(reg) self.base.wrapping_add(offset as usize & 0xfff), options(nostack));
        }
    }
}

/// The time stamp counter.
#[inline]
pub(super) fn time_stamp() -> u64 {
    // SAFETY: CR4.TSD is clear (`boot.s`), so ring 3 may read it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// How long a tick of the time stamp counter is: the KVM clock's factor and shift; zeroes without a KVM clock.
pub(super) fn tick_length() -> (u32, i8) {
    unsafe extern "C" {
        static clock_page: [u8; 64];
    }
    let page = &raw const clock_page;
    // SAFETY: `clock_page` is 64 octets of the image that KVM writes; read as octets, without a reference.
    let page = unsafe { page.read_volatile() };
    let factor = u32::from_le_bytes([page[24], page[25], page[26], page[27]]);
    (factor, page[28].cast_signed())
}

/// Time in which the vCPU was ready and its host ran something else, nanoseconds; 0 where KVM does not say.
pub(super) fn stolen_ns() -> u64 {
    unsafe extern "C" {
        static steal_page: [u64; 8];
    }
    let page = &raw const steal_page;
    // SAFETY: `steal_page` is 64 octets of the image, on a boundary of 64, whose first eight KVM writes, in one
    // go and only while this vCPU does not run; read without a reference.
    unsafe { page.cast::<u64>().read_volatile() }
}
