//! What a frame begins with: Ethernet header and PIH, if there is one.
//!
//! Its first 16 octets are read and written at once; up to the end of the PDU's header its length is known when this
//! is compiled, so that nothing in it need be checked.

use pinode_guest_runtime::Config;

use crate::config::HEADER_OCTETS;
use crate::control::Mac;

/// Octets of addresses and EtherType.
const ETHERNET: usize = 14;
/// Octets up to the end of the PDU's header, without a PIH.
pub(crate) const PLAIN: usize = ETHERNET + HEADER_OCTETS;
/// The same with a PIH.
pub(crate) const MARKED: usize = PLAIN + 1;
/// Octets that are read and written at once.
pub(crate) const HEAD: usize = 16;
/// Bits in front of the PIH.
const BEFORE_PIH: u32 = 14 * 8;

/// A station's address as the lowest 48 bits of a number, in the order in which a frame's octets are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Station(u64);

impl Station {
    const BITS: u64 = (1 << 48) - 1;
    /// The group bit of the first octet.
    const GROUP: u64 = 1;

    pub(crate) const fn of(mac: Mac) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        Station(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// The source of a frame.
    pub(crate) const fn source(head: u128) -> Mac {
        let [a, b, c, d, e, f, _, _] = ((head >> 48) as u64).to_le_bytes();
        Mac([a, b, c, d, e, f])
    }

    /// Whether a frame is for it, or for a group.
    #[inline(always)]
    pub(crate) const fn is_meant(self, head: u128) -> bool {
        let destination = head as u64;
        destination & Self::BITS == self.0 || destination & Self::GROUP != 0
    }
}

/// The form of all frames of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// Where the PDU begins.
    pub at: usize,
    /// Bits of the EtherType and the PIH that tell frames of this PI from all else, and what they are then.
    mask: u32,
    expected: u32,
    /// Bits of the PIH that say the virtual network; none, if there is no PIH.
    vn_mask: u8,
    /// The virtual network where there is no PIH.
    vn: u8,
    ethertype: u16,
    code: Option<u8>,
}

impl Form {
    /// The form of a guest's frames; `own` is their virtual network where they have no PIH.
    pub(crate) fn of(config: &Config, own: u8) -> Self {
        let [high, low] = config.ethertype.to_be_bytes();
        let (at, mask, expected) = match config.code {
            Some(code) => (
                ETHERNET + 1,
                [0xff, 0xff, 0xe0, 0],
                [high, low, code << 5, 0],
            ),
            None => (ETHERNET, [0xff, 0xff, 0, 0], [high, low, 0, 0]),
        };
        let has_pih = config.code.is_some();
        Form {
            at,
            mask: u32::from_le_bytes(mask),
            expected: u32::from_le_bytes(expected),
            vn_mask: if has_pih { 0x1f } else { 0 },
            vn: if has_pih { 0 } else { own & 0x1f },
            ethertype: config.ethertype,
            code: config.code,
        }
    }

    pub(crate) const fn has_pih(&self) -> bool {
        self.code.is_some()
    }

    /// Whether EtherType and PI code are right.
    #[inline(always)]
    pub(crate) const fn is_ours(&self, head: u128) -> bool {
        (head >> 96) as u32 & self.mask == self.expected
    }

    /// The virtual network of a frame, 0 to 31.
    #[inline(always)]
    pub(crate) const fn vn(&self, head: u128) -> usize {
        ((head >> BEFORE_PIH) as u8 & self.vn_mask | self.vn) as usize
    }

    /// The bits of its PIH that say the virtual network of a frame; none without a PIH.
    #[inline(always)]
    pub(crate) const fn vn_bits(&self, head: u128) -> u8 {
        (head >> BEFORE_PIH) as u8 & self.vn_mask
    }

    /// What frames from `source` to `destination` begin with, of virtual network 0.
    pub(crate) fn template(&self, source: Mac, destination: Mac) -> u128 {
        let mut head = [0; HEAD];
        head[..6].copy_from_slice(&destination.0);
        head[6..12].copy_from_slice(&source.0);
        head[12..14].copy_from_slice(&self.ethertype.to_be_bytes());
        if let Some(code) = self.code {
            head[14] = code << 5;
        }
        u128::from_le_bytes(head)
    }

    /// The same with these [bits of a network](Self::vn_bits).
    #[inline(always)]
    pub(crate) const fn with_bits(template: u128, bits: u8) -> u128 {
        template | (bits as u128) << BEFORE_PIH
    }

    /// The same in network `vn`.
    pub(crate) const fn in_vn(&self, template: u128, vn: u8) -> u128 {
        Self::with_bits(template, vn & self.vn_mask)
    }
}
