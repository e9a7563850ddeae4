//! A vCPU's thread: run, carry out the exit, run again, until the machine stops or the guest is beyond repair.
//!
//! It must never spin on an error: whatever KVM says that is not an ordinary exit ends the vCPU with a report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kvm_ioctls::{VcpuExit, VcpuFd};

use crate::bus::{Bus, Outcome};
use crate::console::Log;
use crate::devices::pvpanic::{self, FaultRecord};
use crate::event::{EventSink, MachineEvent};
use crate::fault::{CONSOLE_LINES, FaultReport, Registers};
use crate::memory::GuestRam;
use crate::unsafe_exit;

/// How often KVM_RUN may ask to be called again without progress before that counts as a fault.
const RETRIES: u32 = 10_000;

/// What all threads of a machine share.
pub struct Shared {
    /// The machine's name.
    pub name: String,
    /// Set when the machine is to stop; every loop and wait looks at it.
    pub stopping: AtomicBool,
    /// Set by the first terminal event: there is at most one.
    pub ended: AtomicBool,
    /// Where events go.
    pub events: EventSink,
    /// The console's log.
    pub log: Arc<Log>,
}

impl Shared {
    /// Is the machine to stop?
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Reports a fault, if it is the first.
    pub fn fault(&self, what: String, registers: Option<Registers>, record: Option<FaultRecord>) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let report = FaultReport {
            machine: self.name.clone(),
            what,
            registers,
            record,
            console_tail: self.log.last_lines(CONSOLE_LINES),
        };
        (self.events)(MachineEvent::Fault(Box::new(report)));
    }
}

/// Why a vCPU left its loop.
enum End {
    /// The machine stops.
    Told,
    /// The guest ended.
    Outcome(Outcome),
    /// The guest or KVM is beyond repair.
    Fault(String),
}

/// One vCPU, about to run.
pub struct Vcpu {
    pub(crate) fd: VcpuFd,
    pub(crate) id: u8,
    pub(crate) bus: Arc<Bus>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ram: Arc<GuestRam>,
}

impl Vcpu {
    /// Runs until the end and reports it. The descriptor is closed before this returns.
    pub fn run(mut self) {
        match self.run_to_end() {
            End::Told | End::Outcome(Outcome::Continue) => {}
            End::Outcome(Outcome::Stopped(reason)) => {
                if !self.shared.ended.swap(true, Ordering::AcqRel) {
                    (self.shared.events)(MachineEvent::Stopped(reason));
                }
            }
            End::Outcome(Outcome::Panicked) => {
                let registers = self.registers();
                let record =
                    registers.and_then(|registers| pvpanic::read_record(&self.ram, registers.rdi));
                let what = record.as_ref().map_or_else(
                    || "the guest panicked (pvpanic) and left no record".into(),
                    FaultRecord::headline,
                );
                self.shared.fault(what, registers, record);
            }
            End::Outcome(Outcome::Broken(why)) => {
                self.shared.fault(why, self.registers(), None);
            }
            End::Fault(what) => {
                let what = format!("vCPU {}: {what}", self.id);
                self.shared.fault(what, self.registers(), None);
            }
        }
    }

    fn registers(&self) -> Option<Registers> {
        let (general, system) = (self.fd.get_regs().ok()?, self.fd.get_sregs().ok()?);
        Some(Registers::new(&general, &system))
    }

    fn run_to_end(&mut self) -> End {
        let mut retries = 0;
        loop {
            if self.shared.is_stopping() {
                return End::Told;
            }
            let outcome = match self.fd.run() {
                Ok(VcpuExit::MmioRead(address, into)) => {
                    self.bus.mmio_read(address, into);
                    Outcome::Continue
                }
                Ok(VcpuExit::MmioWrite(address, from)) => self.bus.mmio_write(address, from),
                Ok(VcpuExit::IoIn(port, into)) => {
                    self.bus.port_read(port, into);
                    Outcome::Continue
                }
                Ok(VcpuExit::IoOut(port, from)) => self.bus.port_write(port, from),
                Ok(VcpuExit::Intr) => Outcome::Continue,
                Ok(VcpuExit::InternalError) => {
                    let details = unsafe_exit::internal_error(self.fd.get_kvm_run());
                    return End::Fault(details.unwrap_or_else(|| "internal error of KVM".into()));
                }
                Ok(exit) => return End::Fault(describe(&exit)),
                // A signal: either the machine stops, or it was somebody else's.
                Err(error) if error.errno() == libc::EINTR => continue,
                Err(error) if error.errno() == libc::EAGAIN && retries < RETRIES => {
                    retries += 1;
                    continue;
                }
                Err(error) => return End::Fault(format!("KVM_RUN failed: {error}")),
            };
            retries = 0;
            if outcome != Outcome::Continue {
                return End::Outcome(outcome);
            }
        }
    }
}

/// An exit no guest of ours should cause, in words.
fn describe(exit: &VcpuExit<'_>) -> String {
    match exit {
        VcpuExit::Shutdown => "triple fault".into(),
        VcpuExit::Hlt => "halted with no interrupt controller to wake it".into(),
        VcpuExit::FailEntry(reason, cpu) => {
            format!("the processor refused to enter the guest (reason {reason:#x}, host CPU {cpu})")
        }
        VcpuExit::MemoryFault { gpa, size, .. } => {
            format!("memory fault at guest-physical {gpa:#x}, {size} octets")
        }
        VcpuExit::SystemEvent(kind, data) => format!("system event {kind}, data {data:x?}"),
        VcpuExit::Unsupported(reason) => format!("unknown KVM exit {reason}"),
        other => format!("unexpected KVM exit {other:?}"),
    }
}
