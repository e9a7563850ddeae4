//! Fourth stage: may it go where its destination leads? Hop limit (RFC 8200 3) and size (RFC 4443 3.2).

use pinode_guest_runtime::BURST;

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
        let mut going = 0u64;
        for (at, packet) in packets.iter_mut().enumerate() {
            let via = self.via(packet, &mut departures);
            let start = io.frames.octets(&packet.frame).first_chunk_mut();
            let start: Option<&mut Start<START>> = start;
            if let Some(start) = start
                && via.is_open_to(packet)
                && let Some(traffic_class) = via.takes(start, packet)
            {
                via.address(start);
                departures.add(via.interface, traffic_class, packet.octets);
                // From here on it is that by which it leaves.
                packet.interface = via.interface;
                going |= 1 << (at % BURST);
            }
        }
        if going.count_ones() as usize == packets.len() {
            for packet in packets.drain(..) {
                departures.send(packet.interface.vif(), packet.frame, io.out);
            }
            self.count_classes(io, &departures);
            self.depart(io, &mut departures);
        } else {
            self.forward_some::<START>(io, packets, going, &mut departures);
        }
    }

    /// The same where not all packets of a burst go on at once, but those that a bit says.
    #[inline(never)]
    fn forward_some<const START: usize>(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
        going: u64,
        departures: &mut Departures,
    ) {
        let mut staying = Packets::new();
        for (at, packet) in packets.drain(..).enumerate() {
            if going >> (at % BURST) & 1 != 0 {
                departures.send(packet.interface.vif(), packet.frame, io.out);
                continue;
            }
            let via = self.via(&packet, departures);
            let start = io.frames.octets(&packet.frame).first_chunk_mut();
            let start: Option<&mut Start<START>> = start;
            match start.and_then(|start| via.takes(start, &packet)) {
                Some(_) => departures.wait(packet),
                None => staying.push(packet),
            }
        }
        self.count_classes(io, departures);
        self.depart(io, departures);
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

// A bit each.
const _: () = assert!(BURST <= u64::BITS as usize);
