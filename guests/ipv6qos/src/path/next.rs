//! Last stage: who is next on the link? The frame gets its addresses and goes out.

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Output};

use super::settle::Held;
use super::{Io, Packet, Packets};
use crate::control::view::Count;
use crate::icmp::MINIMUM_MTU;
use crate::interface::Port;
use crate::neighbour::{self, NeighbourId};
use crate::packet::{Header, Start, Station};
use crate::router::Running;
use crate::routing::{Hop, HopId, Way};
use crate::vn::InterfaceId;

/// What left in a burst, and what could not at once.
#[derive(Default)]
pub(super) struct Departures {
    /// Packets that left by the last interface one behind the other.
    last: Option<InterfaceId>,
    count: Count,
    /// The same of those before.
    runs: ArrayVec<(InterfaceId, Count), BURST>,
    /// Packets whose neighbour is not known, must hear that it is used, or is where they came from.
    waiting: Packets,
    /// The neighbour that was looked up for a hop, which may remember it.
    found: Option<(HopId, NeighbourId)>,
}

impl Departures {
    #[inline(always)]
    fn add(&mut self, interface: InterfaceId, octets: u16) {
        if self.last != Some(interface) {
            self.turn(interface);
        }
        self.count.add(octets);
    }

    #[cold]
    fn turn(&mut self, interface: InterfaceId) {
        if let Some(last) = self.last.replace(interface) {
            // No more runs than packets of a burst.
            let _ = self.runs.try_push((last, self.count));
        }
        self.count = Count::default();
    }
}

impl Hop {
    /// The address that a packet to `destination` is sent to next.
    #[inline]
    fn next(&self, destination: u128) -> u128 {
        match self.way {
            Way::Gateway => self.gateway,
            _ => destination,
        }
    }
}

impl Running {
    /// Sends a packet by `port` to the next hop, if that can be done at once.
    #[inline(always)]
    pub(super) fn next<const START: usize>(
        &self,
        start: &mut Start<START>,
        out: &mut Output<'_>,
        packet: Packet,
        (hop, port): (&Hop, &Port),
        departures: &mut Departures,
    ) {
        let id = hop.interface;
        let found = if hop.way == Way::Gateway {
            self.gateway(packet.hop, hop, departures)
        } else {
            let found = self.discovery.find(id, packet.destination);
            found.map(|found| self.discovery.hop(found))
        };
        let ready = found.filter(|known| known.is_usable() && !known.is_stale());
        let Some(neighbour) = ready.filter(|_| id != packet.interface) else {
            departures.waiting.push(packet);
            return;
        };
        self.form
            .rewrite(start, port.template, Station::of(neighbour.mac()));
        departures.add(id, packet.octets);
        out.send(id.vif(), packet.frame);
    }

    /// The next router: the neighbour that the hop remembers, if it still is the one, or the one there is.
    #[inline(always)]
    fn gateway(
        &self,
        value: HopId,
        hop: &Hop,
        departures: &mut Departures,
    ) -> Option<&neighbour::Hop> {
        let (id, to) = (hop.interface, hop.gateway);
        let remembered = hop.neighbour.map(|known| self.discovery.hop(known));
        match remembered {
            Some(neighbour) if neighbour.is(id, to) => Some(neighbour),
            _ => {
                let found = self.discovery.find(id, to)?;
                departures.found = Some((value, found));
                Some(self.discovery.hop(found))
            }
        }
    }

    /// Counts what left, and deals with what could not.
    #[inline]
    pub(super) fn depart(&mut self, io: &mut Io<'_, '_, '_>, departures: &mut Departures) {
        let last = departures.last.map(|last| (last, departures.count));
        for (id, count) in departures.runs.drain(..).chain(last) {
            self.interfaces.sent(id, count);
            self.counters.of(id.vn()).forwarded.merge(count);
        }
        if let Some((hop, neighbour)) = departures.found {
            self.routing.remember(hop, neighbour);
        }
        for packet in departures.waiting.drain(..) {
            self.wait(io, packet);
        }
    }

    /// The next hop is not known, must hear that it is used, or is on the link that the packet came from. What need
    /// not wait is in the outbox at once, in order.
    #[cold]
    fn wait(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet) {
        let hop = *self.routing.hop(packet.hop);
        let to = hop.next(packet.destination);
        let now_ns = io.now_ns();
        if hop.interface == packet.interface {
            self.redirect(io, &packet, to);
        }
        self.counters.of(packet.vn()).held += 1;
        let held = Held::forwarded(packet);
        self.discovery
            .resolve(now_ns, hop.interface, to, held, &mut self.outbox);
    }

    /// Tells the sender of a packet that `to` is on its own link (RFC 4861 8.2).
    fn redirect(&mut self, io: &mut Io<'_, '_, '_>, packet: &Packet, to: u128) {
        let id = packet.interface;
        let octets = io.frames.octets(&packet.frame);
        let source = octets.get(self.form.at..).and_then(Header::of);
        let ends = (source.map_or(0, Header::source), packet.destination);
        let Some(redirect) = self.discovery.redirect(io.now_ns(), id, ends, to) else {
            return;
        };
        let Some(frame) = io.out.make() else {
            self.counters.of(id.vn()).unsaid += 1;
            return;
        };
        let mut original = [0; MINIMUM_MTU];
        let octets = io.frames.octets(&packet.frame);
        let octets = octets.get(self.form.at..).unwrap_or_default();
        let quoted = octets.len().min(original.len());
        let (Some(original), Some(octets)) = (original.get_mut(..quoted), octets.get(..quoted))
        else {
            return io.out.discard(frame);
        };
        original.copy_from_slice(octets);
        self.put(io, frame, id, |_, buffer| redirect.write(original, buffer));
    }
}
