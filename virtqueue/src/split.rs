//! The shared words of one split virtqueue, found and checked once (VIRTIO 1.2, 2.7).
//!
//! Both sides use the same words and write different ones. Must never interpret them: what an
//! index or descriptor means, and whether to believe it, is for the side that reads it.

use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use crate::error::{Area, QueueError};
use crate::layout::{Extent, QueueLayout};
use crate::unsafe_ram::{Ram, Words};

/// One of the single 16-bit fields.
pub(crate) type Field = Words<AtomicU16>;

/// All words of a queue, in the order of the standard.
#[derive(Debug)]
pub(crate) struct Split {
    /// `addr`, then `len`, `flags`, `next` as one (2.7.5).
    pub(crate) descriptors: Words<[AtomicU64; 2]>,
    /// Available ring: the driver writes (2.7.6).
    pub(crate) avail_flags: Field,
    pub(crate) avail_idx: Field,
    pub(crate) avail_ring: Words<AtomicU16>,
    pub(crate) used_event: Field,
    /// Used ring: the device writes (2.7.8).
    pub(crate) used_flags: Field,
    pub(crate) used_idx: Field,
    /// `id`, `len`.
    pub(crate) used_ring: Words<[AtomicU32; 2]>,
    pub(crate) avail_event: Field,
}

impl Split {
    /// Checks `layout` against `ram`. Nothing is written.
    pub(crate) fn new(ram: &Ram, layout: &QueueLayout) -> Result<Self, QueueError> {
        layout.check(ram.len())?;
        let QueueLayout {
            size,
            desc,
            avail,
            used,
            ..
        } = *layout;
        // After `check` only alignment in this process can fail, when RAM itself is not aligned.
        let misaligned = |(area, addr, Extent { align, .. }): (Area, u64, Extent)| {
            QueueError::Misaligned { area, addr, align }
        };
        let [desc_error, avail_error, used_error] = layout.areas().map(misaligned);
        let avail_field = |offset| Field::new(ram, avail + offset, 1).ok_or(avail_error);
        let used_field = |offset| Field::new(ram, used + offset, 1).ok_or(used_error);
        let entries = u64::from(size);
        Ok(Split {
            descriptors: Words::new(ram, desc, size).ok_or(desc_error)?,
            avail_flags: avail_field(0)?,
            avail_idx: avail_field(2)?,
            avail_ring: Words::new(ram, avail + 4, size).ok_or(avail_error)?,
            used_event: avail_field(4 + 2 * entries)?,
            used_flags: used_field(0)?,
            used_idx: used_field(2)?,
            used_ring: Words::new(ram, used + 4, size).ok_or(used_error)?,
            avail_event: used_field(4 + 8 * entries)?,
        })
    }
}
