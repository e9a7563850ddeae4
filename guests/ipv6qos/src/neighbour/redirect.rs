//! Telling a host on the link of a better next hop for a destination (RFC 4861 8.2).

use super::discovery::Discovery;
use super::wire::{self, Written};
use crate::control::item::Mac;
use crate::icmp::{is_link_local, is_multicast};
use crate::vn::InterfaceId;

/// Redirects an interface may send: a second, and at once.
const SENT: (u32, u32) = (50, 20);

/// A Redirect to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect {
    /// The interface it leaves by.
    pub interface: InterfaceId,
    /// Our link-local address.
    pub(super) source: u128,
    /// Who is told, and its MAC address.
    pub(super) to: u128,
    pub(super) to_mac: Mac,
    /// The better next hop, and its MAC address where it is known.
    pub(super) target: u128,
    pub(super) target_mac: Option<Mac>,
    /// For packets to this address.
    pub(super) destination: u128,
}

impl Redirect {
    /// Writes it into `packet`, with as much of the `original` packet as fits. None: there is no room.
    pub fn write(&self, original: &[u8], packet: &mut [u8]) -> Option<Written> {
        wire::discovery::redirect(self, original, packet)
    }
}

impl<F> Discovery<F> {
    /// A packet from `source` to `destination` came in by `interface` and leaves by it, to `next_hop`: gives the
    /// Redirect that `source` is told, if it is a neighbour there and is told of not too much.
    pub fn redirect(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        (source, destination): (u128, u128),
        next_hop: u128,
    ) -> Option<Redirect> {
        let mac_of = |address| {
            let hop = self.hop(self.find(interface, address)?);
            hop.is_usable().then(|| hop.mac())
        };
        let to_mac = mac_of(source)?;
        let target_mac = mac_of(next_hop);
        // A router is known to hosts by its link-local address.
        let is_router = next_hop != destination;
        if is_multicast(destination) || is_router && !is_link_local(next_hop) {
            return None;
        }
        if source == next_hop {
            return None;
        }
        let link = self.link_mut(interface)?;
        if !link.is_on_link(source) || link.own(source).is_some() {
            return None;
        }
        let ours = link.link_local()?;
        if !link.redirects.take(now_ns, SENT.0, SENT.1) {
            return None;
        }
        Some(Redirect {
            interface,
            source: ours,
            to: source,
            to_mac,
            target: next_hop,
            target_mac,
            destination,
        })
    }
}
