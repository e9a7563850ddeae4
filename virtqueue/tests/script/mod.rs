//! Reads random octets as a script of what a hostile peer writes and what our side calls, and
//! checks after each step what must hold whatever the peer does.
//!
//! Used by the property tests (`hostile.rs`) and by the fuzz targets. Must never panic but for a
//! broken promise of the crate.
#![allow(dead_code, unused_imports)]

mod device;
mod driver;

pub use device::run as run_device;
pub use driver::run as run_driver;

/// The script as a stream; zeros behind its end.
pub struct Script<'a> {
    octets: &'a [u8],
}

impl<'a> Script<'a> {
    pub fn new(octets: &'a [u8]) -> Self {
        Script { octets }
    }

    pub fn over(&self) -> bool {
        self.octets.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.octets.split_first() else {
            return 0;
        };
        self.octets = rest;
        *first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// An address or length that is likelier to hurt than a uniform one.
    pub fn nasty(&mut self, ram: u64) -> u64 {
        match self.u8() % 8 {
            0 => u64::MAX - u64::from(self.u8()),
            1 => ram.wrapping_add(u64::from(self.u8())).wrapping_sub(128),
            2 => u64::from(self.u32()) << 32 | u64::from(self.u32()),
            3 => u64::from(self.u8()),
            _ => u64::from(self.u16()) % ram,
        }
    }
}
