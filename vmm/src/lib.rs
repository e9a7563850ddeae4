//! A KVM machine for network guests: boot (PVH, Linux 64-bit), virtio-mmio devices, console, control lines, fault
//! reports. Any number of machines may live in one process.
//!
//! The way of a machine: [`KvmHost::open`] → [`Machine::boot`] (RAM, image, devices, vCPU threads) → events
//! ([`MachineEvent`]) → [`Machine::stop`]. The frames of its vifs never pass through here: once a guest's driver is
//! up, its queues are handed out as [`QueuePair`]s, and taken back before its reset completes.
//!
//! This crate knows virtqueues; it must never know ports or PIH. Whatever a guest writes to a register or a queue is
//! a claim: it must not panic, block or spin the host.

mod boot;
mod bus;
mod config;
mod console;
mod control;
mod cpuid;
mod device_thread;
mod devices;
mod event;
mod fault;
mod irq;
mod kvm;
mod machine;
mod machine_builder;
mod memory;
mod mmio;
#[cfg(test)]
mod testing;
#[allow(unsafe_code)]
mod unsafe_exit;
#[allow(unsafe_code)]
mod unsafe_mapping;
mod vcpu;

pub use boot::elf::ElfError;
pub use boot::{ABI_VERSION, BootError, BootProtocol};
pub use config::{ConfigError, Kernel, MOST_VCPUS, MachineConfig};
pub use console::Console;
pub use control::{ControlError, ControlPort};
pub use devices::net::{MOST_PAIRS, NetConfig, QueuePair, Released};
pub use devices::power::StopReason;
pub use devices::pvpanic::{FaultKind, FaultRecord};
pub use event::{EventSink, MachineEvent};
pub use fault::{FaultReport, Registers};
pub use irq::Interrupt;
pub use kvm::{KvmError, KvmHost};
pub use machine::{Machine, MachineError};
pub use memory::{GuestRam, LEAST_MEMORY, MOST_MEMORY, MemoryError};
pub use vmm_sys_util::eventfd::EventFd;
