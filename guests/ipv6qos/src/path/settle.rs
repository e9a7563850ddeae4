//! What became of frames that waited for a neighbour, and what neighbour discovery has to say.

use pinode_guest_runtime::Frame;

use super::{Io, Packet};
use crate::control::view::Count;
use crate::counters::Cause;
use crate::icmp::Problem;
use crate::neighbour::Fate;
use crate::packet::Station;
use crate::router::Running;
use crate::vn::InterfaceId;

/// A frame that waits for a neighbour.
#[derive(Debug)]
pub(crate) struct Held {
    packet: Packet,
    /// Whether the router made it.
    own: bool,
}

impl Held {
    /// A packet on its way.
    pub(super) fn forwarded(packet: Packet) -> Self {
        Held { packet, own: false }
    }

    /// A packet of the router itself, provoked by one that came in on `packet.interface`.
    pub(super) fn own(packet: Packet) -> Self {
        Held { packet, own: true }
    }
}

impl Running {
    /// Does all that the outbox says. What that brings about is in the outbox again: a bounded number of times,
    /// as a message that is sent makes no other.
    pub(crate) fn settle(&mut self, io: &mut Io<'_, '_, '_>) {
        // A frame whose neighbour failed becomes an error, which may find its own neighbour failed; no error is
        // told of that.
        for _ in 0..3 {
            // What becomes of addresses is seen where it matters, and listed.
            self.outbox.events.clear();
            self.speak(io);
            let frames = core::mem::take(&mut self.settled);
            let mut frames = core::mem::replace(&mut self.outbox.frames, frames);
            for (fate, held) in frames.drain(..) {
                self.meet(io, fate, held);
            }
            self.settled = frames;
            if self.outbox.is_empty() {
                return;
            }
        }
    }

    fn meet(&mut self, io: &mut Io<'_, '_, '_>, fate: Fate, held: Held) {
        let Held { packet, own } = held;
        let vn = packet.vn();
        let fates = self.counters.of(vn);
        if own {
            fates.own_held -= 1;
        } else {
            fates.held -= 1;
        }
        let (cause, problem) = match fate {
            Fate::Send(interface, mac) => {
                if self.emit(io, packet.frame, interface, Station::of(mac), packet.octets) {
                    let fates = self.counters.of(vn);
                    if own {
                        fates.sent += 1;
                    } else {
                        fates.forwarded.add(packet.octets);
                    }
                }
                return;
            }
            Fate::Unreachable => (Cause::NeighbourFailed, Some(Problem::AddressUnreachable)),
            Fate::Overflow => (Cause::NeighbourQueue, None),
            Fate::Refused => (Cause::NeighbourRefused, None),
        };
        if own {
            self.counters.of(vn).lost += 1;
            return io.out.discard(packet.frame);
        }
        self.refuse(io, packet, cause, problem);
    }

    /// Puts a frame on a link.
    #[inline]
    pub(super) fn emit(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        frame: Frame,
        to: InterfaceId,
        station: Station,
        octets: u16,
    ) -> bool {
        if !self.interfaces.has(to) {
            io.out.discard(frame);
            return false;
        }
        let template = self.interfaces.port(to).template;
        self.form
            .rewrite(io.frames.octets(&frame), station.head(template));
        let octets = u64::from(octets);
        self.interfaces.sent(to, Count { packets: 1, octets });
        io.out.send(to.vif(), frame);
        true
    }
}
