//! From a kernel file to a vCPU that can start: parse, check against RAM, load, and leave behind the structures
//! of the chosen boot protocol.
//!
//! It must never trust the file: sizes and addresses are checked before anything is copied.

pub mod acpi;
pub mod elf;
pub mod layout;
pub mod linux;
pub mod pvh;
pub mod registers;

use elf::{Elf, ElfError};
use registers::Entry;

use crate::memory::GuestRam;

/// How an ELF image is started. A bzImage always uses the Linux 64-bit protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BootProtocol {
    /// PVH where the image carries its note, else Linux 64-bit.
    #[default]
    Auto,
    /// PVH; an image without the note is refused.
    Pvh,
    /// Linux 64-bit at the ELF entry.
    Linux64,
}

/// Why an image cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Neither ELF nor bzImage.
    #[error("not a kernel image: neither an ELF file nor a bzImage (it begins with {head:02x?})")]
    NotAKernel {
        /// The first octets.
        head: Vec<u8>,
    },
    /// A broken ELF file.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// A broken bzImage.
    #[error("cannot load the bzImage: {why}")]
    BzImage {
        /// What linux-loader says.
        why: String,
    },
    /// The image does not fit.
    #[error(
        "the image needs guest memory up to {end:#x}, the guest has {memory} octets: give it at least {least} octets"
    )]
    TooLarge {
        /// First octet behind the image.
        end: u64,
        /// RAM, in octets.
        memory: u64,
        /// What would do, in octets (a multiple of 1 MiB).
        least: u64,
    },
    /// The image overlaps the first MiB.
    #[error("the image is linked at {start:#x}: it must be at or above {least:#x}", least = layout::HIGH_START)]
    TooLow {
        /// First octet of the image.
        start: u64,
    },
    /// PVH was asked for and the image cannot.
    #[error(
        "the image has no PVH entry (ELF note Xen, type 18): use boot protocol Auto or Linux64"
    )]
    NoPvhEntry,
    /// The image speaks another version of the guest ABI.
    #[error(
        "the image is built for guest ABI version {found}; this machine speaks version {ABI_VERSION}"
    )]
    Abi {
        /// The version in its note.
        found: u32,
    },
    /// The initrd does not fit behind the image.
    #[error(
        "the initrd of {octets} octets does not fit between the image's end {end:#x} and the end of guest memory, \
         {memory} octets"
    )]
    InitrdTooLarge {
        /// Size of the initrd.
        octets: u64,
        /// First octet behind the image.
        end: u64,
        /// RAM, in octets.
        memory: u64,
    },
    /// The command line is too long.
    #[error("the kernel command line has {octets} octets, at most {most} are possible")]
    CommandLine {
        /// Its length.
        octets: usize,
        /// What is possible.
        most: usize,
    },
    /// The boot structures could not be written.
    #[error("guest memory of {memory} octets does not hold the boot structures")]
    Structures {
        /// RAM, in octets.
        memory: u64,
    },
}

/// Version of the guest ABI this machine speaks (ELF note "pinode", type 1).
pub const ABI_VERSION: u32 = 1;

/// A range of the memory map handed to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// First octet.
    pub address: u64,
    /// Octets.
    pub octets: u64,
    /// RAM for the guest's use, or reserved.
    pub usable: bool,
}

/// Where the initrd was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initrd {
    /// First octet.
    pub address: u64,
    /// Octets.
    pub octets: u64,
}

/// A kernel file, recognised.
#[derive(Debug)]
pub enum Image<'a> {
    /// An ELF image.
    Elf(Elf<'a>),
    /// A Linux bzImage.
    BzImage(&'a [u8]),
}

impl<'a> Image<'a> {
    /// Recognises and parses a kernel file.
    pub fn parse(file: &'a [u8]) -> Result<Self, BootError> {
        if elf::is_elf(file) {
            let elf = Elf::parse(file)?;
            if let Some(found) = elf.abi.filter(|abi| *abi != ABI_VERSION) {
                return Err(BootError::Abi { found });
            }
            Ok(Image::Elf(elf))
        } else if linux::is_bzimage(file) {
            Ok(Image::BzImage(file))
        } else {
            Err(BootError::NotAKernel {
                head: file.iter().take(4).copied().collect(),
            })
        }
    }

    /// Does the image take its interrupts as MSI (it carries the pinode note)?
    pub fn wants_msi(&self) -> bool {
        matches!(self, Image::Elf(elf) if elf.abi.is_some())
    }
}

/// Everything the guest is told at boot besides its image.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// Boot protocol asked for.
    pub protocol: BootProtocol,
    /// The whole command line.
    pub command_line: &'a str,
    /// The initrd's octets.
    pub initrd: Option<&'a [u8]>,
    /// Number of vCPUs, for the ACPI tables.
    pub vcpus: u8,
    /// Number of MMIO devices, for the ACPI tables.
    pub devices: u32,
}

/// Loads `image` into `ram` with everything the protocol asks for; says where to start.
pub fn load(
    ram: &GuestRam,
    image: &Image<'_>,
    handover: &Handover<'_>,
) -> Result<Entry, BootError> {
    let memory = ram.octets();
    let structures = BootError::Structures { memory };
    let (entry, end, header) = match image {
        Image::Elf(elf) => {
            load_elf(ram, elf)?;
            (elf_entry(elf, handover.protocol)?, elf.end(), None)
        }
        Image::BzImage(file) => {
            fits(layout::HIGH_START.saturating_add(file.len() as u64), memory)?;
            let loaded =
                linux::load_bzimage(ram, file).map_err(|why| BootError::BzImage { why })?;
            fits(loaded.end, memory)?;
            (
                Entry::Linux64 { rip: loaded.entry },
                loaded.end,
                Some(loaded.header),
            )
        }
    };
    let initrd = handover
        .initrd
        .map(|octets| load_initrd(ram, octets, end))
        .transpose()?;
    write_command_line(ram, handover.command_line)?;
    let rsdp = acpi::write_tables(ram, handover.vcpus, handover.devices);
    let map = memory_map(memory);
    let written = rsdp.and_then(|rsdp| {
        entry.prepare(ram)?;
        match entry {
            Entry::Pvh { .. } => pvh::write_start_info(ram, &map, initrd, rsdp),
            Entry::Linux64 { .. } => linux::write_zero_page(
                ram,
                header,
                &map,
                initrd,
                handover.command_line.len() + 1,
                rsdp,
            ),
        }
    });
    written.ok_or(structures)?;
    Ok(entry)
}

fn fits(end: u64, memory: u64) -> Result<(), BootError> {
    if end <= memory {
        return Ok(());
    }
    let least = end.checked_next_multiple_of(1 << 20).unwrap_or(u64::MAX);
    Err(BootError::TooLarge { end, memory, least })
}

fn load_elf(ram: &GuestRam, elf: &Elf<'_>) -> Result<(), BootError> {
    fits(elf.end(), ram.octets())?;
    if elf.start() < layout::HIGH_START {
        return Err(BootError::TooLow { start: elf.start() });
    }
    for segment in &elf.segments {
        // What the file does not hold is zero already: the RAM is fresh.
        ram.write(segment.address, segment.octets)
            .ok_or(BootError::Structures {
                memory: ram.octets(),
            })?;
    }
    Ok(())
}

fn elf_entry(elf: &Elf<'_>, protocol: BootProtocol) -> Result<Entry, BootError> {
    match (protocol, elf.pvh_entry) {
        (BootProtocol::Auto | BootProtocol::Pvh, Some(eip)) => Ok(Entry::Pvh { eip }),
        (BootProtocol::Pvh, None) => Err(BootError::NoPvhEntry),
        (BootProtocol::Auto | BootProtocol::Linux64, _) => Ok(Entry::Linux64 { rip: elf.entry }),
    }
}

/// Puts the initrd at the top of RAM, page-aligned, as the Linux protocol prefers.
fn load_initrd(ram: &GuestRam, initrd: &[u8], end: u64) -> Result<Initrd, BootError> {
    let (octets, memory) = (initrd.len() as u64, ram.octets());
    let refused = BootError::InitrdTooLarge {
        octets,
        end,
        memory,
    };
    let Some(address) = memory.checked_sub(octets).map(|address| address & !0xfff) else {
        return Err(refused);
    };
    if address < end || ram.write(address, initrd).is_none() {
        return Err(refused);
    }
    Ok(Initrd { address, octets })
}

fn write_command_line(ram: &GuestRam, line: &str) -> Result<(), BootError> {
    let most = layout::COMMAND_LINE_OCTETS - 1;
    if line.len() > most || line.bytes().any(|octet| octet == 0) {
        return Err(BootError::CommandLine {
            octets: line.len(),
            most,
        });
    }
    let end = layout::COMMAND_LINE + line.len() as u64;
    ram.write(layout::COMMAND_LINE, line.as_bytes())
        .and_then(|()| ram.write(end, &[0]))
        .ok_or(BootError::Structures {
            memory: ram.octets(),
        })
}

fn memory_map(memory: u64) -> [MemoryRange; 3] {
    [
        MemoryRange {
            address: 0,
            octets: layout::LOW_END,
            usable: true,
        },
        MemoryRange {
            address: layout::LOW_END,
            octets: layout::HIGH_START - layout::LOW_END,
            usable: false,
        },
        MemoryRange {
            address: layout::HIGH_START,
            octets: memory.saturating_sub(layout::HIGH_START),
            usable: true,
        },
    ]
}

#[cfg(test)]
#[path = "boot_tests.rs"]
mod tests;
