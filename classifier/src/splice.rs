//! Exchanging the head of a frame while it is copied: a few new octets, then the rest of the old.
//!
//! A frame is copied once on its way to or from a guest; pushing, popping and stripping the PIH
//! rides on that copy and must never cost a second one.

use crate::pih::{ETHERNET_OCTETS, HEAD_OCTETS, field};

/// Least octets of a frame on the wire, without FCS (IEEE Std 802.3-2018 4A.4.2, minFrameSize).
pub const MIN_FRAME_OCTETS: usize = 60;

/// A new head and how many octets of the old frame it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    prefix: [u8; HEAD_OCTETS],
    prefix_octets: u8,
    skip: u8,
}

impl Splice {
    /// The frame as it is.
    pub(crate) const AS_IS: Self = Self {
        prefix: [0; HEAD_OCTETS],
        prefix_octets: 0,
        skip: 0,
    };

    /// The checked head again, in place of what may have changed under the reader.
    pub(crate) const fn same_head(head: &[u8; HEAD_OCTETS]) -> Self {
        Self {
            prefix: *head,
            prefix_octets: HEAD_OCTETS as u8,
            skip: HEAD_OCTETS as u8,
        }
    }

    /// Addresses of `head`, `ethertype` and the PIH octet `pih`, then the old frame from `skip` on.
    pub(crate) fn with_pih(head: &[u8; HEAD_OCTETS], ethertype: u16, pih: u8, skip: usize) -> Self {
        let mut splice = Self::plain(head, ethertype, skip);
        splice.prefix[field::PIH] = pih;
        splice.prefix_octets = HEAD_OCTETS as u8;
        splice
    }

    /// Addresses of `head` and `ethertype`, then the old frame from `skip` on.
    pub(crate) fn plain(head: &[u8; HEAD_OCTETS], ethertype: u16, skip: usize) -> Self {
        let mut prefix = *head;
        prefix[field::ETHERTYPE].copy_from_slice(&ethertype.to_be_bytes());
        Self {
            prefix,
            prefix_octets: ETHERNET_OCTETS as u8,
            skip: skip as u8,
        }
    }

    /// The new head, at most 15 octets; empty if the frame goes as it is.
    #[inline]
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix[..usize::from(self.prefix_octets).min(HEAD_OCTETS)]
    }

    /// How many octets of the old frame the head replaces: the body begins here.
    #[inline]
    #[must_use]
    pub fn skip(&self) -> usize {
        usize::from(self.skip)
    }

    /// What of the old frame follows the head.
    #[inline]
    #[must_use]
    pub fn body<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(self.skip()..).unwrap_or_default()
    }

    /// Octets of the new frame, without padding, for an old one of `frame_octets`.
    #[inline]
    #[must_use]
    pub fn octets(&self, frame_octets: usize) -> usize {
        usize::from(self.prefix_octets) + frame_octets.saturating_sub(self.skip())
    }

    /// Octets of the new frame with the padding that the wire asks for.
    #[inline]
    #[must_use]
    pub fn padded_octets(&self, frame_octets: usize) -> usize {
        self.octets(frame_octets).max(MIN_FRAME_OCTETS)
    }
}
