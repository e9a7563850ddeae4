//! Fourth stage: may it go where its destination leads? Hop limit (RFC 8200 3) and size (RFC 4443 3.2).

use super::next::Departures;
use super::{Io, Packet, Packets};
use crate::counters::Cause;
use crate::diffserv::BurstCounts;
use crate::icmp::Problem;
use crate::packet::header::HOP_LIMIT;
use crate::router::Running;
use crate::routing::{Hop, Way};

impl Running {
    /// Sends packets on, as they are.
    #[inline]
    pub(super) fn forward(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        let mut passed = BurstCounts::default();
        let mut departures = Departures::default();
        let mut staying = Packets::new();
        for packet in packets.drain(..) {
            let hop = self.routing.hop(packet.hop);
            let octets = io.frames.octets(&packet.frame);
            let Some(traffic_class) = self.may_go(octets, &packet, hop) else {
                staying.push(packet);
                continue;
            };
            passed.add(traffic_class, packet.octets);
            self.next(io, packet, hop, &mut departures);
        }
        self.diffserv.count(&passed);
        self.depart(io, departures);
        for packet in staying {
            self.elsewhere(io, packet);
        }
    }

    /// Whether a packet goes on, as far as can be seen at once: it is one hop further then. Gives its traffic class.
    #[inline]
    pub(super) fn may_go(&self, octets: &mut [u8], packet: &Packet, hop: &Hop) -> Option<u8> {
        let goes = matches!(hop.way, Way::Gateway | Way::Link);
        let fits = packet.octets <= self.interfaces.port(hop.interface).mtu;
        let start: &mut [u8; 8] = octets.get_mut(self.form.at..)?.first_chunk_mut()?;
        let [first, second, .., hops] = start;
        if !goes || !fits || *hops <= 1 {
            return None;
        }
        *hops -= 1;
        Some(*first << 4 | *second >> 4)
    }

    /// A packet that does not go on: it is for the router, or there is a reason.
    #[cold]
    pub(super) fn elsewhere(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet) {
        let hop = *self.routing.hop(packet.hop);
        let (cause, problem) = match hop.way {
            Way::Local => return self.deliver(io, packet),
            Way::Blackhole => (Cause::Blackhole, None),
            Way::None => (Cause::NoRoute, Some(Problem::NoRoute)),
            Way::Unreachable => (Cause::Unreachable, Some(Problem::NoRoute)),
            Way::Prohibit => (Cause::Prohibit, Some(Problem::Prohibited)),
            Way::Gateway | Way::Link => {
                let octets = io.frames.octets(&packet.frame);
                let hops = octets.get(self.form.at + HOP_LIMIT);
                if hops.is_some_and(|hops| *hops > 1) {
                    let mtu = self.interfaces.port(hop.interface).mtu;
                    (Cause::TooBig, Some(Problem::TooBig(u32::from(mtu))))
                } else {
                    (Cause::HopLimit, Some(Problem::HopLimit))
                }
            }
        };
        self.refuse(io, packet, cause, problem);
    }
}
