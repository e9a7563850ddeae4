//! Last stage: who is next on the link? The frame gets its addresses and goes out.

use super::{Io, Packet};
use crate::packet::Station;
use crate::path::settle::Held;
use crate::router::Running;
use crate::routing::{Hop, Way};

impl Running {
    /// Sends a packet to the next hop, or lets it wait for that.
    #[inline]
    pub(super) fn next(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet, hop: &Hop) {
        let to = match hop.way {
            Way::Gateway => hop.gateway,
            _ => packet.destination,
        };
        let id = hop.interface;
        let found = self.discovery.find(id, to);
        let neighbour = found.map(|found| *self.discovery.hop(found));
        let (Some(neighbour), Some(interface)) = (neighbour, self.interfaces.get_mut(id)) else {
            return self.wait(io, packet, hop, to);
        };
        if !neighbour.is_usable() || neighbour.is_stale() {
            return self.wait(io, packet, hop, to);
        }
        let octets = io.frames.octets(&packet.frame);
        self.form
            .rewrite(octets, interface.template, Station::of(neighbour.mac()));
        interface.sent.add(packet.octets);
        self.counters.of(id.vn()).forwarded.add(packet.octets);
        io.out.send(id.vif(), packet.frame);
    }

    /// The next hop is not known, or it must be heard that it is used.
    #[cold]
    fn wait(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet, hop: &Hop, to: u128) {
        self.counters.of(packet.vn()).held += 1;
        let now_ns = io.now_ns();
        let held = Held::forwarded(packet);
        self.discovery
            .resolve(now_ns, hop.interface, to, held, &mut self.outbox);
    }
}
