//! The other end: packets for the router itself (RFC 8200 4, RFC 4443).

use super::{Io, Packet};
use crate::control::view::AddressState;
use crate::counters::Cause;
use crate::icmp::{self, Message, Problem, echo, is_link_local, is_multicast};
use crate::packet::fields::protocol;
use crate::packet::received::{Fault, examine};
use crate::packet::{Chain, Form, Header, Station};
use crate::router::Running;
use crate::vn::InterfaceId;

/// What a message asks of the caller.
enum Asked {
    Nothing,
    Echo,
    Dropped(Cause),
}

impl Running {
    /// Handles a packet that is for the router.
    #[cold]
    pub(super) fn deliver(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet) {
        let octets = io.frames.octets(&packet.frame);
        let sender = Station::source(Form::head(octets));
        let body = octets.get(self.form.at..).unwrap_or_default();
        let chain = Chain::walk(body);
        if chain.fragment.is_some_and(|fragment| !fragment.is_whole()) {
            return self.collect(io, packet);
        }
        if let Err((cause, problem)) = self.accept(body, &packet, &chain) {
            return self.refuse(io, packet, cause, problem);
        }
        let asked = match icmp::parse(body, chain.at) {
            Ok(received) if matches!(received.message, Message::EchoRequest) => Asked::Echo,
            // Neighbour discovery does not come in fragments, not even in one (RFC 6980 5).
            Ok(_) if chain.fragment.is_some() => Asked::Dropped(Cause::Fragment),
            Ok(received) => {
                let now_ns = io.out.now_ns();
                self.discovery.receive(
                    now_ns,
                    packet.interface,
                    sender.mac(),
                    &received,
                    &mut self.outbox,
                );
                Asked::Nothing
            }
            Err(_) => Asked::Dropped(Cause::Malformed),
        };
        if let Asked::Dropped(cause) = asked {
            return self.refuse(io, packet, cause, None);
        }
        self.counters.of(packet.vn()).delivered.add(packet.octets);
        match asked {
            Asked::Echo => self.echo(io, packet, chain.at),
            _ => io.out.discard(packet.frame),
        }
    }

    /// Whether there is an ICMPv6 message to be read; what is wrong else.
    pub(super) fn accept(
        &self,
        body: &[u8],
        packet: &Packet,
        chain: &Chain,
    ) -> Result<(), (Cause, Option<Problem>)> {
        let is_icmp = chain.protocol == protocol::ICMPV6;
        if !is_icmp && !self.is_in_use(packet.interface, packet.destination) {
            return Err((Cause::NotAssigned, None));
        }
        examine(body).map_err(|fault| (Cause::Headers, problem_of(fault)))?;
        match chain.protocol {
            protocol::ICMPV6 => Ok(()),
            protocol::TCP | protocol::UDP | protocol::UDP_LITE => {
                Err((Cause::Port, Some(Problem::PortUnreachable)))
            }
            protocol::NONE => Err((Cause::Headers, None)),
            _ => {
                // Fits: a packet has fewer octets.
                let problem = Problem::UnknownNextHeader(chain.named_at as u32);
                Err((Cause::Headers, Some(problem)))
            }
        }
    }

    /// Whether an address that a packet was for can be answered from: it is a group's, or the router's and verified
    /// (RFC 4862 5.4).
    pub(super) fn is_in_use(&self, interface: InterfaceId, address: u128) -> bool {
        if is_multicast(address) {
            return true;
        }
        let of = if is_link_local(address) {
            interface
        } else {
            self.routing.lookup(interface.vn(), address).interface
        };
        // The subnet-router anycast address is no interface's own and need not be verified.
        self.discovery
            .address_state(of, address)
            .is_none_or(|state| state == AddressState::Preferred)
    }

    /// Answers an echo request, whose message begins at `at`.
    fn echo(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet, at: usize) {
        let Packet {
            frame,
            destination,
            interface,
            ..
        } = packet;
        let body = io
            .frames
            .octets(&frame)
            .get_mut(self.form.at..)
            .unwrap_or_default();
        let source = Header::of(body).map_or(0, Header::source);
        if !self.is_in_use(interface, destination) {
            return io.out.discard(frame);
        }
        let ours = self.discovery.source_for(interface, source);
        match echo::reply(body, at, ours) {
            Some(octets) if octets > self.most_to(interface, source) => {
                self.originate_cut(io, frame, octets, interface);
            }
            Some(octets) => self.originate(io, frame, octets, interface),
            None => io.out.discard(frame),
        }
    }
}

pub(super) fn problem_of(fault: Fault) -> Option<Problem> {
    match fault {
        Fault::Broken | Fault::Option => None,
        Fault::Octet(at) => Some(Problem::ErroneousHeader(at)),
        Fault::NextHeader(at) => Some(Problem::UnknownNextHeader(at)),
        Fault::UnknownOption { at, even_multicast } => {
            Some(Problem::UnknownOption { at, even_multicast })
        }
    }
}
