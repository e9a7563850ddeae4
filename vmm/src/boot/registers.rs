//! The registers a vCPU starts with, for each boot protocol.
//!
//! PVH: 32-bit protected mode, flat segments, paging off, `ebx` = start info. Linux 64-bit: long mode, the low
//! 4 GiB identity-mapped, `rsi` = zero page. Sources: Xen's PVH specification; Linux boot protocol, section
//! "64-bit Boot Protocol"; Intel SDM vol. 3 for the descriptors.

use kvm_bindings::{kvm_regs, kvm_segment, kvm_sregs};

use super::layout;
use crate::memory::GuestRam;

/// Where and how the boot processor starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// 32-bit PVH entry.
    Pvh {
        /// First instruction.
        eip: u32,
    },
    /// 64-bit Linux entry.
    Linux64 {
        /// First instruction.
        rip: u64,
    },
}

const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
const RFLAGS_FIXED: u64 = 1 << 1;

/// Selectors as the Linux boot protocol fixes them: `__BOOT_CS` 0x10, `__BOOT_DS` 0x18.
const CODE: u16 = 0x10;
const DATA: u16 = 0x18;
const TASK: u16 = 0x20;

impl Entry {
    /// Writes the GDT and, for long mode, the page tables this entry needs. `None` when RAM is too small.
    pub fn prepare(self, ram: &GuestRam) -> Option<()> {
        let code = match self {
            Entry::Pvh { .. } => 0x00cf_9b00_0000_ffff_u64,
            Entry::Linux64 { .. } => 0x00af_9b00_0000_ffff,
        };
        let gdt = [0, 0, code, 0x00cf_9300_0000_ffff, 0x0000_8b00_0000_0067, 0];
        for (slot, descriptor) in (0u64..).zip(gdt) {
            ram.write(layout::GDT + 8 * slot, &descriptor.to_le_bytes())?;
        }
        if matches!(self, Entry::Linux64 { .. }) {
            identity_map(ram)?;
        }
        Some(())
    }

    /// System registers on top of what KVM gave the vCPU.
    pub fn system(self, sregs: &mut kvm_sregs) {
        let long = matches!(self, Entry::Linux64 { .. });
        let flat = kvm_segment {
            base: 0,
            limit: 0xffff_ffff,
            present: 1,
            g: 1,
            s: 1,
            ..Default::default()
        };
        sregs.cs = kvm_segment {
            selector: CODE,
            type_: 0xb,
            l: u8::from(long),
            db: u8::from(!long),
            ..flat
        };
        let data = kvm_segment {
            selector: DATA,
            type_: 0x3,
            db: 1,
            ..flat
        };
        (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
        sregs.tr = kvm_segment {
            selector: TASK,
            base: 0,
            limit: 0x67,
            type_: 0xb,
            present: 1,
            ..Default::default()
        };
        sregs.gdt.base = layout::GDT;
        sregs.gdt.limit = 6 * 8 - 1;
        sregs.idt.base = 0;
        sregs.idt.limit = 0;
        sregs.cr0 = CR0_PE | CR0_ET;
        if long {
            sregs.cr3 = layout::PML4;
            sregs.cr4 |= CR4_PAE;
            sregs.cr0 |= CR0_PG;
            sregs.efer |= EFER_LME | EFER_LMA;
        }
    }

    /// General registers.
    pub fn general(self) -> kvm_regs {
        let regs = kvm_regs {
            rflags: RFLAGS_FIXED,
            ..Default::default()
        };
        match self {
            Entry::Pvh { eip } => kvm_regs {
                rip: u64::from(eip),
                rbx: layout::START_INFO,
                ..regs
            },
            Entry::Linux64 { rip } => kvm_regs {
                rip,
                rsi: layout::ZERO_PAGE,
                rsp: layout::STACK_TOP,
                rbp: layout::STACK_TOP,
                ..regs
            },
        }
    }
}

/// Maps the low 4 GiB onto themselves in 2 MiB pages: RAM and the MMIO devices.
fn identity_map(ram: &GuestRam) -> Option<()> {
    const PRESENT_WRITABLE: u64 = 0b11;
    const HUGE: u64 = 1 << 7;
    let pointers = layout::PML4 + 0x1000;
    let directories = pointers + 0x1000;
    ram.write(layout::PML4, &(pointers | PRESENT_WRITABLE).to_le_bytes())?;
    for gibibyte in 0..4u64 {
        let directory = directories + 0x1000 * gibibyte;
        ram.write(
            pointers + 8 * gibibyte,
            &(directory | PRESENT_WRITABLE).to_le_bytes(),
        )?;
        let mut page = [0u8; 4096];
        for (slot, entry) in (0u64..).zip(page.chunks_exact_mut(8)) {
            let address = (gibibyte << 30) | (slot << 21);
            entry.copy_from_slice(&(address | HUGE | PRESENT_WRITABLE).to_le_bytes());
        }
        ram.write(directory, &page)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::LEAST_MEMORY;

    #[test]
    fn long_mode_maps_the_devices() {
        let ram = GuestRam::new(LEAST_MEMORY).unwrap();
        Entry::Linux64 { rip: 0x20_0000 }.prepare(&ram).unwrap();
        let at = |address| {
            let mut octets = [0; 8];
            ram.read(address, &mut octets).unwrap();
            u64::from_le_bytes(octets)
        };
        let page = |address: u64| {
            let pointers = at(layout::PML4) & !0xfff;
            let directory = at(pointers + 8 * (address >> 30)) & !0xfff;
            at(directory + 8 * ((address >> 21) & 511)) & !0x1f_ffff
        };
        for address in [0, 0x20_0000, layout::MMIO_BASE, 0xffe0_0000] {
            assert_eq!(page(address), address);
        }
    }

    #[test]
    fn protocols_set_their_pointers() {
        assert_eq!(Entry::Pvh { eip: 7 }.general().rbx, layout::START_INFO);
        assert_eq!(Entry::Linux64 { rip: 7 }.general().rsi, layout::ZERO_PAGE);
        let mut sregs = kvm_sregs::default();
        Entry::Pvh { eip: 7 }.system(&mut sregs);
        assert_eq!((sregs.cr0 & CR0_PG, sregs.cs.db, sregs.cs.l), (0, 1, 0));
        Entry::Linux64 { rip: 7 }.system(&mut sregs);
        assert_eq!(
            (sregs.cr0 & CR0_PG, sregs.cs.db, sregs.cs.l),
            (CR0_PG, 0, 1)
        );
    }
}
