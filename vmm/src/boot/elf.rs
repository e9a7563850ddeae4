//! Reads an ELF64 image: loadable segments, entry, and the notes that say how it wants to be started.
//!
//! The file may be anything: every offset is checked, nothing is believed, nothing panics.

/// Type of Xen's note that carries the 32-bit PVH entry (`XEN_ELFNOTE_PHYS32_ENTRY`).
const PVH_NOTE: u32 = 18;
/// Type of our note: the ABI version of an image built on the guest runtime.
const ABI_NOTE: u32 = 1;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const EM_X86_64: u16 = 62;
const HEADER_OCTETS: usize = 64;
const PROGRAM_HEADER_OCTETS: usize = 56;

/// Why a file is not a usable ELF image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The file ends inside a structure.
    #[error("the ELF file ends inside its {what} (offset {offset})")]
    Truncated {
        /// The structure.
        what: &'static str,
        /// Where it begins.
        offset: u64,
    },
    /// Not a little-endian 64-bit x86-64 file.
    #[error(
        "the ELF file is not 64-bit little-endian x86-64 (class {class}, data {data}, machine {machine})"
    )]
    Machine {
        /// `EI_CLASS`.
        class: u8,
        /// `EI_DATA`.
        data: u8,
        /// `e_machine`.
        machine: u16,
    },
    /// Program headers of another size.
    #[error("the ELF file's program headers are {octets} octets each; 56 is the ELF64 size")]
    HeaderSize {
        /// `e_phentsize`.
        octets: u16,
    },
    /// Nothing to load.
    #[error("the ELF file has no loadable segment: it is not an executable image")]
    NothingToLoad,
    /// A segment's file part is larger than its memory part.
    #[error(
        "the ELF segment at {address:#x} has {file} octets in the file but only {memory} in memory"
    )]
    SegmentSize {
        /// Physical address.
        address: u64,
        /// Octets in the file.
        file: u64,
        /// Octets in memory.
        memory: u64,
    },
    /// A segment wraps the address space.
    #[error("the ELF segment at {address:#x} of {memory} octets wraps the address space")]
    SegmentWraps {
        /// Physical address.
        address: u64,
        /// Octets in memory.
        memory: u64,
    },
}

/// A loadable segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What the file holds of it.
    pub octets: &'a [u8],
    /// Guest-physical address.
    pub address: u64,
    /// Octets in memory; what the file does not hold is zero.
    pub memory: u64,
}

/// A parsed image.
#[derive(Debug)]
pub struct Elf<'a> {
    /// Entry of the file header: the 64-bit entry.
    pub entry: u64,
    /// Entry of the PVH note: 32-bit protected mode.
    pub pvh_entry: Option<u32>,
    /// ABI version of the pinode note: the image takes its interrupts as MSI.
    pub abi: Option<u32>,
    /// What to load.
    pub segments: Vec<Segment<'a>>,
}

/// Is this an ELF file at all?
pub fn is_elf(file: &[u8]) -> bool {
    file.starts_with(b"\x7fELF")
}

impl<'a> Elf<'a> {
    /// Parses a file that begins with the ELF magic.
    pub fn parse(file: &'a [u8]) -> Result<Self, ElfError> {
        let header = slice(file, 0, HEADER_OCTETS as u64, "file header")?;
        let (class, data, machine) = (header[4], header[5], u16_at(header, 18));
        if class != 2 || data != 1 || machine != EM_X86_64 {
            return Err(ElfError::Machine {
                class,
                data,
                machine,
            });
        }
        let (table, each, count) = (u64_at(header, 32), u16_at(header, 54), u16_at(header, 56));
        if usize::from(each) != PROGRAM_HEADER_OCTETS {
            return Err(ElfError::HeaderSize { octets: each });
        }
        let octets = u64::from(count) * PROGRAM_HEADER_OCTETS as u64;
        let table = slice(file, table, octets, "program header table")?;
        let mut elf = Elf {
            entry: u64_at(header, 24),
            pvh_entry: None,
            abi: None,
            segments: Vec::new(),
        };
        for header in table.chunks_exact(PROGRAM_HEADER_OCTETS) {
            elf.program_header(file, header)?;
        }
        if elf.segments.is_empty() {
            return Err(ElfError::NothingToLoad);
        }
        Ok(elf)
    }

    fn program_header(&mut self, file: &'a [u8], header: &[u8]) -> Result<(), ElfError> {
        let (kind, offset) = (u32_at(header, 0), u64_at(header, 8));
        let (address, in_file) = (u64_at(header, 24), u64_at(header, 32));
        let (memory, align) = (u64_at(header, 40), u64_at(header, 48));
        match kind {
            PT_LOAD if memory > 0 => {
                let octets = slice(file, offset, in_file, "segment")?;
                if in_file > memory {
                    return Err(ElfError::SegmentSize {
                        address,
                        file: in_file,
                        memory,
                    });
                }
                if address.checked_add(memory).is_none() {
                    return Err(ElfError::SegmentWraps { address, memory });
                }
                self.segments.push(Segment {
                    octets,
                    address,
                    memory,
                });
            }
            PT_NOTE => {
                let notes = slice(file, offset, in_file, "note segment")?;
                self.notes(notes, if align == 8 { 8 } else { 4 });
            }
            _ => {}
        }
        Ok(())
    }

    /// Walks a note segment; a note that does not fit ends the walk.
    fn notes(&mut self, notes: &[u8], align: usize) {
        let mut rest = notes;
        while rest.len() >= 12 {
            let name_octets = u32_at(rest, 0) as usize;
            let value_octets = u32_at(rest, 4) as usize;
            let kind = u32_at(rest, 8);
            let Some(name) = rest.get(12..).and_then(|r| r.get(..name_octets)) else {
                return;
            };
            let value_at = (12 + name_octets).next_multiple_of(align);
            let Some(value) = rest.get(value_at..).and_then(|r| r.get(..value_octets)) else {
                return;
            };
            let owner = name.strip_suffix(b"\0").unwrap_or(name);
            match (owner, kind) {
                (b"Xen", PVH_NOTE) if value.len() >= 4 => self.pvh_entry = Some(u32_at(value, 0)),
                (b"pinode", ABI_NOTE) if value.len() >= 4 => self.abi = Some(u32_at(value, 0)),
                _ => {}
            }
            let next = (value_at + value_octets).next_multiple_of(align);
            rest = rest.get(next..).unwrap_or(&[]);
        }
    }

    /// First octet behind the highest segment.
    pub fn end(&self) -> u64 {
        self.segments
            .iter()
            .map(|s| s.address.saturating_add(s.memory))
            .max()
            .unwrap_or(0)
    }

    /// First octet of the lowest segment.
    pub fn start(&self) -> u64 {
        self.segments.iter().map(|s| s.address).min().unwrap_or(0)
    }
}

fn slice<'a>(
    file: &'a [u8],
    offset: u64,
    octets: u64,
    what: &'static str,
) -> Result<&'a [u8], ElfError> {
    let range = usize::try_from(offset)
        .ok()
        .zip(usize::try_from(octets).ok());
    range
        .and_then(|(offset, octets)| file.get(offset..)?.get(..octets))
        .ok_or(ElfError::Truncated { what, offset })
}

/// Little-endian fields; an offset outside reads as zero (callers have checked the structure's length).
fn field<const N: usize>(octets: &[u8], at: usize) -> [u8; N] {
    octets
        .get(at..)
        .and_then(|o| o.first_chunk::<N>())
        .copied()
        .unwrap_or([0; N])
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(field(octets, at))
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(field(octets, at))
}

fn u64_at(octets: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(field(octets, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(owner: &[u8], kind: u32, value: u32) -> Vec<u8> {
        let mut note = Vec::new();
        note.extend((owner.len() as u32 + 1).to_le_bytes());
        note.extend(4u32.to_le_bytes());
        note.extend(kind.to_le_bytes());
        note.extend(owner);
        note.push(0);
        note.resize(note.len().next_multiple_of(4), 0);
        note.extend(value.to_le_bytes());
        note
    }

    fn program_header(kind: u32, offset: u64, address: u64, file: u64, memory: u64) -> Vec<u8> {
        let mut header = Vec::new();
        header.extend(kind.to_le_bytes());
        header.extend(5u32.to_le_bytes());
        for field in [offset, address, address, file, memory, 4] {
            header.extend(field.to_le_bytes());
        }
        header
    }

    fn image() -> Vec<u8> {
        let notes = [
            note(b"Xen", PVH_NOTE, 0x20_0040),
            note(b"pinode", ABI_NOTE, 1),
        ]
        .concat();
        let mut file = vec![0u8; HEADER_OCTETS];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[18..20].copy_from_slice(&EM_X86_64.to_le_bytes());
        file[24..32].copy_from_slice(&0x20_0000u64.to_le_bytes());
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[54..56].copy_from_slice(&56u16.to_le_bytes());
        file[56..58].copy_from_slice(&2u16.to_le_bytes());
        let body = 64 + 2 * 56;
        file.extend(program_header(PT_LOAD, body, 0x20_0000, 4, 0x1000));
        file.extend(program_header(PT_NOTE, body + 4, 0, notes.len() as u64, 0));
        file.extend([0xf4; 4]);
        file.extend(notes);
        file
    }

    #[test]
    fn an_image_with_both_notes() {
        let file = image();
        let elf = Elf::parse(&file).unwrap();
        assert_eq!(elf.entry, 0x20_0000);
        assert_eq!(elf.pvh_entry, Some(0x20_0040));
        assert_eq!(elf.abi, Some(1));
        assert_eq!(
            elf.segments,
            [Segment {
                octets: &[0xf4; 4],
                address: 0x20_0000,
                memory: 0x1000
            }]
        );
        assert_eq!((elf.start(), elf.end()), (0x20_0000, 0x20_1000));
    }

    #[test]
    fn every_truncation_is_an_error_or_loses_only_notes() {
        let file = image();
        for end in 0..64 + 2 * 56 + 4 {
            assert!(Elf::parse(&file[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_segment_that_wraps_is_refused() {
        let mut file = image();
        file[64 + 24..64 + 32].copy_from_slice(&(u64::MAX - 5).to_le_bytes());
        assert!(matches!(
            Elf::parse(&file),
            Err(ElfError::SegmentWraps { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_octet_may_be_anything(at in 0usize..300, value: u8, cut in 0usize..400) {
            let mut file = image();
            if let Some(octet) = file.get_mut(at) {
                *octet = value;
            }
            file.truncate(cut);
            let _ = Elf::parse(&file);
        }
    }
}
