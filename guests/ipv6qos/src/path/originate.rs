//! What the router says itself: errors and echo replies, which are routed as other packets are, and messages of
//! neighbour discovery, which know their link.

use pinode_guest_runtime::Frame;

use super::settle::Held;
use super::{Io, Packet};
use crate::icmp::{MINIMUM_MTU, is_link_local};
use crate::neighbour::{Asker, Discovery, Outgoing, Written, vif_bit};
use crate::packet::{Header, Station};
use crate::router::Running;
use crate::routing::Way;
use crate::vn::InterfaceId;

impl Running {
    /// The source address of an error about a packet that came in on `interface`, was for `asked` and is told to
    /// `to`: the address that was asked, if it is the router's; else one of the interface by which the error leaves, so
    /// that a traceroute shows the link it came over (RFC 4443 2.2).
    pub(super) fn source_of_error(
        &self,
        interface: InterfaceId,
        asked: u128,
        to: u128,
    ) -> Option<u128> {
        if self.is_in_use(interface, asked) && self.is_own(interface, asked) {
            return Some(asked);
        }
        let leaves = if is_link_local(to) {
            interface
        } else {
            self.routing.lookup(interface.vn(), to).interface
        };
        let leaves = if leaves.vn() == interface.vn() {
            leaves
        } else {
            interface
        };
        self.discovery.source_for(leaves, to)
    }

    /// Whether `address` is one of the router's, as packets that come in on `interface` see it.
    fn is_own(&self, interface: InterfaceId, address: u128) -> bool {
        if is_link_local(address) {
            return self.discovery.address_state(interface, address).is_some();
        }
        self.routing.lookup(interface.vn(), address).way == Way::Local
    }

    /// Sends a packet of the router, `octets` long, in `frame`; a link-local destination is on the link of
    /// `interface`, others are routed in its virtual network.
    pub(super) fn originate(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        mut frame: Frame,
        octets: usize,
        interface: InterfaceId,
    ) {
        let vn = interface.vn();
        self.counters.of(vn).originated += 1;
        io.frames.resize(&mut frame, self.form.at + octets);
        let body = io.frames.octets(&frame).get(self.form.at..);
        let Some(destination) = body.and_then(Header::of).map(Header::destination) else {
            return self.lose(io, frame, interface);
        };
        let (out, to) = if is_link_local(destination) {
            (interface, destination)
        } else {
            let hop = self.routing.lookup(vn, destination);
            match hop.way {
                Way::Gateway => (hop.interface, hop.gateway),
                Way::Link => (hop.interface, destination),
                _ => return self.lose(io, frame, interface),
            }
        };
        if octets > usize::from(self.interfaces.port(out).mtu) {
            return self.lose(io, frame, interface);
        }
        self.counters.of(vn).own_held += 1;
        let packet = Packet {
            frame,
            destination,
            interface,
            // Fits: no more than the MTU.
            octets: octets as u16,
            hop: 0,
        };
        let now_ns = io.now_ns();
        // Who provoked it is who it goes to.
        let asker = Asker {
            interface,
            network: (destination >> 64) as u64,
        };
        let held = Held::own(packet);
        self.discovery
            .resolve(now_ns, out, to, asker, held, &mut self.outbox);
    }

    fn lose(&mut self, io: &mut Io<'_, '_, '_>, frame: Frame, interface: InterfaceId) {
        self.counters.of(interface.vn()).lost += 1;
        io.out.discard(frame);
    }

    /// Sends what neighbour discovery has to say, in order by vif. What finds no frame, as a ring is full, stays where it
    /// is and is sent after the next burst or tick; other vifs do not wait for it.
    pub(super) fn speak(&mut self, io: &mut Io<'_, '_, '_>) {
        // What is sent brings nothing new about.
        let mut messages = core::mem::take(&mut self.outbox.messages);
        let mut held_up = 0;
        messages.retain(|said| {
            let vif = vif_bit(said.interface);
            if held_up & vif == 0 && !self.say(io, said) {
                held_up |= vif;
            }
            held_up & vif != 0
        });
        self.outbox.held_up = held_up;
        self.outbox.messages = messages;
    }

    /// Sends a message of neighbour discovery. False: there is no frame for it.
    fn say(&mut self, io: &mut Io<'_, '_, '_>, outgoing: &Outgoing) -> bool {
        let Some(frame) = io.out.make(outgoing.interface.vif()) else {
            return false;
        };
        let id = outgoing.interface;
        self.put(io, frame, id, |discovery, buffer| {
            discovery.write(outgoing, buffer)
        });
        self.discovery.left(io.now_ns(), outgoing);
        true
    }

    /// Writes a message into a frame of the router's own and sends it out of `id`.
    pub(super) fn put(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        mut frame: Frame,
        id: InterfaceId,
        write: impl FnOnce(&Discovery<Held>, &mut [u8]) -> Option<Written>,
    ) {
        let at = self.form.at;
        io.frames.resize(&mut frame, at + MINIMUM_MTU);
        let octets = io.frames.octets(&frame);
        let buffer = octets.get_mut(at..).unwrap_or_default();
        let Some(written) = write(&self.discovery, buffer) else {
            return io.out.discard(frame);
        };
        io.frames.resize(&mut frame, at + written.octets);
        let fates = self.counters.of(id.vn());
        fates.originated += 1;
        fates.sent += 1;
        // Fits: no more than MINIMUM_MTU.
        let octets = written.octets as u16;
        self.emit(io, frame, id, Station::of(written.destination), octets);
    }
}
