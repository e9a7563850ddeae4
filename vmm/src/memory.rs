//! Guest RAM: one region from guest-physical 0 on, huge pages advised, its beginning populated before the first frame.
//!
//! It must never hand out references into guest memory; what a guest wrote is read by copying, as a claim.

use std::sync::Arc;

use pinode_virtqueue::Ram;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::unsafe_mapping::Mapping;

/// The least RAM a machine can have, in octets: the boot structures below 1 MiB and a small image above.
pub const LEAST_MEMORY: u64 = 4 << 20;
/// The most RAM a machine can have, in octets: the MMIO devices live above it.
pub const MOST_MEMORY: u64 = 3 << 30;
/// RAM comes in whole pages of this many octets.
pub const PAGE: u64 = 4096;

/// Why guest RAM cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Below [`LEAST_MEMORY`].
    #[error("guest memory of {octets} octets is too small: the minimum is {least} octets (4 MiB)")]
    TooSmall {
        /// What was asked for.
        octets: u64,
        /// What is needed at least.
        least: u64,
    },
    /// Above [`MOST_MEMORY`].
    #[error("guest memory of {octets} octets is too large: the maximum is {most} octets (3 GiB)")]
    TooLarge {
        /// What was asked for.
        octets: u64,
        /// What is possible at most.
        most: u64,
    },
    /// Not a whole number of pages.
    #[error("guest memory of {octets} octets is not a multiple of {PAGE} octets")]
    NotPages {
        /// What was asked for.
        octets: u64,
    },
    /// The kernel refused the mapping.
    #[error(
        "cannot map {octets} octets of guest memory: {source}; free memory or give the guest less memory"
    )]
    Map {
        /// What was asked for.
        octets: u64,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// vm-memory refused the mapping.
    #[error("cannot use {octets} octets as guest memory: {why}")]
    View {
        /// What was asked for.
        octets: u64,
        /// vm-memory's answer.
        why: String,
    },
}

/// A guest's RAM. Shared by the machine and whoever holds queues of it; unmapped when the last one lets go.
#[derive(Debug)]
pub struct GuestRam {
    view: GuestMemoryMmap<()>,
    mapping: Mapping,
}

impl GuestRam {
    /// Maps `octets` of zeroed guest RAM and populates its beginning.
    pub fn new(octets: u64) -> Result<Arc<Self>, MemoryError> {
        if octets < LEAST_MEMORY {
            return Err(MemoryError::TooSmall {
                octets,
                least: LEAST_MEMORY,
            });
        }
        if octets > MOST_MEMORY {
            return Err(MemoryError::TooLarge {
                octets,
                most: MOST_MEMORY,
            });
        }
        if !octets.is_multiple_of(PAGE) {
            return Err(MemoryError::NotPages { octets });
        }
        let size = usize::try_from(octets).map_err(|_| MemoryError::TooLarge {
            octets,
            most: MOST_MEMORY,
        })?;
        let mapping = Mapping::new(size).map_err(|source| MemoryError::Map { octets, source })?;
        mapping
            .populate_first()
            .map_err(|source| MemoryError::Map { octets, source })?;
        let view = mapping
            .view()
            .map_err(|why| MemoryError::View { octets, why })?;
        Ok(Arc::new(Self { view, mapping }))
    }

    /// Populates what [`new`](Self::new) left, until `stop` says so. Takes time: for a thread of its own.
    pub(crate) fn populate_rest(&self, stop: impl Fn() -> bool) {
        self.mapping.populate_rest(stop);
    }

    /// Octets of RAM.
    pub fn octets(&self) -> u64 {
        self.mapping.octets() as u64
    }

    /// The view the virtqueues work on. It does not keep the memory alive: keep the `Arc<GuestRam>` beside it.
    pub fn ram(&self) -> Ram {
        self.mapping.ram()
    }

    /// Copies octets out. `None` when any of them lies outside RAM.
    pub fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.view.read_slice(into, GuestAddress(address)).ok()
    }

    /// Copies octets in. `None` when any of them lies outside RAM.
    pub fn write(&self, address: u64, from: &[u8]) -> Option<()> {
        self.view.write_slice(from, GuestAddress(address)).ok()
    }

    /// vm-memory's view, for the loader and the general devices.
    pub(crate) fn view(&self) -> &GuestMemoryMmap<()> {
        &self.view
    }

    pub(crate) fn attach(&self, vm: &kvm_ioctls::VmFd) -> Result<(), kvm_ioctls::Error> {
        self.mapping.attach(vm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_range_are_named() {
        assert!(matches!(
            GuestRam::new(4096),
            Err(MemoryError::TooSmall { octets: 4096, .. })
        ));
        assert!(matches!(
            GuestRam::new(4 << 30),
            Err(MemoryError::TooLarge { .. })
        ));
        assert!(matches!(
            GuestRam::new((4 << 20) + 1),
            Err(MemoryError::NotPages { .. })
        ));
        let text = GuestRam::new(1 << 20).map(|_| ()).unwrap_err().to_string();
        assert!(
            text.contains("1048576") && text.contains("4194304"),
            "{text}"
        );
    }

    #[test]
    fn a_refused_mapping_says_what_to_do() {
        let source = std::io::Error::from_raw_os_error(12);
        let text = MemoryError::Map {
            octets: 4096,
            source,
        }
        .to_string();
        assert!(text.contains("cannot map 4096 octets"), "{text}");
        assert!(
            text.ends_with("free memory or give the guest less memory"),
            "{text}"
        );
    }

    #[test]
    fn memory_is_zeroed_and_bounded() {
        let ram = GuestRam::new(LEAST_MEMORY).unwrap();
        let mut octets = [1u8; 4];
        ram.read(LEAST_MEMORY - 4, &mut octets).unwrap();
        assert_eq!(octets, [0; 4]);
        assert!(ram.read(LEAST_MEMORY - 3, &mut octets).is_none());
        assert!(ram.write(u64::MAX - 1, &[0; 4]).is_none());
    }
}
