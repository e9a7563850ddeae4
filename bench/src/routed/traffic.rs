//! The source of a saturating run of IPv6 packets, in its port's own bursts.
//!
//! As DPDK's `net_null` with `copy=1`, one copy in and one out; what differs from packet to packet, destination and
//! flow, is written over the copy. Must never pace, check or allocate while it runs.

use std::sync::Arc;

use pinode_ports::{InjectSlots, TxMeta, Wire, copy_frame};

use crate::stand::{FCS, LOOK_NS, Tally};

/// Octets of Ethernet header and PIH.
const HEAD: usize = 15;

/// The router's MAC address on the side that packets come in on.
pub(super) const ROUTER: [u8; 6] = [2, 0, 0, 1, 1, 1];
/// The sender's, and that of the next router on the other side.
pub(super) const SENDER: [u8; 6] = [2, 0, 0, 9, 1, 9];
pub(super) const NEXT: [u8; 6] = [2, 0, 0, 9, 2, 9];
/// 2001:db8:1::/64 is the sender's link.
const SOURCE: u128 = 0x2001_0db8_0001_0000 << 64;

/// What differs from packet to packet.
#[derive(Debug, Clone)]
pub(super) struct Variety {
    /// Destinations, a power of two, used in this order over and over; of several flows each has its own.
    pub(super) destinations: Vec<[u8; 16]>,
    /// Flows, a power of two: source address and port run through all of them.
    pub(super) flows: u32,
}

/// The side that packets come from.
pub(super) struct Source {
    template: Box<[u8]>,
    variety: Variety,
    next: usize,
    flow: u32,
    tally: Arc<Tally>,
}

impl Source {
    pub(super) fn new(size: u16, variety: Variety, tally: Arc<Tally>) -> Self {
        assert!(variety.destinations.len().is_power_of_two() && variety.flows.is_power_of_two());
        Self {
            template: template(size),
            variety,
            next: 0,
            flow: 0,
            tally,
        }
    }
}

/// UDP over IPv6 of PI 1, virtual network 0.
fn template(size: u16) -> Box<[u8]> {
    let mut frame = vec![0u8; usize::from(size) - FCS];
    let payload = u16::try_from(frame.len() - HEAD - 40).expect("a frame's length");
    frame[..6].copy_from_slice(&ROUTER);
    frame[6..12].copy_from_slice(&SENDER);
    frame[12..15].copy_from_slice(&[0x88, 0xb5, 1 << 5]);
    let packet = &mut frame[HEAD..];
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    packet[6..8].copy_from_slice(&[17, 64]);
    packet[8..24].copy_from_slice(&SOURCE.to_be_bytes());
    packet[42..44].copy_from_slice(&53u16.to_be_bytes());
    packet[44..46].copy_from_slice(&payload.to_be_bytes());
    frame.into()
}

impl Wire for Source {
    #[inline]
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        let Self {
            template,
            variety,
            next,
            flow,
            tally,
        } = self;
        if !tally.offers() {
            return;
        }
        let frames = slots.fill(|slot| {
            let frame = slot.get_mut(..template.len())?;
            copy_frame(frame, template);
            // A full period of a power of two (Hull and Dobell): all flows, in no order a cache could guess.
            *flow = flow.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let of = *flow & (variety.flows - 1);
            let [_, high, a, b] = of.to_be_bytes();
            // Those of a flow all go to one destination.
            let at = if variety.flows > 1 {
                of as usize
            } else {
                *next
            };
            let at = at & (variety.destinations.len() - 1);
            frame[HEAD + 24..HEAD + 40].copy_from_slice(&variety.destinations[at]);
            *next = next.wrapping_add(1);
            frame[HEAD + 22] = high;
            frame[HEAD + 40..HEAD + 42].copy_from_slice(&[a, b]);
            Some(template.len())
        });
        tally.count_offered(frames);
    }

    /// So that the worker sleeps while another node is measured.
    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        Some(now_ns + if self.tally.offers() { 0 } else { LOOK_NS })
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, _frame: &[u8], _meta: &TxMeta) {}
}
