//! pvpanic: the I/O port at which a guest says that it panicked, and the record our guest runtime leaves behind.
//!
//! The record is a claim like everything a guest writes: wrong address, magic or length means no record, and a
//! report without one.

use std::fmt;

use crate::memory::GuestRam;

/// I/O port of pvpanic (QEMU, docs/specs/pvpanic).
pub const PORT: u16 = 0x505;
/// Events the port understands: bit 0, the guest panicked.
pub const PANICKED: u8 = 1;
/// First eight octets of a record, little-endian.
pub const RECORD_MAGIC: u64 = 0x5446_4445_444f_4e50;
/// Version of the record's layout.
pub const RECORD_VERSION: u32 = 1;

/// Most octets of a record's message.
pub const MESSAGE_MOST: usize = 512;
const WORDS: usize = 21;
const WORDS_AT: usize = 16;
const LENGTH_AT: usize = WORDS_AT + 8 * WORDS;
const MESSAGE_AT: usize = LENGTH_AT + 8;
/// Octets of a record: magic, version and kind, 21 words, message length, padding, message.
pub const RECORD_OCTETS: usize = MESSAGE_AT + MESSAGE_MOST;

/// What the guest runtime says about its own end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FaultRecord {
    /// A processor exception, or a panic of the program.
    pub kind: FaultKind,
    /// Exception vector.
    pub vector: u64,
    /// Exception error code.
    pub error: u64,
    /// Faulting address of a page fault.
    pub cr2: u64,
    /// Instruction pointer.
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Flags.
    pub rflags: u64,
    /// rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15.
    pub general: [u64; 15],
    /// Its own words.
    pub message: String,
}

/// What ended the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A processor exception.
    Exception,
    /// A panic of the program.
    Panic,
}

/// Copies and checks the record at `address`; `None` when there is none.
pub fn read_record(ram: &GuestRam, address: u64) -> Option<FaultRecord> {
    let mut octets = [0u8; RECORD_OCTETS];
    ram.read(address, &mut octets)?;
    parse_record(&octets)
}

fn parse_record(octets: &[u8; RECORD_OCTETS]) -> Option<FaultRecord> {
    let kind = match u32_at(octets, 12)? {
        0 => FaultKind::Exception,
        1 => FaultKind::Panic,
        _ => return None,
    };
    if u64_at(octets, 0)? != RECORD_MAGIC || u32_at(octets, 8)? != RECORD_VERSION {
        return None;
    }
    let mut words = [0u64; WORDS];
    for (slot, word) in words.iter_mut().enumerate() {
        *word = u64_at(octets, WORDS_AT + 8 * slot)?;
    }
    let [vector, error, cr2, rip, rsp, rflags, general @ ..] = words;
    let length = (u32_at(octets, LENGTH_AT)? as usize).min(MESSAGE_MOST);
    let message = octets.get(MESSAGE_AT..)?.get(..length)?;
    let message = String::from_utf8_lossy(message).into_owned();
    Some(FaultRecord {
        kind,
        vector,
        error,
        cr2,
        rip,
        rsp,
        rflags,
        general,
        message,
    })
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_le_bytes)
}

fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    octets
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u64::from_le_bytes)
}

impl FaultRecord {
    /// What happened, in one line. The guest's words end at their first line.
    pub fn headline(&self) -> String {
        let words = self.message.lines().next().unwrap_or("");
        match self.kind {
            FaultKind::Exception => format!(
                "exception {} ({}) at rip {:#x}, error {:#x}, cr2 {:#x}",
                self.vector,
                exception_name(self.vector),
                self.rip,
                self.error,
                self.cr2
            ),
            FaultKind::Panic => format!("panic: {words}"),
        }
    }
}

impl fmt::Display for FaultRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FaultKind::Exception => writeln!(
                f,
                "exception {} ({}), error {:#x}, cr2 {:#x}: {}",
                self.vector,
                exception_name(self.vector),
                self.error,
                self.cr2,
                self.message
            )?,
            FaultKind::Panic => writeln!(f, "panic: {}", self.message)?,
        }
        write!(
            f,
            "at rip {:#018x} rsp {:#018x} rflags {:#010x}",
            self.rip, self.rsp, self.rflags
        )?;
        const NAMES: [&str; 15] = [
            "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8 ", "r9 ", "r10", "r11", "r12",
            "r13", "r14", "r15",
        ];
        for (slot, (name, value)) in NAMES.iter().zip(self.general).enumerate() {
            let between = if slot % 4 == 0 { "\n" } else { " " };
            write!(f, "{between}{name} {value:#018x}")?;
        }
        Ok(())
    }
}

/// Short name of an exception (Intel SDM vol. 3, table 6-1).
fn exception_name(vector: u64) -> &'static str {
    const NAMES: [&str; 22] = [
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "-", "#TS", "#NP", "#SS",
        "#GP", "#PF", "-", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    ];
    usize::try_from(vector)
        .ok()
        .and_then(|v| NAMES.get(v))
        .copied()
        .unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::LEAST_MEMORY;
    use proptest::prelude::*;

    fn record(kind: u32, message: &[u8]) -> [u8; RECORD_OCTETS] {
        let mut octets = [0u8; RECORD_OCTETS];
        octets[..8].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
        octets[8..12].copy_from_slice(&RECORD_VERSION.to_le_bytes());
        octets[12..16].copy_from_slice(&kind.to_le_bytes());
        for word in 0..WORDS {
            octets[16 + 8 * word] = word as u8 + 1;
        }
        octets[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&(message.len() as u32).to_le_bytes());
        octets[MESSAGE_AT..MESSAGE_AT + message.len()].copy_from_slice(message);
        octets
    }

    #[test]
    fn a_record_is_copied_out() {
        let ram = GuestRam::new(LEAST_MEMORY).unwrap();
        ram.write(0x20_0000, &record(1, b"index out of range"))
            .unwrap();
        let found = read_record(&ram, 0x20_0000).unwrap();
        assert_eq!(found.kind, FaultKind::Panic);
        assert_eq!((found.vector, found.rflags, found.general[0]), (1, 6, 7));
        assert_eq!(found.general[14], 21);
        assert!(found.to_string().starts_with("panic: index out of range"));
        assert_eq!(read_record(&ram, 0x20_0008), None);
        assert_eq!(read_record(&ram, LEAST_MEMORY - 100), None);
        assert_eq!(read_record(&ram, u64::MAX), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_a_record_or_none(at in 0usize..RECORD_OCTETS, value: [u8; 4]) {
            let mut octets = record(0, b"x");
            for (octet, value) in octets.iter_mut().skip(at).zip(value) {
                *octet = value;
            }
            if let Some(found) = parse_record(&octets) {
                prop_assert!(!found.to_string().is_empty());
            }
        }
    }
}
