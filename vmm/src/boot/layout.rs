//! Where things live in the guest-physical address space, in one place.
//!
//! RAM is `0..memory` (at most 3 GiB); the boot structures use the first MiB as firmware would; images are
//! linked at 1 MiB or above; the MMIO devices are above all RAM.

/// Flat GDT handed to the guest at entry.
pub const GDT: u64 = 0x500;
/// `hvm_start_info` of a PVH boot.
pub const START_INFO: u64 = 0x6000;
/// Module list of a PVH boot (the initrd).
pub const MODULES: u64 = 0x6040;
/// Memory map of a PVH boot.
pub const MEMORY_MAP: u64 = 0x6100;
/// `boot_params` ("zero page") of a Linux boot, 4 KiB.
pub const ZERO_PAGE: u64 = 0x7000;
/// Top of the stack at entry.
pub const STACK_TOP: u64 = 0x8ff0;
/// Page map level 4; the page directory pointers and four page directories follow (0x9000..0xf000).
pub const PML4: u64 = 0x9000;
/// The kernel command line, zero-terminated.
pub const COMMAND_LINE: u64 = 0x2_0000;
/// Most octets of the command line, with its zero.
pub const COMMAND_LINE_OCTETS: usize = 0x1_0000;
/// End of the low RAM reported as usable (where an EBDA would begin).
pub const LOW_END: u64 = 0x9_fc00;
/// ACPI tables begin here, with the RSDP, where a BIOS would have it.
pub const ACPI: u64 = 0xe_0000;
/// First octet above the legacy area; no image may be loaded below.
pub const HIGH_START: u64 = 0x10_0000;
/// First MMIO device.
pub const MMIO_BASE: u64 = 0xd000_0000;
/// Octets of address space of an MMIO device.
pub const MMIO_STRIDE: u64 = 0x1000;
/// Interrupt of the first MMIO device; the next ones follow.
pub const FIRST_GSI: u32 = 5;
/// Interrupt of the serial port.
pub const SERIAL_GSI: u32 = 4;
/// Pins of the I/O APIC: a guest without MSI routing has no interrupt at or above this number.
pub const IOAPIC_PINS: u32 = 24;
/// Address of the I/O APIC.
pub const IOAPIC: u32 = 0xfec0_0000;
/// Address of the local APIC.
pub const LOCAL_APIC: u32 = 0xfee0_0000;
/// Three pages KVM on Intel needs for real mode; unused elsewhere.
pub const KVM_TSS: usize = 0xfffb_d000;
/// One page KVM on Intel needs for an identity map; unused elsewhere.
pub const KVM_IDENTITY_MAP: u64 = 0xfffb_c000;
