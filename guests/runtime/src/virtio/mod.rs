//! Virtio devices as the guest drives them: the MMIO transport, the console and the net device.
//!
//! Pure over [`mmio::Registers`] and guest RAM, so that they are tested on the host. What a device says
//! is a claim: sizes and lengths are checked. Must never be on the way of a frame: that is `vif`'s.

pub mod console;
pub mod mmio;
#[cfg(test)]
mod mmio_tests;
pub mod net;
