//! Where a queue lies in guest memory, and the constants of the split format (VIRTIO 1.2, 2.7).
//!
//! Must never touch guest memory: this is arithmetic on addresses only.

use crate::error::{Area, QueueError};

/// Largest queue size (2.7).
pub const MAX_SIZE: u16 = 32768;

/// Octets of `virtio_net_hdr` with VIRTIO_F_VERSION_1 (5.1.6): `num_buffers` is always there.
pub const NET_HEADER: u32 = 12;

/// The chain goes on at `next` (2.7.5).
pub(crate) const DESC_F_NEXT: u16 = 1;
/// The device writes the buffer (2.7.5).
pub(crate) const DESC_F_WRITE: u16 = 2;
/// The buffer is a table of descriptors (2.7.5.3).
pub(crate) const DESC_F_INDIRECT: u16 = 4;
/// The driver wants no interrupt (2.7.7), where EVENT_IDX is not negotiated.
pub(crate) const AVAIL_F_NO_INTERRUPT: u16 = 1;
/// The device wants no notification (2.7.10), where EVENT_IDX is not negotiated.
pub(crate) const USED_F_NO_NOTIFY: u16 = 1;

/// Size, place and features of one split virtqueue; addresses are guest-physical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLayout {
    /// Number of descriptors: a power of two, at most [`MAX_SIZE`].
    pub size: u16,
    /// Descriptor table, aligned to 16 octets.
    pub desc: u64,
    /// Available ring, aligned to 2 octets.
    pub avail: u64,
    /// Used ring, aligned to 4 octets.
    pub used: u64,
    /// VIRTIO_F_EVENT_IDX was negotiated (2.7.7, 2.7.10).
    pub event_idx: bool,
}

/// Length and alignment of an area, octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Length, octets.
    pub octets: u64,
    /// Alignment, octets.
    pub align: u64,
}

/// What the three areas of a queue need (2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingOctets {
    /// Descriptor table.
    pub desc: Extent,
    /// Available ring.
    pub avail: Extent,
    /// Used ring.
    pub used: Extent,
}

impl RingOctets {
    /// Needs of a queue of `size` descriptors.
    pub const fn of(size: u16) -> Self {
        let size = size as u64;
        RingOctets {
            desc: Extent {
                octets: 16 * size,
                align: 16,
            },
            avail: Extent {
                octets: 6 + 2 * size,
                align: 2,
            },
            used: Extent {
                octets: 6 + 8 * size,
                align: 4,
            },
        }
    }
}

impl QueueLayout {
    /// Alignment of the used ring in [`contiguous`](Self::contiguous): the two sides write
    /// different cache lines.
    const LINE: u64 = 64;

    /// The three areas one behind the other from `base`, which must be aligned to 64 octets.
    /// The queue ends at [`end`](Self::end).
    pub const fn contiguous(base: u64, size: u16, event_idx: bool) -> Self {
        let needs = RingOctets::of(size);
        let avail = (base.saturating_add(needs.desc.octets)).next_multiple_of(Self::LINE);
        let used = (avail.saturating_add(needs.avail.octets)).next_multiple_of(Self::LINE);
        QueueLayout {
            size,
            desc: base,
            avail,
            used,
            event_idx,
        }
    }

    /// First address behind the highest area, saturating.
    pub fn end(&self) -> u64 {
        self.areas().iter().fold(0, |end, (_, addr, extent)| {
            end.max(addr.saturating_add(extent.octets))
        })
    }

    /// The areas with their addresses.
    pub(crate) fn areas(&self) -> [(Area, u64, Extent); 3] {
        let needs = RingOctets::of(self.size);
        [
            (Area::Descriptors, self.desc, needs.desc),
            (Area::Available, self.avail, needs.avail),
            (Area::Used, self.used, needs.used),
        ]
    }

    /// Checks all that can be checked without touching memory, against `ram` octets of RAM.
    pub(crate) fn check(&self, ram: u64) -> Result<(), QueueError> {
        if !self.size.is_power_of_two() || self.size > MAX_SIZE {
            return Err(QueueError::Size { size: self.size });
        }
        let areas = self.areas();
        for (area, addr, Extent { octets, align }) in areas {
            if addr % align != 0 {
                return Err(QueueError::Misaligned { area, addr, align });
            }
            if addr.checked_add(octets).is_none_or(|end| end > ram) {
                return Err(QueueError::AreaOutside {
                    area,
                    addr,
                    octets,
                    ram,
                });
            }
        }
        let [desc, avail, used] = areas;
        for ((first, first_addr, a), (second, second_addr, b)) in
            [(desc, avail), (desc, used), (avail, used)]
        {
            // No wrap: both ends were found inside of RAM above.
            if first_addr < second_addr + b.octets && second_addr < first_addr + a.octets {
                return Err(QueueError::Overlap {
                    first,
                    first_addr,
                    second,
                    second_addr,
                });
            }
        }
        Ok(())
    }
}

/// Whether an index moving from `old` to `new` passed `event` (2.7.10, `vring_need_event`).
pub(crate) const fn passed(event: u16, new: u16, old: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}

/// An event index that is passed by none of the next entries, however the ring of `size` stands:
/// with EVENT_IDX the way to say "no notification", as the flags are ignored then.
///
/// The peer's window of `size` entries behind and `size` entries ahead of `now` stays clear of it
/// until `now` has moved on by [`renew_after`].
pub(crate) const fn never(now: u16, size: u16) -> u16 {
    now.wrapping_add(u16::MAX - size)
}

/// Entries after which an event index of [`never`] has to be set anew.
pub(crate) const fn renew_after(size: u16) -> u16 {
    let clear = u16::MAX.saturating_sub(size).saturating_sub(size);
    if clear < 0x4000 { clear } else { 0x4000 }
}
