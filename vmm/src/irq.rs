//! Interrupts: how a device raises one (irqfd), and how it reaches the guest (MSI routing or the I/O APIC).
//!
//! Raising must never block: an eventfd's counter that is full already holds a pending interrupt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kvm_bindings::{KVM_IRQ_ROUTING_MSI, KvmIrqRouting, kvm_irq_routing_entry};
use kvm_ioctls::VmFd;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::boot::layout::LOCAL_APIC;

/// Vector of GSI 0 in a guest with MSI routing; GSI n has this plus n.
pub const FIRST_VECTOR: u32 = 0x20;

/// InterruptStatus bit 0: a used buffer notification (VIRTIO 1.2, 4.2.2).
pub const USED_BUFFER: u32 = 1;
/// InterruptStatus bit 1: a configuration change notification (VIRTIO 1.2, 4.2.2).
pub const CONFIGURATION: u32 = 2;

/// One device's interrupt. Cheap to clone; any thread may raise it.
#[derive(Clone, Debug)]
pub struct Interrupt {
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    status: AtomicU32,
    event: EventFd,
    raised: AtomicU64,
}

impl Interrupt {
    /// A line nobody listens to yet; `connect` joins it to a VM.
    pub fn new() -> std::io::Result<Self> {
        let event = EventFd::new(EFD_NONBLOCK)?;
        Ok(Self {
            line: Arc::new(Line {
                status: AtomicU32::new(0),
                event,
                raised: AtomicU64::new(0),
            }),
        })
    }

    /// Tells the guest that buffers were used: sets the status bit and injects the interrupt (one write(2)).
    pub fn raise(&self) {
        self.raise_for(USED_BUFFER);
    }

    /// How often the interrupt was raised.
    pub fn raised(&self) -> u64 {
        self.line.raised.load(Ordering::Relaxed)
    }

    pub(crate) fn raise_for(&self, cause: u32) {
        self.line.status.fetch_or(cause, Ordering::SeqCst);
        self.line.raised.fetch_add(1, Ordering::Relaxed);
        // The only failure of a non-blocking eventfd is a full counter: then an interrupt is pending anyhow.
        let _ = self.line.event.write(1);
    }

    pub(crate) fn status(&self) -> u32 {
        self.line.status.load(Ordering::SeqCst)
    }

    pub(crate) fn acknowledge(&self, causes: u32) {
        self.line.status.fetch_and(!causes, Ordering::SeqCst);
    }

    pub(crate) fn connect(&self, vm: &VmFd, gsi: u32) -> Result<(), kvm_ioctls::Error> {
        vm.register_irqfd(&self.line.event, gsi)
    }
}

/// Routes each of `gsis` as an edge-triggered MSI to APIC id 0, vector [`FIRST_VECTOR`] + GSI.
pub(crate) fn route_as_msi(
    vm: &VmFd,
    gsis: impl Iterator<Item = u32>,
) -> Result<(), kvm_ioctls::Error> {
    let entries: Vec<_> = gsis
        .map(|gsi| {
            let mut entry = kvm_irq_routing_entry {
                gsi,
                type_: KVM_IRQ_ROUTING_MSI,
                ..Default::default()
            };
            entry.u.msi.address_lo = LOCAL_APIC;
            entry.u.msi.data = FIRST_VECTOR + gsi;
            entry
        })
        .collect();
    let routing =
        KvmIrqRouting::from_entries(&entries).map_err(|_| kvm_ioctls::Error::new(libc::EINVAL))?;
    vm.set_gsi_routing(&routing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_sets_status_until_acknowledged() {
        let interrupt = Interrupt::new().unwrap();
        interrupt.raise();
        interrupt.raise_for(CONFIGURATION);
        assert_eq!(interrupt.status(), USED_BUFFER | CONFIGURATION);
        interrupt.acknowledge(USED_BUFFER);
        assert_eq!(interrupt.status(), CONFIGURATION);
        assert_eq!(interrupt.raised(), 2);
    }
}
