//! What the machine's loader says: how much RAM there is, and the command line that names the devices.
//!
//! Sources: Xen's `hvm_start_info` (PVH), Linux boot protocol (`struct boot_params`, e820). The values are
//! copied out, never referenced; what makes no sense is an error, not a fault.

use alloc::string::String;
use alloc::vec::Vec;

use pinode_virtqueue::Ram;

/// How the machine entered the image (`boot.s` passes it in `rsi`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// PVH: a `hvm_start_info`.
    Pvh,
    /// Linux 64-bit boot: a zero page.
    Linux64,
}

const START_INFO_MAGIC: u32 = 0x336e_c578;
const RAM_TYPE: u32 = 1;
const COMMAND_LINE_MOST: usize = 64 * 1024;
const ENTRIES_MOST: u64 = 128;

/// One virtio-mmio device of the command line: `virtio_mmio.device=SIZE@BASE:GSI`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MmioDevice {
    /// Guest-physical address of the registers.
    pub base: u64,
}

/// End of the RAM that begins at or below `inside`, octets; `None` if no memory map says so.
pub fn ram_end(low: &Ram, info: u64, protocol: Protocol, inside: u64) -> Option<u64> {
    let (table, count, stride) = match protocol {
        Protocol::Pvh if u32_at(low, info)? == START_INFO_MAGIC => (
            u64_at(low, info + 40)?,
            u64::from(u32_at(low, info + 48)?),
            24,
        ),
        Protocol::Pvh => return None,
        Protocol::Linux64 => (info + 0x2d0, u64::from(u8_at(low, info + 0x1e8)?), 20),
    };
    let ranges = (0..count.min(ENTRIES_MOST)).filter_map(|entry| {
        let at = table.checked_add(stride * entry)?;
        let (start, octets) = (u64_at(low, at)?, u64_at(low, at + 8)?);
        let end = start.checked_add(octets)?;
        (u32_at(low, at + 16)? == RAM_TYPE && start <= inside && inside < end).then_some(end)
    });
    ranges.max()
}

/// The kernel command line; empty if there is none.
pub fn command_line(low: &Ram, info: u64, protocol: Protocol) -> String {
    let address = match protocol {
        Protocol::Pvh => u64_at(low, info + 24),
        Protocol::Linux64 => u32_at(low, info + 0x228).map(u64::from),
    };
    let mut octets = Vec::new();
    let Some(address) = address.filter(|address| *address != 0) else {
        return String::new();
    };
    while octets.len() < COMMAND_LINE_MOST
        && let Some(octet) = u8_at(low, address + octets.len() as u64)
        && octet != 0
    {
        octets.push(octet);
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The virtio-mmio devices a command line names, in its order.
pub fn mmio_devices(line: &str) -> Vec<MmioDevice> {
    line.split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix("virtio_mmio.device="))
        .filter_map(|device| {
            let (_, place) = device.split_once('@')?;
            let (base, _) = place.split_once(':')?;
            let base = match base.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok()?,
                None => base.parse().ok()?,
            };
            Some(MmioDevice { base })
        })
        .collect()
}

fn u8_at(low: &Ram, address: u64) -> Option<u8> {
    let mut octets = [0; 1];
    low.read(address, &mut octets).map(|()| octets[0])
}

fn u32_at(low: &Ram, address: u64) -> Option<u32> {
    let mut octets = [0; 4];
    low.read(address, &mut octets)
        .map(|()| u32::from_le_bytes(octets))
}

fn u64_at(low: &Ram, address: u64) -> Option<u64> {
    let mut octets = [0; 8];
    low.read(address, &mut octets)
        .map(|()| u64::from_le_bytes(octets))
}
