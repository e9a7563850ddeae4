//! ACPI tables for guests that read them (Linux): RSDP, XSDT, FADT (hardware-reduced), MADT, DSDT.
//!
//! The DSDT declares the virtio-mmio devices (`LNRO0005`), the serial port and pvpanic. References: ACPI 6.5,
//! 5.2.5 (RSDP), 5.2.9 (FADT), 5.2.12 (MADT), 4.1 (hardware-reduced).

use acpi_tables::aml::{
    Device, IO, Interrupt, Memory32Fixed, Name, Package, Path, ResourceTemplate, Scope,
};
use acpi_tables::madt::{
    EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic,
};
use acpi_tables::{Aml, rsdp::Rsdp, sdt::Sdt, xsdt::XSDT};

use super::layout;
use crate::devices::power;
use crate::devices::pvpanic;
use crate::memory::GuestRam;

const OEM: [u8; 6] = *b"PINODE";
const OEM_TABLE: [u8; 8] = *b"PINODEVM";
const REVISION: u32 = 1;

/// FADT flags: hardware-reduced ACPI, and a reset register.
const HW_REDUCED: u32 = 1 << 20;
const RESET_REGISTER: u32 = 1 << 10;
/// FADT IA-PC boot flags: no VGA to probe, no CMOS clock.
const NO_VGA_NO_CMOS: u16 = 1 << 2 | 1 << 5;
const FADT_OCTETS: u32 = 276;
const RSDP_OCTETS: u64 = 36;

/// Writes all tables below 1 MiB; returns the RSDP's address. `None` when RAM is too small.
pub fn write_tables(ram: &GuestRam, vcpus: u8, devices: u32) -> Option<u64> {
    let mut place = Place {
        ram,
        next: layout::ACPI + RSDP_OCTETS.next_multiple_of(16),
    };
    let dsdt = place.put(&dsdt(devices))?;
    let fadt = place.put(&fadt(dsdt))?;
    let madt = place.put(&madt(vcpus))?;
    let mut xsdt = XSDT::new(OEM, OEM_TABLE, REVISION);
    xsdt.add_entry(fadt);
    xsdt.add_entry(madt);
    let xsdt = place.put(&octets(&xsdt))?;
    ram.write(layout::ACPI, &octets(&Rsdp::new(OEM, xsdt)))?;
    Some(layout::ACPI)
}

struct Place<'a> {
    ram: &'a GuestRam,
    next: u64,
}

impl Place<'_> {
    fn put(&mut self, table: &[u8]) -> Option<u64> {
        let address = self.next;
        self.next = (address + table.len() as u64).next_multiple_of(16);
        if self.next > layout::HIGH_START {
            return None;
        }
        self.ram.write(address, table)?;
        Some(address)
    }
}

fn octets(table: &dyn Aml) -> Vec<u8> {
    let mut octets = Vec::new();
    table.to_aml_bytes(&mut octets);
    octets
}

fn fadt(dsdt: u64) -> Vec<u8> {
    let mut table = Sdt::new(*b"FACP", FADT_OCTETS, 6, OEM, OEM_TABLE, REVISION);
    table.write_u32(40, u32::try_from(dsdt).unwrap_or(0));
    table.write_bytes(109, &NO_VGA_NO_CMOS.to_le_bytes());
    table.write_u32(112, HW_REDUCED | RESET_REGISTER);
    table.write_bytes(116, &io_register(power::PORT));
    table.write_u8(128, power::RESET);
    table.write_u8(131, 5);
    table.write_u64(140, dsdt);
    table.write_bytes(244, &io_register(power::PORT));
    table.write_bytes(256, &io_register(power::PORT));
    table.write_bytes(268, b"PINODE  ");
    table.update_checksum();
    table.as_slice().to_vec()
}

/// A Generic Address Structure of one octet at an I/O port (ACPI 6.5, 5.2.3.2).
fn io_register(port: u16) -> [u8; 12] {
    let mut register = [1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    register[4..6].copy_from_slice(&port.to_le_bytes());
    register
}

fn madt(vcpus: u8) -> Vec<u8> {
    let address = LocalInterruptController::Address(layout::LOCAL_APIC);
    let mut table = MADT::new(OEM, OEM_TABLE, REVISION, address);
    for id in 0..vcpus {
        table.add_structure(ProcessorLocalApic::new(id, id, EnabledStatus::Enabled));
    }
    table.add_structure(IoApic::new(vcpus, layout::IOAPIC, 0));
    octets(&table)
}

fn dsdt(devices: u32) -> Vec<u8> {
    let mut body = Vec::new();
    let sleep = power::SLEEP_TYPE_OFF;
    Name::new(Path::new("_S5_"), &Package::new(vec![&sleep])).to_aml_bytes(&mut body);
    for slot in 0..devices {
        mmio_device(slot, &mut body);
    }
    Scope::new(
        Path::new("_SB_"),
        vec![
            &Device::new(
                Path::new("COM1"),
                vec![
                    &Name::new(
                        Path::new("_HID"),
                        &acpi_tables::aml::EISAName::new("PNP0501"),
                    ),
                    &Name::new(Path::new("_UID"), &0u8),
                    &Name::new(
                        Path::new("_CRS"),
                        &ResourceTemplate::new(vec![
                            &Interrupt::new(true, true, false, false, layout::SERIAL_GSI),
                            &IO::new(0x3f8, 0x3f8, 0, 8),
                        ]),
                    ),
                ],
            ),
            &Device::new(
                Path::new("PEVT"),
                vec![
                    &Name::new(Path::new("_HID"), &"QEMU0001"),
                    &Name::new(
                        Path::new("_CRS"),
                        &ResourceTemplate::new(vec![&IO::new(pvpanic::PORT, pvpanic::PORT, 0, 1)]),
                    ),
                ],
            ),
        ],
    )
    .to_aml_bytes(&mut body);
    let mut table = Sdt::new(*b"DSDT", 36, 6, OEM, OEM_TABLE, REVISION);
    table.append_slice(&body);
    table.as_slice().to_vec()
}

fn mmio_device(slot: u32, into: &mut Vec<u8>) {
    let (base, gsi) = (
        layout::MMIO_BASE + u64::from(slot) * layout::MMIO_STRIDE,
        layout::FIRST_GSI,
    );
    let name = format!("V{slot:03X}");
    Scope::new(
        Path::new("_SB_"),
        vec![&Device::new(
            Path::new(&name),
            vec![
                &Name::new(Path::new("_HID"), &"LNRO0005"),
                &Name::new(Path::new("_UID"), &slot),
                &Name::new(Path::new("_CCA"), &1u8),
                &Name::new(
                    Path::new("_CRS"),
                    &ResourceTemplate::new(vec![
                        &Memory32Fixed::new(
                            true,
                            u32::try_from(base).unwrap_or(0),
                            u32::try_from(layout::MMIO_STRIDE).unwrap_or(0),
                        ),
                        &Interrupt::new(true, true, false, false, gsi + slot),
                    ]),
                ),
            ],
        )],
    )
    .to_aml_bytes(into);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::LEAST_MEMORY;

    fn sum(octets: &[u8]) -> u8 {
        octets.iter().fold(0, |sum, octet| sum.wrapping_add(*octet))
    }

    #[test]
    fn every_table_has_its_length_and_checksum() {
        for table in [dsdt(0), dsdt(5), dsdt(19), fadt(0xe_0040), madt(1), madt(4)] {
            assert_eq!(
                table.len(),
                u32::from_le_bytes(table[4..8].try_into().unwrap()) as usize
            );
            assert_eq!(sum(&table), 0, "{:?}", &table[..4]);
        }
    }

    #[test]
    fn the_rsdp_leads_to_the_madt() {
        let ram = GuestRam::new(LEAST_MEMORY).unwrap();
        let rsdp = write_tables(&ram, 1, 4).unwrap();
        let mut octets = [0u8; 36];
        ram.read(rsdp, &mut octets).unwrap();
        assert_eq!((&octets[..8], sum(&octets)), (&b"RSD PTR "[..], 0));
        let xsdt = u64::from_le_bytes(octets[24..32].try_into().unwrap());
        let mut entry = [0u8; 8];
        ram.read(xsdt + 36 + 8, &mut entry).unwrap();
        let mut signature = [0u8; 4];
        ram.read(u64::from_le_bytes(entry), &mut signature).unwrap();
        assert_eq!(&signature, b"APIC");
    }
}
