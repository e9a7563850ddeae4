//! Where a frame is copied to that has arrived, as DPDK's `net_null` with `copy=1` does.
//!
//! Each sink has a page of its own: where the allocator laid the octets across lines, storing a frame took several times
//! as long, for one sink and not for the one beside it (docs/performance.md, `bench/switched`).

/// Octets of a longest frame.
const OCTETS: usize = 2048;

/// The place.
#[derive(Debug, Clone)]
#[repr(align(4096))]
pub(crate) struct Landing([u8; OCTETS]);

impl Default for Landing {
    fn default() -> Self {
        Self([0; OCTETS])
    }
}

impl Landing {
    /// The octets that a frame of so many is copied to; none, if it is longer than any.
    #[inline]
    pub(crate) fn of(&mut self, octets: usize) -> Option<&mut [u8]> {
        self.0.get_mut(..octets)
    }
}
