//! Fourth stage: may it go where its destination leads? Hop limit (RFC 8200 3) and size (RFC 4443 3.2).

use super::next::Departures;
use super::{Io, Packet, Packets};
use crate::counters::Cause;
use crate::icmp::Problem;
use crate::interface::Port;
use crate::packet::header::{HOP_LIMIT, OCTETS};
use crate::packet::{Header, Start};
use crate::router::Running;
use crate::routing::{Hop, Way};

impl Running {
    /// Sends packets on, as they are.
    #[inline]
    pub(super) fn forward<const START: usize>(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
    ) {
        let mut departures = Departures::default();
        let mut staying = Packets::new();
        for packet in packets.drain(..) {
            let hop = self.routing.hop(packet.hop);
            let port = self.interfaces.port(hop.interface);
            let start = io.frames.octets(&packet.frame).first_chunk_mut();
            let going = start.and_then(|start| may_go::<START>(start, &packet, (hop, port)));
            let Some((start, traffic_class)) = going else {
                staying.push(packet);
                continue;
            };
            let packet = (packet, traffic_class);
            self.next(start, io.out, packet, (hop, port), &mut departures);
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

/// Whether a packet goes on by `port`, as far as can be seen at once: it is one hop further then. Gives its traffic
/// class.
#[inline(always)]
pub(super) fn may_go<'a, const START: usize>(
    start: &'a mut Start<START>,
    packet: &Packet,
    (hop, port): (&Hop, &Port),
) -> Option<(&'a mut Start<START>, u8)> {
    let header: &mut [u8; OCTETS] = start.last_chunk_mut()?;
    let traffic_class = Header(header).traffic_class();
    let hops = &mut header[HOP_LIMIT];
    let goes = matches!(hop.way, Way::Gateway | Way::Link);
    if !goes || packet.octets > port.mtu || *hops <= 1 {
        return None;
    }
    *hops -= 1;
    Some((start, traffic_class))
}
