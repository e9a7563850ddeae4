//! What a PVH guest finds through `ebx`: `hvm_start_info`, its memory map, the module list (initrd) and the
//! command line (Xen, "x86/HVM direct boot ABI", version 1).

use linux_loader::start_info::{
    XEN_HVM_MEMMAP_TYPE_RAM, XEN_HVM_MEMMAP_TYPE_RESERVED, XEN_HVM_START_MAGIC_VALUE,
    hvm_memmap_table_entry, hvm_modlist_entry, hvm_start_info,
};
use vm_memory::{Bytes, GuestAddress};

use super::{Initrd, MemoryRange, layout};
use crate::memory::GuestRam;

/// Writes the start info. `None` when RAM is too small for it.
pub fn write_start_info(
    ram: &GuestRam,
    map: &[MemoryRange],
    initrd: Option<Initrd>,
    rsdp: u64,
) -> Option<()> {
    let info = hvm_start_info {
        magic: XEN_HVM_START_MAGIC_VALUE,
        version: 1,
        nr_modules: u32::from(initrd.is_some()),
        modlist_paddr: if initrd.is_some() { layout::MODULES } else { 0 },
        cmdline_paddr: layout::COMMAND_LINE,
        rsdp_paddr: rsdp,
        memmap_paddr: layout::MEMORY_MAP,
        memmap_entries: u32::try_from(map.len()).ok()?,
        ..Default::default()
    };
    let view = ram.view();
    view.write_obj(info, GuestAddress(layout::START_INFO))
        .ok()?;
    if let Some(initrd) = initrd {
        let module = hvm_modlist_entry {
            paddr: initrd.address,
            size: initrd.octets,
            ..Default::default()
        };
        view.write_obj(module, GuestAddress(layout::MODULES)).ok()?;
    }
    let entry_octets = size_of::<hvm_memmap_table_entry>() as u64;
    for (slot, range) in (0u64..).zip(map) {
        let entry = hvm_memmap_table_entry {
            addr: range.address,
            size: range.octets,
            type_: if range.usable {
                XEN_HVM_MEMMAP_TYPE_RAM
            } else {
                XEN_HVM_MEMMAP_TYPE_RESERVED
            },
            reserved: 0,
        };
        view.write_obj(
            entry,
            GuestAddress(layout::MEMORY_MAP + entry_octets * slot),
        )
        .ok()?;
    }
    Some(())
}
