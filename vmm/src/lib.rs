//! A KVM machine for network guests: boot, virtio-mmio devices, fault reports.
