//! What a guest booted by the Linux protocol finds through `rsi`: the zero page with its setup header, memory map
//! (e820), initrd and command line. Also loads bzImage files (Linux, Documentation/arch/x86/boot.rst).

use std::io::Cursor;

use linux_loader::bootparam::{boot_e820_entry, boot_params, setup_header};
use linux_loader::loader::{BzImage, KernelLoader};
use vm_memory::{Bytes, GuestAddress};

use super::{Initrd, MemoryRange, layout};
use crate::memory::GuestRam;

const BOOT_FLAG: u16 = 0xaa55;
const HEADER_MAGIC: u32 = 0x5372_6448;
const E820_RAM: u32 = 1;
const E820_RESERVED: u32 = 2;
/// Loader type "undefined" of the boot protocol.
const LOADER_UNDEFINED: u8 = 0xff;
/// xloadflags bit 0: the image has the 64-bit entry at 0x200.
const XLF_KERNEL_64: u16 = 1;
/// The 64-bit entry lies this far behind the load address.
const ENTRY_64: u64 = 0x200;

/// A loaded bzImage.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// 64-bit entry.
    pub entry: u64,
    /// First octet behind what the kernel needs while it unpacks itself.
    pub end: u64,
    /// The header to hand back to the kernel.
    pub header: setup_header,
}

/// Is this a bzImage? (`HdrS` at 0x202.)
pub fn is_bzimage(file: &[u8]) -> bool {
    file.get(0x202..0x206) == Some(b"HdrS")
}

/// Loads a bzImage at 1 MiB. An error says why in words.
pub fn load_bzimage(ram: &GuestRam, file: &[u8]) -> Result<Loaded, String> {
    let start = GuestAddress(layout::HIGH_START);
    let result = BzImage::load(ram.view(), None, &mut Cursor::new(file), Some(start))
        .map_err(|error| error.to_string())?;
    let header = result
        .setup_header
        .ok_or("the bzImage has no setup header")?;
    let flags = header.xloadflags;
    if flags & XLF_KERNEL_64 == 0 {
        return Err(format!(
            "the bzImage has no 64-bit entry (xloadflags {flags:#x})"
        ));
    }
    let unpacked = header
        .pref_address
        .saturating_add(u64::from(header.init_size));
    Ok(Loaded {
        entry: result.kernel_load.0.saturating_add(ENTRY_64),
        end: result.kernel_end.max(unpacked),
        header,
    })
}

/// Writes the zero page. `None` when it cannot be written.
pub fn write_zero_page(
    ram: &GuestRam,
    header: Option<setup_header>,
    map: &[MemoryRange],
    initrd: Option<Initrd>,
    command_line_octets: usize,
    rsdp: u64,
) -> Option<()> {
    let mut params = boot_params {
        hdr: header.unwrap_or_default(),
        ..Default::default()
    };
    params.hdr.boot_flag = BOOT_FLAG;
    params.hdr.header = HEADER_MAGIC;
    params.hdr.type_of_loader = LOADER_UNDEFINED;
    params.hdr.cmd_line_ptr = u32::try_from(layout::COMMAND_LINE).ok()?;
    params.hdr.cmdline_size = u32::try_from(command_line_octets).ok()?;
    params.acpi_rsdp_addr = rsdp;
    if header.is_none() {
        params.hdr.kernel_alignment = 0x100_0000;
    }
    if let Some(initrd) = initrd {
        params.hdr.ramdisk_image = u32::try_from(initrd.address).ok()?;
        params.hdr.ramdisk_size = u32::try_from(initrd.octets).ok()?;
    }
    for (slot, range) in params.e820_table.iter_mut().zip(map) {
        *slot = boot_e820_entry {
            addr: range.address,
            size: range.octets,
            r#type: if range.usable {
                E820_RAM
            } else {
                E820_RESERVED
            },
        };
    }
    params.e820_entries = u8::try_from(map.len()).ok()?;
    ram.view()
        .write_obj(params, GuestAddress(layout::ZERO_PAGE))
        .ok()
}
