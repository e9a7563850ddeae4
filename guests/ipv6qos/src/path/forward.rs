//! Fourth stage: may it go where its destination leads? Hop limit (RFC 8200 3) and size (RFC 4443 3.2).

use super::next::Departures;
use super::{Io, Packet, Packets};
use crate::counters::Cause;
use crate::icmp::Problem;
use crate::packet::Start;
use crate::packet::header::HOP_LIMIT;
use crate::router::Running;
use crate::routing::Way;

impl Running {
    /// Sends packets on, as they are.
    #[inline]
    pub(super) fn forward<const START: usize>(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
    ) {
        let mut departures = Departures::new();
        let mut staying = Packets::new();
        for packet in packets.drain(..) {
            let via = self.via(packet.hop, &mut departures);
            let start = io.frames.octets(&packet.frame).first_chunk_mut();
            let start: Option<&mut Start<START>> = start;
            if let Some(start) = start
                && let Some(traffic_class) = via.takes(start, &packet)
            {
                let packet = (packet, traffic_class);
                self.next(start, io.out, packet, via, &mut departures);
            } else {
                staying.push(packet);
            }
        }
        self.count_classes(io, &departures);
        self.depart(io, &mut departures);
        for packet in staying.drain(..) {
            self.elsewhere(io, packet);
        }
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
