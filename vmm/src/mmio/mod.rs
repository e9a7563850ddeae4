//! virtio over MMIO: the registers, and the slot that joins them to a device.

pub mod registers;
pub mod slot;
pub mod transport;
