//! The source of a saturating run of frames over connections, in its port's own bursts.
//!
//! One copy in; what differs from frame to frame, label and sequence number, is written over it. Must never pace, check
//! or allocate while it runs.

use std::sync::Arc;

use pinode_ports::{InjectSlots, TxMeta, Wire, copy_frame};

use crate::stand::{FCS, LOOK_NS, Tally};

/// Octets of Ethernet header and PIH.
const HEAD: usize = 15;
/// The lowest label of a connection.
pub(super) const FIRST: u32 = 16;
/// Label stack entry without its label: S, TTL 64.
const ENTRY: u32 = 1 << 8 | 64;

/// The side that frames come from.
pub(super) struct Source {
    template: Box<[u8]>,
    /// Connections, which frames go over by turns.
    connections: u32,
    /// All numbers below a power of two in an order that no cache could guess; of them those below `connections`.
    at: u32,
    mask: u32,
    /// Of the frames of this turn; none are numbered if 0.
    sequence: u16,
    tally: Arc<Tally>,
}

impl Source {
    pub(super) fn new(size: u16, connections: u32, numbered: bool, tally: Arc<Tally>) -> Self {
        let mut template = vec![0u8; usize::from(size) - FCS];
        // To a group: each switch takes it.
        template[..6].fill(0xff);
        template[6..12].copy_from_slice(&[2, 0, 0, 9, 1, 9]);
        template[12..HEAD].copy_from_slice(&[0x88, 0xb5, 3 << 5]);
        Self {
            template: template.into(),
            connections,
            at: 0,
            mask: connections.next_power_of_two() - 1,
            sequence: u16::from(numbered),
            tally,
        }
    }

    /// The next connection.
    #[inline]
    fn next(&mut self) -> u32 {
        loop {
            // A full period of a power of two (Hull and Dobell).
            self.at = self.at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) & self.mask;
            if self.at == 0 && self.sequence != 0 {
                // 0 is none (RFC 4385 4.1).
                self.sequence = self.sequence.checked_add(1).unwrap_or(1);
            }
            if self.at < self.connections {
                return self.at;
            }
        }
    }
}

impl Wire for Source {
    #[inline]
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        if !self.tally.offers() {
            return;
        }
        let frames = slots.fill(|slot| {
            let label = FIRST + self.next();
            let frame = slot.get_mut(..self.template.len())?;
            copy_frame(frame, &self.template);
            let header = frame.get_mut(HEAD..)?.first_chunk_mut::<8>()?;
            let header_bits = u64::from(label << 12 | ENTRY) << 32 | u64::from(self.sequence);
            *header = header_bits.to_be_bytes();
            Some(self.template.len())
        });
        self.tally.count_offered(frames);
    }

    /// So that the worker sleeps while another node is measured.
    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        Some(now_ns + if self.tally.offers() { 0 } else { LOOK_NS })
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, _frame: &[u8], _meta: &TxMeta) {}
}
