//! Fragments of packets for the router itself (RFC 8200 4.5): put together, and then handled as the packets they
//! are of; and packets of its own that are too large for where they go.
//!
//! A fragment that is kept, or completes a packet that is handled, is delivered; one that completes a packet that is
//! dropped has that packet's fate.

use pinode_guest_runtime::Frame;

use super::deliver::problem_of;
use super::{Io, Packet};
use crate::counters::Cause;
use crate::icmp::problem::{LONGEST, OVERHEAD};
use crate::icmp::{self, MINIMUM_MTU, Message, Problem, echo, is_link_local};
use crate::packet::received::examine;
use crate::packet::{Chain, Form, Header, Station};
use crate::reassembly::cut::Cut;
use crate::reassembly::piece::Wrong;
use crate::reassembly::{Arrival, Expired, Taken};
use crate::router::Running;
use crate::routing::Way;
use crate::vn::InterfaceId;

impl Running {
    /// Handles a fragment that is for the router.
    #[cold]
    pub(super) fn collect(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet) {
        if !self.is_in_use(packet.interface, packet.destination) {
            return self.refuse(io, packet, Cause::NotAssigned, None);
        }
        let now_ns = io.now_ns();
        let octets = io.frames.octets(&packet.frame);
        let arrival = Arrival {
            interface: packet.interface,
            link_group: Station::destination(Form::head(octets)).is_group(),
        };
        let body = octets.get(self.form.at..).unwrap_or_default();
        let taken = self.reassembly.take(now_ns, arrival, body);
        let (cause, problem) = match taken {
            Taken::Whole(number) => return self.collected(io, packet, arrival, number),
            Taken::Kept => match examine(body) {
                Ok(()) => {
                    self.counters.of(packet.vn()).delivered.add(packet.octets);
                    return io.out.discard(packet.frame);
                }
                // It is the first: the rest of its packet comes to nothing.
                Err(fault) => (Cause::Headers, problem_of(fault)),
            },
            Taken::Refused => (Cause::Fragment, None),
            Taken::Wrong(wrong) => (Cause::Fragment, Some(problem_with(wrong))),
        };
        self.refuse(io, packet, cause, problem);
    }

    /// Handles the packet that the fragment in `packet` was the last one missing of.
    fn collected(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        mut packet: Packet,
        arrival: Arrival,
        number: usize,
    ) {
        let vn = packet.vn();
        let Some(mut whole) = self.reassembly.take_out(number) else {
            return self.refuse(io, packet, Cause::Fragment, None);
        };
        self.counters.of(vn).reassembled += 1;
        let body = whole.packet();
        match self.answer_of(body, &packet) {
            Ok(octets) => {
                self.counters.of(vn).delivered.add(packet.octets);
                let answer = body.get(..octets).unwrap_or_default();
                self.originate_any(io, packet.frame, answer, packet.interface);
            }
            Err((cause, problem)) => {
                self.counters.drop(vn, cause, packet.octets);
                // As much of it as its sender is told of.
                let kept = body.get(..body.len().min(LONGEST - OVERHEAD));
                match (
                    problem,
                    kept.filter(|kept| self.fill(io, &mut packet.frame, kept)),
                ) {
                    (Some(problem), Some(kept)) => {
                        // Fits: no more than LONGEST.
                        packet.octets = kept.len() as u16;
                        self.tell_sender(io, packet, arrival.link_group, problem);
                    }
                    _ => io.out.discard(packet.frame),
                }
            }
        }
        self.reassembly.give_back(whole);
    }

    /// Makes `body`, a packet that was put together, the answer to it, and gives the octets of that; or what is wrong
    /// with it.
    fn answer_of(
        &self,
        body: &mut [u8],
        packet: &Packet,
    ) -> Result<usize, (Cause, Option<Problem>)> {
        let chain = Chain::walk(body);
        self.accept(body, packet, &chain)?;
        // One in fragments that was itself put into fragments: nobody sends such.
        if chain.fragment.is_some() {
            return Err((Cause::Fragment, None));
        }
        match icmp::parse(body, chain.at) {
            Ok(received) if matches!(received.message, Message::EchoRequest) => {}
            // Neighbour discovery does not come in fragments (RFC 6980 5), and no other message needs any.
            Ok(_) => return Err((Cause::Fragment, None)),
            Err(_) => return Err((Cause::Malformed, None)),
        }
        let source = Header::of(body).map_or(0, Header::source);
        let ours = self.discovery.source_for(packet.interface, source);
        echo::reply(body, chain.at, ours).ok_or((Cause::Malformed, None))
    }

    /// Sends a packet of the router, in fragments if it is too large for where it goes; `frame` is one to begin with.
    pub(super) fn originate_any(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        frame: Frame,
        packet: &[u8],
        interface: InterfaceId,
    ) {
        let destination = Header::of(packet).map_or(0, Header::destination);
        let most = self.most_to(interface, destination);
        let mut spare = Some(frame);
        if packet.len() <= most {
            self.originate_copy(io, &mut spare, packet.len(), interface, |room| {
                room.copy_from_slice(packet);
                true
            });
        } else {
            let identification = self.reassembly.identify(destination);
            for slice in Cut::new(packet, most, identification).into_iter().flatten() {
                let sent = self.originate_copy(io, &mut spare, slice.len(), interface, |room| {
                    slice.write(room)
                });
                // Without one of them the others are of no use.
                if !sent {
                    break;
                }
            }
        }
        if let Some(frame) = spare {
            io.out.discard(frame);
        }
    }

    /// Sends a packet of `octets` that `write` writes, in the spare frame or in a new one. False: there is none.
    fn originate_copy(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        spare: &mut Option<Frame>,
        octets: usize,
        interface: InterfaceId,
        write: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        let fates = self.counters.of(interface.vn());
        let Some(mut frame) = spare.take().or_else(|| io.out.make(interface.vif())) else {
            fates.originated += 1;
            fates.lost += 1;
            return false;
        };
        let at = self.form.at;
        let room = io.frames.resize(&mut frame, at + octets);
        let body = io.frames.octets(&frame).get_mut(at..);
        if !room || !body.is_some_and(write) {
            io.out.discard(frame);
            fates.originated += 1;
            fates.lost += 1;
            return false;
        }
        self.originate(io, frame, octets, interface);
        true
    }

    /// Octets of the largest packet that the router sends to `destination` for one that came in on `interface`. It
    /// does not find out what links farther away carry: there it is what all do (RFC 8200 5).
    pub(super) fn most_to(&self, interface: InterfaceId, destination: u128) -> usize {
        let (out, is_on_link) = if is_link_local(destination) {
            (interface, true)
        } else {
            let hop = self.routing.lookup(interface.vn(), destination);
            (hop.interface, hop.way == Way::Link)
        };
        let mtu = usize::from(self.interfaces.port(out).mtu);
        if is_on_link {
            mtu
        } else {
            mtu.min(MINIMUM_MTU)
        }
    }

    /// Sends the `octets` of a packet of the router's own that are in `frame`, and more than `most` to where they go.
    pub(super) fn originate_cut(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        frame: Frame,
        octets: usize,
        interface: InterfaceId,
    ) {
        let mut scratch = self.reassembly.take_scratch();
        let body = io.frames.octets(&frame).get(self.form.at..);
        let body = body.and_then(|body| body.get(..octets));
        match (scratch.get_mut(..octets), body) {
            (Some(room), Some(body)) => {
                room.copy_from_slice(body);
                self.originate_any(io, frame, room, interface);
            }
            // Larger than any link.
            _ => {
                let fates = self.counters.of(interface.vn());
                fates.originated += 1;
                fates.lost += 1;
                io.out.discard(frame);
            }
        }
        self.reassembly.put_scratch(scratch);
    }

    /// Forgets packets whose fragments have not all come, and tells their senders (RFC 8200 4.5).
    #[cold]
    pub(super) fn give_up(&mut self, io: &mut Io<'_, '_, '_>) {
        let now_ns = io.now_ns();
        while let Some(expired) = self.reassembly.expire(now_ns) {
            self.counters.of(expired.vn).expired += 1;
            if let Some(arrival) = expired.first
                && let Some(frame) = io.out.make(arrival.interface.vif())
            {
                self.tell_expired(io, frame, arrival, &expired);
            }
        }
    }

    fn tell_expired(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        mut frame: Frame,
        arrival: Arrival,
        expired: &Expired,
    ) {
        let at = self.form.at;
        io.frames.resize(&mut frame, at + LONGEST - OVERHEAD);
        let body = io.frames.octets(&frame).get_mut(at..).unwrap_or_default();
        let octets = self.reassembly.write_first(expired, body);
        let Some((octets, header)) = octets.zip(Header::of(body)) else {
            return io.out.discard(frame);
        };
        let packet = Packet {
            destination: header.destination(),
            interface: arrival.interface,
            // Fits: no more than LONGEST.
            octets: octets as u16,
            hop: 0,
            frame,
        };
        self.tell_sender(io, packet, arrival.link_group, Problem::Reassembly);
    }

    /// Makes `packet` what is in `frame`.
    fn fill(&self, io: &mut Io<'_, '_, '_>, frame: &mut Frame, packet: &[u8]) -> bool {
        let at = self.form.at;
        let has_room = io.frames.resize(frame, at + packet.len());
        match io.frames.octets(frame).get_mut(at..) {
            Some(room) if has_room => {
                room.copy_from_slice(packet);
                true
            }
            _ => false,
        }
    }
}

fn problem_with(wrong: Wrong) -> Problem {
    match wrong {
        Wrong::Field(at) => Problem::ErroneousHeader(at),
        Wrong::Incomplete => Problem::IncompleteHeaders,
    }
}
