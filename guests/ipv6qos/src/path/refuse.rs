//! Why a packet does not go on: counted by cause, and its sender told where the rules allow it (RFC 4443 2.4).

use super::{Io, Packet};
use crate::counters::Cause;
use crate::icmp::Problem;
use crate::icmp::problem::{LONGEST, OVERHEAD, may_tell, tell};
use crate::packet::{Form, Header, Station};
use crate::router::Running;

impl Running {
    /// Drops a packet; its buffer carries the error, if there is one to be told.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        packet: Packet,
        cause: Cause,
        problem: Option<Problem>,
    ) {
        let vn = packet.vn();
        self.counters.drop(vn, cause, packet.octets);
        let Some(problem) = problem else {
            return io.out.discard(packet.frame);
        };
        let octets = io.frames.octets(&packet.frame);
        let link_group = Station::destination(Form::head(octets)).is_group();
        self.tell_sender(io, packet, link_group, problem);
    }

    /// Makes `packet` the error about it, if its sender is told of `problem`; `link_group`: it came in a frame for a
    /// group.
    pub(super) fn tell_sender(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        mut packet: Packet,
        link_group: bool,
        problem: Problem,
    ) {
        let vn = packet.vn();
        let at = self.form.at;
        let octets = io.frames.octets(&packet.frame);
        let body = octets.get(at..).unwrap_or_default();
        let source = Header::of(body).map(Header::source);
        let (Some(to), true) = (source, may_tell(body, link_group, problem)) else {
            return io.out.discard(packet.frame);
        };
        let Some(from) = self.source_of_error(packet.interface, packet.destination, to) else {
            return io.out.discard(packet.frame);
        };
        if !self.limit.take(io.out.now_ns(), packet.interface) {
            self.counters.of(vn).limited += 1;
            return io.out.discard(packet.frame);
        }
        let length = usize::from(packet.octets);
        let longest = LONGEST.min(length + OVERHEAD).max(length);
        if !io.frames.resize(&mut packet.frame, at + longest) {
            return io.out.discard(packet.frame);
        }
        let body = io
            .frames
            .octets(&packet.frame)
            .get_mut(at..)
            .unwrap_or_default();
        match tell(body, length, from, problem) {
            Some(octets) => self.originate(io, packet.frame, octets, packet.interface),
            None => io.out.discard(packet.frame),
        }
    }
}
