//! memif 2.0 in shared memory: the ring and its descriptors, field by field.
//!
//! Values only; must never touch memory. All fields are in the byte order of the host.
//!
//! Ring, at a multiple of 8 in its region:
//!
//! | offset | octets | field | written by |
//! |---|---|---|---|
//! | 0 | 4 | cookie, 0x03E31F20 | slave, once |
//! | 4 | 2 | flags: bit 0 `MASK_INT`, the reader polls and wants no interrupt | reader of frames |
//! | 6 | 2 | head, counts up modulo 65536 | slave |
//! | 64 | 2 | tail, likewise | master |
//! | 128 | 16 x size | descriptors | see below |
//!
//! Slave to master (S2M): frames are the descriptors from tail to head. Master to slave (M2S): the slave
//! offers empty buffers up to head, the master fills them up to tail.
//!
//! Descriptor:
//!
//! | offset | octets | field |
//! |---|---|---|
//! | 0 | 2 | flags: bit 0 `NEXT`, the frame goes on in the next descriptor |
//! | 2 | 2 | region of the buffer |
//! | 4 | 4 | length: of the frame's part, or of the empty buffer |
//! | 8 | 4 | offset of the buffer in its region |
//! | 12 | 4 | metadata, unused here |
//!
//! Two bits that the protocol leaves unused settle, between two ends that know them, whose the unread frames of
//! a broken connection are: the sender that takes them back sets [`TAKEN_BACK`] beside the index by which the
//! reader says how far it read (in flags of an M2S ring, in the two octets behind tail of an S2M ring), in one
//! atomic operation; a reader moves that index by compare and swap, so it cannot pass the bit. Other
//! implementations neither see nor set it.

/// Marks a ring.
pub(super) const COOKIE: u32 = 0x03E3_1F20;
/// Ring flag: no interrupts wanted.
pub(super) const MASK_INT: u16 = 1;
/// Descriptor flag: the frame goes on in the next one.
pub(super) const NEXT: u16 = 1;
/// The sender took back what was not read; see the module.
pub(super) const TAKEN_BACK: u16 = 0x8000;
/// Octets in front of the descriptors.
pub(super) const RING_HEAD_OCTETS: usize = 128;
/// Octets of a descriptor.
pub(super) const DESCRIPTOR_OCTETS: usize = 16;

/// Octets of a ring of `size` descriptors.
pub(super) const fn ring_octets(size: u16) -> usize {
    RING_HEAD_OCTETS + size as usize * DESCRIPTOR_OCTETS
}

/// Two 16-bit fields, in memory order, as the 32-bit word they share.
#[inline]
pub(super) const fn pair(first: u16, second: u16) -> u32 {
    let [a, b] = first.to_ne_bytes();
    let [c, d] = second.to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

/// The two 16-bit fields of a word, in memory order.
#[inline]
pub(super) const fn unpair(word: u32) -> (u16, u16) {
    let [a, b, c, d] = word.to_ne_bytes();
    (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]))
}

/// A descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Descriptor {
    /// The frame goes on in the next descriptor.
    pub(super) next: bool,
    /// Index of the buffer's region.
    pub(super) region: u16,
    /// Octets.
    pub(super) length: u32,
    /// Of the buffer in its region.
    pub(super) offset: u32,
}

impl Descriptor {
    /// From the two halves in memory.
    #[inline]
    pub(super) const fn from_halves([low, high]: [u64; 2]) -> Self {
        let [a, b, c, d, e, f, g, h] = low.to_ne_bytes();
        let [i, j, k, l, ..] = high.to_ne_bytes();
        Self {
            next: u16::from_ne_bytes([a, b]) & NEXT != 0,
            region: u16::from_ne_bytes([c, d]),
            length: u32::from_ne_bytes([e, f, g, h]),
            offset: u32::from_ne_bytes([i, j, k, l]),
        }
    }

    /// The two halves in memory; metadata is zero.
    #[inline]
    pub(super) const fn to_halves(self) -> [u64; 2] {
        let [a, b] = (if self.next { NEXT } else { 0 }).to_ne_bytes();
        let [c, d] = self.region.to_ne_bytes();
        let [e, f, g, h] = self.length.to_ne_bytes();
        let [i, j, k, l] = self.offset.to_ne_bytes();
        [
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes([i, j, k, l, 0, 0, 0, 0]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_has_its_fields_at_the_offsets_of_the_protocol() {
        let descriptor = Descriptor {
            next: true,
            region: 0x0302,
            length: 0x0706_0504,
            offset: 0x0b0a_0908,
        };
        let [low, high] = descriptor.to_halves();
        let octets = [low.to_le_bytes(), high.to_le_bytes()].concat();
        assert_eq!(octets, [1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 0, 0, 0]);
        assert_eq!(Descriptor::from_halves([low, high]), descriptor);
        assert_eq!(unpair(pair(3, 9)), (3, 9));
    }
}
