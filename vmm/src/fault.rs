//! What is known about a guest that faulted: why, its registers, its own record, and its last words.

use std::fmt;

use kvm_bindings::{kvm_regs, kvm_sregs};

use crate::devices::pvpanic::FaultRecord;

/// Lines of console output in a report.
pub const CONSOLE_LINES: usize = 40;

/// A vCPU's registers when it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs, reason = "the names are the processor's")]
pub struct Registers {
    pub rip: u64,
    pub rsp: u64,
    pub rflags: u64,
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub cr0: u64,
    pub cr2: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub efer: u64,
    /// Code segment selector; its low two bits are the ring.
    pub cs: u16,
}

impl Registers {
    pub(crate) fn new(r: &kvm_regs, s: &kvm_sregs) -> Self {
        Self {
            rip: r.rip,
            rsp: r.rsp,
            rflags: r.rflags,
            rax: r.rax,
            rbx: r.rbx,
            rcx: r.rcx,
            rdx: r.rdx,
            rsi: r.rsi,
            rdi: r.rdi,
            rbp: r.rbp,
            r8: r.r8,
            r9: r.r9,
            r10: r.r10,
            r11: r.r11,
            r12: r.r12,
            r13: r.r13,
            r14: r.r14,
            r15: r.r15,
            cr0: s.cr0,
            cr2: s.cr2,
            cr3: s.cr3,
            cr4: s.cr4,
            efer: s.efer,
            cs: s.cs.selector,
        }
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "rip {:#018x} rsp {:#018x} rflags {:#010x} cs {:#06x} (ring {})",
            self.rip,
            self.rsp,
            self.rflags,
            self.cs,
            self.cs & 3
        )?;
        let rows = [
            [
                ("rax", self.rax),
                ("rbx", self.rbx),
                ("rcx", self.rcx),
                ("rdx", self.rdx),
            ],
            [
                ("rsi", self.rsi),
                ("rdi", self.rdi),
                ("rbp", self.rbp),
                ("r8 ", self.r8),
            ],
            [
                ("r9 ", self.r9),
                ("r10", self.r10),
                ("r11", self.r11),
                ("r12", self.r12),
            ],
            [
                ("r13", self.r13),
                ("r14", self.r14),
                ("r15", self.r15),
                ("cr0", self.cr0),
            ],
            [
                ("cr2", self.cr2),
                ("cr3", self.cr3),
                ("cr4", self.cr4),
                ("efer", self.efer),
            ],
        ];
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            for (column, (name, value)) in row.iter().enumerate() {
                let between = if column == 0 { "" } else { " " };
                write!(f, "{between}{name} {value:#018x}")?;
            }
        }
        Ok(())
    }
}

/// A fault of a guest. `Display` gives several lines for a person; `Serialize` the same for a program.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FaultReport {
    /// The machine's name.
    pub machine: String,
    /// What happened, in one line.
    pub what: String,
    /// The vCPU's registers as KVM has them; none when a device, not a vCPU, found the fault.
    pub registers: Option<Registers>,
    /// What the guest runtime recorded about it.
    pub record: Option<FaultRecord>,
    /// The last lines of the console.
    pub console_tail: String,
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guest {}: {}", self.machine, self.what)?;
        if let Some(record) = &self.record {
            write!(f, "\nguest's own record:\n{record}")?;
        }
        if let Some(registers) = &self.registers {
            write!(f, "\nregisters:\n{registers}")?;
        }
        if self.console_tail.is_empty() {
            write!(f, "\nconsole: nothing printed")
        } else {
            write!(f, "\nlast console lines:\n{}", self.console_tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_well() {
        let report = FaultReport {
            machine: "can".into(),
            what: "triple fault".into(),
            registers: Some(Registers {
                rip: 0x20_0010,
                cs: 0x33,
                ..Default::default()
            }),
            record: None,
            console_tail: "hello".into(),
        };
        let text = report.to_string();
        assert!(text.starts_with("guest can: triple fault\n"), "{text}");
        assert!(
            text.contains("rip 0x0000000000200010") && text.contains("ring 3"),
            "{text}"
        );
        assert!(text.ends_with("last console lines:\nhello"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["registers"]["rip"], 0x20_0010);
    }
}
